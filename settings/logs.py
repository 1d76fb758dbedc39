"""Where log files lie that are searched in place."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict


class LogSettings(BaseSettings):
    """Folders; without them CloudTrail is asked by LookupEvents, and object reads stay unknown."""

    model_config = SettingsConfigDict(env_prefix="VMEXPORT_", hide_input_in_errors=True)

    cloudtrail_dir: Path | None = Field(None, description="Folder that holds AWSLogs/… of the organisation's trail")
    s3_access_logs_dir: Path | None = Field(
        None, description="Folder of S3 server access logs: the objects of each log bucket under the bucket's name"
    )
    log_records_max: int = Field(5000, ge=1, description="Records kept of one answer; the newest, and the gap is named")
    log_file_max_bytes: int = Field(256 * 1024 * 1024, ge=1024, description="Largest log file read, when unpacked")
    lookup_pages_max: int = Field(40, ge=1, description="Pages of 50 events that one LookupEvents question may read")


@lru_cache
def logs() -> LogSettings:
    """The settings from the environment, read at first use."""
    return LogSettings()
