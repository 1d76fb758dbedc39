"""One request to Kibana for its rules and connectors, and what counts as an answer."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import timedelta
from typing import Any
from urllib.parse import quote

import httpx

from settings.elastic import KibanaSettings, kibana

HEADERS = {"kbn-xsrf": "true", "elastic-api-version": "2023-10-31", "Accept": "application/json"}
LONGEST = 300


class KibanaRefused(Exception):
    """Kibana gave no answer that can be used; the text says what was asked, why not, and what to do."""

    def __init__(
        self, status: int | None, sentence: str, *, by_kibana: bool = False, retry_after: timedelta | None = None
    ) -> None:
        super().__init__(sentence)
        self.status = status
        """The HTTP status; None where none came."""
        self.by_kibana = by_kibana
        """Whether Kibana itself said so, and not something before it."""
        self.retry_after = retry_after
        """How long Kibana asks to be left alone."""


class Kibana:
    """A connection; `connected` makes it."""

    def __init__(self, http: httpx.Client) -> None:
        self._http = http

    def request(
        self, method: str, path: str, *, space: str, query: Mapping[str, str] | None = None, body: Any = None
    ) -> Any:
        """The JSON that Kibana answers. Raises KibanaRefused; nothing of the body that was sent is in its text."""
        prefix = "" if space == "default" else f"/s/{quote(space, safe='')}"
        asked = f"{method} {prefix}{path}"
        try:
            answer = self._http.request(method, f"{prefix}{path}", params=query, json=body)
        except httpx.HTTPError as error:
            why = f"{type(error).__name__}: {str(error)[:LONGEST]}"
            raise KibanaRefused(
                None, f"{asked} had no answer ({why}). Check VMEXPORT_KIBANA_URL and _CA_CERTS."
            ) from None
        try:
            told = answer.json()
        except ValueError:
            kind = answer.headers.get("content-type", "no content type")[:60]
            sentence = f"{asked} was answered by something that is no Kibana API (HTTP {answer.status_code}, {kind})"
            raise KibanaRefused(
                answer.status_code, f"{sentence}. Is it a sign-in page? Check VMEXPORT_KIBANA_URL."
            ) from None
        if answer.is_success:
            return told
        why = _why(answer.status_code, told)
        raise KibanaRefused(
            answer.status_code, f"{asked} was refused: {why}", by_kibana=True, retry_after=_retry_after(answer)
        )


@contextmanager
def connected(settings: KibanaSettings | None = None) -> Iterator[Kibana]:
    """A connection to the configured Kibana. Raises KibanaRefused when none is."""
    own = settings or kibana()
    if own.url is None:
        raise KibanaRefused(None, "No Kibana is configured: set VMEXPORT_KIBANA_URL and VMEXPORT_KIBANA_API_KEY.")
    headers = dict(HEADERS)
    if own.api_key:
        headers["Authorization"] = f"ApiKey {own.api_key.get_secret_value()}"
    basic = (own.username, own.password.get_secret_value()) if own.username and own.password else None
    with httpx.Client(
        base_url=own.url.rstrip("/"),
        headers=headers,
        auth=basic,
        timeout=own.request_timeout.total_seconds(),
        verify=_authorities(own),
    ) as http:
        yield Kibana(http)


def _authorities(own: KibanaSettings) -> Any:
    if own.ca_certs is None:
        return True
    import ssl

    try:
        return ssl.create_default_context(cafile=str(own.ca_certs))
    except OSError as error:
        raise KibanaRefused(None, f"VMEXPORT_KIBANA_CA_CERTS cannot be used: {error}") from error


def _retry_after(answer: httpx.Response) -> timedelta | None:
    seconds = answer.headers.get("retry-after", "")
    return timedelta(seconds=min(int(seconds), 86_400)) if seconds.isascii() and seconds.isdigit() else None


def _why(status: int, told: Any) -> str:
    said = str(told.get("message", "") if isinstance(told, dict) else "")[:LONGEST]
    next_step = {
        401: " Check VMEXPORT_KIBANA_API_KEY, or user and password.",
        403: " The key needs the rights of docs/elastic.md, and the licence the feature.",
    }
    return f"HTTP {status} {said.rstrip('.')}.{next_step.get(status, '')}"
