"""Answers the API server's admission reviews of widgets over TLS; denies one whose spec sets `forbidden`."""

import http.server
import json
import ssl
import time

STARTS_AFTER = 3  # seconds in which the pod is Ready and refuses connections


class Review(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        request = json.loads(self.rfile.read(int(self.headers["Content-Length"])))["request"]
        allowed = not request["object"]["spec"].get("forbidden", False)
        response = {"uid": request["uid"], "allowed": allowed}
        if not allowed:
            response["status"] = {"code": 403, "message": f"widget {request.get('name')} sets spec.forbidden"}
        body = json.dumps({"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "response": response})
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.end_headers()
        self.wfile.write(body.encode())
        print(request["operation"], request["namespace"], request.get("name"), "allowed" if allowed else "denied")

    def log_message(self, *_):
        """Says nothing: do_POST prints a line a review."""


time.sleep(STARTS_AFTER)
tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
tls.load_cert_chain("/certificate/tls.crt", "/certificate/tls.key")
server = http.server.ThreadingHTTPServer(("", 8443), Review)
server.socket = tls.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
print("listening on 8443")
server.serve_forever()
