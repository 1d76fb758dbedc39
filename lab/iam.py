"""What moto's IAM lacks or gets wrong: boundaries of users, ids with their prefixes, quotas, the policies of AWS that matter here."""

from __future__ import annotations

import json
import re
from functools import cache
from typing import Any

from lab import caller as callers
from lab import iam_simulation
from lab.errors import AwsError
from lab.install import add_action, replace

AWS_MANAGED = (
    "AdministratorAccess",
    "AWSCompromisedKeyQuarantineV2",
    "AWSCompromisedKeyQuarantineV3",
    "AWSDenyAll",
    "AmazonEC2FullAccess",
    "AmazonEC2ReadOnlyAccess",
    "AmazonS3FullAccess",
    "AmazonS3ReadOnlyAccess",
    "AmazonSSMManagedInstanceCore",
    "IAMFullAccess",
    "IAMReadOnlyAccess",
    "PowerUserAccess",
    "ReadOnlyAccess",
    "SecurityAudit",
    "ViewOnlyAccess",
)
"""All 1582 cost 1.7 s in every account and after every reset."""
originals: dict[str, Any] = {}
"""moto's own methods under the names by which they were replaced."""
INLINE_LIMITS = {"user": 2048, "group": 5120, "role": 10240}
"""Characters that are not white space, all inline policies of a holder together."""


def install() -> None:
    """Change moto's IAM; MotoChanged where it is not as expected."""
    from moto.iam.models import Group, IAMBackend, User
    from moto.iam.responses import IamResponse

    add_action(IamResponse, "PutUserPermissionsBoundary", _put_user_permissions_boundary)
    add_action(IamResponse, "DeleteUserPermissionsBoundary", _delete_user_permissions_boundary)
    add_action(IamResponse, "SimulatePrincipalPolicy", iam_simulation.simulate_principal_policy)
    add_action(IamResponse, "SimulateCustomPolicy", iam_simulation.simulate_custom_policy)
    _keep_boundaries(IamResponse, User)
    _infer_users(IamResponse)
    _prefix_ids(User, Group)
    _check_keys_and_passwords(IamResponse, IAMBackend)
    _limit_inline_policies(IAMBackend)
    replace(IAMBackend, "_init_aws_policies", _aws_policies)


# ---- boundaries of users


def _keep_boundaries(responses: Any, user_class: Any) -> None:
    from moto.core.serialize import never_return, return_if_not_empty

    user_class.permissions_boundary_arn = None
    user_class.permissions_boundary = property(_boundary_as_answered)
    shown = responses.RESPONSE_KEY_PATH_TO_TRANSFORMER
    shown["GetUserResponse.User.PermissionsBoundary"] = return_if_not_empty
    shown["CreateUserResponse.User.PermissionsBoundary"] = return_if_not_empty
    shown["ListUsersResponse.Users.User.PermissionsBoundary"] = never_return
    create_user = replace(responses, "create_user", lambda self: _create_user(self, create_user))


def _boundary_as_answered(user: Any) -> dict[str, str] | None:
    arn = user.permissions_boundary_arn
    return arn and {"PermissionsBoundaryType": "Policy", "PermissionsBoundaryArn": arn}


def _create_user(self: Any, original: Any) -> Any:
    arn = self._get_param("PermissionsBoundary")
    if arn:
        _check_boundary(self.backend, arn)
    answer = original(self)
    self.backend.get_user(self._get_param("UserName")).permissions_boundary_arn = arn
    return answer


def _put_user_permissions_boundary(self: Any) -> Any:
    from moto.core.responses import EmptyResult

    user = self.backend.get_user(self._get_param("UserName"))
    _check_boundary(self.backend, self._get_param("PermissionsBoundary"))
    user.permissions_boundary_arn = self._get_param("PermissionsBoundary")
    return EmptyResult()


def _delete_user_permissions_boundary(self: Any) -> Any:
    from moto.core.responses import EmptyResult

    user = self.backend.get_user(self._get_param("UserName"))
    if user.permissions_boundary_arn is None:
        raise AwsError("NoSuchEntity", f"There is no permissions boundary on user {user.name}.", 404)
    user.permissions_boundary_arn = None
    return EmptyResult()


