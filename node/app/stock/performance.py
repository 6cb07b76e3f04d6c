"""Partners' performance: what they said against what they did, counted in the transaction that stores the proof.

=================  =====================================================================================================
figure_fresh       a hold or an order line that the partner's figure covered was granted (good) or refused (bad)
hold_granted       a hold was granted in full; granted in part, refused or taken back is bad
line_accepted      an order line was accepted in full, at its first answer; back-ordered, rejected or less is bad
delivered_on_time  a line's first despatch came, or says it will come, by the promised day; an arrival after it is bad
despatch_complete  what was despatched arrived, whole
=================  =====================================================================================================

Only orders of ours count, and of these only what is meant: a link in test teaches nothing about the partner.
Corrections of what was counted do not count again. Lead times run from the order's
issue: to the first despatch of a line, and to its first arrival.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Any

from node.app.context import Context
from node.core.confidence import (
    DELIVERY,
    DESPATCH,
    LEAD_DAYS_MAX,
    MEASURES,
    Record,
    added,
    added_days,
    lead_times,
    record,
)
from node.core.document import Document, header_of
from node.core.document.common import Usage
from node.core.document.fulfilment import DeliveryStatus, DespatchAdvice, ReceivingAdvice
from node.core.document.order import OrderResponse
from node.core.document.reservation import ReservationOutcome, ReservationResponse
from node.core.item_key import GTIN_PREFIX, number_key
from node.core.order_state import ANSWERS, ARRIVALS, Book, Effects, OrderState, date_of
from node.core.promise_rows import MeasureDayRow, PartnerMeasureRow
from node.core.rows import LineEventRow, OrderLineRow
from node.ports import Transaction

__all__ = ["Applied", "day_of", "felt", "history", "note", "partner_record", "records", "told"]

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_HARMED = frozenset({"short", "damaged", "wrong"})
_HOLD_ANSWERS = (ReservationOutcome.GRANTED, ReservationOutcome.PARTLY_GRANTED, ReservationOutcome.REFUSED)
HISTORY_DAYS = 365
"""How far back what was counted is told day by day."""


Applied = tuple[int, Document, Effects]
"""A document that changed the book: its id here, itself, and what it changed."""


def day_of(at: int) -> date:
    """The day, in UTC, of an instant in microseconds."""
    return (_EPOCH + timedelta(microseconds=at)).date()


# --- counting ---------------------------------------------------------------------------------------------------------


class _Tally:
    """Observations of one partner, collected to be written at once."""

    def __init__(self) -> None:
        self.good: Counter[str] = Counter()
        self.bad: Counter[str] = Counter()
        self.days: list[tuple[str, int]] = []
        self.answered: list[tuple[str, int, bool]] = []
        """(item key, scaled quantity asked for, whether it was granted)"""

    def count(self, measure: str, well: bool) -> None:
        (self.good if well else self.bad)[measure] += 1

    def write(self, tx: Transaction, partner_id: str, at: int) -> None:
        self._judge_figures(tx, partner_id)
        if self.good or self.bad:
            _add(tx, partner_id, self.good, self.bad, at)
        if self.days:
            known = {(row.stage, row.days): row for row in tx.performance.lead_times([partner_id])}
            changed = {}
            for stage, days in self.days:
                kept = min(days, LEAD_DAYS_MAX)
                row = added_days(known.get((stage, kept)), partner_id, stage, kept, at)
                known[stage, kept] = changed[stage, kept] = row
            tx.performance.put_lead_times(list(changed.values()))

    def _judge_figures(self, tx: Transaction, partner_id: str) -> None:
        """A figure that covered what was refused was wrong; one of what was granted was right."""
        if not self.answered:
            return
        shown: dict[str, int] = {}
        for row in tx.stock.figures(sorted({key for key, _, _ in self.answered})):
            if row.partner_id == partner_id and row.status == "AVAILABLE":
                there = row.available if row.available is not None else row.on_hand or 0
                shown[row.item_key] = shown.get(row.item_key, 0) + there
        for key, quantity, granted in self.answered:
            if key in shown and (granted or shown[key] >= quantity):
                self.count("figure_fresh", granted)


def note(tx: Transaction, partner_id: str, measure: str, good: int, bad: int, at: int) -> None:
    """Count observations of one measure at an instant (microseconds). Raises ValueError for an unknown measure."""
    if measure not in MEASURES:
        raise ValueError(f"{measure!r} is not measured")
    if good > 0 or bad > 0:
        _add(tx, partner_id, Counter({measure: max(0, good)}), Counter({measure: max(0, bad)}), at)


def _add(tx: Transaction, partner_id: str, good: Counter[str], bad: Counter[str], at: int) -> None:
    measures = sorted(set(good) | set(bad))
    known = {row.measure: row for row in tx.performance.measures([partner_id])}
    day = day_of(at).isoformat()
    days = {row.measure: row for row in tx.performance.days(partner_id, day) if row.day == day}
    tx.performance.put_measures(
        [added(known.get(name), partner_id, name, good=good[name], bad=bad[name], at=at) for name in measures]
    )
    tx.performance.put_days(
        [
            MeasureDayRow(
                partner_id,
                name,
                day,
                (days[name].good if name in days else 0) + good[name],
                (days[name].bad if name in days else 0) + bad[name],
            )
            for name in measures
        ]
    )


# --- what documents show ----------------------------------------------------------------------------------------------


def felt(tx: Transaction, partner_id: str, book: Book, applied: Iterable[Applied], at: int) -> None:
    """Count what answers to our orders and requests for holds, despatches and arrivals show of this partner.

    Called once the book has been brought up to date, and before answers change our reservations.
    """
    tally = _Tally()
    for document_id, document, effects in applied:
        if header_of(document).usage is not Usage.PRODUCTION:
            continue
        if isinstance(document, ReservationResponse):
            _held(tx, tally, partner_id, document)
        if not isinstance(document, OrderResponse | DespatchAdvice | ReceivingAdvice | DeliveryStatus):
            continue
        by_line: dict[tuple[int, str], list[LineEventRow]] = {}
        for event in effects.events:
            if event.document_id == document_id:
                by_line.setdefault((event.order_id, event.line_id), []).append(event)
        for (order_id, line_id), events in by_line.items():
            state = book.by_id.get(order_id)
            line = state.lines.get(line_id) if state else None
            if state is None or line is None or state.order.role != "buyer":
                continue
            before = [e for e in state.events if e.line_id == line_id and e.document_id < document_id]
            _observe(tally, document, state, line, events, before, at)
    tally.write(tx, partner_id, at)


def _observe(
    tally: _Tally,
    document: Document,
    state: OrderState,
    line: OrderLineRow,
    events: list[LineEventRow],
    before: list[LineEventRow],
    at: int,
) -> None:
    """One document's word on one line, unless one before it said the same kind of thing."""
    if isinstance(document, OrderResponse):
        _answered(tally, state, line, events, before)
    elif isinstance(document, DespatchAdvice):
        if _moved(events, {"despatched"}) and not _moved(before, {"despatched"}):
            went = document.despatched_at.date() if document.despatched_at else day_of(at)
            tally.days.append((DESPATCH, _days(state, went)))
            if (promised := _promised(line, before)) is not None:
                tally.count("delivered_on_time", (date_of(document.dates) or went.isoformat()) <= promised)
    elif _moved(events, ARRIVALS | {"delivered"}) and not _moved(before, ARRIVALS | {"delivered"}):
        came = _came(document, at)
        tally.days.append((DELIVERY, _days(state, came)))
        promised = _promised(line, before)
        if promised is not None and came.isoformat() > promised:
            tally.count("delivered_on_time", False)
        if isinstance(document, ReceivingAdvice):
            tally.count("despatch_complete", not _moved(events, _HARMED))


