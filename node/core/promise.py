"""Availability to promise: what may be promised of an item, where, and from which day on, time-phased.

The running balance of a position on a day is what is in hand, less what is reserved, allocated and kept as safety
stock, plus the supply expected until then, less what is owed until then (promised before against that supply). What
may be promised for a day is the *least* balance from that day on (look-ahead): a promise for tomorrow then never eats
what was promised for next week. It is never below zero and never falls from one day to a later one.

Figures that a partner tells as a cap, a band or a yes are lower bounds, and are promised as such. Supply that was
expected before today and has not arrived is not counted: nobody knows when it comes.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import ROUND_FLOOR, Decimal
from fractions import Fraction
from typing import NamedTuple

from node.core.decimals import SCALE
from node.core.quantity import Quantity
from node.core.unit_codes import PIECES
from node.core.units import canonical_unit, convert
from node.errors import RefusedError

__all__ = [
    "Cap",
    "Coming",
    "Factors",
    "Lot",
    "Offer",
    "Part",
    "Position",
    "Promise",
    "Step",
    "Steps",
    "at",
    "in_hand",
    "in_unit",
    "lots_of",
    "multiple_in",
    "promise",
    "ratio",
    "steps",
    "total",
    "when",
    "whole_only",
]

_ZERO = Decimal(0)
_ONE = Decimal(1)
_SCALED: int = 10**SCALE
_DAY = timedelta(days=1)


class Coming(NamedTuple):
    """So much more (or, owed, less) on a day."""

    quantity: Decimal
    on: date
    source: str = ""  # "purchase", "production", "transfer", "return"


class Lot(NamedTuple):
    """So much of what is there is best until a day."""

    quantity: Decimal
    best_before_on: date | None


class Cap(NamedTuple):
    """No more than this is promised for any day up to `until` (None: until further notice)."""

    quantity: Decimal
    until: date | None
    reason: str = ""


class Step(NamedTuple):
    """From this day on, so much altogether may be promised."""

    on: date
    quantity: Decimal


Factors = Mapping[tuple[str, str], Fraction]
"""An item's own conversions: (whole unit, part unit) to how many parts are in one."""

Steps = tuple[Step, ...]
"""Growing in both: what may be promised by day; empty where nothing may be."""


class Position(NamedTuple):
    """What is known of one item at one place. All quantities are in `unit`; `partner_id` "" is our own company.

    A named tuple: one is made for each figure, and a dataclass takes three times as long (measured).
    """

    partner_id: str
    location: str
    item_key: str
    unit: str
    on_hand: Decimal | None = None
    available: Decimal | None = None
    """As its owner tells it; None: only `on_hand` is known."""
    reserved: Decimal = _ZERO
    allocated: Decimal = _ZERO
    safety: Decimal = _ZERO
    expected: tuple[Coming, ...] = ()
    owed: tuple[Coming, ...] = ()
    """What was promised before against supply that is still to come."""
    caps: tuple[Cap, ...] = ()
    figure: str = "EXACT"
    as_of: int = 0
    """Microseconds since 1970 UTC: when the figure was true."""
    age_seconds: int = 0
    basis: str = "UNSPECIFIED"
    confidence: Decimal = _ONE
    lots: tuple[Lot, ...] = ()
    """Parts of what is there, by the day until which they are best; not told of all of it where they are less."""
    notes: tuple[str, ...] = ()
    """What changed the promise besides the figures, such as a notice of delay."""

    @property
    def source_id(self) -> str:
        """As sourcing names the place."""
        return f"{self.partner_id}|{self.location}"

    @property
    def is_lower_bound(self) -> bool:
        """Whether there may be more than is told."""
        return self.figure != "EXACT"


def in_hand(position: Position) -> Decimal:
    """What is there and free today; below zero where more is bound or kept than there is."""
    there = position.available if position.available is not None else position.on_hand or _ZERO
    return there - position.reserved - position.allocated - position.safety


def steps(position: Position, today: date) -> Steps:
    """What may be promised of a position, by day from today on."""
    now = in_hand(position)
    if not (position.expected or position.owed or position.caps):
        return (Step(today, now),) if now > 0 else ()
    changes: dict[date, Decimal] = {today: now}
    for more in position.expected:
        if more.on >= today:
            changes[more.on] = changes.get(more.on, _ZERO) + more.quantity
    for less in position.owed:
        on = max(less.on, today)
        changes[on] = changes.get(on, _ZERO) - less.quantity
    for cap in position.caps:
        if cap.until is not None and cap.until >= today:
            changes.setdefault(cap.until + _DAY, _ZERO)
    balance = _ZERO
    balances = []
    for on in sorted(changes):
        balance += changes[on]
        balances.append((on, balance))
    found: list[Step] = []
    least = balances[-1][1]
    for on, balance in reversed(balances):
        least = min(least, balance)
        capped = min([least, *(cap.quantity for cap in position.caps if cap.until is None or on <= cap.until)])
        found.append(Step(on, max(capped, _ZERO)))
    return _strict(reversed(found))


def _strict(found: Iterable[Step]) -> Steps:
    """Only the steps that go up, from the first above zero."""
    kept: list[Step] = []
    for one in found:
        if one.quantity > (kept[-1].quantity if kept else _ZERO):
            kept.append(one)
    return tuple(kept)


def at(found: Steps, on: date) -> Decimal:
    """What may be promised for a day."""
    quantity = _ZERO
    for one in found:
        if one.on > on:
            break
        quantity = one.quantity
    return quantity


def lots_of(lots: Iterable[Lot], quantity: Decimal) -> list[Lot]:
    """What is free of a place, by the day until which it is best: as if all that is bound were what lasts longest."""
    left = quantity
    found = []
    for lot in sorted(lots, key=lambda one: one.best_before_on or date.max):
        taken = min(left, lot.quantity)
        if taken > 0:
            found.append(Lot(taken, lot.best_before_on))
            left -= taken
    return [*found, Lot(left, None)] if left > 0 else found


