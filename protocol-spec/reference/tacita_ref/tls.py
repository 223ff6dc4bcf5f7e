"""The TLS presentation language of 05 section 3, as far as the messages use it."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

from .refusal import Refused, require

MALFORMED = "malformed"
MAX_ELEMENTS = 1000
S = TypeVar("S")


class Reader:
    """Bytes of one frame, or of one vector in it."""

    def __init__(self, data: bytes) -> None:
        self._data, self._at = data, 0

    def take(self, count: int) -> bytes:
        require(self._at + count <= len(self._data), MALFORMED, "cut short")
        part = self._data[self._at : self._at + count]
        self._at += count
        return part

    def is_empty(self) -> bool:
        return self._at == len(self._data)


@dataclass(frozen=True)
class Type:
    """How one field is written and read."""

    write: Callable[[Any], bytes]
    read: Callable[[Reader], Any]


def uint(size: int) -> Type:
    return Type(lambda v: int(v).to_bytes(size, "big"), lambda r: int.from_bytes(r.take(size), "big"))


U8, U16, U32, U64 = uint(1), uint(2), uint(4), uint(8)


def fixed(size: int) -> Type:
    def write(value: bytes) -> bytes:
        if len(value) != size:
            raise ValueError(f"{len(value)} bytes where {size} belong")
        return value

    return Type(write, lambda r: r.take(size))


HASH, SIGNATURE = fixed(32), fixed(64)


def opaque(prefix: int) -> Type:
    """`opaque x<0..2^(8 prefix) - 1>`."""
    return Type(
        lambda v: len(v).to_bytes(prefix, "big") + v,
        lambda r: r.take(int.from_bytes(r.take(prefix), "big")),
    )


def vector(prefix: int, element: Type, limit: int | None = None) -> Type:
    """`T x<0..2^(8 prefix) - 1>`: a length in bytes, then elements; `limit` for the lists marked (n)."""

    def write(values: list[Any]) -> bytes:
        body = b"".join(element.write(v) for v in values)
        return len(body).to_bytes(prefix, "big") + body

    def read(reader: Reader) -> list[Any]:
        inner = Reader(reader.take(int.from_bytes(reader.take(prefix), "big")))
        values = []
        while not inner.is_empty():
            values.append(element.read(inner))
        require(limit is None or len(values) <= limit, MALFORMED, "list too long")
        return values

    return Type(write, read)


def members(element: Type) -> Type:
    """A list marked (n) with a four-byte length."""
    return vector(4, element, MAX_ELEMENTS)


PROOF = vector(2, HASH)


def switched(on: bool, fields: dict[str, Type]) -> dict[str, Type]:
    """Fields that are there if the layout has them."""
    return fields if on else {}


class Struct:
    """A struct whose class lists its fields in order in `FIELDS`."""

    FIELDS: dict[str, Type]
    # Fields that `layout` has switched off, with what stands in for them.
    OFF: dict[str, Any] = {}

    def __init__(self, **values: Any) -> None:
        values = {name: value for name, value in values.items() if name not in self.OFF}
        if set(values) != set(self.FIELDS):
            raise TypeError(f"{type(self).__name__}: {set(values) ^ set(self.FIELDS)}")
        self.__dict__.update(values)

    def __getattr__(self, name: str) -> Any:
        if name in type(self).OFF:
            return type(self).OFF[name]
        raise AttributeError(name)

    def __eq__(self, other: object) -> bool:
        return type(self) is type(other) and self.__dict__ == other.__dict__

    def encode(self) -> bytes:
        return b"".join(kind.write(getattr(self, name)) for name, kind in self.FIELDS.items())

    def replace(self: S, **values: Any) -> S:
        return type(self)(**{**self.__dict__, **values})

    @classmethod
    def read(cls: type[S], reader: Reader) -> S:
        return cls(**{name: kind.read(reader) for name, kind in cls.FIELDS.items()})  # type: ignore[attr-defined]

    @classmethod
    def type(cls) -> Type:
        return Type(lambda v: v.encode(), cls.read)


def decode(kind: Callable[[Reader], Any], data: bytes) -> Any:
    """Reads one message; nothing may remain behind it."""
    reader = Reader(data)
    value = kind(reader)
    require(reader.is_empty(), MALFORMED, "bytes behind the message")
    return value


def unknown(what: str) -> Refused:
    return Refused(MALFORMED, what)
