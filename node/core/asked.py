"""The pieces in which an order line is asked for, and how far the promised days are from the days asked for.

A line's own pieces lie in its row as text, so that both companies and every later answer know them; a line that is
asked for on one day has none there.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from datetime import date
from typing import NamedTuple

from node.core.rows import OrderLineRow

__all__ = ["Asked", "Days", "as_text", "asked_of", "days_apart", "latest_first", "resized"]

Days = tuple[str, str]
"""A day asked for and the day promised for it, as ISO text."""


class Asked(NamedTuple):
    """One piece of a line as it was ordered: by when (None: open), how much (scaled, in the line's unit)."""

    on: str | None
    quantity: int
    schedule_id: str


def as_text(pieces: Iterable[Asked]) -> str:
    """The pieces for the line's row, in the order of their days; "" where there are fewer than two."""
    ordered = sorted((one for one in pieces if one.quantity), key=lambda one: one.on or "9999")
    return json.dumps(ordered) if len(ordered) > 1 else ""


def asked_of(row: OrderLineRow) -> list[Asked]:
    """The pieces of a line by their days; one piece where it names none, and what no piece names comes last."""
    pieces = [Asked(*one) for one in json.loads(row.schedule)] if row.schedule else []
    rest = row.quantity - sum(one.quantity for one in pieces)
    if rest > 0:
        pieces.append(Asked(row.requested_on if not pieces else pieces[-1].on, rest, ""))
    return pieces


def resized(row: OrderLineRow, quantity: int) -> list[Asked]:
    """The pieces when so much of the line is wanted: less is taken from what is asked for last, more is added there."""
    pieces, left = [], quantity
    for one in asked_of(row):
        part = min(one.quantity, left)
        left -= part
        if part:
            pieces.append(one._replace(quantity=part))
    if left and pieces:
        pieces[-1] = pieces[-1]._replace(quantity=pieces[-1].quantity + left)
    return pieces


def latest_first(pieces: Sequence[Asked], quantity: int) -> list[Asked]:
    """So much of the pieces as is asked for last, by its days."""
    found = []
    for one in reversed(pieces):
        part = min(one.quantity, quantity)
        if part:
            found.append(one._replace(quantity=part))
        quantity -= part
    return found[::-1]


def days_apart(asked: Sequence[Asked], promised: Sequence[tuple[str | None, int]]) -> tuple[Days, Days] | None:
    """The earliest and the latest promise (day, scaled quantity) beside the day asked for what it brings.

    What comes first fills what is asked for first. A promise without a day takes its share of what is asked for, and is
    not compared; what goes beyond the order is compared with the last day. None where no day can be compared.
    """
    pairs: list[Days] = []
    left = [list(one[:2]) for one in asked if one.quantity]
    for on, quantity in sorted(promised, key=lambda one: one[0] or ""):
        while quantity > 0 and left:
            wanted, open_ = left[0]
            part = quantity if len(left) == 1 else min(quantity, int(open_ or 0))
            if on and wanted:
                pairs.append((str(wanted), on))
            quantity -= part
            left[0][1] = int(open_ or 0) - part
            if len(left) > 1 and not left[0][1]:
                left.pop(0)
    if not pairs:
        return None
    pairs.sort(key=_days_late)
    return pairs[0], pairs[-1]


def _days_late(pair: Days) -> int:
    return date.fromisoformat(pair[1]).toordinal() - date.fromisoformat(pair[0]).toordinal()
