"""How a seller's answer differs from what is ordered, and whether the buyer takes that by itself.

A difference is a fact that both companies reckon alike from order and answer. Whether it is within the tolerances is
the buyer's to judge, by its own settings; what no tolerance is named for is taken.
"""

from __future__ import annotations

import json
from datetime import date, timedelta
from decimal import Decimal
from typing import NamedTuple

from node.core.asked import Days
from node.core.decimals import EXACT, SCALE, format_decimal

__all__ = [
    "Difference",
    "Tolerances",
    "breaches",
    "date_fits",
    "difference_of",
    "exceeds",
    "price_fits",
    "quantity_fits",
]

_HUNDRED = Decimal(100)


class Tolerances(NamedTuple):
    """What a buyer takes by itself; percentages and days, None where nothing is agreed and everything is taken."""

    quantity_over: Decimal | None = None
    quantity_under: Decimal | None = None
    price: Decimal | None = None
    days_early: int | None = None
    days_late: int | None = None


class Ratio(NamedTuple):
    """A price: scaled `amount` for a scaled `base` of the line's unit."""

    amount: int
    base: int


class Difference(NamedTuple):
    """What an answer says of one line otherwise than the order; None where it says nothing else.

    `quantity` is (ordered, agreed), scaled; `price` (ordered, answered); `on` two days wanted, each with the day
    promised for it: where the answer is earliest, and where it is latest.
    """

    revision: int  # of the response that says so
    unit: str
    currency: str
    quantity: tuple[int, int] | None = None
    price: tuple[Ratio, Ratio] | None = None
    on: tuple[Days, Days] | None = None

    def as_text(self) -> str:
        """The same as JSON, for an event's detail."""
        return json.dumps({name: value for name, value in self._asdict().items() if value is not None})

    @classmethod
    def of_text(cls, text: str) -> Difference:
        """What `as_text` has written."""
        said = json.loads(text)
        price, quantity, on = said.get("price"), said.get("quantity"), said.get("on")
        return cls(
            said["revision"],
            said["unit"],
            said["currency"],
            (quantity[0], quantity[1]) if quantity else None,
            (Ratio(*price[0]), Ratio(*price[1])) if price else None,
            ((on[0][0], on[0][1]), (on[1][0], on[1][1])) if on else None,
        )

    def words(self) -> list[str]:
        """What is different, for people."""
        found = []
        if self.quantity:
            found.append(_quantity_words(self.quantity, self.unit))
        if self.price:
            found.append(_price_words(self.price, self.currency))
        if self.on:
            found.append(_date_words(self.on))
        return found


def difference_of(
    *,
    revision: int,
    unit: str,
    currency: str,
    quantity: tuple[int, int],
    price: tuple[Ratio, Ratio] | None,
    on: tuple[Days, Days] | None,
) -> Difference | None:
    """What is different between a line and its answer, None where nothing is.

    `price` is None where either side names none, and `on` where no day can be compared.
    """
    found = Difference(
        revision,
        unit,
        currency,
        quantity if quantity[0] != quantity[1] else None,
        price if price and price[0].amount * price[1].base != price[1].amount * price[0].base else None,
        on if on and any(wanted != promised for wanted, promised in on) else None,
    )
    return found if found.quantity or found.price or found.on else None


def breaches(found: Difference, tolerances: Tolerances) -> list[str]:
    """What is outside the tolerances, each with by how much and against what, for people; [] when all is taken."""
    told = []
    if found.quantity and not quantity_fits(found.quantity[1], found.quantity[0], tolerances):
        more = found.quantity[1] > found.quantity[0]
        agreed = tolerances.quantity_over if more else tolerances.quantity_under
        told.append(_percent_told(_quantity_words(found.quantity, found.unit), found.quantity, agreed))
    if found.price and not price_fits(found.price[1], found.price[0], tolerances):
        ordered, answered = found.price
        crossed = (ordered.amount * answered.base, answered.amount * ordered.base)
        told.append(_percent_told(_price_words(found.price, found.currency), crossed, tolerances.price))
    for pair in dict.fromkeys(found.on or ()):
        wanted, promised = (date.fromisoformat(day) for day in pair)
        if not date_fits(promised, wanted, tolerances):
            days = abs((promised - wanted).days)
            told.append(_days_told(pair[0], promised, days, promised < wanted, tolerances))
    return told


