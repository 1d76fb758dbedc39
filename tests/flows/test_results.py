"""Results of phases come back as what they were, whatever an attacker wrote into them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prefect.serializers import Serializer

from decisions.resources import Instance
from flows.gates import Agreed, Waiting
from flows.results import RESULTS

HOSTILE = [
    {"__class__": "subprocess.Popen", "data": "id"},
    {"__class__": "decisions.plan.Plan"},
    {"__exc_type__": "builtins.SystemExit", "message": "0"},
]


@pytest.mark.parametrize("tags", HOSTILE)
def test_a_tag_cannot_name_the_class_that_a_resumed_run_builds(tags):
    instance = Instance(
        instance_id="i-0123456789abcdef0", account="111122223333", region="us-east-1", state="running", tags=tags
    )
    assert RESULTS.loads(RESULTS.dumps(instance)) == instance


@given(st.dictionaries(st.text(), st.text()))
def test_any_tags_survive(tags):
    instance = Instance(instance_id="i-0", account="111122223333", region="us-east-1", state="running", tags=tags)
    assert RESULTS.loads(RESULTS.dumps(instance)) == instance


@pytest.mark.parametrize(
    "result", [None, "a sentence", Waiting(page="# Plan"), Agreed(plan_hash="h", leave_out=("a",), approvers=())]
)
def test_answers_of_a_gate_come_back_as_themselves(result):
    back = RESULTS.loads(RESULTS.dumps(result))
    assert back == result
    assert type(back) is type(result)


@pytest.mark.parametrize(
    "blob", [b'{"model": "os:path", "content": {}}', b'{"model": "decisions.plan:make_plan", "content": {}}']
)
def test_nothing_but_a_model_of_ours_is_ever_built(blob):
    with pytest.raises(TypeError):
        RESULTS.loads(blob)


def test_what_is_not_a_model_is_refused_when_it_is_written_not_when_it_is_needed():
    with pytest.raises(TypeError, match="cannot be a result"):
        RESULTS.dumps({"a": 1})


def test_prefect_finds_the_serializer_by_its_type():
    assert Serializer(type="vmexport-model") == RESULTS
