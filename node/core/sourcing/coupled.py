"""Rows of one order that parcels alone do not couple: they share a pool, an order minimum, or a kit. Exact.

For a given choice of parcels each row is filled by itself, with prices on what is shared (a Lagrangian relaxation);
where the fillings together break what is shared, the bounds of one quantity are cut in two (branch and bound).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from heapq import heappop, heappush
from itertools import count

from node.core.sourcing.filling import Column, Filled, Line, Room, fill

__all__ = ["Cluster", "Kit", "Row", "Shared", "fill_row", "whole_line"]

NEAR = 1e-9
INFINITE = float("inf")
NODES_MAX = 60
ROUNDS_FIRST, ROUNDS = 16, 5


@dataclass(slots=True)
class Row:
    """A line, or lines that come whole in one parcel."""

    lines: list[Line]
    whole: bool = False


@dataclass(slots=True)
class Shared:
    """Columns' quantities times coefficients are at most `most` together, or at least `least` if there is any."""

    coefficients: dict[int, float]
    most: float = INFINITE
    least: float = 0.0
    source: int = -1
    """Whose order minimum it is; -1 for a pool."""
    pool: int = -1
    """Which pool of the part it is."""

    def used(self, taken: Mapping[int, float]) -> float:
        """What the quantities use."""
        return sum(quantity * self.coefficients.get(at, 0.0) for at, quantity in taken.items())

    def excess(self, used: float) -> float:
        """By how much the limit is broken; below zero it is kept with room to spare."""
        return used - self.most if self.source < 0 else self.least - used

    def broken(self, used: float) -> bool:
        """Whether the limit is broken, beyond what doubles can show."""
        return self.excess(used) > NEAR * (1 + abs(self.least if self.source >= 0 else self.most))


@dataclass(slots=True)
class Kit:
    """Lines that are filled for the same whole number of kits."""

    count: int
    lines: list[int]


def whole_line(line: Line, parcel: int, room: Room | None = None, prices: Mapping[int, float] | None = None) -> Filled:
    """All of a line from one parcel."""
    columns = [one for one in line.columns if one.parcel == parcel]
    all_of_it = replace(room or Room(), line_least={line.number: line.need}, line_most={})
    return fill(line, columns, all_of_it, prices or {})


def fill_row(
    row: Row, opened: frozenset[int] | None, room: Room | None = None, prices: Mapping[int, float] | None = None
) -> Filled:
    """The cheapest filling of a row from opened parcels (None: any), and whether it is proved."""
    room, prices = room or Room(), prices or {}
    if not row.whole:
        (line,) = row.lines
        columns = line.columns if opened is None else [one for one in line.columns if one.parcel in opened]
        return fill(line, columns, room, prices)
    every = {one.at for line in row.lines for one in line.columns}
    forced = any(least > 0 and at in every for at, least in room.least.items())
    best = Filled(INFINITE if forced else sum(line.need * line.open_unit for line in row.lines), {})
    parcels = {one.parcel for line in row.lines for one in line.columns}
    exact = True
    for parcel in sorted(parcels if opened is None else parcels & opened):
        cost = 0.0
        taken: dict[int, float] = {}
        for line in row.lines:
            one = whole_line(line, parcel, room, prices)
            cost += one.cost
            taken |= one.taken
            exact &= one.exact
            if cost >= best.cost:
                break
        if cost < best.cost:
            best = Filled(cost, taken)
    best.exact = exact
    return best


@dataclass(slots=True)
class _Node:
    room: Room
    prices: list[float]
    bound: float = -INFINITE
    taken: dict[int, float] = field(default_factory=dict)


