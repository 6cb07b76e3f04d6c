"""A sourcing problem as JSON text and back, so that a decision is kept with exactly what it was made of.

Fields that have their default are left out; numbers are decimal texts, days ISO dates, sets sorted lists. Several
objects of one kind are written field by field, each with a list of all their values: a problem has thousands of
supplies, and their names and defaults are then there once (half the time and half the text, measured).
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable, Mapping, Sequence
from datetime import date
from decimal import Decimal
from functools import cache
from operator import attrgetter
from types import UnionType
from typing import Any, get_args, get_origin, get_type_hints

from node.core.sourcing.problem import (
    DemandLine,
    OrderDemand,
    Policy,
    Problem,
    Service,
    Source,
    Supply,
    Weights,
)
from node.errors import RefusedError

__all__ = ["VERSION", "from_fields", "from_json", "to_fields", "to_json"]

VERSION = 2
"""Stands in every text; a text of another version is refused."""

_CLASSES = (Problem, OrderDemand, DemandLine, Policy, Weights, Source, Supply, Service)
_MISSING = dataclasses.MISSING
_DIGITS_MAX = 40

Encode = Callable[[Any], Any]
Decode = Callable[[Any], Any]


def to_json(problem: Problem) -> str:
    """The problem as compact JSON text; the same problem gives the same text."""
    return json.dumps(to_fields(problem), ensure_ascii=False, separators=(",", ":"))


def from_json(text: str) -> Problem:
    """The problem in this text. Raises RefusedError ``bad-problem`` when it is none, or of another version."""
    try:
        fields = json.loads(text)
    except (ValueError, RecursionError):
        raise _bad("it is no JSON") from None
    return from_fields(fields)


def to_fields(problem: Problem) -> dict[str, Any]:
    """The problem as plain dicts and lists."""
    return {"version": VERSION, **_encode(problem)}


def from_fields(fields: Any) -> Problem:
    """The problem in plain dicts and lists. Raises RefusedError ``bad-problem``."""
    if not isinstance(fields, dict) or fields.get("version") != VERSION:
        raise _bad(f'"version": {VERSION} is expected')
    rest = {name: value for name, value in fields.items() if name != "version"}
    try:
        made = _decode(Problem, rest)
    except (ValueError, TypeError, ArithmeticError, KeyError, RecursionError) as error:
        raise _bad(str(error)[:200]) from None
    assert isinstance(made, Problem)
    return made


def _bad(why: str) -> RefusedError:
    return RefusedError(
        f"this is no sourcing problem: {why}", code="bad-problem", hint="it was not written by this version of the node"
    )


def _encode(value: Any) -> dict[str, Any]:
    """One object's fields; tuples are read at once, which is twice as quick as name by name."""
    cls: Any = type(value)
    names, defaults, encoders, read = _encoders(cls)
    return {
        name: encode(found)
        for name, default, encode, found in zip(names, defaults, encoders, read(value), strict=True)
        if found is not default and found != default
    }


def _encode_all(values: Sequence[Any]) -> dict[str, list[Any]]:
    """The fields of objects of one class, each with the values of all of them; where all have the default, without."""
    cls: Any = type(values[0])
    names, defaults, encoders, read = _encoders(cls)
    columns = zip(names, defaults, encoders, zip(*map(read, values), strict=True), strict=True)
    return {
        name: [None if found is None else encode(found) for found in column]
        for name, default, encode, column in columns
        if name == names[0] or any(found is not default and found != default for found in column)
    }


@cache
def _encoders(cls: type) -> tuple[tuple[str, ...], tuple[Any, ...], tuple[Encode, ...], Callable[[Any], Any]]:
    """Names, defaults, encoders, and what reads all fields of an object."""
    kinds = get_type_hints(cls)
    fields = dataclasses.fields(cls)
    names = tuple(one.name for one in fields)
    defaults = tuple(one.default if one.default_factory is _MISSING else one.default_factory() for one in fields)
    return names, defaults, tuple(_encoder(kinds[name]) for name in names), attrgetter(*names)


