"""Order lines sourced, held and ordered end to end in one node with its store on disk, and how long a promise takes.

What counts is one node's work: capturing customers' orders, gathering, solving, holding our own stock, asking partners
for holds, signing and sending the requests, taking the answers in, ordering what is held (documents and their effects
on our books), and every commit of its store. The partners are real nodes with stores of their own in this process;
the links are the same use cases without a network. Their work is left out of every figure, as is setting the world up.
"""

from __future__ import annotations

import gc
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from decimal import Decimal
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

from node.app.context import Context
from node.app.fulfilment import customer_orders
from node.app.fulfilment.advancing import advance
from node.app.sourcing import planner
from node.app.stock import ledger, promising
from node.core.document.common import (
    Address,
    PersonalData,
    PersonalEntry,
)
from node.core.document.customer import CustomerOrder
from node.core.fulfilment import balance
from node.core.item_key import GTIN_PREFIX
from node.core.piece_state import DEAD
from node.core.sourcing.solve import solve
from node.ports import Transaction
from scripts.benching.machine import figures, percentile
from scripts.benching.sourcing_trade import Company, Trade, make_trade, send
from scripts.benching.sourcing_world import Basket

__all__ = ["faults", "measure_node"]

AT_ONCE = 64
"""Customer orders that an adapter gives in one transaction."""

ALONE = 200
"""Orders that go through by themselves, one after another."""

PROMISES = 1_000
PROMISED_SOURCES = 12
ONE = 1_000_000
CURRENCY = "GBP"
BASE = '[node]\nlisten = ""\n[log]\nlevel = "warning"\n'
SUPPLIER = (
    BASE + "[reservations]\npieces_max = 1000000000\nholds_max = 1000000\n" + '[[sharing.rules]]\nfigure = "exact"\n'
)
FREIGHT = '[freight]\npostal_codes = ["places.txt"]\ncost = 4.00\ncost_per_km = 0.006\n'
KM_PER_DEGREE = 111.2

Report = Callable[[str, int, int], None]
Result = TypeVar("Result")


@dataclass(slots=True)
class Stages:
    """Processor time and wall time of our node, by stage, in seconds."""

    cpu: dict[str, float] = field(default_factory=dict)
    wall: dict[str, float] = field(default_factory=dict)

    @contextmanager
    def __call__(self, name: str) -> Iterator[None]:
        """Count what is done inside."""
        used, begun = time.process_time(), time.perf_counter()
        try:
            yield
        finally:
            self.cpu[name] = self.cpu.get(name, 0.0) + time.process_time() - used
            self.wall[name] = self.wall.get(name, 0.0) + time.perf_counter() - begun


# --- orders end to end ------------------------------------------------------------------------------------------------


def run_orders(trade: Trade, orders: Sequence[CustomerOrder], stage: Stages) -> list[int]:
    """Carry these orders from capture to ordered; returns their ids. The orders to partners wait to be sent."""
    shop = trade.shop
    with stage("capture"):
        ids = shop.store.write(partial(_capture, ctx=shop.ctx, orders=orders))
    with stage("source and hold"):
        wake = _advance(shop)
    while wake:
        sent = 0
        for partner_id in sorted(wake):
            other = trade.suppliers[partner_id]
            sent += send(shop, other, stage, "send requests", ours=True)
            send(other, shop, stage, "take grants", ours=False)
        with stage("order"):
            wake = _advance(shop) if sent else set()
    return ids


def _advance(shop: Company) -> set[str]:
    """Until nothing is due; returns the partners that are asked for something now."""
    wake: set[str] = set()
    while (done := advance(shop.store, shop.ctx)).orders:
        wake |= done.wake
    return wake


def _capture(tx: Transaction, ctx: Context, orders: Sequence[CustomerOrder]) -> list[int]:
    found = []
    for order in orders:
        address = Address(street="1 High Street", city="Town", country="GB", postal_code=order.postal_code)
        entry = PersonalEntry(key="to", name="A. Customer", address=address)
        done = customer_orders.capture(tx, ctx, order, PersonalData(entries=(entry,)))
        assert done.customer_order_id is not None, done.findings
        assert not done.findings, done.findings
        found.append(done.customer_order_id)
    return found


