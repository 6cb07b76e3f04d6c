"""Orders that compete: each as if it were first, then one after another, then better, order by order.

Each order alone, with the shared pools all to itself, costs no more than in any plan for all: together these optima
are a floor, and where they do not take more than there is, they are the plan. Prices on what is scarce raise the floor
(a Lagrangian relaxation), and tell the orders what to leave to others. A plan is never dearer than the orders one after
another, urgent ones first: that is where the search begins.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from node.core.sourcing.dual import Dual, Look, Steps
from node.core.sourcing.grid import Floats, Grid, Ints, urgent_first
from node.core.sourcing.milp import Coupling
from node.core.sourcing.parts import Part
from node.core.sourcing.rows import Uses, rows_of, uses_of
from node.core.sourcing.single import Located, plant_location

__all__ = ["Alone", "Wave", "alone", "fits", "needed_columns"]

NEAR = 1e-9
PASSES = 4
ROUNDS = 80
TRIES = 2
EFFORT = 4_000_000
"""For one order, of the many times that it is solved."""
EFFORT_PROOF = 12_000_000
"""For one order, when the floor of all is proved."""
NONE: Ints = np.zeros(0, np.int64)


@dataclass(slots=True)
class Alone:
    """One order's part of what competes, and its best when it is first."""

    part: Part
    pools: list[int]
    """Which of the pools of all orders its pools are."""
    located: Located


def alone(grid: Grid, part: Part) -> list[Alone]:
    """The best for each of the part's orders, as if it were first."""
    return [Alone(one, pools, plant_location(rows_of(grid, one))) for one, pools in _by_order(grid, part)]


def _by_order(grid: Grid, part: Part) -> list[tuple[Part, list[int]]]:
    if len(part.orders) == 1:
        return [(part, list(range(len(part.pools))))]
    found = {order: Part([order]) for order in part.orders}
    for line in part.lines:
        found[int(grid.line_order[line])].lines.append(line)
    for column in part.columns:
        found[int(grid.line_order[grid.col_line[column]])].columns.append(column)
    numbers: dict[int, list[int]] = defaultdict(list)
    for number, pool in enumerate(part.pools):
        mine: dict[int, Coupling] = {}
        for at, value in zip(pool.columns, pool.coefficients, strict=True):
            one = mine.setdefault(int(grid.line_order[grid.col_line[at]]), Coupling([], [], pool.limit))
            one.columns.append(at)
            one.coefficients.append(value)
        for order, one in mine.items():
            found[order].pools.append(one)
            numbers[order].append(number)
    return [(one, numbers[order]) for order, one in found.items()]


def needed_columns(grid: Grid, one: Alone, slack: float) -> list[int]:
    """The columns that a plan of one order can use which costs less than its floor and the slack."""
    if slack <= NEAR * (1 + abs(one.located.floor)):
        return one.part.columns
    rows = one.located.rows
    parcels = {parcel for parcel, use in zip(rows.parcels, one.located.needed(slack), strict=True) if use}
    return [at for at in one.part.columns if int(grid.col_parcel[at]) in parcels]


def fits(quantities: Mapping[int, float], pools: Sequence[Coupling]) -> bool:
    """Whether no pool gives more than it has."""
    return all(_used(quantities, pool) <= pool.limit * (1 + NEAR) for pool in pools)


def _used(quantities: Mapping[int, float], pool: Coupling) -> float:
    pairs = zip(pool.columns, pool.coefficients, strict=True)
    return sum(quantities.get(at, 0.0) * value for at, value in pairs)


def cost_of(grid: Grid, part: Part, quantities: Mapping[int, float]) -> float:
    """What quantities by column cost, with what they leave open of the part's lines."""
    need = dict(zip(part.lines, grid.need[part.lines].tolist(), strict=True))
    columns = np.array([at for at, quantity in quantities.items() if quantity > 0], np.int64)
    cost = 0.0
    if len(columns):
        given = np.array([quantities[at] for at in columns.tolist()])
        parcels = np.unique(grid.col_parcel[columns])
        os = np.unique(grid.parcel_os[parcels])
        orders, sources = np.unique(grid.os_order[os], return_counts=True)
        cost = float(grid.cost[columns] @ given + grid.lp_fixed[np.unique(grid.col_lp[columns])].sum())
        cost += float(grid.parcel_fixed[parcels].sum() + grid.os_fixed[os].sum())
        cost += float(grid.split[orders] @ (sources - 1))
        for line, quantity in zip(grid.col_line[columns].tolist(), given.tolist(), strict=True):
            need[line] -= quantity
    return cost + float(sum(max(0.0, left) * float(grid.unfilled[line]) for line, left in need.items()))


