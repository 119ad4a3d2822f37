# shellcheck shell=bash
# What `up`, `down` and `status` share: where things are, in which version, and whether they run. To be sourced.

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
cache=${SANDBOX_CACHE:-$HOME/.cache/manifests-e2e/sandbox}
K8S=v1.35.4 KIND=v0.33.0 KUSTOMIZE=v5.8.1 ACT=v0.2.89 ACTIONLINT=v1.7.12 LOCAL_PATH=v0.0.30
# The node image where a registry can be reached: one that the release notes of this kind name.
PULLED_NODE=kindest/node:v1.35.8@sha256:07b2536e30b803ed61d1677a79df6115f798ce64c80f9e22f6ed45afd09323c0
gateway=10.99.0.1 registry_port=5000 cloud_port=5555

step() { printf '== %4ss %s\n' "$SECONDS" "$*" >&2; }
fail() { printf 'sandbox: %s\n' "$*" >&2; exit 1; }

# A stamp says what a product was made of: made of something else, it is made again.
stamp() { [ ! -f "$cache/stamps/$1" ] || cat "$cache/stamps/$1"; }
made_of() { [ -f "$cache/stamps/$1" ] && [ "$(stamp "$1")" = "$2" ]; }
mark() { printf '%s' "$2" >"$cache/stamps/$1"; }
sum() { cat "$@" | sha256sum | cut -c1-16; }

# Whether what `up` started as PART still runs. A pid file outlives its process, and the pid may be another's by now.
runs() { # part
  local pid want
  case $1 in engine) want=dockerd ;; registry | push) want=docker-registry ;; cloud) want=ec2.py ;; esac
  pid=$(cat "$cache/$1.pid" 2>/dev/null) && grep -qa "$want" "/proc/$pid/cmdline" 2>/dev/null
}

start() { # part, command...: detached, and holding nothing of the caller's: its lock neither, nor one that `up` runs under
  local part=$1
  shift
  (
    for fd in /proc/"$BASHPID"/fd/*; do
      fd=${fd##*/}
      [ "$fd" -le 2 ] || eval "exec $fd>&-"
    done
    exec setsid nohup "$@" >"$cache/log/$part.log" 2>&1 </dev/null
  ) &
  echo $! >"$cache/$part.pid"
  # Until it is that program it is a copy of this shell, which must not pass for one that ended. On a busy machine that takes
  # seconds.
  for _ in $(seq 600); do
    if runs "$part" || ! kill -0 $! 2>/dev/null; then break; fi
    sleep 0.05
  done
}

halt() { # part
  local pid
  if runs "$1"; then
    pid=$(cat "$cache/$1.pid")
    kill "$pid"
    for _ in $(seq 300); do kill -0 "$pid" 2>/dev/null || break; sleep 0.1; done
    ! kill -0 "$pid" 2>/dev/null || { echo "sandbox: $1 (pid $pid) does not end" >&2; return 1; }
  fi
  rm -f "$cache/$1.pid"
}

answers() { curl -fsS -o /dev/null --max-time 5 --noproxy '*' "$1" 2>/dev/null; }

# A part that runs is given time: Python alone reads for a minute where files are cold and compilers have the processors.
await() { # part, url
  local until=$((SECONDS + ${SANDBOX_PATIENCE:-240})) told=$((SECONDS + 15)) state='has ended'
  while [ $SECONDS -lt $until ]; do
    answers "$2" && return
    runs "$1" || break
    if [ $SECONDS -ge $told ]; then told=$until && step "waiting for the $1, which runs and does not answer yet"; fi
    sleep 0.25
  done
  if runs "$1"; then state='runs'; fi
  tail -5 "$cache/log/$1.log" >&2
  fail "the $1 does not answer on $2 and $state, with a load of $(cut -d' ' -f1 /proc/loadavg) (log: $cache/log/$1.log)"
}

port_is_free() { # address, port, part
  local holder
  holder=$(ss -Hltnp "sport = :$2" | awk -v at="$1:$2" '$4 == at || $4 ~ /^(0\.0\.0\.0|\*|\[::\]):/ { print $NF }')
  [ -n "$holder" ] || return 0
  fail "the $3 needs port $2 of $1, which is in use: $holder"
}

has_image() { docker image inspect "$1" >/dev/null 2>&1; }
