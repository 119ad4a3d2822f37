"""A job as a runner would have it: its environment, its state directory, its steps, and every secret that it may not tell.

A step is killed from outside: the kernel tells when the record was replaced, so the product holds no code for it.
"""

import ctypes
import io
import json
import os
import re
import select
import shutil
import signal
import struct
import subprocess
import tarfile
import threading
import time
import uuid
import zipfile
from base64 import b64encode
from pathlib import Path
from urllib.parse import quote

ROOT = Path(__file__).resolve().parents[2]
BINARY = os.environ.get("MANIFESTS_E2E_BINARY") or str(Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target")) / "debug/manifests-e2e")
REGION = "us-east-1"
# Their contents are secrets; that they are there, for their owner alone, is right.
KEEPERS = {"id_ed25519", "host_ed25519_key", "kubeconfig"}
# What the caller's own manifests say, for their owner alone too.
OWN = {"rendered.yaml"}
MOVED_FROM, MOVED_TO = 0x40, 0x80  # of inotify
libc = ctypes.CDLL(None, use_errno=True)


class Job:
    """One job of a run that nobody else has: `home` is its RUNNER_TEMP and holds every word that its steps said.

    One that is `like` another is the same execution of a job after its record was lost: a runner gives all its steps one id.
    """

    def __init__(self, place: Path, way, github, like=None):
        self.place, self.way, self.github = place, way, github
        self.run = like.run if like else str(uuid.uuid4().int % 10**10)
        self.secrets = like.secrets if like else {name: f"canary{uuid.uuid4().hex}" for name in ("AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "GITHUB_TOKEN")}
        self.home = place / f"job-{len(list(place.glob('job-*'))) + 1}"
        self.state = self.home / "manifests-e2e"
        self.state.mkdir(parents=True, mode=0o700)
        self.steps = 0

    @property
    def tag(self):
        return f"7-{self.run}"

    def env(self, **more):
        own = {k: v for k, v in os.environ.items() if k in ("PATH", "INPUT_SSH_CIDR", "INPUT_NODE_IMAGE", "INPUT_REGISTRY_MIRRORS", "INPUT_IMAGE")}
        return {
            **own, **self.secrets, **more, "HOME": str(self.home), "RUNNER_TEMP": str(self.home), "GITHUB_ACTIONS": "true",
            "AWS_ENDPOINT_URL": self.way.url, "AWS_REGION": REGION, "AWS_ACCESS_KEY_ID": "walk",
            "GITHUB_API_URL": self.github.url, "GITHUB_REPOSITORY": f"walk/{self.run}", "GITHUB_REPOSITORY_ID": "7",
            "GITHUB_RUN_ID": self.run, "GITHUB_JOB": "e2e", "RUNNER_TRACKING_ID": f"github_{self.run}", "GITHUB_OUTPUT": str(self.home / "output"),
            "GITHUB_STEP_SUMMARY": str(self.home / "summary"),
        }

    def start(self, *words, **more):
        """Starts a step; what it says goes to files that are searched for secrets later."""
        self.steps += 1
        log = self.home / f"{self.steps}-{words[0]}.log"
        with log.open("wb") as out:
            step = subprocess.Popen([BINARY, *words], env=self.env(**more), stdin=subprocess.DEVNULL, stdout=out, stderr=out, cwd=self.home)
        step.words, step.log, step.began = words, log, time.time()
        return step

    def step(self, *words, **more):
        """Runs a step to its end."""
        step = self.start(*words, **more)
        step.wait()
        self.learn()
        return step

    def record(self):
        try:
            return json.loads((self.state / "record.json").read_text())
        except (OSError, ValueError):
            return {}

    def output(self, name):
        """The last value of an output of this job's steps."""
        try:
            text = (self.home / "output").read_text()
        except OSError:
            return ""
        values = re.findall(rf"^{re.escape(name)}<<(\S+)\n(.*?)\n?\1$", text, re.M | re.S)
        return values[-1][1].strip() if values else ""

    def learn(self):
        """Takes in the keys that the job has by now: they are secrets from here on."""
        for name in KEEPERS:
            try:
                text = (self.state / name).read_text()
            except OSError:
                continue
            if name == "kubeconfig":
                for key in re.findall(r"client-key-data: (\S+)", text):
                    self.secrets[f"kubeconfig {hash(key)}"] = key
            else:
                # The first line is the same for every key, and the second begins as the public key does.
                for number, line in enumerate(text.splitlines()[3:-1]):
                    if len(line) >= 40:
                        self.secrets[f"{name} line {number} {hash(line)}"] = line

    def told(self):
        """Secrets in anything that the job has left on the runner, as `secret: file`."""
        self.learn()
        shapes = {}
        for name, secret in self.secrets.items():
            for shape in {secret, b64encode(secret.encode()).decode().rstrip("="), quote(secret, safe="")}:
                shapes[shape.encode()] = name
        pattern = re.compile(b"|".join(re.escape(shape) for shape in shapes))
        found = []
        for path in self.home.rglob("*"):
            private = path.name in KEEPERS | OWN
            if path.is_symlink() or not path.is_file():
                continue
            if private and path.stat().st_mode & 0o077:
                found.append(f"{path.relative_to(self.home)} can be read by others")
            if not private:
                for name, text in contents(path.name, path.read_bytes()):
                    # A runner does not show the commands that tell it what to hide.
                    text = re.sub(rb"(?m)^::add-mask::.*$", b"", text)
                    found += [f"{shapes[hit]}: {path.relative_to(self.home)} {name}" for hit in set(pattern.findall(text))]
        return found

    def forget(self):
        shutil.rmtree(self.home, ignore_errors=True)


def contents(name, data):
    """What a file holds, archives opened at any depth."""
    yield name, data
    try:
        if zipfile.is_zipfile(io.BytesIO(data)):
            archive = zipfile.ZipFile(io.BytesIO(data))
            for one in archive.namelist():
                yield from contents(one, archive.read(one))
        elif data[:2] == b"\x1f\x8b" or name.endswith(".tar"):
            archive = tarfile.open(fileobj=io.BytesIO(data))
            for one in archive:
                if one.isfile():
                    yield from contents(one.name, archive.extractfile(one).read())
    except (tarfile.TarError, zipfile.BadZipFile, OSError, EOFError):
        return


class Watch(threading.Thread):
    """Counts how often the record is replaced; `then` is called with the number at once, before anything else is done."""

    def __init__(self, job, then):
        super().__init__(daemon=True)
        self.job, self.then, self.count, self.over = job, then, 0, False
        self.fd = libc.inotify_init1(os.O_NONBLOCK)
        # Both ends of each move: of two events that are the same the kernel keeps one.
        if self.fd < 0 or libc.inotify_add_watch(self.fd, str(job.state).encode(), MOVED_FROM | MOVED_TO) < 0:
            raise OSError(ctypes.get_errno(), "inotify")
        self.start()

    def run(self):
        while not self.over:
            if not select.select([self.fd], [], [], 0.2)[0]:
                continue
            data, at = os.read(self.fd, 65536), 0
            while at < len(data):
                _, mask, _, length = struct.unpack_from("iIII", data, at)
                name = data[at + 16 : at + 16 + length].rstrip(b"\0")
                at += 16 + length
                if mask & MOVED_TO and name == b"record.json":
                    self.count += 1
                    self.then(self.count)
            self.job.learn()

    def end(self):
        """Gives how often it was replaced in all."""
        time.sleep(0.01)
        self.over = True
        self.join()
        os.close(self.fd)
        return self.count


class Killer:
    """Sends signals to a step, once; as a runner does at a cancellation where that is asked: INT, 7.5 s, TERM, 2.5 s, KILL."""

    def __init__(self, how):
        self.how, self.step, self.at, self.lock = how, None, None, threading.Lock()

    def __call__(self):
        with self.lock:
            if self.at or self.step is None or self.step.poll() is not None:
                return
            self.at = time.time()
        first = {"cancel": signal.SIGINT}.get(self.how) or signal.Signals[f"SIG{self.how}"]
        self.send(first)
        if self.how == "cancel":
            threading.Thread(target=self.follow, daemon=True).start()

    def follow(self):
        for wait, what in ((7.5, signal.SIGTERM), (2.5, signal.SIGKILL)):
            try:
                self.step.wait(wait)
                return
            except subprocess.TimeoutExpired:
                self.send(what)

    def send(self, what):
        try:
            os.kill(self.step.pid, what)
        except ProcessLookupError:
            pass
