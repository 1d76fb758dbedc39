"""What hunts and the Parquet store keep: which log files were read, which parts are live, what was found, which run found it."""

from __future__ import annotations

from alembic import op

revision = "0004"
down_revision = "0003"

TABLES = """
create table log_file (
    reader text not null,
    source text not null,
    key text not null,
    size bigint not null,
    etag text not null,
    state text not null check (state in ('done', 'damaged', 'quarantined')),
    events bigint not null,
    problems text,
    day text,
    read_at timestamptz not null,
    constraint log_file_pkey primary key (reader, source, key)
);
create table store_part (
    store text not null,
    table_name text not null,
    dt text not null,
    name text not null,
    state text not null check (state in ('staged', 'fresh', 'live', 'leaving')),
    rows bigint not null,
    bytes bigint not null,
    made_at timestamptz not null,
    constraint store_part_pkey primary key (store, table_name, dt, name)
);
create table hunt_run (
    id bigint generated always as identity primary key,
    hunt text not null,
    target text not null,
    since timestamptz,
    until timestamptz,
    state text not null check (state in ('running', 'done', 'failed')),
    started_at timestamptz not null,
    ended_at timestamptz,
    why text,
    counts text not null
);
create unique index hunt_run_one on hunt_run (hunt, target) where state = 'running';
create index hunt_run_last on hunt_run (hunt, target, id);
create table hunt_finding (
    id text primary key,
    hunt text not null,
    kind text not null,
    event_time timestamptz not null,
    document text not null,
    state text not null check (state in ('new', 'handed', 'noted')),
    first_run bigint references hunt_run (id),
    found_at timestamptz not null,
    decided_at timestamptz,
    case_id text,
    why text
);
create index hunt_finding_new on hunt_finding (event_time, id) where state = 'new';
create index hunt_finding_time on hunt_finding (hunt, event_time);
create index hunt_finding_case on hunt_finding (case_id) where case_id is not null;
"""


def upgrade() -> None:
    """Add the tables."""
    op.execute(TABLES)


def downgrade() -> None:
    """Without them: a store that was filled is read anew, and what was found before is found as new."""
    op.execute("drop table hunt_finding, hunt_run, store_part, log_file")
