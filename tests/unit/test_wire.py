"""The gate between bytes, field dicts and values: what it refuses, how it says where, that it follows the schema."""

from __future__ import annotations

import contextlib
import dataclasses
import importlib
import pkgutil
import types
import typing
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from enum import StrEnum
from typing import Any

import pytest
from google.protobuf.descriptor import FieldDescriptor

import node.core.document
from hansa.v1 import (
    card_pb2,
    catalogue_pb2,
    common_pb2,
    customer_pb2,
    disruption_pb2,
    fulfilment_pb2,
    inventory_pb2,
    invoice_pb2,
    link_pb2,
    order_pb2,
    replenishment_pb2,
    reservation_pb2,
    terms_pb2,
)
from node import wire
from node.core import card, link
from node.core.document import DOCUMENTS
from node.core.document.common import DocumentHeader, Party, PartyRole, Price, Usage
from node.core.document.order import Order, OrderLine, OrderResponse, ResponseOutcome
from node.core.money import Money
from node.core.quantity import Quantity

AT = datetime(2026, 5, 31, 8, 0, tzinfo=UTC)
SCHEMA = (
    common_pb2,
    catalogue_pb2,
    inventory_pb2,
    order_pb2,
    customer_pb2,
    disruption_pb2,
    fulfilment_pb2,
    invoice_pb2,
    replenishment_pb2,
    reservation_pb2,
    terms_pb2,
    card_pb2,
    link_pb2,
)
# Quantity and Money are values of the core with units and currencies of their own; a Frame is only an envelope.
NOT_DATACLASSES = {"Quantity", "Money", "Frame"}


def an_order() -> Order:
    """An order with two lines."""
    line = OrderLine(
        line_id="1", quantity=Quantity(Decimal("10"), "C62"), price=Price(amount=Money(Decimal("1.50"), "EUR"))
    )
    return Order(
        header=DocumentHeader(
            issuer="0088:4012345000009",
            number="4711",
            usage=Usage.TEST,
            issued_at=AT,
            parties=(Party(role=PartyRole.BUYER, id="0088:4012345000009"),),
        ),
        currency="EUR",
        lines=(line, dataclasses.replace(line, line_id="2")),
    )


def findings_of(action: Any, *arguments: Any) -> list[tuple[str, str]]:
    """The rules and paths of what the gate refuses; fails when it takes it."""
    with pytest.raises(wire.InvalidFieldsError) as refused:
        action(*arguments)
    assert refused.value.findings
    assert all(finding.text for finding in refused.value.findings)
    return [(finding.rule, finding.path) for finding in refused.value.findings]


def order_message() -> Any:
    """The same order as a message that a partner's other software may have filled."""
    return order_pb2.Order.FromString(wire.encode(an_order()))


# The schema and the values


def core_classes() -> dict[str, type]:
    """Every dataclass and enumeration of the core that may stand for a message, by its name."""
    names = [found.name for found in pkgutil.iter_modules(node.core.document.__path__)]
    modules = [importlib.import_module(f"node.core.document.{name}") for name in names] + [link, card]
    return {
        name: value
        for module in modules
        for name, value in vars(module).items()
        if isinstance(value, type) and (dataclasses.is_dataclass(value) or issubclass(value, StrEnum))
    }


CLASSES = core_classes()
MESSAGES = {
    name: message
    for module in SCHEMA
    for name, message in module.DESCRIPTOR.message_types_by_name.items()
    if name not in NOT_DATACLASSES
}
ENUMS = {name: enum for module in SCHEMA for name, enum in module.DESCRIPTOR.enum_types_by_name.items()}
FITTING: dict[int, set[type]] = {
    FieldDescriptor.TYPE_STRING: {str, Decimal, date},
    FieldDescriptor.TYPE_BYTES: {bytes},
    FieldDescriptor.TYPE_BOOL: {bool},
    FieldDescriptor.TYPE_UINT32: {int},
    FieldDescriptor.TYPE_UINT64: {int},
}


def bare_type(hint: Any) -> tuple[Any, bool]:
    """The type inside ``X | None`` or ``tuple[X, ...]``, and whether there may be several."""
    if typing.get_origin(hint) is tuple:
        return typing.get_args(hint)[0], True
    if isinstance(hint, types.UnionType):
        return next(one for one in typing.get_args(hint) if one is not types.NoneType), False
    return hint, False


