"""Orders that are wanted whole or not at all: what becomes of the rest when a part of one cannot be had, at any time.

As long as something of such an order has no source, nothing of it is bound, and what was bound before and has not left
is given back: to our own stock at once, at partners by a cancellation, which ends with their answers. What has left
comes. All that is open is then sourced together, so that it is found together or waits together.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from node.app.context import Context
from node.app.fulfilment.orchestration import perform
from node.app.fulfilment.orchestration_state import State, policy_of
from node.core.allotment import Chosen
from node.core.fulfilment import TOGETHER, let_go
from node.core.sourcing.problem import Problem
from node.ports import Transaction

__all__ = ["gather_up", "is_whole", "part", "wanted_whole"]


def wanted_whole(problem: Problem, order_id: int) -> bool:
    """Whether the rules want this order whole or not at all. A human's yes lifts that; it is asked for elsewhere."""
    return any(one.policy.complete for one in problem.orders if one.order_id == str(order_id))


def gather_up(state: State, now: int) -> bool:
    """Let all that waits for supply be sourced together with the rest; whether some of it was not due yet."""
    idle = [
        piece
        for piece in state.pieces.values()
        if piece.state == "back_ordered" and (piece.next_at is None or piece.next_at > now)
    ]
    for piece in idle:
        state.put(piece._replace(next_at=now))
    return bool(idle)


def is_whole(wanted: Mapping[str, int], chosen: Sequence[Chosen]) -> bool:
    """Whether the sources have every unit now, none of it from supply to come."""
    found: dict[str, int] = {}
    for one in chosen:
        if not one.later:
            found[one.line_id] = found.get(one.line_id, 0) + one.quantity
    return all(found.get(line_id, 0) >= quantity for line_id, quantity in wanted.items())


def part(tx: Transaction, ctx: Context, state: State, on_failure: Sequence[str], now: int) -> None:
    """The rest cannot be had: take back what has not left, and cancel the order where the rules say so."""
    if "cancel" in on_failure:
        for line in list(state.lines.values()):
            state.put_line(line._replace(cancel_asked=line.quantity - line.cancelled))
        state.tell(now, "cancelled_whole", None, 0, TOGETHER)
        return
    if "back_order" not in on_failure:
        return  # a human decides
    steps = let_go(state.order, list(state.pieces.values()), state.facts, now, policy_of(ctx, state.order))
    for step in steps:
        perform(tx, ctx, state, step, now)
