"""The sandbox's AWS keeps the promises that the product's teardown relies on.

Run with the sandbox up, by the Python of its cache: python -m unittest discover -s e2e/sandbox/tests
"""

import base64
import json
import os
import subprocess
import tempfile
import time
import unittest
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError, ConnectionClosedError

FREEZER = Path("/sys/fs/cgroup/freezer")
URL = os.environ.get("AWS_ENDPOINT_URL", "http://127.0.0.1:5555")


def control(what: str, body=None):
    request = urllib.request.Request(f"{URL}/sandbox/{what}", method="PUT" if body is not None else "GET",
                                     data=json.dumps(body).encode() if body is not None else None)
    return json.load(urllib.request.urlopen(request, timeout=10))


def until(what: str, condition, seconds: float = 60):
    end = time.monotonic() + seconds
    while not (seen := condition()):
        if time.monotonic() > end:
            raise AssertionError(f"not within {seconds} s: {what}")
        time.sleep(0.2)
    return seen


class Cloud(unittest.TestCase):
    def setUp(self):
        # One try: a retry would hide a fault, or carry a request out twice.
        self.ec2 = boto3.client("ec2", config=Config(retries={"total_max_attempts": 1}))
        # The sandbox may hold another's instances: everything here is found by a tag of its own.
        self.run = f"{self.id().rsplit('.', 1)[-1]}-{time.time_ns()}"
        self.filter = [{"Name": "tag:sandbox-test", "Values": [self.run]}]
        self.addCleanup(self.remove_all)
        images = self.ec2.describe_images(Owners=["099720109477"], Filters=[{"Name": "name", "Values": ["ubuntu/images/*-24.04-amd64-*"]}])
        self.image = images["Images"][0]["ImageId"]
        self.group = self.ec2.create_security_group(GroupName=self.run, Description="test", TagSpecifications=[self.tags("security-group")])["GroupId"]
        self.directory = Path(self.enterContext(tempfile.TemporaryDirectory()))
        for key in ("user", "host"):
            subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", self.directory / key], check=True)

    def tags(self, kind: str) -> dict:
        return {"ResourceType": kind, "Tags": [{"Key": "sandbox-test", "Value": self.run}]}

    def remove_all(self):
        control("faults", [])
        if live := self.live():
            self.ec2.terminate_instances(InstanceIds=live)
        for group in self.ec2.describe_security_groups(Filters=self.filter)["SecurityGroups"]:
            self.ec2.delete_security_group(GroupId=group["GroupId"])

    def instances(self) -> list:
        reservations = self.ec2.describe_instances(Filters=self.filter)["Reservations"]
        return [i for r in reservations for i in r["Instances"]]

    def live(self) -> list:
        return [i["InstanceId"] for i in self.instances() if i["State"]["Name"] != "terminated"]

    def state(self) -> str:
        return self.instances()[0]["State"]["Name"]

    def launch(self, **more) -> dict:
        host_key = "".join(f"    {line}\n" for line in (self.directory / "host").read_text().splitlines())
        user_data = (
            "#cloud-config\n"
            f"ssh_authorized_keys:\n  - {(self.directory / 'user.pub').read_text()}"
            f"ssh_keys:\n  ed25519_private: |\n{host_key}  ed25519_public: {(self.directory / 'host.pub').read_text()}"
        )
        return self.ec2.run_instances(**{
            "ImageId": self.image, "MinCount": 1, "MaxCount": 1, "InstanceType": "m7i.2xlarge", "SecurityGroupIds": [self.group],
            "UserData": user_data, "InstanceInitiatedShutdownBehavior": "terminate",
            "BlockDeviceMappings": [{"DeviceName": "/dev/sda1", "Ebs": {"VolumeSize": 80, "Encrypted": True, "VolumeType": "gp3"}}],
            "TagSpecifications": [self.tags(kind) for kind in ("instance", "volume", "network-interface")], **more,
        })["Instances"][0]

    def ssh(self, address: str, command: str) -> subprocess.CompletedProcess:
        known = self.directory / "known_hosts"
        known.write_text(f"{address} {(self.directory / 'host.pub').read_text()}")
        return subprocess.run(
            ["ssh", "-i", self.directory / "user", "-o", f"UserKnownHostsFile={known}", "-o", "StrictHostKeyChecking=yes", "-o", "BatchMode=yes",
             "-o", "ConnectTimeout=5", "-o", "LogLevel=ERROR", f"ubuntu@{address}", command],
            capture_output=True, text=True, timeout=60, check=False,
        )

    def test_an_instance_is_reached_by_ssh_under_the_host_key_of_its_user_data(self):
        address = self.launch()["PublicIpAddress"]
        until("ssh answers", lambda: self.ssh(address, "true").returncode == 0)
        seen = self.ssh(address, "cloud-init status --wait >/dev/null; whoami; sudo -n docker info -f '{{.ServerVersion}}'")
        self.assertEqual(seen.returncode, 0, seen.stderr)
        self.assertEqual(seen.stdout.splitlines()[0], "ubuntu")

        # Under another key it is not.
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", self.directory / "other"], check=True)
        (self.directory / "other.pub").replace(self.directory / "host.pub")
        self.assertNotEqual(self.ssh(address, "true").returncode, 0)

    @unittest.skipUnless(FREEZER.exists(), "cgroups of version 2 kill what is frozen")
    def test_an_instance_ends_though_something_in_it_is_frozen(self):
        name = f"sandbox-{self.launch()['InstanceId']}"
        of = lambda what: subprocess.run(["docker", "inspect", "-f", what, name], capture_output=True, text=True, check=False).stdout.strip()
        cgroup = next(FREEZER.glob(f"**/{of('{{.Id}}')}")) / "frozen"
        cgroup.mkdir()
        subprocess.run(["docker", "exec", "-d", name, "sleep", "600.5"], check=True)
        top = lambda: subprocess.run(["docker", "top", name, "-eo", "pid,args"], capture_output=True, text=True, check=True).stdout
        sleep = until("it sleeps", lambda: next((line.split()[0] for line in top().splitlines() if "sleep 600.5" in line), None))
        (cgroup / "tasks").write_text(sleep)
        (cgroup / "freezer.state").write_text("FROZEN")
        self.ec2.terminate_instances(InstanceIds=[name.removeprefix("sandbox-")])
        self.assertEqual(of("{{.Id}}"), "")

    def test_a_power_off_from_within_terminates_the_instance_and_takes_its_volume_and_interface(self):
        address = self.launch()["PublicIpAddress"]
        until("ssh answers", lambda: self.ssh(address, "true").returncode == 0)
        self.assertEqual(len(self.ec2.describe_volumes(Filters=self.filter)["Volumes"]), 1)
        self.assertEqual(len(self.ec2.describe_network_interfaces(Filters=self.filter)["NetworkInterfaces"]), 1)

        self.ssh(address, "sudo systemctl poweroff")
        until("the instance is terminated", lambda: self.state() == "terminated")
        self.assertEqual(self.instances()[0]["StateReason"]["Code"], "Client.InstanceInitiatedShutdown")
        self.assertEqual(self.ec2.describe_volumes(Filters=self.filter)["Volumes"], [])
        self.assertEqual(self.ec2.describe_network_interfaces(Filters=self.filter)["NetworkInterfaces"], [])

    def test_a_client_token_launches_once(self):
        first = self.launch(ClientToken=self.run)["InstanceId"]
        self.assertEqual(self.launch(ClientToken=self.run)["InstanceId"], first)
        self.assertEqual(self.live(), [first])
        with self.assertRaises(ClientError) as refused:
            self.launch(ClientToken=self.run, InstanceType="m7i.4xlarge")
        self.assertEqual(refused.exception.response["Error"]["Code"], "IdempotentParameterMismatch")

    def test_a_group_in_use_is_kept_and_all_of_a_run_can_be_gone(self):
        mine = self.launch()["InstanceId"]
        with self.assertRaises(ClientError) as refused:
            self.ec2.delete_security_group(GroupId=self.group)
        self.assertEqual(refused.exception.response["Error"]["Code"], "DependencyViolation")
        left = control("leftovers")
        self.assertIn(mine, left["instances"])
        self.assertIn(self.run, left["security_groups"])
        volume = self.ec2.describe_volumes(Filters=self.filter)["Volumes"][0]["VolumeId"]
        self.assertIn(volume, left["volumes"])

        self.ec2.terminate_instances(InstanceIds=[mine])
        self.ec2.delete_security_group(GroupId=self.group)
        left = control("leftovers")
        self.assertNotIn(mine, left["instances"])
        self.assertNotIn(self.run, left["security_groups"])
        self.assertNotIn(volume, left["volumes"])
        shown = subprocess.run(["docker", "ps", "-aq", "--filter", f"name=sandbox-{mine}"], capture_output=True, text=True, check=True)
        self.assertEqual(shown.stdout, "")

    def test_a_fault_is_used_up(self):
        control("faults", [{"action": "RunInstances", "match": {"InstanceType": "c7i.large"}, "code": "InsufficientInstanceCapacity", "status": 500}])
        with self.assertRaises(ClientError) as refused:
            self.launch(InstanceType="c7i.large")
        self.assertEqual(refused.exception.response["Error"]["Code"], "InsufficientInstanceCapacity")
        self.assertEqual(self.live(), [])
        self.launch(InstanceType="c7i.large")
        self.assertEqual(len(self.live()), 1)

    def test_a_fault_may_be_of_one_region(self):
        control("faults", [{"action": "DescribeRegions", "region": "eu-south-1", "code": "UnauthorizedOperation", "status": 403}])
        self.ec2.describe_regions()
        with self.assertRaises(ClientError):
            boto3.client("ec2", region_name="eu-south-1", config=Config(retries={"total_max_attempts": 1})).describe_regions()

    def test_tags_come_and_go_on_all_that_a_launch_makes(self):
        instance = self.launch()["InstanceId"]
        volume = self.ec2.describe_volumes(Filters=self.filter)["Volumes"][0]["VolumeId"]
        interface = self.ec2.describe_network_interfaces(Filters=self.filter)["NetworkInterfaces"][0]["NetworkInterfaceId"]
        key, resources = f"mark-{self.run}", [instance, volume, interface, self.group]

        def marked() -> set:
            by_key = [{"Name": "tag-key", "Values": [key]}]
            instances = [i["InstanceId"] for r in self.ec2.describe_instances(Filters=by_key)["Reservations"] for i in r["Instances"]]
            volumes = [v["VolumeId"] for v in self.ec2.describe_volumes(Filters=by_key)["Volumes"]]
            interfaces = [n["NetworkInterfaceId"] for n in self.ec2.describe_network_interfaces(Filters=by_key)["NetworkInterfaces"]]
            groups = [g["GroupId"] for g in self.ec2.describe_security_groups(Filters=by_key)["SecurityGroups"]]
            return {*instances, *volumes, *interfaces, *groups}

        self.ec2.create_tags(Resources=resources, Tags=[{"Key": key, "Value": "now"}])
        self.assertEqual(marked(), set(resources))
        self.ec2.delete_tags(Resources=resources, Tags=[{"Key": key}])
        self.assertEqual(marked(), set())

    def test_a_dropped_answer_leaves_the_deed(self):
        control("faults", [{"action": "RunInstances", "drop": True}])
        with self.assertRaises(ConnectionClosedError):
            self.launch(ClientToken=self.run)
        self.assertEqual(len(self.live()), 1)
        self.assertEqual(self.launch(ClientToken=self.run)["InstanceId"], self.live()[0])
        self.assertIn("RunInstances", [c["action"] for c in control("calls") if c.get("ClientToken") == self.run])

    def test_an_instance_may_die_before_it_comes_up(self):
        control("faults", [{"action": "RunInstances", "dies": {"code": "Server.InternalError", "after": 1}}])
        mine = self.launch()["InstanceId"]
        self.assertEqual(self.state(), "pending")
        until("its end", lambda: self.live() == [])
        ended = self.ec2.describe_instances(InstanceIds=[mine])["Reservations"][0]["Instances"][0]
        self.assertEqual(ended["StateReason"]["Code"], "Server.InternalError")

    def test_an_instance_may_be_ended_by_two_at_once_and_once_more(self):
        control("faults", [{"action": "RunInstances", "dies": {"code": "Server.InternalError", "after": 60}}])
        mine = self.launch()["InstanceId"]
        with ThreadPoolExecutor() as both:
            list(both.map(lambda _: self.ec2.terminate_instances(InstanceIds=[mine]), range(2)))
        again = self.ec2.terminate_instances(InstanceIds=[mine])["TerminatingInstances"][0]
        self.assertEqual(again["CurrentState"]["Name"], "terminated")
        self.assertEqual(self.live(), [])

    def test_a_token_is_of_one_request(self):
        self.launch(ClientToken=self.run)
        with self.assertRaises(ClientError) as refused:
            self.launch(ClientToken=self.run, BlockDeviceMappings=[{"DeviceName": "/dev/sda1", "Ebs": {"VolumeSize": 9}}])
        self.assertEqual(refused.exception.response["Error"]["Code"], "IdempotentParameterMismatch")
        self.assertEqual(len(self.live()), 1)

    def test_an_instance_keeps_its_address_and_disk_when_it_is_stopped_and_started(self):
        launched = self.launch()
        address = launched["PublicIpAddress"]
        until("ssh answers", lambda: self.ssh(address, "echo kept >~/file").returncode == 0)
        self.ec2.stop_instances(InstanceIds=[launched["InstanceId"]])
        self.assertEqual(self.state(), "stopped")
        self.ec2.start_instances(InstanceIds=[launched["InstanceId"]])
        self.assertEqual(self.instances()[0]["PublicIpAddress"], address)
        until("the file is there", lambda: self.ssh(address, "cat ~/file").stdout == "kept\n")

    def test_a_session_is_given_for_a_token_and_ends(self):
        def part(claims):
            return base64.urlsafe_b64encode(json.dumps(claims).encode()).decode().rstrip("=")

        def assume(audience, role):
            token = f"{part({})}.{part({'aud': audience, 'exp': time.time() + 60})}.signed"
            return boto3.client("sts").assume_role_with_web_identity(RoleArn=f"arn:aws:iam::123456789012:role/{role}", RoleSessionName="test", WebIdentityToken=token)

        with self.assertRaisesRegex(ClientError, "InvalidIdentityToken"):
            assume("somebody.else", "e2e-2s")
        with self.assertRaisesRegex(ClientError, "AccessDenied"):
            assume("sts.amazonaws.com", "denied")
        keys = assume("sts.amazonaws.com", "e2e-2s")["Credentials"]
        ec2 = boto3.client("ec2", aws_access_key_id=keys["AccessKeyId"], aws_secret_access_key=keys["SecretAccessKey"], aws_session_token=keys["SessionToken"])
        ec2.describe_regions()
        time.sleep(2.1)
        with self.assertRaisesRegex(ClientError, "RequestExpired"):
            ec2.describe_regions()

    def test_the_console_shows_the_boot(self):
        launched = self.launch()
        until("ssh answers", lambda: self.ssh(launched["PublicIpAddress"], "true").returncode == 0)
        output = self.ec2.get_console_output(InstanceId=launched["InstanceId"])["Output"]
        text = output if "ssh" in output else base64.b64decode(output).decode()
        self.assertIn("Cloud-init", text)


if __name__ == "__main__":
    unittest.main()
