#!/usr/bin/env python3
"""Sourcing: lines per second one by one and in waves, the time of one order, and costs beside baselines and optimum.

The orders are those of a file of retail transactions (--data, or the samples folder named by HANSA_SAMPLES), or made
up where there is none. They are sourced over 2 to 50 places: warehouses, stores and suppliers on a map.

* one by one: each order alone, every place that has an item has enough of it. Costs and splits beside the baselines'.
* short: the same with places that have about one order's worth, so that lines are split; each order on the same stock.
* waves: orders that compete for little stock, solved together, beside the same orders one after another.
* one node: orders captured, sourced, held and ordered end to end in one node with its store on disk, and promises.
* scarce: a season of single-line orders whose stock just lasts; what is closed of the gap to the clairvoyant, with
  orders in random order, and as they came.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from decimal import Decimal
from functools import partial
from pathlib import Path
from typing import Any

from node.core.sourcing.check import violations
from node.core.sourcing.problem import Plan, Policy, Problem
from node.core.sourcing.solve import solve
from node.runtime.memory import calm_collector
from scripts.benching.machine import facts, figures, percentile, show
from scripts.benching.sourcing_baselines import BASELINES
from scripts.benching.sourcing_node import measure_node
from scripts.benching.sourcing_scarce import measure_scarce
from scripts.benching.sourcing_world import Basket, World, generated_orders, make_world, retail_orders

PLACES = (2, 5, 10, 20, 50)
NODE_PLACES = (2, 10, 50)
WAVE = 20
WAVE_GAP = 0.005
LINES_SMALL = 100
SAMPLE = Path("retail") / "onlineretail.csv.gz"
POLICY = Policy(strategy="cheapest", unfilled_cost=Decimal(50), split_cost=Decimal("0.50"))
Report = Callable[[str, int, int], None]
"""(what, done, of how many)"""


def splits(plan: Plan) -> int:
    """Sources beyond the first, over all orders."""
    used = {(piece.order_id, piece.source_id) for piece in plan.assignments}
    return len(used) - len({order_id for order_id, _ in used})


def measure_singles(
    baskets: Sequence[Basket], places: int, *, plenty: bool, optimum_seconds: float, report: Report
) -> dict[str, Any]:
    """Every order alone, on the same stock: time, proof, cost and splits, beside the baselines."""
    world = make_world(baskets, places=places, seed=places, plenty=plenty, policy=POLICY)
    name = f"{'one by one' if plenty else 'short'}, {places} places"
    times, cpu, lines, proved = [], [], 0, 0
    costs = dict.fromkeys(("ours", *BASELINES), Decimal(0))
    split = dict.fromkeys(costs, 0)
    for done, order in enumerate(world.orders, 1):
        problem = world.problem([order], seconds=optimum_seconds)
        wall, used = time.perf_counter(), time.process_time()
        plan = solve(problem)
        cpu.append(time.process_time() - used)
        times.append(time.perf_counter() - wall)
        assert not violations(problem, plan)
        lines += len(order.lines)
        proved += plan.status == "optimal"
        plans = {"ours": plan} | {other: decide(problem) for other, decide in BASELINES.items()}
        for who, one in plans.items():
            costs[who] += one.cost
            split[who] += splits(one)
        report(name, done, len(world.orders))
    count = len(world.orders)
    small = [one for one, order in zip(times, world.orders, strict=True) if len(order.lines) <= LINES_SMALL]
    return {
        "places": places,
        "orders": count,
        "lines_p99": percentile([len(order.lines) for order in world.orders], 99),
        "lines": lines,
        "lines_per_s": round(lines / sum(times)),
        "wall": figures(times),
        "wall_p99_to_100_lines_ms": round(percentile(small, 99) * 1000, 2),
        "cpu_p99_ms": round(percentile(cpu, 99) * 1000, 2),
        "proved_optimal": round(proved / count, 4),
        "cost_over_ours": {who: round(float(cost / costs["ours"]), 4) for who, cost in costs.items()},
        "splits_per_order": {who: round(many / count, 3) for who, many in split.items()},
    }


def measure_waves(baskets: Sequence[Basket], places: int, *, seconds: float, report: Report) -> dict[str, Any]:
    """Orders in waves against little stock, beside the same orders one after another and the baselines."""
    world = make_world(baskets, places=places, seed=places, plenty=False, policy=POLICY)
    totals: dict[str, Decimal] = {}
    bound: Decimal | None = Decimal(0)
    begun = time.perf_counter()
    statuses: dict[str, int] = {}
    wave_time = 0.0
    waves = [world.orders[at : at + WAVE] for at in range(0, len(world.orders), WAVE)]
    for done, wave in enumerate(waves, 1):
        # Each wave meets the same stock: a wave is what is measured, not a season.
        problem = replace(world.problem(wave, seconds=seconds), gap=WAVE_GAP)
        begun = time.perf_counter()
        plan = solve(problem)
        wave_time += time.perf_counter() - begun
        assert not violations(problem, plan)
        statuses[plan.status] = statuses.get(plan.status, 0) + 1
        bound = None if bound is None or plan.bound is None else bound + plan.bound
        plans = {"together": plan.cost, "one after another": one_after_another(world, wave, seconds)}
        plans |= {name: decide(problem).cost for name, decide in BASELINES.items()}
        for name, cost in plans.items():
            totals[name] = totals.get(name, Decimal(0)) + cost
        report(f"waves, {places} places", done, len(waves))
    lines = sum(len(order.lines) for order in world.orders)
    return {
        "places": places,
        "waves": len(waves),
        "orders_per_wave": WAVE,
        "gap_allowed": WAVE_GAP,
        "lines_per_s": round(lines / wave_time),
        "statuses": statuses,
        "cost_over_bound": None if not bound else round(float(totals["together"] / bound), 5),
        "cost_over_together": {name: round(float(cost / totals["together"]), 4) for name, cost in totals.items()},
    }


def one_after_another(world: World, wave: Sequence[Any], seconds: float) -> Decimal:
    """What the wave costs when each order takes what is best for itself, from what those before it have left."""
    kept = {item: list(supplies) for item, supplies in world.supplies.items()}
    cost = Decimal(0)
    for order in wave:
        problem: Problem = world.problem([order], seconds=seconds)
        plan = solve(problem)
        cost += plan.cost
        for piece in plan.assignments:
            supplies = world.supplies[piece.item_key]
            at = next(at for at, one in enumerate(supplies) if one.source_id == piece.source_id)
            supplies[at] = replace(supplies[at], quantity=supplies[at].quantity - piece.quantity)
    world.supplies = kept
    return cost


def orders_from(data: Path | None, count: int) -> tuple[str, list[Basket]]:
    """Where the orders are from, and the orders."""
    samples = os.environ.get("HANSA_SAMPLES")
    if data is None and samples and (Path(samples) / SAMPLE).is_file():
        data = Path(samples) / SAMPLE
    if data is not None:
        return data.name, retail_orders(data, count)
    return "made up", generated_orders(1, count)


def goals_of(found: dict[str, Any]) -> list[tuple[str, float, str, float]]:
    """What is to be reached. Baselines over all sizes together."""
    singles = found["one_by_one"]
    goals: list[tuple[str, float, str, float]] = [
        (f"p99 of one order, {one['places']} places, ms", one["wall"]["p99_ms"], "under", 20.0) for one in singles
    ] + [
        (f"the same, up to {LINES_SMALL} lines, {one['places']} places", one["wall_p99_to_100_lines_ms"], "under", 20.0)
        for one in singles
    ]
    ours, nearest = (sum(one["splits_per_order"][who] for one in singles) for who in ("ours", "nearest"))
    cost = min(one["cost_over_ours"]["nearest"] for one in singles)
    return [
        *goals,
        *goals_of_nodes(found["one_node"]),
        ("orders at the proved optimum, share", min(one["proved_optimal"] for one in singles), "at least", 1.0),
        ("splits fewer than nearest-first, share", 1 - ours / nearest if nearest else 0.0, "at least", 0.25),
        ("nearest-first's cost over ours, least of all sizes", cost, "at least", 1.0),
        ("gap from myopic to clairvoyant closed, share", found["scarce"]["gap_closed"], "at least", 0.36),
    ]


def measure_nodes(baskets: Sequence[Basket], places: Sequence[int], report: Report) -> list[dict[str, Any]]:
    """The same orders through one node with its store, in a temporary folder for each number of places."""
    found = []
    for count in places:
        with tempfile.TemporaryDirectory() as folder:
            found.append(measure_node(Path(folder), baskets, count, report))
    return found


def goals_of_nodes(found: Sequence[dict[str, Any]]) -> list[tuple[str, float, str, float]]:
    """What is to be reached in one node's process."""
    goals: list[tuple[str, float, str, float]] = []
    for one in found:
        where = f"one node, {one['places']} places"
        goals.append((f"{where}: lines/s from capture to ordered", one["many"]["lines_per_s"], "at least", 500.0))
        goals.append((f"{where}: p99 of one order's sources, ms", one["choice"]["wall"]["p99_ms"], "under", 20.0))
        if one["promise"]:
            goals.append((f"{where}: p99 of a promise, ms", one["promise"]["wall"]["p99_ms"], "under", 20.0))
        goals.append((f"{where}: what does not add up", len(one["faults"]), "under", 1.0))
    return goals


