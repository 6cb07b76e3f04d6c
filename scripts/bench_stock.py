#!/usr/bin/env python3
"""A million stock lines from a supplier's SQL table to the retailer's view, then a change of one line in a hundred.

Two processes on this machine over mutual TLS, SQLite with fsync. The supplier's ERP is a real table; its rows go
through the SQL adapter, staging, a mapping in TOML, the supplier's store, sharing rules, numbered and signed batches,
and the retailer's checks into the retailer's store. The snapshot counts as done when the retailer's availability
answers for the last line, and its current snapshot has every line. All the while the retailer places orders, one after
another, whose goods are taken off the supplier's available stock; what is measured of them is the time from submit to
the verified receipt. In the end both companies and the ERP must hold the same quantities.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import logging
import random
import sys
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from node import config
from node.app.documents.submit import Submission, submit
from node.app.stock import availability
from node.core.decimals import SCALE
from node.core.rows import CursorRow
from node.runtime.memory import calm_collector
from scripts.benching import erp
from scripts.benching.companies import Bench, BenchNode, free_port, make_homes, run_child, sample_order
from scripts.benching.machine import facts, figures, peak_mib, show

RETAILER = '[node]\nlisten = ""\n[log]\nlevel = "warning"\n'
SUPPLIER = """
[node]
listen = "{listen}"
[log]
level = "warning"
[[adapters]]
name = "erp"
kind = "sql"
every_seconds = 86400
[adapters.options]
url = "sqlite:///erp.db"
mappings = ["erp.toml"]
[[sharing.rules]]
figure = "exact"
"""
Report = Callable[[str, int, int], None]
"""(what, done, of how many)"""


# --- the supplier, in a process of its own ---


class Supplier(BenchNode):
    """Says when a pull has come to its end."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.pulled_at = 0.0

    def wake(self, partner_ids: Any) -> None:
        self.pulled_at = time.perf_counter()
        super().wake(partner_ids)


async def supply(home: Path, lines: int) -> None:
    """Do what is said on standard input, until told to stop."""
    node = Supplier(home, config.load(home))
    await node.start()
    calm_collector()
    reader = asyncio.StreamReader()
    loop = asyncio.get_running_loop()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    print('{"ready": true}', flush=True)
    obeying = asyncio.create_task(_obey(node, home, lines, reader))
    await node.serve_forever()
    obeying.cancel()


async def _obey(node: Supplier, home: Path, lines: int, reader: asyncio.StreamReader) -> None:
    begun = cpu = 0.0
    while word := (await reader.readline()).decode().strip():
        answer: dict[str, Any] = {}
        match word:
            case "pull":
                if await node.store.read_async(lambda tx: tx.settings.cursor("erp")) is None:
                    agreed = CursorRow("erp", "", 1, node.ctx.now_micros())
                    await node.store.write_async(partial(_start, row=agreed))
                begun, cpu = time.perf_counter(), time.process_time()
                node._workers["erp"].pull_now()
            case "change":
                changed = await asyncio.to_thread(erp.change_some, home, lines, 0.01)
                held = erp.on_hand_of(home, changed[-1])
                answer = {"changed": len(changed), "last": changed[-1], "held": held}
            case "pulled":
                answer = {"seconds": round(node.pulled_at - begun, 3), "cpu": round(time.process_time() - cpu, 2)}
            case "sums":
                answer = await asyncio.to_thread(node.store.read, lambda tx: sums(tx, "")) | {
                    "erp": await asyncio.to_thread(erp.on_hand_sum, home),
                    "change": await node.store.read_async(lambda tx: tx.stock.last_change()),
                    "known": await node.store.read_async(
                        lambda tx: next(row.stock_change for row in tx.links.all() if row.direction == "out")
                    ),
                }
        print(json.dumps(answer), flush=True)


def _start(tx: Any, row: CursorRow) -> None:
    """What `hansa adapter start` does after the yes."""
    tx.settings.put_cursor(row)


