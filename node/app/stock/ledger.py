"""The stock ledger: what holds and orders take off our ERP's figures, so that no piece is promised twice.

Figures stay as the ERP told them; what is taken is kept beside them as reservations, with their sums by item and place.
Every change goes through a `Ledger`, which keeps rows and sums together and lets partners hear of figures that changed.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from node.app.context import Context
from node.app.systems import erp_holds
from node.core import reservation, sharing
from node.core.decimals import to_scaled
from node.core.document.common import ItemRef
from node.core.item_key import aliases, number_key
from node.core.quantity import Quantity, from_scaled
from node.core.reservation import Place
from node.core.reservation_rows import ReservationRow, StockCounterRow
from node.core.rows import AliasRow, StockRow
from node.core.units import canonical_unit, convert
from node.errors import RefusedError
from node.ports import CounterDifference, Transaction

__all__ = [
    "Ledger",
    "counters_of",
    "expire_due",
    "exposed",
    "exposed_of",
    "exposure",
    "find_items",
    "held_by",
    "in_unit",
    "less",
    "net",
    "own_figures",
    "reflect",
    "safety",
    "taken_of",
    "verify",
]

Key = tuple[str, str, str]
"""What makes a reservation one: its id, the partner, our role."""

EXPIRED_AT_ONCE = 500
"""Holds that end in one transaction: who waits for the store waits for no more than that."""

_HOUR = 3_600_000_000


class Ledger:
    """The figures, counters and changed reservations of some items, inside one transaction.

    Holds whose time is up end first, so that none of them ever counts in a decision.
    """

    def __init__(
        self,
        tx: Transaction,
        ctx: Context,
        item_keys: Iterable[str],
        figures: Mapping[Place, StockRow] | None = None,
    ) -> None:
        self._tx = tx
        self._ctx = ctx
        self.now = ctx.now_micros()
        keys = sorted(set(item_keys))
        self.figures = dict(figures or {})
        # A hold's own item, too, where the caller read only those of the lines: partners hear of what ends there.
        read = {key for key, _ in self.figures}
        self.figures |= own_figures(tx, [key for key in keys if key not in read])
        self._counters = {(row.item_key, row.location): row for row in tx.reservations.counters(keys)} if keys else {}
        self._before = dict(self._counters)
        self._rows: dict[Key, ReservationRow] = {}
        self.bound: dict[str, Sequence[str]] = {}
        """Ids of new holds that stand or fall together, by the id of each."""
        if any(row.reserved for row in self._counters.values()):
            for row in tx.reservations.due_of(keys, self.now):
                self.change(row, self.ended(row, "expire", "its time is up"))

    def counter(self, place: Place) -> StockCounterRow:
        """What is taken off the figure of a place."""
        known = self._counters.get(place)
        if known is None:
            figure = self.figures.get(place)
            known = StockCounterRow(*place, figure.unit if figure else "", 0, 0, 0, 0)
        return known

    def taken(self, place: Place) -> int:
        """All that is kept off the figure: holds, orders, safety stock and exposure."""
        figure, counter = self.figures.get(place), self.counter(place)
        if figure is not None and figure.pool:
            return counter.reserved + counter.allocated
        kept = _kept_off(self._ctx, counter, self.now)
        return kept + (_more_safety(self._ctx, figure) if figure is not None else 0)

    def free(self, place: Place) -> int:
        """What can still be promised at a place, in the figure's unit; 0 where there is no figure."""
        figure = self.figures.get(place)
        if figure is None or figure.available is None:
            return 0
        counter = self.counter(place)
        if canonical_unit(counter.unit) != canonical_unit(figure.unit) and (counter.reserved or counter.allocated):
            return 0  # the ERP counts in another unit now: nothing more until what was promised before is done
        return max(0, figure.available - self.taken(place))

    def places(self, item_keys: Sequence[str], partner_id: str) -> list[Place]:
        """Where we have these items for a partner, in order: for all, and what is set aside for it."""
        return sorted(
            place for place, row in self.figures.items() if place[0] in item_keys and row.pool in ("", partner_id)
        )

    def known(self, key: Key) -> ReservationRow | None:
        """A reservation as this transaction has left it, if it changed."""
        return self._rows.get(key)

    def change(self, before: ReservationRow | None, row: ReservationRow) -> ReservationRow:
        """Put a reservation down, and move the counters by what it takes more or less than before."""
        key = (row.reservation_id, row.partner_id, row.role)
        before = self._rows.get(key, before)
        for one, sign in ((before, -1), (row, 1)):
            if one is not None and one.held:
                place = (one.item_key, one.location)
                counter = self.counter(place)
                name = "allocated" if one.state == "confirmed" else "reserved"
                self._counters[place] = counter._replace(**{name: getattr(counter, name) + sign * one.held})
        self._rows[key] = row
        return row

    def ended(self, row: ReservationRow, event: str, reason: str) -> ReservationRow:
        """A reservation after an event that ends it: it takes nothing any more."""
        state = reservation.after(row.state, event)
        return row._replace(state=state, held=0, covered=0, reason=reason[:500], at=self.now)

    def shrunk(self, row: ReservationRow, keep: int) -> ReservationRow:
        """A hold that keeps no more than so much (scaled, in its unit): the rest is free."""
        held = reservation.shrunk(row.granted, row.held, keep)
        state = reservation.after(row.state, "shrink")
        return row._replace(state=state, granted=min(keep, row.granted), held=held, covered=min(row.covered, held))

    def expose(self, place: Place, fall: int) -> None:
        """Remember by how much the ERP's own sales made a figure fall; a larger or older one gives way."""
        counter = self.counter(place)
        aged = self.now - counter.exposed_at > self._ctx.settings.reservations.exposure_hours * _HOUR
        if fall >= counter.exposed or aged:
            self._counters[place] = counter._replace(exposed=fall, exposed_at=self.now)

    def write(self, *, told: bool = True) -> None:
        """Store what changed; `told`: partners hear of figures that fell or rose by it."""
        tx = self._tx
        if self._rows:
            tx.reservations.put(list(self._rows.values()))
            erp_holds.note(tx, self._ctx, self._rows.values(), self.figures, self.bound)
        changed = [row for place, row in self._counters.items() if row != self._before.get(place)]
        if changed:
            tx.reservations.put_counters(changed)
        moved = [
            self.figures[place]
            for row in changed
            if (place := (row.item_key, row.location)) in self.figures
            and row.reserved + row.allocated != _sum(self._before.get(place))
        ]
        if moved and told:
            first = tx.stock.next_changes(len(moved))
            tx.stock.put([row._replace(change=first + offset) for offset, row in enumerate(moved)])
        self._before = dict(self._counters)
        self._rows = {}


