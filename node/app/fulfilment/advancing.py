"""Work through the customer orders that are due: look, choose sources outside any transaction, take the choice up."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial

from node.app.context import Context
from node.app.fulfilment.disrupted_pieces import notices_in_force
from node.app.fulfilment.merging import merge_due
from node.app.fulfilment.orchestration import Looked, look
from node.app.sourcing.planner import Choice, choose
from node.app.sourcing.planning import take_up
from node.app.stock.known_stock import Trading, trading
from node.errors import UnavailableError
from node.ports import Store, Transaction

__all__ = ["AT_ONCE", "Advanced", "advance"]

AT_ONCE = 64
"""Orders looked at in one transaction."""

SECOND = 1_000_000


@dataclass(slots=True)
class Advanced:
    """What came of it: how many orders were looked at, which partners have something to get, what is handed over."""

    orders: int = 0
    sourced: int = 0
    wake: set[str] = field(default_factory=set)


def advance(store: Store, ctx: Context, limit: int = AT_ONCE) -> Advanced:
    """One batch of due orders, the most urgent first. What fails is tried again later and stops no other order."""
    done = Advanced()
    due = store.read(lambda tx: tx.customer_orders.due(ctx.now_micros(), limit))
    if not due:
        return done
    ids = store.write(lambda tx: merge_due(tx, ctx, due))
    looked = store.write(partial(_look_at, ctx=ctx, ids=ids))
    done.orders = len(ids)
    to_source: list[tuple[int, bool]] = []
    for customer_order_id, one in zip(ids, looked, strict=True):
        if one is not None:
            done.wake |= one.wake
            if one.source is not None:
                to_source.append((customer_order_id, bool(one.source.waiting)))
    # Whom we trade with is read once for all of them: it changes slowly. What is free is read for each group anew.
    trade = store.read(lambda tx: trading(tx, ctx)) if to_source else None
    for group in _groups(ctx, to_source):
        done.wake |= _source(store, ctx, group, trade)
        done.sourced += len(group)
    return done


def _look_at(tx: Transaction, ctx: Context, ids: Sequence[int]) -> list[Looked | None]:
    """Each in a savepoint: one that fails is looked at again later, and a human sees it."""
    found: list[Looked | None] = []
    notices = notices_in_force(tx, ctx)
    for customer_order_id in ids:
        try:
            with tx.savepoint():
                found.append(look(tx, ctx, customer_order_id, notices))
        except UnavailableError:
            raise
        except Exception as error:
            ctx.log.exception("customer order %d failed", customer_order_id)
            _postpone(tx, ctx, customer_order_id, error)
            found.append(None)
    return found


def _postpone(tx: Transaction, ctx: Context, customer_order_id: int, error: Exception) -> None:
    order = tx.customer_orders.get([customer_order_id])[customer_order_id]
    pause = ctx.settings.orchestration.retry_minutes * 60 * SECOND
    reason = f"our node could not go on ({type(error).__name__}: {error})"[:500]
    tx.customer_orders.put([order._replace(state="human", reason=reason, next_at=ctx.now_micros() + pause)])


def _postpone_all(tx: Transaction, ctx: Context, ids: Sequence[int], error: Exception) -> None:
    for one in ids:
        _postpone(tx, ctx, one, error)


def _groups(ctx: Context, to_source: Sequence[tuple[int, bool]]) -> list[list[int]]:
    """Waves where the settings say so, in the order given. What has waited for supply (true) is served one by one:

    a wave gives new supply to whom it costs least to send it, and a queue to who is first.
    """
    size = ctx.settings.orchestration.wave_orders
    groups: list[list[int]] = []
    room = 0
    for customer_order_id, has_waited in to_source:
        if has_waited or not room:
            groups.append([])
            room = size
        groups[-1].append(customer_order_id)
        room = 0 if has_waited else room - 1
    return groups


def _source(store: Store, ctx: Context, ids: Sequence[int], trade: Trading | None) -> set[str]:
    """Choose sources for a group, and take the choice up in one transaction."""
    try:
        choices = choose(store, ctx, ids, trade)
    except UnavailableError:
        raise
    except Exception as error:
        ctx.log.exception("sourcing failed")
        store.write(partial(_postpone_all, ctx=ctx, ids=ids, error=error))
        return set()
    return store.write(partial(_take, ctx=ctx, choices=choices))


def _take(tx: Transaction, ctx: Context, choices: Sequence[Choice]) -> set[str]:
    wake: set[str] = set()
    notices = notices_in_force(tx, ctx)
    for choice in choices:
        for demand in choice.problem.orders:
            one = int(demand.order_id)
            try:
                with tx.savepoint():
                    wake |= take_up(tx, ctx, one, choice, notices)
            except UnavailableError:
                raise
            except Exception as error:
                ctx.log.exception("customer order %d could not take its plan up", one)
                _postpone(tx, ctx, one, error)
    return wake