def _encoder(kind: Any) -> Encode:
    kind = _plain(kind)
    if kind in _CLASSES:
        return _encode
    if kind is Decimal:
        return str
    if kind is date:
        return lambda value: value.isoformat()
    if get_origin(kind) is tuple:
        inner = _encoder(get_args(kind)[0])
        if inner is _encode:
            return lambda value: _encode_all(value) if value else {}
        return lambda value: [inner(one) for one in value]
    if get_origin(kind) is frozenset:
        return sorted
    if get_origin(kind) is Mapping:
        return lambda value: [[*key, str(amount)] for key, amount in sorted(value.items())]
    return lambda value: value


def _plain(kind: Any) -> Any:
    """The kind without "or None"."""
    if get_origin(kind) is UnionType:
        return next(one for one in get_args(kind) if one is not type(None))
    return kind


def _decode(cls: type, fields: Any) -> Any:
    if not isinstance(fields, dict):
        raise TypeError(f"{cls.__name__}: an object is expected")
    decoders = _decoders(cls)
    return cls(**{name: _value(cls, name, decoders, value) for name, value in fields.items()})


def _decode_all(cls: type, fields: Any) -> tuple[Any, ...]:
    """The objects that `_encode_all` wrote."""
    if not isinstance(fields, dict):
        raise TypeError(f"{cls.__name__}: an object of lists is expected")
    decoders = _decoders(cls)
    columns = [[_value(cls, name, decoders, one) for one in _list(column)] for name, column in fields.items()]
    return tuple(cls(**dict(zip(fields, row, strict=True))) for row in zip(*columns, strict=True))


def _value(cls: type, name: str, decoders: Mapping[str, tuple[Decode, bool]], value: Any) -> Any:
    if name not in decoders:
        raise ValueError(f"{cls.__name__} has no field {name!r}")
    decode, optional = decoders[name]
    if value is None and not optional:
        raise ValueError(f"{cls.__name__}.{name}: a value is expected")
    return None if value is None else decode(value)


@cache
def _decoders(cls: type) -> dict[str, tuple[Decode, bool]]:
    return {
        name: (_decoder(kind), get_origin(kind) is UnionType)
        for name, kind in get_type_hints(cls).items()
        if not name.startswith("_")
    }


def _decoder(kind: Any) -> Decode:
    kind = _plain(kind)
    if kind in _CLASSES:
        return lambda value: _decode(kind, value)
    if kind is Decimal:
        return _decimal
    if kind is date:
        return date.fromisoformat
    if get_origin(kind) is tuple:
        of = get_args(kind)[0]
        if of in _CLASSES:
            return lambda value: _decode_all(of, value)
        inner = _decoder(of)
        return lambda value: tuple(inner(one) for one in _list(value))
    if get_origin(kind) is frozenset:
        return lambda value: frozenset(_exact(str)(one) for one in _list(value))
    if get_origin(kind) is Mapping:
        return lambda value: {(_exact(str)(a), _exact(str)(b)): _decimal(c) for a, b, c in map(_list, _list(value))}
    if kind is float:
        return lambda value: float(_exact(int)(value) if isinstance(value, int) else _exact(float)(value))
    return _exact(kind)


def _exact(kind: type) -> Decode:
    def take(value: Any) -> Any:
        if type(value) is not kind:
            raise TypeError(f"{kind.__name__} is expected, not {value!r:.40}")
        return value

    return take


def _decimal(value: Any) -> Decimal:
    if not isinstance(value, str) or len(value) > _DIGITS_MAX:
        raise TypeError(f"a number as text is expected, not {value!r:.40}")
    number = Decimal(value)
    if not number.is_finite():
        raise ValueError(f"a number is expected, not {value!r:.40}")
    return number


def _list(value: Any) -> list[Any]:
    if not isinstance(value, list):
        raise TypeError(f"a list is expected, not {value!r:.40}")
    return value
