"""Java's Map.toString: read where it has one reading, refused where a caller could have written part of it."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from decisions.export import ExportApi
from decisions.java_map import MAX_LENGTH, Ambiguous, parse
from decisions.parameters import answered, asked
from lab.java_text import java_text

NAMES = st.from_regex(r"[a-z][A-Za-z0-9_.:-]{0,4}", fullmatch=True)  # shorter than any name that must stand once
PLAIN = st.text(st.characters(codec="utf-8", exclude_characters="{}[],="), min_size=1)
TREES = st.recursive(
    PLAIN, lambda inner: st.dictionaries(NAMES, inner, max_size=4) | st.lists(inner, max_size=3), max_leaves=12
)
PIECES = (
    ", ", "=", "{", "}", "[", "]", " ", "\n", "x", "a=b", "s3Bucket=innocent", ", s3Bucket=innocent", "S3BUCKET = innocent",
    "bucket=innocent", "exportToS3={", "exportToS3Task={s3Bucket=innocent}", "}, exportToS3={", "instanceId=i-00000000",
    "innocent", "ExportImageRequest={", "description=",
)  # fmt: skip
HOSTILE = st.lists(st.sampled_from(PIECES) | st.text(max_size=4), max_size=6).map("".join)


@settings(deadline=None)
@given(st.dictionaries(NAMES, TREES, max_size=5))
def test_what_holds_no_structure_of_its_own_is_read_back_as_it_was(tree):
    assert parse(java_text(tree)) == tree


@settings(deadline=None)
@given(st.permutations(["instanceId", "exportToS3", "description", "tagSet"]), st.randoms(), HOSTILE, HOSTILE, HOSTILE)
def test_no_description_prefix_or_tag_ever_leads_to_another_bucket_or_instance(
    order, shuffle, description, prefix, tag
):
    location = [("s3Bucket", "real-bucket"), ("s3Prefix", prefix), ("diskImageFormat", "VMDK")]
    shuffle.shuffle(location)
    request = {
        "instanceId": "i-0123456789abcdef0",
        "exportToS3": dict(location),
        "description": description,
        "tagSet": {"items": [{"key": tag, "value": tag}]},
    }
    try:
        tree = parse(java_text({name: request[name] for name in order}, names=list))
    except Ambiguous:
        return
    read = dict(asked(ExportApi.INSTANCE, tree))
    assert read.get("bucket", ["real-bucket"]) == ["real-bucket"]
    assert read.get("instance_id", ["i-0123456789abcdef0"]) == ["i-0123456789abcdef0"]


REQUESTS = {
    ExportApi.INSTANCE: lambda free: {
        "instanceId": "i-0123456789abcdef0", "targetEnvironment": "vmware", "description": free[0],
        "exportToS3": {"diskImageFormat": "VMDK", "containerFormat": "ova", "s3Bucket": "real-bucket", "s3Prefix": free[1]},
        "tagSpecificationSet": {"items": [{"resourceType": "export-instance-task", "tags": [{"key": free[2], "value": free[2]}]}]},
    },
    ExportApi.IMAGE: lambda free: {"ExportImageRequest": {
        "ImageId": "ami-0a1b2c3d4e5f60718", "DiskImageFormat": "vmdk", "RoleName": "vmimport", "Description": free[0],
        "S3ExportLocation": {"S3Bucket": "real-bucket", "S3Prefix": free[1]}, "ClientToken": free[2],
        "TagSpecification": {"ResourceType": "export-image-task", "tag": 1, "Tag": {"Key": free[2], "Value": free[0], "tag": 1}},
    }},
    ExportApi.STORE: lambda free: {"CreateStoreImageTaskRequest": {
        "ImageId": "ami-0a1b2c3d4e5f60718", "Bucket": "real-bucket",
        "S3ObjectTag": [{"Key": free[0], "Value": free[1], "tag": 1}, {"Key": free[2], "Value": "x", "tag": 2}],
    }},
}  # fmt: skip
"""What each API is asked, with three texts of the caller's choice in it."""


@pytest.mark.parametrize("api", REQUESTS)
@settings(deadline=None)
@given(st.tuples(HOSTILE, HOSTILE, HOSTILE))
def test_a_request_in_the_order_of_a_hash_map_is_read_right_or_refused(api, free):
    request = REQUESTS[api](free)
    try:
        tree = parse(java_text(request))
    except Ambiguous:
        return
    truth = dict(asked(api, request))
    for field, found in asked(api, tree):
        if field in {"bucket", "instance_id", "image_id"}:
            assert found == truth[field], field


@pytest.mark.parametrize("api", REQUESTS)
@settings(deadline=None)
@given(st.tuples(PLAIN, PLAIN, PLAIN))
def test_an_honest_request_in_the_order_of_a_hash_map_is_read_back_whole(api, free):
    request = REQUESTS[api](free)
    assert parse(java_text(request)) == as_text(request)


@settings(deadline=None)
@given(HOSTILE, HOSTILE)
def test_no_prefix_or_description_ever_leads_to_another_task(prefix, description):
    task = "export-i-0fedcba9876543210"
    response = {"exportTask": {
        "exportTaskId": task, "state": "active", "description": description,
        "exportToS3": {"s3Bucket": "real-bucket", "s3Key": f"{prefix}{task}.ova"},
    }}  # fmt: skip
    try:
        tree = parse(java_text(response))
    except Ambiguous:
        return
    assert dict(answered(ExportApi.INSTANCE, tree)).get("task_id", [task]) == [task]


def as_text(value):
    """The same with leaves as text."""
    if isinstance(value, dict):
        return {name: as_text(inner) for name, inner in value.items()}
    return [as_text(inner) for inner in value] if isinstance(value, list) else str(value)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "brace"),
        ("instanceId=i-1", "brace"),
        ("{a=b", "cut off"),
        ("{a={b=c}", "neither a comma"),
        ("{a=b}}", "follows"),
        ("{a=b} x", "follows"),
        ("{a=b, a=c}", "twice"),
        ("{=b}", "no field name"),
        ("{a=x}y, b=c}", "follows"),
        ("{a=[b, c}", "cut off"),
        ("{description=s3Bucket=x, exportToS3={s3Bucket=y}}", "more than once"),
        ("{description=x, s3bucket =innocent, exportToS3={s3Bucket=y}}", "more than once"),
        ("{" + "a={" * 100, "too deeply"),
        ("{a=" + "x" * MAX_LENGTH + "}", "longer"),
    ],
)
def test_what_has_no_single_reading_is_refused_with_the_reason(text, why):
    with pytest.raises(Ambiguous, match=why):
        parse(text)


def test_a_description_with_commas_is_one_value():
    assert parse("{description=moved, as agreed, b=c}") == {"description": "moved, as agreed", "b": "c"}
