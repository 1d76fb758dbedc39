"""`vmexport hunt --validate`: whether the log files of a folder or a bucket are as CloudTrail delivered them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from decisions.hunt import HuntResult
    from tasks.hunting.coverage import Period
    from tasks.hunting.digest_keys import AwsKeys, FileKeys
    from tasks.hunting.source import Source

AWS = "aws"
"""In place of a file: ask ListPublicKeys."""


@dataclass(frozen=True)
class Validation:
    """What the user asked for. Raises UsageProblem when it cannot be done."""

    asked: bool
    path: str | None
    digest_keys: Sequence[str] = ()
    keep_keys: Path | None = None

    def __post_init__(self) -> None:
        from cli.console import UsageProblem

        if not self.asked:
            if self.digest_keys or self.keep_keys:
                raise UsageProblem("--digest-keys and --keep-keys say with what to check: add --validate.")
            return
        if self.path is None:
            raise UsageProblem(
                "--validate reads the digest files beside log files: name the bucket, or a folder it was copied to, as PATH, "
                "with CloudTrail-Digest beside CloudTrail in it."
            )
        if AWS in self.digest_keys and len(self.digest_keys) > 1:
            raise UsageProblem("--digest-keys is `aws` or files, not both.")
        if self.keep_keys and AWS not in self.digest_keys:
            raise UsageProblem("--keep-keys keeps what AWS answers: add --digest-keys aws.")
        if self.keep_keys and (self.keep_keys.exists() or not self.keep_keys.parent.is_dir()):
            raise UsageProblem(f"--keep-keys {self.keep_keys}: name a new file in a folder that is there.")

    def keys(self) -> FileKeys | AwsKeys | None:
        """Where the keys come from; None: nobody named any."""
        if not self.digest_keys:
            return None
        from cli.console import UsageProblem
        from decisions.digest_keys import NoKeys

        if AWS in self.digest_keys:
            return self._aws()
        from tasks.hunting.digest_keys import FileKeys

        try:
            return FileKeys([Path(name) for name in self.digest_keys])
        except NoKeys as error:
            raise UsageProblem(
                f"--digest-keys {error}. Name what `aws cloudtrail list-public-keys` printed, or `aws`."
            ) from error

    def of(
        self,
        result: HuntResult,
        asked: Source,
        keys: FileKeys | AwsKeys | None,
        period: Period,
        workers: int | None,
        told: Callable[[str, int, int, int, int], None],
    ) -> HuntResult:
        """The result with what the validation found in the source's place; unchanged where none was asked for.

        Raises PlaceUnusable.
        """
        from tasks.hunting.file_source import FileSource

        if not self.asked or not isinstance(asked, FileSource):  # __post_init__ lets no other source be asked
            return result
        from settings.logs import logs
        from tasks.hunting.digests import validated

        integrity = validated(asked.root, period, logs().log_file_max_bytes, keys, workers, told)
        self._keep(keys)
        return result.model_copy(update={"coverage": result.coverage.model_copy(update={"integrity": integrity})})

    def document(self, keys: FileKeys | AwsKeys | None) -> dict[str, Any]:
        """For --json: keys that AWS answered, which are evidence as well."""
        if keys is None:
            return {}
        from tasks.hunting.digest_keys import AwsKeys  # it brings what signatures are checked with: 8 MB

        return {"digest_keys": keys.document()} if isinstance(keys, AwsKeys) else {}

    def _aws(self) -> AwsKeys:
        from datetime import UTC, datetime

        from tasks import sts
        from tasks.hunting.digest_keys import AwsKeys

        return AwsKeys(sts.aws("hunt"), datetime.now(UTC))

    def _keep(self, keys: FileKeys | AwsKeys | None) -> None:
        import json

        from cli.console import UsageProblem, say

        document = self.document(keys)
        if self.keep_keys is None or not document:
            return
        try:
            with self.keep_keys.open("x", encoding="utf-8") as file:
                json.dump(document["digest_keys"], file, indent=2)
        except OSError as error:
            raise UsageProblem(f"--keep-keys {self.keep_keys}: {error.strerror}. Name a new file.") from error
        say(f"Public keys kept in {self.keep_keys}: --digest-keys reads them.", error=True)
