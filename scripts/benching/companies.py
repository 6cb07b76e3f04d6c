"""Two companies for a benchmark: homes with keys and cards, one node in this process and one in another."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import socket
import sys
from collections.abc import AsyncIterator, Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from node import config
from node.app.context import Context
from node.app.links import partners
from node.app.links.exchange import Taken
from node.clock import SystemClock, SystemRandom
from node.core.document.order import Order
from node.keyring import Keyring, verify
from node.runtime.node import Node
from node.store.database import open_store
from node.transport.session import Session

__all__ = ["Bench", "BenchNode", "free_port", "make_homes", "run_child", "sample_order"]


class BenchNode(Node):
    """A node that says when receipts come and batches are taken."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.on_receipt: Callable[[], None] = lambda: None
        self.on_taken: Callable[[int], None] = lambda documents: None

    def receipted(self, session: Session, seconds: float) -> None:
        super().receipted(session, seconds)
        self.on_receipt()

    def taken(self, session: Session, taken: Taken, seconds: float) -> None:
        super().taken(session, taken, seconds)
        self.on_taken(taken.documents)


def free_port() -> int:
    """A port of the loopback address that nothing listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def make_homes(folder: Path, settings: dict[str, str]) -> dict[str, tuple[Path, str]]:
    """A home for each name with its TOML settings, all connected with each other; returns home and participant id."""
    made: dict[str, tuple[Path, str]] = {}
    contexts: dict[str, tuple[Any, Context]] = {}
    for name, text in settings.items():
        home = folder / name
        home.mkdir(parents=True)
        (home / config.FILE_NAME).write_text(text)
        loaded = config.load(home)
        keys = Keyring(home / "keys")
        ctx = Context(SystemClock(), SystemRandom(), keys, verify, loaded)
        store = open_store(loaded.database_url)
        endpoint = loaded.node.listen
        store.write(partial(partners.init, ctx=ctx, maker=keys, name=name, endpoint=endpoint))
        made[name] = (home, store.read(lambda tx: tx.partners.own().partner_id))
        contexts[name] = (store, ctx)
    cards = {name: store.read(partners.own_card).encode() for name, (store, _) in contexts.items()}
    prints = {name: store.read(partners.fingerprint_of) for name, (store, _) in contexts.items()}
    names = list(settings)
    for name, (store, ctx) in contexts.items():
        for other in names:
            if other != name and (name == names[0] or other == names[0]):
                store.write(partial(partners.add, ctx=ctx, data=cards[other], expected=prints[other]))
    for store, _ in contexts.values():
        store.close()
    return made


class Bench:
    """The other company's process: started, asked for its memory, stopped by its id."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self.process = process

    async def line(self) -> dict[str, Any]:
        """The child's next line of JSON."""
        assert self.process.stdout is not None
        text = await self.process.stdout.readline()
        if not text:
            raise RuntimeError("the other company's process has ended; see its log")
        found: dict[str, Any] = json.loads(text)
        return found

    async def say(self, word: str) -> None:
        """A line for the child."""
        assert self.process.stdin is not None
        self.process.stdin.write(word.encode() + b"\n")
        await self.process.stdin.drain()

    async def stop(self) -> None:
        """Ask it to end, and wait."""
        if self.process.returncode is None:
            self.process.send_signal(signal.SIGTERM)
            await self.process.wait()


@contextlib.asynccontextmanager
async def run_child(script: str, *arguments: str) -> AsyncIterator[Bench]:
    """Run this Python on a benchmark's script as the other company."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        script,
        *arguments,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        env={**os.environ, "PYTHONUNBUFFERED": "1"},
    )
    bench = Bench(process)
    try:
        await bench.line()
        yield bench
    finally:
        await bench.stop()


def sample_order(buyer: str, seller: str, number: str, *, lines: int = 10, gtins: Sequence[str] = ()) -> Order:
    """An order of about 1.5 kB, as a shop's ERP gives it; its lines name `gtins` where these are given."""
    from node import wire

    made = wire.from_fields(
        "Order",
        {
            "header": {
                "number": number,
                "parties": [
                    {"role": "BUYER", "id": buyer, "name": "Harbour Gifts"},
                    {"role": "SELLER", "id": seller, "name": "Nordwind Wholesale"},
                ],
            },
            "order_kind": "DROP_SHIP",
            "currency": "GBP",
            "dates": [{"qualifier": "DELIVER", "on": "2026-12-18"}],
            "lines": [
                {
                    "line_id": str(n),
                    "line_kind": "GOODS",
                    "item": {
                        **({"gtin": gtins[n - 1]} if gtins else {"seller_number": f"N-{84000 + n}"}),
                        "buyer_number": f"{84000 + n}A",
                        "description": "WHITE HANGING HEART T-LIGHT HOLDER",
                    },
                    "quantity": {"value": str(1 + n % 12), "unit": "C62"},
                    "price": {"amount": {"amount": "2.55", "currency": "GBP"}},
                    "dates": [{"qualifier": "DELIVER", "on": "2026-12-18"}],
                }
                for n in range(1, lines + 1)
            ],
        },
    )
    assert isinstance(made, Order)
    return made
