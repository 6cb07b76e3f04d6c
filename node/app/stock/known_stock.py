"""What is known of items' stock, read at once: our own figures, the ledger, what partners share, catalogues, notices.

Our own figures count less what the ledger says is held or ordered, less safety stock and exposure, and what they
expect less what back orders were promised of it. A partner's figures count less what we have asked of it, hold there or
have ordered without a hold, and it cannot have told of yet, and as far as its record and the figure's age let them be
believed. Notices of disruption cut or delay them. Stock set aside for others counts nowhere; test partners' figures
count only until a link of ours is live.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from fractions import Fraction

from node.app.context import Context
from node.app.stock import ledger, performance
from node.app.stock.prices import components, factors
from node.config import SiteSettings
from node.core.confidence import Record, aged, word
from node.core.customer_rows import ClaimRow
from node.core.decimals import from_scaled
from node.core.disruption import concerns, disrupted
from node.core.finding import Finding
from node.core.identifiers import gtin14, is_gtin
from node.core.item_key import GTIN_PREFIX, NUMBER_PREFIX, number_key
from node.core.promise import Coming, Lot, Position
from node.core.promise_rows import DisruptionRow, ItemOfferRow, LeadTimeRow
from node.core.quantity import Quantity
from node.core.reservation_rows import ReservationRow, StockCounterRow
from node.core.rows import PartnerRow, SnapshotRow, StockRow
from node.core.sharing import matches
from node.core.sourcing.problem import Source
from node.core.units import canonical_unit, convert
from node.errors import RefusedError
from node.ports import Transaction
from node.stock_wire import LOT

__all__ = ["KITS_DEEP_MAX", "Known", "Trading", "load", "resolve", "trading"]

ASKED_MICROS = 3_600_000_000
"""After so long a partner's figures have told of what it holds for us, or never will: its figures did not move."""
ORDERED_MICROS = 120_000_000
"""The same for what we have ordered from a hold."""
_UNRECEIPTED = frozenset({"ordering", "in_doubt"})
_ZERO = Decimal(0)
KITS_DEEP_MAX = 4
"""How many levels of kits within kits are looked into."""


@dataclass(slots=True)
class Trading:
    """Whom we trade with, and how far each one's word can be relied on ("" is ourselves).

    It changes slowly: many orders that are sourced one after another may share what was read at the first of them.
    What is free, held, ordered or full is never part of it.
    """

    partners: dict[str, PartnerRow]
    records: dict[str, Record]
    words: dict[str, Decimal]
    """What each record alone says of a figure that is told now."""
    leads: list[LeadTimeRow]
    snapshots: dict[str, SnapshotRow | None]
    basis: str
    """Of our own figures."""
    sources: dict[tuple[str, str, str], Source] = field(default_factory=dict)
    """By partner, location and currency: places as they are without notices, capacities and credit."""
    sites: dict[tuple[str, str], SiteSettings | None] = field(default_factory=dict)
    """By partner and location: what is set for a place."""


@dataclass(slots=True)
class Known:
    """Everything that is known of some items and their components, read once."""

    keys: dict[str, list[str]]
    """By item as asked: every key under which stock of it is told."""
    trading: Trading
    positions: dict[str, list[Position]] = field(default_factory=dict)
    offers: dict[str, list[ItemOfferRow]] = field(default_factory=dict)
    disruptions: list[DisruptionRow] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)
    _factors: dict[str, dict[tuple[str, str], Fraction]] = field(default_factory=dict)

    def factors(self, item: str) -> dict[tuple[str, str], Fraction]:
        """The item's own conversions; ours count before partners'."""
        if item not in self._factors:
            self._factors[item] = factors(sorted(self.offers.get(item, ()), key=lambda row: row.partner_id))
        return self._factors[item]

    def unit(self, item: str) -> str:
        """The unit that the item is counted in: its catalogue's, else that of its figures, else pieces."""
        for row in sorted(self.offers.get(item, ()), key=lambda one: one.partner_id):
            if row.base_unit:
                return row.base_unit
        return next((one.unit for one in self.positions.get(item, ())), "C62")


