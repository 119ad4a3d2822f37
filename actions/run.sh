#!/bin/bash
# Finds the binary manifests-e2e and becomes it: `run.sh <subcommand>`, inputs in INPUT_*.
#
# In this order: the file of the input `binary`, or of MANIFESTS_E2E_BINARY; on a released commit the release asset, if
# it is what checksums.txt says (from manifests-e2e/<version>/<machine> in the runner's tool cache, where an image may bring it
# along, else fetched once from GitHub or from the mirror MANIFESTS_E2E_RELEASES); on a commit between two releases what
# `actions/setup` built of it in an earlier step. It never runs another version's binary, and never builds: a build
# runs the code of hundreds of crates, and this step may hold secrets. It ends in `exec`, since only a step's own
# process is told that the job was cancelled.
#
# `run.sh --find` and `run.sh --build` are the steps of `actions/setup`. Bash 3 reads this too: macOS gets an answer.
set -euo pipefail

version=0.1.0-dev
# The last release, `v1.2.3 <its commit>`; empty before the first. e2e/release writes both.
last_release=''
github=https://github.com/kubeflow/manifests-e2e

script=${BASH_SOURCE[0]}
case $script in */*) actions=${script%/*} ;; *) actions=. ;; esac
actions=$(cd "$actions" && pwd)
root=${actions%/*}
command=${1:-}

output() { # name, value of one line
  [ -z "${GITHUB_OUTPUT:-}" ] || printf '%s=%s\n' "$1" "$2" >>"$GITHUB_OUTPUT"
}

fail() { # exit code, what went wrong, what to do
  # The output of every action that says why it failed; here the binary is not there to write it.
  output failure "$2"
  # Of the root action: it has nothing to gather or to tear down.
  [ "$command" != run ] || output begun false
  local mark='error: '
  [ "${GITHUB_ACTIONS:-}" != true ] || mark='::error title=manifests-e2e::'
  printf '%s%s\n\nhint: %s\n' "$mark" "$2" "$3" >&2
  exit "$1"
}

need() { # what for, tools...
  local for=$1 tool
  shift
  for tool in "$@"; do
    command -v "$tool" >/dev/null ||
      fail 3 "this runner has no $tool, which is needed to $for" "install it in the runner's image or container ($tool is of coreutils, findutils, curl or, for cargo, https://rustup.rs)"
  done
}

supported() {
  need 'find out what machine this is' uname
  system=$(uname -s) machine=$(uname -m)
  [ "$system" = Linux ] ||
    fail 2 "manifests-e2e runs on Linux runners, and this one runs $system" "set \`runs-on\` to a Linux runner, such as ubuntu-latest"
  case $machine in
    x86_64 | aarch64) ;;
    *) fail 2 "manifests-e2e runs on x86_64 and aarch64, and this runner is $machine" "set \`runs-on\` to a runner of one of the two" ;;
  esac
}

hash_of() { # file
  local sum
  sum=$(sha256sum <"$1") && sum=${sum%% *} && [ ${#sum} = 64 ] ||
    fail 3 "sha256sum cannot read $1" 'its own message is above; this says nothing about what is in the file'
  echo "$sum"
}

matches() { # sha256, file
  local sum
  [ -f "$2" ] || return 1
  sum=$(hash_of "$2") || exit
  [ "$sum" = "$1" ]
}

# The hash that this commit has for a file of the release.
pinned() { # name
  local sum name
  while read -r sum name; do
    [ "$name" != "$1" ] || { echo "$sum" && return; }
  done <"$actions/checksums.txt"
}

# Where releases are, one a line. On GitHub Enterprise Server the action may have been copied there with its releases, or
# come from github.com through GitHub Connect.
places() {
  local server=${GITHUB_SERVER_URL:-https://github.com}
  [ -z "${MANIFESTS_E2E_RELEASES:-}" ] || { echo "${MANIFESTS_E2E_RELEASES%/}" && return; }
  [ "$server" = https://github.com ] || echo "$server/${GITHUB_ACTION_REPOSITORY:-kubeflow/manifests-e2e}/releases/download"
  echo "$github/releases/download"
}

# Fetches an asset; 23 where it cannot be written. curl takes proxies (https_proxy, no_proxy) and certificates (CURL_CA_BUNDLE) from the environment.
fetch() { # name, file
  local place pause status code first
  while read -r place; do
    for pause in 0 1 2 4 8; do
      sleep "$pause"
      code=0
      status=$(curl --fail --silent --show-error --location --connect-timeout 10 --speed-limit 1000 --speed-time 30 \
        --max-time 600 --write-out '%{http_code}' --output "$2" "$place/v$version/$1" </dev/null) || code=$?
      if [ "$code" = 0 ]; then
        # A login page of the network, or of a server that hides what is there, comes with the code of success.
        IFS= read -r -n 1 first <"$2" || first=''
        [ "$first" = '<' ] || return 0
        echo "$place answers with a web page" >&2
        break
      fi
      [ "$code" != 23 ] || return 23
      # What is not there, not allowed or not a place does not change within seconds.
      case $code:$status in 22:408 | 22:429 | 22:5*) ;; 22:* | 3:* | 37:*) break ;; esac
    done
  done <<<"$(places)"
  return 1
}

# Where the binary may be kept, the best first. A container may see the tool cache read-only; a mount may be noexec.
bases() {
  local base
  for base in "${RUNNER_TOOL_CACHE:-}" "${RUNNER_TEMP:-}" "${XDG_CACHE_HOME:-${HOME:+$HOME/.cache}}"; do
    [ -z "$base" ] || echo "$base"
  done
}

part='' # what is being fetched, removed whatever ends this
trap '[ -z "$part" ] || rm -f "$part"' EXIT

# Sets `binary` to the verified release of this version.
find_release() {
  local name sum base dir code full=''
  name=manifests-e2e-$version-$machine-linux
  sum=$(pinned "$name")
  [ -n "$sum" ] || fail 2 "this commit has no checksum of $name" 'pin a released commit of the action'
  need 'verify the binary' sha256sum
  while read -r base; do
    binary=$base/manifests-e2e/$version/$machine/manifests-e2e
    ! { [ -x "$binary" ] && matches "$sum" "$binary"; } || return 0
  done <<<"$(bases)"
  need 'fetch the binary' curl sleep mkdir mktemp chmod mv rm
  echo "fetching $name" >&2
  while read -r base; do
    dir=$base/manifests-e2e/$version/$machine
    mkdir -p "$dir" 2>/dev/null && part=$(mktemp "$dir/.part-XXXXXX" 2>/dev/null) || { part='' && continue; }
    # What a fetch that was killed has left.
    find "$dir" -name '.part-*' -mmin +60 -delete 2>/dev/null || true
    chmod 755 "$part"
    # Not where nothing may be executed.
    [ -x "$part" ] || { rm -f "$part" && continue; }
    code=0
    fetch "$name" "$part" || code=$?
    if [ "$code" = 23 ]; then
      full=$dir
      rm -f "$part"
      continue
    fi
    [ "$code" = 0 ] ||
      fail 3 "cannot fetch $name" "let this runner reach $(places | { read -r place && echo "$place"; }) (curl's message is above; it uses https_proxy), set MANIFESTS_E2E_RELEASES to a mirror, or give the input \`binary\`"
    matches "$sum" "$part" ||
      fail 3 "$name is not what actions/checksums.txt says" 'what was fetched is deleted; find out why before you use another copy'
    binary=$dir/manifests-e2e
    mv -fT "$part" "$binary" || fail 3 "cannot write $binary" 'remove what stands in its place'
    part=''
    return 0
  done <<<"$(bases)"
  [ -z "$full" ] || fail 3 "$full has no room for the binary" 'free some space on the disk of the runner, or set RUNNER_TOOL_CACHE to another disk'
  fail 3 'there is no directory to put the binary in' 'set RUNNER_TOOL_CACHE to a directory that this job may write to and execute from'
}

# What a build is made of, as one hash: a checkout that changes within a job is another place.
fingerprint() {
  need 'tell what this checkout would build' sha256sum find sort xargs
  (cd "$root" && for path in Cargo.toml Cargo.lock rust-toolchain.toml src templates kind e2e/mnist; do
    [ ! -e "$path" ] || find "$path" -type f
  done | LC_ALL=C sort | xargs sha256sum | sha256sum)
}

# Sets `directory` and `binary` to where actions/setup puts what it builds. RUNNER_TEMP is this job's alone, and empty when it
# begins: the binary cannot be verified, so no other job may have put it there.
find_built() {
  local sum
  sum=$(fingerprint)
  directory=${RUNNER_TEMP:-/nonexistent}/manifests-e2e-built/${sum:0:32}
  binary=$directory/manifests-e2e
}

no_binary() {
  local remedy="build it in an earlier step that holds no secret, \`uses: kubeflow/manifests-e2e/actions/setup\` at this commit, or give the input \`binary\`"
  [ -z "$last_release" ] || remedy="pin the last release, ${last_release% *}: kubeflow/manifests-e2e@${last_release#* }. Or $remedy"
  fail 2 "this commit is between two releases ($version) and has no binary" "$remedy"
}

# The names of variables that look like a secret.
secrets() {
  local name
  for name in $(compgen -e); do
    case $name in
      # act gives it to every step, and what it opens is act's own.
      ACTIONS_RUNTIME_TOKEN) [ "${ACT:-}" = true ] || echo "$name" ;;
      *TOKEN* | *SECRET* | *PASS | *PASSW* | *PASSPHRASE* | *CREDENTIAL* | *_KEY | *_KEY_* | *APIKEY* | *_PAT | *_AUTH | *AUTH_CONFIG* | KUBECONFIG_*) [ -z "${!name}" ] || echo "$name" ;;
    esac
  done
}

# Builds this checkout. Unoptimised: it waits most of its time, and an optimised build takes a quarter of an hour longer.
build() {
  local held answer built target=${CARGO_TARGET_DIR:-}
  held=$(secrets)
  [ -z "$held" ] ||
    fail 2 "this step holds secrets (${held//$'\n'/, }), and a build runs the code of hundreds of crates" \
      "give secrets to the steps that need them and not to the job; with \`id-token: write\`, run actions/setup in a job of its own before: this job then finds the binary in the cache"
  need 'build manifests-e2e' cargo mkdir cp mv rm chmod sed tail mktemp
  mkdir -p "$directory"
  # From its own directory: the toolchain and cargo's settings are this checkout's, not the caller's.
  [ -n "$target" ] || target=$(mktemp -d "$directory/.target-XXXXXX")
  echo "building manifests-e2e $version with cargo: some minutes, once for each commit" >&2
  answer=$(cd "$root" && cargo build --locked --quiet --bin manifests-e2e --target-dir "$target" --message-format json-render-diagnostics) || {
    rm -rf "$directory"/.target-*
    fail 3 'the build of manifests-e2e failed' "cargo's own message is above; the input \`binary\` takes a binary built elsewhere"
  }
  # Where cargo puts it depends on its settings, such as a target triple: cargo says where.
  built=$(sed -n 's|.*"executable":"\([^"]*/manifests-e2e\)".*|\1|p' <<<"$answer" | tail -n 1)
  [ -n "$built" ] || fail 3 'cargo does not say where it has put manifests-e2e' "give the input \`binary\`"
  cp "$built" "$binary.new"
  # Half as large in the cache; a linker came with it.
  strip "$binary.new" 2>/dev/null || true
  chmod 755 "$binary.new"
  mv -f "$binary.new" "$binary"
  rm -rf "$directory"/.target-*
}

