"""How rules of sourcing look to a person, and how past orders would have fared under others."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from node.cli.output import Output, shown

__all__ = ["VIEWS"]

Result = Mapping[str, Any]

_SIDE_BY_SIDE = (
    ("orders", "orders"),
    ("complete", "complete"),
    ("fill_percent", "fill rate, %"),
    ("cost", "cost"),
    ("goods", "  goods"),
    ("freight", "  freight"),
    ("handling", "  handling"),
    ("splits", "splits"),
    ("parcels", "parcels"),
    ("distance_mean_km", "km per parcel"),
    ("late_units", "units late"),
    ("late_unit_days", "unit-days late"),
)


def _check(output: Output, told: Result) -> None:
    if told["good"]:
        output.line(f"{told['file']}: good, {told['rules']} rules, {told['strategies']} strategies")
        return
    for one in told["findings"]:
        where = f"{one['path']}: " if one["path"] else ""
        output.line(f"{where}{one['text']} [{one['rule']}]")
    output.line()
    output.line(f"{told['file']}: " + ("can be used as it is" if told["usable"] else "is not used like this"))


def _show(output: Output, told: Result) -> None:
    output.line(f"In force: {told['file']}")
    if told["fault"]:
        output.note(f"the newest change does not count: {told['fault']}")
    if told["prefer"]:
        output.line(f"Preferred sources, best first: {shown(told['prefer'])}")
    output.heading("Rules: the first one that holds decides")
    output.table(
        ["rule", "when", "strategy", "approval over"],
        [
            [
                one["name"],
                "otherwise" if one["otherwise"] else _stated(one["when"]) or "always",
                one["strategy"],
                ", ".join(
                    text
                    for text in (
                        one["approval_over"],
                        one["approval_cost_over"] and f"cost {one['approval_cost_over']}",
                    )
                    if text
                ),
            ]
            for one in told["rules"]
        ],
        empty="none",
    )
    output.heading("Strategies")
    output.table(
        ["strategy", "sources", "goals", "limits", "what stays open"],
        [
            [
                one["name"],
                _stated(one["filters"]) or "all",
                _stated(one["goals"]) or "cost",
                _stated(one["limits"]),
                one["on_failure"].replace("_", " "),
            ]
            for one in told["strategies"]
        ],
        empty="none",
    )


def _stated(values: Result) -> str:
    return "; ".join(f"{name.replace('_', ' ')} {shown(value)}" for name, value in values.items())


def _simulate(output: Output, told: Result) -> None:
    if not told["orders"]:
        output.line("no past orders to replay")
        return
    output.line(f"{told['orders']} orders replayed, {told['changed']} would be sourced differently")
    for one in told["by_currency"]:
        output.heading(f"In {one['currency'] or 'no currency'}")
        output.table(
            ["", "now", "then"],
            [[label, shown(one["before"][name]), shown(one["after"][name])] for name, label in _SIDE_BY_SIDE],
            empty="",
            right="now then",
        )
    if told["differences"]:
        output.heading("The costliest changes")
        output.table(
            ["order", "now", "cost now", "then", "cost then"],
            [
                [
                    one["order"],
                    _pieces(one["before"], told["names"]),
                    one["before"]["cost"],
                    _pieces(one["after"], told["names"]),
                    one["after"]["cost"],
                ]
                for one in told["differences"]
            ],
            empty="",
            right="cost_now cost_then",
        )
    output.note("nothing was changed: copy the file to HOME/rules.toml when you want it")


def _pieces(one: Result, names: Result) -> str:
    """What each line takes from where; `names` are partners' names by id."""
    lines: dict[str, list[str]] = {}
    for piece in one["pieces"]:
        partner, _, location = piece["source"].partition("|")
        source = f"{names.get(partner, partner) or 'our own'} {location}".strip()
        lines.setdefault(piece["line"], []).append(f"{piece['quantity']} from {source}")
    parts = [f"line {line}: {' + '.join(taken)}" for line, taken in lines.items()]
    return "; ".join([*parts, *([f"rest: {one['failure'].replace('_', ' ')}"] if one["failure"] else [])])


VIEWS: dict[str, Callable[[Output, Any], None]] = {
    "rules.check": _check,
    "rules.show": _show,
    "rules.simulate": _simulate,
}
