#!/usr/bin/env python3
"""Orders from one process to another: documents per second, latency, bytes and memory, all durable and receipted.

Two processes on this machine over mutual TLS, SQLite with fsync. `orders` goes the whole way: submitted, numbered,
signed, sent, verified, checked, applied to the order book, stored, receipted, the receipt verified and stored. `opaque`
is the link alone: documents of the same size that the receiver only keeps.
"""

from __future__ import annotations

import argparse
import asyncio
import logging
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from node import config, wire
from node.app.documents import effects
from node.app.documents.submit import Submission, submit
from node.app.links.outbox import SALT_BYTES
from node.core import link
from node.core.rows import DocumentRow
from node.runtime import memory
from scripts.benching import as2_loop, nats_stream
from scripts.benching.companies import Bench, BenchNode, free_port, make_homes, run_child, sample_order
from scripts.benching.machine import facts, figures, peak_mib, show

CHUNK = 128
AS2_MESSAGES = 40
SETTINGS = '[node]\nlisten = "{listen}"\n[log]\nlevel = "warning"\n'


def keep_only(tx: Any, ctx: Any, partner_id: str, incoming: Any, entries: list[effects.Entry]) -> effects.Result:
    """What the receiver does with opaque documents: their exact bytes are stored, nothing is read."""
    first = tx.documents.next_ids(len(entries))
    now = ctx.now_micros()
    tx.documents.add(
        [
            _opaque_row(
                first + i,
                partner_id,
                "in",
                incoming.epoch,
                one.number,
                one.entry.salt,
                one.entry.body,
                one.leaf,
                "taken",
                now,
            )
            for i, one in enumerate(entries)
        ]
    )
    return effects.Result()


def _opaque_row(
    document_id: int,
    partner_id: str,
    direction: str,
    epoch: int | None,
    number: int | None,
    salt: bytes,
    body: bytes,
    leaf: bytes,
    state: str,
    now: int,
) -> DocumentRow:
    name = str(number or document_id)
    return DocumentRow(
        document_id, partner_id, direction, epoch, number, "Opaque", partner_id, "", name, "", 0, "TEST", state, None,
        5, name, salt, body, b"", b"", leaf, "", now, None,
    )  # fmt: skip


async def receive(home: Path, *, opaque: bool) -> None:
    """The other company: takes until it is told to stop."""
    if opaque:
        setattr(effects, "take", keep_only)  # noqa: B010 - the one thing that this benchmark replaces
    memory.calm_collector()
    node = BenchNode(home, config.load(home))
    await node.start()
    print('{"ready": true}', flush=True)
    await node.serve_forever()


class Sender:
    """The company in this process."""

    def __init__(self, node: BenchNode, own: str, partner: str) -> None:
        self.node, self.own, self.partner = node, own, partner
        self.receipt = asyncio.Event()
        self.count = 0
        node.on_receipt = self.receipt.set

    async def connected(self) -> None:
        """Until both cards are confirmed over the link."""
        while True:
            row = await self.node.store.read_async(lambda tx: tx.partners.get(self.partner))
            if row is not None and row.state == "confirmed":
                return
            await asyncio.sleep(0.05)

    async def receipted(self) -> int:
        row = await self.node.store.read_async(lambda tx: tx.links.get(self.partner, "out"))
        assert row is not None
        return int(row.receipted_number)

    async def numbered(self) -> int:
        counts = await self.node.store.read_async(lambda tx: tx.documents.counts())
        return sum(count for partner, direction, _, count in counts if (partner, direction) == (self.partner, "out"))

    async def submit_orders(self, orders: list[Any]) -> None:
        """Submit a chunk, as an adapter's pull does, and wake the link."""
        given = [Submission(order) for order in orders]
        results = await self.node.store.write_async(lambda tx: submit(tx, self.node.ctx, self.partner, given))
        assert all(one.state == "waiting" for one in results), results[0].findings
        self.node.links.hub.wake([self.partner])

    async def submit_opaque(self, bodies: list[bytes]) -> None:
        """Put documents that nobody reads straight into the outbox."""

        def use_case(tx: Any) -> None:
            first = tx.documents.next_ids(len(bodies))
            now = self.node.ctx.now_micros()
            rows = []
            for i, body in enumerate(bodies):
                salt = self.node.ctx.random.token(SALT_BYTES)
                leaf = link.leaf_of(salt, "Opaque", body)
                rows.append(_opaque_row(first + i, self.partner, "out", None, None, salt, body, leaf, "waiting", now))
            tx.documents.add(rows)

        await self.node.store.write_async(use_case)
        self.node.links.hub.wake([self.partner])

    async def settled(self, wanted: int, progress: Any) -> None:
        """Until documents up to this number have a verified receipt."""
        while (done := await self.receipted()) < wanted:
            progress(done)
            self.receipt.clear()
            await self.receipt.wait()
        progress(wanted)


async def throughput(sender: Sender, chunks: list[Any], submit_chunk: Any, progress: Any) -> float:
    """Seconds from the first submit to the last verified receipt."""
    base = await sender.numbered()
    total = sum(len(chunk) for chunk in chunks)
    begun = time.perf_counter()
    settled = asyncio.create_task(sender.settled(base + total, lambda done: progress(done - base)))
    for chunk in chunks:
        await submit_chunk(chunk)
    await settled
    return time.perf_counter() - begun


async def latency(sender: Sender, orders: list[Any]) -> list[float]:
    """Seconds from submit to verified receipt of single orders, one after another."""
    times = []
    number = await sender.numbered()
    for order in orders:
        begun = time.perf_counter()
        await sender.submit_orders([order])
        number += 1
        await sender.settled(number, lambda done: None)
        times.append(time.perf_counter() - begun)
    return times