def _check_boundary(backend: Any, arn: str) -> None:
    if arn not in backend.managed_policies:
        raise AwsError("NoSuchEntity", f"Scope ARN: {arn} does not exist or is not attachable.", 404)


# ---- calls without a user name are about the caller


def _infer_users(responses: Any) -> None:
    for name in ("get_user", "list_access_keys", "create_access_key", "update_access_key", "delete_access_key"):

        def infer(self: Any, _name: str = name) -> Any:
            if not self._get_param("UserName"):
                self.params["UserName"] = _own_name()
            return originals[_name](self)

        originals[name] = replace(responses, name, infer)


def _own_name() -> str:
    who = callers.current()
    if who.type != "IAMUser":
        raise AwsError("ValidationError", "Must specify userName when calling with non-User credentials")
    return str(who.user_name)


# ---- ids, keys, passwords


def _prefix_ids(*classes: Any) -> None:
    """moto gives users and groups twenty small letters; policies on aws:userid need AIDA… and AGPA…."""
    from moto.iam.utils import generate_access_key_id_from_account_id

    for holder, prefix in zip(classes, ("AIDA", "AGPA"), strict=True):

        def born(self: Any, *args: Any, _prefix: str = prefix, _init: Any = holder.__init__, **kwargs: Any) -> None:
            _init(self, *args, **kwargs)
            self.id = generate_access_key_id_from_account_id(self.account_id, _prefix, 21)

        replace(holder, "__init__", born)


def _check_keys_and_passwords(responses: Any, backend: Any) -> None:
    update_access_key = replace(
        responses, "update_access_key", lambda self: _update_access_key(self, update_access_key)
    )
    update_login_profile = replace(
        backend, "update_login_profile", lambda self, *given: _update_login_profile(self, update_login_profile, *given)
    )


def _update_access_key(self: Any, original: Any) -> Any:
    status = self._get_param("Status")
    if status not in ("Active", "Inactive", "Expired"):
        text = f"1 validation error detected: Value '{status}' at 'status' failed to satisfy constraint: "
        raise AwsError("ValidationError", text + "Member must satisfy enum value set: [Active, Inactive, Expired]")
    return original(self)


def _update_login_profile(backend: Any, original: Any, name: str, password: str | None, reset: bool | None) -> None:
    """moto sets a password that is not given to None, and then the profile is gone."""
    user = backend.get_user(name)
    original(
        backend,
        name,
        user.password if password is None else password,
        user.password_reset_required if reset is None else reset,
    )


# ---- quotas and AWS's own policies


def _limit_inline_policies(backend: Any) -> None:
    for kind, limit in INLINE_LIMITS.items():
        name = f"put_{kind}_policy"

        def put(self: Any, *args: Any, _name: str = name, _kind: str = kind, _limit: int = limit, **kwargs: Any) -> Any:
            holder_name, policy_name, document = _given(args, kwargs, _kind)
            holder = getattr(self, f"get_{_kind}")(holder_name)
            kept = [text for key, text in holder.policies.items() if key != policy_name]
            if sum(len(re.sub(r"\s", "", text)) for text in [*kept, document]) > _limit:
                text = f"Maximum policy size of {_limit} bytes exceeded for {_kind} {holder_name}"
                raise AwsError("LimitExceeded", text, 409)
            return originals[_name](self, *args, **kwargs)

        originals[name] = replace(backend, name, put)


def _given(args: tuple[Any, ...], kwargs: dict[str, Any], kind: str) -> tuple[str, str, str]:
    names = (f"{kind}_name", "policy_name", "policy_json")
    given = [*args, *(kwargs[name] for name in names[len(args) :])]
    return given[0], given[1], given[2]


def _aws_policies(backend: Any) -> list[Any]:
    from moto.iam.models import AWSManagedPolicy

    return [
        AWSManagedPolicy.from_data(name, backend.account_id, backend.region_name, d) for name, d in _texts().items()
    ]


@cache
def _texts() -> dict[str, Any]:
    from moto.iam.aws_managed_policies import aws_managed_policies_data

    parsed = json.loads(aws_managed_policies_data)
    return {name: parsed[name] for name in AWS_MANAGED if name in parsed}
