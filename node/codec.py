"""The generic codec: frozen dataclasses to and from the schema's messages and plain field dicts, by field name.

A codec for each class is put together once, at first use; a field that exists on one side only is an error.
"""

from __future__ import annotations

import dataclasses
import importlib
import types
import typing
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from enum import StrEnum
from functools import cache
from operator import attrgetter
from typing import Any

from node.core.decimals import format_decimal, parse_decimal
from node.core.finding import Finding
from node.core.money import Money
from node.core.quantity import Quantity
from node.errors import RefusedError

__all__ = ["Codec", "codec_of", "message_class", "shown"]

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_SECONDS_MAX = 253_402_300_799  # 9999-12-31T23:59:59Z
_MODULES = (
    "common",
    "catalogue",
    "inventory",
    "order",
    "customer",
    "disruption",
    "fulfilment",
    "invoice",
    "replenishment",
    "reservation",
    "terms",
    "card",
    "link",
    "evidence",
)


_PAIRS_MAX = 65_536
_new = object.__new__


@dataclasses.dataclass(frozen=True, slots=True)
class _Kind:
    """How values of one type cross the gate: from and to a protobuf field's value, and from and to plain fields."""

    word: str
    decode: Callable[[Any], Any]
    encode: Callable[[Any], Any]
    parse: Callable[[Any, str, list[Finding]], Any]
    plain: Callable[[Any], Any]
    fill: Callable[[Any, Any], None] | None = None  # for messages: write a value into one, instead of `encode`
    codec: Any = None  # for messages that are dataclasses of ours


def _identity(value: Any) -> Any:
    return value


def _simple(
    word: str,
    read: Callable[[Any], Any],
    write: Callable[[Any], Any],
    expected: str,
    decode: Callable[[Any], Any] | None = None,
) -> _Kind:
    """A kind whose plain form is read by `read` and written by `write`, and travels so too.

    `decode` reads what protobuf has already checked, where that is less work.
    """

    def parse(value: Any, path: str, findings: list[Finding]) -> Any:
        try:
            return read(value)
        except RefusedError as error:
            findings.append(Finding(error.code, path, error.message))
        except (ValueError, TypeError, OverflowError):
            findings.append(Finding(f"bad-{word}", path, f"expected {expected}, got {shown(value)}"))
        return None

    return _Kind(word, decode or read, write, parse, write)


def shown(value: Any) -> str:
    """A value for an error text: short, and quoted."""
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "..."


def _decode_text(value: Any) -> Any:
    if "\x00" in value:
        raise ValueError
    return value


def _parse_text(value: Any) -> str:
    if type(value) is not str or "\x00" in value:
        raise TypeError
    value.encode()  # half a surrogate pair, which JSON can say, no UTF-8 can carry
    return value


def _reader_of_int(limit: int) -> Callable[[Any], int]:
    def read(value: Any) -> int:
        if type(value) is not int or not 0 <= value < limit:
            raise TypeError
        return value

    return read


def _read_bool(value: Any) -> bool:
    if type(value) is not bool:
        raise TypeError
    return value


def _read_date(value: Any) -> date:
    # The length and the second hyphen keep out the other forms of ISO 8601, such as "2026-W22-7".
    if type(value) is not str or len(value) != 10 or value[7] != "-":
        raise TypeError
    return date.fromisoformat(value)


