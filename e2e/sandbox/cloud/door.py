"""The door before moto: it counts requests, serves the faults that a test has set, and answers /sandbox/."""

import io
import json
import socket
import threading
import time
from urllib.parse import parse_qs

import sessions
from machines import LABEL, all_instances, docker, doom
from moto.ec2.models import ec2_backends
from permissions import bad_digest, policies, refuse
from quotas import limits
from werkzeug.serving import WSGIRequestHandler

skew = threading.local()


class Clock(WSGIRequestHandler):
    """Dates an answer by a clock that may be off."""

    def date_time_string(self, timestamp=None):
        return super().date_time_string(time.time() + getattr(skew, "seconds", 0))


class Door:
    """The moto application behind a door that counts requests, serves faults and answers /sandbox/."""

    def __init__(self, app):
        self.app, self.faults, self.calls, self.lock = app, [], [], threading.Lock()

    def __call__(self, environ, start_response):
        path = environ["PATH_INFO"]
        if path.startswith("/sandbox/"):
            return self.control(path, environ, start_response)
        body = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
        environ["wsgi.input"] = io.BytesIO(body)
        target = environ.get("HTTP_X_AMZ_TARGET", "")
        form = {k: v[0] for k, v in parse_qs(body.decode("utf-8", "replace")).items()} if not target else {}
        action = form.get("Action") or target.rsplit(".", 1)[-1] or f"{environ['REQUEST_METHOD']} {path}"
        scope = environ.get("HTTP_AUTHORIZATION", "").partition("Credential=")[2].split("/")  # key/date/region/service/…
        region = scope[2] if len(scope) > 2 else ""
        over = sessions.is_over(scope[0])
        with self.lock:
            self.calls.append({"action": action, "at": time.time(), "by": scope[0], **{k: form[k] for k in ("InstanceType", "ClientToken", "DryRun", "RoleArn") if k in form}})
            fault = next((f for f in self.faults if f["action"] == action and f.get("times", 1) > 0 and f.get("region", region) == region
                          and all(form.get(k) == v for k, v in f.get("match", {}).items())), None)
            if fault:
                fault["times"] = fault.get("times", 1) - 1
        skew.seconds = fault.get("date", 0) if fault else 0
        doom.dies = fault.get("dies") if fault else None
        if over:
            fault = {"action": action, "code": "RequestExpired", "message": "Request has expired."}
        if fault:
            time.sleep(fault.get("delay", 0))
            if fault.get("drop"):
                list(self.app(environ, lambda *_: lambda _: None))
                environ["werkzeug.socket"].shutdown(socket.SHUT_RDWR)
                raise ConnectionAbortedError(f"the answer to {action} was dropped")
            if "code" in fault and target:
                start_response(f"{fault.get('status', 400)} Fault", [("Content-Type", "application/x-amz-json-1.1")])
                return [json.dumps({"__type": fault["code"], "message": fault.get("message", "set by a test")}).encode()]
            if "code" in fault and "Action" not in form:
                start_response(f"{fault.get('status', 400)} Fault", [("Content-Type", "application/xml")])
                return [f"<Error><Code>{fault['code']}</Code><Message>{fault.get('message', 'set by a test')}</Message></Error>".encode()]
            if "code" in fault:
                start_response(f"{fault.get('status', 400)} Fault", [("Content-Type", "text/xml")])
                return [(f"<Response><Errors><Error><Code>{fault['code']}</Code><Message>{fault.get('message', 'set by a test')}"
                         "</Message></Error></Errors><RequestID>fault</RequestID></Response>").encode()]
        refusal = refuse(scope, action, form, environ["REQUEST_METHOD"], path, environ.get("QUERY_STRING", "")) or bad_digest(environ, body)
        if refusal:
            status, kind, text = refusal
            start_response(status, [("Content-Type", kind)])
            return [text.encode()]
        return self.app(environ, start_response)

    def control(self, path, environ, start_response):
        if path == "/sandbox/faults" and environ["REQUEST_METHOD"] == "PUT":
            self.faults = json.loads(environ["wsgi.input"].read(int(environ["CONTENT_LENGTH"])))
            answer = self.faults
        elif path == "/sandbox/faults" and environ["REQUEST_METHOD"] == "POST":
            with self.lock:
                self.faults.append(json.loads(environ["wsgi.input"].read(int(environ["CONTENT_LENGTH"]))))
                answer = self.faults
        elif path == "/sandbox/faults":
            answer = self.faults
        elif path == "/sandbox/policies":
            policies.update(json.loads(environ["wsgi.input"].read(int(environ["CONTENT_LENGTH"]))))
            answer = sorted(policies)
        elif path == "/sandbox/quotas":
            limits.update(json.loads(environ["wsgi.input"].read(int(environ["CONTENT_LENGTH"]))))
            answer = limits
        elif path == "/sandbox/calls":
            answer = self.calls
        elif path == "/sandbox/leftovers":
            groups = [g.name for account in ec2_backends.values() for b in account.values()
                      for vpc in b.groups.values() for g in vpc.values() if g.name != "default"]
            keys = [k for account in ec2_backends.values() for b in account.values() for k in b.key_pairs]
            answer = {"instances": [i.id for _, i in all_instances() if i.state not in ("terminated",)],
                      "security_groups": groups, "key_pairs": keys,
                      "volumes": [v for account in ec2_backends.values() for b in account.values() for v in b.volumes],
                      "interfaces": [n for account in ec2_backends.values() for b in account.values() for n in b.enis],
                      "containers": docker("ps", "-aq", "--filter", f"label={LABEL}", check=False).split()}
        else:
            answer = {"ok": True}
        start_response("200 OK", [("Content-Type", "application/json")])
        return [json.dumps(answer).encode()]
