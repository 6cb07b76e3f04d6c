"""The pieces of an order's line as a person wants to see them: as asked for, as answered, and how far each has come."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any, Protocol

from node.core.asked import asked_of, latest_first
from node.core.decimals import format_decimal, from_scaled
from node.core.rows import LineEventRow, OrderLineRow

__all__ = ["AskedView", "PieceView", "Sums", "View", "asked_for", "instant", "pieces_of"]


def instant(micros: int) -> datetime:
    """An aware instant from microseconds since 1970 UTC."""
    return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=micros)


def _plain(value: Any) -> Any:
    """A view's value as JSON has it: decimals as text, so that none is rounded."""
    if isinstance(value, Decimal):
        return format_decimal(value)
    if isinstance(value, datetime):
        return value.isoformat(timespec="seconds").replace("+00:00", "Z")
    if isinstance(value, tuple):
        return [_plain(one) for one in value]
    if isinstance(value, View):
        return value.as_fields()
    return value


class View:
    """A part of the view, as plain values for JSON."""

    __slots__ = ()

    def as_fields(self) -> dict[str, Any]:
        """The same as nested dicts and lists; quantities are decimal text."""
        return {one.name: _plain(getattr(self, one.name)) for one in fields(self)}  # type: ignore[arg-type]


@dataclass(frozen=True, slots=True)
class PieceView(View):
    """One piece of a line, as answered: how much of it, when, and how far it has come."""

    outcome: str
    quantity: Decimal
    promised_on: str | None
    reason: str
    schedule_id: str
    reference: str
    at: datetime | None
    despatched: Decimal
    delivered: Decimal
    received: Decimal
    invoiced: Decimal
    open: Decimal
    late: bool


@dataclass(frozen=True, slots=True)
class AskedView(View):
    """One piece of a line as it was ordered."""

    schedule_id: str
    quantity: Decimal
    on: str | None


class Sums(Protocol):
    """A line's sums, scaled, as far as its pieces are concerned."""

    @property
    def sums(self) -> Mapping[str, int]:
        """By event."""

    @property
    def gone(self) -> int:
        """What was despatched."""

    @property
    def received(self) -> int:
        """What was received, in whatever condition."""

    @property
    def unanswered(self) -> int:
        """What the seller has said nothing to."""


def asked_for(row: OrderLineRow) -> tuple[AskedView, ...]:
    """The pieces in which a line is asked for, by their days; none where it is asked for at once."""
    if not row.schedule:
        return ()
    return tuple(AskedView(one.schedule_id, from_scaled(one.quantity), one.on) for one in asked_of(row))


def pieces_of(row: OrderLineRow, sums: Sums, answers: list[LineEventRow], today: date) -> tuple[PieceView, ...]:
    """The pieces in order of their dates, filled with what was despatched, came and was invoiced, first come first.

    What is not answered is a piece for each day that it is asked for; what exceeds the order stays on the last piece
    that will come.
    """
    answers = sorted(answers, key=lambda e: (e.on or "9999", e.schedule_id))
    left = {"despatched": sums.gone, "received": sums.received}
    left |= {name: sums.sums.get(name, 0) for name in ("delivered", "invoiced")}
    coming = [e for e in answers if e.event not in ("rejected", "cancelled")]
    made: list[PieceView] = []
    for answer in answers:
        last = not sums.unanswered and bool(coming) and answer is coming[-1]
        comes = answer.event not in ("rejected", "cancelled")
        made.append(_piece(answer, answer.quantity, row.requested_on, left if comes else {}, last, today))
    open_ = latest_first(asked_of(row), sums.unanswered)
    for one in open_[:-1]:
        made.append(_piece(None, one.quantity, one.on, left, False, today))
    if open_ or not made or any(left.values()):
        rest, on = (open_[-1].quantity, open_[-1].on) if open_ else (0, row.requested_on)
        made.append(_piece(None, rest, on, left, True, today))
    return tuple(made)


def _piece(
    answer: LineEventRow | None, quantity: int, wanted_on: str | None, left: dict[str, int], last: bool, today: date
) -> PieceView:
    """One piece; takes its share from what is `left` of each sum, and is late by its promise, else by its wish."""
    shares = {}
    for name in ("despatched", "delivered", "received", "invoiced"):
        rest = left.get(name, 0)
        shares[name] = rest if last else min(quantity, rest)
        if name in left:
            left[name] = rest - shares[name]
    comes = answer is None or answer.event not in ("rejected", "cancelled")
    still_open = max(0, quantity - shares["despatched"]) if comes else 0
    due = (answer.on if answer else None) or wanted_on
    return PieceView(
        outcome=answer.event if answer else "unanswered",
        quantity=from_scaled(quantity),
        promised_on=answer.on if answer else None,
        reason=answer.detail if answer else "",
        schedule_id=answer.schedule_id if answer else "",
        reference=answer.reference if answer else "",
        at=instant(answer.at) if answer else None,
        despatched=from_scaled(shares["despatched"]),
        delivered=from_scaled(shares["delivered"]),
        received=from_scaled(shares["received"]),
        invoiced=from_scaled(shares["invoiced"]),
        open=from_scaled(still_open),
        late=bool(still_open and due and due < today.isoformat()),
    )