class Cluster:
    """Rows that are filled together, with all that they share."""

    def __init__(self, rows: Sequence[Row], shared: Sequence[Shared], kits: Sequence[Kit]) -> None:
        self.rows, self.kits = list(rows), list(kits)
        self.every = list(shared)
        self.columns: dict[int, Column] = {one.at: one for row in rows for line in row.lines for one in line.columns}
        self.lines = {line.number: line for row in rows for line in row.lines}
        self.line_of = {one.at: line.number for line in self.lines.values() for one in line.columns}
        self.memory: dict[frozenset[int], tuple[Filled, bool]] = {}
        """With whether the cost is that of a filling, or else a floor."""
        self.prices: dict[int, float] = {}
        """What the last filling has shown of what is shared, to begin the next with."""
        self.fillings = 0
        """How often a row was filled: the effort."""
        self.mine = frozenset(one.parcel for one in self.columns.values())

    def filled(self, opened: Iterable[int], limit: float = INFINITE) -> Filled:
        """The cheapest filling of all rows from these parcels; a floor of its cost where that is over the limit."""
        chosen = self.mine.intersection(opened)
        known, exact = self.memory.get(chosen, (None, False))
        if known is None or (known.cost < limit and not exact):
            one = _Sharing(self, chosen, limit)
            known = one.run()
            self.prices = one.learnt
            self.memory[chosen] = (known, bool(known.taken) or limit == INFINITE)
        return known


