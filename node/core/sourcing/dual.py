"""What an order costs at least: its rows priced, parcels opened only where the prices pay for them.

A Lagrangian relaxation of the simple plant location problem (Krarup and Pruzan 1983): rows and pools get prices, which
subgradient steps improve (Held, Wolfe and Crowder 1974; the direction is smoothed after Camerini, Fratta and Maffioli
1975).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from node.core.sourcing.grid import Floats, Ints
from node.core.sourcing.rows import Rows

__all__ = ["Dual", "Look"]

INFINITE = float("inf")
Bools = NDArray[np.bool_]
SMOOTH = 1.5
PATIENCE = 3
FAR = 0.5
"""Of the way to the target, which may be far from the optimum, steps aim at this share."""


@dataclass(slots=True)
class Look:
    """What the prices say of one node: some parcels open, some free to be opened, the others closed."""

    bound: float
    base: float
    """The bound without what free parcels add or save."""
    saved: Floats
    """By free parcel, what it saves at these prices."""
    charge: Floats
    """By source, what it costs to use it; nothing where it is used already."""
    adds: Floats
    """By free parcel, by how much the bound grows when it must be opened."""
    taken: Floats
    """By row, how much of it parcels would give."""
    used: Floats
    """By pool, how much of it would be taken."""
    chosen: Ints


class Dual:
    """Prices of one order's rows and pools, and the bounds they show."""

    def __init__(self, rows: Rows, cost: float) -> None:
        self.rows = rows
        # To begin with what each row costs where it is cheapest, and an even share of what is fixed.
        cheapest = np.minimum(rows.open_cost, rows.cost.min(axis=1))
        shared = (cost - cheapest.sum()) / max(1, len(cheapest))
        self.price: Floats = np.minimum(rows.open_cost, cheapest + max(0.0, float(shared)))
        scarce = rows.share.sum(axis=1) < 1
        self.price[scarce] = rows.open_cost[scarce]
        self.cost = rows.cost
        self.set_pool(self._first_pool())
        self.free_of_shares = bool((rows.share[np.isfinite(rows.cost)] == 1).all())
        self.room = rows.sources_max

    def _first_pool(self) -> Floats:
        """Pools that together have less than their rows want cost as much as it does to leave them open."""
        rows, uses = self.rows, self.rows.uses
        pool = np.zeros(len(rows.limits))
        if uses is None:
            return pool
        for members, pools in rows.short:
            self.price[members] = rows.open_cost[members]
            for at in np.flatnonzero(np.isin(uses.pool, pools)).tolist():
                row, parcel, number = int(uses.row[at]), int(uses.parcel[at]), int(uses.pool[at])
                saved = rows.open_cost[row] * rows.share[row, parcel] - rows.cost[row, parcel]
                pool[number] = max(pool[number], saved / uses.amount[at])
        return pool

    def set_pool(self, pool: Floats) -> None:
        """Other prices of pools."""
        self.pool = pool
        uses = self.rows.uses
        if uses is not None:
            self.cost = self.rows.cost.copy()
            np.add.at(self.cost, (uses.row, uses.parcel), uses.amount * pool[uses.pool])

    def look(self, open_: Ints, free: Ints) -> Look:
        """The bound at the present prices."""
        rows = self.rows
        whole = len(free) == len(rows.parcels)
        cost, share = (self.cost, rows.share) if whole else (self.cost[:, free], rows.share[:, free])
        asked = self.price[:, None] if self.free_of_shares else self.price[:, None] * share
        gain = np.maximum(asked - cost, 0.0)
        saved = gain.sum(axis=0) - rows.fixed[free]
        base = float(self.price.sum())
        count = len(rows.source_fixed)
        known = np.zeros(count, np.bool_)
        if len(self.pool):
            base -= float(self.pool @ rows.limits)
        kept = np.zeros((len(self.price), 0))
        if len(open_):
            asked = self.price[:, None] * rows.share[:, open_]
            kept = np.maximum(asked - self.cost[:, open_], 0.0)
            base += float(rows.fixed[open_].sum() - kept.sum())
            known[rows.source[open_]] = True
            base += float(rows.source_fixed[known].sum())
        opened = int(known.sum())
        base += rows.split * (opened - 1)
        charge = np.where(known, 0.0, rows.source_fixed + rows.split)
        source = rows.source[free]
        per_source: Floats = np.bincount(source, np.maximum(saved, 0.0), count).astype(np.float64) - charge
        worth = np.maximum(per_source, 0.0)
        allowed = known | (worth > 0)
        if self.room is not None and int((allowed & ~known).sum()) > self.room - opened:
            room = max(0, self.room - opened)
            fresh = np.where(known, -1.0, worth)
            best = np.argsort(-fresh, kind="stable")[:room]
            allowed = known.copy()
            allowed[best] = True
            worth = np.where(allowed, worth, 0.0)
        bound = base - float(worth.sum())
        at = np.flatnonzero((saved > 0) & allowed[source])
        paid = gain[:, at] > 0
        paid_open = kept > 0
        taken = paid.sum(axis=1) if self.free_of_shares else (share[:, at] * paid).sum(axis=1)
        taken = taken + (rows.share[:, open_] * paid_open).sum(axis=1)
        adds = np.maximum(-saved, 0.0) + np.maximum(-per_source, 0.0)[source]
        if self.room is not None:
            adds += self._displaced(worth, per_source, known, allowed)[source]
        chosen = free[at]
        used = self._used(np.concatenate([open_, chosen]), np.concatenate([paid_open, paid], axis=1))
        return Look(bound, base, saved, charge, adds, taken, used, chosen)

    def _displaced(self, worth: Floats, per_source: Floats, known: Bools, allowed: Bools) -> Floats:
        """What the bound loses when a source that is not among the best must have a place among them."""
        assert self.room is not None
        fresh = allowed & ~known
        if int(fresh.sum()) < self.room - int(known.sum()):
            return np.zeros(len(worth))
        least = float(worth[fresh].min()) if fresh.any() else INFINITE
        return np.where(known | allowed, 0.0, np.maximum(0.0, least - np.maximum(per_source, 0.0)))

    def _used(self, parcels: Ints, paid: Bools) -> Floats:
        uses = self.rows.uses
        if uses is None:
            return np.zeros(0)
        place = np.full(len(self.rows.parcels), -1, np.int64)
        place[parcels] = np.arange(len(parcels))
        at = place[uses.parcel]
        here = np.flatnonzero(at >= 0)
        here = here[paid[uses.row[here], at[here]]]
        return np.bincount(uses.pool[here], uses.amount[here], len(self.rows.limits)).astype(np.float64)

    def steps(self) -> Steps:
        """The first of a series of steps."""
        return Steps(len(self.price), len(self.pool))

    def climb(self, look: Look, target: float, steps: Steps) -> bool:
        """Move the prices so that the bound grows; False when they are the best already."""
        rows = self.rows
        slope = 1 - look.taken
        pools = look.used / rows.limits - 1 if len(self.pool) else np.zeros(0)
        pools = np.where((self.pool > 0) | (pools > 0), pools, 0.0)
        steps.turn(slope, pools, look.bound)
        far = steps.length(look.bound, target)
        if float(slope @ slope) + float(pools @ pools) == 0 or far == 0:
            return False
        self.price = np.minimum(rows.open_cost, self.price + far * steps.rows)
        if len(self.pool):
            self.set_pool(np.maximum(0.0, self.pool + far * steps.pools / rows.limits))
        return True


