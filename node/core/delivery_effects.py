"""Effects of delivery statuses: what a carrier delivered or failed to deliver, and what lies ready and is collected.

Goods that a carrier takes have a despatch, and a status is about what that carried; a status that comes first waits for
it. Goods that a customer collects have none: they lie ready, and leave when they are collected.
"""

from __future__ import annotations

from node.core.document.fulfilment import DeliveryEvent, DeliveryStatus
from node.core.goods_effects import EARLY, Moved, order_named_in_header, record, scaled_of
from node.core.order_effects import named_order
from node.core.order_state import OrderState, Refused, Step, reason_text, reference_of
from node.core.rows import LineEventRow, OrderLineRow

__all__ = ["COUNTER", "delivery", "why_of"]

COUNTER = "at the counter"
"""The schedule_id of what was collected, or not, without a despatch."""

_EVENTS = {
    DeliveryEvent.DELIVERED: "delivered",
    DeliveryEvent.COLLECTED: "delivered",
    DeliveryEvent.FAILED: "failed",
    DeliveryEvent.RETURNED: "failed",
    DeliveryEvent.READY_FOR_COLLECTION: "ready",
}
_GONE = frozenset({"rejected", "cancelled"})


_WHY = ": "
"""Between the packages of a failed delivery and the reason, in its event's detail."""


def why_of(detail: str) -> str:
    """The reason in the detail of a ``failed`` event."""
    return detail.partition(_WHY)[2]


def delivery(step: Step, document: DeliveryStatus) -> None:
    """The carrier or the store says what became of goods; either party of the order may pass it on."""
    event = _EVENTS.get(document.event)
    key = document.order or order_named_in_header(document.header)
    if event is None or key is None:
        return
    state = named_order(step, key, "order")
    if step.document_id in state.documents:
        return
    named = _quantities(document, state)
    on = document.occurred_at.date().isoformat() if document.occurred_at else None
    carried_by = reference_of(document.despatch) if document.despatch else ""
    packages = {name for name in (*document.sscc, document.tracking) if name}
    if event == "ready":
        pieces = _ready(step, state, named, reason_text(document.reason))
    elif carried := _carried(state, carried_by, packages):
        pieces = _of_despatch(step, state, event, carried, named, _why(document, event))
    elif not carried_by and not packages and _at_counter(document, state):
        pieces = _of_counter(step, state, event, named, document)
    else:
        step.remark("unknown-despatch", "despatch", f"nothing was despatched as {carried_by or sorted(packages)}")
        pieces = _early(step, state, event, carried_by, packages)
    record(step, [state], event, pieces, on)


def _quantities(document: DeliveryStatus, state: OrderState) -> dict[str, int]:
    """What the document says of single lines, scaled."""
    found = {}
    for place, said in enumerate(document.lines):
        line = state.lines.get(said.order_line_id)
        if line is None:
            path, text = f"lines[{place}].order_line_id", f"the order has no line {said.order_line_id!r}"
            raise Refused("unknown-line", path, text)
        found[said.order_line_id] = scaled_of(said.quantity, line, f"lines[{place}].quantity")
    return found


def _sum(state: OrderState, line_id: str, *events: str) -> int:
    return sum(e.quantity for e in state.events if e.standing and e.line_id == line_id and e.event in events)


def _expected(state: OrderState, line: OrderLineRow) -> int:
    return max(0, line.quantity - _sum(state, line.line_id, *_GONE))


# --- by a carrier ---


def _carried(state: OrderState, carried_by: str, packages: set[str]) -> list[LineEventRow]:
    """The despatches that are meant, by number and package."""
    found = [
        e
        for e in state.events
        if e.standing and e.event == "despatched" and e.quantity and carried_by in ("", e.reference)
    ]
    if packages and any(e.detail.split() for e in found):
        found = [e for e in found if packages & set(e.detail.split())]
    return found