@pytest.mark.parametrize("name", MESSAGES)
def test_every_message_is_a_dataclass_with_the_same_fields(name: str) -> None:
    message, cls = MESSAGES[name], CLASSES[name]
    hints = typing.get_type_hints(cls)
    assert set(hints) == set(message.fields_by_name)
    for field_name, field in message.fields_by_name.items():
        kind, repeated = bare_type(hints[field_name])
        assert repeated == field.is_repeated, field_name
        if field.message_type is not None:
            expected = {"Timestamp": datetime}.get(field.message_type.name, CLASSES.get(field.message_type.name))
            assert kind is expected, field_name
        elif field.enum_type is not None:
            assert kind is CLASSES[field.enum_type.name], field_name
        else:
            assert kind in FITTING[field.type], field_name


@pytest.mark.parametrize("name", MESSAGES)
def test_every_dataclass_is_frozen_and_has_defaults(name: str) -> None:
    cls: Any = CLASSES[name]
    assert cls.__dataclass_params__.frozen
    assert all(field.default is not dataclasses.MISSING for field in dataclasses.fields(cls))
    assert cls.__doc__
    assert wire.decode(cls, wire.encode(cls())) == cls()


@pytest.mark.parametrize("name", ENUMS)
def test_every_enumeration_has_the_same_words(name: str) -> None:
    words = [value.name for value in ENUMS[name].values]
    prefix = words[0].removesuffix("UNSPECIFIED")
    cls = CLASSES[name]
    assert issubclass(cls, StrEnum)
    assert [word.removeprefix(prefix) for word in words] == [member.value for member in cls]
    assert ENUMS[name].values_by_number[0].name == f"{prefix}UNSPECIFIED"


def test_the_core_has_no_dataclass_that_the_schema_does_not_know() -> None:
    in_documents = {name for name, cls in CLASSES.items() if cls.__module__.startswith("node.core.document.")}
    assert in_documents - set(MESSAGES) - set(ENUMS) == set()
    assert set(DOCUMENTS) <= set(MESSAGES)


def test_every_document_begins_with_its_header() -> None:
    for document_type in DOCUMENTS:
        assert MESSAGES[document_type].fields_by_name["header"].number == 1


# Bytes


def test_a_document_comes_back_from_its_bytes() -> None:
    order = an_order()
    body = wire.encode(order)
    assert wire.decode_document("Order", body) == order
    assert wire.encode(wire.decode_document("Order", body)) == body


def test_bytes_that_are_no_message_are_refused() -> None:
    assert findings_of(wire.decode_document, "Order", b"\xff\xff\xff") == [("unreadable", "")]


def test_text_that_is_no_utf_8_is_refused() -> None:
    body = b"\x1a\x02\xc3\x28"  # field 3 (currency), two bytes that are no UTF-8
    assert findings_of(wire.decode_document, "Order", body) == [("unreadable", "")]


def test_an_unknown_type_is_refused() -> None:
    assert findings_of(wire.decode_document, "Ordre", b"") == [("unknown-type", "")]
    assert findings_of(wire.from_fields, "Ordre", {}) == [("unknown-type", "")]


def test_a_document_that_is_too_large_is_refused_unread() -> None:
    assert findings_of(wire.decode_document, "Order", b"\x00" * (wire.DOCUMENT_BYTES_MAX + 1)) == [("too-large", "")]


def test_a_document_of_the_largest_size_is_read() -> None:
    empty = wire.encode(Order(channel="x" * 200_000))
    filler = "x" * (200_000 + wire.DOCUMENT_BYTES_MAX - len(empty))
    body = wire.encode(Order(channel=filler))
    assert len(body) == wire.DOCUMENT_BYTES_MAX
    assert wire.decode_document("Order", body) == Order(channel=filler)


@pytest.mark.parametrize("number", [99, 2**31 - 1])
def test_an_enum_word_of_a_later_version_is_refused_by_its_path(number: int) -> None:
    answer = order_pb2.OrderResponse()
    answer.outcome = number  # type: ignore[assignment]
    assert findings_of(wire.decode_document, "OrderResponse", answer.SerializeToString()) == [
        ("unknown-word", "outcome")
    ]
    order = order_message()
    order.lines[1].line_kind = number
    body = order.SerializeToString()
    assert findings_of(wire.decode_document, "Order", body) == [("unknown-word", "lines[1].line_kind")]


def test_a_field_of_a_later_version_is_read_over_and_stays_in_the_bytes() -> None:
    body = wire.encode(an_order()) + b"\xc2\x3e\x03new"  # field 1000, text
    assert wire.decode_document("Order", body) == an_order()
    batch = link.Batch(head=b"h", signature=b"s", entries=(link.BatchEntry(type="Order", salt=b"salt", body=body),))
    carried = wire.decode_frame(wire.encode_frame(batch))
    assert carried == batch
    assert isinstance(carried, link.Batch)
    assert carried.entries[0].body == body


