"""Rules on a real Trino: the same records as the reference."""

from __future__ import annotations

from typing import Any

import pytest

from decisions.sigma import matches
from settings.trino import TrinoSettings
from tasks.hunting.fixtures import PACK, load
from tasks.hunting.rules_check import check
from tasks.hunting.trino_engine import TrinoEngine
from tasks.hunting.trino_table import TrinoTable
from tests.hunting.packs import PACKS
from tests.hunting.sigma_records import records
from tests.trino.conftest import Place


@pytest.mark.parametrize("pack", PACKS)
def test_trino_says_what_the_reference_says_of_records_made_from_the_rules(pack: str, trino: Place) -> None:
    """Each field as a rule wants it, and absent, null, in a list, in other case, nearly right."""
    rules = PACKS[pack]().rules
    made: list[dict[str, Any]] = [one for rule in rules for one in records(rule.detection, 20, f"trino-{rule.id}")]
    with TrinoTable(TrinoSettings(url=trino.url)) as table:
        told = TrinoEngine(table).matched(rules, made)
    assert any(told)
    for record, ids in zip(made, told, strict=True):
        assert ids == {rule.id for rule in rules if matches(rule, record)}, record


def test_our_rules_are_right_on_trino(trino: Place) -> None:
    """`vmexport rules check`, asked of Trino alone."""
    with TrinoTable(TrinoSettings(url=trino.url)) as table:
        told = check(PACK, load(), [TrinoEngine(table)])
    assert told.fixtures > 50
    assert told.problems == []
