"""The case store: inbox, keys of cases, ledger, evidence, approvers."""

from __future__ import annotations

from alembic import op

revision = "0001"
down_revision = None

TABLES = """
create table inbox (
    id bigint generated always as identity primary key,
    received_at timestamptz not null,
    source text not null,
    content_type text,
    body bytea not null,
    sha256 text not null,
    state text not null check (state in ('pending', 'assigned', 'quarantined')),
    why text,
    decided_at timestamptz
);
create index inbox_state on inbox (state, id);

create table case_key (
    id bigint generated always as identity primary key,
    use text not null check (use in ('dedupe', 'grouping')),
    key text not null,
    case_id text not null,
    first_at timestamptz not null,
    last_at timestamptz not null,
    constraint case_key_once unique (use, key, case_id)
);
create unique index case_key_dedupe on case_key (key) where use = 'dedupe';

create table chain (
    case_id text primary key,
    seq integer not null,
    hash text not null
);

create table ledger (
    case_id text not null references chain (case_id),
    seq integer not null check (seq > 0),
    time timestamptz not null,
    kind text not null,
    by text not null,
    data text not null,
    key text,
    previous text not null,
    hash text not null,
    constraint ledger_pkey primary key (case_id, seq)
);
create index ledger_kind on ledger (case_id, kind);
create unique index ledger_key on ledger (case_id, key) where key is not null;

create table evidence (
    case_id text not null,
    number integer not null check (number > 0),
    sha256 text not null,
    stored_at text not null,
    document text not null,
    constraint evidence_pkey primary key (case_id, number),
    constraint evidence_stored_at_key unique (stored_at)
);

create table approver (
    address text primary key check (address = lower(address)),
    secret bytea,
    added_at timestamptz not null,
    removed_at timestamptz,
    check ((secret is null) = (removed_at is not null))
);

create table used_code (
    address text not null,
    timestep bigint not null,
    used_at timestamptz not null,
    constraint used_code_pkey primary key (address, timestep)
);

create table bad_code (
    id bigint generated always as identity primary key,
    address text not null,
    at timestamptz not null
);
create index bad_code_address on bad_code (address, at);
"""

# ENABLE ALWAYS: a session that calls itself a replica does not get around it.
APPEND_ONLY = """
create function refuse_change() returns trigger language plpgsql as $$
begin
    raise exception '% is append-only: % refused', tg_table_name, lower(tg_op) using errcode = 'insufficient_privilege';
end $$;

create trigger append_only before update or delete on ledger for each row execute function refuse_change();
create trigger not_truncated before truncate on ledger for each statement execute function refuse_change();
alter table ledger enable always trigger append_only;
alter table ledger enable always trigger not_truncated;

create trigger append_only before update or delete on evidence for each row execute function refuse_change();
create trigger not_truncated before truncate on evidence for each statement execute function refuse_change();
alter table evidence enable always trigger append_only;
alter table evidence enable always trigger not_truncated;
"""


def upgrade() -> None:
    """Make the tables and the triggers that keep ledger and evidence append-only."""
    op.execute(TABLES)
    op.execute(APPEND_ONLY)


def downgrade() -> None:
    """Refused: it would delete every case."""
    raise NotImplementedError(
        "the first migration is not taken back: it would delete every case; drop the database yourself"
    )