class _Sharing:
    """One cluster and one choice of parcels."""

    def __init__(self, cluster: Cluster, opened: frozenset[int], limit: float) -> None:
        self.cluster, self.opened, self.limit = cluster, opened, limit
        here = {at for at, one in cluster.columns.items() if one.parcel in opened}
        sources = {cluster.columns[at].source for at in here}
        self.shared: list[Shared] = []
        self.numbers: list[int] = []
        for number, one in enumerate(cluster.every):
            kept = {at: value for at, value in one.coefficients.items() if at in here}
            if (one.source < 0 and kept) or one.source in sources:
                self.shared.append(replace(one, coefficients=kept))
                self.numbers.append(number)
        self.learnt = dict(cluster.prices)
        self.best = Filled(INFINITE, {})
        self.exact = True

    def run(self) -> Filled:
        turn = count()
        first = self._node(Room(), [0.0] * len(self.shared), 1)
        if first.bound < self._enough():
            prices = [self.learnt.get(number, 0.0) for number in self.numbers]
            first = max(first, self._node(Room(), prices, ROUNDS_FIRST), key=lambda node: node.bound)
            self.learnt |= dict(zip(self.numbers, first.prices, strict=True))
        heap = [(first.bound, next(turn), first)]
        nodes, floor = 0, first.bound
        while heap:
            bound, _, node = heappop(heap)
            floor = bound
            if bound >= self._enough():
                break
            nodes += 1
            if nodes > NODES_MAX:
                self.exact = False
                break
            for room in self._cut(node):
                child = self._node(room, node.prices, ROUNDS)
                if child.bound < self._enough():
                    heappush(heap, (child.bound, next(turn), child))
            floor = INFINITE
        if self.best.cost > self.limit:
            # Of what is dearer than the limit, the floor is told.
            return Filled(min(self.best.cost, max(self.limit, floor)), {}, self.exact or floor >= self.limit)
        self.best.exact = self.exact
        return self.best

    def _enough(self) -> float:
        best = min(self.best.cost, self.limit)
        return best - NEAR * (1 + abs(best)) if best < INFINITE else best

    def _node(self, room: Room, prices: list[float], rounds: int) -> _Node:
        """The best bound that a few rounds of prices find; what keeps all limits on the way is an answer."""
        node, pace = _Node(room, prices), 1.0
        for number in range(rounds):
            cost, taken = self._relaxed(room, prices)
            if cost == INFINITE:
                node.bound = INFINITE
                return node
            used = [one.used(taken) for one in self.shared]
            excess = [one.excess(value) for one, value in zip(self.shared, used, strict=True)]
            bound = cost + sum(price * over for price, over in zip(prices, excess, strict=True) if price)
            if bound > node.bound:
                node.bound, node.prices, node.taken = bound, prices, taken
            else:
                pace *= 0.6
            broken = any(one.broken(value) for one, value in zip(self.shared, used, strict=True))
            if not broken and self._kits_whole(taken):
                self._offer(cost, taken)
            elif number % 4 == 0:
                self._repair(room, prices)
            slope = [over if price > 0 or over > 0 else 0.0 for price, over in zip(prices, excess, strict=True)]
            if not any(slope) or node.bound >= self._enough():
                break
            prices = self._step(prices, slope, bound, pace)
        return node

    def _repair(self, room: Room, prices: list[float]) -> None:
        """Row after row from what those before it have left: an answer, where minimums and kits allow it."""
        left = room.copy()
        pools = [one for one in self.shared if one.source < 0]
        rest = [one.most for one in pools]
        of_column: dict[int, list[int]] = {}
        for number, one in enumerate(pools):
            for at in one.coefficients:
                of_column.setdefault(at, []).append(number)
        extra = self._extra(prices)
        cost = 0.0
        taken: dict[int, float] = {}
        for row in self.cluster.rows:
            for column in (column for line in row.lines for column in line.columns):
                for number in of_column.get(column.at, ()):
                    most = rest[number] / pools[number].coefficients[column.at]
                    left.most[column.at] = min(left.most.get(column.at, column.most), max(0.0, most))
            found = fill_row(row, self.opened, left, extra)
            if found.cost == INFINITE:
                return
            cost += found.cost - sum(quantity * extra.get(at, 0.0) for at, quantity in found.taken.items())
            taken |= found.taken
            for at, quantity in found.taken.items():
                for number in of_column.get(at, ()):
                    rest[number] -= quantity * pools[number].coefficients[at]
        if not any(one.broken(one.used(taken)) for one in self.shared) and self._kits_whole(taken):
            self._offer(cost, taken)

    def _step(self, prices: list[float], slope: list[float], bound: float, pace: float) -> list[float]:
        """Prices moved along the slope, each in the measure of what its limit is."""
        target = min(self.best.cost, self.limit + 0.01 * (1 + abs(self.limit)))
        target = target if target < INFINITE else bound + 0.1 * (1 + abs(bound))
        scale = [1 / max(1e-6, one.least if one.source >= 0 else one.most) for one in self.shared]
        length = sum((over * part) ** 2 for over, part in zip(slope, scale, strict=True))
        far = pace * max(target - bound, 1e-3 * (1 + abs(bound))) / length
        return [
            max(0.0, price + far * over * part * part) for price, over, part in zip(prices, slope, scale, strict=True)
        ]

    def _extra(self, prices: list[float]) -> dict[int, float]:
        """By column, what the prices of all that is shared add to a unit's cost."""
        extra: dict[int, float] = {}
        for price, one in zip(prices, self.shared, strict=True):
            if price:
                sign = price if one.source < 0 else -price
                for at, value in one.coefficients.items():
                    extra[at] = extra.get(at, 0.0) + sign * value
        return extra

    def _relaxed(self, room: Room, prices: list[float]) -> tuple[float, dict[int, float]]:
        """Every row filled by itself at these prices; the cost without the prices."""
        extra = self._extra(prices)
        cost = 0.0
        taken: dict[int, float] = {}
        self.cluster.fillings += len(self.cluster.rows)
        for row in self.cluster.rows:
            one = fill_row(row, self.opened, room, extra)
            self.exact &= one.exact
            cost += one.cost
            taken |= one.taken
        return cost - sum(quantity * extra.get(at, 0.0) for at, quantity in taken.items()), taken

    def _offer(self, cost: float, taken: dict[int, float]) -> None:
        if cost < self.best.cost:
            self.best = Filled(cost, dict(taken))

    def _made(self, kit: Kit, taken: Mapping[int, float]) -> list[float]:
        """How many kits each of its lines is filled for."""
        sums = dict.fromkeys(kit.lines, 0.0)
        for at, quantity in taken.items():
            number = self.cluster.line_of[at]
            if number in sums:
                sums[number] += quantity
        return [sums[number] * kit.count / self.cluster.lines[number].need for number in kit.lines]

    def _kits_whole(self, taken: Mapping[int, float]) -> bool:
        made = [self._made(kit, taken) for kit in self.cluster.kits]
        return all(abs(one - round(few[0])) <= 1e-6 for few in made for one in few)

    def _cut(self, node: _Node) -> list[Room]:
        """The bounds of a node cut in two, so that nothing that keeps all limits is lost."""
        for kit in self.cluster.kits:
            made = self._made(kit, node.taken)
            low, high = self._kit_bounds(kit, node.room)
            if low < high and any(abs(one - round(made[0])) > 1e-6 for one in made):
                middle = min(high - 1, max(low, int(sum(made) / len(made))))
                return [self._kits(node.room, kit, low, middle), self._kits(node.room, kit, middle + 1, high)]
        worst = sorted(
            ((one.broken(used), abs(one.excess(used)) * (price + NEAR), place)
             for place, (one, price) in enumerate(zip(self.shared, node.prices, strict=True))
             for used in [one.used(node.taken)]),
            reverse=True,
        )  # fmt: skip
        for _, _, place in worst:
            halves = self._halves(node, self.shared[place])
            if halves:
                return halves
        for kit in self.cluster.kits:
            low, high = self._kit_bounds(kit, node.room)
            if low < high:
                middle = (low + high) // 2
                return [self._kits(node.room, kit, low, middle), self._kits(node.room, kit, middle + 1, high)]
        return []

    def _kit_bounds(self, kit: Kit, room: Room) -> tuple[int, int]:
        number = kit.lines[0]
        need = self.cluster.lines[number].need
        low, high = room.line_least.get(number, 0.0), room.line_most.get(number, need)
        return round(low * kit.count / need), round(high * kit.count / need)

    def _kits(self, room: Room, kit: Kit, low: int, high: int) -> Room:
        narrow = room.copy()
        for number in kit.lines:
            need = self.cluster.lines[number].need
            narrow.line_least[number] = need * low / kit.count
            narrow.line_most[number] = need * high / kit.count
        return narrow

    def _halves(self, node: _Node, shared: Shared) -> list[Room]:
        """The widest column's range cut in two, where the present answer is on one side."""
        room = node.room
        used = shared.used(node.taken)
        ranges = []
        for at in shared.coefficients:
            one = self.cluster.columns[at]
            low, high = room.least.get(at, 0.0), room.most.get(at, one.most)
            now = node.taken.get(at, 0.0)
            if high - low < one.step * (1 - NEAR):
                continue
            if not shared.broken(used):
                ranges.append((high - low, at, low, high))
            elif shared.source < 0 and now > low:
                ranges.append((now - low, at, low, now))
            elif shared.source >= 0 and high > now:
                ranges.append((high - now, at, now, high))
        if not ranges:
            return []
        _, at, low, high = max(ranges)
        step = self.cluster.columns[at].step
        middle = low + int((high - low) / step / 2 + NEAR) * step
        if middle >= high - step * NEAR:
            middle = high - step
        below, above = room.copy(), room.copy()
        below.most[at], above.least[at] = middle, middle + step
        return [one for one in (below, above) if self._possible(one, shared)]

    def _possible(self, room: Room, shared: Shared) -> bool:
        if shared.source < 0:
            least = sum(room.least.get(at, 0.0) * value for at, value in shared.coefficients.items())
            return least <= shared.most * (1 + NEAR)
        columns = self.cluster.columns
        most = sum(room.most.get(at, columns[at].most) * value for at, value in shared.coefficients.items())
        return most >= shared.least * (1 - NEAR)
