"""How partners kept what they said, and their lead times, in the store."""

from __future__ import annotations

import json
from collections.abc import Sequence

import sqlalchemy as sa

from node.core.promise_rows import LeadTimeRow, MeasureDayRow, PartnerMeasureRow
from node.store.fulfilment_schema import LEAD_TIME, MEASURE, MEASURE_DAY
from node.store.session import Session
from node.store.statements import Compiler, listed, parameter

__all__ = ["Performance", "PerformanceStatements"]


class PerformanceStatements:
    """Compiled once per database."""

    def __init__(self, sql: Compiler) -> None:
        def partners() -> sa.TextualSelect:
            return listed(sql.name, "partner_ids", "text")

        self.put_measures = sql.bulk(PartnerMeasureRow, replace=True)
        self.put_days = sql.bulk(MeasureDayRow, replace=True)
        self.put_lead_times = sql.bulk(LeadTimeRow, replace=True)
        self.measures = sql(
            sa.select(MEASURE).where(MEASURE.c.partner_id.in_(partners())).order_by(*MEASURE.primary_key),
            "partner_ids",
        )
        self.lead_times = sql(
            sa.select(LEAD_TIME).where(LEAD_TIME.c.partner_id.in_(partners())).order_by(*LEAD_TIME.primary_key),
            "partner_ids",
        )
        day = MEASURE_DAY.c
        self.days = sql(
            sa.select(MEASURE_DAY)
            .where(day.partner_id == parameter("of_partner"), day.day >= parameter("since"))
            .order_by(day.day, day.measure),
            *("of_partner", "since"),
        )


class Performance:
    """Implements `node.ports.PerformanceStore`."""

    def __init__(self, session: Session, sql: PerformanceStatements) -> None:
        self._session = session
        self._sql = sql

    def measures(self, partner_ids: Sequence[str]) -> list[PartnerMeasureRow]:
        """By partner and measure."""
        return self._session.all(PartnerMeasureRow._make, self._sql.measures, json.dumps([*partner_ids]))

    def put_measures(self, rows: Sequence[PartnerMeasureRow]) -> None:
        """Insert or replace by (partner_id, measure)."""
        self._session.put(self._sql.put_measures, rows)

    def days(self, partner_id: str, since: str) -> list[MeasureDayRow]:
        """By day and measure, from the day `since` on."""
        return self._session.all(MeasureDayRow._make, self._sql.days, partner_id, since)

    def put_days(self, rows: Sequence[MeasureDayRow]) -> None:
        """Insert or replace by (partner_id, measure, day)."""
        self._session.put(self._sql.put_days, rows)

    def lead_times(self, partner_ids: Sequence[str]) -> list[LeadTimeRow]:
        """By partner, stage and days."""
        return self._session.all(LeadTimeRow._make, self._sql.lead_times, json.dumps([*partner_ids]))

    def put_lead_times(self, rows: Sequence[LeadTimeRow]) -> None:
        """Insert or replace by (partner_id, stage, days)."""
        self._session.put(self._sql.put_lead_times, rows)
