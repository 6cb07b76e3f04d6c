"""Lets back orders be sourced again that wait for mended rules, rates or settings, once for each change of them."""

from __future__ import annotations

from functools import partial

from node.app.context import Context
from node.app.fulfilment.notices import look_again
from node.app.sourcing import carriers
from node.config import Settings
from node.config.rules import rules_in_force
from node.errors import ConfigError
from node.ports import Store, Transaction

__all__ = ["AT_ONCE", "Mended"]

AT_ONCE = 64
"""Orders woken in one call; the caller works through them, and what else is due, before the next ones."""


class Mended:
    """Knows what was read of the files when orders were woken last.

    Settings are read when a node starts, so that the first call wakes orders as well. For one thread.
    """

    def __init__(self) -> None:
        self._counts: tuple[object, ...] | None = None
        self._after: int | None = None

    def wake(self, store: Store, ctx: Context) -> bool:
        """Wake the next orders that something else than supply hinders; false when all of this change are woken.

        What was changed and cannot be used changes nothing: the last good rules and rates hold.
        """
        counts = _in_force(ctx.settings)
        if counts != self._counts:
            self._counts, self._after = counts, 0
        if self._after is None:
            return False
        ids = store.read(partial(_hindered, after=self._after))
        if ids:
            store.write(lambda tx: look_again(tx, ctx, ids))
        self._after = ids[-1] if ids else None
        return bool(ids)


def _hindered(tx: Transaction, after: int) -> list[int]:
    return tx.customer_orders.hindered(after, AT_ONCE)


def _in_force(settings: Settings) -> tuple[object, ...]:
    """The rules, tables of rates and places that count now. Unchanged files are not read again, and give the same."""
    try:
        rules: object = rules_in_force(settings.home)[0]
    except ConfigError:
        rules = None
    tables = tuple(_table(settings, name) for name, one in settings.carriers.items() if one.kind == "table")
    return (rules, *tables, carriers.places(settings)[0])


def _table(settings: Settings, name: str) -> object:
    try:
        return carriers.rate_table(settings, name).table
    except ConfigError:
        return None
