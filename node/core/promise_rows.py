"""Rows of the store about promising: partners' performance, demand, offers with prices, and disruptions.

As in `node.core.rows`: instants are microseconds, quantities, prices and weights integers scaled by `decimals.SCALE`,
dates ISO text; `partner_id` "" is our own company.
"""

from __future__ import annotations

from typing import NamedTuple

__all__ = [
    "DemandDayRow",
    "DisruptionRow",
    "ItemOfferRow",
    "ItemPriceRow",
    "LeadTimeRow",
    "MeasureDayRow",
    "PartnerMeasureRow",
    "SiteLoadRow",
]


class PartnerMeasureRow(NamedTuple):
    """How often a partner did what it said, in one respect; older observations weigh less."""

    partner_id: str
    measure: str  # one of `confidence.MEASURES`
    good: int  # weights at the instant `at`: an observation weighs 1, scaled, and decays
    bad: int
    good_seen: int  # plain counts
    bad_seen: int
    at: int


class MeasureDayRow(NamedTuple):
    """The same, counted by day."""

    partner_id: str
    measure: str
    day: str
    good: int
    bad: int


class LeadTimeRow(NamedTuple):
    """How often a partner took so many days; older observations weigh less."""

    partner_id: str
    stage: str  # despatch (from the order to the despatch) or delivery (from the order to the arrival)
    days: int
    weight: int
    seen: int
    at: int


class DemandDayRow(NamedTuple):
    """What customers wanted of an item on a day, in a region (or at a location)."""

    item_key: str
    region: str
    day: str
    unit: str
    quantity: int


class SiteLoadRow(NamedTuple):
    """How many units, of how many orders, a site has been given to send on a day."""

    partner_id: str
    location: str
    day: str
    quantity: int
    orders: int


class ItemOfferRow(NamedTuple):
    """What a catalogue says of an item: how it is packed, made up and ordered."""

    partner_id: str
    item_key: str
    base_unit: str
    order_minimum: int | None  # both in base_unit
    order_multiple: int | None
    lead_days: int | None
    weight: int | None  # kg of one base unit
    orderable: int  # 0: it cannot be ordered (any more)
    factors: str  # JSON list of [whole unit, part unit, numerator, denominator]
    components: str  # JSON list of [item key, quantity, unit]: what one kit is made of
    at: int


class ItemPriceRow(NamedTuple):
    """What an item costs us at a partner (or ourselves) from a quantity on."""

    partner_id: str
    item_key: str
    minimum: int  # in `unit`
    currency: str
    amount: int  # for `base` of `unit`, net
    base: int
    unit: str
    valid_from: str  # "" without limit
    valid_until: str
    at: int


class DisruptionRow(NamedTuple):
    """One line of a notice that something is late, short, closed or well again."""

    partner_id: str  # who said so
    number: str
    line_id: str
    kind: str  # delay, shortage, capacity, closure, recovered
    item_key: str  # "" all items
    location: str  # "" all locations
    order_number: str  # "" no particular order; "reservation ID" for a hold
    quantity_left: int | None
    unit: str
    days_late: int
    from_on: str
    until_on: str  # "" until further notice
    reason: str
    root_id: str
    hops_left: int
    revision: int
    document_id: int
    state: str  # in_force, ended
    at: int
