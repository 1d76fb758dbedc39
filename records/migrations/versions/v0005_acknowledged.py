"""A person has looked at a body in quarantine: who, when, why."""

from __future__ import annotations

from alembic import op

revision = "0005"
down_revision = "0004"

COLUMNS = """
alter table inbox add column acknowledged_by text, add column acknowledged_at timestamptz,
    add column acknowledged_because text;
alter table inbox drop constraint inbox_state_check;
alter table inbox add constraint inbox_state_check
    check (state in ('pending', 'resolving', 'assigned', 'quarantined', 'acknowledged'));
alter table inbox add constraint inbox_acknowledged_check check (state <> 'acknowledged'
    or (acknowledged_by is not null and acknowledged_at is not null and acknowledged_because is not null));
"""


def upgrade() -> None:
    """Add who acknowledged a body."""
    op.execute(COLUMNS)


def downgrade() -> None:
    """Without it: what was acknowledged lies in quarantine again, and nobody knows that it was looked at."""
    op.execute(
        "alter table inbox drop constraint inbox_acknowledged_check;"
        " update inbox set state = 'quarantined' where state = 'acknowledged';"
        " alter table inbox drop constraint inbox_state_check;"
        " alter table inbox add constraint inbox_state_check"
        " check (state in ('pending', 'resolving', 'assigned', 'quarantined'));"
        " alter table inbox drop column acknowledged_by, drop column acknowledged_at, drop column acknowledged_because"
    )
