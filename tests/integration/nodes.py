"""Whole nodes of two companies on this machine: homes, keys, countersigned cards, real sockets."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any

from node.app import operations
from node.cli.local import open_host
from node.config import Settings, load
from node.runtime.node import Node

__all__ = ["IDS", "NAMES", "Company", "acquainted", "free_port", "until"]

NAMES = ("low", "high")
IDS = {"low": "0088:4012345000009", "high": "0088:4012345000016"}


def free_port() -> int:
    """A port that nobody holds at this moment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Company:
    """One company: its home, its settings, and its node while that runs."""

    def __init__(self, folder: Path, name: str, *, port: int, listens: bool, more: str = "") -> None:
        self.name, self.id, self.home, self.port = name, IDS[name], folder / name, port
        self.home.mkdir(mode=0o700)
        listen = f'listen = "127.0.0.1:{port}"\n' if listens else ""
        text = f"[node]\n{listen}grace_seconds = 5\n{more}"
        (self.home / "hansa.toml").write_text(text, encoding="utf-8")
        self.settings: Settings = load(self.home)
        self.node = Node(self.home, self.settings)
        endpoint = f"127.0.0.1:{port}" if listens else ""
        self.offline("init", name=f"Company {name}", id=self.id, endpoint=endpoint)

    def load(self) -> None:
        """Read the settings again."""
        self.settings = load(self.home)

    def offline(self, operation: str, **arguments: Any) -> Any:
        """Run an operation while no node runs."""
        with open_host(self.settings) as host:
            return operations.run(host, operation, arguments, lambda *_: None)

    async def does(self, operation: str, **arguments: Any) -> Any:
        """Run an operation in the running node, as the control socket does."""
        return await asyncio.to_thread(operations.run, self.node, operation, arguments, lambda *_: None)

    async def start(self) -> None:
        """Start a new node on this home."""
        self.node = Node(self.home, self.settings)
        await self.node.start()

    def lines(self, query: str = "") -> list[tuple[str, str, str]]:
        """Documents of the links: direction, type and state, oldest first."""
        rows = self.node.store.read(lambda tx: tx.documents.search(type=query or None))
        return [(row.direction, row.type, row.state) for row in reversed(rows)]

    def confirmed(self) -> bool:
        """Whether both sides have confirmed each other's cards."""
        return all(row.state == "confirmed" for row in self.node.store.read(lambda tx: tx.partners.all()))

    def connected(self) -> bool:
        """Whether a session is open."""
        return bool(self.node.links.hub.open())


def acquainted(folder: Path, *, listen: tuple[bool, bool] = (True, True), more: str = "") -> tuple[Company, Company]:
    """Two companies that have swapped cards and compared fingerprints; `listen` says who of the two can be dialled."""
    one, other = (
        Company(folder, name, port=free_port(), listens=listens, more=more)
        for name, listens in zip(NAMES, listen, strict=True)
    )
    shown = {company.id: company.offline("partner.card") for company in (one, other)}
    for company, partner in ((one, other), (other, one)):
        company.offline("partner.add", card=shown[partner.id]["card"])
        company.offline("partner.confirm", partner=partner.id, fingerprint=shown[partner.id]["fingerprint"])
    return one, other


async def until(so: Callable[[], bool]) -> None:
    """Let everything run until something is so; on the network there is no event for "the other process is done"."""
    async with asyncio.timeout(30):
        while not so():
            await asyncio.to_thread(_pass)


def _pass() -> None:
    """Give other threads and the loop a turn."""
