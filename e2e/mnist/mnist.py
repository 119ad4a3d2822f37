# %% [markdown]
# # Kubeflow, tried as one of its users
#
# Each case asks one component for something and looks at what comes of it: a pipeline, hyperparameters, a training job on two nodes, a served
# model, a notebook. A case whose component the cluster does not serve is skipped; one that fails does not keep the others from being run.
# What a case made is deleted in the end. Nothing but Python's own library is needed.

# %% tags=["parameters"]
require = ""  # components that have to be there: pipelines, katib, training, kserve, notebooks
namespace = ""  # by default the one that this runs in
image = "docker.io/library/python:3.11-slim-bookworm"  # Python, for all that the cases start
minutes = 8  # that one case may take
sdks = ""  # packages that have to fit together with what is installed here, such as "kfp==2.17.0 kubeflow-katib==0.19.0"

# %% [markdown]
# ## What the cases share

# %%
import contextlib
import json
import os
import random
import socket
import ssl
import subprocess
import sys
import time
import traceback
import unittest
import urllib.error
import urllib.parse
import urllib.request

ACCOUNT = "/var/run/secrets/kubernetes.io/serviceaccount"
IN_CLUSTER = os.path.exists(ACCOUNT + "/token")


def read(path):
    with open(path, encoding="utf-8") as file:
        return file.read().strip()


class Refused(Exception):
    """What a server answered in place of what was asked for."""

    def __init__(self, status, text):
        super().__init__(f"{status}: {text[:500]}")
        self.status = status


def http(method, url, body=None, headers=None, context=None, seconds=30):
    """The answer as text. It is an error for any status but 200 to 299."""
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(url, data, {"Content-Type": "application/json", **(headers or {})}, method=method)
    try:
        with urllib.request.urlopen(request, timeout=seconds, context=context) as answer:
            return answer.read().decode()
    except urllib.error.HTTPError as error:
        raise Refused(error.code, error.read().decode("utf-8", "replace")) from None


def api(method, path, body=None):
    """The API server's answer: as this pod's service account, outside of a cluster as kubectl."""
    if IN_CLUSTER:
        host = os.environ["KUBERNETES_SERVICE_HOST"]
        server = "https://" + (f"[{host}]" if ":" in host else host)
        trust = ssl.create_default_context(cafile=ACCOUNT + "/ca.crt")
        token = {"Authorization": "Bearer " + read(ACCOUNT + "/token")}  # read each time: it is renewed
        return json.loads(http(method, f"{server}:{os.environ['KUBERNETES_SERVICE_PORT']}{path}", body, token, trust))
    verb = {"GET": "get", "POST": "create", "DELETE": "delete"}[method]
    command = ["kubectl", verb, "--raw", path] + (["-f", "-"] if body is not None else [])
    done = subprocess.run(command, input=json.dumps(body), capture_output=True, text=True, timeout=60)
    if done.returncode:
        raise Refused(404 if "NotFound" in done.stderr else 0, done.stderr)
    return json.loads(done.stdout)


if not namespace:
    namespace = read(ACCOUNT + "/namespace") if IN_CLUSTER else os.environ.get("NAMESPACE", "default")
GROUPS = {group["name"]: [version["version"] for version in group["versions"]] for group in api("GET", "/apis")["groups"]}


def serves(group, kind):
    """The version in which the cluster serves a kind: None for none."""
    for version in GROUPS.get(group, []):
        if any(it["kind"] == kind for it in api("GET", f"/apis/{group}/{version}")["resources"]):
            return version
    return None


def needs(component, there):
    """Skips the cell where a component is not there, or fails it where it is required."""
    if there:
        return
    required = [name.strip() for name in require.split(",")]
    assert component not in required, f"{component} is required, and the cluster does not serve it"
    raise unittest.SkipTest(f"the cluster has no {component}")


def unique(what):
    return f"e2e-{what}-{random.randrange(16**6):06x}"


