"""Plans taken up: sources chosen on a snapshot become pieces, holds and back orders of customer orders.

The order as it stands when the plan comes back decides how much of it is still wanted.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime, time, timedelta
from decimal import Decimal
from functools import partial
from typing import Any

from node.app.context import Context
from node.app.fulfilment import orchestration_documents as documents
from node.app.fulfilment import together
from node.app.fulfilment.orchestration import go_on
from node.app.fulfilment.orchestration_facts import facts_of
from node.app.fulfilment.orchestration_state import State, read_state, source_of
from node.app.sourcing import past_problems
from node.app.sourcing.planner import Choice
from node.app.stock import reservations
from node.app.stock.ledger import Ledger
from node.core import kits
from node.core.allotment import Chosen, allot
from node.core.customer_order import HOPS
from node.core.customer_rows import CustomerOrderRow, DecisionRow, PieceRow
from node.core.decimals import SCALE
from node.core.movements import mode_of
from node.core.piece_state import step_to
from node.core.promise_rows import DisruptionRow
from node.core.quantity import Quantity, from_scaled
from node.core.rules.values import NEXT_STRATEGY
from node.core.sourcing.problem import Assignment, Plan, Problem
from node.core.sourcing.reasons import FOR_SUPPLY
from node.errors import RefusedError
from node.ports import Transaction
from node.wire import micros

__all__ = ["take_up"]

SECOND = 1_000_000
EXPLANATION_BYTES_MAX = 65_536


def take_up(
    tx: Transaction,
    ctx: Context,
    customer_order_id: int,
    choice: Choice,
    notices: Sequence[DisruptionRow] | None = None,
) -> frozenset[str]:
    """Make pieces of a plan as far as it is still wanted, hold the goods, and let the rest wait; returns whom to wake.

    What can follow at once does: what is held here is ordered. What our own ledger no longer has stays open, and the
    order is due again. `notices` are those in force, where many orders are taken up in one transaction.
    """
    state = read_state(tx, customer_order_id)
    now = ctx.now_micros()
    lines, pieces = list(state.lines.values()), list(state.pieces.values())
    source = source_of(ctx, state)
    if source is None:
        return frozenset()
    problem, plan = choice.problem, choice.plan
    whole = together.wanted_whole(problem, customer_order_id) and state.order.approved < 2
    if whole and together.gather_up(state, now):
        state.save(tx)
        return frozenset()
    decision_id = _decide(tx, state, problem, plan, choice.why(str(customer_order_id)), now)
    past_problems.keep(tx, ctx, decision_id, problem, str(customer_order_id))
    if state.order.approved < 2 and (reason := choice.approval(str(customer_order_id))):
        state.order = state.order._replace(state="approval", approved=0, reason=reason, next_at=None, at=now)
        state.tell(now, "asked_approval", None, 0, reason)
        state.save(tx)
        return frozenset()
    waiting = [
        piece
        for piece in pieces
        if piece.state == "back_ordered" and piece.next_at is not None and piece.next_at <= now
    ]
    on_failure = _on_failure(problem, customer_order_id)
    if _is_last(state.order) and NEXT_STRATEGY not in on_failure:
        on_failure = ("cancel",)
    chosen = _chosen(problem, plan, state.order)
    parted = whole and not together.is_whole(source.lines, chosen)
    made = allot(
        source.lines,
        {line.line_id: line.unit for line in lines},
        waiting,
        [] if parted else chosen,
        customer_order_id=customer_order_id,
        decision_id=decision_id,
        back_order="back_order" in on_failure,
        at=now,
        new_id=partial(next, _piece_ids(tx, max(1, len(chosen)))),
    )
    state.order = state.order._replace(sourced=state.order.sourced + 1, next_at=now, at=now)
    limited = _limited(problem)
    again_at = _again_at(ctx, state, problem, made.new, limited)
    hindered = _hindered(plan, customer_order_id)
    for piece in made.changed:
        state.put(_explained(_of_day(piece, limited, again_at), hindered))
    fresh = [_explained(_of_day(piece, limited, again_at), hindered) for piece in made.new]
    for piece in _held(tx, ctx, state, fresh, now):
        state.put(piece)
        event = "back_ordered" if piece.state == "back_ordered" else "sourced"
        state.tell(now, event, piece, piece.quantity, f"{piece.partner_id or 'our own'} {piece.location}".strip())
    _fail(state, made.unfilled, on_failure, now)
    if parted and NEXT_STRATEGY not in on_failure:
        together.part(tx, ctx, state, on_failure, now)
    state.save(tx)
    state.facts = facts_of(tx, list(state.pieces.values()))
    return go_on(tx, ctx, state, notices).wake


def _limited(problem: Problem) -> dict[tuple[str, str], str]:
    """The places whose capacity is limited, with the day of whose capacity a plan takes."""
    return {
        (one.partner_id, one.location): one.ship_on.isoformat()
        for one in problem.sources
        if one.capacity_left is not None or one.orders_left is not None
    }


def _again_at(
    ctx: Context, state: State, problem: Problem, new: Sequence[PieceRow], limited: Mapping[tuple[str, str], str]
) -> int | None:
    """When what found no source is sourced again, because places are full for that day only; None: not for that."""
    taken = any(piece.state == "planned" and (piece.partner_id, piece.location) in limited for piece in new)
    if not limited or not (taken or len(problem.orders) > 1):
        return None
    if state.order.sourced < ctx.settings.orchestration.sourcings_max:
        return ctx.now_micros()
    return micros(datetime.combine(ctx.now().date() + timedelta(days=1), time(), UTC))


def _of_day(piece: PieceRow, limited: Mapping[tuple[str, str], str], again_at: int | None) -> PieceRow:
    """A piece that was made of a plan, with the day of whose capacity it takes, or on which it is sourced again."""
    if piece.state == "planned":
        return piece._replace(load_on=limited.get((piece.partner_id, piece.location)))
    if piece.state == "back_ordered" and not piece.promised_on:
        return piece._replace(next_at=again_at)
    return piece


def _hindered(plan: Plan, customer_order_id: int) -> dict[str, str]:
    """By line: why a part of it stays open although there is stock."""
    mine = [one for one in plan.unfilled if one.order_id == str(customer_order_id)]
    return {one.line_id: one.reason for one in mine if one.reason not in FOR_SUPPLY}


def _explained(piece: PieceRow, hindered: Mapping[str, str]) -> PieceRow:
    """A back-ordered piece with what hinders it, other than supply."""
    if piece.state != "back_ordered" or piece.promised_on:
        return piece
    return piece._replace(reason=hindered.get(piece.line_id, ""))


def _is_last(order: CustomerOrderRow) -> bool:
    """Whether a partner's order may be passed on no further: what we have not is refused, for others to find it."""
    return bool(order.origin_partner) and order.hops_left <= 0