def _answered(
    tally: _Tally, state: OrderState, line: OrderLineRow, events: list[LineEventRow], before: list[LineEventRow]
) -> None:
    said = [event for event in events if event.event in ANSWERS and event.quantity > 0]
    first = not any(event.event in ANSWERS and event.quantity > 0 for event in before)
    if not said or not first or any(event.event == "cancelled" for event in said):
        return
    accepted = sum(event.quantity for event in said if event.event == "accepted")
    well = accepted >= line.quantity
    tally.count("line_accepted", well)
    if key := _key(line, state.order.partner_id):
        tally.answered.append((key, line.quantity, well))


def _moved(events: Iterable[LineEventRow], kinds: Iterable[str]) -> bool:
    return any(event.event in kinds and event.quantity > 0 for event in events)


def _promised(line: OrderLineRow, events: Sequence[LineEventRow]) -> str | None:
    """The day that the seller promised at last, else the day that we asked for."""
    said = [event.on for event in events if event.event in ("accepted", "back_ordered") and event.standing and event.on]
    return max(said) if said else line.requested_on


def _days(state: OrderState, on: date) -> int:
    return max(0, (on - day_of(state.order.issued_at)).days)


def _came(document: Document, at: int) -> date:
    if isinstance(document, ReceivingAdvice) and document.received_at is not None:
        return document.received_at.date()
    if isinstance(document, DeliveryStatus) and document.occurred_at is not None:
        return document.occurred_at.date()
    return day_of(at)