def _sum(counter: StockCounterRow | None) -> int:
    return counter.reserved + counter.allocated if counter else 0


def own_figures(tx: Transaction, item_keys: Sequence[str]) -> dict[Place, StockRow]:
    """Our figures of what can be sold, by place: what is set aside for a partner is one of its own."""
    if not item_keys:
        return {}
    return {
        sharing.place_of(row): row
        for row in tx.stock.own_figures(item_keys)
        if row.status == "AVAILABLE" and row.available is not None
    }


def find_items(
    tx: Transaction, partner_id: str, items: Sequence[ItemRef | None]
) -> tuple[list[list[str]], dict[Place, StockRow]]:
    """Under which keys we have stock of these items, whatever numbers a partner gives, and the figures there are."""
    own = tx.partners.own().partner_id
    names = [_sellable(aliases(item, seller=own, buyer=partner_id)) if item is not None else [] for item in items]
    figures = own_figures(tx, sorted({name for one in names for name in one}))
    known = {key for key, _ in figures}
    lost = [place for place, one in enumerate(names) if one and known.isdisjoint(one)]
    if lost:
        more = _other_names(tx, own, sorted({name for place in lost for name in names[place]}))
        for place in lost:
            names[place] = sorted({*names[place], *(key for name in names[place] for key in more.get(name, ()))})
        found = own_figures(tx, sorted({name for place in lost for name in names[place]} - known))
        figures |= found
        known |= {key for key, _ in found}
    return [[name for name in one if name in known] for one in names], figures


def _sellable(names: list[str]) -> list[str]:
    return [name for name in names if name.startswith(("gtin:", "no:"))]


