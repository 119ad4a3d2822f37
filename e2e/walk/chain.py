"""Walks through the whole chain: `run` on an instance with KinD, the sample's manifests and the notebook.

The random walk kills the process, or kills, freezes, cuts off or reboots the instance; the fault walk kills the process at
each write of its record.
"""

import random
import subprocess
import threading
import time
import zipfile
from pathlib import Path
from xml.etree import ElementTree

from walk import truth
from walk.api import Walk
from walk.job import ROOT, Killer, Watch
from walk.weather import LAUNCH, forecast

SECRET = """
apiVersion: v1
kind: Secret
metadata: {{name: canary, namespace: default}}
stringData: {{password: {0}}}
---
apiVersion: v1
kind: Pod
metadata: {{name: canary, namespace: default}}
spec:
  terminationGracePeriodSeconds: 0
  containers:
  - name: talks
    image: python:3.11-slim-bookworm
    command: [sh, -c, "echo the password is $PASSWORD; sleep 3600"]
    env: [{{name: PASSWORD, valueFrom: {{secretKeyRef: {{name: canary, key: password}}}}}}]
"""


def begin(self, killer):
    """Starts the chain, with a secret in its cluster that a pod tells its log."""
    job = self.job()
    job.secrets["a Secret of the cluster"] = password = f"canary{job.run}{self.rng.getrandbits(64):016x}"
    secret = self.place / "secret.yaml"
    secret.write_text(SECRET.format(password))
    words = ["run", "--provider=ec2", "--instance-types=m7i.2xlarge,m6i.2xlarge", f"--manifests={ROOT / 'e2e/sample'}\n{secret}",
             f"--notebook={ROOT / 'e2e/digits/digits.ipynb'}", f"--output={job.home / 'out'}", "--ttl=30m",
             "--provision-timeout=3m", "--install-timeout=4m", "--deploy-timeout=4m", "--test-timeout=4m", "--teardown-timeout=2m"]
    killer.step = step = job.start(*words)
    return job, step


def unreal(job):
    """Why a green chain is not to be believed; empty when all that it told is there."""
    try:
        cases = [case for suite in ElementTree.parse(job.output("junit")).iter("testsuite") for case in suite.iter("testcase")]
        if not cases or any(case.find(bad) is not None for case in cases for bad in ("failure", "error")):
            return f"its report has {len(cases)} cases, or failures"
        with zipfile.ZipFile(job.output("bundle")) as bundle:
            if bundle.testzip() or "report.html" not in "\n".join(bundle.namelist()):
                return "its bundle is broken"
    except (OSError, ElementTree.ParseError, zipfile.BadZipFile) as error:
        return str(error)
    if job.output("verdict") != "passed":
        return f"its verdict is {job.output('verdict')!r}"
    return ""


def finish(self, job, step, killer, spoiled=""):
    """The verdict; then a teardown elsewhere that knows nothing, and reap."""
    step.wait()
    job.learn()
    stages = [f"{one['stage']}={one.get('exit')}" for one in job.record().get("stages", [])]
    self.say(", ".join(stages))
    code, met = self.judge("run", step, killer) if not spoiled else (step.returncode, self.met())
    if spoiled:
        self.say(f"run: exit {code} after {time.time() - step.began:.0f}s, {spoiled}")
        self.faults += 1 + len(met)
        self.kills += bool(killer.at)
        if code in (101, -6):
            self.wrong(f"run has a bug: exit {code}")
    if code == 0:
        if trouble := unreal(job):
            self.wrong(f"run passed, but {trouble}")
        if left := truth.left(job.tag):
            self.wrong(f"run passed with {', '.join(left)} there")
    self.weather([])
    step = self.job(job).step("teardown", "--timeout=2m")
    self.judge("teardown elsewhere", step)
    if step.returncode == 0 and (left := truth.left(job.tag)):
        self.wrong(f"teardown passed with {', '.join(left)} there")
    self.reap()
    self.end()
    return self


