"""The way to the EC2 API, with faults on it: refusals, delays, lost and broken answers, resets, a clock that is off.

Each job has a way of its own, so that walks side by side do not see each other's faults, and what was done to a job is
known exactly: `Way.hits` has every fault that was really met.
"""

import http.client
import random
import socket
import struct
import threading
import time
from dataclasses import dataclass, field
from email.utils import formatdate
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlparse

LAUNCH = ["DescribeImages", "DescribeSubnets", "CreateSecurityGroup", "AuthorizeSecurityGroupIngress", "RunInstances", "DescribeInstances", "ModifyInstanceMetadataOptions"]
END = ["DescribeInstances", "DescribeVolumes", "DescribeNetworkInterfaces", "DescribeSecurityGroups", "TerminateInstances", "DeleteSecurityGroup"]

# A retry of the same request may succeed: whoever meets two of these has to get over them.
PASSING = {
    "RequestLimitExceeded": 503, "Throttling": 400, "ThrottlingException": 400, "EC2ThrottledException": 400,
    "InternalError": 500, "InternalFailure": 500, "ServiceUnavailable": 503, "Unavailable": 503,
}
# Another zone, type or market may have room.
CAPACITY = {"InsufficientInstanceCapacity": 500, "UnfulfillableCapacity": 500, "Unsupported": 400, "InsufficientFreeAddressesInSubnet": 400}
# No retry helps.
FATAL = {"UnauthorizedOperation": 403, "AuthFailure": 401, "ExpiredToken": 400, "OptInRequired": 401, "Blocked": 403}
QUOTA = {"VcpuLimitExceeded": 400, "InstanceLimitExceeded": 400}
# What has just been made is not known everywhere yet.
LATE = {
    "DescribeInstances": "InvalidInstanceID.NotFound", "ModifyInstanceMetadataOptions": "InvalidInstanceID.NotFound",
    "AuthorizeSecurityGroupIngress": "InvalidGroup.NotFound", "RunInstances": "InvalidGroup.NotFound",
}


@dataclass
class Fault:
    """Something that goes wrong with requests of one action, so many times."""

    action: str  # `*` for any
    what: str  # refuse, page, portal, delay, late, lose, reset, cut, skew
    code: str = ""
    status: int = 0
    seconds: float = 0.0
    times: int = 1

    @property
    def passes(self):
        """Whether whoever tries again gets over it. A page where an answer should be may be the end: nobody knows what was done."""
        if self.what != "refuse":
            return self.what != "portal"
        return self.code in PASSING or self.code in CAPACITY or self.code in LATE.values()

    @property
    def decides(self):
        """Whether it is refused for good."""
        return self.what == "refuse" and not self.passes

    def __str__(self):
        detail = self.code or (f"{self.seconds:.1f}s" if self.seconds else "") or (str(self.status) if self.status else "")
        return f"{self.action}: {self.what} {detail}".rstrip() + (f" ×{self.times}" if self.times > 1 else "")


def forecast(rng: random.Random, actions, most=3):
    """Some faults on these actions, at most one kind on each, so that two of them do not add up beyond all retries."""
    if rng.random() < 0.1:
        return [Fault("*", "reset", times=rng.randint(2, 5))]  # the API is away for a while
    faults = []
    for action in rng.sample(actions, k=min(rng.choice([0, 1, 1, 2, most]), len(actions))):
        what = rng.choice(["refuse", "refuse", "refuse", "fatal", "fatal", "page", "portal", "delay", "late", "freeze", "lose", "lose", "reset", "cut", "skew"])
        times = rng.choice([1, 1, 2])
        if what == "fatal":
            code, status = rng.choice(list({**FATAL, **(QUOTA if action == "RunInstances" else {})}.items()))
            faults.append(Fault(action, "refuse", code, status, times=rng.choice([1, 99])))
        elif what == "refuse" and action == "RunInstances" and rng.random() < 0.6:
            code, status = rng.choice(list(CAPACITY.items()))
            faults.append(Fault(action, what, code, status, times=times))
        elif what == "refuse" and actions is LAUNCH and action in LATE and rng.random() < 0.3:
            faults.append(Fault(action, what, LATE[action], 400, times=times))
        elif what == "refuse":
            code, status = rng.choice(list(PASSING.items()))
            faults.append(Fault(action, what, code, status, times=times))
        elif what == "page":
            faults.append(Fault(action, what, status=rng.choice([500, 502, 503, 504]), times=times))
        elif what == "freeze":
            faults.append(Fault(action, rng.choice(["delay", "late"]), seconds=rng.uniform(5, 20)))
        elif what in ("delay", "late"):
            faults.append(Fault(action, what, seconds=rng.uniform(0.2, 2.0), times=times))
        elif what == "skew":
            faults.append(Fault(action, what, seconds=rng.choice([-7200, 7200]), times=99))
        else:
            faults.append(Fault(action, what, times=times))
    return faults


