"""Documents of a partner with good keys that are wrong in one way each: refused with a reason, and the link goes on."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from hansa.v1 import common_pb2, fulfilment_pb2, order_pb2
from node import wire
from node.app.links import exchange
from node.core import link
from node.errors import RefusedError
from tests.acceptance.processes import Company, Line
from tests.acceptance.rogue import Rogue, order


class Bad(NamedTuple):
    """One way in which an order can be wrong, the word for it, and what its sender is told."""

    name: str
    spoil: Callable[[Any], object]
    rule: str
    told: str


def _set(**values: Any) -> Callable[[Any], object]:
    """Spoil these fields: `line_quantity_value="1"` sets lines[0].quantity.value."""

    def spoil(message: Any) -> None:
        for path, value in values.items():
            target = message
            *way, name = path.split("__")
            for step in way:
                target = target.lines[0] if step == "line" else getattr(target, step)
            setattr(target, name, value)

    return spoil


def _add_party(message: Any, role: int, id: str) -> None:
    message.header.parties.add(role=role, id=id)


def _second_line(message: Any, **changes: str) -> None:
    line = message.lines.add()
    line.CopyFrom(message.lines[0])
    line.line_id = changes.get("line_id", "2")
    line.price.amount.currency = changes.get("currency", "EUR")


def _five_thousand_and_one(message: Any) -> None:
    for count in range(2, 5_002):
        _second_line(message, line_id=str(count))


ORDERS = [
    Bad("check digit of a GTIN", _set(line__item__gtin="4012345000008"), "gtin", "check digit"),
    Bad(
        "check digit of a GLN",
        lambda m: m.lines[0].ship_to.MergeFrom(common_pb2.LocationRef(gln="4012345000008")),
        "gln",
        "check digit",
    ),
    Bad("unknown unit", _set(line__quantity__unit="BOX"), "unknown-unit", "lines[0].quantity"),
    Bad("no unit", _set(line__quantity__unit=""), "unknown-unit", "lines[0].quantity"),
    Bad("negative quantity", _set(line__quantity__value="-3"), "quantity", "a positive quantity was expected"),
    Bad("no quantity", lambda m: m.lines[0].ClearField("quantity"), "quantity-missing", "lines[0].quantity"),
    Bad("zero", _set(line__quantity__value="0"), "quantity", "a positive quantity was expected"),
    Bad("too much", _set(line__quantity__value="999999999999"), "quantity", "check the unit and the number"),
    Bad("1E+5000000", _set(line__quantity__value="1E+5000000"), "bad-decimal", "lines[0].quantity"),
    Bad("NaN", _set(line__quantity__value="NaN"), "bad-decimal", "lines[0].quantity"),
    Bad(
        "a number of a million digits", _set(line__quantity__value="9" * 1_000_000), "bad-decimal", "lines[0].quantity"
    ),
    Bad("decimal comma", _set(line__quantity__value="3,5"), "bad-decimal", "lines[0].quantity"),
    Bad("negative price", _set(line__price__amount__amount="-2.50"), "price-negative", "lines[0].price.amount"),
    Bad("unknown currency", _set(currency="EEE"), "currency", "ISO 4217"),
    Bad("mixed currencies", lambda m: _second_line(m, currency="USD"), "currency", "EUR was expected"),
    Bad("item without any number", lambda m: m.lines[0].ClearField("item"), "item-missing", "lines[0].item"),
    Bad(
        "unnamed item",
        lambda m: m.lines[0].item.Clear() or m.lines[0].item.SetInParent(),
        "item-unnamed",
        "lines[0].item",
    ),
    Bad("two lines of one id", lambda m: _second_line(m, line_id="1"), "line-id-twice", "each line has its own"),
    Bad("no lines", lambda m: m.ClearField("lines"), "no-lines", "lines"),
    Bad(
        "too many lines",
        _five_thousand_and_one,
        "too-many-lines",
        "split the document",
    ),
    Bad(
        "another buyer",
        lambda m: _add_party(m, common_pb2.PARTY_ROLE_BUYER, "0088:4099999000007"),
        "party",
        "was expected",
    ),
    Bad(
        "another seller",
        lambda m: _add_party(m, common_pb2.PARTY_ROLE_SELLER, "0088:4099999000007"),
        "party",
        "was expected",
    ),
    Bad("another issuer", _set(header__issuer="0088:4099999000007"), "issuer", "was expected"),
    Bad("unknown requires", lambda m: m.header.requires.append("barter"), "not-understood", "'barter'"),
    Bad("other usage", _set(header__usage=common_pb2.USAGE_PRODUCTION), "usage", "TEST was expected"),
    Bad("no number", _set(header__number=""), "number", "header.number"),
    Bad("control characters in a number", _set(header__number="PO\x1b[2J"), "number", "printable"),
    Bad("issued next year", lambda m: m.header.issued_at.FromSeconds(7_258_118_400), "issued-at", "a day from now"),
    Bad("valid until yesterday", lambda m: m.header.valid_until.FromSeconds(1_000_000_000), "expired", "2001"),
    Bad("personal data that is not there", _set(header__personal_sha256=b"x" * 32), "personal-data", "hash"),
    Bad("no header", lambda m: m.ClearField("header"), "header-missing", "header"),
]


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Company]:
    line = Line()
    company = Company(tmp_path_factory.mktemp("shop"), "Shop", "0088:4012345000009", line=line)
    company.start()
    yield company
    company.stop()
    line.close()


@pytest.fixture
def rogue(shop: Company, tmp_path: Path) -> Rogue:
    made = Rogue(tmp_path, shop)
    made.behave()
    assert shop.state_of(made.id) == "confirmed"
    return made


def outcome(rogue: Rogue, document_type: str, body: bytes) -> tuple[str, list[dict[str, str]]]:
    """Send these bytes; what became of them, as the sender was told and as the receiver's own list says."""
    sent = rogue.put(document_type, body)
    rogue.behave()
    row = rogue.sent(sent)
    (listed, *_) = reversed(rogue.at.documents(partner=rogue.id, direction="in"))
    reasons = json.loads(row.reasons) if row.reasons else []
    assert (listed["state"], listed["link_number"]) == (row.state, row.number)
    assert [one["code"] for one in listed["reasons"]] == [one["code"] for one in reasons]
    return row.state, reasons


