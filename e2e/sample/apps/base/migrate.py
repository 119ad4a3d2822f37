"""Creates the ConfigMap `schema` with the pod's own token, and reads it back."""

import json
import pathlib
import ssl
import time
import urllib.error
import urllib.request

account = pathlib.Path("/var/run/secrets/kubernetes.io/serviceaccount")
namespace = (account / "namespace").read_text()
collection = f"https://kubernetes.default.svc/api/v1/namespaces/{namespace}/configmaps"
tls = ssl.create_default_context(cafile=account / "ca.crt")


def call(url, body=None):
    headers = {
        "Authorization": "Bearer " + (account / "token").read_text(),
        "Content-Type": "application/json",
    }
    data = None if body is None else json.dumps(body).encode()
    with urllib.request.urlopen(urllib.request.Request(url, data, headers), context=tls, timeout=10) as answer:
        return json.load(answer)


for version in range(1, 4):
    print("migrating to version", version)
    time.sleep(1)
try:
    call(collection, {"metadata": {"name": "schema"}, "data": {"version": "3"}})
except urllib.error.HTTPError as error:
    if error.code != 409:  # an earlier try of this Job was here
        raise
schema = call(f"{collection}/schema")["data"]
assert schema == {"version": "3"}, schema
print("the schema has version", schema["version"])
