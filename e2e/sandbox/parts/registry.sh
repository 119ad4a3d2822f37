# shellcheck shell=bash
# The registry, in place of those that cannot be reached: KinD nodes and instances use it as a mirror for all of them,
# so `quay.io/a/b` is looked up as `a/b`. One process serves the sandbox's network; another, on loopback alone, takes
# what is pushed (`docker push 127.0.0.1:5000/NAME`), for Docker asks no TLS there. Neither is open to the world.

serve() { # part, address
  runs "$1" && answers "http://$2:$registry_port/v2/" && return
  halt "$1" && port_is_free "$2" $registry_port registry
  step "starting the registry on $2:$registry_port"
  printf 'version: 0.1\nstorage: {filesystem: {rootdirectory: %s/registry}, delete: {enabled: true}}\nhttp: {addr: "%s:%s"}\nlog: {level: warn}\n' \
    "$cache" "$2" $registry_port >"$cache/$1.yml"
  start "$1" docker-registry serve "$cache/$1.yml"
  await "$1" "http://$2:$registry_port/v2/"
}

push() { # image, name there
  local want there=127.0.0.1:$registry_port/$2
  want=$(docker image inspect -f '{{.Id}}' "$1") || fail "there is no image $1 to push"
  made_of "pushed-${2//[\/:]/-}" "$want" && return
  step "pushing $2 to the registry"
  docker tag "$1" "$there"
  docker push -q "$there" >/dev/null || fail "$2 was not pushed"
  docker rmi "$there" >/dev/null
  mark "pushed-${2//[\/:]/-}" "$want"
}

registry() {
  packages docker-registry
  serve registry $gateway
  serve push 127.0.0.1
  # Together, as each is compressed by one processor.
  local pids=() failed=0
  push "$node_image" "$node_image" & pids+=($!)
  { push sandbox/notebook sandbox/notebook:latest; push sandbox/notebook jupyter/scipy-notebook:2025-12-31; } & pids+=($!)
  { push sandbox/debian sandbox/debian:bookworm; push sandbox/python library/python:3.11-slim-bookworm; } & pids+=($!)
  for pid in "${pids[@]}"; do wait "$pid" || failed=1; done
  [ $failed = 0 ] || fail 'images are missing in the registry'
}
