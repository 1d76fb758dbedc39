"""Who may hand in an alert: whoever holds the shared secret. Kibana and EventBridge sign nothing that could be checked."""

from __future__ import annotations

import hmac
from collections.abc import Mapping

HEADER = "x-vmexport-secret"


def holds_secret(headers: Mapping[str, str], secret: str, also: str = HEADER) -> bool:
    """Whether the secret stands in X-VMExport-Secret, in the header `also`, or as `Authorization: Bearer`.

    Compared in constant time. `headers`: found by any case, as Starlette has them.
    """
    scheme, _, token = headers.get("authorization", "").partition(" ")
    bearer = token.strip() if scheme.lower() == "bearer" else ""
    given = (headers.get(HEADER, ""), headers.get(also, ""), bearer)
    return any([hmac.compare_digest(value.encode(), secret.encode()) for value in given])
