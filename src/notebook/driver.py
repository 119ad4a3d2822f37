"""Runs one notebook inside the Job's container, cell by cell, and prints what it prints as it comes.

Given the notebook in $MANIFESTS_E2E_INPUT, whole or gzipped in pieces; each code cell carries its name in the metadata
`manifests-e2e`. Leaves executed.ipynb in $MANIFESTS_E2E_WORK: saved before the first cell, after each one, and every few
seconds in between, so that it is there whenever the pod ends. How each cell went is in its metadata `papermill`, in the
shape that papermill itself writes.

nbclient runs it, which every image with papermill or nbconvert 6 has; an older nbconvert runs all cells at once.
Exits 0 when every cell passed, 1 when one failed, 3 when none could begin. Needs Python 3.8.
"""

import datetime
import glob
import gzip
import json
import os
import re
import signal
import subprocess
import sys
import time

INPUT = os.environ["MANIFESTS_E2E_INPUT"]
WORK = os.environ["MANIFESTS_E2E_WORK"]
TERMINATION = os.environ.get("MANIFESTS_E2E_TERMINATION", "/dev/termination-log")
EXECUTED = os.path.join(WORK, "executed.ipynb")
SAVE_EVERY = 5  # seconds, while a cell runs


class CannotStart(Exception):
    """No cell can be run."""


def read():
    whole = os.path.join(INPUT, "notebook.ipynb")
    if os.path.exists(whole):
        with open(whole, "rb") as file:
            return json.loads(file.read().decode("utf-8"))
    pieces = []
    for path in sorted(glob.glob(whole + ".gz.*")):
        with open(path, "rb") as file:
            pieces.append(file.read())
    return json.loads(gzip.decompress(b"".join(pieces)).decode("utf-8"))


def save(notebook):
    with open(EXECUTED + ".new", "w", encoding="utf-8") as file:
        json.dump(notebook, file, indent=1, ensure_ascii=False)
    os.replace(EXECUTED + ".new", EXECUTED)


def leave(code):
    """Ends at once: the kernel ends with the container, and waiting for it would hold the verdict back."""
    sys.stdout.flush()
    os._exit(code)


def say(text):
    print(re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", text), flush=True)


def conclude(message):
    """Puts the cause where the pod's status shows it."""
    try:
        with open(TERMINATION, "w", encoding="utf-8") as file:
            file.write(message[:2000])
    except OSError as error:
        say("cannot write %s: %s" % (TERMINATION, error))


def name(cell):
    return cell["metadata"].get("manifests-e2e", {}).get("name")


def tagged(cell, tag):
    return tag in cell["metadata"].get("tags", [])


def now():
    return datetime.datetime.now(datetime.timezone.utc).isoformat()


def mark(cell, status, begun=None):
    how = cell["metadata"].setdefault("papermill", {})
    how.update(status=status, exception=status == "failed")
    if status == "running":
        how["start_time"] = now()
    if begun is not None:
        how.update(end_time=now(), duration=time.monotonic() - begun)


def error_of(cell):
    """The error that a cell showed and was not meant to."""
    if tagged(cell, "raises-exception"):
        return None
    return next((o for o in cell.get("outputs", []) if o.get("output_type") == "error"), None)


def failure(cell, error):
    say("\n".join(error.get("traceback") or []) or "%s: %s" % (error["ename"], error["evalue"]))
    conclude("%s: %s: %s" % (name(cell), error["ename"], error["evalue"]))


def with_nbclient(plain):
    import nbclient
    import nbformat
    from jupyter_client.kernelspec import KernelSpecManager

    notebook = nbformat.reads(json.dumps(plain), as_version=4)
    wanted = notebook.metadata.get("kernelspec", {}).get("name", "python3")
    there = KernelSpecManager().find_kernel_specs()
    language = notebook.metadata.get("kernelspec", {}).get("language", "python")
    if wanted not in there and language == "python" and "python3" in there:
        say("the image has no kernel %s: python3 is used" % wanted)
        wanted = "python3"
    if wanted not in there:
        raise CannotStart("the image has no kernel %s, only %s" % (wanted, ", ".join(sorted(there)) or "none"))

    class Client(nbclient.NotebookClient):
        saved = time.monotonic()

        def process_message(self, msg, cell, cell_index):
            output = super().process_message(msg, cell, cell_index)
            content = msg["content"]
            if msg["msg_type"] == "stream":
                print(re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", content["text"]), end="", flush=True)
            elif msg["msg_type"] in ("execute_result", "display_data") and "text/plain" in content["data"]:
                say(content["data"]["text/plain"])
            if time.monotonic() - self.saved > SAVE_EVERY:
                self.saved = time.monotonic()
                save(notebook)
            return output

    def stopped(*_):
        save(notebook)
        conclude("stopped from outside")
        os._exit(143)

    signal.signal(signal.SIGTERM, stopped)
    client = Client(
        notebook,
        timeout=None,
        startup_timeout=300,
        kernel_name=wanted,
        resources={"metadata": {"path": WORK}},
    )
    # The same steps as papermill takes, in every version of nbclient.
    with client.setup_kernel():
        for index, cell in enumerate(notebook.cells):
            if name(cell) is None:
                continue
            say("== %s" % name(cell))
            begun = time.monotonic()
            mark(cell, "running")
            save(notebook)
            try:
                client.execute_cell(cell, index)
                error = error_of(cell)
            except Exception as raised:  # CellExecutionError; a kernel that died shows no output
                error = error_of(cell)
                if error is None:
                    error = nbformat.v4.new_output(
                        "error", ename=type(raised).__name__, evalue=str(raised), traceback=[str(raised)]
                    )
                    cell.outputs.append(error)
            mark(cell, "failed" if error else "completed", begun)
            save(notebook)
            if error:
                failure(cell, error)
                leave(1)
            say("== passed in %.2fs" % (time.monotonic() - begun))
        leave(0)


def with_nbconvert():
    source = os.path.join(WORK, "notebook.ipynb")
    with open(source, "w", encoding="utf-8") as file:
        json.dump(read(), file)
    command = ["jupyter", "nbconvert", "--to", "notebook", "--execute", "--ExecutePreprocessor.timeout=-1"]
    # Without --allow-errors a cell that raises leaves no notebook.
    command += ["--allow-errors", "--output", EXECUTED + ".new.ipynb", source]
    try:
        code = subprocess.call(command)
    except FileNotFoundError:
        raise CannotStart("the image has neither nbclient nor jupyter") from None
    if code != 0:
        raise CannotStart("jupyter nbconvert ended with %d" % code)
    with open(EXECUTED + ".new.ipynb", encoding="utf-8") as file:
        notebook = json.load(file)
    first = None
    for cell in notebook["cells"]:
        if name(cell) is not None:
            error = error_of(cell)
            mark(cell, "failed" if error else "completed")
            if error and first is None:
                first = (cell, error)
    save(notebook)
    if first:
        failure(*first)
    return 1 if first else 0


def main():
    plain = read()
    for cell in plain["cells"]:
        if name(cell) is not None:
            mark(cell, "pending")
    save(plain)
    try:
        import nbclient  # noqa: F401
    except ImportError:
        say("the image has no nbclient: jupyter nbconvert runs the notebook, and its output comes at the end")
        return with_nbconvert()
    return with_nbclient(plain)


if __name__ == "__main__":
    try:
        code = main()
    except Exception as error:  # what is no cell's fault
        conclude("cannot start: %s" % error)
        say("cannot start: %s" % error)
        code = 3
    leave(code)
