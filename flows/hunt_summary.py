"""The summary of a scheduled hunt as an artifact in the Prefect UI, each run a version of its source's."""

from __future__ import annotations

import asyncio

from decisions.document import Bullets, Chart, Code, Heading, Paragraph, Quote
from decisions.hunt_summary import period_words, summary_page
from decisions.markdown import to_markdown
from flows.hunt_runs import HuntRun
from tasks.artifacts import publish_summary
from tasks.report.hunt_chart import as_markdown, exports_chart

UNMOVED = "this run does not move the mark that the next begins at"


async def publish(run: HuntRun) -> None:
    """Draw and show it."""
    markdown = await asyncio.to_thread(_draw, run)
    await publish_summary(run.asked.target, markdown)


async def publish_failure(run: HuntRun, why: str) -> None:
    """Show that there is no answer: the newest version would else be that of the night before, and look like this one's."""
    page = (
        Heading(1, f"{run.asked.target}: the run failed"),
        Paragraph(f"What happened {period_words(run.period.since, run.period.until)} could not be searched to the end: this is no answer."),
        Quote((Code(why),)),
        Bullets((
            f"{UNMOVED.capitalize()}. What it had found is handed over by the next.",
            "The log of the run's page has all of the error.",
        )),
    )  # fmt: skip
    await publish_summary(run.asked.target, to_markdown(page))


def _draw(run: HuntRun) -> str:
    page = summary_page(run.asked.target, run.result, (*run.became, *run.known()), run.difference())
    at = next(n for n, block in enumerate(page) if isinstance(block, Chart))
    chart = page[at]
    exports = run.exports()
    again = () if run.whole else (Paragraph(f"What could not be searched is looked for again: {UNMOVED}."),)
    drawn = ""
    if exports and isinstance(chart, Chart):
        drawn = f"{as_markdown(exports_chart(exports), chart.caption)}\n\n"
    return f"{to_markdown(page[:at])}\n{drawn}{to_markdown((*page[at:], *again))}"
