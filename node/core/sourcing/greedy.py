"""The answer that always comes: order after order, line after line, the cheapest source that keeps every hard limit.

Exact arithmetic throughout. Not the optimum, but never a plan that may not be carried out.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from decimal import Decimal

from node.core.sourcing.costing import Pick
from node.core.sourcing.grid import Grid, day_of, urgent_first
from node.core.sourcing.limits import Index, step_of
from node.core.sourcing.problem import ZERO, Problem, Supply

__all__ = ["greedy"]


@dataclass(slots=True)
class _Left:
    """What is still there of everything that is shared."""

    stock: dict[int, Decimal] = field(default_factory=dict)
    credit: dict[str, Decimal] = field(default_factory=dict)
    capacity: dict[int, Decimal] = field(default_factory=dict)
    orders: dict[int, int] = field(default_factory=dict)

    def copy(self) -> _Left:
        return _Left(dict(self.stock), dict(self.credit), dict(self.capacity), dict(self.orders))


@dataclass(slots=True)
class _Trial:
    """One order as filled so far."""

    left: _Left
    picks: list[tuple[int, Decimal]] = field(default_factory=list)
    """(column, quantity)"""
    parcels: set[int] = field(default_factory=set)
    sources: set[int] = field(default_factory=set)
    worth: dict[int, Decimal] = field(default_factory=lambda: defaultdict(Decimal))

    def copy(self) -> _Trial:
        return _Trial(
            self.left.copy(), list(self.picks), set(self.parcels), set(self.sources), defaultdict(Decimal, self.worth)
        )


class _Greedy:
    """The grid of a problem, as lists, and what is left of it."""

    def __init__(self, problem: Problem, found: Index, grid: Grid, columns: Sequence[int]) -> None:
        self.problem, self.grid = problem, grid
        self.left = _Left(credit=dict(found.credit))
        for number, source in enumerate(grid.sources):
            if source.capacity_left is not None:
                self.left.capacity[number] = source.capacity_left
            if source.orders_left is not None:
                self.left.orders[number] = source.orders_left
        self.by_line: dict[int, list[int]] = defaultdict(list)
        for at in columns:
            self.by_line[int(grid.col_line[at])].append(at)
        self.kit_of = {line: number for number, (_, members) in enumerate(grid.kits) for line in members}

    def supply(self, at: int) -> Supply:
        return self.problem.supplies[int(self.grid.col_supply[at])]

    def os(self, at: int) -> int:
        return int(self.grid.parcel_os[self.grid.col_parcel[at]])

    def room(self, trial: _Trial, at: int, wanted: Decimal) -> Decimal:
        """How much of the wanted quantity a column can give now, in whole steps."""
        supply, grid = self.supply(at), self.grid
        source = int(grid.os_source[self.os(at)])
        most = min(wanted, trial.left.stock.get(int(grid.col_supply[at]), supply.quantity))
        most = min(most, trial.left.capacity.get(source, most))
        credit = trial.left.credit.get(grid.sources[source].partner_id)
        if credit is not None and supply.unit_cost > 0:
            most = min(most, credit / supply.unit_cost)
        step = step_of(supply)
        steps = most // step
        if credit is not None and steps * step * supply.unit_cost > credit:
            steps -= 1
        return max(ZERO, steps * step)

    def opens(self, trial: _Trial, order: int, os: int) -> bool:
        """Whether the order may use this source."""
        if os in trial.sources:
            return True
        limit = self.grid.orders[order].policy.split_orders_max
        full = trial.left.orders.get(int(self.grid.os_source[os]), 1) <= 0
        return not full and (limit is None or len(trial.sources) < limit)

    def price(self, trial: _Trial, at: int, quantity: Decimal) -> float:
        """What it costs per unit to take so much here, with what is opened for it."""
        grid = self.grid
        parcel, os = int(grid.col_parcel[at]), self.os(at)
        fixed = float(grid.lp_fixed[grid.col_lp[at]])
        if parcel not in trial.parcels:
            fixed += float(grid.parcel_fixed[parcel])
        if os not in trial.sources:
            fixed += float(grid.os_fixed[os]) + (float(grid.split[grid.os_order[os]]) if trial.sources else 0.0)
        return float(grid.cost[at]) + fixed / float(quantity)

    def take(self, trial: _Trial, at: int, quantity: Decimal) -> None:
        """Book a quantity from a column."""
        supply, grid, left = self.supply(at), self.grid, trial.left
        number, os = int(grid.col_supply[at]), self.os(at)
        source = int(grid.os_source[os])
        value = quantity * supply.unit_cost
        left.stock[number] = left.stock.get(number, supply.quantity) - quantity
        if source in left.capacity:
            left.capacity[source] -= quantity
        partner = grid.sources[source].partner_id
        if partner in left.credit:
            left.credit[partner] -= value
        if source in left.orders and os not in trial.sources:
            left.orders[source] -= 1
        trial.picks.append((at, quantity))
        trial.parcels.add(int(grid.col_parcel[at]))
        trial.sources.add(os)
        trial.worth[os] += value

    def fill_whole(self, trial: _Trial, order: int, lines: Sequence[int], banned: set[int]) -> bool:
        """All of the lines in one parcel, the cheapest that can; False when none can."""
        by_parcel: dict[int, list[int]] = defaultdict(list)
        for line in lines:
            for at in self.by_line[line]:
                os = self.os(at)
                if os not in banned and self.opens(trial, order, os):
                    by_parcel[int(self.grid.col_parcel[at])].append(at)
        best: tuple[float, _Trial] | None = None
        for columns in by_parcel.values():
            attempt, cost = trial.copy(), 0.0
            if all(self._whole_line(attempt, line, columns) for line in lines):
                for at, quantity in attempt.picks[len(trial.picks) :]:
                    cost += self.price(trial, at, quantity) * float(quantity)
                if best is None or cost < best[0]:
                    best = (cost, attempt)
        if best is None:
            return False
        _become(trial, best[1])
        return True

    def _whole_line(self, trial: _Trial, line: int, columns: Iterable[int]) -> bool:
        need = self.grid.lines[line][1].quantity
        return self.fill(trial, line, [at for at in columns if self.grid.col_line[at] == line], need) == 0

    def fill(self, trial: _Trial, line: int, columns: Iterable[int], need: Decimal) -> Decimal:
        """As much of a line as its columns give, cheapest first; returns what stays open."""
        order = int(self.grid.line_order[line])
        waiting = list(columns)
        got: dict[int, Decimal] = defaultdict(Decimal)
        while need > 0 and waiting:
            ranked = []
            for at in waiting:
                room = self.room(trial, at, need) if self.opens(trial, order, self.os(at)) else ZERO
                if room > 0 and got[self.os(at)] + room >= self.supply(at).minimum:
                    ranked.append((self.price(trial, at, room), at, room))
            if not ranked:
                break
            _, at, room = min(ranked)
            self.take(trial, at, room)
            got[self.os(at)] += room
            need -= room
            waiting.remove(at)
        return need

    def order(self, order: int, lines: Sequence[int], banned: set[int]) -> _Trial:
        """One order, without the banned sources."""
        trial = _Trial(self.left.copy())
        done: set[int] = set()
        full = True
        for line in lines:
            if line in done:
                continue
            kit = self.kit_of.get(line)
            members = self.grid.kits[kit][1] if kit is not None else [line]
            done.update(members)
            if kit is not None and self.grid.kits[kit][0] == 0:
                full = False
            elif self.grid.line_group[line] >= 0:
                full &= self.fill_whole(trial, order, members, banned)
            else:
                full &= self._each(trial, members, banned, all_of_them=kit is not None)
        if self.grid.orders[order].policy.complete and not full:
            return _Trial(self.left.copy())
        return trial

    def _each(self, trial: _Trial, lines: Sequence[int], banned: set[int], *, all_of_them: bool) -> bool:
        attempt = trial.copy()
        open_lines = [
            self.fill(
                attempt,
                line,
                [at for at in self.by_line[line] if self.os(at) not in banned],
                self.grid.lines[line][1].quantity,
            )
            for line in lines
        ]
        full = not any(open_lines)
        if full or not all_of_them:
            _become(trial, attempt)
        return full

    def whole_order(self, order: int, lines: Sequence[int]) -> list[tuple[int, Decimal]]:
        """One order for good: sources whose order minimum is not reached are left out, until all are."""
        banned: set[int] = set()
        while True:
            trial = self.order(order, lines, banned)
            short = {
                os
                for os in trial.sources
                if trial.worth[os] < self.grid.sources[int(self.grid.os_source[os])].order_minimum
            }
            if not short:
                self.left = trial.left
                return trial.picks
            banned |= short


def _become(trial: _Trial, other: _Trial) -> None:
    trial.left, trial.picks, trial.parcels = other.left, other.picks, other.parcels
    trial.sources, trial.worth = other.sources, other.worth


def greedy(problem: Problem, found: Index, grid: Grid, columns: Sequence[int], lines: Sequence[int]) -> list[Pick]:
    """Pieces for these lines of the grid from these columns: urgent orders first, then by date wanted, then by id."""
    filler = _Greedy(problem, found, grid, columns)
    by_order: dict[int, list[int]] = defaultdict(list)
    for line in lines:
        by_order[int(grid.line_order[line])].append(line)

    turns = urgent_first(grid, list(by_order))
    taken = [pick for number in turns for pick in filler.whole_order(number, by_order[number])]
    return [to_pick(grid, at, quantity) for at, quantity in taken]


def to_pick(grid: Grid, at: int, quantity: Decimal) -> Pick:
    """A quantity of a column as a piece."""
    number, line = grid.lines[int(grid.col_line[at])]
    parcel = int(grid.col_parcel[at])
    service = grid.services[int(grid.parcel_service[parcel])]
    return Pick(
        grid.orders[number], line, int(grid.col_supply[at]), service, day_of(int(grid.parcel_day[parcel])), quantity
    )
