# shellcheck shell=bash
# The engine: the Docker that runs here, or Debian's, started with what this machine needs; and the network `sandbox`.

packages() { # what is missing of the packages named
  local need=() policy=/usr/sbin/policy-rc.d own=
  for p in "$@"; do dpkg-query -W -f '${Status}' "$p" 2>/dev/null | grep -q ' installed$' || need+=("$p"); done
  [ ${#need[@]} -gt 0 ] || return 0
  [ "$(id -u)" = 0 ] || fail "root is needed to install ${need[*]}"
  command -v apt-get >/dev/null || fail "no apt-get here to install ${need[*]}"
  step "installing ${need[*]}"
  # Debian would start what it installs, and nobody would stop it.
  [ -e $policy ] || { printf '#!/bin/sh\nexit 101\n' >$policy && chmod 755 $policy && own=yes; }
  { apt-get -o DPkg::Lock::Timeout=300 update -qq &&
    DEBIAN_FRONTEND=noninteractive apt-get -o DPkg::Lock::Timeout=300 install -y -qq --no-install-recommends "${need[@]}"; } \
    >"$cache/log/apt.log" 2>&1 || { [ -z "$own" ] || rm -f $policy; tail -5 "$cache/log/apt.log" >&2; fail "apt-get failed (log: $cache/log/apt.log)"; }
  [ -z "$own" ] || rm -f $policy
}

# A VM or container may be denied CAP_SYS_RESOURCE, which "privileged" containers ask for.
whole_capabilities() { (( (0x$(sed -n 's/^CapBnd:\s*//p' /proc/self/status) >> 24 & 1) == 1 )); }

engine() {
  packages iptables iproute2 jq curl python3-venv
  if ! docker info >/dev/null 2>&1; then
    packages docker.io
    [ "$(id -u)" = 0 ] || fail 'root is needed to start a Docker engine'
    step 'starting dockerd'
    rm -f /var/run/docker.pid # of an engine that was killed; one that lives would have answered
    install -m 755 "$here/runc-trim" /usr/local/bin/runc-trim
    local runtime=runc
    whole_capabilities || runtime=trim
    # Its own settings: a flag that /etc/docker/daemon.json names as well keeps dockerd from starting.
    echo '{}' >"$cache/daemon.json"
    start engine dockerd --config-file="$cache/daemon.json" --storage-driver=overlay2 --add-runtime trim=/usr/local/bin/runc-trim --default-runtime $runtime
    for _ in $(seq 120); do docker info >/dev/null 2>&1 && break; runs engine || break; sleep 0.5; done
    docker info >/dev/null 2>&1 || { tail -5 "$cache/log/engine.log" >&2; fail "dockerd does not start (log: $cache/log/engine.log)"; }
  elif ! whole_capabilities && [ "$(docker info -f '{{.DefaultRuntime}}')" != trim ]; then
    fail 'this machine denies CAP_SYS_RESOURCE and the Docker engine that runs here cannot do without: stop it, and run up again'
  fi
  docker network inspect sandbox >/dev/null 2>&1 && return
  docker network create --subnet 10.99.0.0/24 --gateway $gateway sandbox >/dev/null ||
    fail 'the network 10.99.0.0/24 cannot be made: something here uses that range'
}
