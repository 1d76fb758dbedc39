"""What is known of an exported object beside the text that is looked for: so it is found in an index without its middle.

An index finds whole values and beginnings quickly, and what stands within them only by going through all values there are.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from urllib.parse import quote

from decisions.export import ExportEvent
from tasks.hunting.hunt import object_part


@dataclass(frozen=True)
class Sought:
    """One object."""

    text: str
    """What only its key holds."""
    keys: tuple[str, ...]
    """What its key begins with."""
    buckets: tuple[str, ...]
    certain: bool
    """Whether its bucket and the beginning of its key are known."""

    @property
    def beginnings(self) -> tuple[str, ...]:
        """What a value begins with that names it within its bucket; keys may be written with `%`."""
        keys = (self.text, *self.keys)
        return tuple(dict.fromkeys(form for key in keys for form in (key, quote(key), quote(key, safe=""))))

    @property
    def places(self) -> tuple[str, ...]:
        """What a value begins with that names bucket and object."""
        keys = dict.fromkeys(form for key in self.keys for form in (key, quote(key), quote(key, safe="")))
        paths = [f"{bucket}/{key}" for bucket in self.buckets for key in keys]
        forms = [form for path in paths for form in (path, f"/{path}", quote(path, safe=""))]
        return tuple(dict.fromkeys((*forms, *self.arns)))

    @property
    def arns(self) -> tuple[str, ...]:
        """Likewise its ARN."""
        return tuple(arn for bucket in self.buckets for key in self.keys for arn in self._arns(f"{bucket}/{key}"))

    def _arns(self, path: str) -> tuple[str, ...]:
        return tuple(f"arn:{partition}:s3:::{path}" for partition in ("aws", "aws-cn", "aws-us-gov"))


def sought(texts: Iterable[str], exports: Iterable[ExportEvent]) -> list[Sought]:
    """The objects of these texts, with what the exports tell of them."""
    told: dict[str, list[ExportEvent]] = {}
    for export in exports:
        told.setdefault(object_part(export) or "", []).append(export)
    return [_sought(text, told.get(text, [])) for text in texts]


def _sought(text: str, exports: list[ExportEvent]) -> Sought:
    keys = (key for export in exports for key in (export.object_key, export.key_prefix) if key)
    buckets = tuple(dict.fromkeys(export.bucket for export in exports if export.bucket))
    return Sought(text, tuple(dict.fromkeys(keys)), buckets, bool(exports) and all(map(_certain, exports)))


def _certain(export: ExportEvent) -> bool:
    """A prefix that was refused, because several contradict each other, is not that there is none."""
    refused = any("prefix" in warning for warning in export.warnings)
    return export.bucket is not None and (export.object_key is not None or not refused)