@dataclass
class Way:
    """A port of this machine that leads to the API."""

    upstream: str
    faults: list = field(default_factory=list)
    hits: list = field(default_factory=list)  # (moment, fault)
    calls: list = field(default_factory=list)  # (moment when it was carried out, action)
    asked: int = 0
    watch: object = None  # called with the number of the call, its action and whether it has been carried out

    def __post_init__(self):
        self.lock = threading.Lock()
        way = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self):
                way.carry(self)

            def log_message(self, *_):
                pass

        class Server(ThreadingHTTPServer):
            daemon_threads = True

            def handle_error(self, *_):  # a client that was killed
                pass

        self.server = Server(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.server.serve_forever, args=(0.05,), daemon=True).start()
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"

    def close(self):
        self.server.shutdown()
        self.server.server_close()

    def met(self, since=0.0):
        """The faults that were met since then."""
        with self.lock:
            return [fault for at, fault in self.hits if at >= since]

    def carry(self, request):
        body = request.rfile.read(int(request.headers.get("Content-Length") or 0))
        action = parse_qs(body.decode("utf-8", "replace")).get("Action", [""])[0]
        with self.lock:
            self.asked += 1
            number = self.asked
            fault = next((f for f in self.faults if f.action in (action, "*") and f.times > 0), None)
            if fault:
                fault.times -= 1
                self.hits.append((time.time(), fault))
        if self.watch:
            self.watch(number, action, False)
        what = fault.what if fault else ""
        if what == "reset":
            return reset(request)
        if what == "refuse":
            text = (f"<Response><Errors><Error><Code>{fault.code}</Code><Message>set by a walk</Message></Error></Errors>"
                    "<RequestID>walk</RequestID></Response>")
            return answer(request, fault.status, [("Content-Type", "text/xml")], text.encode())
        if what == "portal":
            return answer(request, 200, [("Content-Type", "text/html")], b"<html><body>please log in to this network</body></html>")
        if what == "page":
            return answer(request, fault.status, [("Content-Type", "text/html")], b"<html><body>a proxy on the way has trouble</body></html>")
        if what == "delay":
            time.sleep(fault.seconds)
        status, headers, text = self.forward(request, body)
        with self.lock:
            self.calls.append((time.time(), action))
        if self.watch:
            self.watch(number, action, True)
        if what == "late":
            time.sleep(fault.seconds)
        if what == "lose":
            return reset(request)
        if what == "skew":
            headers = [(k, formatdate(time.time() + fault.seconds, usegmt=True) if k.lower() == "date" else v) for k, v in headers]
        return answer(request, status, headers, text, cut=what == "cut")

    def forward(self, request, body):
        to = urlparse(self.upstream)
        upstream = http.client.HTTPConnection(to.hostname, to.port, timeout=120)
        try:
            headers = {k: v for k, v in request.headers.items() if k.lower() not in ("connection", "content-length", "host")}
            upstream.request("POST", request.path, body, headers)
            got = upstream.getresponse()
            return got.status, got.getheaders(), got.read()
        finally:
            upstream.close()


def answer(request, status, headers, text, cut=False):
    request.send_response_only(status)
    for key, value in headers:
        if key.lower() not in ("content-length", "connection", "transfer-encoding"):
            request.send_header(key, value)
    request.send_header("Content-Length", str(len(text)))
    request.end_headers()
    if not cut:
        request.wfile.write(text)
        return
    request.wfile.write(text[: len(text) // 2])
    request.wfile.flush()
    time.sleep(0.05)  # else the reset overtakes what was sent
    reset(request)


def reset(request):
    request.close_connection = True
    request.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    request.connection.close()
