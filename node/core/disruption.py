"""What a notice of disruption does to what can be promised, and to whom it is passed on.

=========  ============================================================================================================
delay      supply expected from `from_on` to `until_on` comes `days_late` later, and so does what is ordered meanwhile
shortage   no more than `quantity_left` can be had until `until_on`
capacity   no more than `quantity_left` can be sent until `until_on`; what is there can be sent after it
closure    nothing can be sent until `until_on`
recovered  ends the notices that go back to the same first one
=========  ============================================================================================================

Without `until_on` it holds until further notice. Where a line names no location, its quantity is what is left at all
of them together.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import date, timedelta
from decimal import Decimal

from node.core.decimals import from_scaled
from node.core.promise import Cap, Position, in_hand
from node.core.promise_rows import DisruptionRow
from node.core.quantity import Quantity
from node.core.units import convert
from node.errors import RefusedError

__all__ = ["HOPS_MAX", "concerns", "days_late", "disrupted", "in_force_on", "text"]

HOPS_MAX = 8
"""Companies that a notice passes through at most."""

_ZERO = Decimal(0)


def in_force_on(row: DisruptionRow, day: date) -> bool:
    """Whether the notice still says something on or after the day."""
    return row.state == "in_force" and row.kind != "recovered" and (not row.until_on or row.until_on >= day.isoformat())


def concerns(row: DisruptionRow, partner_id: str, item_keys: Iterable[str], location: str) -> bool:
    """Whether a line speaks of this item (by any of its keys) at this place of its sender's."""
    return (
        row.partner_id == partner_id
        and (not row.item_key or row.item_key in item_keys)
        and (not row.location or not location or row.location == location)
    )


def days_late(rows: Iterable[DisruptionRow], day: date) -> int:
    """By how many days what is ordered on a day comes later, by the worst of these notices of delay."""
    now = day.isoformat()
    return max((row.days_late for row in rows if row.kind == "delay" and row.from_on <= now), default=0)


def text(row: DisruptionRow) -> str:
    """A line for people."""
    until = f" until {row.until_on}" if row.until_on else ""
    if row.kind == "delay":
        said = f"delay of {row.days_late} days"
    elif row.quantity_left is not None:
        left = format(from_scaled(row.quantity_left).normalize(), "f")
        said = f"{row.kind}, {left} {row.unit} left"
    else:
        said = row.kind
    return f"{said}{until}" + (f": {row.reason}" if row.reason else "")


def disrupted(positions: Sequence[Position], rows: Sequence[DisruptionRow], today: date) -> list[Position]:
    """Positions of one item as the notices in force leave them; each row is one that concerns some of them."""
    found = list(positions)
    for row in rows:
        if not in_force_on(row, today):
            continue
        places = [
            place
            for place, one in enumerate(found)
            if one.partner_id == row.partner_id and row.location in ("", one.location)
        ]
        if row.kind == "delay":
            for place in places:
                found[place] = _delayed(found[place], row)
        else:
            for place, cap in zip(places, _caps([found[place] for place in places], row), strict=True):
                one = found[place]
                found[place] = one._replace(caps=(*one.caps, cap), notes=(*one.notes, text(row)))
    return found


def _delayed(position: Position, row: DisruptionRow) -> Position:
    later = timedelta(days=row.days_late)
    expected = tuple(
        one._replace(on=one.on + later)
        if row.from_on <= one.on.isoformat() and (not row.until_on or one.on.isoformat() <= row.until_on)
        else one
        for one in position.expected
    )
    return position._replace(expected=expected, notes=(*position.notes, text(row)))


def _caps(positions: Sequence[Position], row: DisruptionRow) -> list[Cap]:
    """What each place may still promise of what is left at all of them together."""
    until = date.fromisoformat(row.until_on) if row.until_on else None
    caps = []
    taken = _ZERO
    for place, one in enumerate(positions):
        left = max(_ZERO, _left(one, row) - taken)
        share = left if place == len(positions) - 1 else min(left, max(_ZERO, in_hand(one)))
        taken += share
        caps.append(Cap(share, until, row.kind))
    return caps


def _left(position: Position, row: DisruptionRow) -> Decimal:
    """What the notice leaves, in the position's unit; nothing where that cannot be said in it."""
    if row.kind == "closure" or row.quantity_left is None:
        return _ZERO
    try:
        return convert(Quantity(from_scaled(row.quantity_left), row.unit or position.unit), position.unit).value
    except RefusedError:
        return _ZERO
