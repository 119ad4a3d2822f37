# Begins the test: a place to write, the wanted packages, then the notebook or the script itself.
#
# Given notebook, python, sh or bash; the files in $MANIFESTS_E2E_INPUT, a directory to work in in $MANIFESTS_E2E_WORK.
# In the Job's container that is all. On a runner there is more: the directory to begin in, the file for its last word,
# where the script is, which Python to use, where a virtual environment for the requirements may be made, and what all
# that is called (MANIFESTS_E2E_DIRECTORY, _TERMINATION, _SCRIPT, _PYTHON, _VENV, _PLACE).
# What keeps the test from beginning goes to the termination message, after "cannot start: "; nothing else does so.
cannot_start() {
  echo "cannot start: $1" | tee "${MANIFESTS_E2E_TERMINATION:-/dev/termination-log}" >&2
  exit 3
}

place=${MANIFESTS_E2E_PLACE:-the image}
cd "${MANIFESTS_E2E_DIRECTORY:-$MANIFESTS_E2E_WORK}" || cannot_start "there is no directory to work in"
if ! { [ -n "${HOME:-}" ] && [ -d "$HOME" ] && [ -w "$HOME" ]; }; then
  HOME=$MANIFESTS_E2E_WORK/.home
  export HOME
  mkdir -p "$HOME"
fi

python=
if [ -n "${MANIFESTS_E2E_PYTHON:-}" ]; then
  python=$(command -v "$MANIFESTS_E2E_PYTHON") || cannot_start "$place has no $MANIFESTS_E2E_PYTHON"
else
  for name in python3 python; do
    python=$(command -v "$name") && break
  done
fi

requirements=$MANIFESTS_E2E_INPUT/requirements.txt
if [ -s "$requirements" ]; then
  [ -n "$python" ] || cannot_start "requirements are given, but $place has no python3"
  if [ -n "${MANIFESTS_E2E_VENV:-}" ]; then
    "$python" -m venv --system-site-packages "$MANIFESTS_E2E_VENV" ||
      cannot_start "no virtual environment could be made: does $python have the modules venv and ensurepip?"
    # What it has is found from there, also where it is of a virtual environment itself.
    packages='import sysconfig; print(sysconfig.get_path("purelib")); print(sysconfig.get_path("platlib"))'
    of_venv=$("$MANIFESTS_E2E_VENV/bin/python" -c "$packages" | head -n 1)
    "$python" -c "$packages" >"$of_venv/of-the-runner.pth"
    VIRTUAL_ENV=$MANIFESTS_E2E_VENV
    PATH=$VIRTUAL_ENV/bin:$PATH
    export VIRTUAL_ENV PATH
    python=$VIRTUAL_ENV/bin/python
  fi
  echo "installing $(grep -c . "$requirements") requirements"
  # A container is thrown away: the system's own packages may be broken.
  PIP_BREAK_SYSTEM_PACKAGES=1 "$python" -m pip install --no-input --disable-pip-version-check --quiet -r "$requirements" ||
    cannot_start "pip could not install the requirements"
fi

case $1 in
  notebook) what=python3 name=$python file=$MANIFESTS_E2E_INPUT/driver.py ;;
  python) what=python3 name=$python file=${MANIFESTS_E2E_SCRIPT:-$MANIFESTS_E2E_INPUT/script} ;;
  *) what=$1 name=$(command -v "$1") file=${MANIFESTS_E2E_SCRIPT:-$MANIFESTS_E2E_INPUT/script} ;;
esac
[ -n "$name" ] || cannot_start "$place has no $what"
exec "$name" "$file"
