"""One order alone as rows to cover and parcels to cover them with, and what couples rows besides the parcels."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from node.core.sourcing.coupled import Cluster, Kit, Row, Shared, whole_line
from node.core.sourcing.filling import Column, Line
from node.core.sourcing.grid import Floats, Grid, Ints
from node.core.sourcing.parts import Part

__all__ = ["Rows", "Uses", "rows_of", "uses_of"]

NEAR = 1e-9
INFINITE = float("inf")
STEPS_MAX = 1e4
"""Of a line in a complete order: parts smaller than this are not told from nothing."""


@dataclass(slots=True)
class Uses:
    """What cells take of pools when they are used wholly: arrays of one length."""

    row: Ints
    parcel: Ints
    pool: Ints
    amount: Floats


@dataclass(slots=True)
class Rows:
    """What is to be covered (a line, or lines that come together), and what each parcel asks for it at least.

    A row is plain when one parcel at most gives to it, and nothing but the parcel's being open counts. Of the others
    the table tells a floor: what a parcel can give, all at its cheapest.
    """

    parcels: list[int] = field(default_factory=list)
    """Their numbers in the grid."""
    share: Floats = field(default_factory=lambda: np.zeros((0, 0)))
    """By row and parcel, how much of the row the parcel has: 1 is all."""
    cost: Floats = field(default_factory=lambda: np.zeros((0, 0)))
    """By row and parcel, that share of the row; infinite where a parcel has nothing of it."""
    line: Ints = field(default_factory=lambda: np.zeros(0, np.int64))
    """The lines of all rows, by their number in the grid."""
    of_row: Ints = field(default_factory=lambda: np.zeros(0, np.int64))
    """By line of all rows, the row."""
    column: Ints = field(default_factory=lambda: np.zeros((0, 0), np.int64))
    """By line of all rows and parcel, the column of the grid that gives all of it, where the row is plain."""
    need: Floats = field(default_factory=lambda: np.zeros(0))
    """By line of all rows."""
    open_cost: Floats = field(default_factory=lambda: np.zeros(0))
    """By row, to leave it open."""
    nothing: float = 0.0
    """What it costs to leave all rows open; in a complete order `open_cost` has more."""
    mixed: dict[int, Row] = field(default_factory=dict)
    """Rows that several parcels may give to, by themselves."""
    clusters: list[tuple[list[int], Cluster]] = field(default_factory=list)
    """Rows that are coupled."""
    uses: Uses | None = None
    """Of the pools that couple rows of this order."""
    limits: Floats = field(default_factory=lambda: np.zeros(0))
    """Of those pools."""
    pools: list[int] = field(default_factory=list)
    """Which of the part's they are."""
    short: list[tuple[list[int], list[int]]] = field(default_factory=list)
    """Rows that want more than the pools have, where they have nothing else; and those pools."""
    fixed: Floats = field(default_factory=lambda: np.zeros(0))
    """By parcel."""
    source: Ints = field(default_factory=lambda: np.zeros(0, np.int64))
    """By parcel, 0 upwards."""
    source_fixed: Floats = field(default_factory=lambda: np.zeros(0))
    split: float = 0.0
    sources_max: int | None = None
    complete: bool = False
    constant: float = 0.0
    """What rows cost that nobody can cover at all; they are left out."""


