"""Where alerts are taken in, and how a sender proves that it may hand them in."""

from __future__ import annotations

from datetime import timedelta
from functools import lru_cache

from pydantic import Field, SecretStr
from pydantic_settings import BaseSettings, SettingsConfigDict

from settings.elastic import Names


class BodyLimit(BaseSettings):
    """How much is taken in at once, through whichever door."""

    model_config = SettingsConfigDict(env_prefix="VMEXPORT_RECEIVER_", hide_input_in_errors=True)

    body_limit_bytes: int = Field(10 * 1024 * 1024, ge=1, description="Largest accepted body, after decompression")


class ReceiverAddress(BaseSettings):
    """The same door as the senders see it; `vmexport elastic apply` writes it into Kibana's connector."""

    model_config = SettingsConfigDict(env_prefix="VMEXPORT_RECEIVER_", hide_input_in_errors=True)

    public_url: str | None = Field(
        None, pattern=r"^https?://", description="https://vmexport.example.com, as Kibana reaches the receiver"
    )

    @property
    def alerts_url(self) -> str | None:
        """Where Kibana's alerts go; None where no address is set."""
        return f"{self.public_url.rstrip('/')}/alerts/elastic" if self.public_url else None


class ReceiverSettings(BodyLimit):
    """The HTTP door."""

    host: str = Field("127.0.0.1", description="Address to listen on")
    port: int = Field(8088, ge=0, le=65535, description="Port to listen on")
    secret: SecretStr = Field(description="Value that a sender puts in the header X-VMExport-Secret", min_length=16)
    secret_header: str = Field(
        "x-vmexport-secret",
        pattern=r"^[A-Za-z0-9-]{1,64}$",
        description="Another header that may carry it: the API key name of an EventBridge connection",
    )
    sns_topics: Names = Field((), description="ARNs of the SNS topics whose messages are taken in")
    deployment: str = Field("vm-export/respond", description="Prefect deployment that a new case starts")


class DeliverySettings(BaseSettings):
    """Webhook and poller as each other's control."""

    model_config = SettingsConfigDict(env_prefix="VMEXPORT_RECEIVER_", hide_input_in_errors=True)

    delivery_alarm: timedelta = Field(
        timedelta(minutes=10), description="How long an alert that came by one way may take by the other; PT10M"
    )


@lru_cache
def receiver() -> ReceiverSettings:
    """The settings from the environment, read at first use."""
    return ReceiverSettings()  # pyright: ignore[reportCallIssue] - values come from the environment
