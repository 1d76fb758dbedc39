"""A page as one HTML file that needs nothing else: no script, no font, no address is loaded."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime
from functools import cache

from jinja2 import Environment, PackageLoader, StrictUndefined, Template
from markupsafe import Markup

from decisions.document import Code, Line, Page, parts
from decisions.evidence import utc
from decisions.lessons import Reviewed
from decisions.plain import AT_MOST, plain_lines, plain_text
from decisions.review import review_page
from tasks.report.charts import charts

TIME = re.compile(r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ)")
"""Is not broken at its hyphens."""
SHORT = 24
"""A cell of so few characters (a time, a number) stays on one line."""


def report_html(of: Reviewed) -> str:
    """The report of a case, with its charts."""
    return page_html(review_page(of), charts(of), of.now)


def page_html(page: Page, svg: Mapping[str, str], now: datetime) -> str:
    """Any page; `svg`: chart name -> drawing of ours. Everything else is escaped."""
    drawn = {name: Markup(chart) for name, chart in svg.items()}  # noqa: S704 - drawn by tasks/report/charts.py
    return _template().render(page=page, charts=drawn, drawn_at=utc(now))


@cache
def _template() -> Template:
    environment = Environment(
        loader=PackageLoader("tasks.report", "."),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["parts"] = _parts
    environment.filters["plain"] = plain_text
    environment.filters["lines"] = plain_lines
    environment.tests["short"] = _short
    environment.tests["row_of_facts"] = lambda head: not any(head)
    return environment.get_template("report.html.j2")


def _short(cell: Line) -> bool:
    return (isinstance(cell, str) and len(cell) <= SHORT) or (isinstance(cell, Code) and len(cell.text) <= SHORT // 2)


def _parts(line: Line) -> list[tuple[str, str, str]]:
    """Kind, text that cannot steer the page, and address of each part of a line."""
    found: list[tuple[str, str, str]] = []
    for part in parts(line):
        text = part if isinstance(part, str) else part.text
        whole = isinstance(part, Code) and part.whole
        shown = plain_text(text, None if whole else AT_MOST) or ("(empty)" if isinstance(part, Code) else "")
        if isinstance(part, str):
            found += [("time" if TIME.fullmatch(piece) else "str", piece, "") for piece in TIME.split(shown) if piece]
        else:
            found.append((type(part).__name__.lower(), shown, getattr(part, "url", "")))
    return found
