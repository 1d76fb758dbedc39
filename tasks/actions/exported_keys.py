"""Which keys of a bucket are the exported image's, as patterns for a policy, and what that means for the bucket."""

from __future__ import annotations

from decisions.bucket_policy import key_pattern
from decisions.evidence import Unknown
from decisions.export import Outcome
from decisions.findings import ExportFacts, Findings


def exported_keys(bucket: str, findings: Findings) -> tuple[str, ...]:
    """Patterns of the keys that the case's exports wrote or will write; `*` where a key could not be found out.

    Empty where nothing was exported to the bucket: a denied attempt leaves nothing to lock.
    """
    patterns: list[str] = []
    for export in findings.exports:
        if isinstance(export.bucket, Unknown) or export.bucket.value != bucket or not _happened(export):
            continue
        known = None if isinstance(export.key, Unknown) else export.key.value
        patterns.append(key_pattern(known, export.key_is_prefix) if known else "*")
    objects = findings.objects.get(bucket)
    if objects is not None and not isinstance(objects, Unknown):
        patterns += [key_pattern(version.key) for version in objects.value]
    return _widest(patterns)


def _happened(export: ExportFacts) -> bool:
    return export.event.outcome is Outcome.ACCEPTED or not isinstance(export.task, Unknown)


def _widest(patterns: list[str]) -> tuple[str, ...]:
    """Without those that a pattern for a beginning covers."""
    starts = [p[:-1] for p in patterns if p.endswith("*")]
    kept = {p for p in patterns if not any(p != f"{s}*" and p.startswith(s) for s in starts)}
    return tuple(sorted(kept))
