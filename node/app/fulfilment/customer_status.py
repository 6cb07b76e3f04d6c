"""What users ask of customer orders: one status over all companies, who waits for whom, and why it was decided so."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from node.app.context import Context
from node.app.fulfilment.orchestration_facts import facts_of
from node.app.sourcing import past_problems
from node.core import customer_view
from node.core.customer_rows import CustomerOrderRow, DecisionRow, PieceRow
from node.core.item_key import GTIN_PREFIX, number_key
from node.core.piece_state import DEAD
from node.core.sourcing.explain import explain
from node.core.sourcing.plan_json import plan_of
from node.core.sourcing.problem import Problem
from node.errors import RefusedError
from node.ports import Transaction

__all__ = ["find", "named", "one", "show", "stuck", "why"]

SECOND = 1_000_000
_FOR = {"back_ordered": "supply", "ready": "the customer"}
_WHY = {"back_ordered": "nobody can send it now"}
_WAITS = ("holding", "ordering", "in_doubt", "ordered", "waiting_human", "cancelling", "back_ordered", "ready")


def named(tx: Transaction, name: str) -> list[CustomerOrderRow]:
    """The customer orders of this number; CHANNEL:NUMBER names the one of that channel."""
    rows = tx.customer_orders.numbered(name)
    channel, colon, number = name.partition(":")
    if rows or not colon:
        return rows
    return [row for row in tx.customer_orders.numbered(number) if row.channel == channel]


def one(tx: Transaction, number: str, channel: str | None = None) -> CustomerOrderRow:
    """The customer order of this number. Raises RefusedError when there is none, or several channels have one."""
    rows = [row for row in named(tx, number) if channel is None or row.channel == channel]
    if not rows:
        hint = "`hansa order find` shows those that there are."
        raise RefusedError(f"no customer order {number!r} is known", code="unknown-order", hint=hint)
    if len(rows) > 1:
        channels = ", ".join(row.channel for row in rows)
        hint = f"say which: {rows[0].channel}:{number}"
        raise RefusedError(f"{number!r} is an order of several channels: {channels}", code="ambiguous", hint=hint)
    return rows[0]


def show(tx: Transaction, ctx: Context, number: str) -> list[dict[str, Any]]:
    """Every customer order of this number, piece by piece; of one that was put together with another, that one too."""
    rows = named(tx, number)
    into = [row.merged_into for row in rows if row.merged_into is not None]
    rows += [row for row in tx.customer_orders.get(into).values() if row not in rows] if into else []
    return [_told(tx, row, ctx.now_micros()) for row in rows]


def find(
    tx: Transaction,
    *,
    customer: str | None = None,
    sku: str | None = None,
    partner_id: str | None = None,
    state: str | None = None,
    limit: int = 50,
) -> list[dict[str, Any]]:
    """Customer orders, newest first: of a customer, with an item, or that a partner is involved in."""
    keys = _keys(tx, sku) if sku is not None else None
    rows = tx.customer_orders.search(customer=customer, item_keys=keys, partner_id=partner_id, state=state, limit=limit)
    return [_told(tx, row) for row in rows]


def _keys(tx: Transaction, sku: str) -> list[str]:
    """Every key of an item that is called so: a GTIN, our number, a partner's, or the key itself."""
    own = tx.partners.own().partner_id
    names = [sku, number_key(sku, own), GTIN_PREFIX + sku.zfill(14)]
    found = {row.item_number for row in tx.stock.aliases(names)}
    more = {row.alias for row in tx.stock.aliases(sorted(found))} if found else set()
    return sorted({*names, *more, *(number_key(name, own) for name in found)})


