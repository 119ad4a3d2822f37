# shellcheck shell=bash
# AWS: moto behind cloud/, whose instances are containers. Beside it what runs notebooks, for the tests of the driver.

install_cloud() {
  local want='moto[server,ec2,s3,ssm,sts,iam]==5.2.5 boto3 nbclient nbconvert ipykernel'
  [ -x "$cache/venv/bin/moto_server" ] && made_of moto "$want" && return
  step 'installing moto and nbclient'
  # shellcheck disable=SC2086 # two words
  python3 -m venv "$cache/venv" && "$cache/venv/bin/pip" install -q $want
  mark moto "$want"
}

cloud() {
  local want url=http://127.0.0.1:$cloud_port/sandbox
  want=$(sum "$here"/cloud/*.py)
  if runs cloud && answers $url/health; then
    made_of cloud "$want" && return
    if [ "$(curl -fsS --noproxy '*' $url/leftovers | jq '.containers | length')" != 0 ]; then
      step 'the cloud runs older code, and instances in it: `down cloud` and `up` renew it'
      return
    fi
  fi
  halt cloud
  port_is_free 127.0.0.1 $cloud_port cloud
  step "starting the cloud on http://127.0.0.1:$cloud_port"
  start cloud "$cache/venv/bin/python" "$here/cloud/ec2.py" --port $cloud_port
  await cloud $url/health
  mark cloud "$want"
}