def _piece_ids(tx: Transaction, many: int) -> Iterator[int]:
    """Numbers for new pieces, taken from the store so many at once."""
    while True:
        first = tx.customer_orders.next_piece_ids(many)
        yield from range(first, first + many)


def _on_failure(problem: Problem, customer_order_id: int) -> tuple[str, ...]:
    said = next((one.policy.on_failure for one in problem.orders if one.order_id == str(customer_order_id)), ())
    return said or ("back_order",)


def _fail(state: State, unfilled: Mapping[str, int], on_failure: Sequence[str], now: int) -> None:
    """Units that nobody has, where they are not to wait for supply."""
    if not unfilled:
        return
    if NEXT_STRATEGY in on_failure:
        state.order = state.order._replace(strategy=state.order.strategy + 1)
        state.tell(now, "next_strategy", None, sum(unfilled.values()), ", ".join(sorted(unfilled)))
        return
    if "cancel" in on_failure:
        for line_id, quantity in unfilled.items():
            line = state.lines[line_id]
            state.put_line(
                line._replace(
                    cancelled=line.cancelled + quantity,
                    cancel_asked=max(0, line.cancel_asked - quantity),
                )
            )
            why = HOPS if _is_last(state.order) else "nobody has it"
            state.tell(now, "units_cancelled", None, quantity, f"line {line_id}: {why}")
        for part in kits.evened(state.lines.values()):
            state.put_line(part)  # nobody wants half a kit
        return
    names = ", ".join(sorted(unfilled))
    reason = f"nobody has all of line {names}: decide what becomes of it"
    state.order = state.order._replace(state="human", approved=0, reason=reason)
    state.tell(now, "asked_human", None, 0, reason)


def _decide(tx: Transaction, state: State, problem: Problem, plan: Plan, why: Mapping[str, Any], now: int) -> int:
    """Store the decision with why."""
    order = state.order
    order_id = str(order.customer_order_id)
    cost = sum(
        (sum(one.costs.values(), Decimal(0)) for one in plan.assignments if one.order_id == order_id), Decimal(0)
    )
    text = json.dumps(why, default=str, ensure_ascii=False)
    if len(problem.orders) > 1 and len(text) > EXPLANATION_BYTES_MAX:
        text = json.dumps({"shortened": True, "chosen": _told(plan, order_id)}, default=str, ensure_ascii=False)
    decision_id = tx.customer_orders.next_decision_ids(1)
    strategy = next((one.policy.strategy for one in problem.orders if one.order_id == order_id), "")
    row = DecisionRow(
        decision_id=decision_id,
        customer_order_id=order.customer_order_id,
        at=now,
        method=plan.method,
        status=plan.status,
        gap=f"{plan.gap:g}",
        cost=_scaled(cost),
        currency=order.currency,
        strategy=strategy,
        explanation=text,
    )
    tx.customer_orders.add_decisions([row])
    return decision_id


