# shellcheck shell=bash
# The tools, in $cache/bin: built by Go from what go.mod pins, each once.

go_build() { # product, made of, go arguments...
  local name=$1 want=$2
  shift 2
  made_of "$name" "$want" && return
  command -v go >/dev/null || fail "Go is needed to build $name"
  step "building $name with Go"
  (cd "$here/tools" && CGO_ENABLED=0 GOFLAGS=-trimpath GOBIN=$cache/bin nice go "$@") || fail "$name was not built"
  mark "$name" "$want"
}

tools() {
  local own_cache='' v of m c
  if [ "$mode" = pull ]; then
    if ! made_of kubectl "$node_image"; then
      c=$(docker create "$node_image")
      rm -f "$cache/bin/kubectl"
      docker cp -L "$c:/usr/bin/kubectl" "$cache/bin/kubectl" >/dev/null
      docker rm -v "$c" >/dev/null
      mark kubectl "$node_image"
    fi
    # manifests-e2e downloads and verifies what it needs by itself.
    command -v go >/dev/null || { step 'no Go here: kind, kustomize, act and actionlint are left out'; return 0; }
  fi
  # Go's cache of these builds takes 3 GB and is of no use after them.
  [ -n "${GOCACHE:-}" ] || { own_cache=$cache/go-build && export GOCACHE=$own_cache; }
  for m in sigs.k8s.io/kind@$KIND sigs.k8s.io/kustomize/kustomize/v5@$KUSTOMIZE github.com/nektos/act@$ACT \
    github.com/rhysd/actionlint/cmd/actionlint@$ACTIONLINT; do
    of=${m%@*} && of=${of%/v5} && go_build "${of##*/}" "$m" install -ldflags '-s -w' "$m"
  done
  if [ "$mode" = build ]; then
    # One module, so that they share what they have in common: most of the work.
    of=$(sum "$here"/tools/go.mod "$here"/tools/*/*.go)
    v="-X k8s.io/component-base/version.gitVersion=$K8S -X k8s.io/client-go/pkg/version.gitVersion=$K8S"
    v="$v -X k8s.io/component-base/version.gitMajor=1 -X k8s.io/component-base/version.gitMinor=$(cut -d. -f2 <<<$K8S)"
    go_build kube "$K8S $of" build -ldflags "-s -w $v" -o "$cache/bin/" ./kube
    # A kubectl of its own for this machine: what it is measured against starts in a third of the time.
    made_of kubectl "$K8S $of" || rm -f "$cache/bin/kubectl"
    go_build kubectl "$K8S $of" build -ldflags "-s -w $v" -o "$cache/bin/kubectl" k8s.io/kubernetes/cmd/kubectl
    go_build coredns "$of" build -ldflags '-s -w' -o "$cache/bin/" ./coredns github.com/rancher/local-path-provisioner
    go_build etcd "$of" build -ldflags '-s -w' -o "$cache/bin/etcd" go.etcd.io/etcd/server/v3
    for c in kubeadm kube-apiserver; do ln -sf kube "$cache/bin/$c"; done
  fi
  [ -z "$own_cache" ] || rm -rf "$own_cache"
}
