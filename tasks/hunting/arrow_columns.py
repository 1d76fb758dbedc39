"""Hands columns of Python lists to DuckDB without a copy for each cell: the Arrow C data interface, which needs no library.

https://arrow.apache.org/docs/format/CDataInterface.html and CStreamInterface.html. Texts that repeat are handed over as a
dictionary. The memory belongs to `Columns`, which must live as long as the query that reads it.
"""

from __future__ import annotations

import ctypes
import struct
from array import array
from collections.abc import Iterable, Mapping, Sequence
from itertools import accumulate, repeat
from operator import is_not
from typing import Any

from decisions.sigma_sql import quoted_name

NULLABLE = 2
JSON, NULL = "json", b"null"
STREAM_NAME = b"arrow_array_stream"
DIGITS = bytes.maketrans(b"\0\1", b"01")
REPEATS, SAMPLE, FEW = 4, 1000, 128
"""A column in which each text stands so often on average is handed over as a dictionary."""


class _Schema(ctypes.Structure):
    pass


class _Array(ctypes.Structure):
    pass


class _Stream(ctypes.Structure):
    pass


_Release = ctypes.CFUNCTYPE(None, ctypes.c_void_p)
_GetSchema = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_void_p, ctypes.POINTER(_Schema))
_GetNext = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_void_p, ctypes.POINTER(_Array))
_LastError = ctypes.CFUNCTYPE(ctypes.c_void_p, ctypes.c_void_p)

_Schema._fields_ = [
    ("format", ctypes.c_char_p), ("name", ctypes.c_char_p), ("metadata", ctypes.c_char_p), ("flags", ctypes.c_int64),
    ("n_children", ctypes.c_int64), ("children", ctypes.POINTER(ctypes.POINTER(_Schema))),
    ("dictionary", ctypes.POINTER(_Schema)), ("release", ctypes.c_void_p), ("private_data", ctypes.c_void_p),
]  # fmt: skip
_Array._fields_ = [
    ("length", ctypes.c_int64), ("null_count", ctypes.c_int64), ("offset", ctypes.c_int64), ("n_buffers", ctypes.c_int64),
    ("n_children", ctypes.c_int64), ("buffers", ctypes.POINTER(ctypes.c_void_p)),
    ("children", ctypes.POINTER(ctypes.POINTER(_Array))), ("dictionary", ctypes.POINTER(_Array)),
    ("release", ctypes.c_void_p), ("private_data", ctypes.c_void_p),
]  # fmt: skip
_Stream._fields_ = [
    ("get_schema", _GetSchema), ("get_next", _GetNext), ("get_last_error", _LastError), ("release", ctypes.c_void_p),
    ("private_data", ctypes.c_void_p),
]  # fmt: skip

_new_capsule: Any = ctypes.pythonapi.PyCapsule_New
_new_capsule.restype = ctypes.py_object
_new_capsule.argtypes = [ctypes.c_void_p, ctypes.c_char_p, ctypes.c_void_p]


@_Release
def _released_schema(address: int) -> None:
    ctypes.cast(address, ctypes.POINTER(_Schema)).contents.release = None


@_Release
def _released_array(address: int) -> None:
    ctypes.cast(address, ctypes.POINTER(_Array)).contents.release = None


@_Release
def _released_stream(address: int) -> None:
    ctypes.cast(address, ctypes.POINTER(_Stream)).contents.release = None


RELEASE_SCHEMA, RELEASE_ARRAY, RELEASE_STREAM = (
    ctypes.cast(released, ctypes.c_void_p).value for released in (_released_schema, _released_array, _released_stream)
)


def _packed(numbers: Iterable[int], count: int) -> bytes:
    return struct.pack(f"={count}i", *numbers)


def _selected(name: str, kind: str, empty: bool) -> str:
    if empty:
        return f"null::{'varchar' if kind == JSON else kind} as {name}"
    return f"nullif({name}, 'null') as {name}" if kind == JSON else name