def _told(tx: Transaction, row: CustomerOrderRow, now: int | None = None) -> dict[str, Any]:
    """The order as fields; with `now` all that there is to tell of it."""
    ids = [row.customer_order_id]
    pieces = tx.customer_orders.pieces(ids)
    orders = tx.orders.by_ids(sorted({piece.order_id for piece in pieces if piece.order_id is not None}))
    names = {partner.partner_id: partner.name for partner in tx.partners.all()}
    numbers = {order.order_id: order.number for order in orders}
    asked = _asked_for_less(tx, pieces) if now is not None else {}
    fields = customer_view.order_fields(
        row, tx.customer_orders.lines(ids), pieces, names, numbers, asked, _came(tx, pieces)
    )
    if row.merged_into is not None:
        into = tx.customer_orders.get([row.merged_into])
        fields["merged_into"] = into[row.merged_into].number if into else ""
    if now is not None:
        fields["reason"] = row.reason or customer_view.merge_wait(row, now)
        own = tx.partners.own().partner_id
        fields["partner_orders"] = [
            {
                "number": order.number,
                "partner_id": order.partner_id,
                "partner_name": "our own" if order.partner_id == own else names.get(order.partner_id, ""),
                "kind": order.kind,
                "seller_order_number": order.seller_order_number,
            }
            for order in sorted(orders, key=lambda order: order.order_id)
        ]
        decisions = tx.customer_orders.decisions(row.customer_order_id)
        fields["decisions"] = _decided(tx, decisions[-1:])
        fields["history"] = [
            customer_view.event_fields(event) for event in tx.customer_orders.events(row.customer_order_id)
        ]
        known = tx.customer_orders.customer(row.customer) if row.customer else None
        fields["customer_orders"] = known.orders if known else 0
    return fields


def _came(tx: Transaction, pieces: Sequence[PieceRow]) -> dict[int, str]:
    """By piece the day on which the last of it came, as was told; else since when it counts as come."""
    arrived = [piece for piece in pieces if piece.state == "delivered"]
    last: dict[tuple[int | None, str], str] = {}
    for event in tx.orders.events(sorted({one.order_id for one in arrived if one.order_id is not None})):
        if event.standing and event.quantity and event.event in ("delivered", "received"):
            place = (event.order_id, event.line_id)
            last[place] = max(last.get(place, ""), event.on or customer_view.when(event.at)[:10])
    return {
        one.piece_id: last.get((one.order_id, one.order_line_id)) or customer_view.when(one.at)[:10] for one in arrived
    }


def _asked_for_less(tx: Transaction, pieces: Sequence[PieceRow]) -> dict[int, int]:
    """By piece since when its source is asked for less and has not answered."""
    asked = [one for one in pieces if one.state not in DEAD and one.wanted < one.quantity and one.order_id is not None]
    facts = facts_of(tx, asked) if asked else {}
    return {piece_id: fact.cancel_since for piece_id, fact in facts.items() if fact.cancel_since is not None}


def _decided(tx: Transaction, decisions: Sequence[DecisionRow]) -> list[dict[str, Any]]:
    """Decisions with why; of an order by itself it follows from the problem, as long as that is kept."""
    problems = past_problems.of_decisions(tx, [one.decision_id for one in decisions])
    return [
        customer_view.decision_fields(
            one, _explained(json.loads(one.explanation or "{}"), problems.get(one.decision_id))
        )
        for one in decisions
    ]


def _explained(kept: dict[str, Any], problem: Problem | None) -> dict[str, Any]:
    try:
        plan = plan_of(kept)
    except RefusedError:
        return kept  # another version wrote it: what it says is told as it is
    if plan is None or problem is None:
        return kept
    return {**explain(problem, plan, kept["order"]), "findings": kept.get("findings", [])}


def why(tx: Transaction, number: str) -> dict[str, Any]:
    """Every decision on an order: the candidates, their costs, what was chosen, and which rule decided."""
    row = one(tx, number)
    decisions = tx.customer_orders.decisions(row.customer_order_id)
    return {
        "number": row.number,
        "state": row.state,
        "reason": row.reason,
        "names": {partner.partner_id: partner.name for partner in tx.partners.all() if partner.state != "self"},
        "decisions": _decided(tx, decisions),
    }