class Steps:
    """The direction and the length of subgradient steps."""

    def __init__(self, rows: int, pools: int) -> None:
        self.pace = 1.0
        self.best = -INFINITE
        self.failed = 0
        self.rows: Floats = np.zeros(rows)
        self.pools: Floats = np.zeros(pools)

    def turn(self, rows: Floats, pools: Floats, bound: float) -> None:
        """The next direction; shorter steps after some that did not help."""
        if bound > self.best:
            self.best, self.failed = bound, 0
        else:
            self.failed += 1
            if self.failed >= PATIENCE:
                self.pace, self.failed = self.pace * 0.5, 0
        length = float(self.rows @ self.rows) + float(self.pools @ self.pools)
        if length > 0:
            # As much of the last direction as it takes not to go back on it.
            back = max(0.0, -SMOOTH * (float(rows @ self.rows) + float(pools @ self.pools)) / length)
            rows, pools = rows + back * self.rows, pools + back * self.pools
        self.rows, self.pools = rows, pools

    def length(self, bound: float, target: float) -> float:
        """How far to go along the direction, towards a target that may be far above what can be reached."""
        length = float(self.rows @ self.rows) + float(self.pools @ self.pools)
        target = self.best + max(min(FAR * abs(self.best), target - self.best), FAR * (target - self.best))
        return self.pace * max(target - bound, 0.0) / length if length > 0 else 0.0