def _decode_instant(value: Any) -> datetime:
    if not 0 <= value.seconds <= _SECONDS_MAX or not 0 <= value.nanos < 1_000_000_000:
        raise ValueError
    return _EPOCH + timedelta(seconds=value.seconds, microseconds=value.nanos // 1000)


def _fill_instant(message: Any, value: datetime) -> None:
    whole = value - _EPOCH
    message.seconds = whole.days * 86400 + whole.seconds
    message.nanos = whole.microseconds * 1000


def _read_instant(value: Any) -> datetime:
    at = datetime.fromisoformat(_parse_text(value))
    if at.tzinfo is None:
        raise ValueError
    at = at.astimezone(UTC)
    if at < _EPOCH:
        raise ValueError
    return at


def _plain_instant(value: datetime) -> str:
    return value.astimezone(UTC).isoformat().replace("+00:00", "Z")


_TEXT = _simple("text", _parse_text, _identity, "text", _decode_text)
# 64-bit numbers end where SQL's BIGINT does.
_INTS = {
    limit: _simple("number", _reader_of_int(limit), _identity, f"a whole number from 0 to {limit - 1}")
    for limit in (2**32, 2**63)
}
_BOOL = _simple("boolean", _read_bool, _identity, "true or false")
_DATE = _simple("date", _read_date, date.isoformat, 'a date such as "2026-05-31"')
_DECIMAL = _simple("decimal", parse_decimal, format_decimal, 'a decimal such as "12.50"')
_BYTES_HEX = _simple("bytes", bytes.fromhex, bytes.hex, "bytes in hexadecimal")
_BYTES = _Kind("bytes", _identity, _identity, _BYTES_HEX.parse, _BYTES_HEX.plain)
_INSTANT_ISO = _simple("instant", _read_instant, _plain_instant, 'an instant such as "2026-05-31T08:00:00Z"')
_INSTANT = _Kind("instant", _decode_instant, _identity, _INSTANT_ISO.parse, _INSTANT_ISO.plain, _fill_instant)


def _fill_quantity(message: Any, value: Quantity) -> None:
    message.value = format_decimal(value.value)
    message.unit = value.unit


def _fill_money(message: Any, value: Money) -> None:
    message.amount = format_decimal(value.amount)
    message.currency = value.currency


def _pair_kind(cls: type, first: str, second: str, fill: Callable[[Any, Any], None]) -> _Kind:
    """Quantity and Money: a decimal with its unit or currency."""
    both = attrgetter(first, second)
    cache: dict[tuple[str, str], Any] = {}

    def read(value: Any) -> Any:
        # The same few quantities and prices come again and again.
        pair = both(value)
        made = cache.get(pair)
        if made is None:
            made = cls(parse_decimal(pair[0]), pair[1])
            if len(cache) >= _PAIRS_MAX:
                cache.clear()
            cache[pair] = made
        return made

    def parse(value: Any, path: str, findings: list[Finding]) -> Any:
        if not isinstance(value, Mapping) or set(value) - {first, second}:
            findings.append(Finding("bad-fields", path, f"expected {{{first}, {second}}}, got {shown(value)}"))
            return None
        try:
            return cls(parse_decimal(value.get(first, "")), _parse_text(value.get(second, "")))
        except RefusedError as error:
            where = first if error.code == "bad-decimal" else second
            findings.append(Finding(error.code, f"{path}.{where}", error.message))
        except (TypeError, ValueError):
            findings.append(Finding("bad-fields", path, f"expected text in {first} and {second}, got {shown(value)}"))
        return None

    def plain(value: Any) -> dict[str, str]:
        return {first: format_decimal(getattr(value, first)), second: getattr(value, second)}

    return _Kind(cls.__name__.lower(), read, _identity, parse, plain, fill)


def _enum_kind(cls: type[StrEnum], enum: Any) -> _Kind:
    prefix = enum.values_by_number[0].name.removesuffix("UNSPECIFIED")
    by_number = {number: cls(value.name.removeprefix(prefix)) for number, value in enum.values_by_number.items()}
    by_word = {word: number for number, word in by_number.items()}
    words = ", ".join(word for word in by_word if word != "UNSPECIFIED")

    def read(value: Any) -> StrEnum:
        try:
            return by_number[value]
        except KeyError:
            raise RefusedError(f"unknown value {value}; expected one of {words}", code="unknown-word") from None

    def parse(value: Any, path: str, findings: list[Finding]) -> Any:
        try:
            return cls(value)
        except ValueError:
            findings.append(Finding("unknown-word", path, f"expected one of {words}, got {shown(value)}"))
            return None

    return _Kind("|".join(by_word), read, by_word.__getitem__, parse, str)


@cache
def message_class(name: str) -> Any:
    """The generated class of a message of `hansa.v1` by its name. Raises KeyError."""
    for module in _MODULES:
        found = getattr(importlib.import_module(f"hansa.v1.{module}_pb2"), name, None)
        if found is not None:
            return found
    raise KeyError(name)


@dataclasses.dataclass(frozen=True, slots=True)
class _Field:
    name: str
    number: int
    repeated: bool
    kind: _Kind
    empty: Any
    target: Any  # the dataclass, when the value is one


class Codec:
    """The codec of one dataclass: decode, fill, parse and plain, each a walk over the fields that are there."""

    def __init__(self, cls: type) -> None:
        self.cls = cls
        self.message = message_class(cls.__name__)
        self.fields = list(_fields_of(cls, self.message.DESCRIPTOR))
        self.by_name = {field.name: field for field in self.fields}
        by_name = self.message.DESCRIPTOR.fields_by_name
        # By descriptor, which is the same object for as long as it is held here: to ask each for its number costs time.
        self._readers = {by_name[field.name]: (field.name, _reader(field)) for field in self.fields}
        self._writers = {field.name: (field.empty, _writer(field)) for field in self.fields}

    def decode(self, message: Any) -> Any:
        """The value of a message. Raises whatever a field's reader raises; `locate` then tells where."""
        made: Any = _new(self.cls)
        # Only what is there is set: the class's own defaults stand for the rest. This is the hot path of receiving, and
        # a frozen dataclass's __init__ would cost more than all the rest.
        values = made.__dict__
        readers = self._readers
        for descriptor, value in message.ListFields():
            known = readers.get(descriptor)
            if known is not None:
                name, read = known
                values[name] = read(value)
        return made

    def locate(self, message: Any, path: str = "") -> Finding | None:
        """Which field of a message cannot be read, and why; None when all can."""
        by_number = {field.number: field for field in self.fields}
        prefix = f"{path}." if path else ""
        for descriptor, value in message.ListFields():
            field = by_number.get(descriptor.number)
            if field is None:
                continue
            for position, one in enumerate(value if field.repeated else [value]):
                where = f"{prefix}{field.name}[{position}]" if field.repeated else f"{prefix}{field.name}"
                finding = field.kind.codec.locate(one, where) if field.kind.codec else _try(field.kind, one, where)
                if finding is not None:
                    return finding
        return None

    def fill(self, message: Any, value: Any) -> None:
        """Write a value into an empty message, in place: protobuf copies what is given to a constructor."""
        writers = self._writers
        no_text, nothing = "", ()
        for name, one in value.__dict__.items():
            # Most fields are empty, so these come first. What is equally empty but another object is left out by
            # protobuf itself.
            if one is None or one is no_text or one is nothing:
                continue
            empty, write = writers[name]
            if one is not empty:
                write(message, one)

    def parse(self, value: Any, path: str, findings: list[Finding]) -> Any:
        """The value of plain fields, or None and what is wrong with them added to `findings`."""
        if not isinstance(value, Mapping):
            findings.append(Finding("bad-fields", path or "document", f"expected fields, got {shown(value)}"))
            return None
        before = len(findings)
        values = {}
        prefix = f"{path}." if path else ""
        for name, one in value.items():
            field = self.by_name.get(name)
            if field is None:
                findings.append(Finding("unknown-field", f"{prefix}{name}", f"{self.cls.__name__} has no such field"))
            elif one is None:
                continue
            elif not field.repeated:
                values[name] = field.kind.parse(one, f"{prefix}{name}", findings)
            elif isinstance(one, list | tuple):
                parse = field.kind.parse
                values[name] = tuple(parse(item, f"{prefix}{name}[{i}]", findings) for i, item in enumerate(one))
            else:
                findings.append(Finding("bad-fields", f"{prefix}{name}", f"expected a list, got {shown(one)}"))
        if len(findings) > before:
            return None
        made: Any = _new(self.cls)
        made.__dict__.update(values)
        return made

    def plain(self, value: Any) -> dict[str, Any]:
        """The plain fields of a value, without those that are empty."""
        made: dict[str, Any] = {}
        for field in self.fields:
            one = getattr(value, field.name)
            if one == field.empty or one is None:
                continue
            made[field.name] = [field.kind.plain(item) for item in one] if field.repeated else field.kind.plain(one)
        return made


def _try(kind: _Kind, value: Any, path: str) -> Finding | None:
    try:
        kind.decode(value)
    except RefusedError as error:
        return Finding(error.code, path, error.message)
    except (ValueError, TypeError, OverflowError):
        return Finding(f"bad-{kind.word}", path, f"expected {kind.word}")
    return None


def _reader(field: _Field) -> Callable[[Any], Any]:
    decode = field.kind.decode
    if not field.repeated:
        return decode
    return lambda values: tuple([decode(one) for one in values])


def _writer(field: _Field) -> Callable[[Any, Any], None]:
    """Set a field of a message in place: a message by filling its own part, anything else by assignment."""
    name, encode, fill = field.name, field.kind.encode, field.kind.fill

    def write_plain(message: Any, value: Any) -> None:
        setattr(message, name, encode(value))

    def write_plains(message: Any, values: Any) -> None:
        getattr(message, name).extend([encode(one) for one in values])

    def write_as_it_is(message: Any, value: Any) -> None:
        setattr(message, name, value)

    if fill is None and encode is _identity and not field.repeated:
        return write_as_it_is
    if fill is None:
        return write_plains if field.repeated else write_plain

    def write_part(message: Any, value: Any) -> None:
        part = getattr(message, name)
        part.SetInParent()
        fill(part, value)

    def write_parts(message: Any, values: Any) -> None:
        add = getattr(message, name).add
        for one in values:
            fill(add(), one)

    return write_parts if field.repeated else write_part


def _fields_of(cls: type, descriptor: Any) -> Iterator[_Field]:
    hints = typing.get_type_hints(cls)
    for field in dataclasses.fields(cls):
        there = descriptor.fields_by_name.get(field.name)
        if there is None:
            raise TypeError(f"{cls.__name__}.{field.name} is not in the schema")
        hint, repeated = _unwrap(hints[field.name])
        target: Any = hint if dataclasses.is_dataclass(hint) else None
        yield _Field(field.name, there.number, repeated, _kind_of(hint, there), field.default, target)


def _unwrap(hint: Any) -> tuple[Any, bool]:
    if typing.get_origin(hint) is tuple:
        return typing.get_args(hint)[0], True
    if typing.get_origin(hint) in (types.UnionType, typing.Union):
        return next(one for one in typing.get_args(hint) if one is not type(None)), False
    return hint, False


def _kind_of(hint: Any, descriptor: Any) -> _Kind:
    simple = {str: _TEXT, bool: _BOOL, bytes: _BYTES, date: _DATE, datetime: _INSTANT, Decimal: _DECIMAL}
    if hint in simple:
        return simple[hint]
    if hint is int:
        return _INTS[2**32 if descriptor.type == descriptor.TYPE_UINT32 else 2**63]
    if hint is Quantity:
        return _pair_kind(Quantity, "value", "unit", _fill_quantity)
    if hint is Money:
        return _pair_kind(Money, "amount", "currency", _fill_money)
    if issubclass(hint, StrEnum):
        return _enum_kind(hint, descriptor.enum_type)
    codec = codec_of(hint)
    return _Kind("fields", codec.decode, _identity, codec.parse, codec.plain, codec.fill, codec)


_CODECS: dict[type, Codec] = {}


def codec_of(cls: type) -> Codec:
    """The codec of a dataclass that has a message of its name in the schema."""
    codec = _CODECS.get(cls)
    if codec is None:
        codec = _CODECS[cls] = Codec(cls)
    return codec
