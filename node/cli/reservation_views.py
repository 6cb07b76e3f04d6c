"""How stock holds look to a person: who promised what to whom, until when."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from node.cli.output import Output, shown
from node.cli.words import unit

__all__ = ["VIEWS"]

Result = Mapping[str, Any]

_STAY = {"requested": "asked for", "granted": "held", "partly_granted": "held"}
_SIDES = {"given": "we hold for", "got": "held for us by", "own": "we hold for ourselves"}


def _time(text: str) -> str:
    return text.replace("T", " ").removesuffix("Z")


def _list(output: Output, told: Result) -> None:
    _table(output, told["reservations"], "nobody holds anything (--all shows what has ended)")
    if told["more"]:
        output.note("there may be more: --limit N")


def _table(output: Output, rows: list[Result], empty: str) -> None:
    output.table(
        ["reservation", "who", "item", "location", "asked", "granted", "unit", "state", "until", "why"],
        [
            [
                one["reservation"],
                f"{_SIDES[one['side']]} {one['partner'] or one['partner_id']}".rstrip(),
                one["item"],
                one["location"],
                shown(one["quantity"]),
                shown(one["granted"]),
                unit(one["unit"]),
                one["state"].replace("_", " "),
                _time(one["expires_at"]),
                one["reason"],
            ]
            for one in rows
        ],
        empty=empty,
        right="asked granted",
    )


def _show(output: Output, one: Result) -> None:
    output.line(f"{one['reservation']}: {_SIDES[one['side']]} {one['partner'] or one['partner_id']}".rstrip())
    pairs = [
        ("state", one["state"].replace("_", " ")),
        ("item", one["item"]),
        ("GTIN", _other_gtin(one)),
        ("location", one["location"]),
        ("asked for", f"{shown(one['quantity'])} {unit(one['unit'])}"),
        ("granted", f"{shown(one['granted'])} {unit(one['unit'])}"),
        ("until", _time(one["expires_at"])),
        ("seconds left", shown(one["seconds_left"])),
        ("extended", f"{one['extensions']} times"),
        ("request", one["request"]),
        ("customer order", one["customer_order"]),
        ("order line", one["line"] if one["order_id"] else ""),
        ("why", one["reason"]),
        ("changed", _time(one["changed_at"])),
        ("our own system", _at_erp(one.get("our_system"))),
    ]
    output.pairs([(name, text) for name, text in pairs if text])


def _other_gtin(one: Result) -> str:
    """The item's GTIN, where it is shown under another number."""
    kind, _, digits = one["item_key"].partition(":")
    return digits if kind == "gtin" and not digits.endswith(one["item"]) else ""


def _at_erp(one: Result | None) -> str:
    """What our ERP knows of a hold, and what keeps it from knowing more."""
    if one is None:
        return ""
    words = {"nothing": "has not answered", "held": f"keeps it as {one['reference']}", "refused": "refused it"}
    again = f"; told again {_time(one['next_at'])}" if one["next_at"] and one["tries"] else ""
    why = f": {one['error']}" if one["error"] else ""
    return f"{one['adapter']} {words.get(one['knows'], 'knows that it has ended')}{why}{again}"


def _requested(output: Output, made: Result) -> None:
    output.line(f"request {made['request']} waits to be sent (document {made['document']})")
    _table(output, made["reservations"], "")


def _extended(output: Output, one: Result) -> None:
    output.line(f"{one['reservation']}: asked for until {_time(one['asked_until'])}; stands until the answer comes")
    _show(output, one)


def _released(output: Output, one: Result) -> None:
    if one["state"] in ("requested", "granted", "partly_granted"):
        left = one["quantity" if one["state"] == "requested" else "granted"]
        output.line(f"{one['reservation']}: {shown(left)} {unit(one['unit'])} of it stay {_STAY[one['state']]}")
        return
    output.line(f"{one['reservation']} is {one['state'].replace('_', ' ')}")


def _verified(output: Output, told: Result) -> None:
    if told["good"]:
        output.line("every counter is the sum of its holds and orders")
        return
    output.table(
        ["item", "location", "reserved", "sum of holds", "allocated", "sum of orders"],
        [
            [
                one["item"],
                one["location"],
                *(shown(one[name]) for name in ("reserved", "reserved_summed", "allocated", "allocated_summed")),
            ]
            for one in told["differences"]
        ],
        empty="",
        right="reserved sum_of_holds allocated sum_of_orders",
    )


VIEWS: dict[str, Callable[[Output, Any], None]] = {
    "reservation.list": _list,
    "reservation.show": _show,
    "reservation.request": _requested,
    "reservation.extend": _extended,
    "reservation.release": _released,
    "reservation.verify": _verified,
}