async def measure(folder: Path, *, orders: int, opaque: int, singles: int, progress: Any) -> dict[str, Any]:
    """Both runs, each in a pair of processes of its own."""
    found: dict[str, Any] = {}
    for kind, count in (("orders", orders), ("opaque", opaque)):
        port = free_port()
        listen = SETTINGS.format(listen=f"127.0.0.1:{port}")
        homes = make_homes(folder / kind, {"buyer": SETTINGS.format(listen=""), "seller": listen})
        (buyer_home, buyer), (seller_home, seller) = homes["buyer"], homes["seller"]
        arguments = ["--receive", str(seller_home), *(["--opaque-only"] if kind == "opaque" else [])]
        async with run_child(__file__, *arguments) as other:
            node = BenchNode(buyer_home, config.load(buyer_home))
            await node.start()
            try:
                sender = Sender(node, buyer, seller)
                await sender.connected()
                found |= await _run(sender, kind, count, singles, progress, other)
            finally:
                await node.stop()
        found[f"receiver_{kind}_peak_mib"] = peak_mib(children=True)
    return found


async def _run(sender: Sender, kind: str, count: int, singles: int, progress: Any, other: Bench) -> dict[str, Any]:
    progress(kind, 0, count)
    # The orders are made before the clock starts, and are no work for the collector meanwhile, as in a node's process.
    made = [sample_order(sender.own, sender.partner, f"PO-{i}") for i in range(count if kind == "orders" else CHUNK)]
    size = len(wire.encode(made[0]))
    memory.calm_collector()
    if kind == "opaque":
        bodies = [wire.encode(order) for order in made[:CHUNK]]
        chunks: list[Any] = [bodies] * (count // CHUNK)
        seconds = await throughput(sender, chunks, sender.submit_opaque, lambda done: progress(kind, done, count))
        rate = len(chunks) * CHUNK / seconds
        return {"opaque_documents_per_s": round(rate, 1), "opaque_bytes": size}
    warm = [sample_order(sender.own, sender.partner, f"W-{i}") for i in range(CHUNK)]
    await throughput(sender, [warm], sender.submit_orders, lambda done: None)
    chunks = [made[i : i + CHUNK] for i in range(0, count, CHUNK)]
    seconds = await throughput(sender, chunks, sender.submit_orders, lambda done: progress(kind, done, count))
    alone = [sample_order(sender.own, sender.partner, f"S-{i}") for i in range(singles)]
    times = await latency(sender, alone)
    return {
        "orders_per_s": round(count / seconds, 1),
        "order_bytes": size,
        "order_lines": len(made[0].lines),
        "single_order": figures(times),
        "sender_peak_mib": peak_mib(),
    }


def compare(folder: Path, found: dict[str, Any], count: int) -> dict[str, Any]:
    """The same traffic through NATS JetStream and as AS2 in the same run, as ratios; or why not."""
    body = b"x" * found["opaque_bytes"]
    told: dict[str, Any] = {}
    if why := nats_stream.available():
        told["nats_jetstream"] = why
    else:
        rate = asyncio.run(nats_stream.documents_per_s(folder, __file__, body, count))
        told["nats_jetstream_documents_per_s"] = round(rate, 1)
        told["opaque_over_nats"] = round(found["opaque_documents_per_s"] / rate, 2)
        told["orders_over_nats"] = round(found["orders_per_s"] / rate, 2)
    if why := as2_loop.available():
        told["as2"] = why
    else:
        rate = as2_loop.documents_per_s(body, AS2_MESSAGES)
        told["as2_messages_per_s"] = round(rate, 1)
        told["orders_over_as2"] = round(found["orders_per_s"] / rate, 1)
    return told


def main() -> int:
    """Run the benchmark, or be the other company of one."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="a tenth of the size")
    parser.add_argument("--json", action="store_true", help="print JSON alone")
    parser.add_argument("--receive", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--nats-consume", help=argparse.SUPPRESS)
    parser.add_argument("--opaque-only", action="store_true", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    logging.basicConfig(level=logging.WARNING)
    if arguments.receive:
        asyncio.run(receive(arguments.receive, opaque=arguments.opaque_only))
        return 0
    if arguments.nats_consume:
        port, count = arguments.nats_consume.split(":")
        asyncio.run(nats_stream.consume(int(port), int(count)))
        return 0
    divide = 10 if arguments.quick else 1
    from rich.progress import Progress

    with tempfile.TemporaryDirectory() as name, Progress(disable=not sys.stderr.isatty()) as bars:
        tasks: dict[str, Any] = {}

        def progress(kind: str, done: int, total: int) -> None:
            if kind not in tasks:
                tasks[kind] = bars.add_task(kind, total=total)
            bars.update(tasks[kind], completed=done)

        machine = facts(Path(name))
        found = asyncio.run(
            measure(
                Path(name),
                orders=20_480 // divide,
                opaque=51_200 // divide,
                singles=300 // divide,
                progress=progress,
            )
        )
        found |= compare(Path(name), found, 20_480 // divide)
    goals = [
        ("orders/s to effect and verified receipt", found["orders_per_s"], "at least", 2000),
        ("opaque documents/s, kept and receipted", found["opaque_documents_per_s"], "at least", 10000),
        ("median latency of a single order, ms", found["single_order"]["median_ms"], "under", 15),
    ]
    result = {"benchmark": "exchange", "machine": machine, "figures": found}
    show("exchange", result, goals, as_json=arguments.json)
    return 0


if __name__ == "__main__":
    sys.exit(main())