BAD_NUMBERS = [
    "1E+5000000",
    "1e3",
    "NaN",
    "sNaN",
    "Infinity",
    "-Infinity",
    "+1",
    " 1",
    "1 ",
    "1,5",
    "1_000",
    "0x10",
    "١٢",
    "--1",
    ".5",
    "5.",
    "1" * 5000,
    "1." + "0" * 5000,
    "1\x00",
    "",
]


@pytest.mark.parametrize("text", BAD_NUMBERS, ids=lambda text: ascii(text)[:16])
def test_a_number_that_is_none_is_refused_by_its_path(text: str) -> None:
    order = order_message()
    order.lines[1].quantity.value = text
    body = order.SerializeToString()
    assert findings_of(wire.decode_document, "Order", body) == [("bad-decimal", "lines[1].quantity")]
    fields = wire.to_fields(an_order())
    fields["lines"][1]["quantity"]["value"] = text
    assert findings_of(wire.from_fields, "Order", fields) == [("bad-decimal", "lines[1].quantity.value")]


def test_each_of_several_faults_is_named() -> None:
    fields = wire.to_fields(an_order())
    fields["lines"][0]["quantity"]["unit"] = "BANANA"
    fields["lines"][1]["price"]["amount"]["currency"] = "XXZ"
    fields["lines"][1]["line_kind"] = "GOODIES"
    fields["header"]["issued_at"] = "yesterday"
    fields["header"]["revision"] = -1
    fields["dates"] = [{"on": "2026-02-30"}]
    fields["colour"] = "red"
    assert set(findings_of(wire.from_fields, "Order", fields)) == {
        ("unknown-unit", "lines[0].quantity.unit"),
        ("unknown-currency", "lines[1].price.amount.currency"),
        ("unknown-word", "lines[1].line_kind"),
        ("bad-instant", "header.issued_at"),
        ("bad-number", "header.revision"),
        ("bad-date", "dates[0].on"),
        ("unknown-field", "colour"),
    }


@pytest.mark.parametrize(
    ("path", "value", "rule"),
    [
        ("currency", "EU\x00R", "bad-text"),
        ("currency", "\ud800", "bad-text"),
        ("currency", 7, "bad-text"),
        ("currency", ["EUR"], "bad-text"),
        ("priority", True, "bad-number"),
        ("priority", "1", "bad-number"),
        ("priority", 1.0, "bad-number"),
        ("priority", 2**32, "bad-number"),
        ("priority", -1, "bad-number"),
        ("lines", {"line_id": "1"}, "bad-fields"),
        ("lines", "1", "bad-fields"),
        ("header", [], "bad-fields"),
        ("header", "x", "bad-fields"),
        ("totals", {"payable": 5}, "bad-fields"),
        ("totals", {"payable": {"amount": 5, "currency": "EUR"}}, "bad-fields"),
        ("totals", {"payable": {"amount": "5", "currency": "EUR", "rate": "1"}}, "bad-fields"),
        ("order_kind", [], "unknown-word"),
        ("order_kind", "standard", "unknown-word"),
        ("validity", {"start_on": "2026-W22-7"}, "bad-date"),
        ("validity", {"start_on": "20260531"}, "bad-date"),
        ("validity", {"start_on": 20260531}, "bad-date"),
        ("validity", {"start_on": "0000-01-01"}, "bad-date"),
        ("header", {"issued_at": "2026-05-31T08:00:00"}, "bad-instant"),
        ("header", {"issued_at": "1969-12-31T23:59:59Z"}, "bad-instant"),
        ("header", {"issued_at": "0001-01-01T00:00:00+14:00"}, "bad-instant"),
        ("header", {"personal_sha256": "xyz"}, "bad-bytes"),
        ("header", {"personal_sha256": 5}, "bad-bytes"),
        ("header", {"parties": [None]}, "bad-fields"),
        ("header", {"requires": [None]}, "bad-text"),
    ],
)
def test_a_field_of_another_kind_is_refused(path: str, value: Any, rule: str) -> None:
    (found,) = findings_of(wire.from_fields, "Order", {path: value})
    assert found[0] == rule
    assert found[1].startswith(path)


def test_fields_that_are_no_mapping_are_refused() -> None:
    assert findings_of(wire.from_fields, "Order", typing.cast("Any", [])) == [("bad-fields", "document")]


def test_what_is_none_is_as_if_it_were_not_there() -> None:
    assert wire.from_fields("Order", {"currency": None, "header": None}) == Order()


def test_what_goes_out_comes_in_again() -> None:
    order = an_order()
    assert wire.from_fields("Order", wire.to_fields(order)) == order
    assert wire.to_fields(order)["lines"][0] == {
        "line_id": "1",
        "quantity": {"value": "10", "unit": "C62"},
        "price": {"amount": {"amount": "1.50", "currency": "EUR"}},
    }
    assert wire.to_fields(order)["header"]["issued_at"] == "2026-05-31T08:00:00Z"


