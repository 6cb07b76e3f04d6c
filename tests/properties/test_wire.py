"""Properties of the gate: every value of every document comes back, and bytes or fields at random are taken or refused.

The strategies are built from the dataclasses themselves, so that a new field is tested from the day it is there.
"""

from __future__ import annotations

import dataclasses
import json
import types
import typing
from collections.abc import Callable
from datetime import UTC, date, datetime
from decimal import Decimal
from enum import StrEnum
from functools import cache
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from node import wire
from node.core import link
from node.core.decimals import INTEGER_DIGITS_MAX, SCALE
from node.core.document import DOCUMENTS
from node.core.document.order import Order
from node.core.iso_codes import MINOR_UNITS
from node.core.money import Money
from node.core.quantity import Quantity
from node.core.unit_codes import UNITS

FIELDS_MAX = 8
FRAMES = [link.Hello, link.Batch, link.Receipt, link.Goodbye]

texts = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x00"), max_size=12)
_LARGEST = 10 ** (INTEGER_DIGITS_MAX + SCALE) - 1
decimals = st.builds(
    lambda number, scale: Decimal(number).scaleb(-scale),
    st.integers(-(10**INTEGER_DIGITS_MAX) + 1, 10**INTEGER_DIGITS_MAX - 1),
    st.integers(0, SCALE),
) | st.integers(-_LARGEST, _LARGEST).map(lambda number: Decimal(number).scaleb(-SCALE))
SIMPLE: dict[Any, st.SearchStrategy[Any]] = {
    str: texts,
    int: st.integers(0, 2**32 - 1),
    bool: st.booleans(),
    bytes: st.binary(max_size=24),
    date: st.dates(),
    datetime: st.datetimes(datetime(1970, 1, 1), datetime(9999, 12, 31), timezones=st.just(UTC)),  # noqa: DTZ001
    Decimal: decimals,
    Quantity: st.builds(Quantity, decimals, st.sampled_from(sorted(UNITS))),
    Money: st.builds(Money, decimals, st.sampled_from(sorted(MINOR_UNITS))),
}


def of_hint(hint: Any) -> st.SearchStrategy[Any]:
    """Values of a field's type."""
    if typing.get_origin(hint) is tuple:
        return st.lists(of_hint(typing.get_args(hint)[0]), max_size=3).map(tuple)
    if isinstance(hint, types.UnionType):
        return st.none() | of_hint(next(one for one in typing.get_args(hint) if one is not types.NoneType))
    if hint in SIMPLE:
        return SIMPLE[hint]
    return st.sampled_from(list(hint)) if issubclass(hint, StrEnum) else values_of(hint)


@cache
def values_of(cls: Any) -> st.SearchStrategy[Any]:
    """Values of a dataclass with some of its fields set: all at once would be slow and no better a test."""
    hints = typing.get_type_hints(cls)

    @st.composite
    def build(draw: st.DrawFn) -> Any:
        names = draw(st.lists(st.sampled_from(sorted(hints)), unique=True, max_size=FIELDS_MAX))
        return cls(**{name: draw(of_hint(hints[name])) for name in names})

    return build()


@pytest.mark.parametrize("document_type", DOCUMENTS)
@settings(max_examples=30)
@given(data=st.data())
def test_every_document_comes_back(document_type: str, data: st.DataObject) -> None:
    document = data.draw(of_hint(DOCUMENTS[document_type]))
    body = wire.encode(document)
    again = wire.decode_document(document_type, body)
    assert again == document
    assert wire.encode(again) == body
    fields = wire.to_fields(document)
    assert wire.from_fields(document_type, json.loads(json.dumps(fields))) == document
    assert wire.to_fields(again) == fields


@pytest.mark.parametrize("frame_type", FRAMES)
@settings(max_examples=30)
@given(data=st.data())
def test_every_frame_comes_back(frame_type: Any, data: st.DataObject) -> None:
    frame = data.draw(values_of(frame_type))
    assert wire.decode_frame(wire.encode_frame(frame)) == frame


def taken(read: Callable[..., Any], *arguments: Any) -> Any:
    """What is read, or None when it is refused with a reason; nothing else may happen."""
    try:
        return read(*arguments)
    except wire.InvalidFieldsError as error:
        if not error.findings:
            raise
        return None


def check_kept(document_type: str, document: Any) -> None:
    """What was taken can be sent on and is the same at the other end."""
    if document is not None:
        assert wire.decode_document(document_type, wire.encode(document)) == document


@given(st.sampled_from(sorted(DOCUMENTS)), st.binary(max_size=200))
def test_bytes_at_random_are_read_or_refused(document_type: str, body: bytes) -> None:
    check_kept(document_type, taken(wire.decode_document, document_type, body))


@given(values_of(Order), st.data())
def test_a_document_with_wrong_bytes_is_read_or_refused(order: Order, data: st.DataObject) -> None:
    body = bytearray(wire.encode(order) or b"\x00")
    for _ in range(data.draw(st.integers(1, 4))):
        body[data.draw(st.integers(0, len(body) - 1))] = data.draw(st.integers(0, 255))
    check_kept("Order", taken(wire.decode_document, "Order", bytes(body)))


@given(st.binary(max_size=200))
def test_frames_at_random_are_read_or_refused(body: bytes) -> None:
    taken(wire.decode_frame, body)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)
field_names = st.sampled_from(sorted({field.name for cls in DOCUMENTS.values() for field in dataclasses.fields(cls)}))


@given(st.sampled_from(sorted(DOCUMENTS)), st.dictionaries(field_names, json_values, max_size=4))
def test_fields_at_random_are_taken_or_refused(document_type: str, fields: dict[str, Any]) -> None:
    check_kept(document_type, taken(wire.from_fields, document_type, fields))


@given(values_of(Order), json_values, st.data())
def test_a_wrong_value_anywhere_is_taken_or_refused(order: Order, value: Any, data: st.DataObject) -> None:
    fields = wire.to_fields(order)
    place: Any = fields
    while True:
        steps = list(place) if isinstance(place, dict) else list(range(len(place)))
        if not steps:
            return
        step = data.draw(st.sampled_from(steps))
        if isinstance(place[step], dict | list) and data.draw(st.booleans()):
            place = place[step]
            continue
        place[step] = value
        break
    check_kept("Order", taken(wire.from_fields, "Order", fields))
