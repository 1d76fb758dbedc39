"""A person answers a gate in the real Prefect UI, in a real browser."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from playwright.sync_api import Page, sync_playwright

from cli.orchestration import state_of
from cli.processes import wait_until
from records import ledger

CHROMIUM = next((p for p in map(shutil.which, ("chromium", "chromium-browser", "google-chrome")) if p), None)
SCREENSHOT = Path(__file__).resolve().parents[2] / "var" / "screenshots"

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(
        CHROMIUM is None and not os.environ.get("VMEXPORT_TEST_REQUIRE_BROWSER"),
        reason="no Chromium here: the gate is not clicked",
    ),
]


@contextmanager
def page() -> Iterator[Page]:
    """A page in the system's Chromium; Playwright's own loop ends with it."""
    assert CHROMIUM, "VMEXPORT_TEST_REQUIRE_BROWSER is set and there is no Chromium"
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=CHROMIUM,
            args=["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
                  "--disable-component-update", "--disable-sync"],
        )  # fmt: skip
        made = browser.new_page(viewport={"width": 1400, "height": 1100})
        made.set_default_timeout(60_000)
        yield made
        browser.close()


def approve_in_the_ui(page: Page, url: str, who: str, code: str) -> None:
    """What an analyst clicks, with a picture of the filled form."""
    page.goto(url)
    page.get_by_text("Suspended").first.wait_for()
    page.locator("button[aria-haspopup=menu]").last.click()
    page.get_by_role("menuitem", name="Resume").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_text("iam.deny-user").first.wait_for()
    SCREENSHOT.mkdir(parents=True, exist_ok=True)
    page.screenshot(path=SCREENSHOT / "gate-plan.png")
    dialog.get_by_role("button", name="Select Decision").click()
    page.get_by_role("option", name="approve").click()
    dialog.get_by_label("Approver").fill(who)
    dialog.get_by_label("Code").fill(code)
    page.screenshot(path=SCREENSHOT / "gate.png")
    dialog.get_by_role("button", name="Resume").click()
    dialog.wait_for(state="detached")


def test_an_analyst_approves_the_containment_in_the_prefect_ui(incident):
    case, run = incident.open_case("production-export")
    wait_until(
        lambda: bool(ledger.entries(case, "gate-asked")) and state_of(run) == "Suspended",
        180,
        "the run does not wait at its gate",
    )
    who, code = incident.fresh_code()
    with page() as shown:
        approve_in_the_ui(shown, f"{incident.services.prefect_url}/v2/runs/flow-run/{run}", who, code)

    wait_until(lambda: bool(ledger.entries(case, "plan-carried-out")), 180, "the approved plan was not carried out")
    answered = ledger.entries(case, "gate-answered")[0].data
    assert (answered["approver"], answered["decision"], answered["gate"]) == (who, "approve", "containment")
    incident.follow(case, run, "approve")
