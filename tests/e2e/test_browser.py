"""A person answers a gate in the real Prefect UI, in a real browser."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

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


@pytest.fixture
def page():
    from playwright.sync_api import sync_playwright

    assert CHROMIUM, "VMEXPORT_TEST_REQUIRE_BROWSER is set and there is no Chromium"
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=CHROMIUM,
            args=["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
                  "--disable-component-update", "--disable-sync"],
        )  # fmt: skip
        page = browser.new_page(viewport={"width": 1400, "height": 1100})
        page.set_default_timeout(60_000)
        yield page
        browser.close()


def test_an_analyst_approves_the_containment_in_the_prefect_ui(incident, page):
    case, run = incident.open_case("production-export")
    wait_until(
        lambda: bool(ledger.entries(case, "gate-asked")) and state_of(run) == "Suspended",
        180,
        "the run does not wait at its gate",
    )

    page.goto(f"{incident.services.prefect_url}/v2/runs/flow-run/{run}")
    page.get_by_text("Suspended").first.wait_for()
    page.locator("button[aria-haspopup=menu]").last.click()
    page.get_by_role("menuitem", name="Resume").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_text("iam.deny-user").first.wait_for()
    dialog.get_by_role("button", name="Select Decision").click()
    page.get_by_role("option", name="approve").click()
    who, code = incident.fresh_code()
    dialog.get_by_label("Approver").fill(who)
    dialog.get_by_label("Code").fill(code)
    SCREENSHOT.mkdir(parents=True, exist_ok=True)
    page.screenshot(path=SCREENSHOT / "gate.png")
    dialog.get_by_role("button", name="Resume").click()

    wait_until(lambda: bool(ledger.entries(case, "plan-carried-out")), 180, "the approved plan was not carried out")
    answered = ledger.entries(case, "gate-answered")[0].data
    assert (answered["approver"], answered["decision"], answered["gate"]) == (who, "approve", "containment")
    incident.follow(case, run, "approve")
