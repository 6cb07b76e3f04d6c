"""How each result looks to a person. Programs get the result itself (--json)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from node.cli import (
    adapter_views,
    carrier_views,
    customer_views,
    node_views,
    order_views,
    promise_views,
    reservation_views,
    rules_views,
)
from node.cli.node_views import standing
from node.cli.output import Output, shown
from node.cli.promise_views import age
from node.cli.words import moment, unit

__all__ = ["ENDED", "VIEWS", "age"]

Result = Mapping[str, Any]
View = Callable[[Output, Any], None]

ENDED = order_views.ENDED


# --- partners and keys ------------------------------------------------------------------------------------------------


def _card(output: Output, card: Result) -> None:
    if "file" in card:
        output.line(f"our card is in {card['file']}")
    else:
        output.line(card["card"].rstrip())
    output.note(f"{card['name']} ({card['id']}), card {card['sequence']}, {card['endpoint'] or 'dials out'}")
    output.note(f"fingerprint, to be compared by telephone: {card['fingerprint']}")


def _partners(output: Output, told: Result) -> None:
    output.table(
        ["partner", "name", "state", "link", "last seen", "fingerprint"],
        [
            [
                one["id"],
                one["name"],
                standing(one),
                "up" if one["connected"] else "down",
                moment(one["last_seen_at"]),
                one["fingerprint"],
            ]
            for one in told["partners"]
        ],
        empty="no partners yet: hansa partner add FILE",
    )


def _partner(output: Output, one: Result) -> None:
    live = [name for name, at in (("we", one["we_live_at"]), ("they", one["they_live_at"])) if at]
    output.pairs(
        [
            ("partner", one["id"]),
            ("name", one["name"]),
            ("state", one["state"] + ("" if one["state"] != "added" else ": both sides confirm the fingerprint first")),
            ("usage", one["usage"].lower() + (f" ({' and '.join(live)} agreed to go live)" if live else "")),
            ("fingerprint", one["fingerprint"]),
            ("endpoint", one["endpoint"] or "dials out"),
            ("roles", shown(one["roles"])),
            ("link", "up" if one["connected"] else "down"),
            ("last seen", moment(one["last_seen_at"])),
            ("software", one["software"]),
            ("accepts", shown(one["accepts"])),
        ]
    )
    output.heading("Links")
    output.table(
        ["direction", "epoch", "number", "receipted", "state", "why"],
        [
            [
                one["direction"],
                *(str(one[name]) for name in ("epoch", "number", "receipted_number")),
                one["state"],
                one["reason"],
            ]
            for one in one["links"]
        ],
        empty="none",
        right="epoch number receipted",
    )
    output.heading("Keys")
    output.table(
        ["key", "from number", "until number", "revoked"],
        [[k["key_id"], str(k["from_number"]), shown(k["until_number"]), shown(k["revoked"])] for k in one["keys"]],
        empty="none",
    )


def _ping(output: Output, told: Result) -> None:
    output.line(f"{told['partner']} answered in {told['milliseconds']} ms")


def _terms(output: Output, told: Result) -> None:
    output.heading("Ours (settings)")
    output.pairs([(name, shown(value)) for name, value in told["ours"].items()])
    output.heading("Theirs")
    output.line("nothing was sent to us" if told["theirs"] is None else "")
    output.tree(told["theirs"] or {}, "")
    if "sent" in told:
        output.line()
        order_views.sent(output, told["sent"])


def _keys(output: Output, told: Result) -> None:
    output.table(
        ["key", "since", "card", "in force", "revoked", "file"],
        [
            [
                one["key_id"],
                moment(one["since"]),
                str(one["card"]),
                shown(one["in_force"]),
                shown(one["revoked"]),
                "here" if one["file_here"] else "missing" if one["in_force"] else "deleted",
            ]
            for one in told["keys"]
        ],
        empty="none",
        right="card",
    )
    if told.get("card"):
        output.note(
            f"our card {told['card']} goes to every partner; until each has taken it, the older key counts there"
        )


# --- stock and documents ----------------------------------------------------------------------------------------------


def _availability(output: Output, told: Result) -> None:
    asked_enough = any("enough" in one for one in told["figures"])
    taken = [name for name in ("reserved", "allocated", "exposed") if any(_some(one[name]) for one in told["figures"])]
    columns = ["item", "whose", "location", "available", "unit", "on hand", *taken]
    columns += ["expected", "age", "sure", "basis"]
    rows = []
    for one in told["figures"]:
        more = [f"{part['quantity']} on {part['on']}" for part in one["expected"]]
        whose = one["partner"] or one["partner_id"] or "our own"
        row = [one["item"], whose, one["location"], _figure(one), unit(one["unit"]), shown(one["on_hand"])]
        row += [one[name] if _some(one[name]) else "" for name in taken]
        row += [", ".join(more), age(one["age_seconds"])]
        row += [promise_views.percent(one["confidence"]) if one["confidence"] else "", one["basis"].lower()]
        rows.append(row + ([shown(one["enough"])] if asked_enough else []))
    output.table(
        columns + (["enough"] if asked_enough else []),
        rows,
        empty="nobody has told a figure of this item",
        right="available on_hand reserved allocated exposed age",
    )
    promise_views.promises(output, told["promises"])
    for one in told["asked"]:
        if not one["answered"]:
            output.note(f"{one['partner']} did not answer: {one['why']}")


def _some(number: str | None) -> bool:
    return number not in (None, "", "0")


def _figure(one: Result) -> str:
    """A figure as precisely as its owner tells it."""
    match one["figure"]:
        case "YES_NO":
            return "yes" if one["available"] not in (None, "0") else "no"
        case "CAPPED":
            return f"{one['available']} or more"
        case "BAND":
            return (
                f"{one['available']} to below {one['band_end']}" if one["band_end"] else f"{one['available']} or more"
            )
        case _:
            return shown(one["available"])


def _documents(output: Output, told: Result) -> None:
    output.table(
        ["id", "stored", "partner", "direction", "type", "number", "usage", "state", "link number"],
        [_document_row(one) for one in told["documents"]],
        empty="no documents",
        right="id link_number",
    )
    if told["more"]:
        output.note(f"there is more: --before {told['documents'][-1]['id']}")


def _document_row(one: Result) -> list[str]:
    number = one["number"] + (f" rev {one['revision']}" if one["revision"] else "")
    state = one["state"] + (f" (duplicate of {one['duplicate_of']})" if one["duplicate_of"] else "")
    link = "" if one["link_number"] is None else str(one["link_number"])
    stored, usage = moment(one["stored_at"]), one["usage"].lower()
    partner = one["partner_name"] or one["partner"]
    return [str(one["id"]), stored, partner, one["direction"], one["type"], number, usage, state, link]


def _with(one: Result) -> str:
    return f"{one['partner_name']}, {one['partner']}" if one["partner_name"] else str(one["partner"])


def _document(output: Output, one: Result) -> None:
    output.pairs(
        [
            ("document", f"{one['id']}: {one['type']} {one['number']}"),
            ("partner", f"{_with(one)} ({'sent' if one['direction'] == 'out' else 'received'})"),
            ("state", one["state"]),
            ("why", "; ".join(f"{part.get('text', '')} [{part.get('code', '')}]" for part in one["reasons"])),
            ("link number", shown(one["link_number"])),
            ("usage", one["usage"].lower()),
            ("stored", moment(one["stored_at"])),
            ("valid until", moment(one.get("valid_until", ""))),
        ]
    )
    if handover := one.get("handover"):
        text = f"{handover['state']} {handover['reference']}".strip()
        output.pairs(
            [
                (
                    "hand-over",
                    text + (f" after {handover['attempts']} tries: {handover['error']}" if handover["error"] else ""),
                )
            ]
        )
    if one.get("fields"):
        output.heading("Fields")
        output.tree(one["fields"], "  ")
    elif "bytes" in one:
        output.line("its bytes are erased" if one["bytes"] is None else f"its {one['bytes']} bytes cannot be read")


def _exported(output: Output, made: Result) -> None:
    output.line(f"{made['file']}: {made['bytes']} bytes, SHA-256 {made['sha256']}")
    output.note("whoever gets it runs: hansa evidence verify FILE --expect ID=FINGERPRINT for each company")


def _verified(output: Output, told: Result) -> None:
    output.line("everything in this file is proved" if told["sound"] else "NOT everything in this file is proved")
    output.heading("Companies")
    output.table(
        ["id", "name", "fingerprint", "as expected", "cards"],
        [
            [one["id"], one["name"], one["fingerprint"], shown(one["expected"]), str(one["cards"])]
            for one in told["companies"]
        ],
        empty="none",
        right="cards",
    )
    output.heading("Links")
    figures = ("epoch", "last", "sent_through", "received_through", "taken", "refused", "held", "erased")
    output.table(
        ["sender", "receiver", *(name.replace("_", " ") for name in figures)],
        [[one["sender"], one["receiver"], *(str(one[name]) for name in figures)] for one in told["links"]],
        empty="none",
        right="epoch last taken refused held erased",
    )
    if told["findings"]:
        output.heading("What is wrong")
        output.table(
            ["rule", "where", "what"],
            [[one["rule"], one["path"], one["text"]] for one in told["findings"]],
            empty="",
        )


VIEWS: dict[str, View] = {
    **node_views.VIEWS,
    **adapter_views.VIEWS,
    "evidence.export": _exported,
    "evidence.verify": _verified,
    "partner.card": _card,
    "partner.add": _partner,
    "partner.confirm": _partner,
    "partner.list": _partners,
    "partner.show": _partner,
    "partner.ping": _ping,
    "partner.go-live": _partner,
    "partner.resume": _partner,
    "partner.revoke": _partner,
    "partner.terms": _terms,
    "key.list": _keys,
    "key.rotate": _keys,
    "key.revoke": _keys,
    "key.recover": _keys,
    "partner.performance": promise_views.performance,
    "availability": _availability,
    "stock.warnings": promise_views.warnings,
    "disruption.send": promise_views.disruptions,
    "disruption.list": promise_views.disruptions,
    "disruption.end": promise_views.disruptions,
    **customer_views.VIEWS,
    "order.confirm": order_views.all_sent,
    "order.list": order_views.listing,
    **reservation_views.VIEWS,
    **carrier_views.VIEWS,
    **rules_views.VIEWS,
    "documents.list": _documents,
    "documents.show": _document,
    "documents.withdraw": _document,
    "documents.release": _document,
}
