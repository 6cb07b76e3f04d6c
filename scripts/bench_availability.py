#!/usr/bin/env python3
"""Look-ups of availability over a million stock lines of fifty partners: how many a second, and how long each takes.

The store is SQLite on disk, filled by the partners' reports through the gate, as the link brings them. An item is asked
for by our own number, by GTIN, or by nothing that anybody knows; its answer has the figures of every partner that holds
it. Measured three ways: one after another; from four readers at once; and while one partner's new snapshot comes in.
"""

from __future__ import annotations

import argparse
import random
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from node import config, stock_wire, wire
from node.app.context import Context
from node.app.stock import availability, inventory
from node.clock import SystemClock, SystemRandom
from node.core.document.common import DocumentHeader
from node.core.document.inventory import InventoryReport, Snapshot, StockBasis
from node.core.rows import AliasRow, PartnerRow, StockRow
from node.keyring import Keyring, verify
from node.runtime.memory import calm_collector
from node.store.database import Database, open_store
from scripts.benching import erp
from scripts.benching.companies import make_homes
from scripts.benching.machine import facts, figures, peak_mib, show

PARTNERS = 50
HOLDERS = 4
"""Partners that hold an item."""

REPORT_LINES = 2_500
READERS = 4
Report = Callable[[str, int, int], None]


