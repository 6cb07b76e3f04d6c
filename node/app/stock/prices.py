"""What catalogues say of items: how they are packed, what kits are made of, what they cost us and how to order.

A pack level with a GTIN of its own is kept as an item that is made of so many of the smaller one, so that a box can be
promised from loose pieces. What our own stock costs us is set by hand; where it is not, it is what the cheapest partner
asks for the item today, because that is what it costs to have it again.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from decimal import ROUND_HALF_UP, Decimal
from fractions import Fraction
from functools import lru_cache
from typing import NamedTuple

from node.app.context import Context
from node.config import CostRule
from node.core.decimals import SCALE, SCALED_MAX, from_scaled, parse_decimal, to_scaled
from node.core.document import Document
from node.core.document.catalogue import CatalogueAction, CatalogueLine, ItemCatalogue, ItemStatus
from node.core.document.common import Period, Price
from node.core.item_key import GTIN_PREFIX, item_key
from node.core.promise import ratio
from node.core.promise_rows import ItemOfferRow, ItemPriceRow
from node.core.quantity import Quantity
from node.core.sharing import matches
from node.core.units import canonical_unit, convert
from node.errors import RefusedError
from node.ports import Transaction

__all__ = ["Component", "Cost", "components", "factors", "own_cost", "take_catalogues", "unit_cost"]

Factors = Mapping[tuple[str, str], Fraction]
_PLACE = Decimal(1).scaleb(-6)
_ONE = Fraction(1)
_SCALED = 10**SCALE


class Component(NamedTuple):
    """What one kit takes of an item."""

    item_key: str
    quantity: Decimal
    unit: str


class Cost(NamedTuple):
    """What one unit costs us."""

    amount: Decimal
    currency: str


# --- taking catalogues ------------------------------------------------------------------------------------------------


def take_catalogues(tx: Transaction, ctx: Context, partner_id: str, documents: Iterable[Document]) -> None:
    """Keep what a partner's catalogues (or our own, `partner_id` "") say; what cannot be used of a line is left out."""
    own = tx.partners.own().partner_id
    at = ctx.now_micros()
    for catalogue in documents:
        if not isinstance(catalogue, ItemCatalogue):
            continue
        offers: dict[str, ItemOfferRow] = {}
        prices: list[ItemPriceRow] = []
        named = []
        for line in catalogue.lines:
            try:
                key = item_key(line.item, partner_id or own) if line.item else ""
            except RefusedError:
                continue
            if not key:
                continue
            named.append(key)
            offers[key] = _offer(partner_id, key, partner_id or own, line, at)
            offers |= {row.item_key: row for row in _packs(partner_id, key, line, at) if row.item_key not in offers}
            if offers[key].orderable:
                prices += _prices(partner_id, key, line, catalogue, at)
        if catalogue.whole:
            gone = [key for key in tx.offers.of_partner(partner_id) if key not in offers]
            for row in tx.offers.offers(gone):
                if row.partner_id == partner_id:
                    offers[row.item_key] = row._replace(orderable=0, at=at)
            named += gone
        tx.offers.put_offers(list(offers.values()))
        if named:
            tx.offers.replace_prices(partner_id, named, prices)


def _offer(partner_id: str, key: str, owner: str, line: CatalogueLine, at: int) -> ItemOfferRow:
    base = line.base_unit or "C62"
    found = _factors_of(line, base)
    gone = line.action is CatalogueAction.DELETE or line.status is ItemStatus.DELETED
    parts = []
    for one in line.components:
        if one.item is None or one.quantity is None or one.quantity.value <= 0:
            continue
        try:
            parts.append([item_key(one.item, owner), to_scaled(one.quantity.value), one.quantity.unit])
        except RefusedError:
            # Without this component the kit cannot be made, so that nothing of it may be promised from parts.
            parts.append(["", to_scaled(one.quantity.value), one.quantity.unit])
    smallest = [pack for pack in line.packaging if pack.contains is None or canonical_unit(pack.unit) == base]
    whole = {(unit, part): factor for unit, part, factor in found}
    return ItemOfferRow(
        partner_id=partner_id,
        item_key=key,
        base_unit=base,
        order_minimum=_in_base(line.order_minimum or _first(pack.order_minimum for pack in smallest), base, whole),
        order_multiple=_in_base(line.order_multiple or _first(pack.order_multiple for pack in smallest), base, whole),
        lead_days=line.lead_time_days or None,
        weight=_weight(line, base, whole),
        orderable=0 if gone else 1,
        factors=json.dumps([[unit, part, one.numerator, one.denominator] for unit, part, one in found]),
        components=json.dumps(parts),
        at=at,
    )