supported
given=${INPUT_BINARY:-${MANIFESTS_E2E_BINARY:-}}
# A name alone would be looked up in PATH.
case $given in '' | */*) ;; *) given=./$given ;; esac
directory=''
if [ -n "$given" ]; then
  [ -f "$given" ] && [ -x "$given" ] ||
    fail 2 "the binary that was given is not an executable file: $given" "correct the input \`binary\`, or MANIFESTS_E2E_BINARY: a path on this runner, of a file with mode 755"
  binary=$given
else
  case $version in *-dev) find_built ;; *) find_release ;; esac
fi

case $command in
  --find)
    [ -n "${RUNNER_TEMP:-}" ] || fail 2 'actions/setup is for a runner: RUNNER_TEMP is not set' 'on a laptop: cargo build --release --locked'
    output binary "$binary"
    [ -n "$directory" ] || exit 0
    # A binary that is linked to a newer C library does not start with an older one.
    libc=$(getconf GNU_LIBC_VERSION 2>/dev/null || true)
    output directory "$directory"
    output key "manifests-e2e-$machine-${libc//[^a-z0-9.]/}-${directory##*/}"
    ;;
  --build)
    [ -x "$binary" ] || build
    ;;
  *)
    [ -z "$directory" ] || [ -x "$binary" ] || no_binary
    exec "$binary" "$@"
    ;;
esac
