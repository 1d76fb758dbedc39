"""How a request to Elasticsearch is sent: again after a failure that passes, as long as the server asks to wait.

The client library sends again at once after 429 and 503, and does not read Retry-After; here every attempt waits.
"""

from __future__ import annotations

import random
import time
from typing import Any

from elastic_transport import ConnectionError as NotConnected
from elastic_transport import (
    ConnectionTimeout,
    JsonSerializer,
    SerializationError,
    TlsError,
    Transport,
    TransportApiResponse,
    TransportError,
)

from tasks.logs.text import parse

PASSING = (429, 502, 503, 504)
LONGEST_WAIT = 30.0
"""Seconds; a Retry-After that asks for more is not waited for to its end."""


class Json(JsonSerializer):
    """JSON by orjson; a document that orjson refuses (unpaired surrogates) does not make its whole page unreadable."""

    def json_loads(self, data: bytes) -> Any:
        """The value. Raises ValueError."""
        try:
            return parse(data)
        except RecursionError as error:
            raise ValueError("it is nested too deeply") from error


class PatientTransport(Transport):
    """A transport that waits before it sends again."""

    def perform_request(self, method: str, target: str, **options: Any) -> TransportApiResponse:  # type: ignore[override] # the options are passed on as they are
        """One request, sent again after 429, 502, 503, 504, a broken connection, a timeout or a cut answer.

        Raises what the last attempt raised. All that is asked of Elasticsearch here may be sent twice: searches, and
        writes under ids of our own.
        """
        retries = int(options.pop("max_retries", 0) or 0)
        base, cap = float(options.get("retry_backoff_base") or 0), float(options.get("retry_backoff_cap") or 0)
        for attempt in range(retries + 1):
            last = attempt == retries
            asked = None
            try:
                got = super().perform_request(method, target, max_retries=0, **options)
                if got.meta.status not in PASSING or last:
                    return got
                asked = _asked_to_wait(got.meta.headers.get("retry-after"))
            except (NotConnected, ConnectionTimeout, SerializationError) as error:
                if last or isinstance(error, TlsError):
                    raise
            time.sleep(_wait(attempt, base, cap) if asked is None else asked)
        raise TransportError("no attempt was made")


def _asked_to_wait(retry_after: str | None) -> float | None:
    """Seconds that the server asks to wait; None where it says none, or a date."""
    text = (retry_after or "").strip()
    return min(float(text), LONGEST_WAIT) if text.isascii() and text.isdigit() else None


def _wait(attempt: int, base: float, cap: float) -> float:
    """Exponential backoff, half of it by chance, so that workers do not ask again all at once."""
    longest = min(cap, base * 2**attempt)
    return longest / 2 + random.uniform(0, longest / 2)  # noqa: S311 - spreads load; nothing secret
