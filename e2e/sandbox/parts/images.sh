# shellcheck shell=bash
# The images: sandbox/debian and on it the instance, the notebook and Python; and KinD's node image, pulled or built.

# Decided once: pulled where a registry can be reached, else built. SANDBOX_IMAGES=build|pull decides otherwise.
choose_images() {
  mode=${SANDBOX_IMAGES:-$(stamp mode)}
  case $mode in
    build | pull) ;;
    '') mode=build && ! timeout 600 docker pull -q $PULLED_NODE >/dev/null 2>&1 || mode=pull ;;
    *) fail "SANDBOX_IMAGES is $mode: build or pull" ;;
  esac
  node_image=kindest/node:$K8S
  if [ "$mode" = pull ]; then
    node_image=$PULLED_NODE
    has_image $node_image || { step "pulling $node_image" && docker pull -q $node_image >/dev/null; }
  else
    packages debootstrap gcc libc6-dev
  fi
  mark mode "$mode"
}

built() { has_image "$1" && made_of "${1//[\/:]/-}" "$2"; }

build() { # tag, made of, directory that is the context
  local out
  if docker buildx version >/dev/null 2>&1; then out=$(docker build -q -t "$1" "$3" 2>&1)
  else out=$(DOCKER_BUILDKIT=0 docker build -q -t "$1" "$3" 2>&1); fi || fail "$1 was not built: $out"
  mark "${1//[\/:]/-}" "$2"
}

