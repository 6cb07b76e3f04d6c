"""What customers want of each item by day and region: the history behind scarcity prices and warnings of stock-outs."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import date, timedelta
from decimal import Decimal
from typing import NamedTuple

from node.app.context import Context
from node.app.stock.known_stock import load
from node.core import promise as core
from node.core.decimals import SCALED_MAX, from_scaled
from node.core.line_checks import YEAR_MAX, YEAR_MIN
from node.core.promise import Position, Steps
from node.core.promise_rows import DemandDayRow
from node.core.units import canonical_unit
from node.errors import RefusedError
from node.ports import Transaction

__all__ = ["Demand", "Warned", "history", "note_demand", "per_day", "region_of", "runs_out", "warnings"]

QUANTITY_MAX = 10**15
"""A single demand of more (scaled) is a slip, and would spoil every rate."""
WARNED_ITEMS_MAX = 1_000


class Demand(NamedTuple):
    """What a customer order wants of an item; `quantity` is scaled, `region` a country, postal area or location."""

    item_key: str
    region: str
    day: date
    quantity: int
    unit: str


class Warned(NamedTuple):
    """An item that runs out soon at our own sites."""

    item: str
    unit: str
    available: Decimal
    per_day: Decimal
    out_on: date
    next_supply_on: date | None
    why: str


def region_of(country: str, postal_code: str) -> str:
    """How the history names where something was wanted."""
    return f"{country}|{postal_code}" if postal_code else country


def note_demand(tx: Transaction, demands: Iterable[Demand]) -> int:
    """Add to the history, in the transaction of the capture; returns how many counted.

    Nothing that is not above zero, absurdly large or on an absurd day counts; unlike units stay apart. To take back
    what a cancelled order wanted is not needed: it was wanted.
    """
    counted: dict[tuple[str, str, str, str], int] = {}
    for one in demands:
        if not 0 < one.quantity <= QUANTITY_MAX or not YEAR_MIN <= one.day.year <= YEAR_MAX or not one.item_key:
            continue
        place = (one.item_key, one.region, one.day.isoformat(), canonical_unit(one.unit))
        counted[place] = counted.get(place, 0) + one.quantity
    if not counted:
        return 0
    days = [day for _, _, day, _ in counted]
    items = sorted({item for item, _, _, _ in counted})
    known = {tuple(row[:4]): row.quantity for row in tx.demand.days(items, min(days), max(days))}
    tx.demand.put(
        [
            DemandDayRow(*place, min(known.get(place, 0) + quantity, SCALED_MAX))
            for place, quantity in sorted(counted.items())
        ]
    )
    return len(counted)


def history(tx: Transaction, item_keys: Sequence[str], since: date, until: date) -> list[DemandDayRow]:
    """What was wanted of these items from one day to another, both included."""
    return tx.demand.days(item_keys, since.isoformat(), until.isoformat())


def per_day(rows: Iterable[DemandDayRow], unit: str, days: int) -> Decimal:
    """Mean demand a day over so many days, of what was wanted in the unit."""
    wanted = sum(row.quantity for row in rows if canonical_unit(row.unit) == canonical_unit(unit))
    return from_scaled(wanted) / max(1, days)


# --- running out ------------------------------------------------------------------------------------------------------


def warnings(tx: Transaction, ctx: Context, items: Sequence[str] = ()) -> list[Warned]:
    """Items of which our own sites run out within the days that are set, the first to run out first.

    Projected from what is in hand and expected, less demand at its mean daily rate. Without `items`, every item with
    demand lately. Safety stock counts as gone.
    """
    settings = ctx.settings.promising
    today = ctx.now().date()
    since = today - timedelta(days=settings.demand_days)
    wanted = list(items) or tx.demand.items(since.isoformat())[:WARNED_ITEMS_MAX]
    known = load(tx, ctx, wanted)
    found = []
    for item in wanted:
        unit = known.unit(item)
        rate = per_day(history(tx, known.keys[item], since, today), unit, settings.demand_days)
        if rate <= 0:
            continue
        own = [one for one in known.positions[item] if one.partner_id == ""]
        steps = _together(own, unit, known.factors(item), today)
        out_on = runs_out(steps, rate, today, settings.warning_days)
        if out_on is None:
            continue
        supply = min((more.on for one in own for more in one.expected if more.on > today), default=None)
        late = [note for one in known.positions[item] for note in one.notes]
        why = "; ".join(dict.fromkeys(late)) or ("supply comes too late" if supply else "nothing is expected")
        found.append(Warned(item, unit, core.at(steps, today), rate, out_on, supply, why))
    return sorted(found, key=lambda one: (one.out_on, one.item))


def _together(own: Sequence[Position], unit: str, factors: core.Factors, today: date) -> Steps:
    each = []
    for one in own:
        try:
            each.append(core.in_unit(core.steps(one, today), one.unit, unit, factors))
        except RefusedError:
            continue  # never added to what is in another unit
    return core.total(each)


def runs_out(steps: Steps, rate: Decimal, today: date, within: int) -> date | None:
    """The first day, within so many, on which demand since today has used up all there is by then; None if none."""
    for ahead in range(within + 1):
        day = today + timedelta(days=ahead)
        if core.at(steps, day) < rate * (ahead + 1):
            return day
    return None
