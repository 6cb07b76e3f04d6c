"""One thread for each adapter: hands over what partners sent as soon as it is stored, and pulls what is new."""

from __future__ import annotations

import contextlib
import logging
import threading
from collections.abc import Callable, Iterable, Iterator
from datetime import datetime
from time import monotonic

from adapters.base import Adapter
from node.app.context import Context
from node.app.systems import erp, erp_answers, loading, quarantine
from node.config import AdapterSettings
from node.errors import HansaError
from node.metrics import Metrics
from node.ports import Store

__all__ = ["AdapterWorker"]

_log = logging.getLogger("hansa.adapter")


class AdapterWorker:
    """Works for one system. `woke` is told which partners have something to get, and is called in this thread."""

    def __init__(
        self,
        store: Store,
        ctx: Context,
        settings: AdapterSettings,
        metrics: Metrics,
        woke: Callable[[Iterable[str]], None],
    ) -> None:
        self.name = settings.name
        self._store = store
        self._ctx = ctx
        self._settings = settings
        self._metrics = metrics
        self._woke = woke
        self._using = threading.Lock()
        self._event = threading.Event()
        self._stopping = False
        self._fresh = False
        self._forget_before: datetime | None = None
        self._adapter: Adapter | None = None
        self._pull_at = monotonic()
        self._last_error = ""
        self._thread = threading.Thread(target=self._serve, name=f"hansa-adapter-{settings.name}", daemon=True)

    @property
    def reserves(self) -> bool:
        """Whether its system keeps holds."""
        return bool(self._settings.reserves)

    @property
    def started(self) -> bool:
        """Whether `start` was called."""
        return self._thread.ident is not None

    def start(self) -> None:
        """Begin: hand over what waits, and pull."""
        self._thread.start()

    def kick(self) -> None:
        """Something may wait for this system."""
        self._event.set()

    def pull_now(self) -> None:
        """Pull as soon as may be: it was started, or its settings have changed."""
        self._fresh = False
        self._pull_at = monotonic()
        self._event.set()

    def forget(self, before: datetime) -> None:
        """Let the adapter erase its copies of what is older, as soon as it is not busy."""
        self._forget_before = before
        self._event.set()

    def stop(self, seconds: float) -> bool:
        """Finish what is in hand; whether the thread ended in time."""
        self._stopping = True
        self._event.set()
        self._thread.join(seconds)
        return not self._thread.is_alive()

    @contextlib.contextmanager
    def borrowed(self, start_from: str = "") -> Iterator[Adapter]:
        """An adapter of one's own while this worker rests. Raises ConfigError when it cannot be made."""
        with self._using:
            made = self._open(start_from)
            try:
                yield made
            finally:
                made.close()
                self._fresh = False

    def _open(self, start_from: str = "") -> Adapter:
        agreed = self._store.read(lambda tx: tx.settings.get(loading.start_setting(self.name))) or ""
        return loading.open_adapter(self._ctx.settings, self._settings, self._ctx.clock, start_from or agreed)

    def _serve(self) -> None:
        while not self._stopping:
            self._event.clear()
            with self._using:
                self._work()
            # A hand-over that failed is due again at its own time, which only the store knows.
            self._event.wait(
                max(0.0, min(self._pull_at - monotonic(), self._ctx.settings.limits.handover_first_seconds))
            )
        self._close()

    def _work(self) -> None:
        try:
            adapter = self._ready()
            self._forget(adapter)
            self._push(adapter)
            self._tell_of_holds(adapter)
            if not self._stopping and monotonic() >= self._pull_at:
                self._pull_at = monotonic() + self._settings.every_seconds
                self._pull(adapter)
            self._last_error = ""
        except HansaError as error:
            self._failed(error.message, error.hint)
        except Exception as error:
            _log.exception("adapter failed", extra={"adapter": self.name})
            self._failed(f"{type(error).__name__}: {error}", "")

    def _failed(self, message: str, hint: str) -> None:
        self._metrics.adapter_errors.labels(self.name).inc()
        if message != self._last_error:
            _log.warning("%s; it is tried again", message, extra={"adapter": self.name, "hint": hint})
        self._last_error = message
        self._fresh = False

    def _ready(self) -> Adapter:
        if self._adapter is None or not self._fresh:
            self._close()
            self._adapter = self._open()
            self._fresh = True
        return self._adapter

    def _close(self) -> None:
        adapter, self._adapter = self._adapter, None
        if adapter is not None:
            adapter.close()

    def _forget(self, adapter: Adapter) -> None:
        """Erase first: a system that cannot be reached does not keep us from it. What fails is due again in an hour."""
        before, self._forget_before = self._forget_before, None
        if before is not None and (count := adapter.forget(before)):
            _log.info("erased %d staged rows and files", count, extra={"adapter": self.name})
        if before is not None and quarantine.empty(self._ctx, self.name, adapter):
            quarantine.note(self._store, self.name, adapter)

    def _push(self, adapter: Adapter) -> None:
        posted = erp.push_due(self._store, self._ctx, self._settings, adapter)
        if posted:
            self._metrics.handed_over.labels(self.name).inc(posted)
            # Each has its verdict, which waits for the one who sent it.
            self._woke(self._store.read(lambda tx: tx.documents.waiting_partners()))

    def _tell_of_holds(self, adapter: Adapter) -> None:
        """After the orders that took holds up: what the system has to know of holds on its stock."""
        if self._settings.reserves:
            answered = erp_answers.tell_due(self._store, self._ctx, self.name, adapter)
            if answered.told:
                self._woke(answered.partners)

    def _pull(self, adapter: Adapter) -> None:
        cursor = self._store.read(lambda tx: tx.settings.cursor(self.name))
        if cursor is None or not cursor.confirmed:
            return
        began = monotonic()
        pulled = erp.pull_once(self._store, self._ctx, self._settings, adapter)
        quarantine.note(self._store, self.name, adapter)
        self._metrics.pulled.labels(self.name).inc(pulled.documents + pulled.stock_lines)
        if pulled.wake or pulled.documents:
            self._woke(pulled.wake)
        if pulled.documents or pulled.stock_lines or pulled.findings:
            _log.info(
                "pulled %d documents, %d stock lines; %d findings",
                pulled.documents,
                pulled.stock_lines,
                len(pulled.findings),
                extra={"adapter": self.name, "seconds": round(monotonic() - began, 3)},
            )
