"""One node: puts store, keys, links, adapters, recurring work and the control socket together, and takes them apart."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import signal
import threading
from collections.abc import Callable, Coroutine, Iterable, Iterator, Mapping
from contextlib import AbstractContextManager
from datetime import datetime
from pathlib import Path
from typing import Any, TypeVar

from adapters.base import Adapter
from node import keyring
from node.app import advice, operations
from node.app.context import Context
from node.app.links import exchange
from node.app.links.exchange import Taken
from node.app.stock import inventory, replenishment
from node.app.systems import loading
from node.clock import SystemClock, SystemRandom
from node.config import Settings
from node.control import ControlServer, Progress
from node.core import link
from node.errors import HansaError
from node.metrics import Metrics, MetricsServer
from node.ports import Clock, Random
from node.runtime.chores import Chores
from node.runtime.links import Links
from node.runtime.memory import calm_collector
from node.runtime.orchestrator import Orchestrator
from node.runtime.workers import AdapterWorker
from node.store.database import Database, open_store
from node.transport.contract import Ended, Limits, Services
from node.transport.session import Session

__all__ = ["Node"]

Result = TypeVar("Result")
Given = TypeVar("Given")

LAG_EVERY_SECONDS = 1.0
CALL_SECONDS = 60.0
"""How long a worker thread waits for the event loop at most."""

_log = logging.getLogger("hansa.node")


class Node:
    """A running node; implements `operations.Host` and `operations.Live`. The lock of its home is the caller's to hold.

    What the event loop owns is reached from other threads through `_in_loop` alone.
    """

    def __init__(
        self, home: Path, settings: Settings, *, clock: Clock | None = None, random: Random | None = None
    ) -> None:
        self._home = home
        self._settings = settings
        self._clock = clock or SystemClock()
        self._random = random or SystemRandom()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._stop_asked = asyncio.Event()
        self._serving = threading.Event()
        self._undo = contextlib.AsyncExitStack()
        self._tasks: set[asyncio.Task[Any]] = set()
        self._workers: dict[str, AdapterWorker] = {}

    # --- from start to stop -------------------------------------------------------------------------------------------

    async def start(self) -> None:
        """Open the store, listen, dial, work. Raises ConfigError or UnavailableError, and leaves nothing open then."""
        try:
            await self._start()
        except BaseException:
            await self._undo.aclose()
            raise

    async def _start(self) -> None:
        self._loop = asyncio.get_running_loop()
        settings = self._settings = await asyncio.to_thread(loading.resolved, self._settings, self._clock)
        self.store: Database = await asyncio.to_thread(open_store, settings.database_url)
        self._undo.callback(self.store.close)
        self.keys = keyring.Keyring(self._home / "keys", keyring.passphrase_from(os.environ))
        self.ctx = Context(
            clock=self._clock, random=self._random, keyring=self.keys, verify=keyring.verify, settings=settings
        )
        for warning in advice.warnings(settings):
            _log.warning("%s", warning)
        await self.store.write_async(lambda tx: replenishment.load_rules(tx, self.ctx))
        await self.store.write_async(lambda tx: inventory.sharing_may_have_changed(tx, self.ctx))
        self.metrics = Metrics(
            links=lambda: self.store.read(lambda tx: tx.links.all()),
            handovers=lambda: self.store.read(lambda tx: tx.handovers.counts()),
            unusable=lambda: len(advice.unusable(settings)),
        )
        services = Services(self.store, self.ctx, exchange, self, Limits.of(settings.limits))
        self._workers = {
            one.name: AdapterWorker(self.store, self.ctx, one, self.metrics, self.wake) for one in settings.adapters
        }
        self._undo.push_async_callback(self._stop_workers)
        self.orders = Orchestrator(self.store, self.ctx, self.wake, self._kick_workers)
        self._undo.push_async_callback(self._stop_orders)
        self.links = Links(services, self.keys)
        self._undo.push_async_callback(self._stop_links)
        await self.links.start()
        chores = Chores(self.store, self.ctx, self.keys, self)
        self._undo.push_async_callback(asyncio.to_thread, chores.stop)
        chores.start()
        control = ControlServer(self._home, self._run_operation, bytes_max=settings.limits.control_bytes_max)
        self._undo.push_async_callback(control.stop)
        await control.start()
        self.metrics_port = 0
        if settings.metrics.port:
            await self._show_metrics(settings.metrics.port)
        for worker in self._workers.values():
            worker.start()
        self.orders.start()
        self._keep(self._watch_the_loop())
        self._serving.set()
        _log.info("the node is ready", extra={"endpoint": settings.node.listen})

    async def _show_metrics(self, port: int) -> None:
        server = MetricsServer(self._settings.metrics.host, port, self.metrics, self._serving.is_set)
        self.metrics_port = server.port
        self._undo.push_async_callback(asyncio.to_thread, server.stop)

    async def run(self) -> None:
        """Start, and run until SIGTERM or SIGINT. Raises as `start`; a signal during the start ends it orderly, too."""
        self._catch_signals()
        await self.start()
        calm_collector()
        await self.serve_forever()

    async def serve_forever(self) -> None:
        """Run until SIGTERM or SIGINT, or until `ask_to_stop` is called; then stop."""
        self._catch_signals()
        try:
            await self._stop_asked.wait()
        finally:
            await self.stop()

    def _catch_signals(self) -> None:
        for number in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(number, self.ask_to_stop)

    def ask_to_stop(self) -> None:
        """Let `serve_forever` return. On the event loop only."""
        self._stop_asked.set()

    async def stop(self) -> None:
        """Take nothing more, finish what is in hand, say goodbye to partners, and close everything."""
        _log.info("the node is stopping")
        self._serving.clear()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._undo.aclose()
        _log.info("the node has stopped")

    async def _stop_links(self) -> None:
        await self.links.stop(float(self._settings.node.grace_seconds))

    async def _stop_workers(self) -> None:
        seconds = float(self._settings.node.grace_seconds)
        started = [worker for worker in self._workers.values() if worker.started]
        ended = await asyncio.gather(*(asyncio.to_thread(worker.stop, seconds) for worker in started))
        for worker, good in zip(started, ended, strict=True):
            if not good:
                _log.warning("the adapter did not end in time", extra={"adapter": worker.name})

    async def _stop_orders(self) -> None:
        seconds = float(self._settings.node.grace_seconds)
        if not await asyncio.to_thread(self.orders.stop, seconds):
            _log.warning("the work on customer orders did not end in time")

    def _kick_workers(self) -> None:
        """Our own systems may have something to take."""
        for worker in self._workers.values():
            worker.kick()

    async def _watch_the_loop(self) -> None:
        """Measure how late a timer is woken: what blocks the loop blocks every partner."""
        loop = asyncio.get_running_loop()
        while True:
            due = loop.time() + LAG_EVERY_SECONDS
            await asyncio.sleep(LAG_EVERY_SECONDS)
            self.metrics.loop_lag_seconds.observe(max(0.0, loop.time() - due))

    def _keep(self, work: Coroutine[Any, Any, Any]) -> None:
        """Run work on the loop beside everything else; what goes wrong in it is logged."""
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._done)

    def _done(self, task: asyncio.Task[Any]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            if isinstance(error, HansaError):
                _log.warning("%s", error.message, extra={"hint": error.hint})
            else:
                _log.error("a task failed", exc_info=error)

    # --- what sessions tell (transport's `Events`); on the event loop -------------------------------------------------

    def opened(self, session: Session) -> None:
        """A partner is connected."""
        self.metrics.sessions.inc()
        if not session.dialled:
            self.links.sign_of_life(session.partner_id)
        extra = {"partner": session.partner_id, "direction": "dialled" if session.dialled else "answered"}
        _log.info("connected", extra=extra)

    def taken(self, session: Session, taken: Taken, seconds: float) -> None:
        """A batch is stored: our systems, other partners and the keys in use may have something to do."""
        self.metrics.received.labels(session.partner_id).inc(taken.documents)
        self.metrics.take_seconds.observe(seconds)
        for worker in self._workers.values():
            if taken.handed_over or worker.reserves:
                worker.kick()
        self.orders.kick()
        if taken.wake:
            self.links.hub.wake(taken.wake)
        if taken.cards_changed:
            self._keep(self.links.reload())

    def sent(self, session: Session, documents: int) -> None:
        """A batch is on its way."""
        self.metrics.sent.labels(session.partner_id).inc(documents)

    def receipted(self, session: Session, seconds: float) -> None:
        """A partner has given a receipt; a refusal may be about a customer order."""
        self.orders.kick()
        if seconds:
            self.metrics.receipt_seconds.observe(seconds)

    def ended(self, session: Session, ended: Ended) -> None:
        """A partner is connected no more."""
        if ended.opened:
            self.metrics.sessions.dec()
        self.metrics.session_ends.labels(ended.reason.code).inc()
        level = logging.INFO if ended.move.value == "nobody's" else logging.WARNING
        extra = {"partner": session.partner_id, "reason": ended.reason.code, "move": ended.move.value}
        _log.log(level, "disconnected: %s", ended.reason.text or ended.reason.code, extra=extra)

    # --- what operations ask (`Host` and `Live`); from any thread but the loop's --------------------------------------

    @property
    def live(self) -> operations.Live:
        """The running node is this one."""
        return self

    def ask(self, partner_id: str, query: link.Query, seconds: float) -> link.Answer:
        """Ask a connected partner. Raises UnavailableError when it is not connected or does not answer in time."""
        return self._in_loop(self.links.hub.ask(partner_id, query, seconds))

    def wake(self, partner_ids: Iterable[str]) -> None:
        """Something waits for these partners. Does not wait for it to go."""
        self.orders.kick()
        self._soon(self.links.hub.wake, list(partner_ids))

    def wake_waiting(self) -> None:
        """Wake every partner for whom documents wait."""
        self.wake(self.store.read(lambda tx: tx.documents.waiting_partners()))

    def reload(self) -> None:
        """Partners, cards, keys or adapters have changed: follow them now."""
        self._in_loop(self.links.reload())
        for worker in self._workers.values():
            worker.pull_now()

    def forget_staged(self, before: datetime) -> None:
        """Let every adapter erase its copies of what is older, as soon as it rests. Does not wait for it."""
        for worker in self._workers.values():
            worker.forget(before)

    def sessions(self) -> list[dict[str, Any]]:
        """The sessions that are open: partner, since when, who dialled, batches in flight."""

        async def told() -> list[dict[str, Any]]:
            return [_told(session) for session in self.links.hub.open()]

        return self._in_loop(told())

    def stop_stalled(self) -> None:
        """Begin anew with partners that have not given a receipt for long."""
        self._soon(self.links.hub.stop_stalled, float(self._settings.limits.receipt_seconds))

    def adapter(self, name: str, start_from: str = "") -> AbstractContextManager[Adapter]:
        """The adapter of this name, while its worker rests. Raises ConfigError."""
        self._settings.adapter(name)
        return self._borrowed(name, start_from)

    @contextlib.contextmanager
    def _borrowed(self, name: str, start_from: str) -> Iterator[Adapter]:
        with self._workers[name].borrowed(start_from) as adapter:
            yield adapter

    def backup(self, target: Path) -> str:
        """As `Host.backup`."""
        return self.store.backup(target)

    def _run_operation(self, name: str, arguments: Mapping[str, Any], progress: Progress) -> Any:
        return operations.run(self, name, arguments, progress)

    def _soon(self, call: Callable[[Given], None], given: Given) -> None:
        """Let the loop make this call; a node that has ended needs it no more."""
        assert self._loop is not None
        with contextlib.suppress(RuntimeError):
            self._loop.call_soon_threadsafe(call, given)

    def _in_loop(self, work: Coroutine[Any, Any, Result]) -> Result:
        assert self._loop is not None
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(CALL_SECONDS)


def _told(session: Session) -> dict[str, Any]:
    since = session.opened_at
    return {
        "partner": session.partner_id,
        "since": since.isoformat(timespec="seconds").replace("+00:00", "Z") if since else "",
        "dialled": session.dialled,
        "batches_in_flight": session.in_flight,
    }
