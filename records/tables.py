"""The tables of the case store, as `migrations/` makes them."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import (
    BigInteger,
    Column,
    DateTime,
    ForeignKey,
    Identity,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    PrimaryKeyConstraint,
    Table,
    Text,
    UniqueConstraint,
    text,
)

metadata = MetaData()


def _moment(name: str, *, nullable: bool = False) -> Column[datetime]:
    return Column(name, DateTime(timezone=True), nullable=nullable)


inbox = Table(
    "inbox",
    metadata,
    Column("id", BigInteger, Identity(always=True), primary_key=True),
    _moment("received_at"),
    Column("source", Text, nullable=False),
    Column("content_type", Text),
    Column("body", LargeBinary, nullable=False),
    Column("sha256", Text, nullable=False),
    Column("state", Text, nullable=False),  # pending, resolving, assigned, quarantined, acknowledged
    Column("why", Text),
    _moment("decided_at", nullable=True),
    Column("acknowledged_by", Text),
    _moment("acknowledged_at", nullable=True),
    Column("acknowledged_because", Text),
    Index("inbox_state", "state", "id"),
    Index("inbox_sha256", "sha256"),
)

hint = Table(
    "hint",
    metadata,
    Column("id", BigInteger, Identity(always=True), primary_key=True),
    Column("inbox_id", BigInteger, ForeignKey("inbox.id"), nullable=False),
    Column("hint", Text, nullable=False),
    Column("state", Text, nullable=False),  # open, resolved, given-up
    Column("attempts", Integer, nullable=False),
    _moment("made_at"),
    _moment("next_at"),
    Column("why", Text),
    Index("hint_open", "next_at", postgresql_where=text("state = 'open'")),
    Index("hint_inbox", "inbox_id"),
)

delivery = Table(
    "delivery",
    metadata,
    Column("alert_id", Text, primary_key=True),
    Column("rule_id", Text),
    _moment("webhook_at", nullable=True),
    _moment("poll_at", nullable=True),
    Column("alarm", Text),
    Column("settled", Text),
    Index(
        "delivery_one_way",
        "webhook_at",
        "poll_at",
        postgresql_where=text("settled is null and (webhook_at is null or poll_at is null)"),
    ),
)
"""By which way each alert arrived first, and what was said when it did not arrive by the other."""

watermark = Table(
    "watermark",
    metadata,
    Column("source", Text, primary_key=True),
    _moment("at"),
    _moment("moved_at"),
)
"""How far the poller has taken in what a source holds."""

case_key = Table(
    "case_key",
    metadata,
    Column("id", BigInteger, Identity(always=True), primary_key=True),
    Column("use", Text, nullable=False),  # dedupe: this very export; grouping: this actor or bucket
    Column("key", Text, nullable=False),
    Column("case_id", Text, nullable=False),
    _moment("first_at"),
    _moment("last_at"),
    UniqueConstraint("use", "key", "case_id", name="case_key_once"),
    Index("case_key_dedupe", "key", unique=True, postgresql_where=text("use = 'dedupe'")),
)

chain = Table(
    "chain",
    metadata,
    Column("case_id", Text, primary_key=True),
    Column("seq", Integer, nullable=False),
    Column("hash", Text, nullable=False),
)
"""The last entry of each ledger: locked to append, and a witness when the end of a ledger is cut off."""

ledger = Table(
    "ledger",
    metadata,
    Column("case_id", Text, ForeignKey("chain.case_id"), nullable=False),
    Column("seq", Integer, nullable=False),
    _moment("time"),
    Column("kind", Text, nullable=False),
    Column("by", Text, nullable=False),
    # RFC 8785 text, not jsonb: jsonb refuses \u0000, which an attacker may well write into a tag.
    Column("data", Text, nullable=False),
    Column("key", Text),
    Column("previous", Text, nullable=False),
    Column("hash", Text, nullable=False),
    PrimaryKeyConstraint("case_id", "seq", name="ledger_pkey"),
    Index("ledger_kind", "case_id", "kind"),
    Index("ledger_key", "case_id", "key", unique=True, postgresql_where=text("key is not null")),
)

evidence = Table(
    "evidence",
    metadata,
    Column("case_id", Text, nullable=False),
    Column("number", Integer, nullable=False),
    Column("sha256", Text, nullable=False),
    Column("stored_at", Text, nullable=False),
    Column("document", Text, nullable=False),
    PrimaryKeyConstraint("case_id", "number", name="evidence_pkey"),
    UniqueConstraint("stored_at", name="evidence_stored_at_key"),
)

approver = Table(
    "approver",
    metadata,
    Column("address", Text, primary_key=True),
    Column("secret", LargeBinary),
    _moment("added_at"),
    _moment("removed_at", nullable=True),
)

used_code = Table(
    "used_code",
    metadata,
    Column("address", Text, nullable=False),
    Column("timestep", BigInteger, nullable=False),
    _moment("used_at"),
    PrimaryKeyConstraint("address", "timestep", name="used_code_pkey"),
)

bad_code = Table(
    "bad_code",
    metadata,
    Column("id", BigInteger, Identity(always=True), primary_key=True),
    Column("address", Text, nullable=False),
    _moment("at"),
    Index("bad_code_address", "address", "at"),
)

outbox = Table(
    "outbox",
    metadata,
    Column("id", BigInteger, Identity(always=True), primary_key=True),
    Column("system", Text, nullable=False),
    Column("case_id", Text, nullable=False),
    Column("key", Text, nullable=False),
    Column("body", Text, nullable=False),
    Column("state", Text, nullable=False),  # waiting, done, given-up
    Column("attempts", Integer, nullable=False),
    _moment("made_at"),
    _moment("next_at"),
    Column("why", Text),
    Column("answer", Text),
    UniqueConstraint("system", "case_id", "key", name="outbox_once"),
    Index("outbox_waiting", "system", "case_id", "id", postgresql_where=text("state = 'waiting'")),
)
"""What is still to be written into other systems, and what they answered."""

log_file = Table(
    "log_file",
    metadata,
    Column("reader", Text, nullable=False),  # the id of a Parquet store, or the name of a hunt that reads files itself
    Column("source", Text, nullable=False),  # the folder or bucket below which the key is a name
    Column("key", Text, nullable=False),
    Column("size", BigInteger, nullable=False),
    Column("etag", Text, nullable=False),  # of a local file the time of its last change
    Column("state", Text, nullable=False),  # done, damaged: in part, quarantined: not at all
    Column("events", BigInteger, nullable=False),
    Column("problems", Text),
    Column("day", Text),
    _moment("read_at"),
    PrimaryKeyConstraint("reader", "source", "key", name="log_file_pkey"),
)
"""Which log files were read, as they were then: a file is read once, however late it comes."""

store_part = Table(
    "store_part",
    metadata,
    Column("store", Text, nullable=False),
    Column("table_name", Text, nullable=False),
    Column("dt", Text, nullable=False),
    Column("name", Text, nullable=False),
    Column("state", Text, nullable=False),  # as records/store_parts.py says
    Column("rows", BigInteger, nullable=False),
    Column("bytes", BigInteger, nullable=False),
    _moment("made_at"),
    PrimaryKeyConstraint("store", "table_name", "dt", "name", name="store_part_pkey"),
)
"""The Parquet files of each store: what happens to their files is decided here first, and done afterwards."""

hunt_run = Table(
    "hunt_run",
    metadata,
    Column("id", BigInteger, Identity(always=True), primary_key=True),
    Column("hunt", Text, nullable=False),
    Column("target", Text, nullable=False),
    _moment("since", nullable=True),
    _moment("until", nullable=True),
    Column("state", Text, nullable=False),  # running, done, failed
    _moment("started_at"),
    _moment("ended_at", nullable=True),
    Column("why", Text),
    Column("counts", Text, nullable=False),
    Index("hunt_run_one", "hunt", "target", unique=True, postgresql_where=text("state = 'running'")),
    Index("hunt_run_last", "hunt", "target", "id"),
)
"""One run of a hunt over one period of one place; of a hunt and a place one runs at a time."""

hunt_finding = Table(
    "hunt_finding",
    metadata,
    Column("id", Text, primary_key=True),
    Column("hunt", Text, nullable=False),
    Column("kind", Text, nullable=False),
    _moment("event_time"),
    Column("document", Text, nullable=False),
    Column("state", Text, nullable=False),  # new: to be handed to the inbox; handed; noted: nobody is told
    Column("first_run", BigInteger, ForeignKey("hunt_run.id")),
    _moment("found_at"),
    _moment("decided_at", nullable=True),
    Column("case_id", Text),
    Column("why", Text),
    Index("hunt_finding_new", "event_time", "id", postgresql_where=text("state = 'new'")),
    Index("hunt_finding_time", "hunt", "event_time"),
    Index("hunt_finding_case", "case_id", postgresql_where=text("case_id is not null")),
)
"""What hunts found, each event once; what is `new` is the outbox to the inbox."""
