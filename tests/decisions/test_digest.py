"""What a digest's name, key and metadata tell."""

from __future__ import annotations

import pytest

from decisions.digest import may_lie_in, signature_in

LOG = "AWSLogs/111122223333/CloudTrail/eu-central-1/2026/03/02/a.json.gz"


@pytest.mark.parametrize(
    ("folder", "may"),
    [
        ("s3://logs/AWSLogs/111122223333/CloudTrail/", True),
        ("s3://logs/copied/AWSLogs/o-exampleorgid/111122223333/CloudTrail/eu-central-1/2026/03/", True),
        ("/srv/123456789012/AWSLogs/111122223333/CloudTrail", True),
        ("/srv/AWSLogs/111122223333", True),
        ("s3://logs/AWSLogs/", True),
        ("s3://logs/AWSLogs/111122223333/CloudTrail-Digest/", False),
        ("/srv/AWSLogs/111122223333/CloudTrail/eu-central-1/2026/03/0", False),
        ("s3://logs/AWSLogs/111122223333/CloudTrail/eu-central-1/2026/03/03/", False),
        ("s3://logs/AWSLogs/444455556666/", False),
    ],
)
def test_what_is_missing_may_lie_in_a_folder_that_could_not_be_listed(folder: str, may: bool) -> None:
    """Whatever stands before the account; folders of other accounts, kinds and days excuse nothing."""
    assert may_lie_in(folder, LOG) is may


def test_all_digests_of_a_region_may_lie_in_a_month_of_them() -> None:
    """Asked of a whole folder, a part of it is enough."""
    assert may_lie_in(
        "s3://b/111122223333/CloudTrail-Digest/eu-west-1/2026/03/", "111122223333/CloudTrail-Digest/eu-west-1/"
    )
    assert not may_lie_in(
        "s3://b/111122223333/CloudTrail-Digest/eu-west-1/", "111122223333/CloudTrail-Digest/eu-west-2/"
    )


def test_a_signature_is_one_of_the_algorithm_that_is_checked() -> None:
    """Of another algorithm it would look like a wrong one."""
    both = {"signature": "ab", "signature-algorithm": "SHA256withRSA"}
    assert signature_in(both) == "ab"
    assert signature_in(both | {"signature-algorithm": "SHA512withRSA"}) == signature_in({"signature": "ab"}) == ""
