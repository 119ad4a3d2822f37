"""IAM as far as EC2 asks it: who may send a request, and what DryRun answers.

A policy is set for an access key; a key without one may do everything. Requests are taken apart as EC2 does it, into one
question for each resource that it touches, each with the tags of the request and of the resource.
"""

import base64
import fnmatch
import json
import re
import zlib
from urllib.parse import parse_qs

from moto.ec2.models import ec2_backends
from moto.iam.models import iam_backends
from moto.s3.models import s3_backends

ACCOUNT = "123456789012"
KINDS = {"i": "instance", "vol": "volume", "eni": "network-interface", "sg": "security-group", "ami": "image", "subnet": "subnet", "vpc": "vpc"}
UNKNOWN = {
    "instance": ("InvalidInstanceID.NotFound", "The instance ID '{}' does not exist"),
    "volume": ("InvalidVolume.NotFound", "The volume '{}' does not exist."),
    "network-interface": ("InvalidNetworkInterfaceID.NotFound", "The networkInterface ID '{}' does not exist"),
    "security-group": ("InvalidGroup.NotFound", "The security group '{}' does not exist"),
    "image": ("InvalidAMIID.NotFound", "The image id '[{}]' does not exist"),
    "subnet": ("InvalidSubnetID.NotFound", "The subnet ID '{}' does not exist"),
    "vpc": ("InvalidVpcID.NotFound", "The vpc ID '{}' does not exist"),
}
policies: dict[str, dict] = {}


def listed(value) -> list:
    return value if isinstance(value, list) else [value]


def like(pattern: str, text: str) -> bool:
    return fnmatch.fnmatchcase(text, pattern.replace("[", "[[]"))


def holds(operator: str, key: str, wanted: list, context: dict) -> bool:
    there = listed(context[key]) if key in context else None
    if operator == "Null":
        return wanted[0] == ("true" if there is None else "false")
    if operator == "ForAllValues:StringEquals":
        return all(value in wanted for value in there or [])
    if operator == "StringEquals":
        return there is not None and any(value in wanted for value in there)
    if operator == "StringLike":
        return there is not None and any(like(pattern, value) for value in there for pattern in wanted)
    raise NotImplementedError(operator)


def allows(policy: dict, call: str, resource: str, context: dict) -> bool:
    return any(
        any(like(pattern.lower(), call.lower()) for pattern in listed(one["Action"]))
        and any(like(pattern, resource) for pattern in listed(one["Resource"]))
        and all(holds(operator, key, listed(wanted), context)
                for operator, keys in one.get("Condition", {}).items() for key, wanted in keys.items())
        for one in policy["Statement"] if one["Effect"] == "Allow"
    )


def specified(form: dict) -> dict[str, dict[str, str]]:
    """The tags that a request gives to what it makes, by kind."""
    tags: dict[str, dict[str, str]] = {}
    for name, kind in form.items():
        if at := re.fullmatch(r"TagSpecification\.(\d+)\.ResourceType", name):
            pairs = tags.setdefault(kind, {})
            for key, value in form.items():
                if tag := re.fullmatch(rf"TagSpecification\.{at[1]}\.Tag\.(\d+)\.Key", key):
                    pairs[value] = form.get(f"TagSpecification.{at[1]}.Tag.{tag[1]}.Value", "")
    return tags


def request_tags(tags: dict[str, str]) -> dict:
    context = {f"aws:RequestTag/{key}": value for key, value in tags.items()}
    return context | ({"aws:TagKeys": list(tags)} if tags else {})


def named(form: dict) -> list[str]:
    """The ids of what there is that a request names."""
    pattern = r"(.*\.)?(InstanceId|VolumeId|NetworkInterfaceId|GroupId|SecurityGroupId|ResourceId|ImageId|SubnetId|VpcId)(\.\d+)?"
    return [value for name, value in form.items() if re.fullmatch(pattern, name) and kind_of(value)]


def kind_of(resource: str) -> str | None:
    return KINDS.get(resource.partition("-")[0])


def questions(action: str, form: dict, region: str) -> list[tuple[str, str, dict]]:
    """What EC2 asks IAM about one request: call, resource, context."""
    backend, here = ec2_backends[ACCOUNT][region], {"aws:RequestedRegion": region}
    if action.startswith("Describe"):
        return [(f"ec2:{action}", "*", here)]
    call, asked, given = f"ec2:{action}", [], specified(form)
    made = {"CreateSecurityGroup": ["security-group"], "RunInstances": ["instance", "volume", "network-interface"]}.get(action, [])
    if form.get("InstanceMarketOptions.MarketType") == "spot":
        made = [*made, "spot-instances-request"]
    for kind in made:
        arn, context = f"arn:aws:ec2:{region}:{ACCOUNT}:{kind}/*", here | request_tags(given.get(kind, {}))
        if kind == "instance":
            context["ec2:InstanceType"] = form.get("InstanceType", "")
        asked.append((call, arn, context))
        if given.get(kind):
            asked.append(("ec2:CreateTags", arn, context | {"ec2:CreateAction": action}))
    own = {form[name]: form.get(name.replace("Key", "Value"), "") for name in form if re.fullmatch(r"Tag\.\d+\.Key", name)}
    # The group comes last, as what a launch makes itself shortly before.
    for resource in sorted(named(form), key=lambda one: kind_of(one) == "security-group"):
        kind = kind_of(resource)
        found = backend.describe_tags(filters={"resource-id": [resource]})
        tags = {f"aws:ResourceTag/{tag['key']}": tag["value"] for tag in found}
        account = "" if kind == "image" else ACCOUNT
        asked.append((call, f"arn:aws:ec2:{region}:{account}:{kind}/{resource}", here | tags | request_tags(own)))
    if action == "RunInstances" and not any(kind_of(one) == "security-group" for one in named(form)):
        asked.append((call, f"arn:aws:ec2:{region}:{ACCOUNT}:security-group/default", here))
    return asked or [(call, "*", here)]


