"""Documents made by hand: the fields of a document from an order as it stands and the few words of a person.

Nothing here numbers a document; that is the company's. Quantities are scaled integers in the line's unit.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from node.core.asked import Asked, resized
from node.core.decimals import format_decimal, from_scaled, parse_decimal, to_scaled
from node.core.incoterms import INCOTERMS
from node.core.order_state import confirmation_of
from node.core.rows import LineEventRow, OrderLineRow, OrderRow
from node.errors import RefusedError

__all__ = [
    "Pieces",
    "Standing",
    "cancellation",
    "change",
    "chosen",
    "delivery",
    "despatch",
    "item_of",
    "line_of",
    "pieces_of",
    "place",
    "quantity_of",
    "receiving",
    "response",
    "to_confirm",
]

Fields = dict[str, Any]

_ARRIVED = ("received", "short", "damaged", "wrong")


@dataclass(frozen=True, slots=True)
class Pieces:
    """What a person said of one line: a quantity, and a price or a date."""

    line: str
    quantity: Decimal
    price: Decimal | None = None
    on: date | None = None


@dataclass(frozen=True, slots=True)
class Standing:
    """An order with its lines and what stands of its events."""

    order: OrderRow
    lines: Sequence[OrderLineRow]
    events: Sequence[LineEventRow]

    def total(self, line: OrderLineRow, *kinds: str) -> int:
        """Scaled sum of these events on a line."""
        return sum(one.quantity for one in self.events if one.line_id == line.line_id and one.event in kinds)

    def said(self, line: OrderLineRow) -> bool:
        """Whether the seller has answered this line."""
        kinds = ("accepted", "back_ordered", "rejected", "substituted", "cancelled")
        return any(one.line_id == line.line_id and one.event in kinds for one in self.events)

    def agreed(self, line: OrderLineRow) -> int:
        """What is to come of a line: what was accepted, or all of it as long as nothing was said."""
        if self.said(line):
            return self.total(line, "accepted", "back_ordered", "substituted")
        return line.quantity

    def request(self) -> LineEventRow | None:
        """The oldest change or cancellation that waits for an answer."""
        asked = [one for one in self.events if one.event in ("cancel_requested", "change_requested")]
        return min(asked, key=lambda one: one.at, default=None)

    def key(self) -> Fields:
        """The order's business identity, as documents name it."""
        order = self.order
        return {
            "issuer": order.issuer,
            "unit": order.unit,
            "type": "Order",
            "number": order.number,
            "series": order.series,
            "revision": order.revision,
        }


def pieces_of(given: Iterable[Mapping[str, Any]], name: str) -> list[Pieces]:
    """What JSON says of lines: {"line", "quantity", "price", "on"} each. Raises RefusedError ``bad-argument``."""
    made = []
    for index, one in enumerate(given):
        at = f"{name}[{index}]"
        line, quantity = one.get("line"), one.get("quantity")
        if not isinstance(line, str) or not line or not isinstance(quantity, str) or one.keys() - _PIECE_KEYS:
            raise RefusedError(f"{at}: line and quantity are expected", code="bad-argument")
        try:
            price = parse_decimal(one["price"]) if one.get("price") else None
            on = date.fromisoformat(one["on"]) if one.get("on") else None
            made.append(Pieces(line, parse_decimal(quantity), price, on))
        except (RefusedError, ValueError, TypeError) as error:
            raise RefusedError(f"{at}: {error}", code="bad-argument") from None
    return made


_PIECE_KEYS = {"line", "quantity", "price", "on"}