def _of_despatch(
    step: Step, state: OrderState, event: str, carried: list[LineEventRow], named: dict[str, int], why: str
) -> list[Moved]:
    """The latest word on these goods stands; the schedule_id is the despatch's number, by which it finds them."""
    parts = {(e.line_id, e.reference, e.detail) for e in carried}
    references = {"", *(e.reference for e in carried)}
    step.effects.replace_where(
        state,
        lambda e: (
            e.event in ("delivered", "failed")
            and (
                (e.line_id, e.schedule_id, e.detail.partition(_WHY)[0]) in parts
                or (not e.quantity and e.detail.startswith(EARLY) and e.schedule_id in references)
            )
        ),
    )
    left = dict(named)
    pieces = []
    for e in carried:
        quantity = e.quantity if not named else min(e.quantity, left.get(e.line_id, 0))
        left[e.line_id] = left.get(e.line_id, 0) - quantity
        if quantity:
            pieces.append(Moved(state, state.lines[e.line_id], event, quantity, e.reference, e.detail + why, ""))
    for line_id, quantity in left.items():
        if named and quantity > 0:
            step.remark(
                "over-delivered", "lines", f"less of line {line_id} of order {state.order.number} was despatched"
            )
    return pieces


def _early(step: Step, state: OrderState, event: str, carried_by: str, packages: set[str]) -> list[Moved]:
    """The word waits for its despatch; a newer one on the same goods replaces it."""
    detail = " ".join([EARLY, *sorted(packages)])
    step.effects.replace_where(state, lambda e: not e.quantity and e.detail == detail and e.schedule_id == carried_by)
    return [Moved(state, line, event, 0, carried_by, detail, "") for line in state.lines.values()]


# --- at the counter ---


def _ready(step: Step, state: OrderState, named: dict[str, int], why: str) -> list[Moved]:
    """So much of each line lies ready in all; the latest word on a line stands."""
    wanted = named or {line_id: _expected(state, line) for line_id, line in state.lines.items()}
    step.effects.replace_where(
        state,
        lambda e: e.line_id in wanted and (e.event == "ready" or (e.event == "failed" and e.schedule_id == COUNTER)),
    )
    for line_id, quantity in wanted.items():
        if quantity > _expected(state, state.lines[line_id]):
            step.remark("over-ready", "lines", f"line {line_id} of order {state.order.number} orders less")
    return [Moved(state, state.lines[line_id], "ready", quantity, "", why, "") for line_id, quantity in wanted.items()]


def _at_counter(document: DeliveryStatus, state: OrderState) -> bool:
    """Whether goods are meant that nobody carries."""
    if document.event is DeliveryEvent.COLLECTED:
        return True
    return any(e.standing and e.event == "ready" and e.quantity for e in state.events)


def _of_counter(
    step: Step, state: OrderState, event: str, named: dict[str, int], document: DeliveryStatus
) -> list[Moved]:
    """What was collected adds up; what was not collected is all that is left of what lay ready."""
    wanted = named
    if not named:
        ready = {line_id: _sum(state, line_id, "ready") for line_id in state.lines}
        if not any(ready.values()):
            ready = {line_id: _expected(state, line) for line_id, line in state.lines.items()}
        wanted = {line_id: max(0, quantity - _collected(state, line_id)) for line_id, quantity in ready.items()}
    step.effects.replace_where(
        state, lambda e: e.event == "failed" and e.schedule_id == COUNTER and e.line_id in wanted
    )
    for line_id, quantity in wanted.items():
        if event == "delivered" and _collected(state, line_id) + quantity > _sum(state, line_id, "ready"):
            step.remark("over-collected", "lines", f"less of line {line_id} of order {state.order.number} lay ready")
    detail = _why(document, event)
    return [
        Moved(state, state.lines[line_id], event, quantity, COUNTER, detail, "")
        for line_id, quantity in wanted.items()
        if quantity
    ]


def _why(document: DeliveryStatus, event: str) -> str:
    text = reason_text(document.reason)
    return f"{_WHY}{text}" if text and event == "failed" else ""


def _collected(state: OrderState, line_id: str) -> int:
    return _sum(state, line_id, "delivered")
