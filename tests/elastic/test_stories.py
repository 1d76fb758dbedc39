"""The same case has the same findings, word for word, whether CloudTrail lies in files or in Elasticsearch."""

from __future__ import annotations

import pytest

from lab.ecs import Integration, Retain
from lab.story import load, stories
from tests.elastic.stories import comparable, origins, play
from tests.flows.harness import prefect
from tests.lab.conftest import lab_process

__all__ = ["lab_process", "prefect"]

pytestmark = [pytest.mark.lab, pytest.mark.usefixtures("prefect")]


@pytest.fixture(scope="module", params=stories())
def played(request, lab_process, cluster, elasticsearch_url, tmp_path_factory):
    """Each story."""
    return play(request.param, lab_process, cluster, elasticsearch_url, tmp_path_factory.mktemp("story"))


async def test_a_story_is_told_the_same_by_files_and_by_elasticsearch(played):
    by_files, by_elasticsearch = await played.work(played.files), await played.work(played.elasticsearch)
    for one, other in zip(by_files, by_elasticsearch, strict=True):
        assert comparable(other) == comparable(one)
    read = {origin for origin in origins(by_elasticsearch[1]) if not origin.startswith("LookupEvents")}
    assert all(origin.startswith(f".ds-logs-aws.cloudtrail-{played.namespace}-") for origin in read)
    assert read, "LookupEvents only fills what Elasticsearch leaves open"
    assert any(origin.endswith(".json.gz") for origin in origins(by_files[1]))
    assert by_elasticsearch[1].verdict in load(played.detonation.story.name).verdict


@pytest.mark.parametrize("played", ["production-export"], indirect=True)
async def test_the_original_event_alone_tells_the_same_story(played, namespace):
    whole = await played.work(played.elasticsearch)
    there = played.loaded(namespace, Integration(Retain.NONE, preserve_original_event=True))
    kept = await there.work(there.elasticsearch)
    for one, other in zip(whole, kept, strict=True):
        assert comparable(other) == comparable(one)


@pytest.mark.parametrize("played", ["production-export"], indirect=True)
async def test_texts_alone_tell_the_same_story(played, namespace):
    _, whole = await played.work(played.elasticsearch)
    there = played.loaded(namespace, Integration(Retain.KEYWORD))
    _, kept = await there.work(there.elasticsearch)
    said, told = comparable(kept), comparable(whole)
    # Texts have no numbers: so records differ, and what follows from them does not.
    for name in ("statements", "verdict", "verdict_reasons", "assessment", "missing", "reads", "objects", "exports"):
        assert said[name] == told[name], name