def exceeds(stated: int, agreed: int, percent: Decimal | None = None) -> bool:
    """Whether `stated` is more than `agreed` plus `percent` of it (None: nothing more); both scaled, in one unit."""
    if stated <= agreed:
        return False
    if not percent:
        return True
    return EXACT.multiply(Decimal(stated), _HUNDRED) > EXACT.multiply(Decimal(agreed), EXACT.add(_HUNDRED, percent))


def quantity_fits(stated: int, ordered: int, tolerances: Tolerances) -> bool:
    """Whether a scaled quantity lies within `quantity_over` and `quantity_under` percent of the ordered one."""
    if stated >= ordered:
        return tolerances.quantity_over is None or not exceeds(stated, ordered, tolerances.quantity_over)
    if tolerances.quantity_under is None:
        return True
    least = EXACT.multiply(Decimal(ordered), EXACT.subtract(_HUNDRED, tolerances.quantity_under))
    return EXACT.multiply(Decimal(stated), _HUNDRED) >= least


def price_fits(stated: Ratio, ordered: Ratio, tolerances: Tolerances) -> bool:
    """Whether a price is at most `price` percent above the ordered one; a lower one always fits."""
    if tolerances.price is None:
        return True
    return not exceeds(stated.amount * ordered.base, ordered.amount * stated.base, tolerances.price)


def date_fits(stated: date, wanted: date, tolerances: Tolerances) -> bool:
    """Whether a day is at most `days_early` before and `days_late` after the wanted one."""
    early, late = tolerances.days_early, tolerances.days_late
    if stated < wanted:
        return early is None or stated >= wanted - timedelta(days=early)
    return late is None or stated <= wanted + timedelta(days=late)


def _quantity_words(quantity: tuple[int, int], unit: str) -> str:
    ordered, agreed = quantity
    return f"{_text(agreed, SCALE)} {unit} instead of {_text(ordered, SCALE)}"


def _price_words(price: tuple[Ratio, Ratio], currency: str) -> str:
    ordered, answered = (_each(one) for one in price)
    return f"a price of {answered} {currency}".rstrip() + f" instead of {ordered}"


def _each(price: Ratio) -> str:
    """A price for one of the unit, to the sixth decimal."""
    return _text(_rounded(price.amount * 10**SCALE, price.base), SCALE)


def _rounded(number: int, by: int) -> int:
    """`number` / `by` (above 0) as a whole number."""
    return (2 * number + by) // (2 * by)


def _text(number: int, decimals: int) -> str:
    """A whole number with so many of its digits behind the point, without idle zeros; of any size."""
    whole, rest = divmod(number, 10**decimals)
    return f"{whole}.{rest:0{decimals}}".rstrip("0").rstrip(".")


def _date_words(on: tuple[Days, Days]) -> str:
    (wanted, first), (then_wanted, last) = on
    if wanted == then_wanted:
        promised = first if first == last else f"{first} to {last}"
        return f"{promised} instead of {wanted}"
    return ", ".join(f"{promised} instead of {asked}" for asked, promised in on if promised != asked)


def _percent_told(words: str, values: tuple[int, int], agreed: Decimal | None) -> str:
    ordered, stated = values
    side = "more" if stated > ordered else "less"
    by = ""
    if ordered:
        by = f", {_text(_rounded(abs(stated - ordered) * 1000, abs(ordered)), 1)} % {side}"
    return f"{words}{by}; {format_decimal(agreed or Decimal(0))} % {side} is agreed"


def _days_told(wanted: str, stated: date, days: int, early: bool, tolerances: Tolerances) -> str:
    side = "early" if early else "late"
    agreed = (tolerances.days_early if early else tolerances.days_late) or 0
    return f"{stated.isoformat()} instead of {wanted}, {_days(days)} {side}; {_days(agreed)} {side} is agreed"


def _days(count: int) -> str:
    return "1 day" if count == 1 else f"{count} days"
