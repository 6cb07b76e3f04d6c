"""What the node would say of an adapter's documents and figures, found out by taking them and undoing all of it."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence

from adapters.base import Change, PullBatch, StockColumns
from adapters.base import Finding as RowFinding
from node.app.context import Context
from node.app.systems import erp
from node.config import AdapterSettings
from node.errors import RefusedError
from node.ports import Store, Transaction

__all__ = ["rehearse"]


class _Undone(Exception):
    """Leaves a savepoint, so that nothing of what was done inside stays."""


def rehearse(
    store: Store,
    ctx: Context,
    settings: AdapterSettings,
    changes: Sequence[Change],
    stock: Sequence[StockColumns],
) -> list[RowFinding]:
    """The findings of a pull that would bring these documents and figures; nothing is kept, numbered or sent.

    Of a chunk of figures the first `erp.STOCK_ROWS_AT_ONCE` lines are tried.
    """
    first = [erp.part_of(chunk, 0, erp.STOCK_ROWS_AT_ONCE) for chunk in stock]
    pulled = erp.Pulled(began_at=ctx.now_micros())

    def take_and_undo(tx: Transaction) -> None:
        with contextlib.suppress(_Undone), tx.savepoint():
            batch = PullBatch(cursor="", changes=list(changes), stock=first)
            erp.take(tx, ctx=ctx, settings=settings, batch=batch, pulled=pulled)
            raise _Undone

    try:
        store.write(take_and_undo)
    except RefusedError as error:
        pulled.findings.append(RowFinding(error.code, "", error.message))
    return pulled.findings
