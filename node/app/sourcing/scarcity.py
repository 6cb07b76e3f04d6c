"""What scarce stock is worth where it lies, from demand lately: reckoned now and then, and read by every sourcing.

Demand is told by country and postal code; for the prices, places whose postal codes begin alike are one region, for
which its busiest postal code stands. Reckoning is apart from reading and writing, so that it holds up no transaction.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import date, timedelta
from decimal import Decimal
from functools import lru_cache, partial

from node.app.context import Context
from node.app.sourcing import carriers
from node.app.sourcing.site_facts import Sites
from node.app.stock import prices
from node.app.stock.known_stock import Known, load
from node.app.stock.promising import offered
from node.core.decimals import from_scaled
from node.core.document.common import Usage
from node.core.promise_rows import DemandDayRow
from node.core.sourcing.problem import DemandLine, OrderDemand, Source
from node.core.sourcing.scarcity import DemandDay, Outlook, StockLeft, Way, scarcity_prices
from node.core.units import canonical_unit
from node.ports import Store, Transaction

__all__ = ["currencies", "kept", "outlook", "refresh"]

SETTING = "scarcity-prices"
ITEMS_MAX = 500
"""Items that are priced: those that most was wanted of."""
REGIONS_MAX = 40
"""Regions that are told apart: those with most demand; the rest do not count."""
ORDERS_SEEN = 1_000
"""Newest customer orders whose currencies count as in use."""
HISTORY_DAYS = 400
"""A season is seen a year later."""
POSTAL_DIGITS = 2

Prices = Mapping[tuple[str, str], Decimal]


def kept(tx: Transaction, currency: str) -> Prices:
    """The prices that were reckoned last for orders in a currency, by (source_id, item key).

    For a currency in which nobody ordered lately nothing is known, but before the first order those without one count.
    """
    found = _read(tx.settings.get(SETTING) or "")
    return found.get(currency) or (found.get("", {}) if found.keys() == {""} else {})


@lru_cache(maxsize=4)
def _read(text: str) -> Mapping[str, Prices]:
    return {
        currency: {(source, item): Decimal(price) for source, item, price in rows}
        for currency, rows in (json.loads(text) if text else {}).items()
    }


def refresh(store: Store, ctx: Context) -> int:
    """Reckon the prices anew in each currency that customers order in; returns how many there are altogether."""
    said: dict[str, list[list[str]]] = {}
    count = 0
    for currency in store.read(currencies):
        seen = store.read(partial(outlook, ctx=ctx, currency=currency))
        found = scarcity_prices(seen) if seen is not None else {}
        count += len(found)
        said[currency] = [[source, item, str(price)] for (source, item), price in sorted(found.items()) if price]
    text = json.dumps(said)
    store.write(lambda tx: tx.settings.put(SETTING, text))
    return count


def currencies(tx: Transaction) -> list[str]:
    """The currencies of the newest customer orders; one without a name where there are none."""
    orders = tx.customer_orders.search(limit=ORDERS_SEEN)
    return sorted({one.currency for one in orders if one.usage == Usage.PRODUCTION.value}) or [""]


def outlook(tx: Transaction, ctx: Context, currency: str = "") -> Outlook | None:
    """What prices follow from, for the items with most demand lately; None where nothing is known of demand."""
    today = ctx.now().date()
    since = today - timedelta(days=HISTORY_DAYS)
    lately = (today - timedelta(days=ctx.settings.promising.demand_days)).isoformat()
    items = tx.demand.items(lately)
    rows = tx.demand.days(items, since.isoformat(), today.isoformat()) if items else []
    wanted = Counter[str]()
    for row in rows:
        wanted[row.item_key] += row.quantity
    chosen = [item for item, _ in wanted.most_common(ITEMS_MAX)]
    regions = _regions(rows)
    if not chosen or not regions:
        return None
    known = load(tx, ctx, chosen)
    stock, places = _stock(known, chosen, today)
    sites = Sites(tx, ctx, known.trading, known.disruptions, currency)
    sources = [sites.source(*place) for place in sorted(places)]
    ways = _ways(tx, ctx, sources, regions, currency)
    dearest = max((way.unit_cost for way in ways), default=Decimal(0))
    return Outlook(
        today=today,
        since=min((date.fromisoformat(row.day) for row in rows), default=today),
        horizon_days=2 * ctx.settings.promising.warning_days,
        history=_history(known, rows, regions),
        stock=stock,
        ways=ways,
        unfilled_cost=_unfilled(tx, known, chosen, today, dearest),
        unfilled_default=2 * dearest,
    )


def _area(region: str) -> str:
    country, _, postal_code = region.partition("|")
    return f"{country}|{postal_code[:POSTAL_DIGITS]}"


def _regions(rows: Sequence[DemandDayRow]) -> dict[str, str]:
    """The areas with most demand, each with its busiest place."""
    by_place = Counter[str]()
    by_area = Counter[str]()
    for row in rows:
        by_place[row.region] += row.quantity
        by_area[_area(row.region)] += row.quantity
    found: dict[str, str] = {}
    for place, _ in by_place.most_common():
        found.setdefault(_area(place), place)
    return {area: found[area] for area, _ in by_area.most_common(REGIONS_MAX)}


def _history(known: Known, rows: Sequence[DemandDayRow], regions: Mapping[str, str]) -> list[DemandDay]:
    return [
        DemandDay(
            item_key=row.item_key,
            region=_area(row.region),
            on=date.fromisoformat(row.day),
            quantity=from_scaled(row.quantity),
        )
        for row in rows
        if row.item_key in known.keys
        and _area(row.region) in regions
        and canonical_unit(row.unit) == canonical_unit(known.unit(row.item_key))
    ]


def _stock(known: Known, items: Sequence[str], today: date) -> tuple[list[StockLeft], set[tuple[str, str]]]:
    """What each place has of each item until more comes."""
    stock = []
    places = set()
    for item in items:
        for offer in offered(known, item, known.unit(item), today):
            if not offer.steps or offer.steps[0].on > today:
                continue
            places.add((offer.partner_id, offer.location))
            stock.append(
                StockLeft(
                    source_id=f"{offer.partner_id}|{offer.location}",
                    item_key=item,
                    quantity=offer.steps[0].quantity,
                    next_supply_on=offer.steps[1].on if len(offer.steps) > 1 else None,
                )
            )
    return stock, places


def _ways(
    tx: Transaction, ctx: Context, sources: Sequence[Source], regions: Mapping[str, str], currency: str
) -> list[Way]:
    """What a parcel of one unit costs from each place to each region, by carriers' rates."""
    unit = (DemandLine(line_id="1", item_key="", quantity=Decimal(1)),)
    orders = []
    for area, place in regions.items():
        country, _, postal_code = place.partition("|")
        orders.append(
            OrderDemand(order_id=area, currency=currency, country=country, postal_code=postal_code, lines=unit)
        )
    handling = {one.source_id: one.handling_per_order + one.handling_per_unit for one in sources}
    return [
        Way(
            source_id=one.source_id,
            region=one.order_id,
            unit_cost=one.cost_fixed + one.cost_per_kg + handling[one.source_id],
        )
        for one in carriers.offers(tx, ctx, orders, sources).services
    ]


def _unfilled(tx: Transaction, known: Known, items: Sequence[str], today: date, dearest: Decimal) -> dict[str, Decimal]:
    """What it costs not to have a unit: at least what it costs to buy one, and more than any way to send it."""
    rows = tx.offers.prices(sorted({key for item in items for key in known.keys[item]}))
    found = {}
    for item in items:
        mine = [row for row in rows if row.item_key in known.keys[item]]
        cost = prices.unit_cost(mine, Decimal(1), known.unit(item), today, known.factors(item))
        found[item] = max(cost.amount if cost else Decimal(0), 2 * dearest)
    return found