def measure(baskets: Sequence[Basket], *, quick: bool, report: Report) -> dict[str, Any]:
    """All sections."""
    places = (2, 10, 50) if quick else PLACES
    some = baskets[: len(baskets) // 4]
    limit = 1.0
    season = partial(measure_scarce, baskets, seeds=(1,) if quick else (1, 2, 3), seconds=60.0)
    return {
        "one_by_one": [
            measure_singles(baskets, count, plenty=True, optimum_seconds=limit, report=report) for count in places
        ],
        "short": [
            measure_singles(some, count, plenty=False, optimum_seconds=limit, report=report) for count in places[1:]
        ],
        "waves": [measure_waves(some, count, seconds=5.0, report=report) for count in places[1:-1]],
        "one_node": measure_nodes(baskets, NODE_PLACES[1:] if quick else NODE_PLACES, report),
        "scarce": season(shuffled=True, report=partial(report, "scarce season")),
        "scarce_as_they_came": season(shuffled=False, report=partial(report, "scarce season, as they came")),
    }


def main() -> int:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="fewer orders and sizes")
    parser.add_argument("--json", action="store_true", help="print JSON alone")
    parser.add_argument("--data", type=Path, help="retail transactions, CSV or CSV.gz")
    parser.add_argument("--orders", type=int, default=1_000, help="how many orders (default: 1000)")
    arguments = parser.parse_args()
    machine = facts()
    calm_collector()
    source, baskets = orders_from(arguments.data, arguments.orders // 4 if arguments.quick else arguments.orders)
    from rich.progress import Progress

    with Progress(disable=not sys.stderr.isatty()) as bars:
        tasks: dict[str, Any] = {}

        def report(what: str, done: int, total: int) -> None:
            if what not in tasks:
                tasks[what] = bars.add_task(what, total=total)
            bars.update(tasks[what], completed=done)

        found = {"orders_from": source} | measure(baskets, quick=arguments.quick, report=report)
    result = {"benchmark": "sourcing", "machine": machine, "figures": found}
    show("sourcing", result, goals_of(found), as_json=arguments.json)
    return 1 if any(one["faults"] for one in found["one_node"]) else 0


if __name__ == "__main__":
    sys.exit(main())