def _first(quantities: Iterable[Quantity | None]) -> Quantity | None:
    return next((one for one in quantities if one is not None), None)


def _factors_of(line: CatalogueLine, base: str) -> list[tuple[str, str, Fraction]]:
    """The item's own conversions: (whole unit, part unit, how many parts in one)."""
    found = [
        (one.unit, base, Fraction(one.numerator, one.denominator))
        for one in line.conversions
        if one.numerator > 0 and one.denominator > 0 and one.unit
    ]
    for pack in line.packaging:
        if pack.unit and pack.contains is not None and pack.contains.value > 0 and pack.unit != pack.contains.unit:
            found.append((pack.unit, pack.contains.unit, Fraction(pack.contains.value)))
    return found


def _in_base(quantity: Quantity | None, base: str, whole: Factors) -> int | None:
    if quantity is None or quantity.value <= 0:
        return None
    try:
        return to_scaled(convert(quantity, base, whole).value)
    except RefusedError:
        return None


def _weight(line: CatalogueLine, base: str, whole: Factors) -> int | None:
    """Kilograms of one base unit, from the smallest pack that states its weight."""
    best: tuple[Fraction, Fraction] | None = None
    for pack in line.packaging:
        weight = pack.gross_weight or pack.net_weight
        if weight is None:
            continue
        try:
            inside = Fraction(convert(pack.contains, base, whole).value) if pack.contains else Fraction(1)
            kilograms = Fraction(convert(weight, "KGM").value)
        except RefusedError:
            continue
        if inside > 0 and (best is None or inside < best[0]):
            best = inside, kilograms / inside
    return None if best is None else min(round(best[1] * 10**6), SCALED_MAX)


def _packs(partner_id: str, key: str, line: CatalogueLine, at: int) -> list[ItemOfferRow]:
    """The pack levels with a GTIN of their own, as items that are made of the smaller one."""
    rows = []
    for pack in line.packaging:
        own_key = GTIN_PREFIX + pack.gtin.zfill(14) if pack.gtin else ""
        if not own_key or own_key == key or pack.contains is None or pack.contains.value <= 0:
            continue
        parts = json.dumps([[key, to_scaled(pack.contains.value), pack.contains.unit]])
        unit = pack.unit or "C62"
        rows.append(ItemOfferRow(partner_id, own_key, unit, None, None, None, None, 1, "[]", parts, at))
    return rows


def _prices(partner_id: str, key: str, line: CatalogueLine, catalogue: ItemCatalogue, at: int) -> list[ItemPriceRow]:
    found: dict[tuple[str, int, str], ItemPriceRow] = {}
    for price, minimum in (
        (line.price, None),
        *((one.price, one.minimum) for one in line.offers if one.territory is None),
    ):
        if price is None or price.amount is None:
            continue
        unit = price.base_quantity.unit if price.base_quantity else line.base_unit or "C62"
        base = to_scaled(price.base_quantity.value) if price.base_quantity else 10**6
        validity = price.validity or catalogue.validity or Period()
        if base <= 0:
            continue
        for amount, least in _amounts(price, minimum, unit):
            net = amount.amount if not price.tax_included else _without_tax(amount.amount, line)
            row = ItemPriceRow(
                partner_id=partner_id,
                item_key=key,
                minimum=least,
                currency=amount.currency,
                amount=to_scaled(net),
                base=base,
                unit=unit,
                valid_from=validity.start_on.isoformat() if validity.start_on else "",
                valid_until=validity.end_on.isoformat() if validity.end_on else "",
                at=at,
            )
            found.setdefault((row.currency, row.minimum, row.valid_from), row)
    return list(found.values())


