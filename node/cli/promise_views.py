"""How promises, partners' performance, warnings and disruptions look to a person."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from node.cli.output import Output, shown
from node.cli.words import item, unit

__all__ = ["disruptions", "performance", "promises", "warnings"]

Result = Mapping[str, Any]

_MEASURES = (
    ("delivered_on_time", "on time"),
    ("line_accepted", "accepted"),
    ("hold_granted", "holds granted"),
    ("figure_fresh", "figures right"),
    ("despatch_complete", "complete"),
)


def percent(text: str) -> str:
    """A share of one as a percentage."""
    return f"{Decimal(text) * 100:.0f} %"


def age(seconds: int) -> str:
    """Seconds in the unit that a person would choose."""
    for name, size in (("d", 86_400), ("h", 3_600), ("min", 60)):
        if seconds >= 2 * size:
            return f"{seconds // size} {name}"
    return f"{seconds} s"


def promises(output: Output, told: list[Result]) -> None:
    """When so many can be had, and from where."""
    for one in told:
        output.heading(f"{one['quantity']} {unit(one['unit'])} of {one['item']} by {one['by']}")
        output.line(_verdict(one))
        output.table(
            ["from", "location", "quantity", "on", "sure", "age", "basis", "figure", "remarks"],
            [
                [
                    part["partner"] or part["partner_id"] or "our own",
                    part["location"],
                    part["quantity"],
                    part["on"],
                    percent(part["confidence"]),
                    age(part["age_seconds"]),
                    part["basis"].lower(),
                    "" if part["figure"] == "EXACT" else f"at least ({part['figure'].lower()})",
                    "; ".join(
                        [*part["notes"], *([] if part["multiple"] in ("0", "1") else [f"by {part['multiple']}"])]
                    ),
                ]
                for part in one["parts"]
            ],
            empty="nobody can promise any",
            right="quantity sure age",
        )
        for finding in one["findings"]:
            output.note(f"{finding['path']}: {finding['text']} [{finding['rule']}]")


def _packed(multiple: str) -> list[str]:
    return [] if multiple in ("0", "1") else [f"only by {multiple}"]


def _verdict(one: Result) -> str:
    sure = f"; all of it comes with {percent(one['confidence'])}" if one["parts"] else ""
    if one["on"] is None:
        return f"not to be had: {one['by_then']} by then, and no day is known for the rest{sure}"
    if one["on"] <= one["by"]:
        return f"can be had by then{sure}"
    alone = f"; from one place alone on {one['single_on']}" if one["single_on"] not in (None, one["on"]) else ""
    return f"{one['by_then']} by then, all of it on {one['on']}{alone}{sure}"


def performance(output: Output, told: Result) -> None:
    """Each partner's rates with how often each was observed, and its lead times."""
    rows = []
    for one in told["partners"]:
        row = [one["name"] or one["partner"]]
        for name, _ in _MEASURES:
            rate = one["measures"][name]
            row.append(f"{percent(rate['rate'])} of {rate['seen']}" if rate["seen"] else "")
        for stage in ("despatch", "delivery"):
            days = one["lead_days"][stage]
            row.append(f"{_days(days)} of {days['seen']}" if days else "")
        rows.append(row)
    output.table(
        ["partner", *(words for _, words in _MEASURES), "to despatch", "to arrival"],
        rows,
        empty="no partners yet: hansa partner add FILE",
    )
    output.note("rates weigh recent observations more; of N: how many there were; days: median to the 90th percentile")
    if told["history"]:
        output.heading("Day by day")
        output.table(
            ["day", "measure", "good", "bad"],
            [[one["day"], one["measure"], str(one["good"]), str(one["bad"])] for one in told["history"]],
            empty="",
            right="good bad",
        )


def _days(days: Result) -> str:
    """From the median to the 90th percentile."""
    if days["median"] == days["p90"]:
        return f"{days['p90']} d"
    return f"{days['median']} to {days['p90']} d"


def warnings(output: Output, told: Result) -> None:
    """Items that run out soon."""
    output.table(
        ["item", "out on", "there", "per day", "unit", "next supply", "why"],
        [
            [
                item(one["item"]),
                one["out_on"],
                one["available"],
                one["per_day"],
                unit(one["unit"]),
                shown(one["next_supply_on"]),
                one["why"],
            ]
            for one in told["warnings"]
        ],
        empty=f"nothing runs out within {told['days']} days",
        right="there per_day",
    )
    if told["warnings"]:
        first = item(told["warnings"][0]["item"])
        output.note(f"who else has it, and from when: hansa availability {first} --quantity N --by DATE")


def disruptions(output: Output, told: Result) -> None:
    """Notices, line by line."""
    output.table(
        ["from", "number", "line", "what", "item", "location", "since", "state"],
        [
            [
                one["partner"] or one["partner_id"] or "ourselves",
                one["number"],
                one["line_id"],
                one["text"],
                item(one["item_key"]) or "all",
                one["location"] or "all",
                one["from_on"],
                one["state"].replace("_", " "),
            ]
            for one in told["disruptions"]
        ],
        empty="no notices",
    )
    if told.get("sent_to"):
        names = told.get("names", {})
        output.note("told to: " + ", ".join(names.get(one) or one for one in told["sent_to"]))
