"""Parameters stand in the order and the words of Java, and what is read back from them is the truth or nothing."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from decisions.java_map import Ambiguous, parse
from lab.java_text import hash_code, hash_order, java_text
from tests.decisions.test_java_map import HOSTILE, NAMES, TREES


def numbered(*names):
    return {name: n for n, name in enumerate(names)}


@pytest.mark.parametrize(
    ("tree", "text"),
    [
        (  # more than twelve keys: the table has doubled
            numbered("instanceId", "targetEnvironment", "exportToS3", "description", "tagSet", "clientToken", "dryRun", "a", "b", "c", "d", "e", "f", "g"),
            "{a=7, b=8, dryRun=6, c=9, d=10, e=11, clientToken=5, f=12, g=13, targetEnvironment=1, description=3, tagSet=4, instanceId=0, exportToS3=2}",
        ),
        (numbered("AaAa", "BBBB", "AaBB", "BBAa", "x"), "{x=4, AaAa=0, BBBB=1, AaBB=2, BBAa=3}"),
        (numbered("é", "😀", "€", "z"), "{😀=1, é=0, z=3, €=2}"),
        (numbered(*(chr(256 + 16 * n) for n in range(10))), "{Ā=0, Ġ=2, ŀ=4, Š=6, ƀ=8, Đ=1, İ=3, Ő=5, Ű=7, Ɛ=9}"),
    ],
    ids=["a table that doubled", "one hash", "outside ASCII", "one crowded bucket"],
)  # fmt: skip
def test_a_map_is_listed_as_a_jvm_listed_it(tree, text):
    assert java_text(tree) == text


def test_an_export_reads_as_in_an_alert_of_kibana():
    request = {
        "description": "x",
        "instanceId": "i-0123456789abcdef0",
        "targetEnvironment": "vmware",
        "exportToS3": {"s3Bucket": "corp-exports", "s3Prefix": "vm/", "diskImageFormat": "VMDK", "containerFormat": "ova"},
    }  # fmt: skip
    assert java_text(request) == (
        "{instanceId=i-0123456789abcdef0, targetEnvironment=vmware, exportToS3={diskImageFormat=VMDK, containerFormat=ova, "
        "s3Prefix=vm/, s3Bucket=corp-exports}, description=x}"
    )


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "null"), (True, "true"), (10**20, "100000000000000000000"), (1.5, "1.5"), (100.0, "100.0"), (1e7, "1.0E7"),
        (0.001, "0.001"), (-0.00025, "-2.5E-4"), (1.25e22, "1.25E22"), (0.0, "0.0"), ([], "[]"), ({}, "{}"),
        ([{"a": ["b", None]}, "c"], "[{a=[b, null]}, c]"),
    ],
)  # fmt: skip
def test_values_stand_bare(value, text):
    assert java_text(value) == text


@given(st.lists(st.text(), unique=True, max_size=60))
def test_no_name_is_lost_and_none_is_doubled(names):
    assert sorted(hash_order(names)) == sorted(names)
    assert all(0 <= hash_code(name) < 2**32 for name in names)


@settings(deadline=None)
@given(st.dictionaries(NAMES, TREES, max_size=20))
def test_what_holds_no_structure_of_its_own_is_read_back_as_it_was(tree):
    assert parse(java_text(tree)) == tree


@settings(deadline=None)
@given(st.dictionaries(NAMES, HOSTILE, max_size=3), HOSTILE, HOSTILE)
def test_what_a_caller_wrote_is_never_read_as_another_bucket(more, description, prefix):
    request = more | {
        "instanceId": "i-0123456789abcdef0",
        "description": description,
        "exportToS3": {"s3Bucket": "real-bucket", "s3Prefix": prefix, "diskImageFormat": "VMDK"},
    }
    try:
        found = parse(java_text(request))
    except Ambiguous:
        return
    assert found["exportToS3"]["s3Bucket"] == "real-bucket"
    assert "s3Bucket" not in found
