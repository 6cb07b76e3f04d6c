"""How far a partner's word can be relied on, from its own record, and how long it takes.

A measure counts how often the partner did what it said. Its rate is the mean of a Beta distribution: the prior (5
observations, 9 of 10 good) and what was observed, each observation losing half its weight every `HALF_LIFE_DAYS`. A
new partner begins at 0.9, and one that has changed its ways is believed after some months. Our own sites begin at
0.99, because their figures are from our own systems.

The confidence of a figure is the product of what must go right for it: the figure was right when it was told, it is
still true after its age, what it shows is granted when asked for, and the delivery comes when promised. It never grows
with age, nor with anything that goes wrong.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from decimal import ROUND_FLOOR, Decimal

from node.core.decimals import SCALE
from node.core.promise_rows import LeadTimeRow, PartnerMeasureRow

__all__ = [
    "DELIVERY",
    "DESPATCH",
    "HALF_LIFE_DAYS",
    "LEAD_DAYS_MAX",
    "MEASURES",
    "LeadTimes",
    "Rate",
    "Record",
    "added",
    "added_days",
    "aged",
    "confidence",
    "decayed",
    "lead_times",
    "record",
    "word",
]

MEASURES = ("figure_fresh", "hold_granted", "line_accepted", "delivered_on_time", "despatch_complete")
"""A stock figure was right when we acted on it; a hold was granted; an order line was accepted as ordered; it was
despatched by the promised day; what arrived was all that was despatched, and whole."""

DESPATCH, DELIVERY = "despatch", "delivery"
"""Stages of lead time: from the order to its despatch, and to its arrival."""

HALF_LIFE_DAYS = 90
FIGURE_HALF_LIFE_HOURS = 168
"""The age at which a partner's figure is believed half as much."""

LEAD_DAYS_MAX = 1_000
"""Longer ones count as this long."""

_DAY = 86_400_000_000
_ONE: int = 10**SCALE
_PRIOR = (Decimal("4.5"), Decimal("0.5"))
_OWN_PRIOR = (Decimal("49.5"), Decimal("0.5"))
_SHOWN = Decimal("0.0001")


@dataclass(frozen=True, slots=True)
class Rate:
    """One measure: how likely it goes well the next time, and how often it was seen to."""

    mean: Decimal
    good: int = 0
    bad: int = 0

    @property
    def seen(self) -> int:
        """Observations, of any age."""
        return self.good + self.bad


@dataclass(frozen=True, slots=True)
class Record:
    """A partner's record; `partner_id` "" is our own company."""

    partner_id: str
    rates: dict[str, Rate] = field(default_factory=dict)

    def rate(self, measure: str) -> Rate:
        """The measure's rate; the prior's where nothing was seen."""
        return self.rates.get(measure) or (_UNSEEN if self.partner_id else _UNSEEN_OWN)


@dataclass(frozen=True, slots=True)
class LeadTimes:
    """Observed days of one stage."""

    median: int
    p90: int
    seen: int


def _prior(partner_id: str) -> tuple[Decimal, Decimal]:
    return _PRIOR if partner_id else _OWN_PRIOR


def _mean(prior: tuple[Decimal, Decimal], good: int, bad: int) -> Decimal:
    """The mean of the Beta posterior; weights are scaled."""
    up = prior[0] * _ONE + good
    return (up / (up + prior[1] * _ONE + bad)).quantize(_SHOWN, ROUND_FLOOR)


_UNSEEN, _UNSEEN_OWN = Rate(_mean(_PRIOR, 0, 0)), Rate(_mean(_OWN_PRIOR, 0, 0))


def decayed(weight: int, since: int, now: int) -> int:
    """What a weight of the instant `since` still weighs (both in microseconds)."""
    age = max(0, now - since)
    return int(weight * 2.0 ** (-age / (HALF_LIFE_DAYS * _DAY)))


def added(
    row: PartnerMeasureRow | None, partner_id: str, measure: str, *, good: int, bad: int, at: int
) -> PartnerMeasureRow:
    """The measure with so many more good and bad observations at an instant."""
    before = row or PartnerMeasureRow(partner_id, measure, 0, 0, 0, 0, at)
    latest = max(at, before.at)
    # An observation that comes late weighs what it would weigh by now.
    weight = decayed(_ONE, at, latest)
    return PartnerMeasureRow(
        partner_id,
        measure,
        decayed(before.good, before.at, latest) + good * weight,
        decayed(before.bad, before.at, latest) + bad * weight,
        before.good_seen + good,
        before.bad_seen + bad,
        latest,
    )


def added_days(row: LeadTimeRow | None, partner_id: str, stage: str, days: int, at: int) -> LeadTimeRow:
    """One more observation of so many days; absurd ones count as the most that is kept."""
    kept = max(0, min(days, LEAD_DAYS_MAX))
    before = row or LeadTimeRow(partner_id, stage, kept, 0, 0, at)
    latest = max(at, before.at)
    weight = decayed(before.weight, before.at, latest) + decayed(_ONE, at, latest)
    return LeadTimeRow(partner_id, stage, kept, weight, before.seen + 1, latest)


def record(partner_id: str, rows: Iterable[PartnerMeasureRow], now: int) -> Record:
    """A partner's record from its measures, as of `now` (microseconds)."""
    prior = _prior(partner_id)
    rates = {
        row.measure: Rate(
            _mean(prior, decayed(row.good, row.at, now), decayed(row.bad, row.at, now)), row.good_seen, row.bad_seen
        )
        for row in rows
        if row.partner_id == partner_id
    }
    return Record(partner_id, rates)


def confidence(known: Record, age_seconds: int, half_life_hours: int = FIGURE_HALF_LIFE_HOURS) -> Decimal:
    """How likely it is, 0 to 1, that what a figure of this age shows will be there, be granted and come in time."""
    return aged(word(known), age_seconds, half_life_hours)


def word(known: Record) -> Decimal:
    """The same of a figure that is told now, unrounded: what the record alone says."""
    granted = min(known.rate("hold_granted").mean, known.rate("line_accepted").mean)
    return known.rate("figure_fresh").mean * granted * known.rate("delivered_on_time").mean


def aged(sure: Decimal, age_seconds: int, half_life_hours: int = FIGURE_HALF_LIFE_HOURS) -> Decimal:
    """What is left of a `word` at an age."""
    still = Decimal(2.0 ** (-max(0, age_seconds) / (half_life_hours * 3600)))
    return (sure * still).quantize(_SHOWN, ROUND_FLOOR)


def lead_times(rows: Sequence[LeadTimeRow], partner_id: str, stage: str, now: int) -> LeadTimes | None:
    """The observed days of a stage, older observations weighing less; None where none was seen."""
    mine = sorted((row for row in rows if (row.partner_id, row.stage) == (partner_id, stage)), key=lambda one: one.days)
    weighed = [(row.days, decayed(row.weight, row.at, now)) for row in mine]
    if not mine:
        return None
    return LeadTimes(_quantile(weighed, 50), _quantile(weighed, 90), sum(row.seen for row in mine))


def _quantile(weighed: Sequence[tuple[int, int]], percent: int) -> int:
    """The least number of days that `percent` of the weight stays within."""
    whole = sum(weight for _, weight in weighed)
    reached = 0
    for days, weight in weighed:
        reached += weight
        if reached * 100 >= whole * percent:
            return days
    return weighed[-1][0]