def place(
    pieces: Sequence[Pieces],
    items: Mapping[str, Fields],
    *,
    currency: str,
    unit: str,
    deliver: date | None,
    ship_to: Fields | None,
    customer_order: str,
    parties: Sequence[Fields],
    delivery_terms: Fields | None = None,
) -> Fields:
    """An Order; `items` says per name what is known of the item."""
    if not pieces:
        raise RefusedError("an order has lines", code="bad-argument", hint="--line ITEM=QUANTITY@PRICE")
    if any(one.price is not None for one in pieces) and not currency:
        raise RefusedError("prices have a currency", code="bad-argument", hint="--currency EUR")
    header: Fields = {"parties": [*parties, *([{"role": "SHIP_TO", **ship_to}] if ship_to else [])]}
    if customer_order:
        header["references"] = [{"kind": "CUSTOMER_ORDER", "document": {"number": customer_order}}]
    lines = []
    for index, one in enumerate(pieces, 1):
        line: Fields = {
            "line_id": str(index),
            "item": dict(items[one.line]),
            "quantity": {"value": format_decimal(one.quantity), "unit": unit},
        }
        if one.price is not None:
            line["price"] = {"amount": {"amount": format_decimal(one.price), "currency": currency}}
        lines.append(line)
    fields: Fields = {"header": header, "order_kind": "STANDARD", "currency": currency, "lines": lines}
    if deliver:
        fields["dates"] = _dates(deliver)
    if delivery_terms:
        fields["delivery_terms"] = dict(delivery_terms)
    return fields


def delivery(rule: str, named: str) -> Fields:
    """DeliveryTerms of an Incoterm and the place that it names. Raises RefusedError ``bad-argument``."""
    if rule not in INCOTERMS:
        raise RefusedError(
            f"{rule!r} is no rule of the Incoterms", code="bad-argument", hint=f"they are: {', '.join(INCOTERMS)}"
        )
    return {"incoterms": rule, "place": named} if named else {"incoterms": rule}


def response(
    standing: Standing, pieces: Sequence[Pieces], *, accept: bool, reject: bool, reason: str, deliver: date | None
) -> Fields:
    """An OrderResponse: to the change or cancellation that waits, where there is one, else to the order.

    Lines that are not named stay unanswered; of a line that is, the rest is rejected.
    """
    if accept + reject + bool(pieces) != 1:
        raise RefusedError("accept, reject, or lines: exactly one of them", code="bad-argument")
    if not reason and (reject or any(to_scaled(one.quantity) < line_of(standing, one).quantity for one in pieces)):
        raise RefusedError("who says no or less says why", code="bad-argument", hint="--reason TEXT")
    fields: Fields = {"order": standing.key(), "outcome": "REJECTED" if reject else "ACCEPTED"}
    if reason:
        fields["reason"] = _reason(reason)
    if (request := standing.request()) is not None and not pieces:
        kind = "OrderChange" if request.event == "change_requested" else "OrderCancellation"
        fields["answers"] = {"issuer": standing.order.issuer, "type": kind, "number": request.reference}
        return fields
    if accept and deliver:
        fields["lines"] = [
            {"line_id": one.line_id, "schedule": [_piece(one.quantity, one.unit, "ACCEPTED", deliver)]}
            for one in standing.lines
            if one.quantity
        ]
    if pieces:
        fields["lines"] = [_answer(line_of(standing, one), one, reason, deliver) for one in pieces]
        whole = all(len(one["schedule"]) == 1 for one in fields["lines"])
        fields["outcome"] = "ACCEPTED" if whole else "CHANGED"
    return fields


def _answer(line: OrderLineRow, said: Pieces, reason: str, deliver: date | None) -> Fields:
    accepted = to_scaled(said.quantity)
    if not 0 <= accepted <= line.quantity:
        raise RefusedError(f"line {line.line_id} orders {_text(line.quantity)}", code="bad-argument")
    schedule = []
    if accepted:
        schedule.append(_piece(accepted, line.unit, "ACCEPTED", said.on or deliver))
    if accepted < line.quantity:
        rest = _piece(line.quantity - accepted, line.unit, "REJECTED", None)
        schedule.append({**rest, "reason": _reason(reason)})
    return {"line_id": line.line_id, "schedule": schedule}


def _piece(quantity: int, unit: str, outcome: str, on: date | None) -> Fields:
    piece: Fields = {"quantity": quantity_of(quantity, unit), "outcome": outcome}
    if on:
        piece["dates"] = _dates(on)
    return piece