class Columns:
    """Named columns of equal length, as one batch that DuckDB reads: `select * from columns`.

    A cell is text, JSON as UTF-8 bytes (kind `json`, in which b"null" is none at all), a truth value, a number of 64 bits, or None; a column holds one kind. Raises
    UnicodeEncodeError for text that is no Unicode.
    """

    def __init__(self, columns: Mapping[str, Sequence[Any]], kinds: Mapping[str, str]) -> None:
        self._kept: list[Any] = []
        length = len(next(iter(columns.values())))
        nothing = {name: NULL if kinds[name] == JSON else None for name in columns}
        empty = {name for name, cells in columns.items() if cells.count(nothing[name]) == length}
        self.selected = ", ".join(_selected(quoted_name(name), kinds[name], name in empty) for name in columns)
        """The columns as SQL selects them; those that are empty are not handed over."""
        given = {name: cells for name, cells in columns.items() if name not in empty}
        made = [self._column(cells, kinds[name]) for name, cells in given.items()]
        self._formats = [(name.encode(), form, values) for name, (form, _, values) in zip(given, made, strict=True)]
        children = self._pointers(_Array, [child for _, child, _ in made])
        self._root = _Array(length, 0, 0, 1, len(made), self._buffers(None), children, None, RELEASE_ARRAY, None)

    def __arrow_c_stream__(self, requested_schema: object = None) -> object:
        """A stream of the one batch."""
        given = False

        @_GetSchema
        def get_schema(_: int, out: Any) -> int:
            self._fill_schema(out[0])
            return 0

        @_GetNext
        def get_next(_: int, out: Any) -> int:
            nonlocal given
            ctypes.memset(out, 0, ctypes.sizeof(_Array))
            if not given:
                ctypes.memmove(out, ctypes.byref(self._root), ctypes.sizeof(_Array))
            given = True
            return 0

        @_LastError
        def last_error(_: int) -> None:
            return None

        stream = _Stream(get_schema, get_next, last_error, RELEASE_STREAM, None)
        self._kept += [stream, get_schema, get_next, last_error]
        return _new_capsule(ctypes.addressof(stream), STREAM_NAME, None)

    def _column(self, cells: Sequence[Any], kind: str) -> tuple[bytes, _Array, bool]:
        """Format, array, and whether it is a dictionary's indices."""
        if kind == JSON:
            return b"u", self._bytes(cells, None), False
        validity = self._validity(cells)
        if kind == "boolean":
            return b"b", self._array(len(cells), validity, self._bits(bytes(map(bool, cells)))), False
        if kind == "bigint":
            return b"l", self._array(len(cells), validity, array("q", [cell or 0 for cell in cells])), False
        if len(set(cells[:SAMPLE])) * REPEATS > len(cells[:SAMPLE]):
            return b"u", self._texts(cells, validity), False
        distinct = set(cells)
        if len(distinct) * REPEATS > len(cells):
            return b"u", self._texts(cells, validity), False
        numbers = {cell: number for number, cell in enumerate(distinct)}
        # A byte for each is enough where there are few, and made thrice as fast.
        few = len(numbers) <= FEW
        codes = map(numbers.__getitem__, cells)
        indices = self._array(len(cells), validity, bytes(codes) if few else _packed(codes, len(cells)))
        values = self._texts(["" if cell is None else cell for cell in distinct], None)
        indices.dictionary = ctypes.pointer(values)
        return b"c" if few else b"i", indices, True

    def _texts(self, cells: Sequence[Any], validity: bytes | None) -> _Array:
        known = cells if validity is None else ["" if cell is None else cell for cell in cells]
        text = "".join(known)
        if text.isascii():
            return self._array(
                len(cells), validity, _packed(accumulate(map(len, known), initial=0), len(cells) + 1), text.encode()
            )
        return self._bytes(list(map(str.encode, known)), validity)

    def _bytes(self, cells: Sequence[bytes], validity: bytes | None) -> _Array:
        offsets = _packed(accumulate(map(len, cells), initial=0), len(cells) + 1)
        return self._array(len(cells), validity, offsets, b"".join(cells))

    def _validity(self, cells: Sequence[Any]) -> bytes | None:
        return self._bits(bytes(map(is_not, cells, repeat(None)))) if None in cells else None

    @staticmethod
    def _bits(flags: bytes) -> bytes:
        return int(flags.translate(DIGITS)[::-1] or b"0", 2).to_bytes(len(flags) // 8 + 1, "little")

    def _array(self, length: int, *buffers: bytes | array[int] | None) -> _Array:
        nulls = 0 if buffers[0] is None else -1
        made = _Array(length, nulls, 0, len(buffers), 0, self._buffers(*buffers), None, None, RELEASE_ARRAY, None)
        self._kept.append(made)
        return made

    def _buffers(self, *buffers: bytes | array[int] | None) -> Any:
        addresses = (ctypes.c_void_p * len(buffers))()
        for place, buffer in enumerate(buffers):
            if isinstance(buffer, bytes):
                addresses[place] = ctypes.cast(ctypes.c_char_p(buffer), ctypes.c_void_p).value
            elif buffer is not None:
                addresses[place] = buffer.buffer_info()[0]
        self._kept += [addresses, buffers]
        return ctypes.cast(addresses, ctypes.POINTER(ctypes.c_void_p))

    def _pointers(self, kind: Any, made: Sequence[Any]) -> Any:
        pointers = (ctypes.POINTER(kind) * len(made))(*map(ctypes.pointer, made))
        self._kept += [pointers, made]
        return pointers

    def _fill_schema(self, root: Any) -> None:
        children = []
        for name, made_format, dictionary in self._formats:
            values = ctypes.pointer(_Schema(b"u", b"", None, NULLABLE, 0, None, None, RELEASE_SCHEMA, None))
            child = _Schema(made_format, name, None, NULLABLE, 0, None, values if dictionary else None, RELEASE_SCHEMA, None)  # fmt: skip
            self._kept += [values, child]
            children.append(child)
        root.format, root.name, root.metadata, root.flags = b"+s", b"", None, 0
        root.n_children, root.children = len(children), self._pointers(_Schema, children)
        root.dictionary, root.release, root.private_data = None, RELEASE_SCHEMA, None
