"""The demo says at once, and in a sentence, when the Elasticsearch that it was given cannot be used."""

import pytest


@pytest.mark.parametrize(
    ("url", "sentence"),
    [
        ("http://demo:s3cret@127.0.0.1:9", "No Elasticsearch answers at http://127.0.0.1:9"),
        ("localhost", "needs an address like http://127.0.0.1:9200"),
    ],
)
def test_an_elasticsearch_that_does_not_answer_ends_with_the_next_step(vmexport, tmp_path, url, sentence):
    said = vmexport("demo", "--elasticsearch", url, "--home", str(tmp_path / "demo"))
    assert (said.code, said.out) == (2, "")
    assert sentence in said.err
    assert "s3cret" not in said.err