def despatch(
    standing: Standing, pieces: Sequence[Pieces], now: datetime, *, carrier: str, tracking: str, deliver: date | None
) -> Fields:
    """A DespatchAdvice: of the lines named, or of all that is agreed and not yet on its way."""
    these = chosen(standing, pieces, lambda line: standing.agreed(line) - standing.total(line, "despatched"))
    fields: Fields = {
        "status": "ORIGINAL",
        "order": standing.key(),
        "despatched_at": _instant(now),
        "lines": [
            {
                "line_id": str(index),
                "order_line_id": line.line_id,
                "item": item_of(line),
                "quantity": quantity_of(quantity, line.unit),
            }
            for index, (line, quantity) in enumerate(these, 1)
        ],
    }
    if carrier or tracking:
        fields["carriage"] = {name: text for name, text in (("carrier", carrier), ("tracking", tracking)) if text}
    if deliver:
        fields["dates"] = _dates(deliver)
    return fields


def receiving(
    standing: Standing, pieces: Sequence[Pieces], damaged: Sequence[Pieces], now: datetime, *, reason: str
) -> Fields:
    """A ReceivingAdvice: of the lines named, or of all that is on its way."""
    these = chosen(standing, pieces, lambda line: standing.total(line, "despatched") - standing.total(line, *_ARRIVED))
    broken = {one.line: to_scaled(one.quantity) for one in damaged}
    for one in damaged:
        line_of(standing, one)
    lines = []
    for index, (line, quantity) in enumerate(these, 1):
        bad = broken.pop(line.line_id, 0)
        if not 0 <= bad <= quantity:
            raise RefusedError(f"line {line.line_id}: {_text(quantity)} arrived", code="bad-argument")
        told: Fields = {"line_id": str(index), "order_line_id": line.line_id, "item": item_of(line)}
        if quantity > bad:
            told["accepted"] = quantity_of(quantity - bad, line.unit)
        if bad:
            told["damaged"] = quantity_of(bad, line.unit)
            told["reason"] = _reason(reason or "damaged on arrival")
        lines.append(told)
    if broken:
        raise RefusedError(f"line {min(broken)}: nothing of it arrives now", code="bad-argument")
    return {"status": "ORIGINAL", "order": standing.key(), "received_at": _instant(now), "lines": lines}


def change(standing: Standing, pieces: Sequence[Pieces], *, reason: str) -> Fields:
    """An OrderChange with complete new values of the lines named; quantity 0 takes a line away."""
    if not pieces:
        raise RefusedError("a change names lines", code="bad-argument", hint="--line LINE=QUANTITY@PRICE")
    currency = standing.order.currency
    lines = []
    for one in pieces:
        row = line_of(standing, one)
        line: Fields = {
            "line_id": row.line_id,
            "item": item_of(row),
            "quantity": {"value": format_decimal(one.quantity), "unit": row.unit},
        }
        if one.price is not None:
            line["price"] = {"amount": {"amount": format_decimal(one.price), "currency": currency}}
        elif row.price is not None:
            line["price"] = _price(row, currency)
        if on := one.on.isoformat() if one.on else "" if row.schedule else row.requested_on:
            line["dates"] = [{"qualifier": "DELIVER", "on": on}]
        elif row.schedule:
            line["schedule"] = [_asked(piece, row.unit) for piece in resized(row, to_scaled(one.quantity))]
        lines.append(line)
    fields: Fields = {
        "order": standing.key(),
        "order_revision": standing.order.revision,
        "lines": lines,
        "currency": currency,
    }
    if reason:
        fields["reason"] = _reason(reason)
    return fields


def _asked(piece: Asked, unit: str) -> Fields:
    fields: Fields = {"schedule_id": piece.schedule_id, "quantity": quantity_of(piece.quantity, unit)}
    if piece.on:
        fields["dates"] = _dates(date.fromisoformat(piece.on))
    return fields


def cancellation(standing: Standing, line_ids: Sequence[str], *, reason: str) -> Fields:
    """An OrderCancellation of the whole order, or of lines of it."""
    known = {line.line_id for line in standing.lines}
    for one in line_ids:
        if one not in known:
            raise _no_line(standing, one)
    fields: Fields = {"order": standing.key(), "order_revision": standing.order.revision, "line_ids": list(line_ids)}
    if reason:
        fields["reason"] = _reason(reason)
    return fields


