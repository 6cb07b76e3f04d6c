"""As grantor: requests for our stock decided on the ledger, and holds that are given back."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from decimal import Decimal

from node import wire
from node.app.context import Context
from node.app.stock import inventory
from node.app.stock.ledger import Ledger, find_items, held_by, in_unit
from node.app.systems.erp_holds import keeper
from node.core import reservation, sharing
from node.core.document import document_key, header_of
from node.core.document.common import DocumentHeader, LocationRef, Reason, Usage
from node.core.document.reservation import (
    ReservationAction,
    ReservationMode,
    ReservationOutcome,
    ReservationRelease,
    ReservationReleaseLine,
    ReservationRequest,
    ReservationRequestLine,
    ReservationResponse,
    ReservationResponseLine,
)
from node.core.finding import Finding
from node.core.item_key import aliases
from node.core.quantity import Quantity, from_scaled, to_scaled
from node.core.reservation import Place
from node.core.reservation_rows import ReservationRow
from node.ports import Transaction

__all__ = ["answer_requests", "line_told", "release_findings", "take_releases"]

_SAY = {
    "unknown-item": "no such item is offered to you here",
    "not-enough": "there is not enough of it",
    "limit": "with it you would hold more than is agreed",
    "incomplete": "another line cannot be held, and all or nothing was asked for",
    "no-answer": "our system did not answer in time",
    "stale": "the request came too late",
    "too-short": "it would have ended already",
    "test": "test documents hold no stock, now that partners rely on our figures",
    "unknown-reservation": "there is no such hold of yours",
    "longest": "no hold lasts longer than it does already",
    "extension-limit": "it has been extended as often as is agreed",
}
_OUTCOME_OF = {
    "granted": ReservationOutcome.GRANTED,
    "partly_granted": ReservationOutcome.PARTLY_GRANTED,
    "refused": ReservationOutcome.REFUSED,
    "confirmed": ReservationOutcome.CONFIRMED,
    "reflected": ReservationOutcome.CONFIRMED,
    "expired": ReservationOutcome.EXPIRED,
    "released": ReservationOutcome.RELEASED,
    "withdrawn": ReservationOutcome.RELEASED,
}


@dataclass(slots=True)
class _Desk:
    """What the requests of one batch are decided with."""

    tx: Transaction
    ctx: Context
    partner_id: str
    ledger: Ledger
    known: dict[str, ReservationRow]
    holds: int
    pieces: int
    held: dict[Place, int]
    policy: sharing.Policy
    live: bool
    keys: Mapping[tuple[int, int], list[str]] = field(default_factory=dict)

    def find(self, reservation_id: str) -> ReservationRow | None:
        return self.ledger.known((reservation_id, self.partner_id, "grantor")) or self.known.get(reservation_id)


def answer_requests(
    tx: Transaction, ctx: Context, partner_id: str, requests: Sequence[ReservationRequest]
) -> list[ReservationResponse]:
    """Grant, refuse or extend; the answers have no number yet. A request that came before is told how it stands."""
    flat = [(place, number, line) for place, one in enumerate(requests) for number, line in enumerate(one.lines)]
    found, figures = find_items(tx, partner_id, [line.item for _, _, line in flat])
    known = tx.reservations.find(partner_id, "grantor", [line.reservation_id for _, _, line in flat])
    keys = {key for key, _ in figures}
    # What is held counts with its own item too: extensions name none.
    ledger = Ledger(tx, ctx, keys | {row.item_key for row in known.values() if row.held}, figures)
    ledger.write()  # what has run out is gone before anything is counted
    holds, pieces = tx.reservations.total_of(partner_id, ledger.now)
    desk = _Desk(
        tx,
        ctx,
        partner_id,
        ledger,
        tx.reservations.find(partner_id, "grantor", list(known)) if known else {},
        holds,
        pieces,
        held_by(tx, partner_id, sorted(keys)),
        inventory.policy_of(ctx),
        any(row.usage == Usage.PRODUCTION for row in tx.partners.all()),
        {(place, number): names for (place, number, _), names in zip(flat, found, strict=True)},
    )
    answers = [_answer(desk, place, one) for place, one in enumerate(requests)]
    ledger.write()
    return [one for one in answers if one.lines]  # what waits for our ERP is answered later


def _answer(desk: _Desk, place: int, request: ReservationRequest) -> ReservationResponse:
    header = header_of(request)
    now = desk.ctx.now()
    if request.action is ReservationAction.EXTEND:
        stale = header.valid_until is not None and header.valid_until < now
        lines = [told for line in request.lines if (told := _extend(desk, request, line, stale=stale)) is not None]
    else:
        lines = _hold(desk, place, request)
    return ReservationResponse(
        header=DocumentHeader(root_id=header.root_id, hops_left=header.hops_left),
        request=document_key(request),
        lines=tuple(lines),
    )


def _hold(desk: _Desk, place: int, request: ReservationRequest) -> list[ReservationResponseLine]:
    header, now = header_of(request), desk.ctx.now()
    settings = desk.ctx.settings.reservations
    until = min(request.hold_until or now, now + timedelta(seconds=settings.hold_seconds_max))
    reason = ""
    if header.valid_until is not None and header.valid_until < now:
        reason = "stale"
    elif until <= now:
        reason = "too-short"
    elif desk.live and header.usage != Usage.PRODUCTION:
        reason = "test"
    fresh = [(number, line) for number, line in enumerate(request.lines) if desk.find(line.reservation_id) is None]
    if reason:
        given = {number: reservation.Given(line.line_id, None, 0, reason) for number, line in fresh}
    else:
        given = _decide(desk, place, request, fresh)
    lines = []
    waiting = _at_erp(desk, request, given)
    for number, line in enumerate(request.lines):
        row = desk.find(line.reservation_id)
        if number in given and row is None:
            names = desk.keys[place, number]
            row = _put(desk, request, line, given[number], wire.micros(until), names, waits=number in waiting)
        if row is not None and row.state != "pending":
            lines.append(line_told(line.line_id, row))
    return lines


def _at_erp(desk: _Desk, request: ReservationRequest, given: Mapping[int, reservation.Given]) -> set[int]:
    """Which of these wait for our ERP; where all or nothing was asked for, they do so together."""
    usage = header_of(request).usage.value.lower()
    granted = {number: one for number, one in given.items() if one.place is not None}
    kept = {number: keeper(desk.ctx, one.place[1]) for number, one in granted.items() if one.place is not None}
    waiting = {number for number, adapter in kept.items() if adapter is not None and adapter.usage == usage}
    if waiting and request.mode is ReservationMode.COMPLETE:
        waiting = set(granted)
        ids = [request.lines[number].reservation_id for number in sorted(waiting)]
        desk.ledger.bound |= dict.fromkeys(ids, ids)
    return waiting


def _decide(
    desk: _Desk, place: int, request: ReservationRequest, fresh: Sequence[tuple[int, ReservationRequestLine]]
) -> dict[int, reservation.Given]:
    pools: dict[Place, int] = {}
    asks = []
    for number, line in fresh:
        wanted = to_scaled(line.quantity.value) if line.quantity else 0
        unit = line.quantity.unit if line.quantity else ""
        amounts: dict[Place, int] = {}
        for site in desk.ledger.places(desk.keys[place, number], desk.partner_id):
            amount = in_unit(wanted, unit, desk.ledger.figures[site].unit)
            if amount is None or not _is_at(line.location, sharing.location_of(site[1])):
                continue
            if site not in pools and (free := _allowance(desk, site)) is not None:
                pools[site] = free
            amounts[site] = amount
        whole = any(amount != wanted for amount in amounts.values())
        asks.append(reservation.Ask(line.line_id, amounts, whole))
    settings = desk.ctx.settings
    most = settings.partner(desk.partner_id).hold_pieces_max or settings.reservations.pieces_max
    room = to_scaled(Decimal(most)) - desk.pieces if desk.holds + len(asks) <= settings.reservations.holds_max else 0
    complete = request.mode is ReservationMode.COMPLETE
    if complete and len(fresh) < len(request.lines):
        # Part of it came before under the same names: what is decided of it stays decided.
        complete = False
    decided = reservation.decide(asks, pools, max(0, room), complete=complete)
    return {number: one for (number, _), one in zip(fresh, decided, strict=True)}


def _is_at(location: LocationRef | None, ours: str) -> bool:
    return location is None or ours in (location.code, location.gln) or not (location.code or location.gln)


def _allowance(desk: _Desk, site: Place) -> int | None:
    """What this partner may still hold at a place; None where it may not know of it."""
    figure = desk.ledger.figures[site]
    rule = sharing.rule_of(figure, desk.policy, desk.partner_id)
    taken, held = desk.ledger.taken(site), desk.held.get(site, 0)
    allowed = reservation.allowance(rule, figure.available or 0, taken, held, figure.unit)
    return None if allowed is None else min(allowed, desk.ledger.free(site))


def _put(
    desk: _Desk,
    request: ReservationRequest,
    line: ReservationRequestLine,
    given: reservation.Given,
    until: int,
    names: Sequence[str],
    *,
    waits: bool,
) -> ReservationRow:
    """Keep what was decided, refusals too: the same request is answered the same again."""
    asked = to_scaled(line.quantity.value) if line.quantity else 0
    unit = line.quantity.unit if line.quantity else ""
    site = given.place
    granted = 0
    if site is not None:
        counted = desk.ledger.figures[site].unit
        full = in_unit(asked, unit, counted) == given.amount
        granted = asked if full else in_unit(given.amount, counted, unit) or 0
        desk.held[site] = desk.held.get(site, 0) + given.amount
        desk.holds, desk.pieces = desk.holds + 1, desk.pieces + given.amount
    event = "refuse" if site is None else "ask" if waits else "grant" if granted == asked else "grant_partly"
    header = header_of(request)
    row = ReservationRow(
        reservation_id=line.reservation_id,
        partner_id=desk.partner_id,
        role="grantor",
        state=reservation.after("requested", event),
        item_key=site[0] if site else next(iter(names), "") or _asked_for(desk, line),
        location=site[1] if site else line.location.code if line.location else "",
        quantity=asked,
        granted=granted,
        unit=unit,
        held=given.amount,
        covered=0,
        covered_at=0,
        request=header.number,
        request_document=0,
        expires_at=until,
        extensions=0,
        customer_order="",
        piece_id=0,
        order_id=0,
        line_id=line.line_id,
        root_id=header.root_id,
        reason=given.reason,
        at=desk.ledger.now,
    )
    return desk.ledger.change(None, row)


def _asked_for(desk: _Desk, line: ReservationRequestLine) -> str:
    """The key of an item that we do not have, as the partner names it, so that a person can see what was asked for."""
    own = desk.tx.partners.own().partner_id
    named = aliases(line.item, seller=own, buyer=desk.partner_id) if line.item is not None else []
    return next(iter(named), "")


def _extend(
    desk: _Desk, request: ReservationRequest, line: ReservationRequestLine, *, stale: bool
) -> ReservationResponseLine | None:
    """The answer to one line; none while our ERP has not said whether there is a hold at all."""
    row = desk.find(line.reservation_id)
    if row is not None and row.state == "pending":
        return None
    if row is None:
        return ReservationResponseLine(
            line_id=line.line_id,
            reservation_id=line.reservation_id,
            outcome=ReservationOutcome.REFUSED,
            reason=_reason("unknown-reservation"),
        )
    if row.state not in reservation.LIVE:
        return line_told(line.line_id, row)
    settings = desk.ctx.settings.reservations
    latest = desk.ctx.now() + timedelta(seconds=settings.hold_seconds_max)
    until = wire.micros(min(request.hold_until or latest, latest))
    if stale or until <= row.expires_at:
        is_cut = request.hold_until is None or wire.micros(request.hold_until) > row.expires_at
        return line_told(line.line_id, row, "stale" if stale else "longest" if is_cut else "")
    if row.extensions >= settings.extensions_max:
        return line_told(line.line_id, row, "extension-limit")
    longer = row._replace(expires_at=until, extensions=row.extensions + 1, at=desk.ledger.now)
    return line_told(line.line_id, desk.ledger.change(row, longer))


def line_told(line_id: str, row: ReservationRow, reason: str = "") -> ReservationResponseLine:
    """How a hold stands. A refusal says no more than its reason: not where, and not of what."""
    held = row.state in reservation.LIVE
    why = reason or (row.reason if row.state == "refused" else "")
    return ReservationResponseLine(
        line_id=line_id,
        reservation_id=row.reservation_id,
        outcome=_OUTCOME_OF[row.state],
        quantity=Quantity(from_scaled(row.granted if held else 0), row.unit) if row.unit else None,
        location=LocationRef(code=sharing.location_of(row.location)) if held and row.location else None,
        expires_at=wire.instant(row.expires_at) if held else None,
        reason=_reason(why) if why else None,
    )


def _reason(code: str) -> Reason:
    return Reason(code=code, text=_SAY.get(code, code), language="en")


def take_releases(tx: Transaction, ctx: Context, partner_id: str, releases: Sequence[ReservationRelease]) -> None:
    """A partner gives holds back, whole or in part. What is not its own, or has ended, changes nothing."""
    lines = [(one, line) for one in releases for line in one.lines]
    known = tx.reservations.find(partner_id, "grantor", [line.reservation_id for _, line in lines])
    ledger = Ledger(tx, ctx, [row.item_key for row in known.values() if row.held])
    for _, line in lines:
        row = known.get(line.reservation_id)
        row = ledger.known((line.reservation_id, partner_id, "grantor")) or row
        if row is None or row.state not in reservation.STANDING:
            continue
        back = _in_its_unit(row, line)
        if back is None:
            ctx.log.warning("a part of a hold was given back in another unit", extra={"partner": partner_id})
        elif back < row.granted:
            ledger.change(row, ledger.shrunk(row, row.granted - back))
        else:
            ledger.change(row, ledger.ended(row, "release", line.reason.text if line.reason else ""))
    ledger.write()


def _in_its_unit(row: ReservationRow, line: ReservationReleaseLine) -> int | None:
    """How much of a hold is given back, scaled in its unit; None where the quantity cannot be told in it."""
    if line.quantity is None:
        return row.granted
    return in_unit(to_scaled(line.quantity.value), line.quantity.unit, row.unit)


def release_findings(tx: Transaction, partner_id: str, release: ReservationRelease) -> list[Finding]:
    """Parts given back that make no sense for what the partner has ever asked for, line by line."""
    named = [line.reservation_id for line in release.lines if line.quantity is not None]
    known = tx.reservations.find(partner_id, "grantor", named) if named else {}
    found = []
    for place, line in enumerate(release.lines):
        row = known.get(line.reservation_id)
        if row is None or line.quantity is None:
            continue
        path, back = f"lines[{place}].quantity", _in_its_unit(row, line)
        asked = Quantity(from_scaled(row.quantity), row.unit)
        if back is None:
            text = f"{line.quantity} was given, the hold is counted in {row.unit}"
            found.append(Finding("unlike-units", path, text))
        elif back > row.quantity:
            text = f"{line.quantity} was given, no more than {asked} was ever asked for"
            found.append(Finding("more-than-held", path, text))
    return found