class _Builder:
    """The columns of one order, by row and parcel."""

    def __init__(self, grid: Grid, part: Part) -> None:
        self.grid, self.part = grid, part
        self.order = part.orders[0]
        self.policy = grid.orders[self.order].policy
        self.columns = self._reachable(np.array(part.columns, np.int64))
        self.lines = np.array(part.lines, np.int64)
        self.need = grid.need[self.lines].copy()
        self.constant = 0.0
        self.line = np.searchsorted(self.lines, grid.col_line[self.columns])
        self.most = grid.most[self.columns] * grid.step[self.columns]
        self.kits = self._kits()
        if self.kits:
            steps = np.floor(self.most / grid.step[self.columns] + NEAR)
            keep = (steps >= 1) & (grid.minimum[self.columns] <= self.need[self.line])
            self.columns, self.line = self.columns[keep], self.line[keep]
            self.most = steps[keep] * grid.step[self.columns]
        self.parcels, self.parcel = np.unique(grid.col_parcel[self.columns], return_inverse=True)
        self.full = self.most >= self.need[self.line] * (1 - NEAR)
        self.whole = grid.line_group[self.lines] >= 0
        self.shared = self._shared()

    def _reachable(self, columns: Ints) -> Ints:
        """Without those from sources whose order minimum all lines together do not reach."""
        grid = self.grid
        source = grid.os_source[grid.parcel_os[grid.col_parcel[columns]]]
        asking = [at for at in np.unique(source).tolist() if grid.sources[at].order_minimum > 0]
        for number in asking:
            best: dict[int, float] = {}
            for at in columns[source == number].tolist():
                line = int(grid.col_line[at])
                best[line] = max(best.get(line, 0.0), float(grid.need[line] * grid.worth[at]))
            if sum(best.values()) < float(grid.sources[number].order_minimum) * (1 - NEAR):
                keep = source != number
                columns, source = columns[keep], source[keep]
        return columns

    def _kits(self) -> list[Kit]:
        """Kits whose lines may be split, for as many as there can be at all; lines ask for no more than that."""
        grid, found = self.grid, []
        here = {line: at for at, line in enumerate(self.part.lines)}
        for number, lines in grid.kits:
            if lines[0] not in here or grid.line_group[lines[0]] >= 0:
                continue
            count = number
            for line in lines:
                at = here[line]
                got = self.line == at
                _, first = np.unique(grid.col_supply[self.columns[got]], return_index=True)
                have = float(self.most[got][first].sum())
                count = min(count, int(have * number / self.need[at] + NEAR))
            count = count if all(self._some_for(here[line], count, number) for line in lines) else 0
            for line in lines:
                at = here[line]
                rest = self.need[at] * count / number if number else 0.0
                self.constant += float((self.need[at] - rest) * grid.unfilled[line])
                self.need[at] = rest
                got = self.line == at
                self.most[got] = np.minimum(self.most[got], rest)
            if count:
                found.append(Kit(count, lines))
        return found

    def _some_for(self, at: int, count: int, number: int) -> bool:
        """Whether any column can give to a kit's line when so many kits are made."""
        rest = self.need[at] * count / max(1, number)
        columns = self.columns[self.line == at]
        return bool(((self.grid.step[columns] <= rest * (1 + NEAR)) & (self.grid.minimum[columns] <= rest)).any())

    def _shared(self) -> list[Shared]:
        """Pools that these lines can overdraw, and order minimums."""
        grid = self.grid
        here = {at: place for place, at in enumerate(self.columns.tolist())}
        found = []
        for number, pool in enumerate(self.part.pools):
            wanted: dict[int, float] = defaultdict(float)
            coefficients = {}
            for at, value in zip(pool.columns, pool.coefficients, strict=True):
                if at in here and value > 0:
                    coefficients[at] = value
                    line = int(self.line[here[at]])
                    wanted[line] = max(wanted[line], value * float(self.need[line]))
            if sum(wanted.values()) > pool.limit * (1 + NEAR) and (
                len(wanted) > 1 or not self._one_supply(coefficients)
            ):
                found.append(Shared(coefficients, most=pool.limit, pool=number))
        source = grid.os_source[grid.parcel_os[grid.col_parcel[self.columns]]]
        for number in np.unique(source).tolist():
            least = float(grid.sources[number].order_minimum)
            if least > 0:
                columns = self.columns[source == number].tolist()
                found.append(Shared({at: float(grid.worth[at]) for at in columns}, least=least, source=number))
        return found

    def _one_supply(self, coefficients: dict[int, float]) -> bool:
        """Whether it is one supply's stock: then one line by itself keeps to it."""
        return len({int(self.grid.col_supply[at]) for at in coefficients}) == 1 and set(coefficients.values()) == {1.0}

    def groups(self) -> list[list[int]]:
        """The places of lines that make a row each; without those that ask for nothing, or that nobody can cover."""
        grid = self.grid
        empty = {line for count, lines in grid.kits if count == 0 for line in lines}
        found: dict[tuple[str, int], list[int]] = defaultdict(list)
        for at, (line, whole) in enumerate(zip(self.lines.tolist(), self.whole.tolist(), strict=True)):
            if self.need[at] > 0 and line not in empty:
                found["group" if whole else "line", int(grid.line_group[line]) if whole else line].append(at)
            elif self.need[at] > 0:
                self.constant += float(self.need[at] * grid.unfilled[line])
        return list(found.values())

    def row(self, places: Sequence[int]) -> Row:
        """Lines as a row with all their columns."""
        grid, lines = self.grid, []
        for place in places:
            number = int(self.lines[place])
            columns = []
            for at in np.flatnonzero((self.line == place) & (self.most > 0)).tolist():
                column, parcel = int(self.columns[at]), int(self.parcel[at])
                columns.append(
                    Column(
                        at=column,
                        parcel=parcel,
                        source=int(grid.os_source[grid.parcel_os[self.parcels[parcel]]]),
                        supply=int(grid.col_supply[column]),
                        most=float(self.most[at]),
                        unit=float(grid.cost[column]),
                        fixed=float(grid.lp_fixed[grid.col_lp[column]]),
                        step=float(grid.step[column]),
                        minimum=float(grid.minimum[column]),
                    )
                )
            lines.append(Line(number, float(self.need[place]), float(grid.unfilled[number]), columns))
        return Row(lines, bool(self.whole[places[0]]))