class Company:
    """A node's store with fifty partners."""

    def __init__(self, home: Path, lines: int) -> None:
        settings = config.load(home)
        self.ctx = Context(SystemClock(), SystemRandom(), Keyring(home / "keys"), verify, settings)
        self.store: Database = open_store(settings.database_url)
        self.items = lines // HOLDERS
        self.partners = [f"hansa:{place:032x}" for place in range(PARTNERS)]

    def fill(self, report: Report) -> None:
        """Partners, our own numbers of a third of the items, and the partners' first snapshots."""
        now = self.ctx.now_micros()
        for place, one in enumerate(self.partners):
            row = PartnerRow(one, f"Partner {place}", "confirmed", "TEST", None, None, now, None, "", "", now)
            self.store.write(partial(_put_partner, row=row))
        names = [AliasRow(f"gtin:0{erp.gtin_of(item)}", f"OUR-{item}", "") for item in range(0, self.items, 3)]
        for first in range(0, len(names), REPORT_LINES):
            part = names[first : first + REPORT_LINES]
            self.store.write(partial(_put_aliases, rows=part))
        for place, one in enumerate(self.partners):
            self.snapshot(one)
            report("filling", place + 1, PARTNERS)

    def snapshot(self, partner_id: str) -> None:
        """A partner's whole stock, in parts, each a report of its own."""
        place = self.partners.index(partner_id)
        held = [item for item in range(self.items) if (place - item) % PARTNERS < HOLDERS]
        name = self.ctx.random.token(8).hex()
        for first in range(0, len(held), REPORT_LINES):
            part, last = held[first : first + REPORT_LINES], first + REPORT_LINES >= len(held)
            snapshot = Snapshot(id=name, part=first // REPORT_LINES + 1, last=last)
            body = self._report(partner_id, part, snapshot)
            self.store.write(partial(_take, ctx=self.ctx, partner_id=partner_id, body=body))

    def _report(self, partner_id: str, items: list[int], snapshot: Snapshot) -> bytes:
        now = self.ctx.now()
        rows = [
            StockRow(
                f"gtin:0{erp.gtin_of(item)}", "", 0, f"DC{item % 3}", "", "AVAILABLE", "EXACT", item % 500 * 10**6,
                item % 400 * 10**6, None, "C62", erp.gtin_of(item), erp.number_of(item), "", wire.micros(now), 0,
            )
            for item in items
        ]  # fmt: skip
        header = DocumentHeader(issuer=partner_id, number=f"{snapshot.id}-{snapshot.part}", issued_at=now)
        report = InventoryReport(header=header, as_of=now, basis=StockBasis.NET, snapshot=snapshot)
        return stock_wire.write_report(report, rows)

    def names(self, count: int, seed: int) -> list[str]:
        """What is asked for: a third by our own number, most others by GTIN, one in twenty unknown to everybody."""
        chance = random.Random(seed)
        asked = []
        for _ in range(count):
            item = chance.randrange(self.items)
            kind = chance.random()
            if kind < 0.05:
                asked.append(f"NOBODY-{item}")
            else:
                asked.append(f"OUR-{item - item % 3}" if kind < 0.35 else erp.gtin_of(item))
        return asked

    def look_up(self, names: list[str], times: list[float], costs: list[float], found: list[int]) -> None:
        """Ask for each of the names in a read of its own; `costs` is what of the time was the processor's."""
        for name in names:
            begun, cpu = time.perf_counter(), time.thread_time()
            answer = self.store.read(partial(availability.figures, ctx=self.ctx, items=[name]))
            times.append(time.perf_counter() - begun)
            costs.append(time.thread_time() - cpu)
            if len(answer) != (0 if name.startswith("NOBODY") else HOLDERS):
                raise AssertionError(f"{name}: {len(answer)} figures")
            found.append(len(answer))


def _put_partner(tx: Any, *, row: PartnerRow) -> None:
    tx.partners.put(row)


def _put_aliases(tx: Any, *, rows: list[AliasRow]) -> None:
    tx.stock.put_aliases(rows)


def _take(tx: Any, *, ctx: Context, partner_id: str, body: bytes) -> None:
    read = stock_wire.read_report(body, partner_id)
    assert not read.findings, read.findings
    inventory.take_report(tx, ctx, partner_id, read)


def measure(folder: Path, *, lines: int, asked: int, report: Report) -> dict[str, Any]:
    """Fill the store, then ask."""
    homes = make_homes(folder, {"retailer": '[node]\nlisten = ""\n'})
    home, _ = homes["retailer"]
    company = Company(home, lines)
    try:
        begun = time.perf_counter()
        company.fill(report)
        found: dict[str, Any] = {"lines": company.items * HOLDERS, "partners": PARTNERS}
        found["filling_s"] = round(time.perf_counter() - begun, 1)
        calm_collector()
        company.look_up(company.names(asked // 10, seed=1), [], [], [])
        found["alone"] = _asked(company, asked, readers=1)
        report("asking", 1, 3)
        found["four_readers"] = _asked(company, asked, readers=READERS)
        report("asking", 2, 3)
        found["during_a_snapshot"] = _during_snapshots(company, asked)
        report("asking", 3, 3)
        counted = [company.store.read(partial(_count, partner_id=one)) for one in company.partners]
        assert sum(counted) == found["lines"], (sum(counted), found["lines"])
        found["database_mib"] = round((home / "hansa.db").stat().st_size / 2**20, 1)
    finally:
        company.store.close()
    return found | {"peak_mib": peak_mib()}


def _count(tx: Any, *, partner_id: str) -> int:
    count: int = tx.stock.count(partner_id)
    return count


def _asked(company: Company, asked: int, *, readers: int) -> dict[str, Any]:
    times: list[float] = []
    costs: list[float] = []
    found: list[int] = []
    threads = [
        threading.Thread(
            target=company.look_up, args=(company.names(asked // readers, seed=2 + place), times, costs, found)
        )
        for place in range(readers)
    ]
    begun = time.perf_counter()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    seconds = time.perf_counter() - begun
    if len(times) != asked // readers * readers:
        raise AssertionError("not every look-up was answered as it should be")
    return {
        "look_ups_per_s": round(len(times) / seconds, 1),
        "figures": sum(found),
        **figures(times),
        "processor": figures(costs),
    }


def _during_snapshots(company: Company, asked: int) -> dict[str, Any]:
    """Snapshots come one after another as fast as they can be taken, until everything was asked."""
    stop = threading.Event()
    taken = []

    def keep_coming() -> None:
        for partner_id in company.partners * 10:
            if stop.is_set():
                return
            company.snapshot(partner_id)
            taken.append(partner_id)

    thread = threading.Thread(target=keep_coming)
    thread.start()
    result = _asked(company, asked, readers=1)
    stop.set()
    thread.join()
    return result | {"snapshots_taken": len(taken)}


def main() -> int:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="a tenth of the size")
    parser.add_argument("--json", action="store_true", help="print JSON alone")
    arguments = parser.parse_args()
    divide = 10 if arguments.quick else 1
    from rich.progress import Progress

    with tempfile.TemporaryDirectory() as name, Progress(disable=not sys.stderr.isatty()) as bars:
        tasks: dict[str, Any] = {}

        def report(what: str, done: int, total: int) -> None:
            if what not in tasks:
                tasks[what] = bars.add_task(what, total=total)
            bars.update(tasks[what], completed=done)

        machine = facts(Path(name))
        found = measure(Path(name), lines=1_000_000 // divide, asked=20_000 // divide, report=report)
    goals = [
        ("99th percentile of a look-up, ms", found["alone"]["p99_ms"], "under", 2),
        ("the same from four readers at once, ms", found["four_readers"]["p99_ms"], "under", 2),
        ("the same while snapshots come in, ms", found["during_a_snapshot"]["p99_ms"], "under", 2),
    ]
    show(
        "availability",
        {"benchmark": "availability", "machine": machine, "figures": found},
        goals,
        as_json=arguments.json,
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
