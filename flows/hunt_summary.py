"""The summary of a scheduled hunt as an artifact in the Prefect UI, each run a version of its source's."""

from __future__ import annotations

import asyncio

from decisions.document import Chart
from decisions.hunt_summary import summary_page
from decisions.markdown import to_markdown
from flows.hunt_runs import HuntRun
from tasks.artifacts import publish_summary
from tasks.report.hunt_chart import as_markdown, exports_chart


async def publish(run: HuntRun) -> None:
    """Draw and show it."""
    markdown = await asyncio.to_thread(_draw, run)
    await publish_summary(run.asked.target, markdown)


def _draw(run: HuntRun) -> str:
    page = summary_page(run.asked.target, run.result, run.became, run.difference())
    at = next(n for n, block in enumerate(page) if isinstance(block, Chart))
    chart = page[at]
    exports = run.exports()
    drawn = ""
    if exports and isinstance(chart, Chart):
        drawn = f"{as_markdown(exports_chart(exports), chart.caption)}\n\n"
    return f"{to_markdown(page[:at])}\n{drawn}{to_markdown(page[at:])}"
