"""hunts.toml: what is wrong in it is said by key, with the next step."""

from __future__ import annotations

from datetime import timedelta

import pytest

from settings.hunts import EXAMPLE, HuntsUnusable, load

SOURCE = '[[source]]\nname = "a"\nkind = "files"\nplace = "/srv/logs"\n'
ARABIC = "\u0661\u0661\u0661\u0661\u0662\u0662\u0662\u0662\u0663\u0663\u0663\u0663"
"""An account in digits of another script."""
SCHEDULE = '[[schedule]]\nname = "n"\nsource = "a"\ncron = "15 2 * * *"\n'


def read(tmp_path, text):
    path = tmp_path / "hunts.toml"
    path.write_text(text, encoding="utf-8")
    return load(path)


def test_the_example_is_one():
    found = load(EXAMPLE)
    [source] = found.source
    assert (source.first, source.overlap) == (timedelta(days=400), timedelta(days=2))
    assert source.rules_folder is not None
    assert source.rules_folder.is_dir()
    nightly, weekly = found.schedule
    assert nightly.parameters == {
        "source": "organization-trail", "accounts": ["111122223333"], "regions": ["us-east-1", "eu-central-1"],
    }  # fmt: skip
    assert weekly.parameters["window"] == "90d"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (SOURCE + SCHEDULE.replace("15 2 * * *", "at night"), "five fields"),
        (SOURCE + SCHEDULE.replace("15 2", "99 99"), "like 15 2 * * *"),
        (SOURCE + SCHEDULE + 'timezone = "Sydney"\n', "IANA"),
        (SOURCE + SCHEDULE + SCHEDULE, "two schedules are called n"),
        (SOURCE.replace("files", "splunk"), "source.0.kind"),
        (SOURCE + SCHEDULE.replace('"a"', '"b"'), "which is not here"),
        (SOURCE + SCHEDULE + 'accounts = ["1"]\n', "schedule.0.accounts.0"),
        (SOURCE + SCHEDULE + f'accounts = ["{ARABIC}"]\n', "schedule.0.accounts.0"),
        (SOURCE + SCHEDULE + 'regions = ["us"]\n', "schedule.0.regions.0"),
        (SOURCE + SCHEDULE + 'window = "soon"\n', "400d or 36h"),
        (SOURCE + SCHEDULE + 'window = ""\n', "400d or 36h"),
        (SOURCE + 'first = "12"\n', "400d or 36h"),
        (SOURCE + SOURCE, "two sources are called a"),
        (SOURCE.replace("files", "elasticsearch"), "takes no place"),
        (SOURCE.replace('place = "/srv/logs"\n', ""), "needs a place"),
        (SOURCE.replace("files", "s3"), "must be s3://"),
        (SOURCE.replace("files", "s3").replace("/srv/logs", "s3://b"), "needs a store"),
        (SOURCE.replace("files", "store") + 'store = "/x"\n', "takes no store"),
        (SOURCE.replace('"a"', '"../a"'), "source.0.name"),
        (SOURCE + 'colour = "red"\n', "source.0.colour"),
        ("[[source", "is not TOML"),
    ],
)
def test_what_is_wrong_is_said(tmp_path, text, said):
    with pytest.raises(HuntsUnusable) as error:
        read(tmp_path, text)
    assert said in str(error.value)
    assert str(EXAMPLE) in str(error.value)


def test_a_file_that_is_not_there_and_a_source_that_is_not_in_it_are_said(tmp_path):
    with pytest.raises(HuntsUnusable, match="VMEXPORT_HUNTS"):
        load(tmp_path / "nowhere.toml")
    with pytest.raises(HuntsUnusable, match="there are: a"):
        read(tmp_path, SOURCE).named("b")