def _told(plan: Plan, order_id: str) -> list[dict[str, Any]]:
    return [
        {"line": one.line_id, "source": one.source_id, "quantity": one.quantity, "costs": dict(one.costs)}
        for one in plan.assignments
        if one.order_id == order_id
    ]


def _chosen(problem: Problem, plan: Plan, order: CustomerOrderRow) -> list[Chosen]:
    """The plan's pieces of one order, as rows count them."""
    sources = {one.source_id: one for one in problem.sources}
    order_id = str(order.customer_order_id)
    found = []
    for one in plan.assignments:
        source = sources.get(one.source_id)
        if one.order_id != order_id or source is None or one.quantity <= 0:
            continue
        later = not source.partner_id and one.supply_on > problem.today
        found.append(
            Chosen(
                line_id=one.line_id,
                partner_id=source.partner_id,
                location=source.location,
                quantity=_scaled(one.quantity),
                mode=mode_of(order, source.partner_id, source.location, logistics=source.kind == "logistics"),
                promised_on=one.arrive_on.isoformat(),
                carrier=one.carrier,
                service=one.service,
                unit_cost=_unit_cost(one),
                later=later,
            )
        )
    return found


def _unit_cost(one: Assignment) -> int:
    goods = one.costs.get("goods", Decimal(0))
    return _scaled(goods / one.quantity) if goods > 0 and one.quantity else 0


def _scaled(value: Decimal) -> int:
    return int((value * 10**SCALE).to_integral_value())


def _held(tx: Transaction, ctx: Context, state: State, new: Sequence[PieceRow], now: int) -> list[PieceRow]:
    """Hold the goods of new pieces: our own on the ledger at once, a partner's by a request to it."""
    until = ctx.now() + timedelta(minutes=ctx.settings.orchestration.hold_minutes)
    kept: list[PieceRow] = []
    asked: dict[str, list[PieceRow]] = {}
    ours = [state.lines[one.line_id].item_key for one in new if one.state == "planned" and not one.partner_id]
    ledger = Ledger(tx, ctx, ours)
    for piece in new:
        if piece.state != "planned":
            kept.append(piece)
        elif piece.partner_id:
            asked.setdefault(piece.partner_id, []).append(piece)
        else:
            held = reservations.reserve_own(
                tx,
                ctx,
                item_key=state.lines[piece.line_id].item_key,
                location=piece.location,
                quantity=piece.quantity,
                unit=piece.unit,
                customer_order=state.order.number,
                piece_id=piece.piece_id,
                until=now + ctx.settings.orchestration.hold_minutes * 60 * SECOND,
                root_id=state.order.root_id,
                ledger=ledger,
            )
            if held is not None:
                following = step_to(piece.state, "held")
                kept.append(
                    piece._replace(state=following, reservation_id=held.reservation_id, next_at=held.expires_at)
                )
            else:
                state.tell(now, "not_held", None, piece.quantity, f"{piece.location}: it has gone meanwhile")
    ledger.write()
    for partner_id, pieces in asked.items():
        kept += _ask_partner(tx, ctx, state, partner_id, pieces, until.replace(microsecond=0), now)
    return kept


def _ask_partner(
    tx: Transaction, ctx: Context, state: State, partner_id: str, pieces: Sequence[PieceRow], until: Any, now: int
) -> list[PieceRow]:
    """One request for all pieces at a partner; a partner that knows no holds is sent the order straight away."""
    partner = tx.partners.get(partner_id)
    said = json.loads(partner.last_hello) if partner is not None and partner.last_hello else {}
    if "ReservationRequest" not in said.get("accepts", ["ReservationRequest"]):
        return list(pieces)
    lines = [state.lines[piece.line_id] for piece in pieces]
    items = documents.items_for(tx, lines, partner_id, tx.partners.own().partner_id)
    wanted = [
        reservations.Wanted(
            item=items[piece.line_id],
            quantity=Quantity(from_scaled(piece.quantity), piece.unit),
            piece_id=piece.piece_id,
            location=piece.location,
            need_on=state.lines[piece.line_id].need_on or state.order.need_on or "",
            item_key=state.lines[piece.line_id].item_key,
            customer_order=state.order.number,
        )
        for piece in pieces
    ]
    try:
        with tx.savepoint():
            made = reservations.request(
                tx,
                ctx,
                partner_id,
                wanted,
                hold_until=until,
                root_id=state.order.root_id,
                hops_left=max(0, state.order.hops_left - 1),
            )
    except RefusedError as error:
        state.tell(now, "not_asked", None, 0, f"{partner_id}: {error.message}")
        why = error.message[:500]
        return [piece._replace(state=step_to(piece.state, "dropped"), reason=why) for piece in pieces]
    state.wake.add(partner_id)
    answer_by = now + ctx.settings.orchestration.hold_answer_seconds * SECOND
    return [
        piece._replace(state=step_to(piece.state, "hold_asked"), reservation_id=row.reservation_id, next_at=answer_by)
        for piece, row in zip(pieces, made.rows, strict=True)
    ]
