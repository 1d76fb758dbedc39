"""One at a time: whoever hunts in a place, or writes into a store, holds a lock that is gone as soon as he is."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from hashlib import sha256

from sqlalchemy import Connection, text
from sqlalchemy.exc import SQLAlchemyError

from records.database import engine

log = logging.getLogger("vmexport.lock")


@contextmanager
def alone(name: str) -> Iterator[Connection | None]:
    """The connection that holds this name to the end of the block, or of this process; None where another has it.

    What is decided through this connection alone, cannot be decided any more by whoever has lost the lock.
    """
    number = int.from_bytes(sha256(f"vmexport {name}".encode()).digest()[:8], "big", signed=True)
    with engine().connect() as connection:
        with connection.begin():
            got = connection.execute(text("select pg_try_advisory_lock(:n)"), {"n": number}).scalar_one()
        try:
            yield connection if got else None
        finally:
            if got:
                _let_go(connection, number)


def _let_go(connection: Connection, number: int) -> None:
    """Free the lock before the next one asks, and close the connection: in the pool, what is left of the lock would stay with it."""
    try:
        connection.rollback()
        with connection.begin():
            connection.execute(text("select pg_advisory_unlock(:n)"), {"n": number})
    except SQLAlchemyError:
        log.info("a connection that held a lock is gone, and the lock with it")
    finally:
        connection.invalidate()
