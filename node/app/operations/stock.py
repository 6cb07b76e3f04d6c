"""The operation that says what is there of an item, at our sites and at partners, and from how long ago."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import date
from decimal import Decimal
from typing import Any

from node.app.operations import promises
from node.app.operations.node import moment
from node.app.operations.registry import Host, Live, live_of, operation
from node.app.stock import availability
from node.core import link
from node.core.decimals import format_decimal, from_scaled, to_scaled
from node.errors import HansaError, RefusedError

__all__ = ["number_text"]

OWN = "-"
"""How a command names ourselves where a partner is expected."""

ASKED_AT_ONCE_MAX = 16


def number_text(scaled: int | None) -> str | None:
    """A scaled number of the store as plain text, without zeros behind."""
    if scaled is None:
        return None
    text = format_decimal(from_scaled(scaled))
    return text.rstrip("0").rstrip(".") if "." in text else text


@operation("availability")
def tell(
    host: Host,
    *,
    items: list[str],
    location: str = "",
    partner: str | None = None,
    quantity: Decimal | None = None,
    by: date | None = None,
    max_age: int | None = None,
) -> dict[str, Any]:
    """Every figure in force with its confidence, and with `quantity` when so many can be had and from where.

    With `max_age` (seconds), partners with older figures are asked first.
    """
    if not items or len(items) > host.ctx.settings.limits.query_items_max:
        most = host.ctx.settings.limits.query_items_max
        raise RefusedError(f"{len(items)} items; 1 to {most} can be asked for at once", code="too-large")
    partner_id = "" if partner == OWN else partner
    if partner_id and host.store.read(lambda tx: tx.partners.get(partner_id)) is None:
        raise RefusedError(f"there is no partner {partner_id}", code="unknown-partner", hint="see: hansa partner list")
    asked = [] if max_age is None else _ask(host, items, location, partner_id, max_age)
    figures = host.store.read(
        lambda tx: availability.figures(tx, host.ctx, items, location=location, partner_id=partner_id)
    )
    sure = host.store.read(lambda tx: promises.confidences(tx, host.ctx, items))
    promised = (
        []
        if quantity is None
        else host.store.read(
            lambda tx: [
                promises.told(tx, host.ctx, one, quantity, by, location=location, partner_id=partner_id)
                for one in items
            ]
        )
    )
    return {
        "figures": [
            {**_figure(one, quantity, by), "confidence": sure.get((one.item, one.partner_id, one.location), "")}
            for one in figures
        ],
        "asked": asked,
        "promises": promised,
    }


def _figure(one: availability.Figure, quantity: Decimal | None, by: date | None) -> dict[str, Any]:
    told = {
        "item": one.item,
        "partner_id": one.partner_id,
        "partner": one.partner,
        "location": one.location,
        "status": one.status,
        "figure": one.figure,
        "on_hand": number_text(one.on_hand),
        "available": number_text(one.available),
        "band_end": number_text(one.band_end),
        "unit": one.unit,
        "expected": [
            {"quantity": number_text(int(str(piece[0]))), "on": piece[1], "source": piece[2]} for piece in one.expected
        ],
        "as_of": moment(one.as_of),
        "age_seconds": one.age_seconds,
        "basis": one.basis,
        "usage": one.usage,
        "reserved": number_text(one.reserved),
        "allocated": number_text(one.allocated),
        "exposed": number_text(one.exposed),
    }
    if quantity is not None:
        told["enough"] = availability.enough(one, to_scaled(quantity), by.isoformat() if by else "")
    return told


def _ask(host: Host, items: list[str], location: str, partner_id: str | None, max_age: int) -> list[dict[str, Any]]:
    """Ask every connected partner whose figures are too old or missing, all at once, and keep what they say."""
    live = live_of(host, "asking partners")
    if partner_id == "":
        return []
    known = host.store.read(
        lambda tx: availability.figures(tx, host.ctx, items, location=location, partner_id=partner_id)
    )
    fresh: dict[str, set[str]] = {}
    for one in known:
        if one.age_seconds <= max_age:
            fresh.setdefault(one.partner_id, set()).add(one.item)
    connected = sorted(str(one["partner"]) for one in live.sessions())
    wanted = [one for one in connected if partner_id in (None, one) and not fresh.get(one, set()).issuperset(items)]
    if partner_id and partner_id not in connected and not fresh.get(partner_id, set()).issuperset(items):
        return [{"partner": partner_id, "answered": False, "why": "not connected"}]
    with ThreadPoolExecutor(ASKED_AT_ONCE_MAX) as threads:
        return list(threads.map(lambda one: _ask_one(host, live, one, items, location), wanted))


def _ask_one(host: Host, live: Live, partner_id: str, items: list[str], location: str) -> dict[str, Any]:
    seconds = host.ctx.settings.limits.query_seconds
    question = host.store.read(lambda tx: availability.question(tx, partner_id, items))
    try:
        answer = live.ask(partner_id, link.Query(availability=question), seconds)
    except HansaError as error:
        return {"partner": partner_id, "answered": False, "why": error.message}
    told = answer.availability
    if told is None:
        why = answer.refused.text if answer.refused else "the answer is empty"
        return {"partner": partner_id, "answered": False, "why": why}
    host.store.write(lambda tx: availability.take_answer(tx, host.ctx, partner_id, told))
    return {"partner": partner_id, "answered": True, "why": ""}
