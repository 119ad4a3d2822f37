"""EC2 instances as containers with systemd, cloud-init and sshd, on the Docker network `sandbox`.

Replaces what moto's EC2 does to an instance by what AWS does: it boots and has an address, it stops, starts, reboots and
powers off, and takes its volumes and interfaces with it when it goes.
"""

import base64
import itertools
import json
import shutil
import subprocess
import threading
import time
from datetime import datetime, timezone
from pathlib import Path
from tempfile import mkdtemp

from moto.core.responses import ActionResult
from moto.ec2.exceptions import DependencyViolationError, EC2ClientError, InvalidAMIIdError
from moto.ec2.models import ec2_backends
from moto.ec2.models.instances import InstanceBackend, StateReason
from moto.ec2.models.security_groups import SecurityGroupBackend
from moto.ec2.responses.general import General
from moto.ec2.responses.instances import InstanceResponse
from moto.ec2.utils import filter_dict_attribute_mapping
from moto.ssm.models import ssm_backends

LABEL = "sandbox.instance"
# In turn: whoever still looks for a host that is gone must not meet the next one under its address.
ADDRESSES = itertools.cycle(f"10.99.0.{n}" for n in range(10, 250))
doom = threading.local()  # how an instance dies that the request of this thread launches


def run(*command, check: bool = True) -> str:
    done = subprocess.run(command, capture_output=True, text=True)
    if check and done.returncode:
        raise RuntimeError(f"{' '.join(map(str, command))}: {done.stderr.strip()}")
    return done.stdout.strip()


def docker(*args: str, check: bool = True) -> str:
    return run("docker", *args, check=check)


def remove(container: str, check: bool = True) -> None:
    run(Path(__file__).parent.parent / "remove", container, check=check)


def show_address(instance) -> None:
    nic = instance.nics[0]
    nic.public_ip = nic.private_ip_address = instance.sandbox_address


def boot(instance, user_data: bytes) -> None:
    """Starts the container of one instance and gives the instance an address, which it keeps until it is terminated."""
    instance.sandbox_seed = seed = Path(mkdtemp(prefix="seed-"))
    (seed / "meta-data").write_text(f"instance-id: {instance.id}\nlocal-hostname: {instance.id}\n")
    (seed / "user-data").write_bytes(user_data or b"#cloud-config\n{}\n")
    kept = {i.sandbox_address for _, i in all_instances() if i.state != "terminated" and hasattr(i, "sandbox_address")}
    for instance.sandbox_address in itertools.islice(ADDRESSES, 240):
        if instance.sandbox_address in kept:
            continue
        try:
            docker(
                "run", "-d", "--privileged", "--cgroupns=private", "--network", "sandbox", "--ip", instance.sandbox_address,
                "--tmpfs", "/run:exec", "--tmpfs", "/tmp:exec",
                "--name", f"sandbox-{instance.id}", "--hostname", instance.id, "--label", f"{LABEL}={instance.id}",
                "-v", f"{seed}:/var/lib/cloud/seed/nocloud:ro", "-v", "/lib/modules:/lib/modules:ro", "sandbox/instance",
            )
            break
        except RuntimeError as error:
            remove(f"sandbox-{instance.id}", check=False)
            if "Address already in use" not in str(error):
                raise
    show_address(instance)


def all_instances():
    for account in list(ec2_backends.values()):
        for backend in list(account.values()):
            for reservation in list(backend.reservations.values()):
                for instance in list(reservation.instances):
                    yield backend, instance


moto_run, moto_terminate = InstanceBackend.run_instances, InstanceBackend.terminate_instances
moto_stop, moto_start, moto_reboot = InstanceBackend.stop_instances, InstanceBackend.start_instances, InstanceBackend.reboot_instances
launches = threading.Lock()


