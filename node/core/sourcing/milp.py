"""The exact model of a grid as a mixed integer programme, solved by HiGHS.

Fixed charges are facility location's: a column needs its parcel, a parcel needs its source. See Krarup and Pruzan
(1983), "The simple plant location problem".
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

import highspy
import numpy as np

from node.core.sourcing.grid import Floats, Grid
from node.core.sourcing.limits import STEP_MIN

__all__ = ["Answer", "Coupling", "solve_model"]

INFINITE = float("inf")
ROW_WISE = 2
MINIMISE = 1
GAP_LEAST = 1e-9
"""What doubles can show of an optimum."""
SCALE_TO = 1e4


@dataclass(slots=True)
class Coupling:
    """A pool that columns share: sum of coefficient times quantity over them is at most `limit`."""

    columns: list[int]
    coefficients: list[float]
    limit: float


@dataclass(slots=True)
class Answer:
    """Quantities by column, and what the solver showed: status "optimal", "gap", "time-limit", or "" for no answer."""

    quantities: Floats
    status: str
    bound: float
    gap: float
    seconds: float


@dataclass(slots=True)
class _Model:
    costs: list[float] = field(default_factory=list)
    uppers: list[float] = field(default_factory=list)
    whole: list[int] = field(default_factory=list)
    starts: list[int] = field(default_factory=list)
    places: list[int] = field(default_factory=list)
    values: list[float] = field(default_factory=list)
    least: list[float] = field(default_factory=list)
    most: list[float] = field(default_factory=list)

    def variable(self, cost: float, upper: float, *, whole: bool) -> int:
        self.costs.append(cost)
        self.uppers.append(upper)
        self.whole.append(int(whole))
        return len(self.costs) - 1

    def row(self, terms: Iterable[tuple[int, float]], least: float, most: float) -> None:
        self.starts.append(len(self.places))
        for place, value in terms:
            self.places.append(place)
            self.values.append(value)
        self.least.append(least)
        self.most.append(most)


@dataclass(slots=True)
class _Groups:
    """Positions by what they belong to."""

    by_line: dict[int, list[int]] = field(default_factory=lambda: defaultdict(list))
    by_lp: dict[int, list[int]] = field(default_factory=lambda: defaultdict(list))
    by_line_os: dict[tuple[int, int], list[int]] = field(default_factory=lambda: defaultdict(list))
    by_os: dict[int, list[int]] = field(default_factory=lambda: defaultdict(list))


def solve_model(
    grid: Grid, columns: Sequence[int], lines: Sequence[int], pools: Sequence[Coupling], *, gap: float, seconds: float
) -> Answer:
    """The least cost over these columns and lines of the grid. `pools` count columns by their number in the grid."""
    model, builder = _Model(), _Groups()
    for at in columns:
        line, parcel = int(grid.col_line[at]), int(grid.col_parcel[at])
        builder.by_line[line].append(at)
        builder.by_lp[int(grid.col_lp[at])].append(at)
        builder.by_line_os[line, int(grid.parcel_os[parcel])].append(at)
        builder.by_os[int(grid.parcel_os[parcel])].append(at)
    taken = {
        at: model.variable(
            float(grid.cost[at] * _unit(grid, at)),
            float(grid.most[at] * grid.step[at] / _unit(grid, at)),
            whole=not _is_any(grid, at),
        )
        for at in columns
    }
    rest = {line: model.variable(float(grid.unfilled[line]), float(grid.need[line]), whole=False) for line in lines}
    parcels, sources = _charges(grid, model, builder, taken)
    for line in lines:
        terms = [(taken[at], _unit(grid, at)) for at in builder.by_line[line]]
        model.row([*terms, (rest[line], 1.0)], float(grid.need[line]), float(grid.need[line]))
    for pool in pools:
        terms = [
            (taken[at], coefficient * _unit(grid, at))
            for at, coefficient in zip(pool.columns, pool.coefficients, strict=True)
            if at in taken
        ]
        if terms:
            model.row(terms, -INFINITE, pool.limit)
    _minimums(grid, model, builder, taken, sources)
    _wholes(grid, model, lines, builder, taken, parcels)
    _orders(grid, model, lines, rest, sources)
    _kits(grid, model, lines, rest)
    return _run(grid, model, taken, gap=gap, seconds=seconds)


def _is_any(grid: Grid, at: int) -> bool:
    """Whether any quantity goes: then the variable is the quantity itself, else the number of steps."""
    return bool(grid.step[at] <= float(STEP_MIN))


def _unit(grid: Grid, at: int) -> float:
    return 1.0 if _is_any(grid, at) else float(grid.step[at])


def _charges(
    grid: Grid, model: _Model, builder: _Groups, taken: dict[int, int]
) -> tuple[dict[int, int], dict[int, int]]:
    """Variables of parcels and of orders' sources, and what ties columns to them."""
    parcels: dict[int, int] = {}
    sources: dict[int, int] = {}
    for lp, members in builder.by_lp.items():
        parcel = int(grid.lp_parcel[lp])
        os = int(grid.parcel_os[parcel])
        if os not in sources:
            sources[os] = model.variable(float(grid.os_fixed[os]), 1.0, whole=True)
        if parcel not in parcels:
            parcels[parcel] = model.variable(float(grid.parcel_fixed[parcel]), 1.0, whole=True)
            model.row([(parcels[parcel], 1.0), (sources[os], -1.0)], -INFINITE, 0.0)
        opener = parcels[parcel]
        if grid.lp_fixed[lp] > 0:
            opener = model.variable(float(grid.lp_fixed[lp]), 1.0, whole=True)
            model.row([(opener, 1.0), (parcels[parcel], -1.0)], -INFINITE, 0.0)
        need = float(grid.need[grid.lp_line[lp]])
        together = sum(model.uppers[taken[at]] * _unit(grid, at) for at in members)
        for at in members:
            model.row([(taken[at], 1.0), (opener, -model.uppers[taken[at]])], -INFINITE, 0.0)
        if len(members) > 1:
            terms = [(taken[at], _unit(grid, at)) for at in members]
            model.row([*terms, (opener, -min(need, together))], -INFINITE, 0.0)
    return parcels, sources


