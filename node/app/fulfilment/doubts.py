"""What a human must clear up before anything of a customer order is promised: items, places and codes nobody knows.

Nothing of such an order is held or ordered. It is looked at again from time to time, and goes on by itself once what
it names is known; until then its channel may send it once more, corrected.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence

from node.app.context import Context
from node.app.sourcing import carriers
from node.app.sourcing.site_facts import site_settings
from node.core.customer_rows import CustomerLineRow, CustomerOrderRow
from node.core.finding import Finding
from node.core.fulfilment import waits_in_doubt
from node.core.movements import place_of
from node.core.rows import StockRow
from node.ports import Transaction

__all__ = ["cleared_up", "doubtful", "doubts"]


def doubts(tx: Transaction, ctx: Context, order: CustomerOrderRow, lines: Sequence[CustomerLineRow]) -> list[Finding]:
    """Findings ``unknown-item``, ``unknown-location`` and those of postal codes, with the path in the order."""
    found = []
    keys = sorted({line.item_key for line in lines})
    figures = tx.stock.own_figures(keys)
    known = {row.item_key for row in figures}
    known |= {row.alias for row in tx.stock.aliases(keys)} | {row.item_key for row in tx.offers.offers(keys)}
    # Partners tell many figures of an item: they are read only where nothing else knows it.
    if rest := [key for key in keys if key not in known]:
        known |= {row.item_key for row in tx.stock.figures(rest)}
    for place, line in enumerate(lines):
        if line.item_key not in known and not any(one.parent_line == line.line_id for one in lines):
            name = line.gtin or line.seller_number or line.buyer_number or line.description
            text = f"line {line.line_id}: neither we nor any partner knows an item {name!r}"
            found.append(Finding("unknown-item", f"lines[{place}].item", text))
    if order.collect_at and not _is_place(tx, ctx, order.collect_at, figures):
        text = (
            f"nobody knows the place {order.collect_at!r}: it is no site in the settings, and no figures are told of it"
        )
        found.append(Finding("unknown-location", "collect_at", text))
    table, _ = carriers.places(ctx.settings)
    if order.postal_code and order.country in table.by_country:
        # Where no place of a country is known, a code that is not either says nothing.
        unknown = table.finding(order.country, order.postal_code, "postal_code")
        if unknown is not None:
            found.append(unknown)
    return found


def _is_place(tx: Transaction, ctx: Context, collect_at: str, figures: Sequence[StockRow]) -> bool:
    """Whether goods can be collected there: a site in the settings, or a place that figures are told of."""
    holder, place = place_of(collect_at)
    if site_settings(ctx, holder, place) is not None:
        return True
    if any((row.partner_id, row.location) == (holder, place) for row in figures):
        return True
    return tx.stock.has_place(holder, place)


def doubtful(order: CustomerOrderRow, found: Sequence[Finding], at: int) -> CustomerOrderRow:
    """The order as it waits for a human, and is looked at again at an instant."""
    reason = "; ".join(one.text for one in found)
    return order._replace(state="human", approved=0, next_at=at, reason=reason)


def cleared_up(
    tx: Transaction, ctx: Context, order: CustomerOrderRow, lines: Sequence[CustomerLineRow], pieces: Collection[object]
) -> CustomerOrderRow:
    """The order as it goes on, where all that it names is known by now; else as it is."""
    if not waits_in_doubt(order, pieces) or doubts(tx, ctx, order, lines):
        return order
    return order._replace(state="captured", approved=1)