def run_instances(self, image_id, count, user_data, security_group_names, **kwargs):
    with launches:
        token = kwargs.get("client_token")
        asked = repr((image_id, count, user_data and user_data.as_bytes(), {k: v for k, v in kwargs.items() if k != "client_token"}))
        for reservation in self.reservations.values():
            if token and token != "ABCDE" and any(i.client_token == token for i in reservation.instances):
                if reservation.asked != asked:
                    raise EC2ClientError("IdempotentParameterMismatch", f"The client token {token} was used with other parameters")
                return reservation
        if image_id.startswith("resolve:ssm:"):
            found = ssm_backends[self.account_id][self.region_name].get_parameter(image_id.removeprefix("resolve:ssm:"))
            if not found:
                raise InvalidAMIIdError(image_id)
            image_id = found.value
        reservation = moto_run(self, image_id, count, user_data, security_group_names, **kwargs)
        reservation.asked = asked
        for instance in reservation.instances:
            for nic in instance.nics.values():
                nic.delete_on_termination = True
                nic.add_tags(kwargs.get("tags", {}).get("network-interface", {}))
            if getattr(doom, "dies", None):
                die(self, instance, **doom.dies)
            else:
                boot(instance, base64.b64decode(user_data.as_bytes()) if user_data else b"")
        return reservation


endings = threading.Lock()  # moto ends the interface of an instance that it ended before once more, and fails


def die(backend, instance, code, message="set by a test", after=0):
    """Leaves an instance pending, without a machine, and ends it as EC2 ends one that it cannot bring up."""
    instance._state.name, instance._state.code = "pending", 0

    def end():
        with endings:
            if instance.state != "terminated":
                moto_terminate(backend, [instance.id])
                instance.state_reason = StateReason(f"{code}: {message}", code)

    threading.Timer(after, end).start() if after else end()


def terminate_instances(self, instance_ids):
    with endings:
        instances = self.get_multi_instances_by_id(instance_ids)
        for instance in instances:
            instance.was_terminated = instance.state == "terminated"
        gone = [instance for instance in instances if instance.was_terminated]
        ids = [instance.id for instance in instances if not instance.was_terminated]
        done = moto_terminate(self, ids) if ids or not instance_ids else []
    for instance, _ in done:
        if getattr(instance, "ended_itself", False):
            code = "Client.InstanceInitiatedShutdown"
            instance.state_reason = StateReason(f"{code}: Instance initiated shutdown", code)
        remove(f"sandbox-{instance.id}", check=False)
        shutil.rmtree(getattr(instance, "sandbox_seed", "/nonexistent"), ignore_errors=True)
    return done + [(instance, instance._state) for instance in gone]


def stop_instances(self, instance_ids):
    done = moto_stop(self, instance_ids)
    for instance, _ in done:
        docker("stop", "-t", "30", f"sandbox-{instance.id}", check=False)
    return done


def start_instances(self, instance_ids):
    for instance in self.get_multi_instances_by_id(instance_ids):
        if instance.state == "terminated":
            raise EC2ClientError("IncorrectInstanceState", f"The instance '{instance.id}' is not in a state from which it can be started.")
    done = moto_start(self, instance_ids)
    for instance, _ in done:
        docker("start", f"sandbox-{instance.id}")
        show_address(instance)
    return done


def reboot_instances(self, instance_ids):
    done = moto_reboot(self, instance_ids)
    for instance in done:
        instance.rebooting = True  # else the exit looks like a power-off
        docker("restart", "-t", "30", f"sandbox-{instance.id}")
        instance.rebooting = False
    return done


def get_console_output(self):
    """What cloud-init and the unit log of the instance say: the last 64 KiB, as on AWS."""
    instance = self.ec2_backend.get_instance(self._get_param("InstanceId"))
    name = f"sandbox-{instance.id}"
    text = docker("exec", name, "sh", "-c", "journalctl -b -o short-iso --no-pager; cat /var/log/cloud-init-output.log", check=False)
    text = text or docker("logs", name, check=False)
    if text:
        instance.console = text
    output = base64.b64encode(getattr(instance, "console", "").encode()[-65536:]).decode()
    return ActionResult({"InstanceId": instance.id, "Timestamp": datetime.now(timezone.utc), "Output": output})


moto_terminate_answer = InstanceResponse.terminate_instances


def terminate_answer(self):
    answer = moto_terminate_answer(self)
    for one in answer.result["TerminatingInstances"]:
        if self.ec2_backend.get_instance(one["InstanceId"]).was_terminated:
            one["CurrentState"] = {"Code": 48, "Name": "terminated"}
    return answer


moto_devices = InstanceResponse._parse_block_device_mapping


