"""The cheapest way to fill one line from some columns: how much from each, and what each costs to be touched."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

__all__ = ["Column", "Filled", "Line", "Room", "fill"]

NEAR = 1e-9
INFINITE = float("inf")
VISITS_MAX = 20_000
"""So many states of one line are looked at; then the best found counts, and is not proved."""


@dataclass(frozen=True, slots=True)
class Column:
    """What one supply can give to one line in one parcel."""

    at: int
    """Its number in the grid."""
    parcel: int
    """Its number among the order's parcels."""
    source: int
    supply: int
    most: float
    unit: float
    fixed: float
    """For the line in the parcel, once, however much and from however many supplies."""
    step: float
    minimum: float


@dataclass(slots=True)
class Line:
    """A line of which columns may give parts."""

    number: int
    need: float
    open_unit: float
    columns: list[Column]
    """By unit cost."""
    whole_steps: bool = field(init=False)
    """All columns have one step, the need is a multiple of it, and no minimum is above it."""

    def __post_init__(self) -> None:
        self.columns.sort(key=lambda one: (one.unit, one.at))
        steps = {one.step for one in self.columns}
        self.whole_steps = len(steps) <= 1 and all(one.minimum <= one.step for one in self.columns)
        for step in steps:
            self.whole_steps &= abs(self.need / step - round(self.need / step)) <= NEAR


@dataclass(slots=True)
class Room:
    """Narrower bounds than the columns' own, while pools are shared out: by column, and for the line as a whole."""

    least: dict[int, float] = field(default_factory=dict)
    most: dict[int, float] = field(default_factory=dict)
    line_least: dict[int, float] = field(default_factory=dict)
    line_most: dict[int, float] = field(default_factory=dict)

    def copy(self) -> Room:
        """Bounds that may be narrowed apart."""
        return Room(dict(self.least), dict(self.most), dict(self.line_least), dict(self.line_most))


@dataclass(slots=True)
class Filled:
    """The least cost, infinite where the bounds cannot be kept, and what each column gives."""

    cost: float
    taken: dict[int, float]
    exact: bool = True


NO_PRICES: Mapping[int, float] = {}
ANY = Room()


def fill(line: Line, columns: Sequence[Column], room: Room = ANY, prices: Mapping[int, float] = NO_PRICES) -> Filled:
    """The line filled from these of its columns (by unit cost); `prices` come on top of a column's unit cost.

    Exact: depth first over the columns, dearer ones later. With one step for all, a column that is touched gives all
    it can; otherwise every quantity is tried. What is left costs at least the next column's unit cost, which ends most
    branches at once.
    """
    return _Filling(line, columns, room, prices).run()


class _Filling:
    def __init__(self, line: Line, columns: Sequence[Column], room: Room, prices: Mapping[int, float]) -> None:
        self.line, self.room = line, room
        self.least = room.line_least.get(line.number, 0.0)
        most = room.line_most.get(line.number, line.need)
        self.open_cost = line.open_unit * (line.need - most)
        self.most = most
        self.whole = self.least >= most
        """Nothing more may stay open."""
        if prices:
            priced = [(one.unit + prices.get(one.at, 0.0), one) for one in columns]
            priced.sort(key=lambda pair: pair[0])
        else:
            priced = [(one.unit, one) for one in columns]
        self.columns = [one for _, one in priced]
        self.units = [unit for unit, _ in priced]
        self.best = Filled(INFINITE, {})
        self.visits = 0
        self.used: dict[int, float] = {}
        self.by_supply: dict[int, float] = {}
        self.cells: dict[int, int] = {}

    def run(self) -> Filled:
        line, room = self.line, self.room
        left, cost = self.most, self.open_cost
        for unit, one in zip(self.units, self.columns, strict=True):
            least = room.least.get(one.at, 0.0) if room.least else 0.0
            if least > 0:
                cost += unit * least + self._take(one, least)
                left -= least
        if left < -NEAR * line.need or any(at not in self.used for at in self._forced()):
            return Filled(INFINITE, {})
        if self.least <= NEAR and not self.used:
            self.best = Filled(self.open_cost + self.most * line.open_unit, {})
        self._next(0, left, cost)
        self.best.exact = self.visits <= VISITS_MAX
        return self.best

    def _forced(self) -> list[int]:
        mine = {one.at for one in self.line.columns}
        return [at for at, least in self.room.least.items() if least > 0 and at in mine]

    def _take(self, one: Column, quantity: float) -> float:
        """Book it; returns what is charged for touching the parcel."""
        self.used[one.at] = self.used.get(one.at, 0.0) + quantity
        self.by_supply[one.supply] = self.by_supply.get(one.supply, 0.0) + quantity
        self.cells[one.parcel] = self.cells.get(one.parcel, 0) + 1
        return one.fixed if self.cells[one.parcel] == 1 else 0.0

    def _give_back(self, one: Column, quantity: float) -> None:
        self.by_supply[one.supply] -= quantity
        self.cells[one.parcel] -= 1
        rest = self.used[one.at] - quantity
        if rest > 0:
            self.used[one.at] = rest
        else:
            del self.used[one.at]

    def _next(self, place: int, left: float, cost: float) -> None:
        """Decide on the column at this place and on those after it."""
        line = self.line
        self.visits += 1
        if left <= NEAR * line.need or place == len(self.columns):
            self._end(left, cost)
            return
        unit = self.units[place]
        floor = cost + left * (unit if self.whole else min(unit, line.open_unit))
        if floor >= self.best.cost - NEAR * (1 + abs(self.best.cost)) or self.visits > VISITS_MAX:
            return
        if unit >= line.open_unit and self.least <= 0 and self._reached():
            self._end(left, cost)
            return
        one = self.columns[place]
        for quantity in self._quantities(one, left):
            charged = self._take(one, quantity)
            self._next(place + 1, left - quantity, cost + unit * quantity + charged)
            self._give_back(one, quantity)
        self._next(place + 1, left, cost)

    def _quantities(self, one: Column, left: float) -> list[float]:
        """What the column may give now, most first."""
        have = min(self.room.most.get(one.at, one.most) if self.room.most else one.most, one.most)
        # A column's `most` is what its supply has, or all that the line needs, whatever the parcel.
        have = min(left, have - self.used.get(one.at, 0.0), one.most - self.by_supply.get(one.supply, 0.0))
        steps = int(have / one.step + NEAR)
        if steps <= 0:
            return []
        if self.line.whole_steps:
            return [steps * one.step]
        return [number * one.step for number in range(min(steps, VISITS_MAX), 0, -1)]

    def _reached(self) -> bool:
        """Whether every source that gives anything gives its minimum."""
        if self.line.whole_steps:
            return True
        got: dict[int, float] = {}
        least: dict[int, float] = {}
        for one in self.columns:
            quantity = self.used.get(one.at, 0.0)
            if quantity > 0:
                got[one.source] = got.get(one.source, 0.0) + quantity
                least[one.source] = max(least.get(one.source, 0.0), one.minimum)
        return all(got[source] >= least[source] - NEAR * (1 + least[source]) for source in got)

    def _end(self, left: float, cost: float) -> None:
        left = max(0.0, left)
        if self.most - left < self.least - NEAR * self.line.need or not self._reached():
            return
        cost += left * self.line.open_unit
        if cost < self.best.cost - NEAR * (1 + abs(cost)) * 1e-3:
            self.best = Filled(cost, {at: quantity for at, quantity in self.used.items() if quantity > 0})
