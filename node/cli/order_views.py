"""How orders look to a person: one line for each line of the order, and what is still to come."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from node.cli.output import Output, shown
from node.cli.words import moment, total, unit

__all__ = ["ENDED", "all_sent", "listing", "sent", "show"]

Result = Mapping[str, Any]

ENDED = frozenset({"removed", "rejected", "cancelled", "closed", "received", "delivered", "completed"})
"""Statuses of orders of which nothing more is to come."""

PIECE_FIGURES = ("despatched", "delivered", "received", "invoiced", "open")
FIGURES = ("ordered", "accepted", "despatched", "delivered", "received", "invoiced", "open")
OPTIONAL = "delivered received invoiced open"


def listing(output: Output, told: Result) -> None:
    """Orders, one to a line."""
    output.table(
        ["order", "partner", "we are", "status", *FIGURES, "unit", "waits for"],
        [
            [
                one["number"] + (" (test)" if one["usage"] == "TEST" else ""),
                one["partner_name"] or one["partner_id"],
                one["role"],
                one["status"].replace("_", " ") + (", late" if one["late"] else ""),
                *(total((part["unit"], part[name]) for part in one["totals"])[0] for name in FIGURES),
                total((part["unit"], part["ordered"]) for part in one["totals"])[1],
                one["waits_for"],
            ]
            for one in told["orders"]
        ],
        empty="no orders",
        right=" ".join(FIGURES),
        optional=OPTIONAL,
    )
    if told["more"]:
        output.note("there are more; --limit shows them")


def show(output: Output, told: Result) -> None:
    """Every order of this number, with its lines."""
    for index, one in enumerate(told["orders"]):
        if index:
            output.line()
        _order(output, one)


def _order(output: Output, one: Result) -> None:
    state = one["status"].replace("_", " ") + (", late" if one["late"] else "")
    document = one["document"]
    output.pairs(
        [
            ("order", one["number"] + (f" revision {one['revision']}" if one["revision"] else "")),
            ("seller" if one["role"] == "buyer" else "buyer", f"{one['partner_name']} ({one['partner_id']})"),
            ("status", state + _due(one)),
            ("ordered", f"{moment(one['issued_at'])} by {'us' if one['role'] == 'buyer' else one['partner_name']}"),
            ("document", f"{document['id']}, {document['state']}"),
            ("seller's number", one["seller_order_number"]),
            ("customer order", one["customer_order"]),
            ("usage", one["usage"].lower()),
            ("documents", shown(one["documents"])),
            ("tracking", shown(one["tracking"])),
        ]
    )
    output.line()
    output.table(
        ["line", "item", "description", *FIGURES, "unit", "status", "when"],
        [_line(line) for line in one["lines"]],
        empty="no lines",
        right=" ".join(FIGURES),
        optional=OPTIONAL,
    )
    for line in one["lines"]:
        if line["asked"]:
            pieces = ", ".join(f"{one['quantity']} by {one['on'] or 'no day'}" for one in line["asked"])
            output.line(f"line {line['line_id']}: asked for in pieces: {pieces}")
        if line["confirmation"]:
            output.line(f"line {line['line_id']}: {_changes(one, line)}")
        for remark in line["remarks"]:
            output.line(f"line {line['line_id']}: {remark}")
    _pieces(output, one)
    _history(output, one)


def _due(one: Result) -> str:
    if one["waits_for"] == "buyer":
        return "; the buyer's confirmation is due" + (
            f": hansa order confirm {one['number']}" if one["role"] == "buyer" else ""
        )
    return f"; the {one['waits_for']}'s answer is due" if one["waits_for"] else ""


_CONFIRMATION = {
    "open": "no objection yet",
    "due": "waits for the buyer's confirmation",
    "refused": "refused by the buyer, who asks to change or cancel instead",
    "confirmed": "confirmed by the buyer",
}


def _changes(one: Result, line: Result) -> str:
    """What the answer changed of a line, and what the buyer says to it."""
    said = _CONFIRMATION[line["confirmation"]]
    if line["confirmation"] == "open" and one["role"] == "buyer":
        said = "within our tolerances"
    why = f": {line['unconfirmed']}" if line["unconfirmed"] else f" ({'; '.join(line['changes'])})"
    return f"accepted with changes, {said}{why}"


def _pieces(output: Output, one: Result) -> None:
    """The pieces of lines that were not simply accepted whole."""
    rows = [
        [
            line["line_id"],
            piece["quantity"],
            piece["outcome"].replace("_", " "),
            piece["promised_on"] or "",
            *(piece[name] for name in PIECE_FIGURES),
            ("late; " if piece["late"] else "") + piece["reason"],
        ]
        for line in one["lines"]
        for piece in sorted(line["pieces"], key=lambda piece: piece["schedule_id"])
        if len(line["pieces"]) > 1 or piece["outcome"] not in ("accepted", "unanswered") or piece["promised_on"]
    ]
    if rows:
        output.heading("Pieces")
        output.table(
            ["line", "quantity", "answer", "promised", *PIECE_FIGURES, "why"],
            rows,
            empty="",
            right=" ".join(("quantity", *PIECE_FIGURES)),
            optional=OPTIONAL,
        )


def _history(output: Output, one: Result) -> None:
    """What was said by whom and when: one row for each document and what it did."""
    said: dict[tuple[str, str, str, str], list[Result]] = {}
    for line in one["lines"]:
        for event in line["history"]:
            key = (event["at"], event["by"], event["reference"], event["event"])
            said.setdefault(key, []).append(event)
    if not said:
        return
    buyer, seller = ("we", one["partner_name"]) if one["role"] == "buyer" else (one["partner_name"], "we")
    rows = []
    for (at, by, reference, event), events in sorted(said.items()):
        total = sum((Decimal(each["quantity"]) for each in events), Decimal(0))
        what = event.replace("_", " ") + ("" if any(each["standing"] for each in events) else ", replaced since")
        rows.append(
            [
                moment(at),
                buyer if by == "buyer" else seller,
                reference,
                what,
                f"{total.normalize():f}",
                str(len(events)),
                ", ".join(dict.fromkeys(each["on"] for each in events if each["on"])),
                ", ".join(dict.fromkeys(each["detail"] for each in events if each["detail"])),
            ]
        )
    output.heading("What happened")
    output.table(
        ["when (UTC)", "who", "document", "what", "quantity", "lines", "for", "with"],
        rows,
        empty="",
        right="quantity lines",
    )


def _line(line: Result) -> list[str]:
    promised = dict.fromkeys(piece["promised_on"] for piece in line["pieces"] if piece["promised_on"])
    wanted = dict.fromkeys([one["on"] for one in line["asked"] if one["on"]] or filter(None, [line["requested_on"]]))
    when = ", ".join(promised) or (f"asked for {', '.join(wanted)}" if wanted else "")
    status = line["status"].replace("_", " ") + (", late" if line["late"] else "")
    if line["change_requested"] is not None:
        status += f", change to {line['change_requested']} asked"
    if line["cancel_requested"]:
        status += ", cancellation asked"
    item = line["gtin"] or line["seller_number"] or line["buyer_number"]
    return [
        line["line_id"],
        item,
        line["description"],
        *(str(line[name]) for name in FIGURES),
        unit(line["unit"]),
        status,
        when,
    ]


def all_sent(output: Output, told: Result) -> None:
    """What became of several documents made by hand."""
    for one in told["sent"]:
        sent(output, one)


def sent(output: Output, told: Result) -> None:
    """What became of a document made by hand."""
    what = f"{told['type']} {told['number']}"
    if told["state"] == "duplicate":
        output.line(f"{what} is there already (document {told['document']}); nothing was sent twice")
    else:
        output.line(f"{what} goes to {told['partner']} (document {told['document']})")
        if told.get("answers"):
            output.note(f"it answers {told['answers']}, not the order: that stands as it is where this says no")
        if told.get("revision"):
            output.note(f"revision {told['revision']}: it replaces what was sent under this number before")
    for one in told["findings"]:
        output.note(f"remark: {one['path']}: {one['text']}")