def block_devices(self):
    """Lets a root volume go with its instance unless the request says otherwise, as the images' own mapping does."""
    asked = {d.get("DeviceName"): d.get("Ebs", {}).get("DeleteOnTermination") for d in self._get_param("BlockDeviceMappings", [])}
    devices = moto_devices(self)
    for device in devices:
        if device["DeviceName"] == "/dev/sda1" and asked["/dev/sda1"] is None:
            device["Ebs"]["DeleteOnTermination"] = True
    return devices


moto_modify, moto_groups = InstanceResponse.modify_instance_attribute, InstanceResponse._security_grp_instance_attribute_handler
moto_metadata = InstanceBackend.modify_instance_metadata_options


def modify_instance_attribute(self):
    value = self._get_param("InstanceInitiatedShutdownBehavior.Value")
    if value is None:
        return moto_modify(self)
    self.error_on_dryrun()
    self.ec2_backend.modify_instance_attribute(self._get_param("InstanceId"), "instance_initiated_shutdown_behavior", value)
    return ActionResult({})


def change_groups(self):
    return moto_groups(self) if self._get_param("Groups", []) else False  # moto alone takes every group away


def modify_metadata(self, instance_id, http_tokens=None, hop_limit=None, http_endpoint=None, dry_run=False, http_protocol=None, metadata_tags=None):
    old = self.get_instance(instance_id).metadata_options
    return moto_metadata(
        self, instance_id, http_tokens or old.http_tokens, hop_limit or old.http_put_response_hop_limit,
        http_endpoint or old.http_endpoint, dry_run, http_protocol or old.http_protocol_ipv6, metadata_tags or old.instance_metadata_tags,
    )


moto_delete_group = SecurityGroupBackend._delete_security_group


def delete_security_group(self, vpc_id, group_id):
    if any(group_id in (g.id for g in i.security_groups) and i.state != "terminated" for _, i in all_instances()):
        raise DependencyViolationError(f"resource {group_id} has a dependent object")
    return moto_delete_group(self, vpc_id, group_id)


SecurityGroupBackend._delete_security_group = delete_security_group
filter_dict_attribute_mapping["client-token"] = "client_token"
InstanceBackend.run_instances, InstanceBackend.terminate_instances = run_instances, terminate_instances
InstanceBackend.stop_instances, InstanceBackend.start_instances, InstanceBackend.reboot_instances = stop_instances, start_instances, reboot_instances
InstanceBackend.modify_instance_metadata_options = modify_metadata
InstanceResponse.terminate_instances, InstanceResponse._parse_block_device_mapping = terminate_answer, block_devices
InstanceResponse.modify_instance_attribute, InstanceResponse._security_grp_instance_attribute_handler = modify_instance_attribute, change_groups
General.get_console_output = get_console_output


def ended(died: str, code: str) -> None:
    """Tells the API that the container of an instance has ended with that exit code."""
    if docker("inspect", "-f", "{{.State.Running}}", f"sandbox-{died}", check=False) == "true":
        return  # restarted meanwhile
    for backend, instance in all_instances():
        if instance.id == died and instance.state == "running" and not getattr(instance, "rebooting", False):
            if code == "129":  # the kernel ends a rebooting init by SIGHUP, one that powers off by SIGINT
                docker("start", f"sandbox-{died}", check=False)
            elif instance.instance_initiated_shutdown_behavior == "terminate":
                instance.ended_itself = True
                backend.terminate_instances([died])
            else:
                instance.stop()


def follow_power_off() -> None:
    """Carries a power-off from within an instance over to the API, also one from while the engine was restarted."""
    exited = '{{if eq .State.Status "exited"}}{{.State.ExitCode}}{{end}}'
    while True:
        events = subprocess.Popen(
            ["docker", "events", "--filter", "event=die", "--filter", f"label={LABEL}", "--format", "{{json .Actor.Attributes}}"],
            stdout=subprocess.PIPE, text=True,
        )
        for instance in [i for _, i in all_instances() if i.state == "running"]:
            if code := docker("inspect", "-f", exited, f"sandbox-{instance.id}", check=False):
                ended(instance.id, code)
        for line in events.stdout:
            attributes = json.loads(line)
            ended(attributes[LABEL], attributes.get("exitCode"))
        events.wait()
        time.sleep(1)
