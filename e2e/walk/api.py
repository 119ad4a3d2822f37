"""A walk against the EC2 API: provision-ec2, teardown and reap, each on a way with faults, and what must be true afterwards."""

import subprocess
import tempfile
import time
from pathlib import Path

from walk import truth
from walk.job import REGION, Job, Killer, Watch
from walk.weather import END, LAUNCH, Way, forecast

# Their answer decides: whoever is refused for good by one of these has not launched, or does not know that nothing is left.
DECIDES = {"DescribeImages", "DescribeSubnets", "CreateSecurityGroup", "AuthorizeSecurityGroupIngress", "RunInstances", "ModifyInstanceMetadataOptions"}
LISTED = {"DescribeInstances", "DescribeVolumes", "DescribeNetworkInterfaces", "DescribeSecurityGroups"}
# A launch that was on its way when its step was killed may show up so long after the teardown has begun.
ON_ITS_WAY = 2.5


class Walk:
    """One run, its weather, and every rule that it broke."""

    def __init__(self, place: Path, github, rng):
        self.place, self.github, self.rng = place, github, rng
        place.mkdir(parents=True)
        self.way = Way(truth.CLOUD)
        self.broken, self.story, self.faults = [], [], 0
        self.kills = self.secrets = self.leaks = self.verdicts = 0
        self.jobs, self.title = [], ""

    def job(self, like=None):
        self.jobs.append(Job(self.place, self.way, self.github, like))
        return self.jobs[-1]

    def say(self, text):
        self.story.append(text)

    def wrong(self, text):
        self.verdicts += 1
        self.broken.append(f"wrong verdict: {text}")

    def weather(self, faults):
        self.way.faults, self.since = faults, time.time()
        if faults:
            self.say("weather: " + "; ".join(map(str, faults)))

    def met(self):
        """What of this weather was met; it is over now."""
        self.way.faults = []
        return self.way.met(self.since)

    def judge(self, what, step, killer=None):
        """What holds for every step: green only without a refusal that decides, red only with a reason."""
        met = self.met()
        self.faults += len(met)
        code = step.returncode
        at = killer and killer.at
        self.kills += bool(at)
        self.say(f"{what}: exit {code} after {time.time() - step.began:.1f}s"
                 + (f", {killer.how} after {at - step.began:.2f}s" if at else "")
                 + (f", met {counted(met)}" if met else ""))
        if code == 101 or code == -6:
            self.wrong(f"{what} has a bug: exit {code}")
        if code != 0 and not at and all(fault.passes for fault in met):
            self.wrong(f"{what} ended with {code} by faults that a retry gets over")
        if at and killer.how in ("INT", "TERM", "cancel") and code not in (0, 130, -9) and all(fault.passes for fault in met):
            self.wrong(f"{what} ended with {code} after {killer.how}")
        return code, met

    def reap(self):
        """Passes until nothing is left, the first in bad weather; then nothing may be left."""
        for number in range(5):
            self.weather(forecast(self.rng, END) if number == 0 and self.rng.random() < 0.3 else [])
            step = self.job(self.jobs[0]).step("reap", "--dry-run=false", "--grace=1s", f"--regions={REGION}", "--timeout=90s")
            met = self.met()
            self.faults += len(met)
            self.say(f"reap: exit {step.returncode}" + (f", met {counted(met)}" if met else ""))
            left = truth.left(self.jobs[0].tag)
            if step.returncode == 0 and left:
                self.wrong(f"reap passed with {', '.join(left)} there")
            if step.returncode == 0 and number:
                break
            if step.returncode == 0 and not left:
                break
            time.sleep(1.1)
        left = truth.left(self.jobs[0].tag)
        if left:
            self.leaks += len(left)
            self.broken.append(f"leak: {', '.join(left)}")

    def end(self):
        told = [one for job in self.jobs for one in job.told()]
        self.secrets = len(told)
        self.broken += [f"secret: {one}" for one in told]
        self.way.close()
        (self.place / "story").write_text("\n".join(self.story + self.broken) + "\n")
        if not self.broken:
            for job in self.jobs:
                job.forget()


def counted(faults):
    """Faults in a few words, each with how often it was met."""
    words = [f"{fault.action} {fault.code or fault.what}" for fault in faults]
    return ", ".join(f"{one} ×{words.count(one)}" if words.count(one) > 1 else one for one in dict.fromkeys(words))


