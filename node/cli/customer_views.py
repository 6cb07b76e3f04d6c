"""How customer orders look to a person: one status over all companies, what is stuck, and why it was decided so."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from typing import Any

from node.cli import node_views, order_views
from node.cli.output import Output, shown
from node.cli.words import cost, moment, money, total, unit

__all__ = ["VIEWS"]

Result = Mapping[str, Any]
FIGURES = ("ordered", "delivered", "under_way", "back_ordered", "cancelled", "open")


HEADINGS = tuple({"under_way": "underway", "back_ordered": "back-ordered"}.get(name, name) for name in FIGURES)
_DEARER = re.compile(r"dearer by ([0-9.]+)").fullmatch
OPTIONAL = "underway back-ordered cancelled open"


def _words(text: str) -> str:
    return text.replace("_", " ")


def _show(output: Output, told: Result) -> None:
    """Customer orders of this number first, then the orders with partners."""
    for index, one in enumerate(told.get("customer_orders", ())):
        if index:
            output.line()
        _order(output, one)
    if told["orders"]:
        if told.get("customer_orders"):
            output.heading("Orders behind it")
        order_views.show(output, told)


def _order(output: Output, one: Result) -> None:
    state = _words(one["state"]) + (f": {one['reason']}" if one["reason"] else "")
    place = " ".join(text for text in (one["country"], one["postal_code"]) if text)
    goes_on = one["kind"] == "CROSS_DOCK"
    output.pairs(
        [
            ("customer order", one["number"]),
            ("channel", one["channel"]),
            ("kind", _words(one["kind"].lower())),
            (
                "customer",
                one["customer"] + (f" (its {one['customer_orders']} orders)" if one["customer_orders"] > 1 else ""),
            ),
            ("from", one["origin_partner_name"] or one["origin_partner"]),
            (
                "to",
                ", then ".join(text for text in (one["collect_at"], place) if text)
                if goes_on
                else one["collect_at"] or place,
            ),
            ("status", state),
            ("what to do", one["to_do"]),
            ("wanted on", one["need_on"] or ""),
            ("not after", one["not_after"] or ""),
            ("launch", one["launch_on"] or ""),
            ("comes back on", one["recurs_on"] or ""),
            ("is part of", one.get("merged_into", "")),
            ("usage", "test" if one["usage"] == "TEST" else ""),
        ]
    )
    output.line()
    output.table(
        ["line", "item", "description", *HEADINGS, "unit", "complete on", "agreed on"],
        [
            [
                line["line_id"],
                line["item"],
                line["description"],
                *(line[name] for name in FIGURES),
                unit(line["unit"]),
                line["complete_on"] or "",
                line["agreed_on"] or "",
            ]
            for line in one["lines"]
        ],
        empty="no lines",
        right=" ".join(HEADINGS),
        optional=OPTIONAL,
    )
    _pieces(output, one)
    _decision(output, one)


def _pieces(output: Output, one: Result) -> None:
    rows = [
        [
            line["line_id"],
            piece["quantity"],
            " ".join(text for text in (piece["from"], piece["location"]) if text) or "-",
            _words(piece["mode"]),
            _words(piece["state"]),
            piece["promised_on"] or "",
            piece["agreed_on"] or "",
            piece["despatched"],
            piece["delivered"],
            piece["order"],
            " ".join(text for text in (piece["carrier"], piece["tracking"]) if text),
            _told_of(piece, line["unit"]),
        ]
        for line in one["lines"]
        for piece in line["pieces"]
    ]
    if rows:
        output.heading("Pieces")
        output.table(
            [
                *("line", "quantity", "from", "how", "state", "promised", "agreed", "despatched", "delivered", "order"),
                *("with", "why"),
            ],
            rows,
            empty="",
            right="quantity despatched delivered",
            optional="despatched delivered",
        )


def _told_of(piece: Result, code: str) -> str:
    """What else there is to say of a piece; `code` is the unit it is counted in."""
    parts = [piece["reason"]]
    if piece["less_asked"]:
        parts.append(
            f"{piece['less_asked']} {unit(code)} less asked for, no answer since {moment(piece['less_asked_at'])}"
        )
    for name, words in (("passed_on", "{} passed on"), ("lost", "{} lost"), ("surplus", "{} too many")):
        if piece[name] != "0":
            parts.append(words.format(piece[name]))
    if piece["on_from"]:
        parts.append(f"takes piece {piece['on_from']} on")
    if piece["state"] == "ready" and piece["next_at"]:
        parts.append(f"until {moment(piece['next_at'])}")
    return "; ".join(part for part in parts if part)


def _decision(output: Output, one: Result) -> None:
    for decision in one.get("decisions", ()):
        output.line()
        output.line(f"decided {_decided(decision)}; see hansa order why {one['number']}")


def _decided(decision: Result) -> str:
    """When and by what a decision was made, and what it costs."""
    rule, slash, strategy = decision["strategy"].rpartition("/")
    by = f"rule {rule}, strategy {strategy}" if slash else f"strategy {strategy}"
    return f"{moment(decision['at'])} by {by}: {decision['method']} ({decision['status']}), {cost(decision)}"


def _sum(lines: Sequence[Result], name: str) -> tuple[str, str]:
    """A figure of all lines together with its unit; the components of a kit are in it as kits."""
    return total((line["unit"], line[name]) for line in lines if not line["parent_line"])


def _found(output: Output, told: Result) -> None:
    """Customer orders, one to a line."""
    output.table(
        ["order", "channel", "customer", "kind", "status", *HEADINGS, "unit", "from"],
        [
            [
                one["number"],
                one["channel"],
                one["customer"],
                _words(one["kind"].lower()),
                _words(one["state"]),
                *(_sum(one["lines"], name)[0] for name in FIGURES),
                _sum(one["lines"], "ordered")[1],
                shown(
                    list(
                        dict.fromkeys(
                            piece["from"]
                            for line in one["lines"]
                            for piece in line["pieces"]
                            if piece["from"] and not piece["dead"]
                        )
                    )
                ),
            ]
            for one in told["orders"]
        ],
        empty="no customer orders",
        right=" ".join(HEADINGS),
        optional=OPTIONAL,
    )
    if told["more"]:
        output.note("there are more; --limit shows them")


def _why(output: Output, told: Result) -> None:
    """Every decision, line by line, with the candidates and what they would have cost."""
    output.pairs([("customer order", told["number"]), ("status", _words(told["state"])), ("because", told["reason"])])
    if not told["decisions"]:
        output.line("nothing was decided yet")
    for decision in told["decisions"]:
        output.heading(_decided(decision))
        for remark in decision["why"].get("findings", ()):
            output.line(f"  {remark}")
        rows = [
            [line["line"], *_candidate(candidate, told.get("names", {}), decision["currency"])]
            for line in decision["why"].get("lines", ())
            for candidate in line["candidates"]
        ]
        if "lines" not in decision["why"] and "pieces" in decision["why"]:
            rows = [_piece(piece, told.get("names", {}), decision["currency"]) for piece in decision["why"]["pieces"]]
            output.line("  what else could have been chosen is kept no longer")
        output.table(
            ["line", "source", "with", "available", "taken", "arrives", "cost", "made of", "why"],
            rows,
            empty="no candidates",
            right="available taken cost",
        )
        for line in decision["why"].get("lines", ()):
            for one in line["open"]:
                output.line(f"line {line['line']}: {one['quantity']} stay open: {one['reason']}")
        if any(candidate.get("unit_costs") and not candidate.get("costs") for candidate in _candidates(decision)):
            output.note("cost: of what is taken, or of one unit where nothing is (each)")


def _piece(one: Result, names: Result, currency: str) -> list[str]:
    """A piece of a plan whose problem is kept no longer."""
    chosen = {**one, "available": "", "chosen": one["quantity"], "why": ""}
    return [one["line"], *_candidate(chosen, names, currency)]


def _candidates(decision: Result) -> list[Result]:
    return [candidate for line in decision["why"].get("lines", ()) for candidate in line["candidates"]]


def _candidate(one: Result, names: Result, currency: str) -> list[str]:
    partner, _, location = one["source"].partition("|")
    taken, each = one.get("costs") or {}, one.get("unit_costs") or {}
    parts = {name: Decimal(amount) for name, amount in (taken or each).items()}
    amount = money(str(sum(parts.values())), currency) if parts else ""
    return [
        f"{names.get(partner, partner) or 'our own'} {location}".strip(),
        " ".join(text for text in (one.get("carrier", ""), one.get("service", "")) if text),
        one["available"],
        one["chosen"],
        one.get("arrives", ""),
        amount if taken or not amount else f"{amount} each",
        # What rounds to nothing tells nothing.
        ", ".join(f"{name} {money(str(part), '')}" for name, part in parts.items() if round(part, 2)),
        _reason(one["why"] or "", currency),
    ]


def _reason(why: str, currency: str) -> str:
    """Why a candidate was left, its amount as people write it."""
    found = _DEARER(why)
    return f"dearer by {money(found[1], currency)}" if found else why


def _stuck(output: Output, told: Result) -> None:
    """What waits, for whom, since and until when, and what to do; before all, which rules do not hold."""
    node_views.unusable_files(output, told)
    if told["unusable_files"]:
        output.line()
    output.table(
        ["order", "line", "quantity", "unit", "is", "waits for", "since", "until", "because", "what to do"],
        [
            [
                one["number"],
                one["line_id"],
                one["quantity"],
                unit(one["unit"]),
                _words(one["state"]),
                one["waits_for"],
                moment(one["since"]),
                moment(one["until"]),
                one["what"],
                one["to_do"],
            ]
            for one in told["waiting"]
        ],
        empty="nothing waits",
        right="quantity",
    )


def _sent(output: Output, told: Result) -> None:
    """What became of an order or a request made by hand."""
    if "moved" in told:
        _moved(output, told)
    elif "asked" in told:
        _asked(output, told)
    elif told["type"] != "CustomerOrder":
        order_views.sent(output, told)
    else:
        again = " is there already; nothing was done twice" if told["state"] == "duplicate" else " is taken"
        output.line(f"customer order {told['number']}{again}; hansa order show {told['number']}")
        for one in told["findings"]:
            output.note(f"waits for a human: {one['text']}")


def _moved(output: Output, told: Result) -> None:
    """What a store did with goods, or what becomes of a failed delivery."""
    output.line(f"customer order {told['number']}: {told['event']}; hansa order show {told['number']}")
    for one in told["moved"]:
        output.line(f"  line {one['line_id']}: {one['quantity']} {unit(one['unit'])}")
    for one in told["findings"]:
        output.note(f"odd, but taken: {one['text']}")


def _asked(output: Output, told: Result) -> None:
    output.line(f"customer order {told['number']}: {_words(told['state'])}")
    for one in told["asked"]:
        output.line(f"  line {one['line_id']}: {one['less']} {unit(one['unit'])} less is asked for")


VIEWS: dict[str, Callable[[Output, Result], None]] = {
    "order.sent": _sent,
    "order.show": _show,
    "order.find": _found,
    "order.why": _why,
    "order.approve": _asked,
    "order.resend": _moved,
    "orders.stuck": _stuck,
}