@pytest.mark.parametrize(("seconds", "nanos"), [(-1, 0), (2**62, 0), (0, -1), (0, 1_000_000_000), (253_402_300_800, 0)])
def test_an_instant_outside_the_calendar_is_refused(seconds: int, nanos: int) -> None:
    order = order_message()
    order.header.issued_at.seconds = seconds
    order.header.issued_at.nanos = nanos
    body = order.SerializeToString()
    assert findings_of(wire.decode_document, "Order", body) == [("bad-instant", "header.issued_at")]


def test_text_with_a_nul_is_refused_by_its_path() -> None:
    order = order_message()
    order.lines[1].item.description = "a\x00b"
    body = order.SerializeToString()
    assert findings_of(wire.decode_document, "Order", body) == [("bad-text", "lines[1].item.description")]


def test_a_number_that_sql_cannot_hold_is_refused() -> None:
    report = inventory_pb2.InventoryReport(reflects_through=2**63)
    body = report.SerializeToString()
    assert findings_of(wire.decode_document, "InventoryReport", body) == [("bad-number", "reflects_through")]


def test_instants_keep_their_microseconds() -> None:
    at = AT + timedelta(microseconds=123_456)
    assert wire.instant(wire.micros(at)) == at
    order = Order(header=DocumentHeader(issued_at=at))
    assert wire.decode_document("Order", wire.encode(order)) == order


def test_paths_of_a_document_name_their_kinds() -> None:
    kinds = dict(wire.field_kinds("Order"))
    assert kinds["lines[].quantity.value"] == "decimal"
    assert kinds["lines[].quantity.unit"] == "text"
    assert kinds["lines[].price.amount.currency"] == "text"
    assert kinds["header.issued_at"] == "instant"
    assert kinds["validity.start_on"] == "date"
    assert kinds["header.parties[].role"].startswith("UNSPECIFIED|BUYER|")


# Frames

FRAMES = [
    link.Hello(versions=(1,), link_id=b"l" * 16, outgoing=link.Position(epoch=1, number=7), sent_at=AT),
    link.Hello(),
    link.Batch(head=b"head", signature=b"s" * 64, entries=(link.BatchEntry(type="Order", salt=b"s", body=b"b"),)),
    link.Receipt(body=b"body", signature=b"s" * 64),
    link.Query(id=1, ping=True),
    link.Query(id=2, availability=link.AvailabilityQuery(location="L")),
    link.Answer(id=1, pong=True),
    link.Goodbye(),
]


@pytest.mark.parametrize("frame", FRAMES, ids=lambda frame: type(frame).__name__)
def test_a_frame_comes_back(frame: link.Frame) -> None:
    assert wire.decode_frame(wire.encode_frame(frame)) == frame


def test_an_unknown_kind_of_frame_is_refused() -> None:
    assert findings_of(wire.decode_frame, b"") == [("unknown-frame", "frame")]
    assert findings_of(wire.decode_frame, b"\x9a\x06\x01x") == [("unknown-frame", "frame")]  # field 99


def test_a_frame_that_is_too_large_is_refused_unread() -> None:
    assert findings_of(wire.decode_frame, b"\x00" * (wire.FRAME_BYTES_MAX + 1)) == [("too-large", "frame")]


def test_a_batch_cut_short_anywhere_is_refused() -> None:
    entry = link.BatchEntry(type="Order", salt=b"s" * 16, body=wire.encode(an_order()))
    head = link.BatchHead(link_id=b"l" * 16, sender="a", receiver="b", epoch=1, number=2, key_id="k", signed_at=AT)
    body = wire.encode_frame(link.Batch(head=wire.encode(head), signature=b"s" * 64, entries=(entry, entry)))
    for length in range(len(body)):
        ((rule, path),) = findings_of(wire.decode_frame, body[:length])
        assert (rule, path) == ("unknown-frame" if length == 0 else "unreadable", "frame")


def test_a_document_cut_short_is_refused_or_lacks_its_end() -> None:
    """Protobuf has no length of its own for a whole message; that is why documents travel in entries that do."""
    body = wire.encode(an_order())
    read = 0
    for length in range(len(body)):
        with contextlib.suppress(wire.InvalidFieldsError):
            wire.decode_document("Order", body[:length])
            read += 1
    assert 0 < read < 10


def test_a_response_keeps_its_outcome() -> None:
    answer = OrderResponse(outcome=ResponseOutcome.CHANGED)
    assert wire.decode(OrderResponse, wire.encode(answer)) == answer
    assert wire.to_fields(answer) == {"outcome": "CHANGED"}
