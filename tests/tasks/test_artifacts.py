"""Keys of artifacts, as Prefect takes them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prefect.client.schemas.actions import ArtifactCreate

from tasks.artifacts import artifact_key


@pytest.mark.parametrize(
    ("what", "key"), [("card", "vmx-20260302-abcd-card"), ("containment-plan", "vmx-20260302-abcd-containment-plan")]
)
def test_a_case_has_one_key_for_each_thing_that_is_shown(what, key):
    assert artifact_key("VMX-20260302-ABCD", what) == key


@given(st.text(), st.text(st.characters(codec="ascii", categories=("Ll",)), min_size=1))
def test_prefect_takes_every_key(case_id, what):
    assert ArtifactCreate(key=artifact_key(case_id, what)).key