class Thing:
    """An object of the API that a case makes, follows, and deletes."""

    def __init__(self, group, version, plural, kind, name, **fields):
        self.collection = f"/apis/{group}/{version}/namespaces/{namespace}/{plural}"
        self.path, self.about = f"{self.collection}/{name}", f"{kind} {namespace}/{name}"
        self.wanted = {"apiVersion": f"{group}/{version}", "kind": kind, "metadata": {"name": name}, **fields}
        self.last = {}

    def __enter__(self):
        try:
            api("POST", self.collection, self.wanted)
        except Refused as refused:
            if refused.status == 403:
                raise AssertionError(
                    f"{self.about} may not be made by this service account. A profile's `default-editor` may; else bind it to the "
                    f"ClusterRole kubeflow-edit. {refused}"
                ) from None
            raise
        print("made", self.about, flush=True)
        return self

    def __exit__(self, *_):
        print("last seen:", json.dumps(self.last.get("status", {}), indent=1)[:20000], flush=True)
        with contextlib.suppress(Refused):
            api("DELETE", self.path, {"propagationPolicy": "Background"} if IN_CLUSTER else None)

    def until(self, good, bad=()):
        """Waits until a condition is true, and fails as soon as one that is bad is."""
        until, told = time.monotonic() + 60 * minutes, None
        while True:
            self.last = api("GET", self.path)
            conditions = {it["type"]: it for it in self.last.get("status", {}).get("conditions", [])}
            for name, condition in conditions.items():
                if condition["status"] == "True" and name in bad:
                    why = ": ".join(filter(None, (condition.get("reason"), condition.get("message"))))
                    raise AssertionError(f"{self.about} is {name}: {why}")
            if conditions.get(good, {}).get("status") == "True":
                return self.last
            state = ", ".join(f"{name}={it['status']}" for name, it in conditions.items()) or "no condition"
            if state != told:
                print(f"{self.about}: {state}", flush=True)
                told = state
            assert time.monotonic() < until, f"{self.about} is not {good} within {minutes} minutes: {state}"
            time.sleep(2)


ran, failed = [], []  # cases that were not skipped, and of a script those that failed


def tried(case):
    """Runs a case. In a notebook its error is that of its cell; a script goes on with the next case."""
    in_notebook = "get_ipython" in globals()
    try:
        case()
        ran.append(case.__name__)
    except unittest.SkipTest as reason:
        if in_notebook:
            raise
        print(f"{case.__name__}: skipped: {reason}", flush=True)
    except Exception:
        ran.append(case.__name__)
        if in_notebook:
            raise
        failed.append(case.__name__)
        traceback.print_exc()


print(f"namespace {namespace}, Python {sys.version.split()[0]}, API groups:", ", ".join(sorted(GROUPS)))

# %% [markdown]
# ## The token for pipelines
#
# The PodDefault `access-ml-pipeline` gives it to this pod.

# %% tags=["independent"]


def token():
    needs("pipelines", IN_CLUSTER and serves("kubeflow.org", "PodDefault"))
    path = os.environ.get("KF_PIPELINES_SA_TOKEN_PATH", "")
    assert path, "KF_PIPELINES_SA_TOKEN_PATH is not set: was the PodDefault access-ml-pipeline there before this pod?"
    assert read(path).count(".") == 2, f"{path} holds no token"


tried(token)

# %% [markdown]
# ## A pipeline of two steps, the second with what the first came to

# %% tags=["independent"]
PIPELINES = os.environ.get("KF_PIPELINES_ENDPOINT", "http://ml-pipeline.kubeflow.svc:8888")


def pipelines(method, path, body=None):
    token = os.environ.get("KF_PIPELINES_SA_TOKEN_PATH")
    headers = {"Authorization": "Bearer " + read(token)} if token else {}
    return json.loads(http(method, PIPELINES + "/apis/v2beta1" + path, body, headers))


def has_pipelines():
    if not IN_CLUSTER:
        return "KF_PIPELINES_ENDPOINT" in os.environ
    try:
        # A user may not look into the namespace kubeflow; the name of a service tells.
        return socket.getaddrinfo(urllib.parse.urlsplit(PIPELINES).hostname, None)
    except socket.gaierror:
        return False


def step(code, *arguments):
    return {"container": {"image": image, "command": ["python3", "-c", code], "args": list(arguments)}}


