"""The installation's own key: encrypts what the database must not be able to tell."""

from __future__ import annotations

import os
import secrets
import stat
import tempfile
from pathlib import Path

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from settings.records import records as settings

KEY_BYTES = 32
NONCE_BYTES = 12


class KeyProblem(RuntimeError):
    """The key cannot be used, and what to do about it."""


def encrypt(secret: bytes, belongs_to: str, *, make_key: bool) -> bytes:
    """AES-256-GCM under the key; only `decrypt` with the same `belongs_to` gives the secret back. Raises KeyProblem.

    `make_key`: whether a missing key file may be made, because nothing was encrypted before.
    """
    nonce = secrets.token_bytes(NONCE_BYTES)
    return nonce + AESGCM(_key(make=make_key)).encrypt(nonce, secret, belongs_to.encode())


def decrypt(encrypted: bytes, belongs_to: str) -> bytes:
    """The secret. Raises KeyProblem if the key is missing or another one."""
    nonce, rest = encrypted[:NONCE_BYTES], encrypted[NONCE_BYTES:]
    try:
        return AESGCM(_key(make=False)).decrypt(nonce, rest, belongs_to.encode())
    except InvalidTag:
        raise KeyProblem(
            f"what is kept for {belongs_to} was not encrypted with the key in {settings().secret_key_file}, or was "
            "changed: restore the right key file, or remove and enrol the approver again"
        ) from None


def _key(*, make: bool) -> bytes:
    path = settings().secret_key_file
    if make and not path.exists():
        _make(path)
    try:
        mode, key = stat.S_IMODE(path.stat().st_mode), path.read_bytes()
    except OSError as error:
        raise KeyProblem(
            f"the key file {path} cannot be read ({error.strerror}): restore it, or name it in VMEXPORT_SECRET_KEY_FILE"
        ) from error
    if mode & 0o007:
        raise KeyProblem(f"the key file {path} is open to every account (mode {mode:o}): chmod 600 {path}")
    if len(key) != KEY_BYTES:
        raise KeyProblem(f"the key file {path} holds {len(key)} bytes, not {KEY_BYTES}: restore it from its backup")
    return key


def _make(path: Path) -> None:
    """Linked into place whole: of two processes that make it at once, both go on with the first one's key."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    with tempfile.NamedTemporaryFile(dir=path.parent, prefix=".key-") as file:  # made with mode 0600
        file.write(secrets.token_bytes(KEY_BYTES))
        file.flush()
        os.fsync(file.fileno())
        try:
            os.link(file.name, path)
        except FileExistsError:
            return
