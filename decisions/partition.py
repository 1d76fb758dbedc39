"""How both tables of the store are partitioned: by day, as Hive does it (`dt=2026-03-02`)."""

from __future__ import annotations

DAY = "dt"
"""The day of what is told, UTC."""
UNKNOWN_DAY = "unknown"
"""The partition of what has no time as AWS writes it."""
