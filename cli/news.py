"""What whoever watches a case is told as its ledger grows."""

from __future__ import annotations

from typing import Any


def news(kind: str, entry: dict[str, Any]) -> str | None:
    """The sentence of an entry of this kind with this content; None for one that is no news to whoever watches."""
    match kind:
        case "assessed":
            return f"case card: severity {entry['assessment']['level']}"
        case "verdict":
            return f"verdict: {entry['verdict']}"
        case "plan-proposed":
            actions = entry["plan"]["actions"]
            return f"{entry['plan']['gate']} plan: {len(actions)} action(s)" if actions else None
        case "gate-asked":
            return f"gate {entry['gate']}: {entry['have']} of {entry['need']} approvals" + (
                f"; {entry['problem']}" if entry["problem"] else ""
            )
        case "gate-answered":
            return f"{entry['decision']}d by {entry['approver']}"
        case "gate-refused":
            return f"answer refused: {entry['refused']}"
        case "action-done":
            return f"{'verified' if entry['verification']['verified'] else 'NOT VERIFIED'}: {entry['action_id']}"
        case "action-failed" | "plan-stale":
            return f"{kind}: {entry.get('error') or entry.get('changed')}"
        case "download-found":
            return f"a hunt found a read of the image at {entry['record']['time']}"
        case "case-reopened":
            return f"opened again: {entry['why']}"
        case "report-written":
            return "report written"
        case _:
            return None
