# Begins the test in its container: a place to write, the wanted packages, then the notebook or the script itself.
#
# Given notebook, python, sh or bash; the files in $MANIFESTS_E2E_INPUT, a directory to work in in $MANIFESTS_E2E_WORK.
# What keeps the test from beginning goes to the termination message, after "cannot start: "; nothing else does so.
cannot_start() {
  echo "cannot start: $1" | tee /dev/termination-log >&2
  exit 3
}

cd "$MANIFESTS_E2E_WORK" || cannot_start "there is no directory to work in"
if ! { [ -n "${HOME:-}" ] && [ -d "$HOME" ] && [ -w "$HOME" ]; }; then
  HOME=$MANIFESTS_E2E_WORK/.home
  export HOME
  mkdir -p "$HOME"
fi

python=
for name in python3 python; do
  python=$(command -v "$name") && break
done

requirements=$MANIFESTS_E2E_INPUT/requirements.txt
if [ -s "$requirements" ]; then
  [ -n "$python" ] || cannot_start "requirements are given, but the image has no python3"
  echo "installing $(grep -c . "$requirements") requirements"
  # The container is thrown away: the system's own packages may be broken.
  PIP_BREAK_SYSTEM_PACKAGES=1 "$python" -m pip install --no-input --disable-pip-version-check --quiet -r "$requirements" ||
    cannot_start "pip could not install the requirements"
fi

case $1 in
  notebook) name=$python file=$MANIFESTS_E2E_INPUT/driver.py ;;
  python) name=$python file=$MANIFESTS_E2E_INPUT/script ;;
  *) name=$(command -v "$1") file=$MANIFESTS_E2E_INPUT/script ;;
esac
[ -n "$name" ] || cannot_start "the image has no $1"
exec "$name" "$file"