def _amounts(price: Price, minimum: Quantity | None, unit: str) -> list[tuple[Cost, int]]:
    """(amount, least quantity in the price's unit) of a price and its tiers."""
    assert price.amount is not None
    found = []
    for amount, least in ((price.amount, minimum), *((tier.amount, tier.minimum) for tier in price.tiers)):
        if amount is None or amount.amount < 0:
            continue
        try:
            from_on = to_scaled(convert(least, unit).value) if least else 0
        except RefusedError:
            continue
        found.append((Cost(amount.amount, amount.currency), from_on))
    return found


def _without_tax(amount: Decimal, line: CatalogueLine) -> Decimal:
    rate = line.tax.rate if line.tax and line.tax.rate else Decimal(0)
    return (amount * 100 / (100 + rate)).quantize(_PLACE, ROUND_HALF_UP)


# --- what is asked ----------------------------------------------------------------------------------------------------


def factors(offers: Iterable[ItemOfferRow]) -> dict[tuple[str, str], Fraction]:
    """An item's conversions as its offers state them; what the first one says counts."""
    found: dict[tuple[str, str], Fraction] = {}
    for row in offers:
        for unit, part, numerator, denominator in json.loads(row.factors):
            if (part, unit) not in found:
                found.setdefault((unit, part), Fraction(numerator, denominator))
    return found


def components(offer: ItemOfferRow) -> list[Component]:
    """What one kit is made of; empty for what is no kit."""
    return [Component(key, from_scaled(quantity), unit) for key, quantity, unit in json.loads(offer.components)]


def unit_cost(
    prices: Sequence[ItemPriceRow], quantity: Decimal, unit: str, day: date, item_factors: Factors, currency: str = ""
) -> Cost | None:
    """What one `unit` costs when so many are taken on a day: the lowest tier reached; None without a usable price.

    With `currency` only prices in it count: amounts of other currencies are never compared.
    """
    now = day.isoformat()
    best: Cost | None = None
    for row in prices:
        if (currency and row.currency != currency) or row.valid_from > now or (row.valid_until or now) < now:
            continue
        try:
            each = _ONE if row.unit == unit else ratio(unit, row.unit, item_factors)
        except RefusedError:
            continue
        if row.minimum and Fraction(quantity) * each < Fraction(from_scaled(row.minimum)):
            continue
        # Nearly every price is for one, in the unit that is asked for.
        alike = each is _ONE and row.base == _SCALED
        amount = from_scaled(row.amount)
        amount = amount if alike else _times(amount, each / Fraction(from_scaled(row.base)))
        if best is None or (row.currency == best.currency and amount < best.amount):
            best = Cost(amount, row.currency)
    return best


def own_cost(
    ctx: Context, names: Sequence[str], location: str, unit: str, item_factors: Factors, currency: str = ""
) -> Cost | None:
    """What one unit of our own stock costs by the settings; `names` are the item's number and GTIN."""
    for rule in ctx.settings.promising.costs:
        if not matches(rule.location, location) or not any(matches(rule.item, name) for name in names if name):
            continue
        amount, rule_currency = _set_cost(rule)
        if currency and rule_currency != currency:
            continue
        try:
            return Cost(_times(amount, ratio(unit, rule.unit, item_factors)), rule_currency)
        except RefusedError:
            continue
    return None


def _times(amount: Decimal, many: Fraction) -> Decimal:
    """An amount for so many, rounded half up to six places."""
    return (amount * many.numerator / many.denominator).quantize(_PLACE, ROUND_HALF_UP)


@lru_cache(maxsize=4096)
def _set_cost(rule: CostRule) -> tuple[Decimal, str]:
    amount, _, currency = rule.cost.partition(" ")
    return parse_decimal(amount), currency