def measure_orders(trade: Trade, orders: Sequence[CustomerOrder], report: Callable[[int, int], None]) -> dict[str, Any]:
    """Orders in batches, as an adapter gives them."""
    stage, sent = Stages(), Stages()
    for first in range(0, len(orders), AT_ONCE):
        run_orders(trade, orders[first : first + AT_ONCE], stage)
        _send_orders(trade, sent)
        report(min(first + AT_ONCE, len(orders)), len(orders))
    lines = sum(len(order.lines) for order in orders)
    wall, cpu = sum(stage.wall.values()), sum(stage.cpu.values())
    return {
        "orders": len(orders),
        "lines": lines,
        "lines_back_ordered": trade.shop.store.read(_waiting),
        "partner_orders": trade.shop.store.read(_partner_orders),
        "lines_per_s": round(lines / wall),
        "orders_per_s": round(len(orders) / wall, 1),
        "lines_per_s_of_processor": round(lines / cpu),
        "lines_per_s_with_orders_sent": round(lines / (wall + sum(sent.wall.values()))),
        "cpu_us_per_line": {
            name: round(seconds / lines * 1e6) for name, seconds in (stage.cpu | sent.cpu | {"all": cpu}).items()
        },
        "wall_us_per_line": {
            name: round(seconds / lines * 1e6) for name, seconds in (stage.wall | sent.wall | {"all": wall}).items()
        },
    }


def _waiting(tx: Transaction) -> int:
    """Lines of which a part waits, as from no more places than the rules allow."""
    rows = tx.customer_orders.search(limit=1_000_000)
    pieces = tx.customer_orders.pieces([row.customer_order_id for row in rows])
    return len({(one.customer_order_id, one.line_id) for one in pieces if one.state == "back_ordered"})


def _partner_orders(tx: Transaction) -> int:
    own = tx.partners.own().partner_id
    return sum(row.partner_id != own for row in tx.orders.search(limit=1_000_000))


def _send_orders(trade: Trade, stage: Stages) -> None:
    """The orders leave and are receipted."""
    for other in trade.suppliers.values():
        send(trade.shop, other, stage, "send orders", ours=True)


def measure_alone(trade: Trade, orders: Sequence[CustomerOrder], report: Callable[[int, int], None]) -> dict[str, Any]:
    """Order after order, each alone from capture to ordered."""
    wall, cpu = [], []
    for done, order in enumerate(orders, 1):
        stage = Stages()
        run_orders(trade, [order], stage)
        wall.append(sum(stage.wall.values()))
        cpu.append(sum(stage.cpu.values()))
        report(done, len(orders))
    _send_orders(trade, Stages())
    return {"orders": len(orders), "wall": figures(wall), "cpu_p99_ms": round(percentile(cpu, 99) * 1000, 2)}


# --- promises ---------------------------------------------------------------------------------------------------------


def measure_promises(trade: Trade, report: Callable[[int, int], None]) -> dict[str, Any] | None:
    """When so much of an item can be had and from where; only items that many places have."""
    shop = trade.shop
    items = sorted(gtin for gtin, places in trade.sources.items() if places >= PROMISED_SOURCES)
    if not items:
        return None
    by = shop.ctx.now().date() + timedelta(days=3)
    wall, cpu = [], []
    for done in range(1, PROMISES + 1):
        item = f"{GTIN_PREFIX}{items[done * 7919 % len(items)].zfill(14)}"
        begun, used = time.perf_counter(), time.process_time()
        said = shop.store.read(partial(promising.promise, ctx=shop.ctx, item=item, quantity=Decimal(6), by=by))
        cpu.append(time.process_time() - used)
        wall.append(time.perf_counter() - begun)
        assert said.promise is not None
        report(done, PROMISES)
    least = min(trade.sources[item] for item in items)
    return {"items": len(items), "sources_least": least, "wall": figures(wall), **_cpu(cpu)}


def _cpu(seconds: Sequence[float]) -> dict[str, float]:
    return {"cpu_p99_ms": round(percentile(seconds, 99) * 1000, 2)}