def _other_names(tx: Transaction, own: str, names: Sequence[str]) -> dict[str, set[str]]:
    """The keys of our items that these are other names of."""
    wanted = set(names)
    # Whoever gives our number alone means the item under its GTIN as well.
    prefix = number_key("", own)
    bare = {name.removeprefix(prefix): name for name in names if name.startswith(prefix)}
    rows = tx.stock.aliases([*names, *bare])
    named = [row for row in rows if row.alias in wanted]
    named += [AliasRow(bare[row.item_number], row.item_number, "") for row in rows if row.item_number in bare]
    numbers = sorted({row.item_number for row in named})
    keys = {number: {number_key(number, own)} for number in numbers}
    for row in tx.stock.aliases(numbers) if numbers else ():
        if row.item_number in keys and row.alias.startswith(("gtin:", "no:")):
            keys[row.item_number].add(row.alias)
    found: dict[str, set[str]] = {}
    for row in named:
        found.setdefault(row.alias, set()).update(keys[row.item_number])
    return found


def in_unit(scaled: int, unit: str, wanted: str) -> int | None:
    """A scaled quantity in another unit, or None where nothing exact leads there."""
    if canonical_unit(unit) == canonical_unit(wanted):
        return scaled
    try:
        return to_scaled(convert(Quantity(from_scaled(scaled), unit), wanted).value)
    except RefusedError:
        return None


def safety(ctx: Context) -> int:
    """What is kept back of each item at each location at least, scaled."""
    return to_scaled(ctx.settings.reservations.safety_stock)


def _more_safety(ctx: Context, row: StockRow) -> int:
    """What the first rule that fits keeps back of a figure beyond what is kept back of every one, scaled."""
    for rule in ctx.settings.promising.safety:
        named = any(sharing.matches(rule.item, name) for name in (row.number, row.gtin, row.item_key) if name)
        if named and sharing.matches(rule.location, row.location):
            return max(0, to_scaled(rule.quantity) - safety(ctx))
    return 0


def exposed(ctx: Context, counter: StockCounterRow, now: int) -> int:
    """How much of a counter's figure our ERP may sell at the same moment, scaled; nothing where it keeps our holds."""
    settings = ctx.settings.reservations
    if settings.exposure == "none" or erp_holds.keeper(ctx, counter.location) is not None:
        return 0
    counts = settings.exposure == "measured" and now - counter.exposed_at <= settings.exposure_hours * _HOUR
    return counter.exposed if counts else 0


def _kept_off(ctx: Context, counter: StockCounterRow, now: int) -> int:
    return counter.reserved + counter.allocated + safety(ctx) + exposed(ctx, counter, now)


def exposure(tx: Transaction, ctx: Context, item_key: str, location: str) -> int:
    """How much of a figure our ERP may sell at the same moment, scaled; it is kept back of what we promise."""
    for counter in tx.reservations.counters([item_key]):
        if counter.location == location:
            return exposed(ctx, counter, ctx.now_micros())
    return 0


def exposed_of(tx: Transaction, ctx: Context, rows: Sequence[StockRow]) -> dict[Place, int]:
    """The same of every place of these figures of ours, where it is not zero."""
    if ctx.settings.reservations.exposure == "none":
        return {}
    now = ctx.now_micros()
    return {place: found for place, one in counters_of(tx, rows).items() if (found := exposed(ctx, one, now))}


# --- what is seen ---


def counters_of(tx: Transaction, rows: Sequence[StockRow]) -> dict[Place, StockCounterRow]:
    """The counters of our figures among these; nothing is asked where nothing was ever taken."""
    if not rows or not tx.reservations.in_use():
        return {}
    keys = list({row.item_key for row in rows if row.partner_id == ""})
    return {(row.item_key, row.location): row for row in tx.reservations.counters(keys)}


def net(tx: Transaction, rows: Sequence[StockRow]) -> list[StockRow]:
    """These figures, ours among them less what holds and orders take off them."""
    counters = counters_of(tx, rows)
    if not counters:
        return list(rows)
    return [less(row, counters.get((row.item_key, row.location))) for row in rows]


