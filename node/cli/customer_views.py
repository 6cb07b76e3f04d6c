"""How customer orders look to a person: one status over all companies, what is stuck, and why it was decided so."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from node.cli import order_views
from node.cli.output import Output, shown

__all__ = ["VIEWS"]

Result = Mapping[str, Any]
FIGURES = ("ordered", "delivered", "under_way", "back_ordered", "cancelled", "open")


HEADINGS = tuple({"under_way": "underway", "back_ordered": "back-ordered"}.get(name, name) for name in FIGURES)


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
    output.pairs(
        [
            ("customer order", one["number"]),
            ("channel", one["channel"]),
            ("kind", _words(one["kind"].lower())),
            ("customer", one["customer"] + (f" ({one['customer_orders']} orders)" if one["customer_orders"] else "")),
            ("from", one["origin_partner_name"] or one["origin_partner"]),
            ("to", one["collect_at"] or place),
            ("status", state),
            ("what to do", one["to_do"]),
            ("wanted on", one["need_on"] or ""),
            ("not after", one["not_after"] or ""),
            ("launch", one["launch_on"] or ""),
            ("comes back on", one["recurs_on"] or ""),
            ("is part of", one.get("merged_into", "")),
            ("usage", one["usage"].lower()),
        ]
    )
    output.line()
    output.table(
        ["line", "item", "description", "unit", *HEADINGS, "complete on"],
        [
            [
                line["line_id"],
                line["item"],
                line["description"],
                line["unit"],
                *(line[name] for name in FIGURES),
                line["complete_on"] or "",
            ]
            for line in one["lines"]
        ],
        empty="no lines",
        right=" ".join(HEADINGS),
    )
    _pieces(output, one)
    _decision(output, one)


def _pieces(output: Output, one: Result) -> None:
    rows = [
        [
            line["line_id"],
            piece["quantity"],
            " ".join(text for text in (piece["from"], piece["location"]) if text) or "-",
            _words(piece["state"]),
            piece["promised_on"] or "",
            piece["despatched"],
            piece["delivered"],
            piece["order"],
            " ".join(text for text in (piece["carrier"], piece["tracking"]) if text),
            piece["reason"] + (f"; {piece['surplus']} too many" if piece["surplus"] != "0" else ""),
        ]
        for line in one["lines"]
        for piece in line["pieces"]
    ]
    if rows:
        output.heading("Pieces")
        output.table(
            ["line", "quantity", "from", "state", "promised", "despatched", "delivered", "order", "with", "why"],
            rows,
            empty="",
            right="quantity despatched delivered",
        )


def _decision(output: Output, one: Result) -> None:
    for decision in one.get("decisions", ()):
        output.line()
        amount = f"{decision['cost']} {decision['currency']}".strip()
        output.line(
            f"decided {decision['at']} by {decision['strategy']}, {decision['method']} ({decision['status']}), "
            f"cost {amount}; hansa order why {one['number']}"
        )


def _found(output: Output, told: Result) -> None:
    """Customer orders, one to a line."""
    output.table(
        ["order", "channel", "customer", "kind", "status", *HEADINGS, "from"],
        [
            [
                one["number"],
                one["channel"],
                one["customer"],
                _words(one["kind"].lower()),
                _words(one["state"]),
                *(" + ".join(f"{line[name]} {line['unit']}" for line in one["lines"]) for name in FIGURES),
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
    )
    if told["more"]:
        output.note("there are more; --limit shows them")


def _why(output: Output, told: Result) -> None:
    """Every decision, line by line, with the candidates and what they would have cost."""
    output.pairs([("customer order", told["number"]), ("status", _words(told["state"])), ("because", told["reason"])])
    if not told["decisions"]:
        output.line("nothing was decided yet")
    for decision in told["decisions"]:
        amount = f"{decision['cost']} {decision['currency']}".strip()
        output.heading(
            f"{decision['at']}: {decision['strategy']}, {decision['method']} ({decision['status']}), cost {amount}"
        )
        for remark in decision["why"].get("findings", ()):
            output.line(f"  {remark}")
        rows = [
            [line["line"], *_candidate(candidate)]
            for line in decision["why"].get("lines", ())
            for candidate in line["candidates"]
        ]
        output.table(
            ["line", "source", "available", "taken", "arrives", "costs", "why"],
            rows,
            empty="no candidates",
            right="available taken",
        )
        for line in decision["why"].get("lines", ()):
            for one in line["open"]:
                output.line(f"line {line['line']}: {one['quantity']} stay open: {one['reason']}")


def _candidate(one: Result) -> list[str]:
    partner, _, location = one["source"].partition("|")
    return [
        f"{partner or 'our own'} {location}".strip(),
        one["available"],
        one["chosen"],
        one.get("arrives", ""),
        shown(one.get("costs") or one.get("unit_costs") or ""),
        one["why"] or "",
    ]


def _stuck(output: Output, told: Result) -> None:
    """What waits, for whom, since when, and what to do."""
    output.table(
        ["order", "line", "quantity", "is", "waits for", "since", "because", "what to do"],
        [
            [
                one["number"],
                one["line_id"],
                one["quantity"],
                _words(one["state"]),
                one["waits_for"],
                one["since"],
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
    if "asked" in told:
        _asked(output, told)
    elif told["type"] != "CustomerOrder":
        order_views.sent(output, told)
    else:
        again = " is there already; nothing was done twice" if told["state"] == "duplicate" else " is taken"
        output.line(f"customer order {told['number']}{again}; hansa order show {told['number']}")
        for one in told["findings"]:
            output.note(f"waits for a human: {one['text']}")


def _asked(output: Output, told: Result) -> None:
    output.line(f"customer order {told['number']}: {_words(told['state'])}")
    for one in told["asked"]:
        output.line(f"  line {one['line_id']}: {one['less']} {one['unit']} less is asked for")


VIEWS: dict[str, Callable[[Output, Result], None]] = {
    "order.sent": _sent,
    "order.show": _show,
    "order.find": _found,
    "order.why": _why,
    "order.approve": _asked,
    "orders.stuck": _stuck,
}