def rows_of(grid: Grid, part: Part) -> Rows:
    """The part, one order's, as rows and parcels. Of its pools those count that its own lines can overdraw."""
    builder = _Builder(grid, part)
    policy = builder.policy
    rows = Rows(
        split=float(grid.split[builder.order]), sources_max=policy.split_orders_max, complete=policy.complete,
        parcels=builder.parcels.tolist(),
    )  # fmt: skip
    table, share, column, plain = _table(builder)
    groups = builder.groups()
    tied = _tied(builder, groups)
    loose = len(groups) == len(builder.lines) and not tied and bool(plain.all())
    found: dict[int, Row] = {}
    if loose:
        rows.cost, rows.share = table, share
    else:
        rows.cost, rows.share = _values(builder, groups, table, share)
        for number, places in enumerate(groups):
            if number in tied or not plain[places].all():
                row = found[number] = builder.row(places)
                if row.whole:
                    rows.cost[number], rows.share[number] = _floor(row, len(rows.parcels))
    rows.open_cost = np.array([(builder.need[at] * grid.unfilled[builder.lines[at]]).sum() for at in groups])
    kept = np.isfinite(rows.cost).any(axis=1) if len(groups) else np.zeros(0, np.bool_)
    rows.constant = builder.constant + float(rows.open_cost[~kept].sum())
    if rows.complete and (builder.constant > 0 or not kept.all()):
        return Rows(constant=float((grid.need[builder.lines] * grid.unfilled[builder.lines]).sum()))
    rows.cost, rows.share, rows.open_cost = rows.cost[kept], rows.share[kept], rows.open_cost[kept]
    number_of = {int(old): new for new, old in enumerate(np.flatnonzero(kept))}
    _members(builder, rows, [groups[old] for old in number_of], column)
    _coupling(builder, rows, {number_of[old]: row for old, row in found.items() if old in number_of}, tied, number_of)
    rows.fixed = grid.parcel_fixed[builder.parcels]
    used, rows.source = np.unique(grid.parcel_os[builder.parcels], return_inverse=True)
    rows.source_fixed = grid.os_fixed[used]
    _charge_open(rows)
    return rows


