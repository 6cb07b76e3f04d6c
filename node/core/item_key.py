"""Item keys: the one text under which an item's stock, rules and aliases are found, whatever numbers a document gives.

A key is ``gtin:<14 digits>`` when the item has a GTIN (shorter GTINs are padded with zeros on the left, GS1 General
Specifications 7.9.8, so that a GTIN-13 and its GTIN-14 form are one key), otherwise ``no:<owner>:<number>`` with the
participant id of the party whose number it is. Two parties' equal numbers therefore never meet.
"""

from __future__ import annotations

from node.core.document.common import ItemRef
from node.errors import RefusedError

__all__ = ["GTIN_PREFIX", "NUMBER_PREFIX", "aliases", "item_key", "number_key", "number_of"]

GTIN_PREFIX = "gtin:"
NUMBER_PREFIX = "no:"


def item_key(item: ItemRef, owner: str) -> str:
    """The key of `item`; `owner` is the participant id of the seller when the item does not name one itself.

    A GTIN comes first, then the seller's number; an item that has neither is keyed by the buyer's or the manufacturer's
    number where the reference says whose it is. Raises RefusedError ``unnamed-item`` when no number can be used.
    """
    if item.gtin:
        return GTIN_PREFIX + item.gtin.zfill(14)
    if item.seller_number:
        return f"{NUMBER_PREFIX}{item.seller or owner}:{item.seller_number}"
    if item.buyer_number and item.buyer:
        return f"{NUMBER_PREFIX}{item.buyer}:{item.buyer_number}"
    if item.manufacturer_number and item.manufacturer:
        return f"{NUMBER_PREFIX}{item.manufacturer}:{item.manufacturer_number}"
    raise RefusedError(
        f"the item {item.description[:80]!r} has no number that says whose it is",
        code="unnamed-item",
        hint="Give its GTIN or the seller's number, or a buyer's or manufacturer's number with that party's id.",
    )


def number_key(number: str, owner: str) -> str:
    """The key of an item that is known by its owner's number alone."""
    return f"{NUMBER_PREFIX}{owner}:{number}"


def number_of(key: str) -> str:
    """What a person calls the item of a key: its owner's number, or its GTIN without the zeros before it."""
    if key.startswith(GTIN_PREFIX):
        digits = key.removeprefix(GTIN_PREFIX)
        return next((digits[-length:] for length in (8, 12, 13) if not digits[:-length].strip("0")), digits)
    # An owner is named by its scheme and what follows: no:0088:4012345000009:BEAR.
    return key.removeprefix(NUMBER_PREFIX).split(":", 2)[-1] if key.startswith(NUMBER_PREFIX) else key


def aliases(item: ItemRef, *, seller: str, buyer: str) -> list[str]:
    """Every key under which `item` may be asked for: its GTIN, and each party's number with whose it is.

    `seller` and `buyer` are the participant ids of the document's own parties, for numbers that name no other.
    """
    found = [GTIN_PREFIX + item.gtin.zfill(14)] if item.gtin else []
    for number, owner in (
        (item.seller_number, item.seller or seller),
        (item.buyer_number, item.buyer or buyer),
        (item.manufacturer_number, item.manufacturer),
    ):
        if number and owner:
            key = f"{NUMBER_PREFIX}{owner}:{number}"
            if key not in found:
                found.append(key)
    return found
