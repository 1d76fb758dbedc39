"""One hunt at a time: whoever hunts holds a lock that is gone as soon as he is."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import Connection, text
from sqlalchemy.exc import DBAPIError

from records.database import engine

SPACE = 0x766D_6878
"""First half of the advisory locks' key; the second is the name's hash."""


@contextmanager
def alone(name: str) -> Iterator[bool]:
    """Whether nobody else holds this name; if so it is held until the end of the block, or of this process."""
    key: dict[str, object] = {"space": SPACE, "name": name}
    with engine().connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        got = connection.execute(text("select pg_try_advisory_lock(:space, hashtext(:name))"), key).scalar_one()
        try:
            yield bool(got)
        finally:
            if got:
                _let_go(connection, key)


def _let_go(connection: Connection, key: dict[str, object]) -> None:
    try:
        connection.execute(text("select pg_advisory_unlock(:space, hashtext(:name))"), key)
    except DBAPIError:
        connection.invalidate()  # the connection is gone, and the lock with it: that ends no hunt