def goes_on(rogue: Rogue, number: str = "PO-GOOD") -> None:
    """A good order goes through as if nothing had been."""
    assert outcome(rogue, "Order", rogue.order(number)) == ("taken", [])
    (found,) = rogue.at.do("order.show", order=number, partner=rogue.id)["orders"]
    assert found["lines"][0]["ordered"] == "3"


@pytest.mark.parametrize("bad", ORDERS, ids=lambda bad: bad.name)
def test_a_wrong_order_is_refused(rogue: Rogue, bad: Bad) -> None:
    """The reason names rule and place; no order stands; what comes next is taken."""
    state, reasons = outcome(rogue, "Order", rogue.order("PO-BAD", bad.spoil))
    assert state == "refused"
    assert bad.rule in [one["code"] for one in reasons], reasons
    assert any(bad.told in one["text"] for one in reasons), reasons
    assert max(len(one["text"]) for one in reasons) < 500, "what is quoted is cut"
    with pytest.raises(RefusedError, match="no order"):
        rogue.at.do("order.show", order="PO-BAD", partner=rogue.id)
    goes_on(rogue)


WHOLE = [
    ("an unknown type", "Barter", b"", "unknown-type"),
    ("no type", "", b"", "unknown-type"),
    ("bytes that are no document", "Order", b"\xff\xff\xff\xff", "unreadable"),
    ("half an order", "Order", order("x", "PO-BAD")[:-7], "unreadable"),
    ("an empty order", "Order", b"", "header-missing"),
    ("a card that is none", "PartnerCard", b"card", "unreadable"),
    ("a revocation of somebody else's key", "Revocation", b"", "bad-revocation"),
]


@pytest.mark.parametrize(("document_type", "body", "rule"), [one[1:] for one in WHOLE], ids=[one[0] for one in WHOLE])
def test_bytes_that_are_no_such_document_are_refused(rogue: Rogue, document_type: str, body: bytes, rule: str) -> None:
    state, reasons = outcome(rogue, document_type, body)
    assert (state, reasons[0]["code"]) == ("refused", rule), reasons
    goes_on(rogue)


def test_a_document_of_more_than_a_mebibyte_is_refused(rogue: Rogue) -> None:
    body = rogue.order("PO-BAD", lambda message: message.header.notes.add(text="x" * wire.DOCUMENT_BYTES_MAX))
    state, reasons = outcome(rogue, "Order", body)
    assert (state, reasons[0]["code"]) == ("refused", "too-large"), reasons
    goes_on(rogue)


def test_the_same_again_has_no_second_effect(rogue: Rogue) -> None:
    goes_on(rogue)
    goes_on(rogue)
    first, again = rogue.at.documents(partner=rogue.id, direction="in", type="Order")
    assert again["duplicate_of"] == first["id"]
    assert len(rogue.at.do("order.list", partner=rogue.id)["orders"]) == 1


def test_the_same_number_with_other_content_is_held_until_a_human_decides(rogue: Rogue) -> None:
    """The first order stands as it was; what follows on it waits; refused by hand, the sender gets the reason."""
    goes_on(rogue)
    sent = rogue.put("Order", rogue.order("PO-GOOD", _set(line__quantity__value="300")))
    rogue.behave()
    assert rogue.sent(sent).state == "held"
    assert "same-number-other-content" in rogue.sent(sent).reasons
    (found,) = rogue.at.do("order.show", order="PO-GOOD", partner=rogue.id)["orders"]
    assert found["lines"][0]["ordered"] == "3"
    (held,) = rogue.at.documents(partner=rogue.id, state="held")
    assert "a correction needs a new revision" in held["reasons"][0]["text"]
    rogue.at.do("documents.release", document=held["id"], refuse="you meant 3, we called you")
    rogue.behave()
    row = rogue.sent(sent)
    assert row.state == "refused"
    assert "you meant 3" in row.reasons
    goes_on(rogue, "PO-NEXT")


