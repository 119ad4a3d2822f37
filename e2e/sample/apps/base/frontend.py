"""Gives up with exit code 1 after a second in which the store did not answer, else runs for ever."""

import os
import sys
import time
import urllib.request

store = os.environ["STORE"]
until = time.monotonic() + 1
while True:
    try:
        urllib.request.urlopen(f"http://{store}", timeout=1).read()
        break
    except OSError as error:
        if time.monotonic() > until:
            sys.exit(f"the store at {store} does not answer: {error}")
        time.sleep(0.2)
print("the store answers")
while True:
    time.sleep(3600)
