"""Effects of an OrderResponse, the seller's word on an order, and of the ApplicationResponse with the buyer's on that.

Which finding has which outcome, and why effects commute, is told in `node.core.order_book`.
"""

from __future__ import annotations

import json
from collections.abc import Iterable

from node.core.asked import Asked, asked_of, days_apart
from node.core.decimals import SCALE
from node.core.document.common import DocumentHeader, Price, QualifiedDate, ReferenceKind
from node.core.document.order import OrderResponse, OrderResponseLine, ResponseOutcome, ScheduleOutcome
from node.core.document.terms import ApplicationOutcome, ApplicationResponse
from node.core.order_effects import named_order, price_of
from node.core.order_state import (
    ANSWERS,
    CONFIRMATIONS,
    OrderState,
    Refused,
    Step,
    confirmation_of,
    date_of,
    reason_text,
    reference_of,
    scaled_in,
)
from node.core.quantity import Quantity
from node.core.rows import LineEventRow, OrderLineRow
from node.core.tolerance import Difference, Ratio, breaches, difference_of, exceeds
from node.errors import RefusedError

__all__ = ["agreed_price", "response", "verdict"]

_EVENT_OF = {
    ScheduleOutcome.ACCEPTED: "accepted",
    # Too late to change or cancel, because it is on its way: it will come.
    ScheduleOutcome.DESPATCHED: "accepted",
    ScheduleOutcome.BACK_ORDERED: "back_ordered",
    ScheduleOutcome.REJECTED: "rejected",
    ScheduleOutcome.SUBSTITUTED: "substituted",
    ScheduleOutcome.CANCELLED: "cancelled",
}
# What a piece without a word of its own means, by the document's outcome; the others say nothing about pieces.
_DEFAULT_EVENT = {
    ResponseOutcome.ACCEPTED: "accepted",
    ResponseOutcome.CHANGED: "accepted",
    ResponseOutcome.REJECTED: "rejected",
}
_ONE = 10**SCALE
_COMING = frozenset({"accepted", "back_ordered", "substituted"})
_VERDICT_EVENT = {
    ApplicationOutcome.UNDER_QUERY: "confirmation_due",
    ApplicationOutcome.ACCEPTED: "confirmed",
}


def response(step: Step, document: OrderResponse) -> None:
    """The seller's word on lines, pieces, changes and cancellations."""
    if document.order is None:
        raise Refused("unknown-order", "order", "the order's number is missing")
    state = named_order(step, document.order, "order")
    if (state.order.role == "seller") != step.we_are_sender:
        raise Refused("wrong-role", "order", "only the seller answers an order")
    if step.document_id in state.documents:
        return
    named, known = document.order.revision, state.order.revision
    if named > known:
        raise Refused("unknown-revision", "order.revision", f"revision {known} was expected, and {named} was given")
    _keeps_currency(document.currency, state, "currency")
    _Answer(step, document, state, 1 if named == known else 0).run()
    number = document.seller_order_number
    if number and number != state.order.seller_order_number:
        step.effects.updated_orders.append(state.order._replace(seller_order_number=number))
    if named < known:
        step.remark("old-revision", "order.revision", f"this answers revision {named}; {known} waits for its answer")


