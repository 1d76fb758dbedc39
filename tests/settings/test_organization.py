"""organization.toml: read once, and what is wrong with it is said with the next step."""

from __future__ import annotations

import pytest

from settings import organization as module
from settings.organization import EXAMPLE, OrganizationUnusable, load, organization


def test_the_example_is_a_whole_organisation():
    found = load(EXAMPLE)
    assert found.account("111122223333").sensitivity == "production"
    assert found.approvals.destructive["production"] == "two"


@pytest.mark.parametrize(("text", "words"), [
    ("id = ", ("not TOML", "organization.example.toml")),
    ('id = "o-exampleorgid"', ("`management_account`", "Field required")),
    (EXAMPLE.read_text().replace('sensitivity = "development"', 'sensitivity = "devel"'), ("`accounts.1.sensitivity`",)),
    ("unknown_key = 1\n" + EXAMPLE.read_text(), ("`unknown_key`",)),
    (EXAMPLE.read_text().replace('id = "111122223333"', 'id = "1111"'), ("`accounts.0.id`",)),
])  # fmt: skip
def test_what_is_wrong_is_named_by_its_key(tmp_path, text, words):
    (tmp_path / "organization.toml").write_text(text)
    with pytest.raises(OrganizationUnusable) as said:
        load(tmp_path / "organization.toml")
    assert all(word in str(said.value) for word in (*words, str(tmp_path)))


def test_a_missing_file_says_which_variable_names_it(tmp_path, monkeypatch):
    monkeypatch.setenv("VMEXPORT_ORGANIZATION", str(tmp_path / "no.toml"))
    module.organization.cache_clear()
    with pytest.raises(OrganizationUnusable, match="VMEXPORT_ORGANIZATION"):
        organization()
    module.organization.cache_clear()


def test_a_file_that_is_not_text_is_refused(tmp_path):
    (tmp_path / "organization.toml").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(OrganizationUnusable, match="cannot be read"):
        load(tmp_path / "organization.toml")
