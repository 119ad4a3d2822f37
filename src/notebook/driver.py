"""Runs one notebook, in the Job's container or on a runner, cell by cell, and prints what it prints as it comes.

Given the notebook in $MANIFESTS_E2E_INPUT, whole or gzipped in pieces; each code cell that is to run carries its name in
the metadata `manifests-e2e`. A cell may take $MANIFESTS_E2E_CELL_TIMEOUT seconds, where that is set.

Leaves executed.jsonl in $MANIFESTS_E2E_WORK/.manifests-e2e: the notebook, then each cell as it was when it began and
when it ended, so that what is written grows with the notebook and no faster. running.json beside it is the cell that
runs, as it was a few seconds ago. Both are there whenever and however the pod ends. How a cell went is in its metadata
`papermill`, in the shape that papermill itself writes, and why it failed in `manifests-e2e`. After a cell that fails the
others are not run, unless it is tagged `independent`. One that raises `SkipTest` is skipped.

Exits 0 when every cell passed, 1 when one failed, 3 when none could begin or the results could not be saved. Needs
nbclient, which comes with nbconvert 6 and with papermill, and Python 3.8.
"""

import asyncio
import datetime
import glob
import gzip
import json
import math
import os
import re
import signal
import sys
import time

INPUT = os.environ["MANIFESTS_E2E_INPUT"]
WORK = os.environ["MANIFESTS_E2E_WORK"]
CELL_TIMEOUT = float(os.environ.get("MANIFESTS_E2E_CELL_TIMEOUT") or 0)
DIRECTORY = os.environ.get("MANIFESTS_E2E_DIRECTORY") or WORK  # where the kernel begins
PLACE = os.environ.get("MANIFESTS_E2E_PLACE") or "the image"
TERMINATION = os.environ.get("MANIFESTS_E2E_TERMINATION", "/dev/termination-log")
RESULTS = os.path.join(WORK, ".manifests-e2e")
SAVE_EVERY = 5  # seconds, while a cell runs
LONGEST = 64 * 1024  # characters of one piece of an error


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


def finite(value):
    """The same without what JSON has no word for."""
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, dict):
        return {key: finite(each) for key, each in value.items()}
    return [finite(each) for each in value] if isinstance(value, list) else value


def as_json(value):
    try:
        text = json.dumps(value, ensure_ascii=False, allow_nan=False)
    except ValueError:
        text = json.dumps(finite(value), ensure_ascii=False)
    # Half a surrogate pair is no character.
    return text.encode("utf-8", "replace")


class Results:
    """What the notebook has come to, on disk. A disk that is full ends no test."""

    def __init__(self):
        self.error = None
        self.next = 0.0

    def write(self, what, name="executed.jsonl", mode="ab"):
        began = time.monotonic()
        path = os.path.join(RESULTS, name)
        try:
            with open(path + ".new" if mode == "wb" else path, mode) as file:
                # It begins with a line end, should the line before be torn.
                file.write(b"\n" + as_json(what) + b"\n")
            if mode == "wb":
                os.replace(path + ".new", path)
        except OSError as error:
            if self.error is None:
                say("cannot save the executed notebook: %s" % error)
            self.error = error
            return False
        # At most a twentieth of the time goes into it.
        self.next = time.monotonic() + max(SAVE_EVERY, 20 * (time.monotonic() - began))
        return True

    def cell(self, index, cell):
        self.write({"cell": index, "as": cell})

    def running(self, index, cell):
        self.write({"cell": index, "as": cell}, "running.json", "wb")

    def whole(self, notebook):
        """Whether all of it is there; what a full disk refused is tried once more."""
        return self.error is None or self.write({"notebook": notebook})


LINE_OPEN = False  # whether what was printed last had no line end


def show(text):
    global LINE_OPEN
    text = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", text)
    if text:
        LINE_OPEN = not text.endswith("\n")
        print(text, end="", flush=True)


def say(text):
    show(("\n" if LINE_OPEN else "") + text + "\n")


def leave(code):
    """Ends at once: the kernel ends with the container, and waiting for it would hold the verdict back."""
    sys.stdout.flush()
    os._exit(code)


def conclude(message):
    """Puts the cause where the pod's status shows it."""
    try:
        with open(TERMINATION, "w", encoding="utf-8", errors="replace") as file:
            file.write(message[:2000])
    except OSError as error:
        say("cannot write %s: %s" % (TERMINATION, error))


def ours(cell):
    return cell["metadata"].get("manifests-e2e", {})


def is_case(cell):
    return "name" in ours(cell) and not ours(cell).get("skipped")


def now():
    return datetime.datetime.now(datetime.timezone.utc).isoformat()


def mark(cell, status, begun=None):
    how = cell["metadata"].setdefault("papermill", {})
    how.update(status=status, exception=status == "failed")
    if status == "running":
        how["start_time"] = now()
    if begun is not None:
        how.update(end_time=now(), duration=time.monotonic() - begun)


