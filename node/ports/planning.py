"""The store of what sourcing decides by: records of partners, demand, prices, notices, freight, problems."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from node.core.problem_rows import ProblemRow
from node.core.promise_rows import (
    DemandDayRow,
    DisruptionRow,
    ItemOfferRow,
    ItemPriceRow,
    LeadTimeRow,
    MeasureDayRow,
    PartnerMeasureRow,
    SiteLoadRow,
)
from node.core.quote_rows import QuoteRow

__all__ = [
    "DemandStore",
    "DisruptionStore",
    "OfferStore",
    "PerformanceStore",
    "ProblemStore",
    "QuoteStore",
]


class PerformanceStore(Protocol):
    """How partners kept what they said, and how long they took."""

    def measures(self, partner_ids: Sequence[str]) -> list[PartnerMeasureRow]: ...
    def put_measures(self, rows: Sequence[PartnerMeasureRow]) -> None: ...
    def days(self, partner_id: str, since: str) -> list[MeasureDayRow]:
        """By day and measure, from the day `since` on."""

    def put_days(self, rows: Sequence[MeasureDayRow]) -> None: ...
    def lead_times(self, partner_ids: Sequence[str]) -> list[LeadTimeRow]:
        """By partner, stage and days."""

    def put_lead_times(self, rows: Sequence[LeadTimeRow]) -> None: ...


class DemandStore(Protocol):
    """What customers wanted, by item, day and region."""

    def days(self, item_keys: Sequence[str], since: str, until: str) -> list[DemandDayRow]:
        """By item, day and region; both days included."""

    def put(self, rows: Sequence[DemandDayRow]) -> None: ...
    def items(self, since: str) -> list[str]:
        """The items with demand on or after the day."""

    def loads(self, day: str) -> list[SiteLoadRow]:
        """What sites have been given to send on a day."""

    def put_loads(self, rows: Sequence[SiteLoadRow]) -> None: ...


class OfferStore(Protocol):
    """What catalogues say of items, and prices."""

    def offers(self, item_keys: Sequence[str]) -> list[ItemOfferRow]: ...
    def prices(self, item_keys: Sequence[str]) -> list[ItemPriceRow]:
        """By item, partner, currency and minimum."""

    def of_partner(self, partner_id: str) -> list[str]:
        """The keys of the items that a partner offers."""

    def put_offers(self, rows: Sequence[ItemOfferRow]) -> None: ...
    def replace_prices(self, partner_id: str, item_keys: Sequence[str], rows: Sequence[ItemPriceRow]) -> None:
        """A partner's prices of these items are `rows` from now on."""


class DisruptionStore(Protocol):
    """Notices of disruption, line by line."""

    def put(self, rows: Sequence[DisruptionRow]) -> None: ...
    def in_force(self, item_keys: Sequence[str]) -> list[DisruptionRow]:
        """Lines in force that name one of these items, or none."""

    def of_number(self, partner_id: str, number: str) -> list[DisruptionRow]: ...
    def of_root(self, root_id: str) -> list[DisruptionRow]: ...
    def search(self, *, state: str, limit: int) -> list[DisruptionRow]:
        """Newest first; `state` "" is every one."""


class QuoteStore(Protocol):
    """What carriers answered to questions about freight."""

    def put(self, rows: Sequence[QuoteRow]) -> None:
        """Insert or replace by (carrier, question)."""

    def find(self, keys: Sequence[tuple[str, str]]) -> list[QuoteRow]:
        """The answers to these (carrier, question), whether they still count or not."""

    def drop_old(self, now: int, limit: int) -> int:
        """Delete at most `limit` answers that count no more; returns how many went."""


class ProblemStore(Protocol):
    """What sourcing decisions were made of."""

    def add(self, rows: Sequence[ProblemRow]) -> None: ...
    def find(self, decision_ids: Sequence[int]) -> list[ProblemRow]:
        """The problems of these decisions that are still kept."""

    def newest(self, since: int, limit: int) -> list[ProblemRow]:
        """Problems decided at or after the instant, newest first."""

    def drop(self, before: int, limit: int) -> int:
        """Delete at most `limit` problems decided before the instant; returns how many went."""
