"""The worker that carries customer orders on: woken by what happens, and by the next deadline.

Each time it also looks whether rules or rates have changed, which orders may wait for.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterable

from node.app.context import Context
from node.app.fulfilment import recurring
from node.app.fulfilment.advancing import AT_ONCE, advance
from node.app.fulfilment.mended import Mended
from node.errors import HansaError
from node.ports import Store

__all__ = ["Orchestrator"]

IDLE_SECONDS_MAX = 3_600.0
"""Longest wait for a deadline; the clock may have been set meanwhile."""

_log = logging.getLogger("hansa.orders")


class Orchestrator:
    """One thread. `woke` is told which partners have something to get, and is called in it; `handed_over` that our own
    systems may have something to take."""

    def __init__(
        self,
        store: Store,
        ctx: Context,
        woke: Callable[[Iterable[str]], None],
        handed_over: Callable[[], None],
    ) -> None:
        self._store = store
        self._ctx = ctx
        self._woke = woke
        self._handed_over = handed_over
        self._event = threading.Event()
        self._mended = Mended()
        self._stopping = False
        self._last_error = ""
        self._thread = threading.Thread(target=self._serve, name="hansa-orders", daemon=True)

    def start(self) -> None:
        """Begin with what is due."""
        self._thread.start()

    def kick(self) -> None:
        """Something has happened that customer orders may wait for."""
        self._event.set()

    def stop(self, seconds: float) -> bool:
        """Finish what is in hand; whether the thread ended in time."""
        self._stopping = True
        self._event.set()
        if self._thread.ident is not None:
            self._thread.join(seconds)
        return not self._thread.is_alive()

    def _serve(self) -> None:
        while not self._stopping:
            self._event.clear()
            pause = self._work()
            self._event.wait(pause)

    def _work(self) -> float:
        """Work until nothing is due; returns in how many seconds something will be."""
        try:
            recurring.make_due(self._store, self._ctx)
            while not self._stopping:
                done = advance(self._store, self._ctx, AT_ONCE)
                if done.wake:
                    self._woke(done.wake)
                if done.orders:
                    self._handed_over()
                elif not self._mended.wake(self._store, self._ctx):
                    break
            self._last_error = ""
            return self._pause()
        except HansaError as error:
            if error.message != self._last_error:
                _log.warning("%s; it is tried again", error.message, extra={"hint": error.hint})
            self._last_error = error.message
        except Exception:
            _log.exception("customer orders cannot be carried on")
        return float(self._ctx.settings.limits.handover_first_seconds)

    def _pause(self) -> float:
        due = self._store.read(lambda tx: tx.customer_orders.next_due())
        if due is None:
            return IDLE_SECONDS_MAX
        return min(IDLE_SECONDS_MAX, max(0.0, (due - self._ctx.now_micros()) / 1_000_000))