def to_confirm(standing: Standing, lines: Sequence[str]) -> dict[str, LineEventRow]:
    """The lines whose changed answer waits for our confirmation, all or those named, each with its ``changed`` event.

    Raises RefusedError ``not-waiting`` where nothing waits, and ``unknown-line``.
    """
    number = standing.order.number
    if standing.order.role != "buyer":
        raise RefusedError(f"order {number} is to us; its buyer confirms", code="wrong-role")
    of_line: dict[str, list[LineEventRow]] = {line.line_id: [] for line in standing.lines}
    for one in standing.events:
        of_line[one.line_id].append(one)
    words = {line_id: confirmation_of(events) for line_id, events in of_line.items()}
    for name in lines:
        if name not in of_line:
            raise _no_line(standing, name)
        if words[name] != "due":
            raise _not_waiting(f"line {name} of order {number}", words[name], number)
    due = [line_id for line_id, word in words.items() if word == "due" and (not lines or line_id in lines)]
    if not due:
        said = next((word for word in ("refused", "confirmed", "open") if word in words.values()), "")
        raise _not_waiting(f"order {number}", said, number)
    return {line_id: next(e for e in of_line[line_id] if e.event == "changed") for line_id in due}


_WHY_NOT_WAITING = {
    "": "nothing of it was answered otherwise than ordered",
    "open": "what the answer changes is within our tolerances",
    "refused": "it was refused, and the seller's answer to that is due",
    "confirmed": "it was confirmed before",
}


def _not_waiting(what: str, word: str, number: str) -> RefusedError:
    return RefusedError(
        f"{what} does not wait for a confirmation: {_WHY_NOT_WAITING[word]}",
        code="not-waiting",
        hint=f"see: hansa order show {number}",
    )


def chosen(
    standing: Standing, pieces: Sequence[Pieces], rest: Callable[[OrderLineRow], int]
) -> list[tuple[OrderLineRow, int]]:
    """The lines named with their quantities, or every line with what is left of it."""
    if pieces:
        named = [(line_of(standing, one), to_scaled(one.quantity)) for one in pieces]
        for line, quantity in named:
            if quantity <= 0:
                raise RefusedError(f"line {line.line_id}: a quantity above 0 is expected", code="bad-argument")
        return named
    open_ = [(line, left) for line in standing.lines if (left := rest(line)) > 0]
    if not open_:
        raise RefusedError(
            f"nothing of order {standing.order.number} is left for this",
            code="nothing-left",
            hint=f"see: hansa order show {standing.order.number}",
        )
    return open_


def line_of(standing: Standing, said: Pieces) -> OrderLineRow:
    """The line of this id, or the only one with this item number."""
    for line in standing.lines:
        if line.line_id == said.line:
            return line
    found = [line for line in standing.lines if said.line in (line.gtin, line.seller_number, line.buyer_number)]
    if len(found) == 1:
        return found[0]
    raise _no_line(standing, said.line)


def _no_line(standing: Standing, name: str) -> RefusedError:
    names = ", ".join(line.line_id for line in standing.lines)
    return RefusedError(
        f"order {standing.order.number} has no line {name!r}", code="unknown-line", hint=f"its lines are: {names}"
    )


def item_of(line: OrderLineRow) -> Fields:
    """A line's item, by every number that it was ordered by."""
    named = {
        "gtin": line.gtin,
        "seller_number": line.seller_number,
        "buyer_number": line.buyer_number,
        "description": line.description,
    }
    return {name: text for name, text in named.items() if text}


def _price(line: OrderLineRow, currency: str) -> Fields:
    price: Fields = {"amount": {"amount": _text(line.price or 0), "currency": currency}}
    if line.price_base:
        price["base_quantity"] = quantity_of(line.price_base, line.unit)
    return price


def _text(scaled: int) -> str:
    return format_decimal(from_scaled(scaled))


def quantity_of(scaled: int, unit: str) -> Fields:
    """A scaled quantity as a document says it."""
    return {"value": _text(scaled), "unit": unit}


def _dates(on: date) -> list[Fields]:
    return [{"qualifier": "DELIVER", "on": on.isoformat()}]


def _instant(at: datetime) -> str:
    return at.isoformat(timespec="seconds").replace("+00:00", "Z")


def _reason(text: str) -> Fields:
    return {"code": "by-hand", "text": text, "language": ""}
