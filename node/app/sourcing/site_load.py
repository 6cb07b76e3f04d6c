"""What customer orders take of the days of places whose capacity is limited: counted as pieces come, change and go.

Units move with the pieces, in their transaction. An order counts once for a day and a place, however many pieces of it
leave there then.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable

from node.core.customer_rows import PieceRow
from node.core.promise_rows import SiteLoadRow
from node.ports import Transaction

__all__ = ["Loads"]

_NOT_SENT = frozenset({"rejected", "released", "cancelled"})
_Place = tuple[str, str, str]
"""Day, partner's id, location."""


def _place(piece: PieceRow) -> _Place | None:
    """The day and place of whose capacity a piece takes."""
    if not piece.load_on or piece.state in _NOT_SENT:
        return None
    return piece.load_on, piece.partner_id, piece.location


class Loads:
    """How one order's pieces load places, and what has changed of that since it was written."""

    def __init__(self, pieces: Iterable[PieceRow] = ()) -> None:
        self._written = {place for piece in pieces if (place := _place(piece)) is not None}
        self._units: Counter[_Place] = Counter()

    def move(self, before: PieceRow | None, after: PieceRow) -> None:
        """A piece is as it is now; `before` None: it is new."""
        for piece, sign in ((before, -1), (after, 1)):
            if piece is not None and (place := _place(piece)) is not None:
                self._units[place] += sign * piece.quantity

    def write(self, tx: Transaction, pieces: Iterable[PieceRow]) -> None:
        """Add what has changed to the counters; `pieces` are all that the order has now."""
        if not self._units:
            return
        now = {place for piece in pieces if (place := _place(piece)) is not None}
        days: dict[str, dict[tuple[str, str], tuple[int, int]]] = defaultdict(dict)
        for key, units in self._units.items():
            day, *site = key
            orders = (key in now) - (key in self._written)
            if units or orders:
                days[day][site[0], site[1]] = (units, orders)
        for day, taken in sorted(days.items()):
            known = {(row.partner_id, row.location): row for row in tx.demand.loads(day)}
            rows = []
            for place_of, (units, orders) in sorted(taken.items()):
                row = known.get(place_of) or SiteLoadRow(*place_of, day, 0, 0)
                rows.append(row._replace(quantity=max(0, row.quantity + units), orders=max(0, row.orders + orders)))
            tx.demand.put_loads(rows)
        self._written, self._units = now, Counter()
