"""What is known of the places that goods come from: settings, trade terms, what was observed, what they carry today.

For a partner's place our own settings count first, then the terms that it sent us. An observed lead time counts where
it is longer than the one agreed and was seen often enough.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import replace
from datetime import date, time, timedelta
from decimal import Decimal
from functools import lru_cache
from zoneinfo import ZoneInfo

from node import wire
from node.app.context import Context
from node.app.stock.known_stock import Trading
from node.config import SiteSettings
from node.core import trade_terms
from node.core.confidence import DESPATCH, aged, lead_times
from node.core.decimals import from_scaled
from node.core.disruption import days_late, in_force_on
from node.core.document.invoice import RemittanceAdvice
from node.core.document.terms import TradeTerms
from node.core.money import Money
from node.core.movements import place_of
from node.core.promise_rows import DisruptionRow, SiteLoadRow
from node.core.rows import PartnerRow
from node.core.sharing import matches
from node.core.site_calendar import SiteCalendar, earliest_despatch, working_day
from node.core.sourcing.problem import Source
from node.ports import Transaction

__all__ = ["Sites", "site_settings"]

OBSERVED_MIN = 5
"""So often a lead time must have been observed before it counts against what was agreed."""
FULL_DAYS_MAX = 60
"""So many working days ahead room is looked for at a place whose capacity is limited."""
ORDERS_COUNTED_MAX = 10_000
_ZERO = Decimal(0)
_EVERY_DAY = SiteSettings(weekdays=(1, 2, 3, 4, 5, 6, 7))


def site_settings(ctx: Context, partner_id: str, location: str) -> SiteSettings | None:
    """What is set for a place: the first entry that fits, or None."""
    for name, one in ctx.settings.sites.items():
        owner, bar, code = name.rpartition("|")
        if (matches(owner, partner_id) if bar else not partner_id) and matches(code, location):
            return one
    return None


@lru_cache(maxsize=1024)
def _terms(text: str) -> TradeTerms | None:
    """The terms that a partner sent us; what cannot be read any more counts as none."""
    if not text:
        return None
    try:
        read = wire.from_fields("TradeTerms", json.loads(text))
    except (wire.InvalidFieldsError, ValueError):
        return None
    return read if isinstance(read, TradeTerms) else None


class Sites:
    """Makes the sources of one sourcing problem."""

    def __init__(
        self,
        tx: Transaction,
        ctx: Context,
        trading: Trading,
        disruptions: Iterable[DisruptionRow],
        currency: str,
    ) -> None:
        self._tx = tx
        self._ctx = ctx
        self._trading = trading
        self._partners = trading.partners
        self._today = ctx.now().date()
        self._disruptions = [row for row in disruptions if in_force_on(row, self._today) and not row.item_key]
        self._currency = currency
        self._loads: dict[date, dict[tuple[str, str], SiteLoadRow]] = {}
        self._credits: dict[str, Decimal | None] = {}

    def source(self, partner_id: str, location: str) -> Source:
        """The place as sourcing sees it."""
        site = self._settings_of(partner_id, location)
        terms = self._terms_of(partner_id)
        place = (partner_id, location, self._currency)
        found = None if self._disruptions else self._trading.sources.get(place)
        if found is None:
            found = self._made(partner_id, location, site or _EVERY_DAY, terms)
            if not self._disruptions:
                self._trading.sources[place] = found
        if site is not None and (site.capacity_per_day or site.orders_per_day):
            calendar = self._calendar(site, site, location, terms)
            ship_on, left, orders_left = self._room(calendar, found.ship_on, (partner_id, location), site)
            found = replace(found, ship_on=ship_on, capacity_left=left, orders_left=orders_left)
        credit = self._credit_left(partner_id, terms)
        return found if credit is None else replace(found, credit_left=credit)

    def _made(self, partner_id: str, location: str, known: SiteSettings, terms: TradeTerms | None) -> Source:
        """The place without what orders take of it."""
        lead = self._lead_days(partner_id, location, known, terms)
        calendar = self._calendar(known, self._settings_of(partner_id, location), location, terms)
        return Source(
            source_id=f"{partner_id}|{location}",
            partner_id=partner_id,
            location=location,
            kind=self.kind(partner_id, location),
            country=known.country,
            postal_code=known.postal_code,
            handling_per_order=known.handling_per_order,
            handling_per_line=known.handling_per_line,
            handling_per_unit=known.handling_per_unit,
            order_minimum=self._amount(terms.order_minimum if terms else None) or _ZERO,
            lead_days=lead,
            ship_on=earliest_despatch(calendar, self._ctx.now(), lead),
            confidence=aged(self._trading.words[partner_id], 0),
        )

    def kind(self, partner_id: str, location: str) -> str:
        """Warehouse, store, supplier or logistics: as it is set, else by whose it is."""
        site = self._settings_of(partner_id, location)
        return (site.kind if site else "") or ("supplier" if partner_id else "warehouse")

    def _room(
        self, calendar: SiteCalendar, first: date, place: tuple[str, str], site: SiteSettings
    ) -> tuple[date, Decimal | None, int | None]:
        """The first day from this one on which a place can send more, how many more units, and of how many orders.

        None where it is not limited; nothing where all days are full.
        """
        units, orders = site.capacity_per_day or None, site.orders_per_day or None
        day = first
        for _ in range(FULL_DAYS_MAX):
            load = self._load(day).get(place)
            left = units - from_scaled(load.quantity) if units and load else units
            room = orders - load.orders if orders and load else orders
            if (left is None or left > 0) and (room is None or room > 0):
                return day, left, room
            day = working_day(calendar, day + timedelta(days=1))
        return first, units and _ZERO, orders and 0

    def _load(self, day: date) -> dict[tuple[str, str], SiteLoadRow]:
        if day not in self._loads:
            rows = self._tx.demand.loads(day.isoformat())
            self._loads[day] = {(row.partner_id, row.location): row for row in rows}
        return self._loads[day]

    def address(self, place: str) -> tuple[str, str] | None:
        """(country, postal code) of where goods are collected or go on, where it is set: they go there first."""
        site = site_settings(self._ctx, *place_of(place)) if place else None
        return (site.country, site.postal_code) if site is not None and site.country else None

    def sends(self, partner_id: str, location: str) -> bool:
        """Whether goods are sent from there."""
        site = self._settings_of(partner_id, location)
        return site is None or site.ships

    def collects(self, partner_id: str, location: str) -> bool:
        """Whether customers can collect there; a place that nothing is set for may be collected at."""
        site = self._settings_of(partner_id, location)
        return site is None or site.collect

    def _settings_of(self, partner_id: str, location: str) -> SiteSettings | None:
        """What is set for a place, found once: there may be as many entries as places."""
        place = (partner_id, location)
        known = self._trading.sites
        if place not in known:
            known[place] = site_settings(self._ctx, partner_id, location)
        return known[place]

    def _terms_of(self, partner_id: str) -> TradeTerms | None:
        row = self._partners.get(partner_id)
        return _terms(row.terms) if row else None

    def _amount(self, money: Money | None) -> Decimal | None:
        """An amount of the terms; one in another currency is not compared."""
        return money.amount if money is not None and money.currency == self._currency else None

    def _lead_days(self, partner_id: str, location: str, site: SiteSettings, terms: TradeTerms | None) -> int:
        agreed = site.lead_days
        if partner_id and not agreed:
            said = [one.days for one in terms.lead_times if one.item is None] if terms else []
            agreed = max(said, default=0) or self._ctx.settings.partner(partner_id).lead_days
        seen = lead_times(self._trading.leads, partner_id, DESPATCH, self._ctx.now_micros())
        if seen is not None and seen.seen >= OBSERVED_MIN:
            agreed = max(agreed, seen.median)
        notices = [row for row in self._disruptions if row.partner_id == partner_id]
        return agreed + days_late((row for row in notices if row.location in ("", location)), self._today)

    def _calendar(
        self, known: SiteSettings, site: SiteSettings | None, location: str, terms: TradeTerms | None
    ) -> SiteCalendar:
        if site is None and terms is not None:
            cut_off = next(
                (one for one in terms.cut_offs if one.location is None or one.location.code in ("", location)), None
            )
            zone = cut_off.location.time_zone if cut_off and cut_off.location else ""
            return SiteCalendar(
                zone=_zone(zone),
                cut_off=time.fromisoformat(cut_off.time) if cut_off else None,
                weekdays=frozenset(cut_off.weekdays if cut_off and cut_off.weekdays else known.weekdays),
                holidays=frozenset(terms.holidays_on),
            )
        return SiteCalendar(
            zone=_zone(known.time_zone),
            cut_off=time.fromisoformat(known.cut_off) if known.cut_off else None,
            weekdays=frozenset(known.weekdays),
            holidays=frozenset(date.fromisoformat(day) for day in known.holidays),
        )

    def _credit_left(self, partner_id: str, terms: TradeTerms | None) -> Decimal | None:
        """What we may still order of a partner that gives us credit up to a limit."""
        limit = terms.credit_limit if terms else None
        if limit is None or limit.currency != self._currency:
            return None
        if partner_id not in self._credits:
            opened = _owed(self._tx, self._partners[partner_id], limit.currency)
            self._credits[partner_id] = max(_ZERO, limit.amount - opened.amount)
        return self._credits[partner_id]


@lru_cache(maxsize=256)
def _zone(name: str) -> ZoneInfo:
    try:
        return ZoneInfo(name or "UTC")
    except (OSError, ValueError):
        return ZoneInfo("UTC")  # a partner's word; our own settings are checked when they are read


def _owed(tx: Transaction, partner: PartnerRow, currency: str) -> Money:
    """What is open of our orders with a partner: ordered, less what it took back and what we paid."""
    partner_id = partner.partner_id
    found = tx.orders.search(partner_id=partner_id, limit=ORDERS_COUNTED_MAX)
    orders = [row for row in found if row.role == "buyer" and row.usage == partner.usage]
    ids = [row.order_id for row in orders]
    paid = []
    for row in tx.documents.search(partner_id=partner_id, direction="out", type="RemittanceAdvice", limit=1_000):
        counts = row.state in ("sent", "taken") and row.usage == partner.usage
        document = wire.decode_document(row.type, row.body) if row.body and counts else None
        if isinstance(document, RemittanceAdvice) and document.total is not None:
            paid.append(document.total)
    lines = tx.orders.lines(ids) if ids else []
    events = tx.orders.events(ids) if ids else []
    return trade_terms.exposure(orders, lines, events, paid, currency)