def when(found: Steps, quantity: Decimal) -> date | None:
    """The first day on which so much may be promised, or None."""
    return next((one.on for one in found if one.quantity >= quantity), None)


def total(several: Sequence[Steps]) -> Steps:
    """What several places can promise together."""
    days = sorted({one.on for found in several for one in found})
    return _strict(Step(on, sum((at(found, on) for found in several), _ZERO)) for on in days)


# --- packs ------------------------------------------------------------------------------------------------------------


def whole_only(unit: str) -> bool:
    """Whether only whole numbers of the unit can be delivered: pieces and packages."""
    return unit in PIECES or unit[:1] == "X"


def in_unit(found: Steps, unit: str, to_unit: str, factors: Factors | None = None) -> Steps:
    """The same steps in another unit, rounded down to what can be delivered: 30 pieces are 2 boxes of 12.

    Raises RefusedError ``unlike-units`` where nothing leads from one unit to the other, ``inexact-conversion`` where
    neither is an exact number of the other.
    """
    if canonical_unit(unit) == canonical_unit(to_unit):
        return found
    many = ratio(unit, to_unit, factors or {})
    one_of = 1 if whole_only(to_unit) else _SCALED
    return _strict(Step(one.on, Decimal(math.floor(Fraction(one.quantity) * many * one_of)) / one_of) for one in found)


def multiple_in(unit: str, to_unit: str, factors: Factors | None = None) -> Decimal:
    """Of which number of `to_unit` whole units of a supply in `unit` are multiples; 0 where any quantity can be had.

    Raises RefusedError as `in_unit`.
    """
    if not whole_only(unit):
        return _ONE if whole_only(to_unit) else _ZERO
    if canonical_unit(unit) == canonical_unit(to_unit):
        return _ONE
    many = ratio(unit, to_unit, factors or {})
    least = Fraction(1) if whole_only(to_unit) else Fraction(0)
    return Decimal(math.floor(max(many, least) * _SCALED)) / _SCALED


def ratio(unit: str, to_unit: str, factors: Factors) -> Fraction:
    """How many `to_unit` one `unit` is, exactly.

    Raises RefusedError ``unlike-units`` where nothing leads from one to the other, ``inexact-conversion`` where
    neither is an exact number of the other.
    """
    try:
        return Fraction(convert(Quantity(_ONE, unit), to_unit, factors).value)
    except RefusedError as error:
        if error.code != "inexact-conversion":
            raise
        return 1 / Fraction(convert(Quantity(_ONE, to_unit), unit, factors).value)


# --- several places ---------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Offer:
    """What one place can promise of what is asked, in the unit that is asked in."""

    partner_id: str
    location: str
    steps: Steps
    confidence: Decimal
    age_seconds: int
    basis: str
    figure: str
    multiple: Decimal = _ONE
    lots: tuple[Lot, ...] = ()
    """Parts of what is there today, by the day until which they are best."""
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """What of a promise comes from one place, and from which day on it can be had there."""

    partner_id: str
    location: str
    quantity: Decimal
    on: date
    confidence: Decimal
    age_seconds: int
    basis: str
    figure: str
    multiple: Decimal
    notes: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Promise:
    """What can be had of `quantity` by the day asked for, when all of it can, and from where."""

    quantity: Decimal
    by: date
    by_then: Decimal
    """Of the quantity, how much can be had by `by`."""
    on: date | None
    """When all of it can be had; None: no day is known."""
    single_on: date | None
    """When one place alone has all of it."""
    parts: tuple[Part, ...]
    confidence: Decimal
    """That all parts come: the product of the parts' confidences."""


def promise(offers: Sequence[Offer], quantity: Decimal, by: date) -> Promise:
    """When so much can be had and from where: from as few places as can be, our own and the surest first.

    All of it by `by` where that is possible, else on the first day on which it is, else as much as there is.
    """
    every = [one for one in offers if one.steps]
    together = total([one.steps for one in every])
    on = when(together, quantity)
    singles = [day for one in every if (day := when(one.steps, quantity)) is not None]
    aim = max(by, on) if on is not None else max((one.steps[-1].on for one in every), default=by)
    ranked = sorted(every, key=lambda one: (one.partner_id != "", -one.confidence, one.partner_id, one.location))
    alone = [one for one in ranked if at(one.steps, aim) >= quantity]
    parts = _parts(alone[:1] or sorted(ranked, key=lambda one: -at(one.steps, aim)), quantity, aim)
    confidence = _ONE
    for part in parts:
        confidence *= part.confidence
    return Promise(
        quantity=quantity,
        by=by,
        by_then=min(quantity, at(together, by)),
        on=on,
        single_on=min(singles, default=None),
        parts=parts,
        confidence=confidence.quantize(Decimal("0.0001"), ROUND_FLOOR) if parts else _ZERO,
    )


def _parts(ranked: Sequence[Offer], quantity: Decimal, aim: date) -> tuple[Part, ...]:
    left = quantity
    parts = []
    for one in ranked:
        taken = min(left, at(one.steps, aim))
        if taken <= 0:
            continue
        on = when(one.steps, taken)
        assert on is not None
        parts.append(
            Part(
                partner_id=one.partner_id,
                location=one.location,
                quantity=taken,
                on=on,
                confidence=one.confidence,
                age_seconds=one.age_seconds,
                basis=one.basis,
                figure=one.figure,
                multiple=one.multiple,
                notes=one.notes,
            )
        )
        left -= taken
        if left <= 0:
            break
    return tuple(parts)
