"""Links into Kibana: what Kibana reads out of them is what was meant, whatever strangers called themselves."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from html.parser import HTMLParser
from typing import Any
from urllib.parse import unquote, urlsplit

from hypothesis import example, given
from hypothesis import strategies as st

from decisions.document import Link, Table
from decisions.kibana_links import (
    LONGEST,
    KibanaPlace,
    alert_link,
    case_link,
    discover_link,
    equals,
    kibana_table,
    looks,
    rison,
)
from decisions.markdown import to_markdown
from tasks.report.html import page_html
from tests.flows.given import event, export, known

PLACE = KibanaPlace(base="https://kibana.example.com/", space="production")
NOW = datetime(2026, 3, 2, 10, 0, tzinfo=UTC)
hostile = st.text(max_size=60) | st.text("\\\"'!():,*&#%+ |<>[]`${}\n\r\t\0ab1-", max_size=60)


class Rison:
    """Reads rison as its grammar has it, for the part that we write."""

    def __init__(self, text: str) -> None:
        self.text, self.at = text, 0

    def whole(self) -> Any:
        value = self.value()
        assert self.at == len(self.text), f"something stands after the end: {self.text[self.at :]!r}"
        return value

    def take(self, expected: str) -> bool:
        there = self.text.startswith(expected, self.at)
        self.at += len(expected) * there
        return there

    def value(self) -> Any:
        if self.take("!t") or self.take("!f"):
            return self.text[self.at - 1] == "t"
        if self.take("!("):
            return self.until(self.value)
        if self.take("("):
            return dict(self.until(self.pair))
        assert self.take("'"), f"no value at {self.text[self.at :]!r}"
        return self.quoted()

    def until(self, item: Any) -> list[Any]:
        found: list[Any] = []
        while not self.take(")"):
            assert not found or self.take(",")
            found.append(item())
        return found

    def pair(self) -> tuple[str, Any]:
        bare = re.compile(r"[A-Za-z_][\w.]*", re.ASCII).match(self.text, self.at)
        name = bare[0] if bare else self.value()
        self.at += len(bare[0]) if bare else 0
        assert self.take(":")
        return name, self.value()

    def quoted(self) -> str:
        read = ""
        while not self.take("'"):
            escaped = self.take("!")
            character = self.text[self.at]
            assert not escaped or character in "!'"
            read, self.at = read + character, self.at + 1
        return read


def kql(text: str) -> list[tuple[str, str]]:
    """The field and value of each clause of ours, read as KQL reads quotes; fails on anything else in the text."""
    clause = re.compile(r'\(*([\w.]+) : "((?:\\[\\"]|[^"\\])*)"\)*(?: (?:and|or) |$)')
    found, at = [], 0
    while at < len(text):
        there = clause.match(text, at)
        assert there, f"no clause of ours: {text[at:]!r}"
        found.append((there[1], re.sub(r"\\(.)", r"\1", there[2], flags=re.S)))
        at = there.end()
    return found


def state(url: str) -> dict[str, Any]:
    """What Discover reads out of a link."""
    asked = urlsplit(url).fragment.removeprefix("/?").split("&")
    return {
        name: Rison(unquote(value, errors="strict")).whole()
        for name, _, value in (part.partition("=") for part in asked)
    }


@given(
    st.recursive(hostile | st.booleans(), lambda v: st.lists(v, max_size=4) | st.dictionaries(hostile, v, max_size=4))
)
def test_rison_is_read_back_as_it_was(value: Any) -> None:
    assert Rison(rison(value)).whole() == value


@given(hostile)
@example('x" or event.action : "*')
@example("\\")
@example("'),query:(language:kuery,query:'*')")
@example("a&_a=(query:())#")
def test_a_value_cannot_leave_its_place(value: str) -> None:
    url = discover_link(PLACE, equals("user.name", value), NOW, NOW + timedelta(hours=1))
    if url is None:
        return
    assert re.fullmatch(r"[A-Za-z0-9:/?#=&%!,@*~._-]+", url), "nothing that a chat tool or Markdown would break on"
    read = state(url)
    assert set(read) == {"_g", "_a"}
    assert kql(read["_a"]["query"]["query"]) == [("user.name", value)]


def test_a_link_opens_the_data_view_at_absolute_times() -> None:
    url = discover_link(PLACE, equals("user.name", "jo"), NOW, NOW + timedelta(hours=1)) or ""
    assert url.startswith("https://kibana.example.com/s/production/app/discover#/?_g=")
    read = state(url)
    assert read["_g"]["time"] == {"from": "2026-03-02T10:00:00.000Z", "to": "2026-03-02T11:00:00.000Z"}
    assert read["_a"]["dataSource"] == {"dataViewId": "logs-*", "type": "dataView"}


def test_the_default_space_has_no_prefix() -> None:
    place = KibanaPlace(base="https://example.com/kibana")
    assert case_link(place, "c-1") == "https://example.com/kibana/app/security/cases/c-1"
    assert alert_link(place, "7e0c", NOW) == (
        "https://example.com/kibana/app/security/alerts/redirect/7e0c"
        "?index=.alerts-security.alerts-default&timestamp=2026-03-02T10%3A00%3A00.000Z"
    )


def test_what_is_no_alert_id_gets_no_link() -> None:
    assert alert_link(PLACE, "../../login?next=//example.com", NOW) is None
    assert alert_link(PLACE, "", NOW) is None


def test_what_is_too_long_or_no_text_is_left_out() -> None:
    assert discover_link(PLACE, equals("user.name", "x" * LONGEST), NOW, NOW) is None
    assert discover_link(PLACE, equals("user.name", "\ud800"), NOW, NOW) is None


def test_an_export_is_looked_at_from_every_side() -> None:
    facts = export(event=event(alert_id="7e0c", alert_created=NOW), key=known("vm/export-i-1.ova"), key_is_prefix=False)
    found = {str(label[0]): url for label, url in looks(PLACE, (facts,))}
    assert set(found) == {
        "The alert ", "All calls of the access key ", "All calls of the caller ", "Exports of the account ", "Reads of ",
    }  # fmt: skip
    reads = kql(state(found["Reads of "])["_a"]["query"]["query"])
    assert ("aws.s3access.key", "vm/export-i-1.ova") in reads
    assert all(len(url) < LONGEST for url in found.values())
    assert len(looks(PLACE, (facts, facts))) == len(found), "the same link stands once"
    assert not kibana_table(None, (facts,))


class Addresses(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert tag not in {"script", "img", "iframe"}
        self.found += [value or "" for name, value in attrs if name == "href"]


@given(hostile)
@example('"><script>alert(1)</script>')
@example("](https://example.com) [x")
@example("`| a | b |")
def test_names_of_strangers_stay_text_in_card_and_report(name: str) -> None:
    said = event(principal_arn=f"arn:aws:iam::111122223333:user/{name}", object_key=f"vm/{name}", access_key_id=None)
    page = tuple(kibana_table(PLACE, (said,)))
    (table,) = (block for block in page if isinstance(block, Table))
    ours = [cell.url for row in table.rows for cell in row if isinstance(cell, Link)]
    html = Addresses()
    html.feed(page_html(page, {}, NOW))
    assert html.found == ours
    markdown = to_markdown(page)
    without_code = re.sub(r"(`+)(?!`).+?(?<!`)\1(?!`)", "", markdown)
    assert re.findall(r"\]\(([^)]*)\)", without_code) == ours
    assert len(markdown.splitlines()) == 4 + len(table.rows), "no row was broken in two"