def response(message: Any, number: str, buyer: str) -> None:
    message.order.CopyFrom(common_pb2.DocumentKey(issuer=buyer, type="Order", number=number))
    message.outcome = order_pb2.RESPONSE_OUTCOME_ACCEPTED


FOLLOWING = [
    ("an order that was never placed", "PO-NEVER", "1", "unknown-order"),
    ("a line that the order does not have", "PO-OURS", "9", "unknown-line"),
]


@pytest.mark.parametrize(("number", "line", "rule"), [one[1:] for one in FOLLOWING], ids=[one[0] for one in FOLLOWING])
def test_an_answer_that_fits_no_order_is_refused(rogue: Rogue, number: str, line: str, rule: str) -> None:
    place(rogue)
    message = order_pb2.OrderResponse()
    head(message, rogue, "A-1")
    response(message, number, rogue.at.id)
    answered = message.lines.add(line_id=line)
    answered.schedule.add(quantity=common_pb2.Quantity(value="1", unit="C62"), outcome=1)
    state, reasons = outcome(rogue, "OrderResponse", message.SerializeToString())
    assert (state, reasons[0]["code"]) == ("refused", rule), reasons
    goes_on(rogue)


def test_an_item_that_nobody_ordered_is_refused(rogue: Rogue) -> None:
    """A despatch advice for an order of ours that carries another item than any of its lines."""
    place(rogue)
    message = fulfilment_pb2.DespatchAdvice()
    head(message, rogue, "D-1")
    message.order.CopyFrom(common_pb2.DocumentKey(issuer=rogue.at.id, type="Order", number="PO-OURS"))
    sent = message.lines.add(line_id="1")
    sent.item.gtin = "4012345000016"
    sent.quantity.CopyFrom(common_pb2.Quantity(value="1", unit="C62"))
    state, reasons = outcome(rogue, "DespatchAdvice", message.SerializeToString())
    assert (state, reasons[0]["code"]) == ("refused", "unknown-line"), reasons
    goes_on(rogue)


def place(rogue: Rogue) -> None:
    line = {"line": "4012345000009", "quantity": "5"}
    rogue.at.do("order.place", partner=rogue.id, number="PO-OURS", lines=[line])


def head(message: Any, rogue: Rogue, number: str) -> None:
    """The header of a document of the rogue's."""
    message.header.issuer, message.header.number, message.header.usage = rogue.id, number, common_pb2.USAGE_TEST
    message.header.issued_at.FromDatetime(rogue.clock.now())


SUBMITTED: list[tuple[str, dict[str, Any], str, str]] = [
    ("unknown unit", {"lines": [{"line": "4012345000009", "quantity": "1"}], "unit": "BOX"}, "unknown-unit", "BOX"),
    ("negative", {"lines": [{"line": "4012345000009", "quantity": "-1"}]}, "quantity", "positive"),
    ("absurd", {"lines": [{"line": "4012345000009", "quantity": "1E+5000000"}]}, "bad-argument", "1E+5000000"),
    ("no lines", {"lines": []}, "bad-argument", "line"),
    ("no number", {"lines": [{"line": "4012345000009", "quantity": "1"}], "number": ""}, "number-missing", "number"),
]


@pytest.mark.parametrize(
    ("arguments", "rule", "told"), [one[1:] for one in SUBMITTED], ids=[one[0] for one in SUBMITTED]
)
def test_our_own_mistakes_are_refused_before_they_are_sent(
    rogue: Rogue, arguments: dict[str, Any], rule: str, told: str
) -> None:
    """What the partner would refuse does not leave, and says why where it was typed."""
    with pytest.raises(RefusedError, match=told.replace("+", r"\+")) as caught:
        rogue.at.do("order.place", **({"partner": rogue.id, "number": "PO-1"} | arguments))
    assert caught.value.code == rule
    assert not rogue.at.documents(partner=rogue.id, type="Order")


def test_a_document_that_the_partner_does_not_take_is_refused_where_it_is_submitted(rogue: Rogue) -> None:
    """The partner's hello says what it takes: an order to a node that takes none fails at once, with the reason."""
    hello = replace(rogue.do(exchange.hello, rogue.at.id), accepts=("OrderResponse",))
    made = rogue.dial()
    made.wait_for(link.Hello)
    made.say(hello)
    rogue.at.until(lambda: rogue.at.do("partner.show", partner=rogue.id)["accepts"] == ["OrderResponse"], "the hello")
    made.hang_up()
    with pytest.raises(RefusedError, match="does not take documents of type Order") as caught:
        place(rogue)
    assert caught.value.code == "not-accepted"
    assert not rogue.at.documents(partner=rogue.id, type="Order")
