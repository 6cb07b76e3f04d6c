"""Customer orders as values: what must hold of one before it is taken, and when a recurring one comes back.

What is wrong in itself is refused (no lines, zero quantities, dates that contradict each other). What only a human can
clear up (an item that nobody knows, a postal code that does not exist) is taken and waits for that human; that is
decided where items and places are known.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date, timedelta

from node.core.document.common import DateQualifier, QualifiedDate
from node.core.document.customer import CustomerLine, CustomerOrder, CustomerOrderKind, Interval, Recurrence
from node.core.iso_codes import COUNTRIES
from node.core.line_checks import YEAR_MAX, YEAR_MIN, Checks
from node.core.order_state import date_of

__all__ = [
    "CIRCLE",
    "HOPS",
    "POSTAL_CODE_MAX",
    "PRIORITY_MAX",
    "check_customer_order",
    "dates_of",
    "in_circle",
    "next_occurrence",
    "problems_on",
]

POSTAL_CODE_MAX = 20
PRIORITY_MAX = 1_000_000
DAYS_AHEAD_MAX = 3 * 366
"""Further ahead than any customer waits; a date beyond it is a slip."""

EVERY_MAX = 1_000
HOPS = "it may be passed on no further, and not all of it is here"
CIRCLE = "this chain of orders has come to us before: it goes in a circle"
"""Why an order is refused that has come back to us."""

_COLLECTED = frozenset({CustomerOrderKind.PICK_UP, CustomerOrderKind.TRANSFER, CustomerOrderKind.REPLENISHMENT})


def check_customer_order(checks: Checks, document: CustomerOrder) -> None:
    """A customer order has a kind, lines with items and positive quantities, and dates that fit each other."""
    if document.order_kind is CustomerOrderKind.UNSPECIFIED:
        words = ", ".join(kind.value for kind in CustomerOrderKind if kind is not CustomerOrderKind.UNSPECIFIED)
        checks.add("order-kind", "order_kind", f"one of {words} was expected")
    if not document.lines:
        checks.add("no-lines", "lines", "at least one line was expected")
    if document.country and document.country not in COUNTRIES:
        checks.add(
            "country", "country", f"{document.country[:40]!r} was given, an ISO 3166-1 alpha-2 code was expected"
        )
    if len(document.postal_code) > POSTAL_CODE_MAX or not document.postal_code.isprintable():
        checks.add("postal-code", "postal_code", f"at most {POSTAL_CODE_MAX} printable characters were expected")
    if document.postal_code and not document.country:
        checks.add("country", "country", "the country of the postal code was expected")
    if document.order_kind in _COLLECTED and not document.collect_at:
        checks.add("collect-at", "collect_at", f"{document.order_kind.value} names our location that takes the goods")
    if document.priority > PRIORITY_MAX:
        checks.add("priority", "priority", f"at most {PRIORITY_MAX} was expected")
    checks.dates(document.dates, "dates")
    _check_dates(checks, document)
    _check_recurrence(checks, document)
    _check_lines(checks, document.lines)


def _check_lines(checks: Checks, lines: tuple[CustomerLine, ...]) -> None:
    checks.ids([line.line_id for line in lines], "lines")
    parents = {line.line_id: line.parent_line for line in lines}
    for place, line in enumerate(lines):
        path = f"lines[{place}]"
        checks.item(line.item, f"{path}.item")
        checks.quantity(line.quantity, f"{path}.quantity", zero=False)
        checks.price(line.price, f"{path}.price")
        checks.dates(line.dates, f"{path}.dates")
        if line.parent_line and line.parent_line not in parents:
            checks.add("parent-line", f"{path}.parent_line", f"there is no line {line.parent_line[:40]!r}")
        elif line.parent_line and parents[line.parent_line]:
            checks.add("parent-line", f"{path}.parent_line", "a kit has parts, which have none of their own")
        if checks.is_full:
            return


def _check_dates(checks: Checks, document: CustomerOrder) -> None:
    """Dates that cannot all be: wanted after the last day, before the launch, or before it was ordered."""
    need, first, last = dates_of(document.dates)
    issued = document.header.issued_at.date() if document.header and document.header.issued_at else None
    if need and last and need > last:
        checks.add("date", "dates", f"it is wanted on {need}, but not after {last}")
    if first and last and first > last:
        checks.add("date", "dates", f"not before {first} and not after {last} leave no day")
    launch = document.launch_on
    if document.order_kind is CustomerOrderKind.PRE_ORDER and launch is None:
        checks.add("date", "launch_on", "a pre-order names the day from which it may be sent")
    if launch and not YEAR_MIN <= launch.year <= YEAR_MAX:
        checks.add("date", "launch_on", f"{launch} was given, a year from {YEAR_MIN} to {YEAR_MAX} was expected")
    if launch and last and launch > last:
        checks.add("date", "launch_on", f"it may be sent from {launch} on, but not after {last}")
    if issued is None:
        return
    for name, day in (("wanted on", need), ("wanted until", last)):
        if day and day < issued - timedelta(days=1):
            checks.add("date", "dates", f"it was ordered on {issued} and {name} {day}, which is past")
        elif day and day > issued + timedelta(days=DAYS_AHEAD_MAX):
            checks.add("date", "dates", f"{name} {day}, more than {DAYS_AHEAD_MAX} days ahead")


def _check_recurrence(checks: Checks, document: CustomerOrder) -> None:
    again = document.recurrence
    if (document.order_kind is CustomerOrderKind.RECURRING) != (again is not None):
        checks.add("recurrence", "recurrence", "a recurring order, and no other, says when it comes back")
    if again is None:
        return
    if again.interval is Interval.UNSPECIFIED or again.every > EVERY_MAX:
        checks.add("recurrence", "recurrence.interval", f"every 1 to {EVERY_MAX} DAY, WEEK or MONTH was expected")
    if again.first_on is None or not YEAR_MIN <= again.first_on.year <= YEAR_MAX:
        checks.add("recurrence", "recurrence.first_on", "the first day was expected")
    elif again.last_on is not None and again.last_on < again.first_on:
        checks.add("recurrence", "recurrence.last_on", f"it ends on {again.last_on}, before its first day")


def dates_of(dates: tuple[QualifiedDate, ...]) -> tuple[date | None, date | None, date | None]:
    """(wanted on, not before, not after) of an order's or a line's dates."""
    said: dict[DateQualifier, date] = {}
    for one in dates:
        on = one.on or (one.until_at.date() if one.until_at else one.from_at.date() if one.from_at else None)
        if on is not None:
            said.setdefault(one.qualifier, on)
    wanted = tuple(one for one in dates if one.qualifier not in (DateQualifier.NOT_BEFORE, DateQualifier.NOT_AFTER))
    text = date_of(wanted) if wanted else None
    last = said.get(DateQualifier.NOT_AFTER) or said.get(DateQualifier.CANCEL_AFTER)
    return (date.fromisoformat(text) if text else None), said.get(DateQualifier.NOT_BEFORE), last


def next_occurrence(again: Recurrence, after: date | None) -> date | None:
    """The first day after `after` (None: from the beginning) on which a recurring order comes back; None at its end.

    Months keep the first day's day of the month, or take their last day where they are shorter.
    """
    if again.first_on is None:
        return None
    step, count, day = max(1, again.every), 0, again.first_on
    if after is not None and after >= day:
        days = {Interval.DAY: step, Interval.WEEK: 7 * step}.get(again.interval, 31 * step)
        count = max(0, (after - day).days // days)
        while day <= after:
            count += 1
            day = _plus(again.first_on, again.interval, step * count)
    if again.last_on is not None and day > again.last_on:
        return None
    return day


def _plus(first: date, interval: Interval, count: int) -> date:
    """The day so many intervals later."""
    if interval is Interval.DAY:
        return first + timedelta(days=count)
    if interval is Interval.WEEK:
        return first + timedelta(weeks=count)
    months = first.year * 12 + first.month - 1 + count
    year, month = divmod(months, 12)
    following = date(year + (month == 11), (month + 1) % 12 + 1, 1)
    return min(date(year, month + 1, 1) + timedelta(days=first.day - 1), following - timedelta(days=1))


def in_circle(hops_left: int, passed_on: Iterable[int]) -> bool:
    """Whether an order with so many hops left is one of ours that has come back over others.

    `passed_on`: how many hops those orders with the same root had left, of which we have ordered parts of partners.
    Each company takes one off, so that what comes back has two less at least; several orders of one partner, or the
    same root over two ways of like length, are no circle.
    """
    return any(hops >= hops_left + 2 for hops in passed_on)


def problems_on(today: date, not_after: date | None) -> str:
    """Why an order can no longer be fulfilled in time, or ""."""
    if not_after is not None and today > not_after:
        return f"it was wanted until {not_after} at the latest"
    return ""
