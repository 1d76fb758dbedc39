"""Rules about S3 access logs find in files what the reference finds in each line's fields."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from decisions.hunt import HuntResult
from decisions.sigma import Loaded, load_rules, matches
from tasks.hunting import searches
from tasks.hunting.coverage import Period
from tasks.hunting.file_source import FileSource
from tasks.hunting.hunt import hunt
from tasks.hunting.layout import ACCESS, LogFile
from tasks.hunting.line_scanner import fields_of
from tasks.hunting.scanned import Scanned
from tasks.hunting.scanner import Scanner
from tests.hunting.logs_of import compact, event, export, write

LIMIT = 8 * 1024 * 1024
NAME = "2026-03-02-11-00-00-0123456789ABCDEF"
HEAD = "title: {name}\nid: {name}\nname: {name}\nlogsource: {{product: aws, service: s3access}}\n"
SELECTIONS = {
    "read": "{operation: REST.GET.OBJECT, key|contains: export-i-, http_status: 200}",
    "anonymous": "{requester: null, operation|startswith: REST.GET}",
    "large": "{bytes_sent|gte: 1000000}",
    "agent": "{user_agent|re: '^(curl|wget)/[0-9]+'}",
    "morning": "{time|startswith: '2026-03-02T10'}",
    "network": "{remote_ip|cidr: 203.0.113.0/25}",
    "refused": "{error_code|exists: true, key|re: 'export-(ami|i)-[0-9a-f]{4}'}",
}
WORDS = (
    "title: words\nid: words\nlogsource: {product: aws, service: s3access}\n"
    "detection: {words: ['export-i-*ova', '2026-03'], condition: words}\n"
)


def line(n: int = 1, *, key: str = "vms/export-i-0123.ova", agent: str = "aws-cli/2", status: str = "200 - 1048576",
         requester: str = "444455556666", operation: str = "REST.GET.OBJECT", address: str = "203.0.113.9") -> str:  # fmt: skip
    """One read."""
    time = f"02/Mar/2026:10:{n // 60 % 60:02}:{n % 60:02} +0000"
    return (
        f'0123abcd exports [{time}] {address} {requester} REQUEST{n} {operation} {key} "GET /{key} HTTP/1.1" '
        f'{status} 1048576 70 69 "-" "{agent}" - hostid SigV4 TLS AuthHeader exports.s3.amazonaws.com TLSv1.2 - -'
    )


LINES = [
    line(1),
    line(2, requester="-"),
    line(3, agent='curl/8 \\u0041 "quoted"', key="vms/readme.txt"),
    line(4, status="403 AccessDenied 243", key="vms/export-ami-0a1b.vmdk", address="198.51.100.7"),
    line(5, operation="REST.PUT.OBJECT"),
    line(6, status="206 - 12"),
    line(4000, key="EXPORT-I-0123.OVA"),
]


def rules(*names: str) -> Loaded:
    """Some of the rules."""
    return load_rules({name: text(name) for name in names})


def text(name: str) -> str:
    """One of the rules as YAML."""
    return HEAD.format(name=name) + f"detection: {{s: {SELECTIONS[name]}, condition: s}}\n"


def scanned(path: Path, loaded: Loaded) -> Scanned:
    """One access log."""
    scanner = Scanner(searches.rules(loaded.rules), LIMIT)
    return scanner.scan(LogFile(str(path), path.stat().st_size, ACCESS, day="2026-03-02"))


def found(told: Scanned) -> dict[str, set[str]]:
    """By rule the request ids of the lines that match it."""
    by_rule: dict[str, set[str]] = {}
    for hit in told.hits:
        for name in hit.searches:
            by_rule.setdefault(name, set()).add(fields_of(hit.raw.decode())["request_id"])  # type: ignore[arg-type] - text
    return by_rule


def by_reference(loaded: Loaded, lines: list[str]) -> dict[str, set[str]]:
    """The same, by parsing every line."""
    every = [fields_of(one) for one in lines]
    return {rule.id: {str(one["request_id"]) for one in every if matches(rule, one)} for rule in loaded.rules}


def test_lines_are_found_as_the_reference_finds_them(tmp_path: Path) -> None:
    """By the texts of a rule, or all lines where one rule has none."""
    every = load_rules({"w": WORDS, **{n: text(n) for n in SELECTIONS}})
    quick = Loaded(tuple(rule for rule in every.rules if not rule.costly), (), ())
    assert {rule.id for rule in quick.rules} == {"read", "anonymous", "agent", "refused"}
    path = write(tmp_path, "\n".join(LINES).encode() + b"\n", NAME, "logs", packed=False)
    for loaded in (every, quick):
        told = scanned(path, loaded)
        assert found(told) == by_reference(loaded, LINES)
        assert all(found(told).values())
        assert (told.problems, told.records) == ([], len(LINES))


def test_what_is_no_line_is_named_where_it_could_answer(tmp_path: Path) -> None:
    """A broken line hides nothing, and is not passed over in silence."""
    path = write(tmp_path, "\n".join([LINES[0], "REST.GET.OBJECT export-i-", LINES[1]]).encode(), NAME, "logs")
    told = scanned(path, rules("read"))
    assert found(told) == {"read": {"REQUEST1", "REQUEST2"}}
    assert told.problems == ["1 line(s) that may answer are no lines of an access log"]


def test_a_rule_that_most_lines_match_tires_and_is_counted(tmp_path: Path) -> None:
    """As one about CloudTrail does."""
    path = write(tmp_path, "\n".join(line(n) for n in range(300)).encode(), NAME, "logs")
    told = scanned(path, rules("read", "agent"))
    assert told.tired == {"read"}
    assert 0 < told.counts["read"] < 300


def hunted(folder: Path, loaded: Loaded, period: Period | None = None) -> HuntResult:
    """As `vmexport hunt` does."""
    period = period or Period()
    return hunt(FileSource(folder, period, LIMIT), period, loaded)


def test_a_hunt_asks_access_logs_and_calls_their_lines_what_downloads_are_called(tmp_path: Path) -> None:
    """A finding for each line; rules about CloudTrail are not asked of lines, nor the other way round."""
    call = "title: call\nid: call\nlogsource: {product: aws, service: cloudtrail}\ndetection: {s: {eventName|exists: true}, condition: not s}\n"
    loaded = load_rules({"read": text("read"), "call": call})
    write(tmp_path, "\n".join(LINES).encode(), NAME, "logs", packed=False)
    write(tmp_path, compact([event(1), event(2, "GetObject", requestParameters={"key": "export-i-1.ova"})]))
    result = hunted(tmp_path, loaded)
    ids = {finding.event_id for finding in result.findings}
    assert ids == {f"access-log:REQUEST{n}:REST.GET.OBJECT:vms/export-i-0123.ova" for n in (1, 2)} | {
        "access-log:REQUEST4000:REST.GET.OBJECT:EXPORT-I-0123.OVA"
    }
    assert result.counts["read"] == 3
    assert result.refused_rules == ()
    until = datetime(2026, 3, 2, 10, 0, 1, tzinfo=UTC)
    assert {f.event_id.split(":")[1] for f in hunted(tmp_path, loaded, Period(None, until)).findings} == {"REQUEST1"}


def test_lines_set_off_correlations(tmp_path: Path) -> None:
    """Several reads by one requester, told as such."""
    often = (
        "title: often\nid: often\ncorrelation: {type: event_count, rules: [read], group-by: [requester], timespan: 1h, "
        "condition: {gte: 2}}\n"
    )
    write(tmp_path, "\n".join([line(1), line(2, requester="-"), line(3)]).encode(), NAME, "logs", packed=False)
    result = hunted(tmp_path, load_rules({"read": text("read"), "often": often}))
    (finding,) = result.findings
    assert (finding.kind, finding.origin, len(finding.about)) == ("correlation", "2 events", 2)
    assert finding.event_id.startswith("access-log:REQUEST3:")


def test_an_escape_in_a_line_is_no_read_of_an_export(tmp_path: Path) -> None:
    r"""`\u0041` may hide a text in JSON; in a line it is what a caller wrote into the user agent."""
    write(tmp_path, compact([export(1)]))
    write(tmp_path, line(3, key="other.txt", agent="\\u0041gent").encode(), NAME, "logs", packed=False)
    assert [finding.kind for finding in hunted(tmp_path, Loaded((), (), ())).findings] == ["export"]


PARTS = st.sampled_from(
    ["export-i-0a1b", "REST.GET.OBJECT", "a b", '"', "\\", "/", "%2F", "ami-", "=", "x", "é", "200", "2026-03-02"]
)
TEXTS = st.lists(PARTS, min_size=1, max_size=3).map("".join)


@settings(max_examples=150, deadline=None)
@given(sought=TEXTS, field=st.sampled_from(["key", "user_agent", "requester", "http_status", "time", "line", ""]),
       how=st.sampled_from(["", "|contains", "|startswith", "|re"]), agent=TEXTS, key=TEXTS)  # fmt: skip
def test_no_line_that_matches_is_without_the_texts_of_the_rule(
    sought: str, field: str, how: str, agent: str, key: str
) -> None:
    """Whatever stands in a rule, and whatever a caller wrote."""
    wanted = re.escape(sought).replace("\\-", "-").replace("\\ ", " ") if how == "|re" else sought.replace("\\", "\\\\")
    selection = {f"{field}{how}": wanted} if field else [wanted]
    document = {"s": selection, "condition": "s"}
    loaded = load_rules({"r": HEAD.format(name="r") + f"detection: {json.dumps(document)}\n"})
    assert loaded.rules, loaded.refused
    (rule,) = loaded.rules
    for one in (line(agent=agent + sought, key="k"), line(agent=agent, key=re.sub(r"\s", "+", key + sought) or "k")):
        if rule.literals is not None and matches(rule, fields_of(one)):
            for group in rule.literals:
                assert any(re.search(each.pattern, one.encode(), re.IGNORECASE) for each in group), (group, one)
