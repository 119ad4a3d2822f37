"""The sandbox's AWS refuses what a policy does not allow, and carries out nothing that says DryRun."""

import json
import os
import unittest
import urllib.request
import uuid

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError

URL = os.environ.get("AWS_ENDPOINT_URL", "http://127.0.0.1:5555")
OURS = {"Key": "sandbox-test/run", "Value": "1"}


class Permissions(unittest.TestCase):
    def setUp(self):
        self.key, self.everyone = f"KEY{uuid.uuid4().hex[:16].upper()}", boto3.client("ec2")
        self.ec2 = boto3.client("ec2", aws_access_key_id=self.key, aws_secret_access_key="x", config=Config(retries={"total_max_attempts": 1}))

    def permit(self, *statements: dict):
        policy = {"Statement": [{"Effect": "Allow", "Resource": "*", **one} for one in statements]}
        request = urllib.request.Request(f"{URL}/sandbox/policies", method="PUT", data=json.dumps({self.key: policy}).encode())
        urllib.request.urlopen(request, timeout=10).close()

    def refused(self, call, **arguments) -> str:
        with self.assertRaises(ClientError) as caught:
            call(**arguments)
        return caught.exception.response["Error"]["Code"]

    def group(self, *tags: dict) -> str:
        made = self.everyone.create_security_group(
            GroupName=self.key + str(len(tags)), Description="test", TagSpecifications=[{"ResourceType": "security-group", "Tags": list(tags)}] if tags else [])
        self.addCleanup(lambda: self.everyone.delete_security_group(GroupId=made["GroupId"]))
        return made["GroupId"]

    def test_a_key_without_a_policy_may_do_everything_and_one_with_it_only_that(self):
        self.assertEqual(self.refused(self.ec2.describe_regions, DryRun=True), "DryRunOperation")
        self.permit({"Action": "ec2:DescribeVpcs"})
        self.ec2.describe_vpcs()
        self.assertEqual(self.refused(self.ec2.describe_regions), "UnauthorizedOperation")
        self.assertEqual(self.refused(self.ec2.describe_regions, DryRun=True), "UnauthorizedOperation")

    def test_a_policy_for_tags_lets_nothing_else_be_ended(self):
        ours, foreign = self.group(OURS), self.group()
        self.permit({"Action": "ec2:DeleteSecurityGroup", "Condition": {"Null": {"aws:ResourceTag/sandbox-test/run": "false"}}})
        for group, code in ((ours, "DryRunOperation"), (foreign, "UnauthorizedOperation"), ("sg-00000000000000000", "UnauthorizedOperation")):
            self.assertEqual(self.refused(self.ec2.delete_security_group, GroupId=group, DryRun=True), code, group)
        self.permit({"Action": "ec2:*"})
        self.assertEqual(self.refused(self.ec2.delete_security_group, GroupId="sg-00000000000000000", DryRun=True), "InvalidGroup.NotFound")

    def test_what_is_made_has_to_be_tagged_and_may_be(self):
        made = {"Action": "ec2:CreateSecurityGroup", "Condition": {"Null": {"aws:RequestTag/sandbox-test/run": "false"}}}
        there = {"Action": "ec2:CreateSecurityGroup", "Resource": "arn:aws:ec2:*:*:vpc/*"}
        tags = {"Action": "ec2:CreateTags", "Condition": {"StringEquals": {"ec2:CreateAction": "CreateSecurityGroup"}}}
        arguments = {"GroupName": self.key, "Description": "test", "DryRun": True}
        tagged = {**arguments, "TagSpecifications": [{"ResourceType": "security-group", "Tags": [OURS]}]}
        self.permit(made, there)
        self.assertEqual(self.refused(self.ec2.create_security_group, **tagged), "UnauthorizedOperation")
        self.permit(made, there, tags)
        self.assertEqual(self.refused(self.ec2.create_security_group, **tagged), "DryRunOperation")
        self.assertEqual(self.refused(self.ec2.create_security_group, **arguments), "UnauthorizedOperation")


if __name__ == "__main__":
    unittest.main()