def sums(tx: Any, partner_id: str) -> dict[str, int]:
    """Everything together that a company's view of one owner's stock says, asked of the tables themselves."""
    execute = tx.session.raw.execute
    if partner_id:
        found = execute(
            "SELECT sum(on_hand), sum(available), count(*) FROM stock WHERE partner_id = ? AND snapshot = ?",
            (partner_id, tx.stock.current_snapshot(partner_id).snapshot),
        )
    else:
        # What partners are told is the ERP's figures less what their orders took up.
        found = execute(
            "SELECT sum(on_hand), sum(available) - (SELECT coalesce(sum(reserved + allocated), 0) FROM stock_counter),"
            " count(*) FROM own_stock"
        )
    row = found.fetchone()
    return {"on_hand": row[0] // 10**SCALE, "available": row[1] // 10**SCALE, "lines": row[2]}


# --- the retailer, in this one ---


class Retailer:
    """Places orders and watches its view of the supplier's stock."""

    def __init__(self, node: BenchNode, own: str, supplier: str, lines: int) -> None:
        self.node, self.own, self.supplier, self.lines = node, own, supplier, lines
        self._receipt = asyncio.Event()
        self._batch = asyncio.Event()
        self._orders = 0
        self._chance = random.Random(1)
        node.on_receipt = self._receipt.set
        node.on_taken = lambda documents: self._batch.set()

    async def connected(self) -> None:
        """Until both cards are confirmed over the link."""
        while True:
            row = await self.node.store.read_async(lambda tx: tx.partners.get(self.supplier))
            if row is not None and row.state == "confirmed":
                return
            await asyncio.sleep(0.05)

    async def order(self) -> float:
        """Seconds from the submit of one order to its verified receipt."""
        self._orders += 1
        gtins = [erp.gtin_of(item) for item in self._chance.sample(range(self.lines), 10)]
        order = sample_order(self.own, self.supplier, f"PO-{self._orders}", gtins=gtins)
        begun = time.perf_counter()
        (result,) = await self.node.store.write_async(
            lambda tx: submit(tx, self.node.ctx, self.supplier, [Submission(order)])
        )
        assert result.state == "waiting", result.findings
        document_id = result.document_id or 0
        self.node.links.hub.wake([self.supplier])
        while True:
            self._receipt.clear()
            row = await self.node.store.read_async(lambda tx: tx.documents.get(document_id))
            if row is not None and row.state not in ("waiting", "sent"):
                assert row.state == "taken", row.reasons
                return time.perf_counter() - begun
            await self._receipt.wait()

    async def orders_until(self, task: asyncio.Task[Any]) -> list[float]:
        """The times of orders placed one after another while a task runs."""
        times = []
        while not task.done():
            times.append(await self.order())
        return times

    async def batch(self) -> None:
        """Until another batch has been taken."""
        await self._batch.wait()
        self._batch.clear()

    async def figure(self, item: int) -> int | None:
        """What the supplier has on hand of an item, as the retailer's view answers."""
        found = await self.node.store.read_async(
            lambda tx: availability.figures(tx, self.node.ctx, [erp.gtin_of(item)], partner_id=self.supplier)
        )
        held = found[0].on_hand if found else None
        return None if held is None else held // 10**SCALE

    async def whole_snapshot(self, report: Report) -> None:
        """Until the view answers for the last line, and has every line."""
        begun = await self._stock_lines()
        while True:
            await self.batch()
            if await self.figure(self.lines - 1) is None:
                report("snapshot", await self._stock_lines() - begun, self.lines)
            elif await self.node.store.read_async(lambda tx: tx.stock.count(self.supplier)) == self.lines:
                report("snapshot", self.lines, self.lines)
                return

    async def until_figure(self, item: int, held: int) -> None:
        """Until the view answers so many of an item."""
        while await self.figure(item) != held:
            await self.batch()

    async def _stock_lines(self) -> int:
        """About how many lines have come: for the progress bar alone."""
        row = await self.node.store.read_async(lambda tx: tx.links.get(self.supplier, "in"))
        return 0 if row is None else row.number * 2_000


async def measure(folder: Path, *, lines: int, singles: int, numbers_changes: bool, report: Report) -> dict[str, Any]:
    """The whole run, in one pair of processes."""
    listen = f"127.0.0.1:{free_port()}"
    homes = make_homes(folder, {"retailer": RETAILER, "supplier": SUPPLIER.format(listen=listen)})
    (retailer_home, own), (supplier_home, supplier) = homes["retailer"], homes["supplier"]
    report("the ERP's table", 0, 1)
    await asyncio.to_thread(erp.make_erp, supplier_home, lines, numbers_changes=numbers_changes)
    report("the ERP's table", 1, 1)
    async with run_child(__file__, "--supply", str(supplier_home), "--lines", str(lines)) as other:
        node = BenchNode(retailer_home, config.load(retailer_home))
        await node.start()
        calm_collector()
        try:
            found = await _run(Retailer(node, own, supplier, lines), other, singles, report)
        finally:
            await node.stop()
    for name, home in (("retailer", retailer_home), ("supplier", supplier_home)):
        found[f"{name}_database_mib"] = round((home / "hansa.db").stat().st_size / 2**20, 1)
    found |= {"retailer_peak_mib": peak_mib(), "supplier_peak_mib": peak_mib(children=True)}
    return found


async def _run(retailer: Retailer, other: Bench, singles: int, report: Report) -> dict[str, Any]:
    await retailer.connected()
    for _ in range(20):
        await retailer.order()
    found: dict[str, Any] = {"lines": retailer.lines}
    found["order_when_idle"] = figures([await retailer.order() for _ in range(singles)])

    seconds, about, times = await _timed(retailer, other, retailer.whole_snapshot(report))
    found |= {"snapshot_s": round(seconds, 2), "lines_per_s": round(retailer.lines / seconds)}
    found |= {f"snapshot_{name}": value for name, value in about.items()}
    found |= {"order_during_snapshot": figures(times), "orders_during_snapshot": len(times)}

    changed = await _ask(other, "change")
    report("delta", 0, 1)
    seconds, about, times = await _timed(retailer, other, retailer.until_figure(changed["last"], changed["held"]))
    report("delta", 1, 1)
    found |= {"delta_lines": changed["changed"], "delta_s": round(seconds, 2)}
    found |= {f"delta_{name}": value for name, value in about.items()}
    found["order_during_delta"] = figures(times)
    found["order_after"] = figures([await retailer.order() for _ in range(singles)])
    found["conservation"] = await _conserved(retailer, other)
    return found


async def _ask(other: Bench, word: str) -> dict[str, Any]:
    await other.say(word)
    return await other.line()


async def _timed(retailer: Retailer, other: Bench, until: Any) -> tuple[float, dict[str, float], list[float]]:
    """Let the supplier pull; seconds until the retailer has it, what it cost, and the times of the orders meanwhile."""
    begun, cpu = time.perf_counter(), time.process_time()
    await _ask(other, "pull")

    async def done() -> float:
        await until
        return time.perf_counter() - begun

    task = asyncio.create_task(done())
    times = await retailer.orders_until(task)
    used = round(time.process_time() - cpu, 2)
    told = await _ask(other, "pulled")
    about = {"pulled_s": told["seconds"], "supplier_cpu_s": told["cpu"], "retailer_cpu_s": used}
    return task.result(), about, times


async def _conserved(retailer: Retailer, other: Bench) -> dict[str, Any]:
    """What everybody holds, once everything that changed has gone; fails where it is not the same."""
    while True:
        told = await _ask(other, "sums")
        ours = await retailer.node.store.read_async(lambda tx: sums(tx, retailer.supplier))
        if told["change"] == told["known"] and ours["available"] == told["available"]:
            break
        await retailer.batch()
    assert ours["lines"] == told["lines"] == retailer.lines, (ours, told)
    assert ours["on_hand"] == told["on_hand"] == told["erp"], (ours, told)
    return {"erp": told["erp"], "supplier": told["on_hand"], "retailer": ours["on_hand"]}


def main() -> int:
    """Run the benchmark, or be the supplier of one."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="a tenth of the size")
    parser.add_argument("--json", action="store_true", help="print JSON alone")
    parser.add_argument(
        "--whole-table", action="store_true", help="the ERP does not number its changes: all of it is read each time"
    )
    parser.add_argument("--lines", type=int, default=1_000_000, help="stock lines (default: a million)")
    parser.add_argument("--supply", type=Path, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    logging.basicConfig(level=logging.WARNING)
    if arguments.supply:
        asyncio.run(supply(arguments.supply, arguments.lines))
        return 0
    lines = arguments.lines // 10 if arguments.quick else arguments.lines
    from rich.progress import Progress

    with tempfile.TemporaryDirectory() as name, Progress(disable=not sys.stderr.isatty()) as bars:
        tasks: dict[str, Any] = {}

        def report(what: str, done: int, total: int) -> None:
            if what not in tasks:
                tasks[what] = bars.add_task(what, total=total)
            bars.update(tasks[what], completed=done)

        machine = facts(Path(name))
        singles = 50 if arguments.quick else 200
        found = asyncio.run(
            measure(Path(name), lines=lines, singles=singles, numbers_changes=not arguments.whole_table, report=report)
        )
    share = lines / 1_000_000
    goals = [
        (f"snapshot of {lines:,} lines, s", found["snapshot_s"], "under", 30 * share),
        (f"delta of {found['delta_lines']:,} lines, s", found["delta_s"], "under", 2 * share),
        ("median latency of a single order, ms", found["order_when_idle"]["median_ms"], "under", 15),
        ("the same during the snapshot, ms", found["order_during_snapshot"]["median_ms"], "under", 100),
    ]
    show("stock", {"benchmark": "stock", "machine": machine, "figures": found}, goals, as_json=arguments.json)
    return 0


if __name__ == "__main__":
    sys.exit(main())
