#!/bin/bash
# Finds the binary manifests-e2e and becomes it: `run.sh <subcommand>`, inputs in INPUT_*.
#
# In this order: the file that MANIFESTS_E2E_BINARY names; the release asset of the version below, if checksums.txt
# has its hash (fetched once to the runner's tool cache; MANIFESTS_E2E_RELEASES names a mirror); a build of this checkout
# by cargo. It ends in `exec`, since only a step's own process is told that the job was cancelled.
set -euo pipefail

version=0.1.0
releases=${MANIFESTS_E2E_RELEASES:-https://github.com/kubeflow/manifests-e2e/releases/download}

actions=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
root=$(dirname "$actions")

fail() { # what went wrong, what to do
  # The output of every action that says why it failed; here the binary is not there to write it.
  [ -z "${GITHUB_OUTPUT:-}" ] || printf 'failure=%s\n' "$1" >>"$GITHUB_OUTPUT"
  local mark='error: '
  [ "${GITHUB_ACTIONS:-}" != true ] || mark='::error title=manifests-e2e::'
  printf '%s%s\n\nhint: %s\n' "$mark" "$1" "$2" >&2
  exit 3
}

matches() { # sha256, file
  [ -f "$2" ] && echo "$1  $2" | sha256sum --check --status
}

# Prints the path of the verified release binary; nothing where this version has none for this machine.
released() {
  local name sum dir binary part
  name=manifests-e2e-$version-$(uname -m)-linux
  sum=$(awk -v name="$name" '$2 == name { print $1 }' "$actions/checksums.txt")
  [ -n "$sum" ] || return 0
  dir=${RUNNER_TOOL_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}}/manifests-e2e/$version/$(uname -m)
  binary=$dir/manifests-e2e
  if ! matches "$sum" "$binary"; then
    mkdir -p "$dir"
    part=$(mktemp "$dir/.part-XXXXXX")
    echo "fetching $name" >&2
    curl --fail --silent --show-error --location --retry 5 --retry-all-errors --connect-timeout 10 \
      --max-time 120 --output "$part" "$releases/v$version/$name" || {
      rm -f "$part"
      fail "cannot fetch $name" "let this runner reach $releases, or set MANIFESTS_E2E_BINARY to the binary"
    }
    matches "$sum" "$part" || {
      rm -f "$part"
      fail "$name is not what actions/checksums.txt says" "what was fetched is deleted; do not go on with another copy of it before you know why"
    }
    chmod 755 "$part"
    mv "$part" "$binary"
  fi
  echo "$binary"
}

# Runs a command with what a build needs of the environment. The step has credentials in it, and what is built are
# hundreds of crates, whose build scripts and macros run: none of them is handed one.
without_secrets() {
  local name kept=()
  for name in PATH HOME USER TMPDIR LANG LC_ALL CARGO_HOME RUSTUP_HOME RUSTUP_DIST_SERVER RUSTUP_UPDATE_ROOT CC AR \
    HTTP_PROXY HTTPS_PROXY ALL_PROXY NO_PROXY http_proxy https_proxy all_proxy no_proxy CARGO_HTTP_PROXY \
    SSL_CERT_FILE SSL_CERT_DIR CURL_CA_BUNDLE CARGO_HTTP_CAINFO CARGO_NET_OFFLINE; do
    [ -z "${!name:-}" ] || kept+=("$name=${!name}")
  done
  env -i "${kept[@]}" "$@"
}

# Prints the path of the binary built from this checkout; cargo itself knows whether there is anything to do.
built() {
  local target answer binary
  target=$(realpath -m -- "${CARGO_TARGET_DIR:-$root/target}")
  [ -f "$root/Cargo.toml" ] || return 0
  command -v cargo >/dev/null || return 0
  [ -x "$target/debug/manifests-e2e" ] || echo "no release of $version is pinned here: building it with cargo (some minutes, once)" >&2
  # From its own directory: the toolchain and cargo's settings are this checkout's, not the caller's.
  # Unoptimised: it waits most of its time, and a release build takes a quarter of an hour longer.
  answer=$(cd "$root" && without_secrets cargo build --locked --quiet --bin manifests-e2e --target-dir "$target" \
    --message-format json-render-diagnostics) ||
    fail "the build of manifests-e2e failed" "cargo's own message is above; MANIFESTS_E2E_BINARY takes a binary built elsewhere"
  # Where cargo puts it depends on its settings, such as a target triple: cargo says where.
  binary=$(sed -n 's|.*"executable":"\([^"]*/manifests-e2e\)".*|\1|p' <<<"$answer" | tail -n 1)
  [ -n "$binary" ] || fail "cargo does not say where it has put manifests-e2e" "set MANIFESTS_E2E_BINARY to a binary built elsewhere"
  echo "$binary"
}

if [ -n "${MANIFESTS_E2E_BINARY:-}" ]; then
  [ -f "$MANIFESTS_E2E_BINARY" ] && [ -x "$MANIFESTS_E2E_BINARY" ] ||
    fail "MANIFESTS_E2E_BINARY is not an executable file: $MANIFESTS_E2E_BINARY" "build it with cargo build --release --locked, or unset the variable"
  binary=$MANIFESTS_E2E_BINARY
else
  binary=$(released)
  [ -n "$binary" ] || binary=$(built)
  [ -n "$binary" ] ||
    fail "there is no manifests-e2e $version for $(uname -sm)" "use a released tag of the action, install Rust (https://rustup.rs), or set MANIFESTS_E2E_BINARY"
fi
exec "$binary" "$@"
