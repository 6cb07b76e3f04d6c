"""A world with its own time: an event loop that never waits, clocks that run apart, and streams that can be cut.

Everything random comes from one seed, so that a run can be replayed exactly.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
import selectors
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar

from node.ports import Transaction
from node.store.database import Database
from node.transport.contract import StreamLostError

Result = TypeVar("Result")
START = datetime(2026, 11, 2, 8, tzinfo=UTC)


class _NoWait(selectors.SelectSelector):
    """Instead of waiting for sockets, tells the loop how far to move its time."""

    def __init__(self) -> None:
        super().__init__()
        self.skipped = 0.0

    def select(self, timeout: float | None = None) -> list[Any]:
        if timeout is None:
            raise RuntimeError("the simulation waits for nothing: a task is stuck")
        self.skipped += max(timeout, 0.0)
        return []


class SimLoop(asyncio.SelectorEventLoop):
    """An event loop in simulated time."""

    def __init__(self) -> None:
        self._no_wait = _NoWait()
        super().__init__(self._no_wait)

    def time(self) -> float:
        return self._no_wait.skipped


@contextlib.contextmanager
def replaced(owner: Any, name: str, value: Any) -> Iterator[None]:
    """Another value under this name while the block runs."""
    before = getattr(owner, name)
    setattr(owner, name, value)
    try:
        yield
    finally:
        setattr(owner, name, before)


async def passing(seconds: float) -> None:
    """Let simulated time pass."""
    loop = asyncio.get_running_loop()
    later = loop.create_future()
    timer = loop.call_later(seconds, later.set_result, None)
    try:
        await later
    finally:
        timer.cancel()


class SimClock:
    """One company's clock: the loop's time, with an error of its own."""

    def __init__(self, loop: SimLoop, skew: float) -> None:
        self._loop = loop
        self._skew = skew

    def now(self) -> datetime:
        return START + timedelta(seconds=self._loop.time() + self._skew)


class SimRandom:
    """Randomness from the seed."""

    def __init__(self, chance: random.Random) -> None:
        self._chance = chance

    def token(self, size: int) -> bytes:
        return self._chance.randbytes(size)


class Crashed(Exception):
    """The company's process died inside a use case."""


class CrashingStore:
    """A company's store, in whose transactions its process may die: before the commit, or right after it."""

    def __init__(self, store: Database, company: Any, chance: random.Random) -> None:
        self.inner = store
        self._company = company
        self._chance = chance
        self._turn = asyncio.Lock()
        self.crash_rate = 0.0

    def write(self, use_case: Callable[[Transaction], Result]) -> Result:
        return self.inner.write(use_case)

    def read(self, use_case: Callable[[Transaction], Result]) -> Result:
        return self.inner.read(use_case)

    async def write_async(self, use_case: Callable[[Transaction], Result]) -> Result:
        life = self._company.lives
        async with self._turn:
            await passing(self._chance.uniform(0, 0.004))
            if life != self._company.lives:
                raise asyncio.CancelledError
            if self._chance.random() >= self.crash_rate:
                return self.inner.write(use_case)
            if self._chance.random() < 0.5:
                self._lose(use_case)
            else:
                self.inner.write(use_case)
            self._company.die()
            raise asyncio.CancelledError

    def _lose(self, use_case: Callable[[Transaction], Result]) -> None:
        """The use case ran, and its commit never came."""

        def dying(tx: Transaction) -> None:
            use_case(tx)
            raise Crashed

        try:
            self.inner.write(dying)
        except Crashed:
            return

    async def read_async(self, use_case: Callable[[Transaction], Result]) -> Result:
        life = self._company.lives
        await passing(self._chance.uniform(0, 0.002))
        if life != self._company.lives:
            raise asyncio.CancelledError
        return self.inner.read(use_case)

    def close(self) -> None:
        self.inner.close()


class Wire:
    """A two-way stream: frames arrive in order, late, perhaps twice, until it is cut."""

    def __init__(self, chance: random.Random, *, duplicates: float) -> None:
        self.cut_off = asyncio.Event()
        self.ends = (End(self, chance, duplicates), End(self, chance, duplicates))
        self.ends[0].other, self.ends[1].other = self.ends[1], self.ends[0]

    def cut(self) -> None:
        """The line breaks: what has not arrived never will."""
        self.cut_off.set()
        for end in self.ends:
            end.arrived.set()


class End:
    """One side's end of a wire; a `Duplex`."""

    def __init__(self, wire: Wire, chance: random.Random, duplicates: float) -> None:
        self._wire = wire
        self._chance = chance
        self._duplicates = duplicates
        self.other = self
        self.arrived = asyncio.Event()
        self._inbox: list[bytes | None] = []
        self._last_arrival = 0.0

    async def read(self) -> bytes | None:
        while not self._inbox:
            if self._wire.cut_off.is_set():
                raise StreamLostError("the line was cut")
            self.arrived.clear()
            await self.arrived.wait()
        frame = self._inbox[0]
        if frame is not None:
            self._inbox.pop(0)
        return frame

    async def write(self, frame: bytes) -> None:
        if self._wire.cut_off.is_set():
            raise StreamLostError("the line was cut")
        await asyncio.sleep(0)
        copies = 2 if self._is_batch_or_receipt(frame) and self._chance.random() < self._duplicates else 1
        for _ in range(copies):
            self._post(frame)

    async def end(self) -> None:
        self._post(None)

    def _is_batch_or_receipt(self, frame: bytes) -> bool:
        return frame[:1] in (b"\x12", b"\x1a")  # fields 2 and 3 of Frame: what a retry may send twice

    def _post(self, frame: bytes | None) -> None:
        loop = asyncio.get_running_loop()
        at = max(self._last_arrival, loop.time() + self._chance.uniform(0.001, 0.3))
        self._last_arrival = at
        loop.call_at(at, self._arrive, frame)

    def _arrive(self, frame: bytes | None) -> None:
        if not self._wire.cut_off.is_set():
            self.other._inbox.append(frame)
            self.other.arrived.set()
