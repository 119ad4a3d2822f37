"""Serves HTTP on 8080, DELAY seconds after its start; counts its starts on the volume where it has one."""

import http.server
import os
import pathlib
import time

starts = pathlib.Path("/data/starts")
if starts.parent.is_dir():
    count = int(starts.read_text()) + 1 if starts.exists() else 1
    starts.write_text(str(count))
    print("start", count)
time.sleep(float(os.environ.get("DELAY", "0")))


class Answer(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b"ok\n")

    def log_message(self, *_):
        """Says nothing: the probe asks every second."""


print("listening on 8080")
http.server.ThreadingHTTPServer(("", 8080), Answer).serve_forever()