def less(row: StockRow, counter: StockCounterRow | None) -> StockRow:
    """A figure less what its counter takes off it; others as they are."""
    if counter is None or row.partner_id or row.pool or row.status != "AVAILABLE" or row.available is None:
        return row
    left = max(row.available - _sum(counter), min(row.available, 0))
    return row._replace(available=left)


def taken_of(tx: Transaction, ctx: Context, rows: Sequence[StockRow], partner_id: str) -> Mapping[Place, sharing.Taken]:
    """What is kept off these figures of ours before a partner sees them, and which part of it the partner holds."""
    counters = counters_of(tx, rows)
    rules = ctx.settings.promising.safety
    if not counters and not rules:
        return sharing.NOTHING_TAKEN
    held = held_by(tx, partner_id, [key for (key, _), row in counters.items() if row.reserved])
    now, kept = ctx.now_micros(), safety(ctx)
    taken = {
        place: sharing.Taken(_kept_off(ctx, row, now) - kept, held.get(place, 0)) for place, row in counters.items()
    }
    for row in rows if rules else ():
        if more := _more_safety(ctx, row):
            place = (row.item_key, row.location)
            before = taken.get(place, sharing.Taken(0))
            taken[place] = before._replace(all=before.all + more)
    return taken


def held_by(tx: Transaction, partner_id: str, item_keys: Sequence[str]) -> dict[Place, int]:
    """What a partner holds of these items of ours, by place."""
    found: dict[Place, int] = {}
    rows = tx.reservations.held_by(partner_id, item_keys) if item_keys else []
    # Of a hold that our ERP's figure has taken off itself, the ledger holds nothing any more.
    there = [row.reservation_id for row in rows if not row.held]
    at_erp = tx.erp_holds.find(there) if there else {}
    for row in rows:
        if row.role == "grantor":
            place = (row.item_key, row.location)
            kept = at_erp.get((row.reservation_id, partner_id, row.role))
            found[place] = found.get(place, 0) + (row.held or (kept.quantity if kept else 0))
    return found


# --- what the ERP says, and the clock ---


def reflect(tx: Transaction, ctx: Context, rows: Sequence[StockRow]) -> None:
    """New figures of our ERP: what they have taken off themselves is taken off no more, and falls are measured."""
    measured = ctx.settings.reservations.exposure == "measured"
    if not measured and not tx.reservations.in_use():
        return
    keys = list({row.item_key for row in rows})
    covered = tx.reservations.covered(keys)
    if not covered and not measured:
        return
    before = own_figures(tx, keys) if measured else {}
    told = {sharing.place_of(row): row for row in rows if row.status == "AVAILABLE"}
    ledger = Ledger(tx, ctx, keys if measured else [row.item_key for row in covered], figures=before)
    explained: dict[Place, int] = {}
    for row in covered:
        place = (row.item_key, row.location)
        figure = told.get(place)
        if figure is None or figure.as_of < row.covered_at:
            continue
        left = row.held - row.covered
        state = row.state if left else reservation.after(row.state, "reflect")
        ledger.change(row, row._replace(held=left, covered=0, state=state, at=ledger.now))
        explained[place] = explained.get(place, 0) + row.covered
    if measured:
        for place, figure in told.items():
            old = before.get(place)
            if old is None or old.available is None or figure.available is None or figure.as_of <= old.as_of:
                continue
            fall = old.available - figure.available - explained.get(place, 0)
            if fall > 0:
                ledger.expose(place, fall)
    ledger.write(told=False)  # partners hear of the new figures anyway


def expire_due(tx: Transaction, ctx: Context, limit: int = EXPIRED_AT_ONCE) -> int:
    """End what has run out, given and got; returns how many ended. An expired hold counts nowhere even before this."""
    now = ctx.now_micros()
    due = tx.reservations.due(now, limit)
    if not due:
        return 0
    ledger = Ledger(tx, ctx, [row.item_key for row in due if row.held])
    for row in due:
        if ledger.known((row.reservation_id, row.partner_id, row.role)) is None:
            ledger.change(row, ledger.ended(row, "expire", "its time is up"))
    ledger.write()
    return len(due)


def verify(tx: Transaction) -> list[CounterDifference]:
    """Places where a counter is not the sum of its holds and orders; none when all is well."""
    return tx.reservations.differences()
