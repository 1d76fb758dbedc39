"""How hunts are bounded."""

from __future__ import annotations

from functools import lru_cache

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict


class HuntingSettings(BaseSettings):
    """Limits of rules and of their backtests."""

    model_config = SettingsConfigDict(env_prefix="VMEXPORT_HUNT_", hide_input_in_errors=True)

    rule_rate_max: float = Field(
        0.001, gt=0, le=1, description="Share of all events above which a rule is refused for scheduled hunts"
    )
    backtest_events_max: int = Field(100_000, ge=1, description="Events that one backtest looks at")


@lru_cache
def hunting() -> HuntingSettings:
    """The settings from the environment, read at first use."""
    return HuntingSettings()
