"""How customer orders look to a person: one status over all companies, what is stuck, and why it was decided so."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from typing import Any

from node.cli import node_views, order_views
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
            _words(piece["mode"]),
            _words(piece["state"]),
            piece["promised_on"] or "",
            piece["despatched"],
            piece["delivered"],
            piece["order"],
            " ".join(text for text in (piece["carrier"], piece["tracking"]) if text),
            _told_of(piece),
        ]
        for line in one["lines"]
        for piece in line["pieces"]
    ]
    if rows:
        output.heading("Pieces")
        output.table(
            ["line", "quantity", "from", "how", "state", "promised", "despatched", "delivered", "order", "with", "why"],
            rows,
            empty="",
            right="quantity despatched delivered",
        )


def _told_of(piece: Result) -> str:
    """What else there is to say of a piece."""
    parts = [piece["reason"]]
    for name, words in (("passed_on", "{} passed on"), ("lost", "{} lost"), ("surplus", "{} too many")):
        if piece[name] != "0":
            parts.append(words.format(piece[name]))
    if piece["on_from"]:
        parts.append(f"takes piece {piece['on_from']} on")
    if piece["state"] == "ready" and piece["next_at"]:
        parts.append(f"until {piece['next_at']}")
    return "; ".join(part for part in parts if part)


def _decision(output: Output, one: Result) -> None:
    for decision in one.get("decisions", ()):
        output.line()
        amount = f"{decision['cost']} {decision['currency']}".strip()
        output.line(
            f"decided {decision['at']} by {decision['strategy']}, {decision['method']} ({decision['status']}), "
            f"cost {amount}; hansa order why {one['number']}"
        )


def _sum(lines: Sequence[Result], name: str) -> str:
    """A figure of all lines together, unit by unit; the components of a kit are in it as kits."""
    sums: dict[str, Decimal] = {}
    for line in lines:
        if not line["parent_line"]:
            sums[line["unit"]] = sums.get(line["unit"], Decimal(0)) + Decimal(line[name])
    return " + ".join(f"{figure.normalize():f} {unit}" for unit, figure in sums.items())


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
                *(_sum(one["lines"], name) for name in FIGURES),
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
            [line["line"], *_candidate(candidate, told.get("names", {}))]
            for line in decision["why"].get("lines", ())
            for candidate in line["candidates"]
        ]
        output.table(
            ["line", "source", "available", "taken", "arrives", "why", "costs"],
            rows,
            empty="no candidates",
            right="available taken",
        )
        for line in decision["why"].get("lines", ()):
            for one in line["open"]:
                output.line(f"line {line['line']}: {one['quantity']} stay open: {one['reason']}")


def _candidate(one: Result, names: Result) -> list[str]:
    partner, _, location = one["source"].partition("|")
    costs = one.get("costs") or one.get("unit_costs") or {}
    return [
        f"{names.get(partner, partner) or 'our own'} {location}".strip(),
        one["available"],
        one["chosen"],
        one.get("arrives", ""),
        one["why"] or "",
        ", ".join(f"{name} {_amount(amount)}" for name, amount in costs.items()),
    ]


def _amount(text: str) -> str:
    """An amount to two places, which is what people compare; `--json` has it exact."""
    return f"{Decimal(text):.2f}"


def _stuck(output: Output, told: Result) -> None:
    """What waits, for whom, since when, and what to do; before all, which rules do not hold."""
    node_views.unusable_files(output, told)
    if told["unusable_files"]:
        output.line()
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
        output.line(f"  line {one['line_id']}: {one['quantity']} {one['unit']}")
    for one in told["findings"]:
        output.note(f"odd, but taken: {one['text']}")


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
    "order.resend": _moved,
    "orders.stuck": _stuck,
}
