# Runs `kind create cluster` on the host. KIND, NAME and IMAGE are set before it; the configuration is on standard input.
#
# kind waits minutes for a kubelet whose containerd does not serve it. So the nodes' containerd is looked at meanwhile: what
# it says of a plugin that it cannot load, in two looks, ends kind and is the reason.
set -o pipefail
d=$(mktemp -d) && trap 'rm -rf "$d"' EXIT
cat >"$d/config"

# What containerd of a node says of a plugin for Kubernetes that it cannot load, in the forms of 1.7 and of 2.
unloaded() {
  local node said
  for node in $(docker ps --filter "label=io.x-k8s.kind.cluster=$NAME" --format '{{.Names}}'); do
    case $node in *-external-load-balancer) continue ;; esac
    said=$(docker exec "$node" journalctl -u containerd -o cat --no-pager |
      sed -n -e 's/.*msg="failed to load plugin io\.containerd\.grpc\.v1\.cri" error="\(.*\)".*/\1/p' \
        -e 's/.*msg="failed to load plugin" error="\(.*\)" id=io\.containerd\.cri\.v1.*/\1/p' | tail -n 1)
    [ -z "$said" ] || { echo "ERROR: containerd of $node does not serve Kubernetes: $said" && return; }
  done
  return 1
}

watch_containerd() {
  local said looks=0
  while sleep 5; do
    if said=$(unloaded); then looks=$((looks + 1)); else looks=0; fi
    [ "$looks" -ge 2 ] && [ -s "$d/pid" ] || continue
    echo "$said" >"$d/reason"
    kill "$(cat "$d/pid")"
    return
  done
}

watch_containerd </dev/null >/dev/null 2>&1 &
watcher=$!
# The kubeconfig of the user on this host stays as it is; and what kind says in the end is not true yet.
{
  "$KIND" create cluster --name "$NAME" --image "$IMAGE" --config "$d/config" --kubeconfig "$d/kubeconfig" --retain --wait 0s 2>&1 &
  echo $! >"$d/pid"
  wait $!
} | sed -u '/^Set kubectl context/,$d' >&2
code=$?
kill "$watcher" 2>/dev/null
if [ -s "$d/reason" ]; then
  cat "$d/reason" >&2
  exit 1
fi
exit $code