def two_steps(number):
    """What the SDK's compiler makes of two container components, in its own format (PipelineSpec 2.1.0)."""
    whole = {"parameters": {"n": {"parameterType": "NUMBER_INTEGER"}}}
    squares = (
        "import os, sys; os.makedirs(os.path.dirname(sys.argv[2]), exist_ok=True); open(sys.argv[2], 'w').write(str(int(sys.argv[1]) ** 2))"
    )
    checks = f"import sys; got = int(sys.argv[1]); print(got); sys.exit(got != {number**2})"
    first = {"producerTask": "square", "outputParameterKey": "square"}
    return {
        "pipelineInfo": {"name": "two-steps"},
        "schemaVersion": "2.1.0",
        "sdkVersion": "kfp-2.14.3",
        "components": {
            "comp-square": {
                "executorLabel": "exec-square",
                "inputDefinitions": whole,
                "outputDefinitions": {"parameters": {"square": {"parameterType": "NUMBER_INTEGER"}}},
            },
            "comp-check": {"executorLabel": "exec-check", "inputDefinitions": whole},
        },
        "deploymentSpec": {
            "executors": {
                "exec-square": step(squares, "{{$.inputs.parameters['n']}}", "{{$.outputs.parameters['square'].output_file}}"),
                "exec-check": step(checks, "{{$.inputs.parameters['n']}}"),
            }
        },
        "root": {
            "dag": {
                "tasks": {
                    "square": {
                        "componentRef": {"name": "comp-square"},
                        "taskInfo": {"name": "square"},
                        "inputs": {"parameters": {"n": {"runtimeValue": {"constant": number}}}},
                    },
                    "check": {
                        "componentRef": {"name": "comp-check"},
                        "dependentTasks": ["square"],
                        "taskInfo": {"name": "check"},
                        "inputs": {"parameters": {"n": {"taskOutputParameter": first}}},
                    },
                }
            }
        },
    }


def pipeline():
    needs("pipelines", has_pipelines())
    name = unique("pipeline")
    experiment = pipelines("POST", "/experiments", {"display_name": name, "namespace": namespace})["experiment_id"]
    run = pipelines(
        "POST", "/runs", {"display_name": name, "experiment_id": experiment, "pipeline_spec": two_steps(random.randrange(2, 1000))}
    )["run_id"]
    try:
        until, told = time.monotonic() + 60 * minutes, None
        while True:
            now = pipelines("GET", f"/runs/{run}")
            state = now.get("state", "PENDING")
            if state != told:
                print(f"run {run}: {state}", flush=True)
                told = state
            if state == "SUCCEEDED":
                return
            assert state in ("PENDING", "RUNNING", "RUNTIME_STATE_UNSPECIFIED"), f"the run is {state}: {now.get('error', '')}"
            assert time.monotonic() < until, f"the run is {state} after {minutes} minutes"
            time.sleep(3)
    finally:
        with contextlib.suppress(Refused):
            pipelines("DELETE", f"/runs/{run}")


tried(pipeline)

# %% [markdown]
# ## Runs of somebody else are not seen

# %% tags=["independent"]


def other_runs():
    needs("pipelines", serves("kubeflow.org", "Profile") and has_pipelines())
    try:
        seen = pipelines("GET", "/experiments?namespace=kubeflow")
    except Refused as refused:
        assert refused.status in (401, 403), refused
        print("refused, as it has to be:", refused)
    else:
        raise AssertionError(f"experiments of the namespace kubeflow are shown to {namespace}: {json.dumps(seen)[:300]}")


tried(other_runs)

# %% [markdown]
# ## Hyperparameters: the best trial is the best of what was tried

# %% tags=["independent"]


def experiment():
    version = serves("kubeflow.org", "Experiment")
    needs("katib", version)
    best = round(random.uniform(0.3, 0.7), 3)
    code = f"import sys; x = float(sys.argv[1]); print('score=%.6f' % (1 - (x - {best}) ** 2))"
    trial = {"name": "trial", "image": image, "command": ["python3", "-c", code, "${trialParameters.x}"]}
    pod = {
        "metadata": {"labels": {"sidecar.istio.io/inject": "false"}, "annotations": {"sidecar.istio.io/inject": "false"}},
        "spec": {"restartPolicy": "Never", "containers": [trial]},
    }
    spec = {
        "objective": {"type": "maximize", "objectiveMetricName": "score"},
        "algorithm": {"algorithmName": "random"},
        "parallelTrialCount": 2,
        "maxTrialCount": 3,
        "maxFailedTrialCount": 0,
        "parameters": [{"name": "x", "parameterType": "double", "feasibleSpace": {"min": "0", "max": "1"}}],
        "trialTemplate": {
            "primaryContainerName": "trial",
            "trialParameters": [{"name": "x", "reference": "x"}],
            "trialSpec": {"apiVersion": "batch/v1", "kind": "Job", "spec": {"backoffLimit": 0, "template": pod}},
        },
    }
    with Thing("kubeflow.org", version, "experiments", "Experiment", unique("katib"), spec=spec) as made:
        status = made.until("Succeeded", bad=("Failed",))["status"]
        assert status.get("trialsSucceeded", 0) == 3, f"{status.get('trialsSucceeded', 0)} trials succeeded, of 3"
        optimal = status["currentOptimalTrial"]
        x = float(optimal["parameterAssignments"][0]["value"])
        score = float(optimal["observation"]["metrics"][0]["latest"])
        assert abs(score - (1 - (x - best) ** 2)) < 1e-4, f"x={x} has the score {1 - (x - best) ** 2:.6f}, and Katib says {score}"
        print(f"the best of 3 trials: x={x}, score {score}")


