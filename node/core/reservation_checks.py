"""Validation of the documents that ask for stock holds, answer and release them."""

from __future__ import annotations

from collections.abc import Sequence

from node.core.document.reservation import (
    ReservationAction,
    ReservationMode,
    ReservationOutcome,
    ReservationRelease,
    ReservationRequest,
    ReservationResponse,
)
from node.core.line_checks import Checks

__all__ = ["RESERVATION_ID_LENGTH_MAX", "check_release", "check_request", "check_response"]

RESERVATION_ID_LENGTH_MAX = 100
"""Characters of a reservation's id."""

_HELD = frozenset({ReservationOutcome.GRANTED, ReservationOutcome.PARTLY_GRANTED})


def check_request(checks: Checks, document: ReservationRequest) -> None:
    """A request says what it wants, until when, and names each hold once; an extension needs no items."""
    _needs_lines(checks, document.lines)
    if document.action is ReservationAction.UNSPECIFIED:
        checks.add("action", "action", "HOLD or EXTEND was expected")
    if document.hold_until is None:
        checks.add("date-missing", "hold_until", "the instant until which it is to be held was expected")
    checks.day(document.hold_until, "hold_until")
    checks.ids([line.line_id for line in document.lines], "lines")
    _ids(checks, [line.reservation_id for line in document.lines])
    if document.action is not ReservationAction.HOLD:
        return
    if document.mode is ReservationMode.UNSPECIFIED:
        checks.add("mode", "mode", "PARTIAL or COMPLETE was expected")
    for place, line in enumerate(document.lines):
        path = f"lines[{place}]"
        checks.item(line.item, f"{path}.item")
        checks.quantity(line.quantity, f"{path}.quantity")
        checks.location(line.location, f"{path}.location")
        checks.day(line.needed_on, f"{path}.needed_on")
        if checks.is_full:
            return


def check_response(checks: Checks, document: ReservationResponse) -> None:
    """An answer names each hold once, with what became of it; what is held states how much and until when."""
    _needs_lines(checks, document.lines)
    _ids(checks, [line.reservation_id for line in document.lines])
    for place, line in enumerate(document.lines):
        path = f"lines[{place}]"
        if line.outcome is ReservationOutcome.UNSPECIFIED:
            checks.add("outcome-missing", f"{path}.outcome", "what became of it was expected, such as GRANTED")
        held = line.outcome in _HELD
        checks.quantity(line.quantity, f"{path}.quantity", zero=not held, needed=held)
        if held and line.expires_at is None:
            checks.add("date-missing", f"{path}.expires_at", "the instant until which it is held was expected")
        checks.day(line.expires_at, f"{path}.expires_at")
        checks.location(line.location, f"{path}.location")
        if checks.is_full:
            return


def check_release(checks: Checks, document: ReservationRelease) -> None:
    """A release names each hold once; a part of one is a quantity above zero."""
    _needs_lines(checks, document.lines)
    _ids(checks, [line.reservation_id for line in document.lines])
    for place, line in enumerate(document.lines):
        checks.quantity(line.quantity, f"lines[{place}].quantity", needed=False)
        if checks.is_full:
            return


def _needs_lines(checks: Checks, lines: Sequence[object]) -> None:
    if not lines:
        checks.add("no-lines", "lines", "at least one line was expected")


def _ids(checks: Checks, ids: Sequence[str]) -> None:
    """Every hold has a name of its own."""
    seen: set[str] = set()
    for place, one in enumerate(ids):
        path = f"lines[{place}].reservation_id"
        if not one or len(one) > RESERVATION_ID_LENGTH_MAX or not one.isprintable():
            text = f"1 to {RESERVATION_ID_LENGTH_MAX} printable characters were expected"
            checks.add("reservation-id", path, text)
        elif one in seen:
            checks.add("reservation-id-twice", path, f"{one[:40]!r} was given twice: each hold has its own")
        seen.add(one)