def _minimums(grid: Grid, model: _Model, builder: _Groups, taken: dict[int, int], sources: dict[int, int]) -> None:
    for members in builder.by_line_os.values():
        terms = [(taken[at], _unit(grid, at)) for at in members]
        for at in members:
            if grid.minimum[at] > 0:
                used = model.variable(0.0, 1.0, whole=True)
                model.row([(taken[at], 1.0), (used, -model.uppers[taken[at]])], -INFINITE, 0.0)
                model.row([*terms, (used, -float(grid.minimum[at]))], 0.0, INFINITE)
    for os, members in builder.by_os.items():
        least = float(grid.sources[grid.os_source[os]].order_minimum)
        if least > 0:
            worth = [(taken[at], float(grid.worth[at]) * _unit(grid, at)) for at in members]
            model.row([*worth, (sources[os], -least)], 0.0, INFINITE)


def _wholes(
    grid: Grid,
    model: _Model,
    lines: Sequence[int],
    builder: _Groups,
    taken: dict[int, int],
    parcels: dict[int, int],
) -> None:
    """What may not be split: one parcel has all of it, or none has any."""
    groups: dict[int, list[int]] = defaultdict(list)
    for line in lines:
        if grid.line_group[line] >= 0:
            groups[int(grid.line_group[line])].append(line)
    for members in groups.values():
        chosen: dict[int, int] = {}
        for line in members:
            by_parcel: dict[int, list[int]] = defaultdict(list)
            for at in builder.by_line[line]:
                by_parcel[int(grid.col_parcel[at])].append(at)
            for parcel in by_parcel.keys() - chosen.keys():
                chosen[parcel] = model.variable(0.0, 1.0, whole=True)
                model.row([(chosen[parcel], 1.0), (parcels[parcel], -1.0)], -INFINITE, 0.0)
        for line in members:
            for parcel, choice in chosen.items():
                terms = [(taken[at], _unit(grid, at)) for at in builder.by_line[line] if grid.col_parcel[at] == parcel]
                model.row([*terms, (choice, -float(grid.need[line]))], 0.0, 0.0)
        model.row([(choice, 1.0) for choice in chosen.values()], -INFINITE, 1.0)


