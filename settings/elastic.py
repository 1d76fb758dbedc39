"""Where Elasticsearch and Kibana are, and with which key; without an address neither is asked."""

from __future__ import annotations

from datetime import timedelta
from functools import lru_cache
from pathlib import Path
from typing import Annotated, Any, Self

from pydantic import BeforeValidator, Field, SecretStr, model_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

PREBUILT_RULE = "deee5856-25ba-438d-ae53-09d66f41b127"
"""Elastic's own rule "AWS EC2 Export Task": accepted requests of the three APIs."""
OUR_RULE = "vmexport-vm-export-any-outcome"
"""Ours, from deployments/elastic: any outcome."""


def _listed(value: Any) -> Any:
    return tuple(part.strip() for part in value.split(",") if part.strip()) if isinstance(value, str) else value


Names = Annotated[tuple[str, ...], NoDecode, BeforeValidator(_listed)]
"""Several names, separated by commas."""


class ElasticsearchSettings(BaseSettings):
    """The cluster that holds alerts and logs. One way to sign in: API key, user and password, or a client certificate."""

    model_config = SettingsConfigDict(env_prefix="VMEXPORT_ELASTICSEARCH_", hide_input_in_errors=True)

    url: Names = Field((), description="https://host:9200, with the port; several, separated by commas")
    cloud_id: str | None = Field(None, description="Elastic Cloud's id of the deployment, instead of url")
    api_key: SecretStr | None = Field(None, description="Encoded API key; it needs to read only")
    username: str | None = Field(None, description="User, where there is no API key")
    password: SecretStr | None = Field(None, description="Password of the user")
    ca_certs: Path | None = Field(None, description="PEM file of the authority that signed the cluster's certificate")
    client_cert: Path | None = Field(None, description="PEM file of our certificate, where the cluster asks for one")
    client_key: Path | None = Field(None, description="PEM file of its key")
    request_timeout: timedelta = Field(timedelta(seconds=30), description="Time for one request; cold data needs more")
    retries: int = Field(4, ge=0, description="How often a request is sent again after 429, 502, 503, 504 or no answer")
    retry_backoff: timedelta = Field(
        timedelta(seconds=0.5), description="Wait before the first of them; it doubles, up to 20 seconds"
    )
    page_size: int = Field(1000, ge=1, le=10_000, description="Documents of one page")
    cloudtrail_indices: Names = Field(
        ("logs-aws.cloudtrail-*",), description="Indices, aliases or data streams with CloudTrail; cluster:name for CCS"
    )
    access_log_indices: Names = Field(("logs-aws.s3access-*",), description="Likewise with S3 server access logs")
    spaces: Names = Field(("default",), min_length=1, description="Kibana spaces whose alerts are ours")
    rule_ids: Names = Field((PREBUILT_RULE, OUR_RULE), description="rule_id of the rules whose alerts are taken in")
    connector_index: str | None = Field(
        None, description="Index that a rule's index connector writes to, where the licence has no webhook"
    )

    @property
    def configured(self) -> bool:
        """Whether there is a cluster to ask."""
        return bool(self.url or self.cloud_id)

    def alerts_index(self, space: str) -> str:
        """The alias of a space's alerts."""
        return f".alerts-security.alerts-{space}"

    @model_validator(mode="after")
    def _one_way(self) -> Self:
        if self.url and self.cloud_id:
            raise ValueError("set VMEXPORT_ELASTICSEARCH_URL or _CLOUD_ID, not both")
        if (self.username is None) != (self.password is None):
            raise ValueError("VMEXPORT_ELASTICSEARCH_USERNAME and _PASSWORD go together")
        if self.api_key and self.username:
            raise ValueError("set VMEXPORT_ELASTICSEARCH_API_KEY or _USERNAME and _PASSWORD, not both")
        if self.client_key and not self.client_cert:
            raise ValueError("VMEXPORT_ELASTICSEARCH_CLIENT_KEY needs _CLIENT_CERT")
        return self


class KibanaSettings(BaseSettings):
    """The Kibana that shows the alerts; without `url` nothing is written back."""

    model_config = SettingsConfigDict(env_prefix="VMEXPORT_KIBANA_", hide_input_in_errors=True)

    url: str | None = Field(None, description="https://kibana.example.com, as we reach it")
    public_url: str | None = Field(None, description="The same as people's browsers reach it, for links [default: url]")
    api_key: SecretStr | None = Field(None, description="Encoded API key with the rights of docs/elastic.md")
    username: str | None = Field(None, description="User, where there is no API key")
    password: SecretStr | None = Field(None, description="Password of the user")
    ca_certs: Path | None = Field(None, description="PEM file of the authority that signed Kibana's certificate")
    data_view: str = Field("logs-*", description="Saved-object id (not the pattern) of the data view that links open")
    request_timeout: timedelta = Field(timedelta(seconds=30), description="Time for one request")


@lru_cache
def elasticsearch() -> ElasticsearchSettings:
    """The settings from the environment, read at first use."""
    return ElasticsearchSettings()


@lru_cache
def kibana() -> KibanaSettings:
    """The settings from the environment, read at first use."""
    return KibanaSettings()