# An image of images/NAME, whose Dockerfile starts from another of ours; further files come into its context.
image() { # name, parent, files...
  local name=$1 parent=$2 want d
  shift 2
  want="$(stamp "sandbox-$parent") $(sum "$here/images/$name"/* "$@")"
  built "sandbox/$name" "$want" && return
  step "building the image sandbox/$name"
  d=$(mktemp -d)
  cp "$here/images/$name"/* "$@" "$d/"
  build "sandbox/$name" "$want" "$d"
  rm -rf "$d"
}

bare() {
  built sandbox/bare "bookworm $mode" && return
  if [ "$mode" = pull ]; then
    docker pull -q debian:bookworm-slim >/dev/null && docker tag debian:bookworm-slim sandbox/bare
  else
    step 'bootstrapping Debian'
    local d
    d=$(mktemp -d)
    debootstrap --variant=minbase --include=ca-certificates bookworm "$d" >"$cache/log/debootstrap.log" 2>&1 ||
      { tail -5 "$cache/log/debootstrap.log" >&2; fail "debootstrap failed (log: $cache/log/debootstrap.log)"; }
    tar -C "$d" --exclude=./var/cache/apt/archives/*.deb --exclude=./var/lib/apt/lists/* -c . | docker import - sandbox/bare >/dev/null
    rm -rf "$d"
  fi
  mark sandbox-bare "bookworm $mode"
}

base_images() { # whether instances are wanted
  [ -n "$1" ] || [ "$mode" = build ] || return 0
  bare
  image debian bare
  docker tag sandbox/debian sandbox/debian:bookworm
  image base debian
  if [ "$mode" = build ]; then
    image python debian
    image notebook debian /etc/ssl/certs/ca-certificates.crt
  fi
  [ -n "$1" ] || return 0
  printf '{"runtimes":{"trim":{"path":"/usr/local/bin/runc-trim"}},"default-runtime":"trim","storage-driver":"overlay2"%s}\n' \
    "$([ "$mode" = pull ] || echo ",\"registry-mirrors\":[\"http://$gateway:$registry_port\"]")" >"$cache/daemon.json"
  image instance base "$here/runc-trim" "$cache/daemon.json"
}

single() { # tag, base, files...: an image of some files, the last one its entry point
  local tag=$1 base=$2 d
  shift 2
  d=$(mktemp -d) && mkdir "$d/bin"
  cp -d "$@" "$d/bin/"
  printf 'FROM %s\nCOPY bin/ /usr/local/bin/\nENTRYPOINT ["/usr/local/bin/%s"]\n' "$base" "$(basename "${@: -1}")" >"$d/Dockerfile"
  build "$tag" '' "$d" && rm -rf "$d"
}

images() {
  [ "$mode" = build ] || return 0
  local want d b=$cache/bin pause etcd dns c
  want="$(stamp kube) $(stamp coredns) $(stamp etcd) $(stamp sandbox-base) $(sum "$here"/images/node/* "$here/runc-trim")"
  built "$node_image" "$want" && return
  step 'building the images of Kubernetes'
  read -r etcd dns pause < <("$b/kubeadm" config images list --kubernetes-version $K8S |
    awk '/\/etcd:/ { e = $1 } /\/coredns:/ { c = $1 } /\/pause:/ { p = $1 } END { print e, c, p }')
  d=$(mktemp -d)
  gcc -static -Os -s -o "$d/pause" "$here/images/node/pause.c"
  single "$pause" scratch "$d/pause"
  single "$etcd" scratch "$b/etcd"
  single "$dns" scratch "$b/coredns"
  single sandbox/local-path-provisioner:$LOCAL_PATH scratch "$b/local-path-provisioner"
  # One layer for the four, so that a node unpacks it once.
  for c in apiserver controller-manager scheduler proxy; do ln -s kube "$d/kube-$c"; done
  single sandbox/kube sandbox/debian "$d"/kube-* "$b/kube"
  for c in apiserver controller-manager scheduler proxy; do
    printf 'FROM sandbox/kube\nENTRYPOINT ["/usr/local/bin/kube-%s"]\n' $c >"$d/Dockerfile"
    docker build -q -t registry.k8s.io/kube-$c:$K8S - <"$d/Dockerfile" >/dev/null 2>&1 || fail "kube-$c was not built"
  done
  local all=(registry.k8s.io/kube-{apiserver,controller-manager,scheduler,proxy}:$K8S "$etcd" "$dns" "$pause" sandbox/local-path-provisioner:$LOCAL_PATH)

  step "building $node_image"
  mkdir -p "$d"/stage/{kind/manifests,usr/bin,usr/local/bin,etc/containerd/certs.d/_default,etc/cni/net.d,etc/systemd/system,etc/default} "$d/images"
  cp "$b/kube" "$d/stage/usr/bin/"
  for c in kubelet kubeadm kubectl; do ln -s kube "$d/stage/usr/bin/$c"; done
  echo $K8S >"$d/stage/kind/version"
  install -m 755 "$here"/images/node/{entrypoint,crictl,pod-routes} "$here/runc-trim" "$d/stage/usr/local/bin/"
  sed "s#sandbox_image = .*#sandbox_image = \"$pause\"#" "$here/images/node/containerd.toml" >"$d/stage/etc/containerd/config.toml"
  printf '[host."http://%s:%s"]\n  capabilities = ["pull", "resolve"]\n' $gateway $registry_port >"$d/stage/etc/containerd/certs.d/_default/hosts.toml"
  cp "$here/images/node/kubelet.service" "$d/stage/etc/systemd/system/"
  cp "$here/images/node/10-bridge.conflist.template" "$d/stage/etc/cni/"
  cp "$here"/images/node/default-*.yaml "$d/stage/kind/manifests/"
  echo 'KUBELET_EXTRA_ARGS=--runtime-cgroups=/system.slice/containerd.service --fail-cgroupv1=false' >"$d/stage/etc/default/kubelet"
  cp "$here/images/node/Dockerfile" "$d/" && printf 'images\n' >"$d/.dockerignore"
  build sandbox/node-stage '' "$d"
  docker save -o "$d/images/all.tar" "${all[@]}" sandbox/debian:bookworm
  # Imported without unpacking, so that the images are unpacked once, on the node's own disk.
  c=$(docker run -d -v "$d/images:/images:ro" --entrypoint sh sandbox/node-stage -c \
    'containerd >/tmp/c.log 2>&1 & pid=$!; for _ in 1 2 3 4 5 6 7 8 9; do ctr version >/dev/null 2>&1 && break; sleep 1; done; ctr -n k8s.io images import --no-unpack /images/all.tar || exit 1; kill $pid; wait $pid; rm -f /tmp/c.log')
  [ "$(docker wait "$c")" = 0 ] || { docker logs "$c" >&2; fail "$node_image was not built"; }
  docker commit -c 'CMD []' -c 'ENTRYPOINT ["/usr/local/bin/entrypoint", "/sbin/init"]' "$c" "$node_image" >/dev/null
  docker rm -v "$c" >/dev/null
  docker rmi "${all[@]}" sandbox/kube sandbox/node-stage >/dev/null && docker image prune -f >/dev/null
  rm -rf "$d"
  mark "${node_image//[\/:]/-}" "$want"
}
