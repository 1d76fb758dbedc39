"""Which roles we take on in AWS, and as whom. Endpoints, base credentials and proxies are boto3's own settings (`AWS_…`)."""

from __future__ import annotations

from datetime import timedelta
from functools import lru_cache
from pathlib import Path

from pydantic import Field, SecretStr
from pydantic_settings import BaseSettings, SettingsConfigDict


class AwsSettings(BaseSettings):
    """One role per tier, of the same name in every account; the base credentials may assume them and nothing else."""

    model_config = SettingsConfigDict(env_prefix="VMEXPORT_", hide_input_in_errors=True)

    partition: str = Field("aws", description="aws, aws-cn or aws-us-gov")
    read_role: str = Field("vmexport-read", description="Role that looks, with its path if it has one")
    respond_role: str = Field("vmexport-respond", description="Role that makes changes which can be undone")
    destructive_role: str = Field("vmexport-destructive", description="Role that deletes, after the second gate")
    forensics_role: str = Field(
        "vmexport-forensics", description="Role that copies evidence into the forensics account"
    )
    external_id: SecretStr | None = Field(None, description="sts:ExternalId that the roles' trust policies ask for")
    session_prefix: str = Field("vmexport", description="What the names of our sessions begin with", max_length=16)
    session_duration: timedelta = Field(timedelta(hours=1), description="Life of a session; it is renewed in time")
    drill_credentials: Path | None = Field(
        None,
        description="JSON list of credentials that a drill uses as the actor's (access_key_id, secret_access_key, "
        "session_token); verification may try whether they are refused",
    )

    def role(self, tier: str) -> str:
        """Name of the tier's role. Raises ValueError for a tier that there is not."""
        names = {
            "read": self.read_role,
            "respond": self.respond_role,
            "destructive": self.destructive_role,
            "forensics": self.forensics_role,
        }
        if tier not in names:
            raise ValueError(f"there is no tier {tier!r}; there are {', '.join(names)}")
        return names[tier]


@lru_cache
def aws() -> AwsSettings:
    """The settings from the environment, read at first use."""
    return AwsSettings()
