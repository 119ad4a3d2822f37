#!/bin/bash
# Docker as far as clusters need it. What there is of it is a file each; the process whose number is in `pid` is killed
# right after the change whose number is in `die-after`.
set -u
cd "$(dirname "$0")/.." || exit 1

change() {
  echo "$*" >>changes
  [ -f die-after ] && [ "$(wc -l <changes)" = "$(cat die-after)" ] || return 0
  until [ -s pid ]; do sleep 0.02; done
  kill -9 "$(cat pid)"
}

case "$1 $2" in
'version -f') echo 28.2.2 ;;
'info -f') echo / ;;
'image inspect') ;;
'create '*)
  echo "$2 running" >"containers/$(find containers -mindepth 1 | wc -l)"
  change "create a node of $2"
  ;;
'ps -a') cat containers/* 2>/dev/null || true ;;
'ps -aq')
  [ "${6-}" != status=created ] || exit 0
  for node in containers/*; do grep -qs "^${4##*=} " "$node" && basename "$node"; done
  exit 0
  ;;
'rm -fv')
  for node in "${@:3}"; do rm "containers/$node" && change "remove the node $node"; done
  ;;
'volume create')
  labels=()
  for word in "${@:3:$#-3}"; do [ "$word" = --label ] || labels+=("\"${word%%=*}\":\"${word#*=}\""); done
  volume=volumes/${!#}
  [ ! -e "$volume" ] || exit 0
  (IFS=, && echo "{${labels[*]}}") >"$volume"
  change "create $volume"
  ;;
'volume ls') (cd volumes && grep -ls "\"${5#label=}\":" -- *) || true ;;
'volume inspect') cat "volumes/${!#}" ;;
'volume rm')
  for volume in "${@:4}"; do
    [ ! -e "volumes/$volume" ] || { rm "volumes/$volume" && change "remove $volume"; }
  done
  ;;
*) echo "no docker $*" >&2 && exit 1 ;;
esac
