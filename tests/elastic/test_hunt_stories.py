"""The lab's stories, hunted for in the files that were delivered and in the documents that were made of them."""

from __future__ import annotations

import shutil

import pytest

from lab.story import stories
from tasks.hunting.fixtures import load
from tests.elastic.hunted import Indexed, in_files, told
from tests.elastic.stories import play
from tests.lab.conftest import lab_process

__all__ = ["lab_process"]

pytestmark = [pytest.mark.lab, pytest.mark.elastic]


@pytest.mark.parametrize("story", stories())
def test_a_story_is_found_the_same_in_files_and_in_elasticsearch(story, lab_process, elasticsearch_url, tmp_path):
    played = play(story, lab_process, None, elasticsearch_url, tmp_path)  # the case itself is not worked on
    shutil.copytree(lab_process.directory / "cloudtrail", tmp_path / "logs")
    rules = load()
    found = Indexed(elasticsearch_url, played.namespace, tmp_path / "hunts").hunt(rules)
    assert told(found) == told(in_files(tmp_path / "logs", rules))
    assert "export" in {finding.kind for finding in found.findings}