class _Answer:
    """One response at work: which requests it ends, which lines change, which pieces stand."""

    __slots__ = (
        *("answered", "document", "events", "lines", "order_id", "prices", "reference", "standing", "state", "step"),
    )

    def __init__(self, step: Step, document: OrderResponse, state: OrderState, standing: int) -> None:
        self.step = step
        self.document = document
        self.state = state
        self.standing = standing
        self.order_id = state.order.order_id
        self.reference = reference_of(document.header or DocumentHeader())
        self.lines = state.lines
        self.events: list[LineEventRow] = []
        # Lines for which this is the answer that counts from now on.
        self.answered: set[str] = set()
        # The dearest price that is named for each line.
        self.prices: dict[str, Ratio] = {}

    def run(self) -> None:
        document, outcome = self.document, self.document.outcome
        agreed = outcome in (ResponseOutcome.ACCEPTED, ResponseOutcome.CHANGED)
        decided = agreed or outcome is ResponseOutcome.REJECTED
        requests = self._requests() if document.answers is not None and decided else []
        whole = outcome in _DEFAULT_EVENT and not document.lines
        if requests and requests[0].event == "change_requested":
            if agreed:
                self._agree_to_change(requests, {line.line_id for line in document.lines})
            else:
                self._note(requests, "rejected")
        elif requests:
            if agreed and whole:
                self._agree_to_cancel(requests)
            elif not agreed:
                self._note(requests, "rejected")
        elif whole:
            self._whole_order(_DEFAULT_EVENT[outcome])
        # A refused request says nothing of lines whose pieces carry no word of their own.
        default = None if requests and not agreed else _DEFAULT_EVENT.get(outcome)
        for place, line in enumerate(document.lines):
            self._line(place, line, default)
        if not (requests and requests[0].event == "cancel_requested"):
            # What the buyer asked to cancel is less by its own wish.
            self._differences()
        if not self.events and self.lines:
            # Leaves a trace, by which a second delivery is known to be one.
            line_id = next(iter(self.lines))
            self._add(line_id, "accepted", 0, detail=f"acknowledged {document.seller_order_number}".rstrip())
        self._put(requests)

    def _put(self, requests: list[LineEventRow]) -> None:
        """Hand over the events, and take away what they replace."""
        if self.standing:
            answered = self.answered
            ended = {(e.document_id, e.event) for e in requests}
            self.step.effects.replace_where(
                self.state,
                lambda e: (
                    (e.line_id in answered and (e.event in ANSWERS or e.event in CONFIRMATIONS))
                    or (e.document_id, e.event) in ended
                ),
            )
        self.step.effects.events.extend(self.events)

    def _add(
        self,
        line_id: str,
        event: str,
        quantity: int,
        *,
        on: str | None = None,
        detail: str = "",
        schedule_id: str = "",
    ) -> None:
        self.events.append(
            LineEventRow(
                self.order_id,
                line_id,
                self.step.document_id,
                schedule_id,
                event,
                quantity,
                self.lines[line_id].unit,
                on,
                self.reference,
                detail,
                self.step.at,
                self.standing,
            )
        )

    def _requests(self) -> list[LineEventRow]:
        """The events of the change or cancellation that is answered, of the revision that is named."""
        key = self.document.answers
        assert key is not None
        kinds = {"OrderChange": ("change_requested",), "OrderCancellation": ("cancel_requested",)}.get(
            key.type, ("change_requested", "cancel_requested")
        )
        if key.type == "Order":
            return []
        reference = reference_of(key)
        asked = [e for e in self.state.events if e.event in kinds and e.reference == reference]
        if not asked:
            raise Refused("unknown-request", "answers", f"no change or cancellation {key.number!r} is known here")
        revisions = {e.document_id: int(json.loads(e.detail)["revision"]) for e in asked}
        # An answer that does not say which revision means the first: both sides know that one.
        wanted = key.revision if key.revision in revisions.values() else min(revisions.values())
        # A request that was partly answered is stated twice: once as history, once as what stands.
        latest = {(e.line_id, e.event): e for e in asked if revisions[e.document_id] == wanted}
        return list(latest.values())

    def _agree_to_change(self, requests: list[LineEventRow], said: set[str]) -> None:
        """The change takes effect, unless a newer revision of the order has overtaken it."""
        changed = dict(self.lines)
        for event in requests:
            detail = json.loads(event.detail)
            row = OrderLineRow._make((self.order_id, *detail["line"], event.document_id))
            if self.standing and detail["order_revision"] == self.state.order.revision:
                self.step.effects.changed_lines.append(row)
                changed[row.line_id] = row
            if row.line_id not in said:
                self.answered.add(row.line_id)
                self._whole(row, "accepted", self._date(None, None), "", open_day=row.requested_on)
        self.lines = changed

    def _agree_to_cancel(self, requests: list[LineEventRow]) -> None:
        """What was despatched stays, the rest is cancelled."""
        reason = reason_text(self.document.reason)
        despatched = self.state.totals(frozenset({"despatched"}))
        for event in requests:
            ordered = self.lines[event.line_id].quantity
            self.answered.add(event.line_id)
            kept = max(0, min(ordered, despatched.get(event.line_id, 0)))
            if kept:
                self._add(event.line_id, "accepted", kept, detail=reason)
            self._add(event.line_id, "cancelled", ordered - kept, detail=reason)

    def _note(self, requests: list[LineEventRow], event: str) -> None:
        """Say beside each line that its request failed, and why; nothing is counted."""
        text = reason_text(self.document.reason)
        for request in requests:
            self._add(request.line_id, event, 0, detail=f"{request.reference} is not agreed to: {text}".rstrip(": "))

    def _whole_order(self, event: str) -> None:
        reason = reason_text(self.document.reason)
        for row in self.lines.values():
            if row.quantity:
                self.answered.add(row.line_id)
                self._whole(row, event, self._date(None, None), reason)

    def _whole(self, row: OrderLineRow, event: str, on: str | None, reason: str, open_day: str | None = None) -> None:
        """All of a line: at once, or, where no day is named, in the pieces and on the days in which it is asked for."""
        if on is None and row.schedule and event in _COMING:
            for piece in asked_of(row):
                self._add(row.line_id, event, piece.quantity, on=piece.on, detail=reason, schedule_id=piece.schedule_id)
        else:
            self._add(row.line_id, event, row.quantity, on=on or open_day, detail=reason)

    def _line(self, place: int, line: OrderResponseLine, default: str | None) -> None:
        """The pieces of one line, or the line as one piece where the response gives none."""
        line_id = line.substitutes_line or line.line_id
        row = self.lines.get(line_id)
        if row is None:
            raise Refused("unknown-line", f"lines[{place}].line_id", f"the order has no line {line_id!r}")
        if line.price is not None:
            self._priced(row, line.price, f"lines[{place}].price")
        reason = reason_text(line.reason)
        other_item = line.substituted or bool(line.substitutes_line)
        total = 0
        if not line.schedule and default:
            event = "substituted" if other_item and default == "accepted" else default
            total = self._scaled(line.quantity, row, f"lines[{place}].quantity") if line.quantity else row.quantity
            self.answered.add(line_id)
            if total == row.quantity:
                self._whole(row, event, self._date(line.dates, None), reason)
            else:
                self._add(line_id, event, total, on=self._date(line.dates, None), detail=reason)
        for at, piece in enumerate(line.schedule):
            event = _EVENT_OF.get(piece.outcome) or default or ""
            if event == "accepted" and other_item:
                event = "substituted"
            if not event or piece.quantity is None:
                continue
            path = f"lines[{place}].schedule[{at}].quantity"
            quantity = self._scaled(piece.quantity, row, path)
            total += quantity
            self.answered.add(line_id)
            detail = reason_text(piece.reason) or reason
            if piece.substitute is not None:
                other = piece.substitute
                detail = f"{other.gtin or other.seller_number or other.description} {detail}".rstrip()
            on = self._date(piece.dates or line.dates, None)
            self._add(line_id, event, quantity, on=on, detail=detail, schedule_id=piece.schedule_id)
        if self.standing and exceeds(total, row.quantity, self.step.book.tolerances.quantity_over):
            self.step.remark("over-answered", f"lines[{place}]", "the pieces add up to more than the line orders")

    def _priced(self, row: OrderLineRow, price: Price, path: str) -> None:
        """Remember the price that the seller names for a line, where it is for the line's kind of unit."""
        if price.amount is not None:
            _keeps_currency(price.amount.currency, self.state, f"{path}.amount")
        amount, base = price_of(price, row.unit)
        if amount is None or base == 0:
            return
        said, known = Ratio(amount, base or _ONE), self.prices.get(row.line_id)
        if known is None or said.amount * known.base > known.amount * said.base:
            self.prices[row.line_id] = said

    def _differences(self) -> None:
        """Say of each line that is to come what the answer has changed; a line that is refused whole is no change."""
        pieces: dict[str, list[LineEventRow]] = {}
        for event in self.events:
            if event.event in _COMING and event.quantity and event.line_id in self.answered:
                pieces.setdefault(event.line_id, []).append(event)
        for line_id, coming in pieces.items():
            row, said = self.lines[line_id], self.prices.get(line_id)
            ordered = None if row.price is None else Ratio(row.price, row.price_base or _ONE)
            found = difference_of(
                revision=self.step.header.revision,
                unit=row.unit,
                currency=self.state.order.currency,
                quantity=(row.quantity, sum(event.quantity for event in coming)),
                price=(ordered, said) if ordered and said else None,
                on=days_apart(self._asked(row), _promised(coming)),
            )
            if found is None:
                continue
            self._add(line_id, "changed", 0, detail=found.as_text())
            if self.standing and self.step.we_are_sender:
                for text in breaches(found, self.step.book.told):
                    words = f"line {line_id}: the buyer must confirm this first: {text}"
                    self.step.remark("outside-tolerance", "lines", words)

    def _asked(self, row: OrderLineRow) -> list[Asked]:
        """The line's pieces, without those that the answer names and does not bring."""
        gone: dict[str, int] = {}
        for event in self.events:
            if event.line_id == row.line_id and event.schedule_id and event.event in ("rejected", "cancelled"):
                gone[event.schedule_id] = gone.get(event.schedule_id, 0) + event.quantity
        pieces = asked_of(row)
        if not gone or len(pieces) == 1:
            return pieces
        left = [one._replace(quantity=max(0, one.quantity - gone.get(one.schedule_id, 0))) for one in pieces]
        return [one for one in left if one.quantity] or pieces

    def _scaled(self, quantity: Quantity, row: OrderLineRow, path: str) -> int:
        try:
            return scaled_in(quantity, row.unit)
        except RefusedError as error:
            raise Refused(error.code, path, f"{error.message}; {row.unit} was ordered") from error

    def _date(self, dates: tuple[QualifiedDate, ...] | None, otherwise: str | None) -> str | None:
        """A piece's promised day: its own, else the response's."""
        own = date_of(dates) if dates else None
        return own or (date_of(self.document.dates) if self.document.dates else None) or otherwise


