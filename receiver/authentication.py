"""Who may hand in an alert: whoever holds the shared secret. Kibana's webhook has no signature to check."""

from __future__ import annotations

import hmac

HEADER = "x-vmexport-secret"


def holds_secret(given: str | None, secret: str) -> bool:
    """Whether the header carries the secret, compared in constant time."""
    return hmac.compare_digest((given or "").encode(), secret.encode())
