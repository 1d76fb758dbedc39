"""What is still to be written into other systems, and what they answered."""

from __future__ import annotations

from alembic import op

revision = "0003"
down_revision = "0002"

TABLES = """
create table outbox (
    id bigint generated always as identity primary key,
    system text not null,
    case_id text not null,
    key text not null,
    body text not null,
    state text not null check (state in ('waiting', 'done', 'given-up')),
    attempts integer not null,
    made_at timestamptz not null,
    next_at timestamptz not null,
    why text,
    answer text,
    constraint outbox_once unique (system, case_id, key)
);
create index outbox_waiting on outbox (system, case_id, id) where state = 'waiting';
"""


def upgrade() -> None:
    """Add the outbox."""
    op.execute(TABLES)


def downgrade() -> None:
    """Without an outbox: what still waits in it is forgotten."""
    op.execute("drop table outbox")