# --- names ------------------------------------------------------------------------------------------------------------


def resolve(tx: Transaction, items: Sequence[str]) -> dict[str, list[str]]:
    """Every key under which stock of each item may be told; items are keys, our numbers, GTINs or partners' numbers."""
    own = tx.partners.own().partner_id
    names = {item: _names(item, own) for item in items}
    wanted = sorted({name for each in names.values() for name in each})
    numbers: dict[str, set[str]] = {}
    for row in tx.stock.aliases(wanted) if wanted else ():
        numbers.setdefault(row.alias, set()).add(row.item_number)
        numbers.setdefault(row.item_number, set()).add(row.item_number)
    aliases: dict[str, list[str]] = {}
    known = sorted({number for found in numbers.values() for number in found})
    for row in tx.stock.aliases(known) if known else ():
        aliases.setdefault(row.item_number, []).append(row.alias)
    found = {}
    for item, each in names.items():
        keys = dict.fromkeys(each)
        for number in sorted({number for name in each for number in numbers.get(name, ())}):
            keys |= dict.fromkeys([number_key(number, own), *aliases.get(number, ())])
        found[item] = [key for key in keys if key.startswith((GTIN_PREFIX, NUMBER_PREFIX))]
    return found


def _names(item: str, own: str) -> list[str]:
    names = [item, number_key(item, own)]
    if is_gtin(item):
        names.append(f"{GTIN_PREFIX}{gtin14(item)}")
    if item.startswith(f"{NUMBER_PREFIX}{own}:"):
        names.append(item.removeprefix(f"{NUMBER_PREFIX}{own}:"))
    return names


# --- reading ----------------------------------------------------------------------------------------------------------


def load(
    tx: Transaction,
    ctx: Context,
    items: Sequence[str],
    but_orders: Collection[int] = (),
    trade: Trading | None = None,
) -> Known:
    """Read what is known of these items, and of what kits among them are made of.

    What was promised to back orders against supply to come is owed to them. Of `but_orders`, which are to be sourced,
    those that wait themselves come before the back orders behind them in the queue. `trade` is what `trading` has
    read before; without it it is read now.
    """
    known = Known(resolve(tx, items), trade or trading(tx, ctx))
    _load_offers(tx, known)
    deep = 0
    while deep < KITS_DEEP_MAX:
        more = {part.item_key for rows in known.offers.values() for row in rows for part in components(row)}
        missing = sorted(key for key in more if key and key not in known.keys)
        if not missing:
            break
        known.keys |= resolve(tx, missing)
        _load_offers(tx, known, missing)
        deep += 1
    keys = sorted({key for each in known.keys.values() for key in each})
    # What concerns one order of ours says nothing of what else can be had.
    known.disruptions = [row for row in tx.disruptions.in_force(keys) if not row.order_number]
    rows = _Rows(tx, ctx, known, keys, but_orders)
    for item, each in known.keys.items():
        known.positions[item] = rows.positions(item, each)
    return known


def _load_offers(tx: Transaction, known: Known, items: Iterable[str] | None = None) -> None:
    wanted = list(known.keys) if items is None else list(items)
    rows: dict[str, list[ItemOfferRow]] = {}
    for row in tx.offers.offers(sorted({key for item in wanted for key in known.keys[item]})):
        rows.setdefault(row.item_key, []).append(row)
    for item in wanted:
        known.offers[item] = [row for key in known.keys[item] for row in rows.get(key, ())]