def _key(line: OrderLineRow, seller: str) -> str:
    if line.gtin:
        return GTIN_PREFIX + line.gtin.zfill(14)
    return number_key(line.seller_number, seller) if line.seller_number else ""


def _held(tx: Transaction, tally: _Tally, partner_id: str, document: ReservationResponse) -> None:
    """What a partner's first answers to our requests for holds show, and that it has taken a hold back."""
    asked = tx.reservations.find(partner_id, "requester", [line.reservation_id for line in document.lines])
    for line in document.lines:
        row = asked.get(line.reservation_id)
        if row is None:
            continue
        if row.state == "requested" and line.outcome in _HOLD_ANSWERS:
            granted = line.outcome is ReservationOutcome.GRANTED
            tally.count("hold_granted", granted)
            tally.answered.append((row.item_key, row.quantity, granted))
        elif row.state in ("granted", "partly_granted") and line.outcome is ReservationOutcome.RELEASED:
            tally.count("hold_granted", False)


# --- what is asked ----------------------------------------------------------------------------------------------------


def records(tx: Transaction, ctx: Context, partner_ids: Sequence[str]) -> dict[str, Record]:
    """The records of several partners ("" is ourselves), in one query."""
    rows: dict[str, list[PartnerMeasureRow]] = {}
    for row in tx.performance.measures(partner_ids):
        rows.setdefault(row.partner_id, []).append(row)
    now = ctx.now_micros()
    return {one: record(one, rows.get(one, ()), now) for one in partner_ids}


def partner_record(tx: Transaction, ctx: Context, partner_id: str) -> Record:
    """One partner's record."""
    return records(tx, ctx, [partner_id])[partner_id]


def told(tx: Transaction, ctx: Context, partner_id: str | None = None) -> list[dict[str, Any]]:
    """Every partner's performance (or one's), with how often each was observed; JSON-able."""
    rows = [row for row in tx.partners.all() if partner_id in (None, row.partner_id)]
    known = records(tx, ctx, [row.partner_id for row in rows])
    leads = tx.performance.lead_times([row.partner_id for row in rows])
    now = ctx.now_micros()
    found = []
    for row in rows:
        mine = known[row.partner_id]
        stages = {stage: lead_times(leads, row.partner_id, stage, now) for stage in (DESPATCH, DELIVERY)}
        found.append(
            {
                "partner": row.partner_id,
                "name": row.name,
                "measures": {
                    name: {"rate": str(rate.mean), "good": rate.good, "bad": rate.bad, "seen": rate.seen}
                    for name in MEASURES
                    for rate in (mine.rate(name),)
                },
                "lead_days": {
                    stage: {"median": seen.median, "p90": seen.p90, "seen": seen.seen} if seen else None
                    for stage, seen in stages.items()
                },
            }
        )
    return found


def history(tx: Transaction, ctx: Context, partner_id: str) -> list[dict[str, Any]]:
    """What was counted in the last year, day by day; JSON-able."""
    since = (ctx.now().date() - timedelta(days=HISTORY_DAYS)).isoformat()
    return [
        {"day": row.day, "measure": row.measure, "good": row.good, "bad": row.bad}
        for row in tx.performance.days(partner_id, since)
    ]
