"""Canonical's Ubuntu images: what DescribeImages lists of them, and the public SSM parameters that name the newest."""

from datetime import datetime, timezone

from moto.ec2.models import ec2_backends
from moto.ec2.models.amis import AmiBackend
from moto.ssm.models import Parameter, ParameterDict

UBUNTU = {"26.04": "resolute", "24.04": "noble", "22.04": "jammy"}


def ubuntu_images(backend) -> dict[tuple[str, str], str]:
    """Registers Canonical's images with one region's EC2, once; gives the image id by (release, architecture)."""
    if not hasattr(backend, "ubuntu_images"):
        backend.ubuntu_images = {}
        for release, code in UBUNTU.items():
            for arch, machine in (("amd64", "x86_64"), ("arm64", "arm64")):
                name = f"ubuntu/images/hvm-ssd-gp3/ubuntu-{code}-{release}-{arch}-server-20261101"
                ami = backend.register_image(name, f"Canonical, Ubuntu, {release}, {arch}")
                ami.architecture, ami.owner_id, ami.root_device_type, ami.public = machine, "099720109477", "ebs", True
                backend.ubuntu_images[release, arch] = ami.id
    return backend.ubuntu_images


moto_loading, moto_describe_images = ParameterDict._check_loading_status, AmiBackend.describe_images


def check_loading_status(self, key):
    """Serves Canonical's public AMI parameters."""
    moto_loading(self, key)
    key = str(key or "")
    parts = key.split("/")
    if key.startswith("/aws/service/canonical/ubuntu/server/") and key.endswith("/ami-id") and not dict.__contains__(self, key):
        arch = "arm64" if "arm64" in parts else "amd64"
        ami = ubuntu_images(ec2_backends[self.account_id][self.region_name]).get((parts[6], arch))
        if ami:
            dict.__setitem__(self, key, [Parameter(
                account_id=self.account_id, name=key, value=ami, parameter_type="String", description=None,
                allowed_pattern=None, keyid=None, last_modified_date=datetime.now(timezone.utc), version=1, data_type="aws:ec2:image",
            )])


def describe_images(self, *args, **kwargs):
    ubuntu_images(self)
    return moto_describe_images(self, *args, **kwargs)


AmiBackend.describe_images = describe_images
ParameterDict._check_loading_status = check_loading_status