tried(experiment)

# %% [markdown]
# ## A training job on two nodes, which have to find each other
#
# Each node has half of the data. They fit one line together: after each round they add up their gradients, over the address that the operator
# gives them. A node that is alone, or whose line is wrong, fails.

# %% tags=["independent"]
NODE = r'''
import json, os, socket, sys, time

def place():
    """Number of this node, how many there are, and where the first one listens."""
    e = os.environ
    if "TF_CONFIG" in e:
        config = json.loads(e["TF_CONFIG"])
        nodes = config["cluster"].get("chief", []) + config["cluster"].get("worker", [])
        first = len(config["cluster"].get("chief", []))
        own = config["task"]["index"] + (first if config["task"]["type"] == "worker" else 0)
        host, port = nodes[0].rsplit(":", 1)
        return own, len(nodes), host, int(port)
    if "WORLD_SIZE" in e:
        return int(e["RANK"]), int(e["WORLD_SIZE"]), e["MASTER_ADDR"], int(e["MASTER_PORT"])
    return int(e["PET_NODE_RANK"]), int(e["PET_NNODES"]), e["PET_MASTER_ADDR"], int(e["PET_MASTER_PORT"])

own, nodes, host, port = place()
print("node", own, "of", nodes, "meets at", host, port, flush=True)
assert nodes == 2, "there have to be two nodes"
if own == 0:
    door = socket.create_server(("", port))
    door.settimeout(240)
    pipe = door.accept()[0]
else:
    until = time.monotonic() + 240
    while True:
        try:
            pipe = socket.create_connection((host, port), timeout=5)
            break
        except OSError as error:
            assert time.monotonic() < until, error
            print("waiting for the first node:", error, flush=True)
            time.sleep(2)
pipe.settimeout(60)
lines = pipe.makefile("rw")

def summed(numbers):
    """The sum of what all nodes have."""
    if own == 0:
        total = [a + b for a, b in zip(numbers, json.loads(lines.readline()))]
        print(json.dumps(total), file=lines, flush=True)
        return total
    print(json.dumps(numbers), file=lines, flush=True)
    return json.loads(lines.readline())

slope, offset = float(sys.argv[1]), float(sys.argv[2])
data = [(i / 50, slope * i / 50 + offset) for i in range(own, 100, nodes)]
a = b = 0.0
for round_ in range(400):
    errors = [(a * x + b - y, x) for x, y in data]
    da, db, loss, count = summed([sum(e * x for e, x in errors), sum(e for e, _ in errors), sum(e * e for e, _ in errors), len(data)])
    a, b = a - 0.4 * da / count, b - 0.4 * db / count
    if round_ % 100 == 0:
        print("round", round_, "loss", loss / count, flush=True)
print("y = %.3f x + %.3f" % (a, b), flush=True)
assert count == 100, "only %d of 100 points were seen" % count
assert abs(a - slope) < 0.05 and abs(b - offset) < 0.05, "the line is wrong"
'''


def training():
    for group, kind, plural in (
        ("trainer.kubeflow.org", "TrainJob", "trainjobs"),
        ("kubeflow.org", "PyTorchJob", "pytorchjobs"),
        ("kubeflow.org", "TFJob", "tfjobs"),
    ):
        version = serves(group, kind)
        if version:
            break
    needs("training", version)
    command = ["python3", "-u", "-c", NODE, *(f"{random.uniform(1, 3):.3f}" for _ in range(2))]

    def replicas(container):
        pod = {
            "metadata": {"annotations": {"sidecar.istio.io/inject": "false"}},
            "spec": {"containers": [{"name": container, "image": image, "command": command}]},
        }
        return {"replicas": 1, "restartPolicy": "Never", "template": pod}

    spec = {
        "TrainJob": lambda: {
            "runtimeRef": {"name": "torch-distributed"},
            "trainer": {"numNodes": 2, "image": image, "command": command},
        },
        "PyTorchJob": lambda: {"pytorchReplicaSpecs": {"Master": replicas("pytorch"), "Worker": replicas("pytorch")}},
        "TFJob": lambda: {"tfReplicaSpecs": {"Chief": replicas("tensorflow"), "Worker": replicas("tensorflow")}},
    }[kind]()
    good = "Complete" if kind == "TrainJob" else "Succeeded"
    with Thing(group, version, plural, kind, unique("train"), spec=spec) as made:
        made.until(good, bad=("Failed",))


