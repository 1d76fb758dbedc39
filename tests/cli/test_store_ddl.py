"""`vmexport store ddl`, as a person and a script meet it."""

from __future__ import annotations

import json


def test_the_statements_are_written_for_a_person_and_for_a_script(vmexport) -> None:
    """The access logs' table stands in the schema of CloudTrail's; --json leaves the comments out."""
    words = ("store", "ddl", "--for", "trino", "--location", "s3://example-hunts/store", "--table", "hunting.ct")
    told = vmexport(*words)
    assert told.code == 0
    assert told.out.startswith("-- ")
    assert 'CREATE TABLE "hunting"."access_log"' in told.out
    made = json.loads(vmexport(*words, "--json").out)
    assert [one.split(maxsplit=1)[0] for one in made] == ["CREATE", "CALL", "CREATE", "CALL"]
    assert all(one in told.out for one in made)


def test_what_cannot_be_declared_is_wrong_usage_and_repeated_harmlessly(vmexport) -> None:
    """Exit 2, a sentence with the next step, nothing that steers a terminal."""
    told = vmexport("store", "ddl", "--for", "athena", "--location", "s3://b/a'\x1b[31m")
    assert told.code == 2
    assert told.out == ""
    assert "is no place that Athena could read" in told.err
    assert "\x1b" not in told.err
    assert vmexport("store", "ddl", "--for", "presto", "--location", "s3://b/a").code == 2
