"""The chart of a hunt's summary, as an image that Prefect's UI shows: exports by day, by who asked and what came of it."""

from __future__ import annotations

import base64
from collections import Counter
from collections.abc import Mapping, Sequence

from decisions.export import ExportEvent
from decisions.hunt_summary import exports_by_day
from decisions.plain import plain_text

WIDTH, HEIGHT = 720, 56
INK = "#808690"
"""Readable on a light page and on a dark one: an image does not take the colour of the page around it."""
OUTCOMES = {
    "accepted": "#d1495b",
    "denied": "#3a86c8",
    "not-exportable": "#8b6fc0",
    "dry-run": "#c98a1b",
    "failed": "#8a8f98",
}
LONGEST = 60


def exports_chart(exports: Sequence[ExportEvent]) -> str:
    """SVG: a row of bars for each of the busiest callers."""
    import altair as alt
    import vl_convert

    rows = [row | {"actor": plain_text(str(row["actor"]), LONGEST)} for row in exports_by_day(exports)]
    present = {
        name: colour for name, colour in OUTCOMES.items() if any(row["outcome"] == name for row in rows)
    } or OUTCOMES
    bars = (
        alt.Chart(alt.Data(values=rows))
        .mark_bar(width={"band": 0.8}, minBandSize=3)
        .encode(
            x=alt.X("day:T", timeUnit="utcyearmonthdate", title=None),
            y=alt.Y("sum(count):Q", title=None, axis=alt.Axis(values=_counts(rows), format="d")),
            color=alt.Color(
                "outcome:N",
                title=None,
                scale=alt.Scale(domain=list(present), range=list(present.values())),
                legend=alt.Legend(orient="bottom"),
            ),
        )
        .properties(width=WIDTH, height=HEIGHT)
        .facet(
            row=alt.Row(
                "actor:N", title=None, header=alt.Header(labelOrient="top", labelAnchor="start", labelLimit=WIDTH)
            )
        )
        .configure(background="transparent", font="sans-serif")
        .configure_axis(labelColor=INK, gridColor="#8885", domainColor=INK, tickColor=INK)
        .configure_header(labelColor=INK)
        .configure_legend(labelColor=INK)
        .configure_view(stroke=None)
    )
    return str(vl_convert.vegalite_to_svg(bars.to_dict()))


def _counts(rows: Sequence[Mapping[str, str | int]]) -> list[int]:
    """None, half of the highest bar, and all of it: whole numbers, as half an export is none."""
    bars = Counter[tuple[str | int, str | int]]()
    for row in rows:
        bars[row["day"], row["actor"]] += int(row["count"])
    highest = max(bars.values(), default=1)
    return sorted({0, (highest + 1) // 2, highest})


def as_markdown(svg: str, caption: str) -> str:
    """An image in Markdown; Prefect's UI strips an SVG that stands in the text itself."""
    return f"![{caption}](data:image/svg+xml;base64,{base64.b64encode(svg.encode()).decode()})"
