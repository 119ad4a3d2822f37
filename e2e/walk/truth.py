"""What is really there, asked of the cloud itself and not by the way that the job takes; and GitHub, as far as `reap` asks it."""

import json
import os
import re
import subprocess
import threading
import urllib.request
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlencode
from xml.etree import ElementTree

CLOUD = os.environ.get("AWS_ENDPOINT_URL", "http://127.0.0.1:5555")
LISTS = {
    "DescribeInstances": "instanceId", "DescribeVolumes": "volumeId",
    "DescribeNetworkInterfaces": "networkInterfaceId", "DescribeSecurityGroups": "groupId",
}


def ec2(action, region="us-east-1", **parameters):
    """An answer of the cloud, as a tree without namespaces."""
    body = urlencode({"Action": action, "Version": "2016-11-15", **parameters}).encode()
    scope = f"AWS4-HMAC-SHA256 Credential=truth/20260101/{region}/ec2/aws4_request, SignedHeaders=host, Signature=0"
    request = urllib.request.Request(CLOUD, body, {"Authorization": scope, "Content-Type": "application/x-www-form-urlencoded"})
    with urllib.request.urlopen(request, timeout=120) as answer:
        return ElementTree.fromstring(re.sub(rb' xmlns="[^"]+"', b"", answer.read(), count=1))


def fair_weather():
    """Puts away the faults that somebody has left in the cloud itself: they are nobody's here."""
    put = urllib.request.Request(f"{CLOUD}/sandbox/faults", b"[]", method="PUT")
    urllib.request.urlopen(put, timeout=30).close()


def of_run(action, tag):
    return ec2(action, **{"Filter.1.Name": "tag:manifests-e2e/run", "Filter.1.Value.1": tag})


def instances(tag):
    """The instances of a run that are alive, as trees."""
    found = of_run("DescribeInstances", tag).iterfind("reservationSet/item/instancesSet/item")
    return [one for one in found if one.findtext("instanceState/name") not in ("terminated", "shutting-down")]


def left(tag):
    """Everything that carries the tag of a run, and the containers of its instances, by id."""
    found = [one.findtext("instanceId") for one in instances(tag)]
    for action, top in (("DescribeVolumes", "volumeSet"), ("DescribeNetworkInterfaces", "networkInterfaceSet"), ("DescribeSecurityGroups", "securityGroupInfo")):
        found += [one.findtext(LISTS[action]) for one in of_run(action, tag).iterfind(f"{top}/item")]
    ever = [one.findtext("instanceId") for one in of_run("DescribeInstances", tag).iterfind("reservationSet/item/instancesSet/item")]
    for one in ever:
        if one not in found and docker("ps", "-aq", "--filter", f"label=sandbox.instance={one}"):
            found.append(f"container of {one}")
    return found


def docker(*words):
    return subprocess.run(["docker", *words], capture_output=True, text=True).stdout.strip()


class GitHub:
    """Says of every run that it is over: its runner was lost."""

    def __init__(self):
        class Handler(BaseHTTPRequestHandler):
            def do_GET(self):
                _, _, owner, name, _, _, number = self.path.split("/")
                repository = f"{owner}/{name}"
                told = {"id": int(number), "name": "e2e", "status": "completed", "conclusion": "cancelled", "run_attempt": 1,
                        "html_url": f"https://github.com/{repository}/actions/runs/{number}", "repository": {"id": 7, "full_name": repository}}
                text = json.dumps(told).encode()
                self.send_response(200)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(text)))
                self.end_headers()
                self.wfile.write(text)

            def log_message(self, *_):
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"
