"""What operations tell of promises: when so much of an item can be had and from where, and how sure that is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date
from decimal import Decimal
from typing import Any

from node.app.context import Context
from node.app.stock import promising
from node.app.stock.known_stock import load
from node.core.decimals import format_decimal
from node.ports import Transaction

__all__ = ["confidences", "plain", "told"]


def plain(value: Decimal) -> str:
    """A number as plain text, without zeros behind."""
    text = format_decimal(value)
    return text.rstrip("0").rstrip(".") if "." in text else text


def confidences(tx: Transaction, ctx: Context, items: Sequence[str]) -> Mapping[tuple[str, str, str], str]:
    """How far each figure of these items can be relied on, by (item, partner_id, location)."""
    known = load(tx, ctx, items)
    return {
        (item, one.partner_id, one.location): plain(one.confidence)
        for item in items
        for one in known.positions.get(item, ())
    }


def told(
    tx: Transaction,
    ctx: Context,
    item: str,
    quantity: Decimal,
    by: date | None,
    *,
    location: str = "",
    partner_id: str | None = None,
) -> dict[str, Any]:
    """A promise, JSON-able; without a day it is for today. Raises RefusedError as `promising.promise`."""
    found = promising.promise(tx, ctx, item, quantity, by or ctx.now().date(), location=location, partner_id=partner_id)
    one = found.promise
    names = {row.partner_id: row.name for row in tx.partners.all()}
    return {
        "item": item,
        "quantity": plain(one.quantity),
        "unit": found.unit,
        "by": one.by.isoformat(),
        "by_then": plain(one.by_then),
        "on": one.on.isoformat() if one.on else None,
        "single_on": one.single_on.isoformat() if one.single_on else None,
        "confidence": plain(one.confidence),
        "parts": [
            {
                "partner_id": part.partner_id,
                "partner": names.get(part.partner_id, ""),
                "location": part.location,
                "quantity": plain(part.quantity),
                "on": part.on.isoformat(),
                "confidence": plain(part.confidence),
                "age_seconds": part.age_seconds,
                "basis": part.basis,
                "figure": part.figure,
                "multiple": plain(part.multiple),
                "notes": list(part.notes),
            }
            for part in one.parts
        ],
        "findings": [{"rule": each.rule, "path": each.path, "text": each.text} for each in found.findings],
    }
