"""Replenishment and new production start right after the order: a taken order that draws stock down asks for more."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence

from node.app.context import Context
from node.app.inventory import put_own
from node.app.submit import Submission, submit
from node.core import replenish
from node.core.document import Document, document_type, header_of
from node.core.document.common import DocumentHeader, ItemRef
from node.core.document.order import Order
from node.core.document.replenishment import Commitment, ReplenishmentRequest, ReplenishmentResponse
from node.core.item_key import aliases, item_key
from node.errors import RefusedError
from node.ports import Transaction

__all__ = ["check_items", "demand_id", "trigger"]

Demand = tuple[Order, str]
"""An order and the id of its line that draws stock down."""


def trigger(tx: Transaction, ctx: Context, partner_id: str, documents: Sequence[Document]) -> set[str]:
    """Ask for more of what these documents draw down; returns the partners that have something to get."""
    demands: dict[str, list[Demand]] = {}
    for document in documents:
        if isinstance(document, Order):
            _add_demands(demands, document, tx.partners.own().partner_id)
        elif isinstance(document, ReplenishmentResponse):
            _take_response(tx, ctx, partner_id, document)
    return check_items(tx, ctx, demands) if demands else set()


def _add_demands(demands: dict[str, list[Demand]], order: Order, own: str) -> None:
    for line in order.lines:
        if line.item is None:
            continue
        try:
            demands.setdefault(item_key(line.item, own), []).append((order, line.line_id))
        except RefusedError:
            continue


def check_items(tx: Transaction, ctx: Context, demands: Mapping[str, Sequence[Demand]]) -> set[str]:
    """Compare these items' stock with their reorder points, and submit a request to each partner that is due one."""
    rules = tx.stock.rules(list(demands))
    if not rules:
        return set()
    figures = [row for row in tx.stock.figures([rule.item_key for rule in rules]) if row.partner_id == ""]
    ids = {
        rule.item_key: [demand_id(tx, ctx, order, line_id) for order, line_id in demands[rule.item_key]]
        for rule in rules
    }
    due = replenish.due(rules, figures, ids, now=ctx.now_micros(), repeat_after=_repeat_micros(ctx))
    if not due:
        return set()
    woken = set()
    commitment = Commitment(ctx.settings.replenishment.commitment.upper())
    for partner_id, (lines, changed) in due.items():
        number = f"R{tx.documents.next_ids(1)}"
        request = ReplenishmentRequest(header=DocumentHeader(number=number), commitment=commitment, lines=lines)
        try:
            submitted = submit(tx, ctx, partner_id, [Submission(request)])[0]
        except RefusedError as error:
            ctx.log.warning("replenishment was not asked for: %s", error.message, extra={"partner": partner_id})
            continue
        if submitted.state == "refused":
            ctx.log.warning("replenishment was not asked for: %s", submitted.findings, extra={"partner": partner_id})
            continue
        tx.stock.put_rules(changed)
        woken.add(partner_id)
    return woken


def demand_id(tx: Transaction, ctx: Context, document: Document, line_id: str) -> str:
    """A pseudonymous id of one line's demand: the same at every hop, and telling nobody whose it is."""
    header = header_of(document)
    root = header.root_id or "|".join(
        (document_type(document), header.issuer, header.unit, header.number, header.series)
    )
    return hashlib.sha256(f"{root}|{line_id}|{_pepper(tx, ctx)}".encode()).hexdigest()[:32]


def _pepper(tx: Transaction, ctx: Context) -> str:
    known = tx.settings.get("demand-pepper")
    if known is None:
        known = ctx.random.token(16).hex()
        tx.settings.put("demand-pepper", known)
    return known


def _repeat_micros(ctx: Context) -> int:
    return ctx.settings.replenishment.repeat_hours * 3_600_000_000


def _take_response(tx: Transaction, ctx: Context, partner_id: str, response: ReplenishmentResponse) -> None:
    """The maker says what will come and when: it becomes our expected supply."""
    own = tx.partners.own().partner_id
    keys: list[str] = []
    for line in response.lines:
        if line.item is not None:
            keys += _keys_of(line.item, partner_id, own)
    rules = [rule for rule in tx.stock.rules(keys) if rule.partner_id == partner_id]
    figures = [row for row in tx.stock.figures(keys) if row.partner_id == ""]
    rules, figures = replenish.answered(rules, figures, response, seller=partner_id, buyer=own, now=ctx.now_micros())
    if rules:
        tx.stock.put_rules(rules)
    if figures:
        put_own(tx, ctx, figures)


def _keys_of(item: ItemRef, seller: str, buyer: str) -> Iterable[str]:
    return aliases(item, seller=seller, buyer=buyer)
