"""What notices of disruption in force say of the open pieces of one customer order, and whether others have it sooner.

A notice speaks of a piece that was planned, or answered by its partner, before it: what was decided later knew of it.
What is left in a shortage goes to the pieces that were made first.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import date, timedelta
from decimal import Decimal

from node.app.context import Context
from node.app.sourcing import gathering
from node.app.stock.disruptions import OPEN_PIECES, affected
from node.app.stock.known_stock import resolve
from node.config.rules import rules_in_force
from node.core.customer_rows import CustomerLineRow, CustomerOrderRow, PieceRow
from node.core.decimals import from_scaled, to_scaled
from node.core.disruption import in_force_on, text
from node.core.piece_state import Disrupted, PieceFact
from node.core.promise_rows import DisruptionRow
from node.core.quantity import Quantity
from node.core.sourcing.solve import solve
from node.core.units import convert
from node.errors import RefusedError
from node.ports import Transaction

__all__ = ["notices_in_force", "with_notices"]

NOTICES_MAX = 1_000
_DAY = timedelta(days=1)


def notices_in_force(tx: Transaction, ctx: Context) -> list[DisruptionRow]:
    """The notices that `with_notices` goes by: read once for all orders of a transaction, none of which changes any."""
    today = ctx.now().date()
    return [row for row in tx.disruptions.search(state="in_force", limit=NOTICES_MAX) if in_force_on(row, today)]


def with_notices(
    tx: Transaction,
    ctx: Context,
    order: CustomerOrderRow,
    lines: Mapping[str, CustomerLineRow],
    pieces: Iterable[PieceRow],
    facts: Mapping[int, PieceFact],
    rows: Sequence[DisruptionRow],
) -> dict[int, PieceFact]:
    """The facts on an order's pieces with what the notices in force (`rows`) say of them; reads only where some are."""
    found = dict(facts)
    for piece in pieces:
        if piece.state not in OPEN_PIECES:
            continue
        fact = found.get(piece.piece_id, PieceFact())
        told = _worst(tx, ctx, order, lines[piece.line_id], piece, fact, rows) if rows else None
        if told is not None or piece.notice:
            found[piece.piece_id] = replace(fact, disrupted=told)
    return found


def _worst(
    tx: Transaction,
    ctx: Context,
    order: CustomerOrderRow,
    line: CustomerLineRow,
    piece: PieceRow,
    fact: PieceFact,
    rows: Sequence[DisruptionRow],
) -> Disrupted | None:
    """Of all that is said of a piece, what makes it latest."""
    here = [row for row in rows if row.partner_id == piece.partner_id and row.location in ("", piece.location)]
    named = [row for row in here if _names(tx, row, line)]
    if not named or (piece.state == "back_ordered" and not (piece.promised_on or piece.notice)):
        return None
    known_at = _known_at(tx, piece)
    agreed_on = fact.promised_on or (piece.agreed_on if piece.notice else piece.promised_on)
    found = []
    for row in named:
        short = _short(tx, row, piece) if row.at > known_at else 0
        if short:
            on = row.until_on and (date.fromisoformat(row.until_on) + _DAY).isoformat()
            late = row.days_late if row.kind == "delay" else 0
            found.append(Disrupted(text(row), short, late, None if row.kind == "delay" or not on else on))
    if not found:
        return None
    worst = max(found, key=lambda one: (one.promised(agreed_on) is None, one.promised(agreed_on) or "", one.quantity))
    if ctx.settings.orchestration.on_disruption == "elsewhere" and piece.state != "back_ordered":
        worst = worst._replace(elsewhere_on=_elsewhere_on(tx, ctx, order, line, piece, worst.quantity))
    return worst


def _names(tx: Transaction, row: DisruptionRow, line: CustomerLineRow) -> bool:
    return not row.item_key or row.item_key in resolve(tx, [line.item_key])[line.item_key]


def _known_at(tx: Transaction, piece: PieceRow) -> int:
    """When the piece was decided on, or its partner answered last: what was told before is in its date already."""
    decisions = tx.customer_orders.decisions(piece.customer_order_id)
    known = [row.at for row in decisions if row.decision_id == piece.decision_id]
    if piece.order_id is not None:
        events = tx.orders.events([piece.order_id])
        known += [one.at for one in events if one.standing and one.on and one.line_id == piece.order_line_id]
    return max(known, default=0)


def _short(tx: Transaction, row: DisruptionRow, piece: PieceRow) -> int:
    """How many units of a piece (scaled) a notice makes late or short."""
    mine = [one for one in affected(tx, [row]) if one.piece.piece_id <= piece.piece_id] if _shares(row) else []
    if row.order_number and not any(one.piece.piece_id == piece.piece_id for one in affected(tx, [row])):
        return 0
    if not _shares(row):
        return piece.quantity
    left = _left(row, piece.unit)
    for one in sorted(mine, key=lambda each: each.piece.piece_id):
        part = min(left, one.piece.quantity)
        left -= part
        if one.piece.piece_id == piece.piece_id:
            return piece.quantity - part
    return 0


def _shares(row: DisruptionRow) -> bool:
    """Whether some of it can still be had."""
    return row.kind in ("shortage", "capacity") and bool(row.quantity_left)


def _left(row: DisruptionRow, unit: str) -> int:
    try:
        quantity = Quantity(from_scaled(row.quantity_left or 0), row.unit or unit)
        return to_scaled(convert(quantity, unit).value)
    except RefusedError:
        return 0  # it cannot be said in the unit: nothing is relied on


def _elsewhere_on(
    tx: Transaction, ctx: Context, order: CustomerOrderRow, line: CustomerLineRow, piece: PieceRow, quantity: int
) -> str | None:
    """When so much of the line could come from other sources, by the rules in force; None where it cannot.

    One line alone is solved at once, and only where a notice in force concerns a piece.
    """
    rule_set, _ = rules_in_force(ctx.settings.home)
    wanted = gathering.Wanted(
        order=order,
        lines=[(line, quantity)],
        strategy=order.strategy,
        excluded=frozenset({f"{piece.partner_id}|{piece.location}"}),
    )
    problem = gathering.gather(tx, ctx, [wanted], rule_set=rule_set).problem
    partners = {one.source_id: one.partner_id for one in problem.sources}
    plan = solve(problem)
    total = sum((one.quantity for one in plan.assignments), Decimal(0))
    names = {partners[one.source_id] for one in plan.assignments} - {""}
    if total < from_scaled(quantity) or order.origin_partner in names or (names and order.hops_left <= 0):
        return None
    return max(one.arrive_on for one in plan.assignments).isoformat()