def walk(place, github, rng):
    """One random walk."""
    self = Walk(place, github, rng)
    event = rng.choice(["signal", "signal", "signal", "killed", "frozen", "cut off", "reboot", "weather", "weather"])
    killer = Killer(rng.choice(["KILL", "INT", "TERM", "cancel"]))
    moment, lasts = rng.uniform(1, 110), rng.uniform(5, 60)
    self.say(f"plan: {killer.how if event == 'signal' else event} after {moment:.0f}s" + (f" for {lasts:.0f}s" if event in ("frozen", "cut off") else ""))
    self.weather(forecast(rng, LAUNCH) if event in ("signal", "weather") else [])
    job, step = begin(self, killer)
    spoiled = ""
    try:
        step.wait(moment)
    except subprocess.TimeoutExpired:
        if event == "signal":
            killer()
        elif event != "weather":
            spoiled = strike(job, event, lasts)
    step.wait()
    if "killed" in spoiled and step.returncode == 0:
        self.wrong("run passed although its instance was killed before the test had ended")
    return finish(self, job, step, killer, spoiled)


def strike(job, event, lasts):
    """Does that to the instance; gives what was done, empty where there is none to do it to."""
    there = truth.instances(job.tag)
    if not there:
        return ""
    name = f"sandbox-{there[0].findtext('instanceId')}"
    tested = any(one["stage"] == "run-mnist-notebook-job" and one.get("exit") is not None for one in job.record().get("stages", []))
    if event == "killed":
        truth.docker("kill", name)
        return "its instance ended late" if tested else "its instance was killed"
    if event == "reboot":
        truth.ec2("RebootInstances", **{"InstanceId.1": there[0].findtext("instanceId")})
        return "its instance was rebooted"
    address = there[0].findtext("ipAddress")
    off, on = {
        "frozen": (("pause", name), ("unpause", name)),
        "cut off": (("network", "disconnect", "sandbox", name), ("network", "connect", "--ip", address, "sandbox", name)),
    }[event]
    truth.docker(*off)
    threading.Timer(lasts, truth.docker, on).start()
    return f"its instance was {event} for {lasts:.0f}s"


def points(text):
    """Where to kill: `4,12`, `5-9`; `5-` and `all` go on until a chain ends unharmed; a name is the intent of that step."""
    for part in ["1-"] if text == "all" else [part.strip() for part in text.split(",") if part.strip()]:
        first, dash, last = part.partition("-")
        if first.isdigit():
            yield from range(int(first), (int(last) if last else 1000 if dash else int(first)) + 1)
        else:
            yield part


def intends(record, name):
    return any(step["name"] == name and step.get("result") is None for step in record.get("steps", []))


def newest(record):
    """What the record has noted last."""
    steps, stages = record.get("steps", []), record.get("stages", [])
    stage = stages[-1] if stages else {}
    where = stage.get("stage", "nothing") + (" ended" if stage.get("ended") else "")
    step = steps[-1] if steps else {}
    return f"{where}, {step.get('name', 'no step')}" + (" done" if step.get("result") else " meant" if step else "")


def fault_walk(place, github, text):
    """Kills the chain at each of these writes; the first that comes to no kill has to pass, and is the last."""
    for point in points(text):
        self = Walk(place / f"at-{point}".replace(" ", "-"), github, random.Random(str(point)))
        killer = Killer("KILL")
        self.weather([])
        job, step = begin(self, killer)
        watch = Watch(job, lambda count: (count == point if isinstance(point, int) else intends(job.record(), point)) and killer())
        step.wait()
        count = watch.end()
        if killer.at:
            late = count - point if isinstance(point, int) else 0
            self.title = f"killed at write {count}, {newest(job.record())}" + (f", {late} writes late" if late else "")
        else:
            self.title = f"{count} writes, no kill"
        self.say(self.title)
        finish(self, job, step, killer)
        yield point, self
        if not killer.at:
            return


def outlived(place: Path):
    """Processes of jobs whose directories are gone: a tunnel ends by itself then, within seconds."""
    deadline = time.time() + 30
    while True:
        found = []
        for process in Path("/proc").glob("[0-9]*"):
            try:
                line = (process / "cmdline").read_bytes().replace(b"\0", b" ").decode("utf-8", "replace")
            except OSError:
                continue
            walked = line.partition(f"{place}/")[2].partition("/")[0]
            if " tunnel " in line and walked and not list((place / walked).glob("job-*")):
                found.append(f"process {process.name}: {line.strip()}")
        if not found or time.time() > deadline:
            return found
        time.sleep(0.5)
