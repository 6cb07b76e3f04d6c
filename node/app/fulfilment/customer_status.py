"""What users ask of customer orders: one status over all companies, who waits for whom, and why it was decided so."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from node.app.context import Context
from node.app.sourcing import past_problems
from node.core import customer_view
from node.core.customer_rows import CustomerOrderRow, DecisionRow
from node.core.item_key import GTIN_PREFIX, number_key
from node.core.piece_state import DEAD
from node.core.sourcing.explain import explain
from node.core.sourcing.plan_json import plan_of
from node.core.sourcing.problem import Problem
from node.errors import RefusedError
from node.ports import Transaction

__all__ = ["find", "named", "one", "show", "stuck", "why"]

LIMIT = 10_000
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
    return [_told(tx, row, whole=True) for row in rows]


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
    return [_told(tx, row, whole=False) for row in rows]


def _keys(tx: Transaction, sku: str) -> list[str]:
    """Every key of an item that is called so: a GTIN, our number, a partner's, or the key itself."""
    own = tx.partners.own().partner_id
    names = [sku, number_key(sku, own), GTIN_PREFIX + sku.zfill(14)]
    found = {row.item_number for row in tx.stock.aliases(names)}
    more = {row.alias for row in tx.stock.aliases(sorted(found))} if found else set()
    return sorted({*names, *more, *(number_key(name, own) for name in found)})


def _told(tx: Transaction, row: CustomerOrderRow, *, whole: bool) -> dict[str, Any]:
    ids = [row.customer_order_id]
    pieces = tx.customer_orders.pieces(ids)
    orders = tx.orders.by_ids(sorted({piece.order_id for piece in pieces if piece.order_id is not None}))
    names = {partner.partner_id: partner.name for partner in tx.partners.all()}
    numbers = {order.order_id: order.number for order in orders}
    fields = customer_view.order_fields(row, tx.customer_orders.lines(ids), pieces, names, numbers)
    if row.merged_into is not None:
        into = tx.customer_orders.get([row.merged_into])
        fields["merged_into"] = into[row.merged_into].number if into else ""
    if whole:
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
    """What waits, for whom, since when, and what to do; what a human must do comes first, then the oldest."""
    names = {partner.partner_id: partner.name for partner in tx.partners.all()}
    found: list[dict[str, Any]] = []
    for state in ("human", "approval", "active", "waiting", "captured"):
        rows = tx.customer_orders.search(state=state, limit=limit)
        found += _waiting(tx, rows, names)
    urgent = {"human": 0, "approval": 0, "in_doubt": 1, "waiting_human": 1}
    return sorted(found, key=lambda each: (urgent.get(each["state"], 2), each["since"]))[:limit]


def _waiting(tx: Transaction, rows: Sequence[CustomerOrderRow], names: dict[str, str]) -> list[dict[str, Any]]:
    pieces: dict[int, list[Any]] = {}
    for piece in tx.customer_orders.pieces([row.customer_order_id for row in rows]) if rows else []:
        if piece.state not in DEAD and piece.state in _WAITS:
            pieces.setdefault(piece.customer_order_id, []).append(piece)
    found = []
    for row in rows:
        base = {"number": row.number, "channel": row.channel, "customer": row.customer}
        if row.state in ("human", "approval"):
            about = {"state": row.state, "waits_for": "you", "what": row.reason}
            about |= {"quantity": "", "unit": "", "line_id": ""}
            found.append(
                {**base, **about, "since": customer_view.when(row.at), "to_do": customer_view.order_to_do(row)}
            )
        for piece in pieces.get(row.customer_order_id, []):
            waits_for = names.get(piece.partner_id, piece.partner_id) if piece.partner_id else "our own site"
            found.append(
                {
                    **base,
                    "state": piece.state,
                    "waits_for": "you" if customer_view.is_hindered(piece) else _FOR.get(piece.state, waits_for),
                    "what": piece.reason or _WHY.get(piece.state, ""),
                    "quantity": customer_view.told(piece.quantity),
                    "unit": piece.unit,
                    "line_id": piece.line_id,
                    "since": customer_view.when(piece.at),
                    "to_do": customer_view.to_do(piece),
                }
            )
    return found
