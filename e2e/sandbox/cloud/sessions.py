"""Sessions that end: STS gives one for a workflow's OIDC token, and no request may be made by one that is over.

A session of a role whose name ends in `-<n>s` lasts n seconds, of any other an hour. Moto alone gives one to anybody and
takes it for ever.
"""

import base64
import json
import re
import time
from datetime import timedelta

from moto.core.utils import utcnow
from moto.sts.exceptions import STSClientError
from moto.sts.models import STSBackend
from moto.sts.responses import TokenResponse

ends = {}  # of each session, by its key


def claims(token: str) -> dict:
    part = (token.split(".") + ["", ""])[1]
    try:
        return json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))
    except ValueError:
        return {}


moto_assume, moto_answer = STSBackend.assume_role_with_web_identity, TokenResponse.assume_role_with_web_identity


def assume(self, **kwargs):
    lasting = re.search(r"-([0-9]+)s$", kwargs["role_arn"])
    kwargs["duration"] = int(lasting[1]) if lasting else kwargs["duration"]
    role = moto_assume(self, **kwargs)
    role.expiration = utcnow() + timedelta(seconds=kwargs["duration"])
    ends[role.access_key_id] = time.time() + kwargs["duration"]
    return role


def answer(self):
    told = claims(self._get_param("WebIdentityToken") or "")
    if told.get("aud") != "sts.amazonaws.com":
        raise STSClientError("InvalidIdentityToken", "Incorrect token audience")
    if told.get("exp", 0) < time.time():
        raise STSClientError("ExpiredTokenException", "Token expired")
    if self._get_param("RoleArn").endswith("/denied"):
        raise STSClientError("AccessDenied", "Not authorized to perform sts:AssumeRoleWithWebIdentity")
    return moto_answer(self)


def is_over(key: str) -> bool:
    return key in ends and ends[key] < time.time()


STSBackend.assume_role_with_web_identity, TokenResponse.assume_role_with_web_identity = assume, answer