def measure_choices(
    trade: Trade, orders: Sequence[CustomerOrder], report: Callable[[int, int], None]
) -> dict[str, Any]:
    """Where one order alone would come from: gathered and solved, nothing held yet. Then all are carried out."""
    shop = trade.shop
    ids = shop.store.write(partial(_capture, ctx=shop.ctx, orders=orders))
    wall, cpu, solving = [], [], []
    for done, one in enumerate(ids, 1):
        begun, used = time.perf_counter(), time.process_time()
        (choice,) = planner.choose(shop.store, shop.ctx, [one])
        cpu.append(time.process_time() - used)
        wall.append(time.perf_counter() - begun)
        begun = time.perf_counter()
        solve(choice.problem)
        solving.append(time.perf_counter() - begun)
        report(done, len(ids))
    run_orders(trade, [], Stages())
    _send_orders(trade, Stages())
    largest = max(len(order.lines) for order in orders)
    return {
        "orders": len(ids),
        "lines_largest": largest,
        "wall": figures(wall),
        "solving": figures(solving),
        **_cpu(cpu),
    }


# --- the account ------------------------------------------------------------------------------------------------------


def faults(trade: Trade) -> list[str]:
    """What does not add up at the end, in words: units of orders, holds, the ledgers' counters, partners' books."""
    shop = trade.shop
    found = [f"shop: counter {one}" for one in shop.store.read(ledger.verify)]
    held: dict[str, int] = {}
    for row in shop.store.read(lambda tx: tx.customer_orders.search(limit=1_000_000)):
        ids = [row.customer_order_id]
        lines = shop.store.read(partial(_lines_of, ids=ids))
        pieces = shop.store.read(partial(_pieces_of, ids=ids))
        for line in lines:
            sums = balance(line, pieces)
            if min(sums.values()) < 0 or sums["ordered"] != sum(sums[n] for n in ("live", "back_ordered", "open")):
                found.append(f"order {row.number} line {line.line_id}: {sums}")
            if sums["open"]:
                found.append(f"order {row.number} line {line.line_id}: nobody looks after all of it: {sums}")
        for piece in pieces:
            if piece.state == "back_ordered" or piece.state in DEAD:
                continue
            if piece.state not in ("ordering", "ordered", "accepted"):
                found.append(f"order {row.number}: a piece is {piece.state}")
            held[piece.partner_id] = held.get(piece.partner_id, 0) + piece.quantity
    for partner_id, company in [("", shop), *trade.suppliers.items()]:
        found += [f"{partner_id}: counter {one}" for one in company.store.read(ledger.verify)] if partner_id else []
        allocated = company.store.read(partial(_allocated, gtins=list(trade.gtins.values())))
        if allocated != held.get(partner_id, 0):
            found.append(f"{partner_id or 'our own'}: {allocated} allocated, {held.get(partner_id, 0)} ordered there")
    return found


def _lines_of(tx: Transaction, ids: list[int]) -> Any:
    return tx.customer_orders.lines(ids)


def _pieces_of(tx: Transaction, ids: list[int]) -> Any:
    return tx.customer_orders.pieces(ids)


def _allocated(tx: Transaction, gtins: list[str]) -> int:
    rows = tx.reservations.counters([f"{GTIN_PREFIX}{gtin.zfill(14)}" for gtin in gtins])
    return sum(row.allocated for row in rows)


def measure_node(folder: Path, baskets: Sequence[Basket], places: int, report: Report) -> dict[str, Any]:
    """All of it for one number of places; `faults` of the result is empty when everything adds up."""
    name = f"one node, {places} places"
    trade = make_trade(folder, baskets, places, partial(report, f"{name}: figures"))
    gc.collect()
    try:
        alone = min(ALONE, len(trade.orders) // 5)
        many = trade.orders[2 * alone :]
        return {
            "places": places,
            "partners": len(trade.suppliers),
            "many": measure_orders(trade, many, partial(report, f"{name}: orders")),
            "alone": measure_alone(trade, trade.orders[:alone], partial(report, f"{name}: order by order")),
            "choice": measure_choices(trade, trade.orders[alone : 2 * alone], partial(report, f"{name}: choices")),
            "promise": measure_promises(trade, partial(report, f"{name}: promises")),
            "faults": faults(trade),
        }
    finally:
        trade.close()
