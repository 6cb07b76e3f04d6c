"""How carriers look to a person: which there are, what is wrong with their rates, what a shipment costs."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from node.cli.output import Output, shown
from node.cli.words import money

__all__ = ["VIEWS"]

Result = Mapping[str, Any]


def _list(output: Output, told: Result) -> None:
    output.table(
        ["carrier", "kind", "file", "serves", "instead"],
        [[one["name"], one["kind"], one["file"], shown(one["sources"]), one["fallback"]] for one in told["carriers"]],
        empty=f"none in the settings; kinds are: {shown(told['kinds'])}",
    )
    own = told["own"]
    parcel, km = (f"{own[name]} {own['currency']}".rstrip() for name in ("cost", "cost_per_km"))
    output.line()
    output.line(f"Sources without a carrier: {parcel} a parcel, {km} a km, {own['transit_days']} days on the way")


def _check(output: Output, told: Result) -> None:
    for one in told["carriers"]:
        state = "can be used" if one["good"] else "cannot be used"
        output.line(f"{one['name']}: {state}{', see below' if one['findings'] else ''}")
        for finding in one["findings"]:
            output.line(f"  {_finding(finding)}")
    if not told["carriers"]:
        output.line("no carrier is set: sources use the rate in [freight]")
    count = told["postal_codes"]
    output.line(f"{count} postal codes are known" if count else "no postal codes are known: distances are not either")
    for finding in told["places"]:
        output.line(f"  {_finding(finding)}")


def _quote(output: Output, told: Result) -> None:
    if told["distance_km"] is not None:
        output.line(f"{told['distance_km']} km as the crow flies")
    rows = [
        [
            carrier["name"],
            one["service"],
            "" if one["cost"] is None else money(one["cost"], one["currency"]),
            shown(one["transit_days"]),
            shown(one["parcels"]),
            one["zone"],
            " + ".join(f"{part} {money(amount, one['currency'])}" for part, amount in one["parts"].items()),
        ]
        for carrier in told["carriers"]
        for one in carrier["offers"]
    ]
    output.table(
        ["carrier", "service", "cost", "days", "parcels", "zone", "made of"],
        rows,
        empty="nobody offers anything",
        right="cost days parcels",
    )
    for carrier in told["carriers"]:
        for finding in carrier["findings"]:
            output.note(_finding(finding, carrier["name"]))


def _finding(one: Result, carrier: str = "") -> str:
    where = "".join(f"{part}: " for part in dict.fromkeys((carrier, one["path"])) if part)
    return f"{where}{one['text']} [{one['rule']}]"


VIEWS: dict[str, Callable[[Output, Any], None]] = {
    "carrier.list": _list,
    "carrier.check": _check,
    "carrier.quote": _quote,
}