def shortened(text):
    text = str(text)
    return text if len(text) <= LONGEST else text[: LONGEST // 2] + " … " + text[-LONGEST // 2 :]


def is_skip(error):
    """Whether a cell says that it is none for this cluster, as unittest and pytest say it."""
    return error["ename"] in ("SkipTest", "Skipped")


def is_independent(cell):
    return "independent" in cell["metadata"].get("tags", [])


def note(cell, error, is_first):
    """Keeps why a cell failed, and tells it."""
    error = {
        "ename": shortened(error.get("ename", "")),
        "evalue": shortened(error.get("evalue", "")),
        "traceback": [shortened(line) for line in (error.get("traceback") or [])[:1000]],
    }
    ours(cell)["error"] = error
    said = ": ".join(filter(None, (error["ename"], error["evalue"])))
    say("\n".join(error["traceback"]) or said)
    if is_first:
        conclude("%s: %s" % (ours(cell)["name"], said))


def language_of(metadata):
    spec = metadata.get("kernelspec", {})
    return (spec.get("language") or metadata.get("language_info", {}).get("name") or "").lower()


def is_python(language):
    return language.startswith(("python", "ipython"))


def kernel_for(metadata, there):
    """The kernel there that runs such a notebook; `there` has the language of each.

    The name of a kernel is often that of its author's environment: another kernel of the same language does as well.
    """
    wanted = metadata.get("kernelspec", {}).get("name") or ""
    if wanted in there:
        return wanted
    language = language_of(metadata)
    if not language and (not wanted or "python" in wanted or wanted.endswith("-py")):
        language = "python"
    same = [name for name in sorted(there) if there[name].lower() == language]
    if is_python(language):
        same = [name for name in sorted(there) if is_python(there[name].lower())]
    if same:
        found = "python3" if "python3" in same else same[0]
        if wanted:
            say("%s has no kernel %s: %s is used" % (PLACE, wanted, found))
        return found
    what = "kernel %s" % wanted if wanted else "kernel for %s" % language
    raise CannotStart("%s has no %s, only %s" % (PLACE, what, ", ".join(sorted(there)) or "none"))


async def run(plain, results):
    try:
        import nbformat
        from cells import Client, kernels
    except Exception as error:
        raise CannotStart(
            "%s cannot run notebooks: %s; `nbclient` and `ipykernel` as requirements add what it lacks" % (PLACE, error)
        ) from error

    notebook = nbformat.reads(json.dumps(plain), as_version=4)
    client = Client(notebook, kernel_for(notebook.metadata, kernels()), DIRECTORY, CELL_TIMEOUT, show)

    def stopped(*_):
        client.settle()
        results.write({"notebook": notebook})
        conclude("stopped from outside")
        os._exit(143)

    failed = 0
    await client.begin()
    signal.signal(signal.SIGTERM, stopped)
    for index, cell in enumerate(notebook.cells):
        if not is_case(cell):
            continue
        say("== %s" % ours(cell)["name"])
        begun = time.monotonic()
        mark(cell, "running")
        results.cell(index, cell)

        def save():
            if time.monotonic() > results.next:
                client.settle()
                results.running(index, cell)

        error = await client.run_cell(cell, index, save)
        skipped = error and is_skip(error)
        mark(cell, "failed" if error and not skipped else "completed", begun)
        if skipped:
            ours(cell)["skipped"] = shortened(error.get("evalue") or "no reason is given")
            say("== skipped: %s" % ours(cell)["skipped"])
        elif error:
            note(cell, error, failed == 0)
            failed += 1
        for other in client.others_changed(index):
            results.cell(other, notebook.cells[other])
        results.cell(index, cell)
        if error and not skipped:
            if not is_independent(cell):
                break
            say("== failed in %.2fs; the next cell does not depend on it" % (time.monotonic() - begun))
        elif not skipped:
            say("== passed in %.2fs" % (time.monotonic() - begun))
    client.set_widgets_metadata()
    results.write({"metadata": notebook.metadata})
    if not results.whole(notebook) and not failed:
        conclude("cannot save: %s" % results.error)
        return 3
    return 1 if failed else 0


def main():
    os.makedirs(RESULTS, exist_ok=True)
    results = Results()
    plain = read()
    for cell in plain["cells"]:
        if is_case(cell):
            mark(cell, "pending")
    results.write({"notebook": plain})
    return asyncio.run(run(plain, results))


if __name__ == "__main__":
    sys.stdout.reconfigure(encoding="utf-8", errors="replace")
    try:
        code = main()
    except Exception as error:  # what is no cell's fault
        conclude("cannot start: %s" % error)
        say("cannot start: %s" % error)
        code = 3
    leave(code)