tried(training)

# %% [markdown]
# ## A model that is served, and answers with what it was asked

# %% tags=["independent"]
SERVER = r'''
import http.server, json, sys
slope, name = float(sys.argv[1]), sys.argv[2]

class Model(http.server.BaseHTTPRequestHandler):
    def answer(self, what):
        body = json.dumps(what).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_GET(self):
        self.answer({"name": name, "ready": True})

    def do_POST(self):
        asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.answer({"predictions": [[slope * x for x in row] for row in asked["instances"]]})

http.server.ThreadingHTTPServer(("", 8080), Model).serve_forever()
'''


def served():
    version = serves("serving.kserve.io", "InferenceService")
    needs("kserve", version and IN_CLUSTER)
    name, slope = unique("model"), round(random.uniform(2, 9), 3)
    container = {
        "name": "kserve-container",
        "image": image,
        "command": ["python3", "-u", "-c", SERVER, str(slope), name],
        "ports": [{"containerPort": 8080, "protocol": "TCP"}],
        "readinessProbe": {"httpGet": {"path": "/", "port": 8080}},
    }
    with contextlib.ExitStack() as made:
        mesh = serves("security.istio.io", "AuthorizationPolicy")
        if mesh:
            # Kubeflow's mesh denies what nobody allows.
            label = {"matchLabels": {"serving.kserve.io/inferenceservice": name}}
            allow = {"selector": label, "action": "ALLOW", "rules": [{}]}
            made.enter_context(Thing("security.istio.io", mesh, "authorizationpolicies", "AuthorizationPolicy", name, spec=allow))
        spec = {"predictor": {"containers": [container]}}
        model = made.enter_context(Thing("serving.kserve.io", version, "inferenceservices", "InferenceService", name, spec=spec))
        status = model.until("Ready")["status"]
        url = status.get("address", {}).get("url") or status["url"]
        rows = [[random.randrange(1000)] for _ in range(3)]
        until = time.monotonic() + 60
        while True:
            try:
                answer = json.loads(http("POST", f"{url}/v1/models/{name}:predict", {"instances": rows}))
                break
            except (Refused, OSError) as error:
                # Routes take a moment after the service is ready.
                assert time.monotonic() < until, f"{url} does not answer: {error}"
                time.sleep(2)
        wanted = [[slope * x for x in row] for row in rows]
        assert answer.get("predictions") == wanted, f"asked for {rows}: {answer}, not {wanted}"
        print(f"{url}: {rows} → {answer['predictions']}")


tried(served)

# %% [markdown]
# ## A notebook that gets ready

# %% tags=["independent"]


def notebook():
    version = serves("kubeflow.org", "Notebook")
    needs("notebooks", version)
    name = unique("notebook")
    container = {"name": name, "image": image, "command": ["python3", "-m", "http.server", "8888"], "ports": [{"containerPort": 8888}]}
    spec = {"template": {"spec": {"containers": [container]}}}
    with Thing("kubeflow.org", version, "notebooks", "Notebook", name, spec=spec) as made:
        made.until("Ready")
        assert made.last["status"].get("readyReplicas") == 1, "no replica is ready"


tried(notebook)

# %% [markdown]
# ## The SDKs fit together with what is installed here

# %% tags=["independent"]


def packages():
    if not sdks.split():
        raise unittest.SkipTest("no SDK is named in `sdks`")
    venv = f"/tmp/{unique('sdks')}"
    python = venv + "/bin/python"
    for command in (
        [sys.executable, "-m", "venv", "--system-site-packages", venv],
        [python, "-m", "pip", "install", "-q", *sdks.split()],
        [python, "-m", "pip", "check"],
    ):
        done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        print(done.stdout, flush=True)
        assert done.returncode == 0, f"{' '.join(command[1:4])}: {done.stdout[-300:]}"


tried(packages)

# %% [markdown]
# ## Something was tried

# %%
print("tried:", ", ".join(ran))
assert not failed, "failed: " + ", ".join(failed)
assert ran, "the cluster serves none of Kubeflow's components: nothing was tried"
