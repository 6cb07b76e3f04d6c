#!/usr/bin/env python3
"""64 buyers at once against 1,000 pieces of one seller: pieces promised twice, and holds answered a second.

Three node processes on this machine over mutual TLS, SQLite with fsync: the seller and two companies with 32 buyers
each. Every buyer asks for a hold, waits for the answer, and then orders it, gives it back, or forgets it until it runs
out, again and again, also when nothing is left. Oversold pieces are counted in the seller's database: while it runs and
at its end, over holds and orders; and at the end against what the buyers say they have. Exits with 1 when there is any.
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
from collections.abc import Sequence
from datetime import timedelta
from decimal import Decimal
from functools import partial
from pathlib import Path
from typing import Any

from node import config
from node.app.documents.submit import Submission, submit
from node.app.stock import inventory, ledger, reservations
from node.core.document.common import DocumentHeader, ItemRef, LineKind
from node.core.document.order import Order, OrderLine
from node.core.quantity import Quantity
from node.core.reservation import LIVE
from node.core.reservation_rows import ReservationRow
from node.core.rows import StockRow
from node.ports import Transaction
from node.runtime import memory
from node.store.database import open_store
from scripts.benching.companies import BenchNode, free_port, make_homes, run_child
from scripts.benching.machine import facts, figures, show

BUYERS = 64
NODES = 2
PIECES = 1_000
ONE = 1_000_000
ITEM = "LAST-BEAR"
HOLD_SECONDS = 35
"""The requester's margin of 30 seconds and a little: what is forgotten runs out while the benchmark goes on."""

LOOK_SECONDS = 0.05
SETTLE_SECONDS = 20.0
SETTINGS = '[node]\nlisten = "{listen}"\n[log]\nlevel = "warning"\n'
SELLER = SETTINGS + '[[sharing.rules]]\nfigure = "exact"\n'


class Buyers:
    """The buyers of one company, in its process."""

    def __init__(self, node: BenchNode, seller: str, seed: int) -> None:
        self.node, self.seller = node, seller
        self.chance = random.Random(seed)
        self.waiting: dict[str, asyncio.Future[ReservationRow]] = {}
        self.news = asyncio.Event()
        self.seconds: list[float] = []
        self.counts = {"requests": 0, "granted": 0, "partly": 0, "refused": 0, "ordered_pieces": 0, "released": 0}
        node.on_taken = lambda documents: self.news.set()

    async def connected(self) -> None:
        """Until both cards are confirmed over the link."""
        while True:
            row = await self.node.store.read_async(lambda tx: tx.partners.get(self.seller))
            if row is not None and row.state == "confirmed" and row.last_hello:
                return
            await asyncio.sleep(LOOK_SECONDS)

    async def hear(self) -> None:
        """Tell each buyer when its answer is there."""
        while True:
            await self.news.wait()
            self.news.clear()
            rows = await self.node.store.read_async(partial(self._answers, ids=list(self.waiting)))
            for name, row in rows.items():
                if row.state != "requested" and (future := self.waiting.pop(name, None)) is not None:
                    future.set_result(row)

    async def buy(self, buyer: int, rounds: int) -> None:
        """One buyer: ask, then order, give back or forget."""
        for number in range(rounds):
            begun = time.perf_counter()
            row = await self._ask()
            self.seconds.append(time.perf_counter() - begun)
            self.counts["requests"] += 1
            if row.state not in LIVE:
                self.counts["refused"] += 1
                continue
            self.counts["granted" if row.state == "granted" else "partly"] += 1
            luck = self.chance.random()
            if luck < 0.3:
                await self._write(partial(self._order, row=row, number=f"PO-{buyer}-{number}"))
                self.counts["ordered_pieces"] += row.granted // ONE
            elif luck < 0.9:
                await self._write(partial(self._release, name=row.reservation_id))
                self.counts["released"] += 1

    async def _ask(self) -> ReservationRow:
        wanted = reservations.Wanted(
            item=ItemRef(seller_number=ITEM),
            quantity=Quantity(Decimal(self.chance.randint(1, 12)), "C62"),
            item_key=ITEM,
        )
        mode = self.chance.choice(["partial", "complete"])
        until = self.node.ctx.now() + timedelta(seconds=HOLD_SECONDS)
        future: asyncio.Future[ReservationRow] = asyncio.get_running_loop().create_future()

        def use_case(tx: Transaction) -> str:
            made = reservations.request(tx, self.node.ctx, self.seller, [wanted], hold_until=until, mode=mode)
            return made.rows[0].reservation_id

        name = await self._write(use_case)
        self.waiting[name] = future
        self.news.set()  # the answer may have been quicker
        return await future

    def _order(self, tx: Transaction, *, row: ReservationRow, number: str) -> None:
        line = OrderLine(
            line_id="1",
            line_kind=LineKind.GOODS,
            item=ItemRef(seller_number=ITEM),
            quantity=Quantity(Decimal(row.granted) / ONE, "C62"),
            reservation_id=row.reservation_id,
        )
        order = Order(header=DocumentHeader(number=number), currency="EUR", lines=(line,))
        done = submit(tx, self.node.ctx, self.seller, [Submission(order)])[0]
        assert done.state == "waiting", done.findings

    def _answers(self, tx: Transaction, *, ids: list[str]) -> dict[str, ReservationRow]:
        return tx.reservations.find(self.seller, "requester", ids)

    def _release(self, tx: Transaction, *, name: str) -> None:
        reservations.release(tx, self.node.ctx, name)

    async def _write(self, use_case: Any) -> Any:
        result = await self.node.store.write_async(use_case)
        self.node.links.hub.wake([self.seller])
        return result


