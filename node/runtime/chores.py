"""Recurring work beside the traffic: what is to be erased, old snapshots, key changes, links without progress."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from datetime import UTC, date, datetime, timedelta
from functools import partial
from typing import Any, Protocol

from apscheduler.schedulers.background import BackgroundScheduler

from node.app.context import Context
from node.app.fulfilment import recurring
from node.app.links import retention, rotation
from node.app.sourcing import scarcity
from node.app.stock import demand, disruptions, inventory, ledger
from node.app.systems import erp_answers, refusals
from node.errors import HansaError
from node.keyring import Keyring
from node.ports import Store
from node.runtime.archive import Archive
from node.wire import micros

__all__ = ["Chores"]

SNAPSHOT_ROWS_AT_ONCE = 2_500
"""Rows deleted in one transaction: an order that comes meanwhile waits for no more than that."""

RESERVATIONS_AT_ONCE = 500
"""Ended holds deleted in one transaction."""

STOCK_SECONDS = 2
"""How late partners hear at most of stock that orders took away: what changes in between goes in one report."""

_log = logging.getLogger("hansa.chores")


class Nudges(Protocol):
    """What chores ask of the node; may be called from any thread."""

    def wake(self, partner_ids: Iterable[str]) -> None: ...
    def wake_waiting(self) -> None: ...
    def reload(self) -> None: ...
    def stop_stalled(self) -> None: ...
    def forget_staged(self, before: datetime) -> None: ...


class Chores:
    """Runs each chore at its time in a thread of its own, one run of each at a time."""

    def __init__(self, store: Store, ctx: Context, keys: Keyring, node: Nudges) -> None:
        self._store = store
        self._ctx = ctx
        self._keys = keys
        self._node = node
        self._warned: dict[str, date] = {}
        defaults: dict[str, Any] = {"coalesce": True, "max_instances": 1, "misfire_grace_time": None}
        self._scheduler = BackgroundScheduler(timezone=UTC, daemon=True, job_defaults=defaults)

    def start(self) -> None:
        """Begin."""
        each: tuple[tuple[str, Callable[[], None], int], ...] = (
            ("retention", self.erase, 3600),
            ("staged rows", self.forget_staged, 3600),
            ("old snapshots", self.drop_old_snapshots, 60),
            ("key changes", self.advance_keys, 60),
            ("waiting documents", self._node.wake_waiting, 30),
            ("reservations", self.end_reservations, STOCK_SECONDS),
            ("waiting stock", self.wake_for_stock, STOCK_SECONDS),
            ("old reservations", self.forget_reservations, 3600),
            ("stalled links", self._node.stop_stalled, 10),
            ("past notices", self.end_notices, 3600),
            ("scarce stock", self.price_scarce_stock, 900),
            ("stock warnings", self.warn_of_stock_outs, 3600),
            ("recurring orders", self.make_recurring, 60),
        )
        for name, work, seconds in each:
            jitter = min(5, seconds // 2)
            self._scheduler.add_job(
                self._guarded, "interval", seconds=seconds, id=name, args=(name, work), jitter=jitter
            )
        self._scheduler.start()

    def stop(self) -> None:
        """Begin nothing more, and wait for what runs."""
        if self._scheduler.running:
            self._scheduler.shutdown(wait=True)

    def erase(self) -> None:
        """Erase what is past its time."""
        settings = self._ctx.settings
        folder = settings.retention.archive
        archive = Archive(settings.home / folder) if folder else None
        erased = retention.run(self._store, self._ctx, archive)
        if erased.documents or erased.personal:
            _log.info("erased %d documents, and personal data of %d", erased.documents, erased.personal)

    def forget_staged(self) -> None:
        """Let adapters erase their copies of what they took long ago."""
        days = self._ctx.settings.retention.staging_days
        before = self._ctx.now() - timedelta(days=days)
        self._node.forget_staged(before)
        for one in self._ctx.settings.adapters:
            self._store.write(partial(refusals.forget, adapter=one.name, before=micros(before)))

    def drop_old_snapshots(self) -> None:
        """Delete stock that a newer snapshot has replaced, a part at a time."""
        while self._store.write(lambda tx: tx.stock.drop_old(SNAPSHOT_ROWS_AT_ONCE)) == SNAPSHOT_ROWS_AT_ONCE:
            pass

    def end_reservations(self) -> None:
        """End holds whose time is up, a part at a time; in decisions they count no more anyway."""
        while self._store.read(lambda tx: bool(tx.reservations.due(self._ctx.now_micros(), 1))):
            self._store.write(lambda tx: ledger.expire_due(tx, self._ctx))
        while self._store.read(lambda tx: bool(tx.erp_holds.late(self._ctx.now_micros(), 1))):
            self._node.wake(self._store.write(lambda tx: erp_answers.refuse_late(tx, self._ctx)))

    def forget_reservations(self) -> None:
        """Delete what has ended long ago, a part at a time."""
        before = micros(self._ctx.now() - timedelta(days=self._ctx.settings.reservations.keep_days))
        while self._store.write(lambda tx: tx.reservations.forget(before, RESERVATIONS_AT_ONCE)):
            pass

    def wake_for_stock(self) -> None:
        """Wake the partners who may see stock that changed and has not gone to them; a pull wakes them at its end."""
        waiting = self._store.read(lambda tx: inventory.waiting_for_stock(tx, self._ctx))
        if waiting:
            self._node.wake(waiting)

    def make_recurring(self) -> None:
        """Make the recurring customer orders whose day has come."""
        if recurring.make_due(self._store, self._ctx):
            self._node.wake([])

    def end_notices(self) -> None:
        """End notices of disruption whose last day is over."""
        self._store.write(lambda tx: disruptions.end_past(tx, self._ctx))

    def price_scarce_stock(self) -> None:
        """Reckon what scarce stock is worth where it lies, for sourcing."""
        scarcity.refresh(self._store, self._ctx)

    def warn_of_stock_outs(self) -> None:
        """Say which items run out soon; each day of running out is said once."""
        found = self._store.read(lambda tx: demand.warnings(tx, self._ctx))
        for one in found:
            if self._warned.get(one.item) != one.out_on:
                _log.warning("%s runs out on %s: %s", one.item, one.out_on, one.why, extra={"item": one.item})
        self._warned = {one.item: one.out_on for one in found}

    def advance_keys(self) -> None:
        """Go on with a change of our keys as far as partners are ready, and forget keys that nobody needs."""
        advanced = self._store.write(lambda tx: rotation.advance(tx, self._ctx))
        if advanced.unused_key_ids or advanced.unused_pins:
            self._keys.drop(key_ids=advanced.unused_key_ids, pins=advanced.unused_pins)
        if advanced.card is not None or advanced.revocations:
            self._node.reload()
            self._node.wake_waiting()

    def _guarded(self, name: str, work: Callable[[], None]) -> None:
        try:
            work()
        except HansaError as error:
            _log.warning("%s: %s", name, error.message, extra={"job": name, "hint": error.hint})
        except Exception:
            _log.exception("%s failed", name, extra={"job": name})