def agreed_price(row: OrderLineRow, standing: Iterable[LineEventRow]) -> tuple[Ratio | None, bool]:
    """A line's price as it stands, and whether the buyer has still to confirm it; None where nobody named one.

    The answer's price counts as soon as nobody objects: silence means yes. `standing` are the line's standing events.
    """
    events = list(standing)
    ordered = None if row.price is None else Ratio(row.price, row.price_base or _ONE)
    said = [Difference.of_text(event.detail).price for event in events if event.event == "changed"]
    answered = next((price[1] for price in reversed(said) if price), None)
    if answered is None:
        return ordered, False
    return answered, confirmation_of(events) in ("due", "refused")


def _promised(coming: list[LineEventRow]) -> list[tuple[str | None, int]]:
    """When how much comes; what waits for stock, nobody knows how long, comes last and is compared with nothing."""
    return [(event.on, event.quantity) for event in coming if event.on or event.event != "back_ordered"]


def _keeps_currency(currency: str, state: OrderState, path: str) -> None:
    if currency and state.order.currency and currency != state.order.currency:
        raise Refused("other-currency", path, f"order {state.order.number} is in {state.order.currency}")


def verdict(step: Step, document: ApplicationResponse) -> None:
    """The buyer's word on an answer with changes: it must confirm them first, or confirms them.

    Other verdicts have no effect. A word on an answer that a newer one has replaced is kept, but does not stand.
    """
    event, answer = _VERDICT_EVENT.get(document.outcome), document.document
    orders = [r.document for r in step.header.references if r.kind is ReferenceKind.ORDER and r.document]
    if event is None or answer is None or answer.type != "OrderResponse" or len(orders) != 1:
        return
    state = named_order(step, orders[0], "header.references")
    if (state.order.role == "buyer") != step.we_are_sender:
        raise Refused("wrong-role", "header.references", "only the buyer confirms what the seller has changed")
    if step.document_id in state.documents:
        return
    texts = {one.line_id: reason_text(one.reason) for one in document.line_reasons}
    for line_id in texts.keys() - state.lines.keys():
        raise Refused("unknown-line", "line_reasons", f"order {state.order.number} has no line {line_id!r}")
    reference = reference_of(answer)
    changed: dict[str, int] = {}
    for one in state.events:
        spoken_of = one.event == "changed" and one.reference == reference and (not texts or one.line_id in texts)
        if spoken_of and Difference.of_text(one.detail).revision == answer.revision:
            # Stated twice where another line of the same answer was replaced: once as history, once as what stands.
            changed[one.line_id] = max(one.standing, changed.get(one.line_id, 0))
    standing = {line_id for line_id, stands in changed.items() if stands}
    if step.we_are_sender and not (standing and standing.issuperset(texts)):
        # The seller takes it, because its newer answer may have crossed.
        raise Refused("nothing-changed", "document", f"no change by {reference} to the order stands there")
    if not changed and state.lines:
        # Leaves a trace, by which a second delivery is known to be one.
        changed[next(iter(state.lines))] = 0
    step.effects.replace_where(state, lambda e: e.event == event and e.line_id in standing)
    why = "; ".join(filter(None, (reason_text(one) for one in document.reasons)))
    step.effects.events.extend(
        LineEventRow(
            state.order.order_id,
            line_id,
            step.document_id,
            "",
            event,
            0,
            state.lines[line_id].unit,
            None,
            reference_of(step.header),
            texts.get(line_id) or why,
            step.at,
            stands,
        )
        for line_id, stands in changed.items()
    )