def usable(job):
    """Whether what a green launch has told is true: one instance, tagged, that lets us in and will end by itself."""
    there = truth.instances(job.tag)
    told = job.output("instance-id")
    if [one.findtext("instanceId") for one in there] != [told]:
        return f"it told of {told or 'nothing'}, and there are {[one.findtext('instanceId') for one in there]}"
    for name in ("public-ip", "availability-zone", "instance-type", "ami", "expires-at", "market"):
        if not job.output(name):
            return f"the output {name} is empty"
    host = job.record()["host"]
    with tempfile.NamedTemporaryFile("w") as known:
        known.write(f"{host['address']} {host['host_key']}\n")
        known.flush()
        done = subprocess.run(
            ["ssh", "-i", str(job.state / "id_ed25519"), "-o", "BatchMode=yes", "-o", "StrictHostKeyChecking=yes", "-o", "ConnectTimeout=10",
             "-o", f"UserKnownHostsFile={known.name}", f"ubuntu@{host['address']}", "systemctl is-active manifests-e2e-ttl.timer"],
            capture_output=True, text=True)
    return "" if done.stdout.strip() == "active" else f"its host says {done.stdout.strip() or done.stderr.strip()}"


def plan_kill(rng, calls, writes, seconds):
    """When a step is killed, and how: at a call, before or after it was carried out, at a write of the record, or at any moment."""
    kind = rng.choice(["none", "none", "none", "call", "call", "record", "moment", "moment"])
    when = {"call": (rng.randint(1, calls), rng.random() < 0.5), "record": rng.randint(1, writes), "moment": rng.uniform(0, seconds)}
    return kind, rng.choice(["KILL", "KILL", "INT", "TERM", "cancel"]), when.get(kind)


def start(self, job, kind, how, when, *words, **more):
    """Runs a step that is killed as planned."""
    killer = Killer(how)
    if kind != "none":
        self.say(f"plan: {words[0]}, {how} at {kind} {when if kind != 'moment' else f'{when:.2f}s'}")
    asked = self.way.asked
    if kind == "call":
        number, done = when
        self.way.watch = lambda count, action, carried_out: (count - asked, carried_out) == (number, done) and killer()
    watch = Watch(job, lambda count: kind == "record" and count == when and killer())
    killer.step = step = job.start(*words, **more)
    if kind == "moment":
        try:
            step.wait(when)
        except subprocess.TimeoutExpired:
            killer()
    step.wait()
    watch.end()
    self.way.watch = None
    return step, killer


def walk(place, github, rng):
    """A whole walk; gives it with what it broke."""
    self = Walk(place, github, rng)
    job = self.job()
    plan = plan_kill(rng, 12, 9, 6)
    self.weather(forecast(rng, LAUNCH))
    step, killer = start(self, job, *plan, "provision-ec2", "--timeout=3m", "--ttl=30m")
    code, met = self.judge("provision-ec2", step, killer)
    if code == 0:
        if any(fault.decides and fault.action in DECIDES for fault in met):
            self.wrong("provision-ec2 passed although it was refused for good")
        if trouble := usable(job):
            self.wrong(f"provision-ec2 passed, but {trouble}")

    # In the same place or, as a job of its own would, in an empty directory, which may know no region; now and then killed too.
    plans = [plan_kill(rng, 9, 3, 4)] if rng.random() < 0.3 else []
    for plan in [*plans, ("none", "KILL", 0)]:
        where = rng.choice(["here", "elsewhere", "elsewhere"])
        words = [f"--region={REGION}"] if where == "elsewhere" and rng.random() < 0.9 else []
        status = rng.choice(["success", "failure", "cancelled"])
        self.weather(forecast(rng, END) if rng.random() < 0.5 else [])
        began = time.time()
        place = job if where == "here" else self.job(job)
        step, killer = start(self, place, *plan, "teardown", "--timeout=2m", *words, JOB_STATUS=status)
        left = truth.left(job.tag)
        code, met = self.judge(f"teardown {where} ({status}{'' if words or where == 'here' else ', region unknown'})", step, killer)
        late = any(action == "RunInstances" and at > began + ON_ITS_WAY for at, action in self.way.calls)
        if code == 0 and left and not late:
            self.wrong(f"teardown passed with {', '.join(left)} there")
        # A refusal that is over (`times` counts what is to come) may be followed by a look that sees all.
        if code == 0 and any(fault.decides and fault.times and fault.action in LISTED for fault in met):
            self.wrong("teardown passed although it was refused a look")
        instances = [one for one in left if one.startswith("i-")]
        if instances and not killer.at and not any(fault.action in ("DescribeInstances", "TerminateInstances", "*") for fault in met) and not late:
            self.wrong(f"teardown left {', '.join(instances)} running, which nobody had refused it")
    self.reap()
    self.end()
    return self