def unknown(form: dict, region: str) -> tuple[str, str] | None:
    """What a request names and there is not."""
    backend = ec2_backends[ACCOUNT][region]
    for resource in named(form):
        there = {
            "instance": lambda: any(i.id == resource for r in backend.reservations.values() for i in r.instances),
            "volume": lambda: resource in backend.volumes,
            "network-interface": lambda: resource in backend.enis,
            "security-group": lambda: any(resource in groups for groups in backend.groups.values()),
            "image": lambda: resource in backend.amis,
            "subnet": lambda: any(resource in subnets for subnets in backend.subnets.values()),
            "vpc": lambda: resource in backend.vpcs,
        }[kind_of(resource)]
        if not there():
            code, message = UNKNOWN[kind_of(resource)]
            return code, message.format(resource)
    return None


def question_of_others(service: str, action: str, form: dict, method: str, path: str, query: str) -> tuple[str, str, dict]:
    if service == "s3":
        asked = parse_qs(query)
        if method == "GET" and "list-type" in asked:
            return "s3:ListBucket", f"arn:aws:s3:::{path.strip('/')}", {"s3:prefix": asked.get("prefix", [""])[0]}
        calls = {"PUT": "PutObject", "GET": "GetObject", "DELETE": "DeleteObject"}
        return f"s3:{calls.get(method, method)}", f"arn:aws:s3:::{path.lstrip('/')}", {}
    if service == "iam":
        role = iam_backends[ACCOUNT]["aws"].roles
        known = next((one.arn for one in role.values() if one.name == form.get("RoleName")), None)
        return f"iam:{action}", known or f"arn:aws:iam::{ACCOUNT}:role/{form.get('RoleName', '*')}", {}
    if service == "servicequotas":
        return f"servicequotas:{action}", f"arn:aws:servicequotas:us-east-1:{ACCOUNT}:ec2/any", {}
    return f"{service}:{action}", "*", {}


def refuse(scope: list[str], action: str, form: dict, method: str, path: str, query: str) -> tuple[str, str, str] | None:
    """The answer to a request that is not carried out: status, content type and text."""
    key, region, service = (scope + [""] * 4)[0], (scope + [""] * 4)[2], (scope + [""] * 4)[3]
    policy = policies.get(key)
    if policy and service != "sts":
        asked = questions(action, form, region) if service == "ec2" else [question_of_others(service, action, form, method, path, query)]
        for call, resource, context in asked:
            if not allows(policy, call, resource, context):
                return denied(service, key, call, resource)
    if service == "ec2" and form.get("DryRun", "").lower() == "true":
        code, message = unknown(form, region) or ("DryRunOperation", "Request would have succeeded, but DryRun flag is set.")
        return error("ec2", "412 Precondition Failed" if code == "DryRunOperation" else "400 Bad Request", code, message)
    return None


def denied(service: str, key: str, call: str, resource: str) -> tuple[str, str, str]:
    user = f"arn:aws:iam::{ACCOUNT}:user/{key}"
    why = f"User: {user} is not authorized to perform: {call} on resource: {resource} because no identity-based policy allows the {call} action"
    if service == "ec2":
        return error("ec2", "403 Forbidden", "UnauthorizedOperation",
                     f"You are not authorized to perform this operation. {why}. Encoded authorization failure message: ZW5jb2RlZA")
    return error(service, "403 Forbidden", "AccessDenied", why)


def error(service: str, status: str, code: str, message: str) -> tuple[str, str, str]:
    inner = f"<Error><Code>{code}</Code><Message>{message}</Message></Error>"
    if service == "ec2":
        return status, "text/xml", f"<Response><Errors>{inner}</Errors><RequestID>sandbox</RequestID></Response>"
    if service == "s3":
        return status, "application/xml", inner
    if service == "servicequotas":
        return status, "application/x-amz-json-1.1", json.dumps({"__type": f"{code}Exception", "message": message})
    return status, "text/xml", f"<ErrorResponse>{inner}<RequestId>sandbox</RequestId></ErrorResponse>"


def bad_digest(environ: dict, body: bytes) -> tuple[str, str, str] | None:
    """S3 refuses what arrives other than it was sent; moto alone takes it."""
    sent, bucket = environ.get("HTTP_X_AMZ_CHECKSUM_CRC32"), environ["PATH_INFO"].split("/")[1]
    if sent and bucket in s3_backends[ACCOUNT]["aws"].buckets and sent != base64.b64encode(zlib.crc32(body).to_bytes(4)).decode():
        return error("s3", "400 Bad Request", "BadDigest", "The CRC32 you specified did not match the calculated checksum.")
    return None
