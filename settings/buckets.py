"""How logs in buckets are read, and what that may cost."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict


class BucketSettings(BaseSettings):
    """Whose the log bucket is, the most that a run may cost, and where objects lie while they are read."""

    model_config = SettingsConfigDict(env_prefix="VMEXPORT_HUNT_", hide_input_in_errors=True)

    log_account: str | None = Field(None, pattern=r"^[0-9]{12}$", description="Account that owns the log bucket")
    s3_cost_max: float = Field(5.0, ge=0, description="US dollars above whose estimate a run over a bucket is refused")
    s3_in_region: bool = Field(
        False, description="This machine is in the bucket's Region, so that transfer costs nothing"
    )
    s3_connections: int = Field(16, ge=1, le=32, description="Requests to S3 at the same time")
    s3_part_bytes: int = Field(8 * 1024**2, ge=1024, description="Larger objects are read in parts of this size")
    spool_dir: Path | None = Field(
        None, description="Folder for copies of objects while they are read; default: TMPDIR or /tmp"
    )
    spool_max_bytes: int = Field(
        512 * 1024**2, ge=1024, description="Copies that lie there at once, beside those being read"
    )


@lru_cache
def buckets() -> BucketSettings:
    """The settings from the environment, read at first use."""
    return BucketSettings()
