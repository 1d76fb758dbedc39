"""The two charts of a report as SVG, drawn without a browser. Texts and axes take the colour of the page around them.

altair and vl-convert are imported where they are used: they take half a second, and only a report needs them.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from decisions.evidence import Known, utc
from decisions.lessons import Reviewed
from decisions.plain import plain_text
from decisions.review import EXPOSURE, TIMELINE
from decisions.timeline import Moment

WIDTH = 800
LANES = {"actor": "#d1495b", "others": "#8a8f98", "detection": "#c98a1b", "people": "#8b6fc0", "response": "#3a86c8"}
READABLE, READS = "readable from outside", "reads"
KINDS = {
    "readable": "#d1495b",
    "perhaps readable": "#e3a7ae",
    "read from outside": "#d6219b",
    "read from inside": "#3a86c8",
    "read, origin not known": "#c98a1b",
}
CROWDED = 4
"""The response is drawn larger below when the whole period is so many times as long."""
Rows = list[dict[str, Any]]
ENDS = ("since", "until", "time")


def charts(of: Reviewed) -> dict[str, str]:
    """Chart name -> SVG."""
    return {TIMELINE: timeline_chart(of.moments, began(of), of.now), EXPOSURE: exposure_chart(of)}


def began(of: Reviewed) -> datetime:
    """When the first export was asked for; the case's opening where none is known."""
    return min((e.event.event_time for e in of.findings.exports), default=of.case.opened_at)


def timeline_chart(moments: Sequence[Moment], first: datetime, now: datetime) -> str:
    """What each side did, from shortly before the first export on; what was earlier stands in the table only.

    A response of minutes to an export of hours ago is one blot: then it is drawn once more, as wide as the whole.
    """
    import altair as alt

    shown = [m for m in moments if not m.detail]
    last = max((m.until or m.time for m in shown), default=now)
    answered = min((m.time for m in shown if m.lane in ("detection", "people", "response")), default=last)
    start, end = around(first, last)
    whole = _lanes(shown, start, end)
    if not timedelta(0) < last - answered < (end - start) / CROWDED:
        return _svg(whole)
    room = (last - answered) / 12
    closer = _lanes(shown, answered - room, last + room)
    titled = [whole.properties(title="From the export on"), closer.properties(title="The response, closer")]
    return _svg(alt.vconcat(*titled, spacing=24))


def _lanes(moments: Sequence[Moment], start: datetime, end: datetime) -> Any:
    import altair as alt

    near = _apart([m for m in moments if start < m.time <= end], start, end)
    rows = [{"time": utc(m.time), "row": m.lane, "what": plain_text(m.text, 120)} for m in near]
    lanes = [lane for lane in LANES if any(r["row"] == lane for r in rows)] or ["actor"]
    points = (
        alt.Chart(alt.Data(values=rows))
        .mark_point(filled=True, size=110, opacity=0.8)
        .encode(
            x=_time("time", start, end),
            y=_row(lanes),
            color=alt.Color("row:N", scale=_scale(LANES), legend=None),
            description="what:N",
        )
    )
    return points.properties(width=WIDTH, height=34 * len(lanes))


def exposure_chart(of: Reviewed) -> str:
    """When the image could be read from outside, surely or perhaps, and every read of it."""
    import altair as alt

    spans, reads = _spans(of), _reads(of)
    told = [began(of), *(datetime.fromisoformat(r[end]) for r in (*spans, *reads) for end in ENDS if end in r)]
    start, end = around(min(told), max(told))
    y = _row([READABLE, READS])
    present = {name: KINDS[name] for name in KINDS if any(r["kind"] == name for r in (*spans, *reads))} or KINDS
    colour = alt.Color(
        "kind:N",
        title=None,
        scale=_scale(present),
        legend=alt.Legend(orient="bottom", labelLimit=300, columnPadding=24),
    )
    bars = (
        alt.Chart(alt.Data(values=spans))
        .mark_bar(height=16, cornerRadius=2)
        .encode(x=_time("since", start, end), x2="until", y=y, color=colour, description="what:N")
    )
    points = (
        alt.Chart(alt.Data(values=reads))
        .mark_point(filled=True, size=130, shape="diamond", opacity=1)
        .encode(x=_time("time", start, end), y=y, color=colour, description="what:N")
    )
    return _svg(alt.layer(bars, points).properties(width=WIDTH, height=84))


def around(first: datetime, last: datetime) -> tuple[datetime, datetime]:
    """The period to draw: both moments with some room beside them, ten minutes at least."""
    room = max(timedelta(minutes=6), (last - first) / 8)
    return first - room, last + room


def _apart(moments: Sequence[Moment], start: datetime, end: datetime) -> list[Moment]:
    """Of moments that would be drawn on the same spot, the first: a busy key does not make a file of megabytes."""
    spots = {(m.lane, round(WIDTH * ((m.time - start) / (end - start)))): m for m in reversed(moments)}
    return sorted(spots.values(), key=lambda m: m.time)


def _spans(of: Reviewed) -> Rows:
    exposed = of.metrics.exposure
    spans = exposed.value.spans if isinstance(exposed, Known) else ()
    return [
        {
            "row": READABLE,
            "kind": "readable" if s.sure else "perhaps readable",
            "since": utc(s.since),
            "until": utc(s.until),
            "what": plain_text(f"{s.bucket}: {s.why}", 160),
        }
        for s in spans
    ]


def _reads(of: Reviewed) -> Rows:
    kind = {True: "read from outside", False: "read from inside", None: "read, origin not known"}
    return [
        {
            "row": READS,
            "kind": kind[read.outside],
            "time": utc(read.time),
            "what": plain_text(read.who, 120),
        }
        for answer in of.findings.reads.values()
        if isinstance(answer, Known)
        for read in answer.value
    ]


def _time(field: str, start: datetime, end: datetime) -> Any:
    import altair as alt

    form = (
        "%H:%M:%S"
        if end - start < timedelta(minutes=5)
        else "%H:%M"
        if end - start < timedelta(hours=20)
        else "%d %b %H:%M"
    )
    scale = alt.Scale(type="utc", domain=[utc(start), utc(end)], nice=False, clamp=True)
    return alt.X(f"{field}:T", scale=scale, axis=alt.Axis(format=form, title=f"{start:%Y-%m-%d}, UTC", tickCount=8))


def _row(names: Sequence[str]) -> Any:
    import altair as alt

    return alt.Y(
        "row:N",
        scale=alt.Scale(domain=list(names)),
        axis=alt.Axis(title=None, labelLimit=200, minExtent=150, grid=True),
    )


def _scale(colours: dict[str, str]) -> Any:
    import altair as alt

    return alt.Scale(domain=list(colours), range=list(colours.values()))


def _svg(chart: Any) -> str:
    import vl_convert

    ink = "currentColor"
    styled = (
        chart.configure(background="transparent", font="sans-serif")
        .configure_axis(labelColor=ink, titleColor=ink, gridColor="#8885", domainColor="#8888", tickColor="#8888",
                        labelFontSize=12, titleFontSize=12, titleFontWeight="normal")
        .configure_legend(labelColor=ink, labelFontSize=12, symbolStrokeWidth=0)
        .configure_title(color=ink, fontSize=12, fontWeight="normal", anchor="start", offset=6)
        .configure_view(stroke=None)
    )  # fmt: skip
    return str(vl_convert.vegalite_to_svg(styled.to_dict()))