def _orders(grid: Grid, model: _Model, lines: Sequence[int], rest: dict[int, int], sources: dict[int, int]) -> None:
    """Split limits and costs, orders that a source can send, and orders that go out complete or not at all."""
    by_order: dict[int, list[int]] = defaultdict(list)
    by_source: dict[int, list[int]] = defaultdict(list)
    for os, place in sources.items():
        by_order[int(grid.os_order[os])].append(place)
        by_source[int(grid.os_source[os])].append(place)
    for source, places in by_source.items():
        most = grid.sources[source].orders_left
        if most is not None and len(places) > most:
            model.row([(place, 1.0) for place in places], -INFINITE, float(most))
    for order, places in by_order.items():
        policy = grid.orders[order].policy
        if policy.split_orders_max is not None:
            model.row([(place, 1.0) for place in places], -INFINITE, float(max(0, policy.split_orders_max)))
        if grid.split[order] > 0 and len(places) > 1:
            further = model.variable(float(grid.split[order]), INFINITE, whole=False)
            model.row([*((place, 1.0) for place in places), (further, -1.0)], -INFINITE, 1.0)
        if policy.complete:
            done = model.variable(0.0, 1.0, whole=True)
            for line in lines:
                if grid.line_order[line] == order:
                    need = float(grid.need[line])
                    model.row([(rest[line], 1.0), (done, need)], need, need)
            for place in places:
                model.row([(place, 1.0), (done, -1.0)], -INFINITE, 0.0)


def _kits(grid: Grid, model: _Model, lines: Sequence[int], rest: dict[int, int]) -> None:
    here = set(lines)
    for count, members in grid.kits:
        if members[0] in here:
            made = model.variable(0.0, float(count), whole=True)
            for line in members:
                need = float(grid.need[line])
                model.row([(rest[line], 1.0), (made, need / max(1, count))], need, need)


def _run(grid: Grid, model: _Model, taken: dict[int, int], *, gap: float, seconds: float) -> Answer:
    solver = highspy.Highs()  # type: ignore[no-untyped-call]
    largest = max((abs(cost) for cost in model.costs), default=1.0)
    scale = SCALE_TO / largest if largest > SCALE_TO else 1.0
    for name, value in (
        ("output_flag", False),
        ("threads", 1),
        ("parallel", "off"),
        ("random_seed", 0),
        ("time_limit", max(0.001, seconds)),
        ("mip_rel_gap", max(gap, GAP_LEAST)),
        ("mip_abs_gap", GAP_LEAST),
        ("mip_feasibility_tolerance", 1e-7),
    ):
        solver.setOptionValue(name, value)
    count = len(model.costs)
    status = solver.passModel(
        count,
        len(model.starts),
        len(model.places),
        ROW_WISE,
        MINIMISE,
        0.0,
        np.array(model.costs) * scale,
        np.zeros(count),
        np.array(model.uppers),
        np.array(model.least),
        np.array(model.most),
        np.array([*model.starts, len(model.places)], np.int32),
        np.array(model.places, np.int32),
        np.array(model.values),
        np.array(model.whole, np.int32),
    )
    nothing = Answer(np.zeros(len(grid.cost)), "", -INFINITE, INFINITE, 0.0)
    if status == highspy.HighsStatus.kError:
        return nothing
    solver.run()
    found = solver.getInfo()
    if found.primal_solution_status != highspy.SolutionStatus.kSolutionStatusFeasible.value:
        return nothing
    values = np.asarray(solver.getSolution().col_value)
    quantities = np.zeros(len(grid.cost))
    for at, place in taken.items():
        quantities[at] = values[place] if _is_any(grid, at) else round(values[place]) * grid.step[at]
    done = solver.getModelStatus() == highspy.HighsModelStatus.kOptimal
    open_gap = float(found.mip_gap)
    status_name = ("optimal" if gap <= 0 or open_gap <= GAP_LEAST else "gap") if done else "time-limit"
    return Answer(quantities, status_name, float(found.mip_dual_bound) / scale, open_gap, float(solver.getRunTime()))
