"""What the lab has written down, asked as one would ask AWS."""

import gzip
import json
import re

NAME = re.compile(r"(\d{12})_CloudTrail_([a-z0-9-]+)_\d{8}T\d{4}Z_[A-Za-z0-9]{16}\.json\.gz")


def lookup(who, **attribute):
    asked = [{"AttributeKey": key, "AttributeValue": value} for key, value in attribute.items()]
    return who.client("cloudtrail").lookup_events(LookupAttributes=asked)["Events"]


def record_of(who, name):
    found = lookup(who, EventName=name)
    return json.loads(found[0]["CloudTrailEvent"]) if found else None


def on_disk(lab, folder="cloudtrail"):
    """Every record in the files of one folder that this test's lab wrote, in the order in which they happened."""
    lab.deliver()
    order = [e["eventID"] for e in lab.events() if "eventID" in e]
    records = []
    for path in (lab.directory / folder).rglob("*.json.gz"):
        assert NAME.fullmatch(path.name), path
        records += json.loads(gzip.decompress(path.read_bytes()))["Records"]
    return sorted((r for r in records if r["eventID"] in order), key=lambda r: order.index(r["eventID"]))