def _charge_open(rows: Rows) -> None:
    """A complete order leaves nothing open: the least step costs more here than any plan, and is seen in the end."""
    rows.nothing = float(rows.open_cost.sum())
    if not rows.complete:
        return
    dear = np.where(np.isfinite(rows.cost), rows.cost, 0.0).sum() + rows.fixed.sum() + rows.source_fixed.sum()
    extra = 2 * (rows.nothing + float(dear) + rows.split * len(rows.source))
    rows.open_cost = rows.open_cost + extra
    coupled = [(number, row) for members, one in rows.clusters for number, row in zip(members, one.rows, strict=True)]
    for number, row in [*rows.mixed.items(), *coupled]:
        for line in row.lines:
            steps = max((line.need / one.step for one in line.columns), default=1.0)
            line.open_unit += extra * min(steps, STEPS_MAX) / line.need
        rows.open_cost[number] = sum(line.need * line.open_unit for line in row.lines)


def _table(builder: _Builder) -> tuple[Floats, Floats, Ints, NDArray[np.bool_]]:
    """By line and parcel the least cost, the share given for it, the column; and by line whether it is plain."""
    grid, columns, line, parcel = builder.grid, builder.columns, builder.line, builder.parcel
    shape = (len(builder.lines), len(builder.parcels))
    cell = line * shape[1] + parcel
    plain = np.ones(shape[0], np.bool_)
    partly = ~builder.full
    if partly.any():
        # What has a part only is of no use to lines that come whole, unless it comes together with others.
        alone = np.bincount(cell, minlength=shape[0] * shape[1])[cell] == 1
        partly &= ~(builder.whole[line] & alone)
        plain[line[partly]] = False
    unit = grid.cost[columns]
    fixed = grid.lp_fixed[grid.col_lp[columns]]
    table, share = np.full(shape, INFINITE), np.zeros(shape)
    column = np.full(shape, -1, np.int64)
    some = np.flatnonzero(builder.full & plain[line])
    total = unit[some] * builder.need[line[some]] + fixed[some]
    turn = np.argsort(-total, kind="stable")
    # Of several columns in a cell the last counts, which is the cheapest.
    table.flat[cell[some][turn]] = total[turn]
    share.flat[cell[some]] = 1.0
    column.flat[cell[some][turn]] = columns[some][turn]
    if not plain.all():
        some = np.flatnonzero(~plain[line])
        given, least = np.zeros(table.size), np.full(table.size, INFINITE)
        np.add.at(given, cell[some], builder.most[some])
        np.minimum.at(least, cell[some], unit[some])
        places = np.unique(cell[some])
        need = builder.need[places // shape[1]]
        given = np.minimum(need, given[places])
        charged = np.zeros(table.size)
        charged[cell[some]] = fixed[some]
        table.flat[places], share.flat[places] = least[places] * given + charged[places], given / need
    return table, share, column, plain


def _values(builder: _Builder, groups: Sequence[Sequence[int]], table: Floats, share: Floats) -> tuple[Floats, Floats]:
    """The table by row. Lines that come together cost together, in a parcel that has all of each."""
    if all(len(places) == 1 for places in groups):
        every = [places[0] for places in groups]
        return table[every], share[every]
    cost = np.array([table[list(places)].sum(axis=0) for places in groups])
    return cost, np.array([share[list(places)].min(axis=0) for places in groups])


def _floor(row: Row, parcels: int) -> tuple[Floats, Floats]:
    """What a row that comes whole costs by parcel, where it may take from several columns of each."""
    cost = np.full(parcels, INFINITE)
    for parcel in {one.parcel for line in row.lines for one in line.columns}:
        cost[parcel] = sum(whole_line(line, parcel).cost for line in row.lines)
    return cost, np.where(np.isfinite(cost), 1.0, 0.0)


def _members(builder: _Builder, rows: Rows, groups: Sequence[Sequence[int]], column: Ints) -> None:
    every = [place for places in groups for place in places]
    rows.of_row = np.repeat(np.arange(len(groups)), [len(places) for places in groups])
    rows.column, rows.need, rows.line = column[every], builder.need[every], builder.lines[every]


def _tied(builder: _Builder, groups: Sequence[Sequence[int]]) -> dict[int, int]:
    """Rows that are coupled, each with the number of its cluster: the least of its rows."""
    if not builder.shared and not builder.kits:
        return {}
    group_of = {int(builder.lines[place]): number for number, places in enumerate(groups) for place in places}
    line_of = dict(zip(builder.columns.tolist(), builder.lines[builder.line].tolist(), strict=True))
    together = [{line_of[at] for at in one.coefficients} for one in builder.shared] + [
        set(kit.lines) for kit in builder.kits
    ]
    leader: dict[int, int] = {}

    def root(one: int) -> int:
        while leader.setdefault(one, one) != one:
            one = leader[one]
        return one

    for lines in together:
        numbers = sorted({root(group_of[line]) for line in lines if line in group_of})
        for number in numbers:
            leader[number] = numbers[0]
    return {number: root(number) for number in list(leader)}


def _coupling(
    builder: _Builder, rows: Rows, found: dict[int, Row], tied: dict[int, int], number_of: dict[int, int]
) -> None:
    """Rows that are not plain: by themselves, or in their clusters."""
    clusters: dict[int, list[int]] = defaultdict(list)
    for old, first in tied.items():
        if old in number_of:
            clusters[first].append(number_of[old])
    rows.mixed = dict(found)
    for members in clusters.values():
        here = [rows.mixed.pop(number) for number in sorted(members)]
        lines = {line.number for row in here for line in row.lines}
        columns = {one.at for row in here for line in row.lines for one in line.columns}
        mine = [one for one in builder.shared if columns.intersection(one.coefficients)]
        kits = [kit for kit in builder.kits if lines.intersection(kit.lines)]
        for one in mine:
            one.coefficients = {at: value for at, value in one.coefficients.items() if at in columns}
        rows.clusters.append((sorted(members), Cluster(here, mine, kits)))
    pools = [one for _, cluster in rows.clusters for one in cluster.every if one.source < 0]
    if pools:
        rows.uses = _uses(builder, rows, pools)
        rows.limits = np.array([one.most for one in pools])
        rows.pools = [one.pool for one in pools]
        rows.short = _short(rows)


def _short(rows: Rows) -> list[tuple[list[int], list[int]]]:
    """Clusters whose rows want more than all their pools have."""
    found, first = [], 0
    for members, cluster in rows.clusters:
        mine = [one for one in cluster.every if one.source < 0]
        wanted = sum(line.need for row in cluster.rows for line in row.lines)
        everywhere = {at for one in mine for at in one.coefficients} >= cluster.columns.keys()
        if everywhere and sum(one.most for one in mine) < wanted and not cluster.kits:
            found.append((members, list(range(first, first + len(mine)))))
        first += len(mine)
    return found


def _uses(builder: _Builder, rows: Rows, pools: Sequence[Shared]) -> Uses:
    """What the clusters' cells take of their pools at least, used wholly."""
    cells: dict[tuple[int, int], tuple[int, list[Column], float]] = {}
    cell_of: dict[int, tuple[int, int]] = {}
    for members, cluster in rows.clusters:
        for number, row in zip(members, cluster.rows, strict=True):
            for line in row.lines:
                for one in line.columns:
                    key = cell_of[one.at] = (line.number, one.parcel)
                    cells.setdefault(key, (number, [], line.need))[1].append(one)
    found: list[tuple[int, int, int, float]] = []
    for place, pool in enumerate(pools):
        for key in sorted({cell_of[at] for at in pool.coefficients}):
            number, columns, need = cells[key]
            given = min(need, sum(one.most for one in columns))
            amount = given * min(pool.coefficients.get(one.at, 0.0) for one in columns)
            if amount > 0:
                found.append((number, key[1], place, amount))
    return uses_of(found)


def uses_of(found: Sequence[tuple[int, int, int, float]]) -> Uses:
    """Rows, parcels, pools and amounts as arrays."""
    row, parcel, pool, amount = ([one[place] for one in found] for place in range(4))
    return Uses(np.array(row, np.int64), np.array(parcel, np.int64), np.array(pool, np.int64), np.array(amount, float))