async def be_buyers(home: Path, seller: str, *, rounds: int, seed: int) -> None:
    """One of the two companies that buy: waits for the word, buys, and says what it has."""
    memory.calm_collector()
    node = BenchNode(home, config.load(home))
    await node.start()
    try:
        buyers = Buyers(node, seller, seed)
        await buyers.connected()
        print('{"ready": true}', flush=True)
        await asyncio.to_thread(sys.stdin.readline)
        hearing = asyncio.create_task(buyers.hear())
        begun = time.perf_counter()
        await asyncio.gather(*(buyers.buy(buyer, rounds) for buyer in range(BUYERS // NODES)))
        seconds = time.perf_counter() - begun
        hearing.cancel()
        print(json.dumps({**buyers.counts, "seconds": seconds, "times": buyers.seconds}), flush=True)
        await asyncio.to_thread(sys.stdin.readline)
    finally:
        await node.stop()


def put_stock(home: Path) -> None:
    """The seller's ERP has told one figure."""
    store = open_store(config.load(home).database_url)
    try:
        own = store.read(lambda tx: tx.partners.own().partner_id)
        key = f"no:{own}:{ITEM}"
        row = StockRow(
            *(key, "", 0, "DC1", "", "AVAILABLE", "EXACT", PIECES * ONE, PIECES * ONE, None),
            *("C62", "", ITEM, "", 1, 0),
        )
        from node.app.context import Context
        from node.clock import SystemClock, SystemRandom
        from node.keyring import Keyring, verify

        ctx = Context(SystemClock(), SystemRandom(), Keyring(home / "keys"), verify, config.load(home))
        store.write(lambda tx: inventory.put_own(tx, ctx, [row], "NET"))
    finally:
        store.close()


def taken_pieces(tx: Transaction) -> tuple[int, int]:
    """Pieces that holds and orders take off the figure now, by the rows and by the counters."""
    rows = tx.reservations.search(which="open", limit=1_000_000) + tx.reservations.search(
        state="confirmed", limit=1_000_000
    )
    key = f"no:{tx.partners.own().partner_id}:{ITEM}"
    counted = sum(row.reserved + row.allocated for row in tx.reservations.counters([key]))
    return sum(row.held for row in rows if row.role == "grantor") // ONE, counted // ONE


async def watch(node: BenchNode, seen: dict[str, int]) -> None:
    """Look at the seller's books again and again while everybody buys."""
    while True:
        rows, counted = await node.store.read_async(taken_pieces)
        seen["looks"] += 1
        seen["most"] = max(seen["most"], rows, counted)
        seen["differ"] += rows != counted
        await asyncio.sleep(LOOK_SECONDS)


async def measure(folder: Path, *, rounds: int, progress: Any) -> dict[str, Any]:
    """Start the three processes, let them trade, and count."""
    port = free_port()
    listen = f"127.0.0.1:{port}"
    names = [f"buyer{place}" for place in range(NODES)]
    homes = make_homes(
        folder, {"seller": SELLER.format(listen=listen), **{name: SETTINGS.format(listen="") for name in names}}
    )
    home, seller = homes["seller"]
    with (home / config.FILE_NAME).open("a") as file:
        file.writelines(f'[partners."{homes[name][1]}"]\nauto_accept = true\n' for name in names)
    put_stock(home)
    node = BenchNode(home, config.load(home))
    await node.start()
    try:
        arguments = [["--buy", str(homes[name][0]), "--seller", seller, "--rounds", str(rounds)] for name in names]
        async with (
            run_child(__file__, *arguments[0], "--seed", "1") as one,
            run_child(__file__, *arguments[1], "--seed", "2") as other,
        ):
            seen = {"looks": 0, "most": 0, "differ": 0}
            watching = asyncio.create_task(watch(node, seen))
            begun = time.perf_counter()
            for child in (one, other):
                await child.say("go")
            told = await asyncio.gather(one.line(), other.line())
            seconds = time.perf_counter() - begun
            progress(sum(part["requests"] for part in told))
            ordered = sum(part["ordered_pieces"] for part in told)
            allocated = await settled(node, ordered)
            watching.cancel()
            for child in (one, other):
                await child.say("end")
        return await count(node, told, seen, seconds, ordered, allocated)
    finally:
        await node.stop()


async def settled(node: BenchNode, ordered: int) -> int:
    """Pieces that orders have taken up, once those of all buyers have come."""
    until = time.perf_counter() + SETTLE_SECONDS
    key = f"no:{await node.store.read_async(lambda tx: tx.partners.own().partner_id)}:{ITEM}"
    while True:
        rows = await node.store.read_async(lambda tx: tx.reservations.counters([key]))
        allocated = sum(row.allocated for row in rows) // ONE
        if allocated >= ordered or time.perf_counter() > until:
            return allocated
        await asyncio.sleep(LOOK_SECONDS)


async def count(
    node: BenchNode, told: Sequence[dict[str, Any]], seen: dict[str, int], seconds: float, ordered: int, allocated: int
) -> dict[str, Any]:
    differences = await node.store.read_async(ledger.verify)
    rows, counted = await node.store.read_async(taken_pieces)
    requests = sum(part["requests"] for part in told)
    oversold = max(0, seen["most"] - PIECES, rows - PIECES, counted - PIECES, ordered - PIECES)
    return {
        "oversold_pieces": oversold,
        "buyers": BUYERS,
        "requests": requests,
        "requests_per_s": round(requests / seconds, 1),
        "answer": figures([one for part in told for one in part["times"]]),
        **{name: sum(part[name] for part in told) for name in ("granted", "partly", "refused", "released")},
        "ordered_pieces_at_the_buyers": ordered,
        "allocated_pieces_at_the_seller": allocated,
        "orders_that_disagree": abs(ordered - allocated),
        "most_pieces_taken_at_any_look": seen["most"],
        "looks": seen["looks"],
        "looks_where_counters_differed": seen["differ"],
        "counters_that_are_not_their_sums": len(differences),
    }


def main() -> int:
    """Run the benchmark, or be one of the companies that buy."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="a quarter of the rounds")
    parser.add_argument("--json", action="store_true", help="print JSON alone")
    parser.add_argument("--rounds", type=int, default=80, help="requests of each buyer (80)")
    parser.add_argument("--buy", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--seller", help=argparse.SUPPRESS)
    parser.add_argument("--seed", type=int, default=0, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    logging.basicConfig(level=logging.WARNING)
    if arguments.buy:
        asyncio.run(be_buyers(arguments.buy, arguments.seller, rounds=arguments.rounds, seed=arguments.seed))
        return 0
    rounds = max(1, arguments.rounds // 4) if arguments.quick else arguments.rounds
    from rich.progress import Progress

    with tempfile.TemporaryDirectory() as name, Progress(disable=not sys.stderr.isatty()) as bars:
        task = bars.add_task("requests", total=BUYERS * rounds)
        machine = facts(Path(name))
        found = asyncio.run(measure(Path(name), rounds=rounds, progress=lambda done: bars.update(task, completed=done)))
    goals = [
        ("pieces oversold", found["oversold_pieces"], "under", 1),
        ("pieces ordered that the seller does not know", found["orders_that_disagree"], "under", 1),
        ("counters that are not the sum of their holds", found["counters_that_are_not_their_sums"], "under", 1),
    ]
    show("oversell", {"benchmark": "oversell", "machine": machine, "figures": found}, goals, as_json=arguments.json)
    faults = ("oversold_pieces", "orders_that_disagree", "counters_that_are_not_their_sums")
    return 1 if any(found[name] for name in faults) or found["looks_where_counters_differed"] else 0


if __name__ == "__main__":
    sys.exit(main())