def trading(tx: Transaction, ctx: Context) -> Trading:
    """Read whom we trade with: test partners only until a link of ours is live."""
    every = [row for row in tx.partners.all() if row.state == "confirmed"]
    live = any(row.usage == "PRODUCTION" for row in every)
    partners = {row.partner_id: row for row in every if row.usage == "PRODUCTION" or not live}
    records = performance.records(tx, ctx, ["", *partners])
    return Trading(
        partners=partners,
        records=records,
        words={partner_id: word(one) for partner_id, one in records.items()},
        leads=tx.performance.lead_times(list(partners)) if partners else [],
        snapshots={partner_id: tx.stock.current_snapshot(partner_id) for partner_id in partners},
        basis=tx.settings.get("stock-basis") or "UNSPECIFIED",
    )


class _Rows:
    """The figures of some items, with all that is taken off them."""

    def __init__(
        self, tx: Transaction, ctx: Context, known: Known, keys: Sequence[str], but_orders: Collection[int]
    ) -> None:
        self._tx = tx
        self._ctx = ctx
        self._known = known
        self._now = ctx.now_micros()
        self._today = ctx.now().date()
        self._figures: dict[str, list[StockRow]] = {}
        for row in tx.stock.figures(keys):
            self._figures.setdefault(row.item_key, []).append(row)
        self._counters = {(row.item_key, row.location): row for row in tx.reservations.counters(keys)}
        self._asked: dict[tuple[str, str], list[ReservationRow]] = {}
        for held in tx.reservations.asked_of(keys, self._now - ASKED_MICROS):
            self._asked.setdefault((held.partner_id, held.item_key), []).append(held)
        self._claims: dict[tuple[str, str], list[ClaimRow]] = {}
        for claim in tx.customer_orders.claims(keys):
            self._claims.setdefault((claim.partner_id, claim.item_key), []).append(claim)
        if but_orders:
            self._claims = {place: _before(claims, but_orders) for place, claims in self._claims.items()}
        self._trading = known.trading
        self._confidences: dict[tuple[str, int], Decimal] = {}

    def positions(self, item: str, keys: Sequence[str]) -> list[Position]:
        """The item's positions, one for each place and unit, with notices of disruption applied."""
        found: dict[tuple[str, str, str], Position] = {}
        for key in keys:
            for row in self._figures.get(key, ()):
                if self._counts(row):
                    one = self._position(item, row)
                    place = (row.partner_id, row.location, canonical_unit(row.unit))
                    found[place] = _merged(found[place], one) if place in found else one
        if self._counters or self._asked or self._claims:
            self._take_off(keys, found)
        notices = [row for row in self._known.disruptions if any(concerns(row, one[0], keys, one[1]) for one in found)]
        return disrupted(list(found.values()), notices, self._today) if notices else list(found.values())

    def _counts(self, row: StockRow) -> bool:
        """Whether a figure can be promised at all: of ours, not what is set aside for a partner."""
        if row.status != "AVAILABLE":
            return False
        return row.partner_id in self._trading.partners if row.partner_id else not row.pool

    def _position(self, item: str, row: StockRow) -> Position:
        on_hand = None if row.on_hand is None else from_scaled(row.on_hand)
        alike = row.available == row.on_hand
        return Position(
            partner_id=row.partner_id,
            location=row.location,
            item_key=item,
            unit=row.unit,
            on_hand=on_hand,
            available=on_hand if alike else None if row.available is None else from_scaled(row.available),
            safety=_ZERO if row.partner_id else self._safety(row),
            expected=_expected(row.expected) if row.expected else (),
            lots=_lots(row.expected) if row.expected else (),
            figure=row.figure,
            as_of=row.as_of,
            age_seconds=max(0, (self._now - row.as_of) // 1_000_000),
            basis=self._basis_of(row.partner_id),
            confidence=self._sure(row),
        )

    def _sure(self, row: StockRow) -> Decimal:
        """How far a figure can be believed; our own are as old as what our systems told, which counts as now."""
        told = max(row.as_of, self._told(row.partner_id)) if row.partner_id else self._now
        place = (row.partner_id, told)
        if place not in self._confidences:
            hours = self._ctx.settings.promising.figure_half_life_hours
            age = (self._now - told) // 1_000_000
            self._confidences[place] = aged(self._trading.words[row.partner_id], age, hours)
        return self._confidences[place]

    def _told(self, partner_id: str) -> int:
        """When the partner told figures last: it tells what changes, so the rest was still true then."""
        snapshot = self._trading.snapshots[partner_id]
        return snapshot.as_of if snapshot else 0

    def _basis_of(self, partner_id: str) -> str:
        if not partner_id:
            return self._trading.basis
        snapshot = self._trading.snapshots[partner_id]
        return snapshot.basis if snapshot else "UNSPECIFIED"

    def _safety(self, row: StockRow) -> Decimal:
        """What is kept back of a figure of ours: the first rule that fits, and never less than of every item."""
        least = self._ctx.settings.reservations.safety_stock
        for rule in self._ctx.settings.promising.safety:
            named = any(matches(rule.item, name) for name in (row.number, row.gtin, row.item_key) if name)
            if named and matches(rule.location, row.location):
                return max(rule.quantity, least)
        return least

    def _take_off(self, keys: Sequence[str], found: dict[tuple[str, str, str], Position]) -> None:
        """Holds, orders and exposure: of ours from the ledger, at partners what they cannot have told of yet."""
        for place, one in found.items():
            claims = [claim for key in keys for claim in self._claims.get((one.partner_id, key), ())]
            if one.partner_id:
                asked = self._asked_at(one, keys) + (self._ordered_at(one, keys, claims) if claims else 0)
                if asked:
                    found[place] = one._replace(reserved=one.reserved + asked)
                continue
            if claims:
                found[place] = one._replace(owed=(*one.owed, *self._owed(one, claims)))
            for key in keys:
                counter = self._counters.get((key, one.location))
                if counter is not None:
                    found[place] = self._less(found[place], counter)

    def _less(self, one: Position, counter: StockCounterRow) -> Position:
        exposed = (
            ledger.exposure(self._tx, self._ctx, counter.item_key, counter.location)
            if self._ctx.settings.reservations.exposure == "measured"
            else 0
        )
        if canonical_unit(counter.unit) != canonical_unit(one.unit):
            if not (counter.reserved or counter.allocated):
                return one
            # The ERP counts in another unit now: nothing more until what was promised before is done.
            return one._replace(available=Decimal(0), expected=(), notes=(*one.notes, "unit-changed"))
        return one._replace(
            reserved=one.reserved + from_scaled(counter.reserved),
            allocated=one.allocated + from_scaled(counter.allocated),
            safety=one.safety + from_scaled(exposed),
        )

    def _owed(self, one: Position, claims: Iterable[ClaimRow]) -> Iterator[Coming]:
        """What back orders were promised of the supply that one of our places expects."""
        for claim in claims:
            if claim.promised_on and claim.location == one.location:
                yield Coming(self._in_unit(claim.quantity, claim.unit, one), date.fromisoformat(claim.promised_on))

    def _ordered_at(self, one: Position, keys: Sequence[str], claims: Iterable[ClaimRow]) -> Decimal:
        """What we have ordered of a partner without a hold, and its figure cannot have told of yet."""
        told = self._told_at(one, keys)
        return sum(
            (
                self._in_unit(claim.quantity, claim.unit, one)
                for claim in claims
                if claim.location in ("", one.location) and self._untold(claim, told)
            ),
            Decimal(0),
        )

    def _untold(self, claim: ClaimRow, told: int) -> bool:
        """Whether a figure taken at the instant `told` cannot speak of an order: not before the order is taken."""
        if claim.state in _UNRECEIPTED and claim.order_id is not None:
            for order in self._tx.orders.by_ids([claim.order_id]):
                document = self._tx.documents.get(order.document_id)
                if document is not None and document.state in ("waiting", "sent"):
                    return True
        return told < claim.at and self._now - claim.at <= ASKED_MICROS

    def _told_at(self, one: Position, keys: Sequence[str]) -> int:
        """When a partner told its newest figure of the item at a place."""
        return max((row.change for key in keys for row in self._figures.get(key, ()) if _is_of(row, one)), default=0)

    def _in_unit(self, quantity: int, unit: str, one: Position) -> Decimal:
        """A scaled quantity in the figure's unit; 0, and a finding, where it cannot be told in it."""
        try:
            return convert(Quantity(from_scaled(quantity), unit), one.unit).value
        except RefusedError:
            text = f"{unit} held, {one.unit} told"
            self._known.findings.append(Finding("unlike-units", f"{one.partner_id} {one.location}", text))
            return Decimal(0)

    def _asked_at(self, one: Position, keys: Sequence[str]) -> Decimal:
        """What we have asked of or hold at this place since the partner told its figure, in the figure's unit."""
        sum_of = _ZERO
        for key in keys if self._asked else ():
            if (one.partner_id, key) not in self._asked:
                continue
            told = self._told_at(one, [key])
            for held in self._asked.get((one.partner_id, key), ()):
                if held.location not in ("", one.location) or not self._unknown_to(held, told):
                    continue
                quantity = held.quantity if held.state == "requested" else held.granted
                sum_of += self._in_unit(quantity, held.unit, one)
        return sum_of

    def _unknown_to(self, held: ReservationRow, told: int) -> bool:
        """Whether a figure taken at the instant `told` cannot speak of a hold: answers arrive before figures."""
        if held.state == "requested":
            return True
        if held.state == "confirmed" and self._now - held.at > ORDERED_MICROS:
            return False
        return told < held.at


def _before(claims: Sequence[ClaimRow], orders: Collection[int]) -> list[ClaimRow]:
    """Claims that come before what these orders claim themselves: new supply goes to who was promised it first."""
    own = [place for place, claim in enumerate(claims) if claim.customer_order_id in orders]
    return [
        claim
        for place, claim in enumerate(claims)
        if claim.state != "back_ordered"
        or (claim.customer_order_id not in orders and not (own and claim.promised_on and place > own[-1]))
    ]


def _is_of(row: StockRow, one: Position) -> bool:
    return row.partner_id == one.partner_id and row.location == one.location


def _merged(one: Position, other: Position) -> Position:
    """Two figures of one item at one place, such as shared stock and stock set aside for us."""

    def there(of: Position) -> Decimal:
        return of.available if of.available is not None else of.on_hand or Decimal(0)

    older = one if one.as_of <= other.as_of else other
    return older._replace(
        on_hand=None if one.on_hand is None or other.on_hand is None else one.on_hand + other.on_hand,
        available=there(one) + there(other),
        safety=max(one.safety, other.safety),
        expected=(*one.expected, *other.expected),
        lots=(*one.lots, *other.lots),
        figure=one.figure if one.figure != "EXACT" else other.figure,
        confidence=min(one.confidence, other.confidence),
    )


def _expected(text: str) -> tuple[Coming, ...]:
    """Expected supply as the store keeps it; what has no readable day is left out."""
    found = []
    for quantity, on, source in json.loads(text) if text else ():
        if source == LOT:
            continue
        try:
            found.append(Coming(from_scaled(int(quantity)), date.fromisoformat(str(on)), str(source)))
        except ValueError:
            continue
    return tuple(one for one in found if one.quantity > 0)


def _lots(text: str) -> tuple[Lot, ...]:
    """The parts of a figure with the day until which they are best."""
    if f'"{LOT}"' not in text:
        return ()
    rows = [row for row in json.loads(text) if row[2] == LOT]
    return tuple(Lot(from_scaled(int(quantity)), date.fromisoformat(str(on))) for quantity, on, _ in rows)