@dataclass(slots=True)
class _Priced:
    """One order in the relaxation of all."""

    dual: Dual
    every: Ints
    kept: NDArray[np.bool_]
    """By parcel, whether a better plan may use it."""


def _least(dual: Dual, look: Look) -> float:
    """What an order costs at least at the prices: one that is complete or nothing may also be nothing."""
    return min(look.bound, dual.rows.nothing) if dual.rows.complete else look.bound


Plan = dict[int, dict[int, float]]
"""By order, quantities by column."""


class Wave:
    """Orders that compete, the best plan that was found for them, and what no plan costs less than."""

    def __init__(self, grid: Grid, part: Part, first: Sequence[Alone], gap: float) -> None:
        self.grid, self.part, self.gap = grid, part, gap
        self.precise = True
        self.first = {one.part.orders[0]: one for one in first}
        self.crowds = [(at, one.orders_left) for at, one in enumerate(grid.sources) if one.orders_left is not None]
        """Sources that send to so many orders only: they come after the pools in all that is counted by pool."""
        self.limits: Floats = np.array(
            [*(pool.limit for pool in part.pools), *(left for _, left in self.crowds)], np.float64
        )
        self.numbers = {
            order: [*one.pools, *range(len(part.pools), len(self.limits))] for order, one in self.first.items()
        }
        self.floor = sum(one.located.floor for one in first)
        self.memory: dict[tuple[int, bytes], dict[int, float]] = {}
        self.prices: Floats = np.zeros(len(self.limits))
        self.turn = urgent_first(grid, part.orders)
        self.kept: dict[int, NDArray[np.bool_]] = {}
        self.plan = self.in_turn(self.turn, np.zeros(len(self.limits)))
        self.cost = self.cost_of(self.plan)

    # --- orders one by one ----------------------------------------------------------------------------------------

    def used(self, order: int, quantities: Mapping[int, float]) -> Floats:
        """What one order takes of every pool."""
        one = self.first[order]
        total = np.zeros(len(self.limits))
        for number, pool in zip(one.pools, one.part.pools, strict=True):
            total[number] = _used(quantities, pool)
        if self.crowds:
            columns = [at for at, quantity in quantities.items() if quantity > 0]
            sources = set(self._sources(columns).tolist())
            total[len(self.part.pools) :] = [source in sources for source, _ in self.crowds]
        return total

    def _sources(self, columns: Sequence[int]) -> Ints:
        return self.grid.os_source[self.grid.parcel_os[self.grid.col_parcel[list(columns)]]]

    def cost_of(self, plan: Plan) -> float:
        """Of all orders together."""
        return sum(cost_of(self.grid, self.first[order].part, given) for order, given in plan.items())

    def best(self, order: int, left: Floats, prices: Floats) -> dict[int, float]:
        """The order's best from what is left, where a unit of a pool costs its price besides."""
        one = self.first[order]
        if not prices[one.pools].any() and (self.used(order, one.located.quantities) <= left + NEAR * (1 + left)).all():
            return one.located.quantities
        numbers = self.numbers[order]
        key = (order, left[numbers].tobytes() + prices[numbers].tobytes())
        if key not in self.memory:
            self.memory[key] = self.located(order, left, prices).quantities
        return self.memory[key]

    def located(self, order: int, left: Floats, prices: Floats, effort: int = EFFORT) -> Located:
        """The same with its floor."""
        grid, one = self.grid, self.first[order]
        most, cost = grid.most.copy(), grid.cost.copy()
        pools = []
        for number, pool in zip(one.pools, one.part.pools, strict=True):
            columns, values = np.array(pool.columns, np.int64), np.array(pool.coefficients)
            room = max(0.0, float(left[number]))
            with np.errstate(divide="ignore"):
                steps = np.floor(room / (values * grid.step[columns]) + NEAR)
            most[columns] = np.minimum(most[columns], steps)
            cost[columns] += prices[number] * values
            pools.append(Coupling(pool.columns, pool.coefficients, room))
        columns = np.array(one.part.columns, np.int64)
        full = [source for at, (source, _) in enumerate(self.crowds, len(self.part.pools)) if left[at] < 1]
        if full:
            columns = columns[~np.isin(self._sources(columns.tolist()), full)]
        keep = columns[most[columns] >= 1].tolist()
        rows = rows_of(replace(grid, most=most, cost=cost), Part([order], one.part.lines, keep, pools))
        if self.precise:
            return plant_location(rows)
        return plant_location(rows, max(NEAR, self.gap / 5), effort)

    def in_turn(self, turn: Sequence[int], prices: Floats) -> Plan:
        """Each order takes the best of what those before it have left."""
        left, plan = self.limits.copy(), {}
        for order in turn:
            plan[order] = self.best(order, left, prices)
            left -= self.used(order, plan[order])
        return plan

    def offer(self, plan: Plan) -> bool:
        """Keep a plan if it is the best."""
        cost = self.cost_of(plan)
        if cost >= self.cost - NEAR * (1 + abs(cost)):
            return False
        self.plan, self.cost = dict(plan), cost
        return True

    # --- the floor ------------------------------------------------------------------------------------------------

    def near(self) -> bool:
        """Whether the plan is as near to the floor as is asked for."""
        return self.cost - self.floor <= max(self.gap * abs(self.cost), NEAR * (1 + abs(self.cost)))

    def raise_floor(self) -> None:
        """Prices on pools, all orders' rows priced with them."""
        # An order that nobody can cover has no rows: it is a constant.
        priced = {order: self._priced(one) for order, one in self.first.items() if len(one.located.rows.open_cost)}
        constant = sum(one.located.rows.constant for one in self.first.values())
        steps = Steps(sum(len(one.dual.price) for one in priced.values()), len(self.limits))
        pool, best = self._first_prices(), -np.inf
        for one in priced.values():
            one.dual.set_pool(pool)
        for _ in range(ROUNDS):
            looks = {order: one.dual.look(NONE, one.every) for order, one in priced.items()}
            least = sum(_least(priced[order].dual, look) for order, look in looks.items())
            bound = constant + least - float(pool @ self.limits)
            for order, one in priced.items():
                one.kept &= bound + looks[order].adds <= self.cost * (1 + NEAR)
            if bound > best:
                best, self.prices = bound, pool
            self.floor = max(self.floor, min(bound, self.cost))
            if self.near():
                break
            pool = self._step(priced, looks, steps, pool, bound)
        self.kept = {order: one.kept for order, one in priced.items()}

    def _first_prices(self) -> Floats:
        """What pools are worth to the order alone that wants them most."""
        found = np.zeros(len(self.limits))
        for one in self.first.values():
            if one.located.pool is not None and len(one.located.pool):
                numbers = [one.pools[number] for number in one.located.rows.pools]
                np.maximum.at(found, numbers, one.located.pool)
        return found

    def _priced(self, one: Alone) -> _Priced:
        rows = replace(one.located.rows, uses=self._uses(one), limits=np.zeros(len(self.limits)), short=[])
        count = len(rows.parcels)
        dual = Dual(rows, one.located.cost - rows.constant)
        if one.located.price is not None:
            dual.price = one.located.price
        return _Priced(dual, np.arange(count), np.ones(count, np.bool_))

    def _uses(self, one: Alone) -> Uses:
        """What the cells of one order take of the pools, used wholly; nothing where a cell has several columns."""
        grid, rows = self.grid, one.located.rows
        row_of = dict(zip(rows.line.tolist(), rows.of_row.tolist(), strict=True))
        need_of = dict(zip(rows.line.tolist(), rows.need.tolist(), strict=True))
        place_of = {parcel: at for at, parcel in enumerate(rows.parcels)}
        alone_in_cell = self._single_cells()
        found: list[tuple[int, int, int, float]] = []
        for number, pool in zip(one.pools, one.part.pools, strict=True):
            for at, value in zip(pool.columns, pool.coefficients, strict=True):
                line, parcel = int(grid.col_line[at]), int(grid.col_parcel[at])
                if line in row_of and parcel in place_of and alone_in_cell[at] and value > 0:
                    given = min(need_of[line], float(grid.most[at] * grid.step[at]))
                    found.append((row_of[line], place_of[parcel], number, value * given))
        return uses_of(found)

    def _single_cells(self) -> NDArray[np.bool_]:
        return np.asarray(np.bincount(self.grid.col_lp)[self.grid.col_lp] == 1)

    def _step(
        self, priced: dict[int, _Priced], looks: dict[int, Look], steps: Steps, pool: Floats, bound: float
    ) -> Floats:
        used = np.sum([look.used for look in looks.values()], axis=0)
        slope = used / np.maximum(self.limits, NEAR) - 1
        slope = np.where((pool > 0) | (slope > 0), slope, 0.0)
        rows = np.concatenate([1 - look.taken for look in looks.values()])
        steps.turn(rows, slope, bound)
        far = steps.length(bound, self.cost)
        begin = 0
        pool = np.maximum(0.0, pool + far * steps.pools / np.maximum(self.limits, NEAR))
        for one in priced.values():
            count = len(one.dual.price)
            moved = one.dual.price + far * steps.rows[begin : begin + count]
            one.dual.price = np.minimum(one.dual.rows.open_cost, moved)
            one.dual.set_pool(pool)
            begin += count
        return pool

    def proved_floor(self) -> None:
        """Every order to its optimum at the prices: together, less what the prices take, no plan costs less."""
        total = -float(self.prices @ self.limits)
        for order in self.first:
            total += self.located(order, self.limits, self.prices, EFFORT_PROOF).floor
        self.floor = max(self.floor, min(total, self.cost))

    # --- better plans ---------------------------------------------------------------------------------------------

    def improve(self) -> None:
        """Order by order what is best beside what the others have; then orders in pairs."""
        none = np.zeros(len(self.limits))
        for share in (1.0, 0.5):
            if self.near():
                return
            if self.prices.any():
                self.offer(self._settled(self.in_turn(self.turn, self.prices * share)))
        for _ in range(TRIES):
            before = self.cost
            self.offer(self._settled(self.plan))
            for order in self._worst_first():
                if self.near():
                    return
                self._first_of_all(order, none)
            if self.cost >= before - NEAR * (1 + abs(before)):
                return

    def _settled(self, plan: Plan) -> Plan:
        """Each order's best beside what the others have, until none changes for the better."""
        none, plan = np.zeros(len(self.limits)), dict(plan)
        left = self.limits - sum(self.used(order, given) for order, given in plan.items())
        costs = {order: cost_of(self.grid, self.first[order].part, given) for order, given in plan.items()}
        for _ in range(PASSES):
            moved = False
            for order in self.turn:
                if costs[order] <= self.first[order].located.floor * (1 + NEAR):
                    continue
                mine = left + self.used(order, plan[order])
                other = self.best(order, mine, none)
                cost = cost_of(self.grid, self.first[order].part, other)
                if cost < costs[order] - NEAR * (1 + abs(cost)):
                    plan[order], costs[order], moved = other, cost, True
                    left = mine - self.used(order, other)
            if not moved:
                break
        return plan

    def _worst_first(self) -> list[int]:
        """Orders that pay more than they would alone, those first that pay most."""
        extra = {
            order: cost_of(self.grid, one.part, self.plan[order]) - one.located.floor
            for order, one in self.first.items()
        }
        return sorted((one for one in extra if extra[one] > NEAR * (1 + self.cost)), key=lambda one: -extra[one])

    def _first_of_all(self, order: int, none: Floats) -> None:
        """The order takes its best; those that lose by it take the best of what is left."""
        plan = dict(self.plan)
        plan[order] = self.best(order, self.limits, none)
        mine = self.used(order, plan[order])
        left = self.limits - mine
        losers = []
        for other in self.turn:
            if other == order:
                continue
            theirs = self.used(other, plan[other])
            if (theirs > left + NEAR * (1 + left)).any():
                losers.append(other)
            else:
                left = left - theirs
        for other in losers:
            plan[other] = self.best(other, left, none)
            left = left - self.used(other, plan[other])
        self.offer(plan)

    def search(self) -> None:
        """A plan within the gap of what is shown to be the least, or the best that a few rounds find."""
        if self.near():
            return
        self.precise = False
        self.offer(self._settled(self.plan))
        if not self.near():
            self.raise_floor()
        if not self.near() and self.prices.any():
            self.proved_floor()
        self.improve()

    def quantities(self) -> dict[int, float]:
        """By column, of the plan."""
        return {at: quantity for given in self.plan.values() for at, quantity in given.items()}

    def needed_columns(self) -> list[int]:
        """The columns that a plan can use which costs less than the one that is known."""
        kept: list[int] = []
        for order, one in self.first.items():
            parcels = one.located.rows.parcels
            use = self.kept.get(order, np.ones(len(parcels), np.bool_))
            here = {parcel for parcel, keep in zip(parcels, use.tolist(), strict=False) if keep}
            kept.extend(at for at in one.part.columns if int(self.grid.col_parcel[at]) in here)
        return sorted(kept)
