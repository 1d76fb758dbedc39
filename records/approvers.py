"""The people who may answer a gate, known by one-time codes (RFC 6238: SHA-1, six digits, 30 s). A code is good once."""

from __future__ import annotations

import hmac
import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import pyotp
from sqlalchemy import Connection, func, select
from sqlalchemy.dialects.postgresql import insert

from records.database import transaction
from records.secret_key import KeyProblem, decrypt, encrypt
from records.tables import approver, bad_code, used_code

ISSUER = "vmexport"
ADDRESS = re.compile(r"[a-z0-9.!#$%&'*+/=?^_`{|}~-]{1,64}@[a-z0-9.-]{1,189}")
STEP_SECONDS = 30
DRIFT_STEPS = 1
"""Clocks may differ by this many steps either way."""
BAD_CODES = 5
BAD_CODES_WITHIN = timedelta(minutes=5)


class NotEnrolled(ValueError):
    """The address cannot be enrolled or removed, and why."""


@dataclass(frozen=True)
class Verified:
    """The code was right and is used up now."""

    address: str


@dataclass(frozen=True)
class Refused:
    """The code does not count, and why, in a sentence for the person who gave it."""

    why: str


@dataclass(frozen=True)
class Approver:
    """A person who was enrolled."""

    address: str
    added_at: datetime
    removed_at: datetime | None


def add(address: str) -> str:
    """Enrol a person; the provisioning URI for their authenticator, which is shown once and kept nowhere in clear.

    Raises NotEnrolled if the address is none or is enrolled already, KeyProblem if the key file is unusable.
    """
    address = normal(address)
    if not ADDRESS.fullmatch(address):
        raise NotEnrolled(f"{address!r} is not an address like alice@example.com")
    secret = pyotp.random_base32(32)
    with transaction() as connection:
        known = connection.execute(select(func.count()).select_from(approver).where(approver.c.secret.is_not(None)))
        row = {
            "secret": encrypt(secret.encode(), address, make_key=known.scalar_one() == 0),
            "added_at": datetime.now(UTC),
            "removed_at": None,
        }
        enrol = insert(approver).values(address=address, **row)
        again = enrol.on_conflict_do_update(
            index_elements=["address"], set_=row, where=approver.c.removed_at.is_not(None)
        )
        if connection.execute(again.returning(approver.c.address)).one_or_none() is None:
            raise NotEnrolled(f"{address} is enrolled already: remove it first, then its old codes end at once")
    return pyotp.TOTP(secret).provisioning_uri(name=address, issuer_name=ISSUER)


def remove(address: str) -> None:
    """End a person's codes at once and forget their secret. Raises NotEnrolled."""
    address = normal(address)
    query = approver.update().where(approver.c.address == address, approver.c.removed_at.is_(None))
    with transaction() as connection:
        if connection.execute(query.values(secret=None, removed_at=datetime.now(UTC))).rowcount == 0:
            raise NotEnrolled(f"{address} is not enrolled")


def listing() -> tuple[Approver, ...]:
    """Everybody who was ever enrolled, by address."""
    query = select(approver.c.address, approver.c.added_at, approver.c.removed_at).order_by(approver.c.address)
    with transaction() as connection:
        return tuple(Approver(*row) for row in connection.execute(query))


def verify(address: str, code: str, *, now: datetime) -> Verified | Refused:
    """Whether `code` is the person's at `now`, and was never taken before.

    After five wrong codes within five minutes even a right one is refused until the first of them is five minutes old.
    """
    address = normal(address)
    if not ADDRESS.fullmatch(address):
        return Refused(f"{address!r} is not enrolled as an approver: it is not even an address")
    with transaction() as connection:  # the person's row is held: guesses are counted one after the other
        query = select(approver).where(approver.c.address == address).with_for_update()
        person = connection.execute(query).one_or_none()
        if person is None:
            return Refused(f"{address} is not enrolled as an approver: vmexport approver add {address}")
        if person.secret is None:
            return Refused(f"{address} is no longer an approver since {person.removed_at:%Y-%m-%d %H:%M} UTC")
        if until := _throttled(connection, address, now):
            return Refused(f"too many wrong codes for {address}: none is taken before {until:%H:%M:%S} UTC")
        try:
            secret = decrypt(person.secret, address).decode()
        except KeyProblem as problem:  # the gate stays open and says so, where a failed run would say it to nobody
            return Refused(f"no code can be checked: {problem}")
        return _take(connection, address, _matching_steps(secret, code, now), now)


def _take(connection: Connection, address: str, steps: list[int], now: datetime) -> Verified | Refused:
    if not steps:
        connection.execute(bad_code.insert().values(address=address, at=now))
        return Refused("The code is wrong or has expired; wait for the next one. Is the clock of the telephone right?")
    for step in steps:
        take = insert(used_code).values(address=address, timestep=step, used_at=now).on_conflict_do_nothing()
        if connection.execute(take.returning(used_code.c.timestep)).one_or_none():
            return Verified(address)
    return Refused("That code was used already: each is good once. Wait for the next one.")


def normal(address: str) -> str:
    """An address as it is kept and compared."""
    return address.strip().lower()


def _throttled(connection: Connection, address: str, now: datetime) -> datetime | None:
    """Until when no code of the person is taken; None: it is."""
    query = select(bad_code.c.at).where(bad_code.c.address == address, bad_code.c.at > now - BAD_CODES_WITHIN)
    recent = connection.execute(query.order_by(bad_code.c.at.desc()).limit(BAD_CODES)).scalars().all()
    return recent[-1] + BAD_CODES_WITHIN if len(recent) == BAD_CODES else None


def _matching_steps(secret: str, code: str, now: datetime) -> list[int]:
    totp, current = pyotp.TOTP(secret), int(now.timestamp()) // STEP_SECONDS
    steps = range(current - DRIFT_STEPS, current + DRIFT_STEPS + 1)
    given = code.strip().encode(errors="replace")  # half a surrogate pair is no digit
    return [step for step in steps if hmac.compare_digest(totp.generate_otp(step).encode(), given)]
