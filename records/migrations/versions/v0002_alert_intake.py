"""Alerts that must be asked about again, what arrived by which way, and how far the poller has looked."""

from __future__ import annotations

from alembic import op

revision = "0002"
down_revision = "0001"

TABLES = """
alter table inbox drop constraint inbox_state_check;
alter table inbox add constraint inbox_state_check
    check (state in ('pending', 'resolving', 'assigned', 'quarantined'));
create index inbox_sha256 on inbox (sha256);

create table hint (
    id bigint generated always as identity primary key,
    inbox_id bigint not null references inbox (id),
    hint text not null,
    state text not null check (state in ('open', 'resolved', 'given-up')),
    attempts integer not null,
    made_at timestamptz not null,
    next_at timestamptz not null,
    why text
);
create index hint_open on hint (next_at) where state = 'open';
create index hint_inbox on hint (inbox_id);

create table delivery (
    alert_id text primary key,
    rule_id text,
    webhook_at timestamptz,
    poll_at timestamptz,
    alarm text,
    settled text
);
create index delivery_one_way on delivery (webhook_at, poll_at)
    where settled is null and (webhook_at is null or poll_at is null);

create table watermark (
    source text primary key,
    at timestamptz not null,
    moved_at timestamptz not null
);
"""


def upgrade() -> None:
    """Add the tables of the alert intake."""
    op.execute(TABLES)


def downgrade() -> None:
    """Back to the case store alone."""
    op.execute(
        "drop table watermark, delivery, hint; drop index inbox_sha256;"
        " update inbox set state = 'pending' where state = 'resolving';"
        " alter table inbox drop constraint inbox_state_check;"
        " alter table inbox add constraint inbox_state_check check (state in ('pending', 'assigned', 'quarantined'))"
    )