def stuck(tx: Transaction, ctx: Context, limit: int = 200) -> list[dict[str, Any]]:
    """What waits, for whom, since and until when, and what to do; what a human must do comes first, then the oldest."""
    names = {partner.partner_id: partner.name for partner in tx.partners.all()}
    found: list[dict[str, Any]] = []
    for state in ("human", "approval", "active", "waiting", "captured"):
        rows = tx.customer_orders.search(state=state, limit=limit)
        found += _waiting(tx, ctx, rows, names)
    urgent = {"human": 0, "approval": 0, "in_doubt": 1, "waiting_human": 1}
    return sorted(found, key=lambda each: (urgent.get(each["state"], 2), each["since"]))[:limit]


def _waiting(
    tx: Transaction, ctx: Context, rows: Sequence[CustomerOrderRow], names: dict[str, str]
) -> list[dict[str, Any]]:
    pieces: dict[int, list[PieceRow]] = {}
    every = tx.customer_orders.pieces([row.customer_order_id for row in rows]) if rows else []
    waits = [one for one in every if one.state not in DEAD and (one.state in _WAITS or one.wanted < one.quantity)]
    asked = _asked_for_less(tx, waits)
    doubted = [one for one in waits if one.state == "in_doubt"]
    valid = {piece_id: fact.valid_until for piece_id, fact in facts_of(tx, doubted).items()} if doubted else {}
    for piece in waits:
        if piece.state in _WAITS or piece.piece_id in asked:
            pieces.setdefault(piece.customer_order_id, []).append(piece)
    now, found = ctx.now_micros(), []
    for row in rows:
        base = {"number": row.number, "channel": row.channel, "customer": row.customer}
        if (about := _of_order(row, now)) is not None:
            found.append(
                {**base, **about, "quantity": "", "unit": "", "line_id": "", "since": customer_view.when(row.at)}
            )
        for piece in pieces.get(row.customer_order_id, []):
            waits_for = names.get(piece.partner_id, piece.partner_id) if piece.partner_id else "our own site"
            since = asked.get(piece.piece_id)
            found.append(
                {
                    **base,
                    "state": piece.state,
                    "waits_for": "you" if customer_view.is_hindered(piece) else _FOR.get(piece.state, waits_for),
                    "what": _because(piece, since),
                    "quantity": customer_view.told(piece.quantity),
                    "unit": piece.unit,
                    "line_id": piece.line_id,
                    "since": customer_view.when(piece.at if since is None else since),
                    "until": _until(ctx, piece, since, valid.get(piece.piece_id)),
                    "to_do": customer_view.to_do(piece),
                }
            )
    return found


def _of_order(row: CustomerOrderRow, now: int) -> dict[str, Any] | None:
    """What an order as a whole waits for; None where only its pieces do."""
    if row.state in ("human", "approval"):
        to_do = customer_view.order_to_do(row)
        return {"state": row.state, "waits_for": "you", "what": row.reason, "until": "", "to_do": to_do}
    waits = customer_view.merge_wait(row, now)
    if not waits:
        return None
    told = {"until": customer_view.when(row.next_at), "to_do": "nothing: it is sourced then"}
    return {"state": row.state, "waits_for": "the customer", "what": waits, **told}


def _because(piece: PieceRow, asked_at: int | None) -> str:
    if asked_at is not None and piece.wanted:
        less = customer_view.told(piece.quantity - piece.wanted)
        return f"{less} less is asked for, and not answered"
    return piece.reason or _WHY.get(piece.state, "")


def _until(ctx: Context, piece: PieceRow, asked_at: int | None, valid_until: int | None) -> str:
    """The instant at which what is waited for is given up or asked about, or the day on which supply is to come."""
    if asked_at is not None:
        hours = ctx.settings.orchestration.order_answer_hours
        return customer_view.when(asked_at + hours * 3600 * SECOND) if hours else ""
    if piece.state == "back_ordered" and piece.promised_on:
        return piece.promised_on
    return customer_view.when(valid_until if piece.state == "in_doubt" else piece.next_at)
