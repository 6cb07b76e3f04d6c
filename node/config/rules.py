"""Reads HOME/rules.toml, the rules of sourcing; what is wrong names the file, the key and what was expected.

`KEYS` is the manual of the file as well.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

from node.config.default_rules import DEFAULT_RULES
from node.config.kept import Kept
from node.config.strict import Table, read_file
from node.core.iso_codes import MINOR_UNITS
from node.core.rules.checking import FATAL, findings
from node.core.rules.values import (
    GOALS,
    ORDER_TYPES,
    SOURCE_KINDS,
    Amount,
    Conditions,
    Filters,
    Rule,
    RuleSet,
    Strategy,
)
from node.core.sourcing.problem import Weights
from node.errors import ConfigError

__all__ = ["RULES_FILE", "describe_rules", "load_rules", "parse_rules", "rules_in_force"]

RULES_FILE = "rules.toml"
"""The rules' file in the node's home."""

RULES_MAX = 1_000
_AMOUNT = re.compile(r"([0-9]{1,12}(?:\.[0-9]{1,6})?) ([A-Z]{3})").fullmatch
_KEPT: Kept[RuleSet] = Kept()

Take = Callable[[Table, str], Any]


class Key(NamedTuple):
    """One key of the file: how it is read, and what it means."""

    name: str
    take: Take
    example: str
    meaning: str


def _texts(*choices: str) -> Take:
    return lambda table, key: table.texts(key, choices=choices)


def _number(most: int | None = None) -> Take:
    return lambda table, key: table.number(key, most=most)


def _whole(least: int, most: int) -> Take:
    return lambda table, key: table.whole(key, least=least, most=most)


def _yes(table: Table, key: str) -> bool:
    return table.yes(key, False)


def _yes_unless(table: Table, key: str) -> bool:
    return table.yes(key, True)


def _text(table: Table, key: str) -> str:
    return table.text(key)


def _amount(table: Table, key: str) -> Amount:
    text = table.text(key)
    found = _AMOUNT(text)
    if found is None or found[2] not in MINOR_UNITS:
        raise table.fault(key, "an amount and a currency such as 250.00 EUR", text)
    return Amount(Decimal(found[1]), found[2])


def _weights(table: Table, key: str) -> Weights:
    inner = table.table(key)
    inner.only(*GOALS)
    return Weights(**{goal: inner.number(goal) for goal in inner.values})


_RULE: tuple[Key, ...] = (
    Key("name", _text, '"islands"', "what decisions call it"),
    Key("strategy", _text, '"best"', "how the order is sourced, below `[strategies.NAME]`"),
    Key("otherwise", _yes, "true", "it is meant to hold for everything; only without conditions"),
    Key("approval_over", _amount, '"5000.00 EUR"', "a human approves orders of a higher sales value"),
    Key("approval_cost_over", _amount, '"2000.00 EUR"', "a human approves orders whose sourcing costs more"),
)
_CONDITIONS: tuple[Key, ...] = (
    Key("order_types", _texts(*ORDER_TYPES), '["drop_ship"]', "one of " + ", ".join(f"`{one}`" for one in ORDER_TYPES)),
    Key("channels", _texts(), '["shop"]', "where the order came from: adapter, partner id or `cli`; patterns"),
    Key("countries", _texts(), '["DE"]', "where it goes, ISO 3166-1"),
    Key("postal_codes", _texts(), '["25845"]', "beginnings of the postal code to which it goes"),
    Key("items", _texts(), '["CHEW-*"]', "patterns; at least one line has such an item"),
    Key("all_items", _texts(), '["CHEW-*"]', "patterns; every line has such an item"),
    Key("brands", _texts(), '["Chewy*"]', "patterns; at least one line has such a brand"),
    Key("value_over", _number(), "500", "the sales value is above this"),
    Key("value_to", _number(), "500", "the sales value is known and at most this"),
    Key("weight_over", _number(), "31.5", "in kg, of all lines together"),
    Key("weight_to", _number(), "31.5", "in kg, of all lines together"),
    Key("priority_min", _whole(0, 1_000_000), "10", "the order's priority is this or higher"),
)
_FILTERS: tuple[Key, ...] = (
    Key("kinds", _texts(*SOURCE_KINDS), '["store"]', "of " + ", ".join(f"`{one}`" for one in SOURCE_KINDS)),
    Key("partners", _texts(), '["-"]', "patterns of partner ids; `-` is ourselves"),
    Key("not_partners", _texts(), '["0088:4012345000009"]', "these are out"),
    Key("locations", _texts(), '["DC*"]', "patterns of location codes"),
    Key("not_locations", _texts(), '["OUTLET"]', "these are out"),
    Key("countries", _texts(), '["DE", "AT"]', "where the source is"),
    Key("same_country", _yes, "true", "the source is in the country to which the order goes"),
    Key("distance_max_km", _number(), "300", "hard; a source at an unknown distance is out"),
    Key("confidence_min", _number(1), "0.8", "how much a partner's word has been worth so far, 0 to 1"),
    Key("age_max_seconds", _whole(0, 31_536_000), "3600", "of a partner's stock figures; unknown age is out"),
    Key("lead_days_max", _whole(0, 366), "2", "days from order to despatch"),
)
_STRATEGY: tuple[Key, ...] = (
    Key(
        "weights",
        _weights,
        "{ cost = 1, speed = 0.5 }",
        "what goals are worth in money: `cost` and `risk` are factors; `speed` per line and day, `vicinity` per line "
        "and 100 km, `parcels` each, `preference` per line from a source that is not preferred",
    ),
    Key("sort", _texts(*GOALS), '["vicinity", "cost"]', "instead of weights: goals, each far before the next"),
    Key("split_orders_max", _whole(0, 1_000), "2", "sources that one order may use; not set: any number"),
    Key("split_lines", _yes_unless, "false", "a line may come from several sources (true)"),
    Key("complete", _yes, "true", "the whole order or nothing"),
    Key("late_allowed", _yes_unless, "false", "it may come after the wanted day (true)"),
    Key("late_per_day", _number(), "0.5", "what a late unit costs a day (0)"),
    Key("arrive_by_hard", _yes, "true", "nothing comes after the wanted day"),
    Key("unfilled_cost", _number(), "1000", "what an open unit costs above its value (1000)"),
    Key("split_cost", _number(), "1.5", "what each source beyond the first costs (0)"),
    Key("age_half_seconds", _whole(0, 31_536_000), "7200", "age at which a figure counts half; 0: age does not count"),
    Key(
        "on_failure",
        _text,
        '"best"',
        "what happens to what stays open: `back_order` (if not said), `cancel`, `human`, or the strategy tried next",
    ),
)  # fmt: skip
KEYS: Mapping[str, tuple[Key, ...]] = {
    "[[rules]]": _RULE,
    "[[rules]], conditions: all that are stated hold": _CONDITIONS,
    "[strategies.NAME]": _STRATEGY,
    "[strategies.NAME], filters of sources: all that are stated hold": _FILTERS,
}


_INTRODUCTION = """# Rules for sourcing

`rules.toml` in the node's home says how customer orders are sourced. The first rule whose conditions hold decides; a
node without the file takes the rules at the end of this chapter. `hansa rules check` reads the file and says what is
wrong with it: unknown keys, strategies in a circle, rules for everything or nothing. `hansa rules simulate` replays
past orders under another file and shows both side by side. A changed file counts from the next order on.

At the top, `prefer` lists patterns of sources (partner id, bar, location), best first.
"""


def load_rules(path: Path) -> RuleSet:
    """The rules in this file. Raises ConfigError with file, key and what was expected, for the first fault.

    Rules that can be read and cannot work (a cycle, an unknown strategy) are faults too.
    """
    rule_set, faults = _parsed(read_file(path))
    faults += [
        ConfigError(f"{path}: {one.path}: {one.text}", hint="hansa rules check says everything that is wrong")
        for one in findings(rule_set)
        if one.rule in FATAL
    ]
    if faults:
        raise faults[0]
    return rule_set


def parse_rules(text: str, path: Path) -> tuple[RuleSet | None, list[ConfigError]]:
    """The rules in this text, and every fault of its form; None where it is no TOML. `path` is for messages only."""
    try:
        values = tomllib.loads(text, parse_float=Decimal)
    except tomllib.TOMLDecodeError as error:
        return None, [ConfigError(f"{path}: not TOML: {error}", hint='texts need quotes: name = "islands"')]
    return _parsed(Table(path, values))


def rules_in_force(home: Path) -> tuple[RuleSet, ConfigError | None]:
    """The rules of HOME/rules.toml, or the default ones; read again when the file changes.

    With the fault of a change that does not count: the last good rules hold then. Raises ConfigError when there are no
    good ones yet.
    """
    path = home / RULES_FILE

    def read() -> tuple[RuleSet, tuple[Path, ...]]:
        if path.exists():
            return load_rules(path), (path,)
        return _parsed(Table(Path("default rules"), tomllib.loads(DEFAULT_RULES, parse_float=Decimal)))[0], (path,)

    return _KEPT.get(path, (path,), read)


def describe_rules() -> str:
    """The manual of the file, as Markdown."""
    parts = [_INTRODUCTION]
    for title, keys in KEYS.items():
        head, _, rest = title.partition(", ")
        parts.append(f"## `{head}`{', ' + rest if rest else ''}\n")
        parts.append("| key | example | meaning |\n|---|---|---|")
        parts += (f"| `{one.name}` | `{one.example}` | {one.meaning} |" for one in keys)
        parts.append("")
    parts.append(f"## The default rules\n\n```toml\n{DEFAULT_RULES}```\n")
    return "\n".join(parts)


def _parsed(table: Table) -> tuple[RuleSet, list[ConfigError]]:
    """What can be read of the rules, and every fault: one bad part keeps no other from being read."""
    faults: list[ConfigError] = []

    def attempt(read: Callable[[], Any], otherwise: Any) -> Any:
        try:
            return read()
        except ConfigError as error:
            faults.append(error)
            return otherwise

    attempt(lambda: table.only("prefer", "rules", "strategies"), None)
    prefer = attempt(lambda: table.texts("prefer"), ())
    listed: Sequence[Table] = attempt(lambda: table.tables("rules"), [])
    if len(listed) > RULES_MAX:
        faults.append(table.fault("rules", f"at most {RULES_MAX} rules"))
    rules = [made for one in listed[:RULES_MAX] if (made := attempt(partial(_rule, one), None))]
    named = attempt(lambda: list(table.named("strategies")), [])
    made = [one for name, inner in named if (one := attempt(partial(_strategy, name, inner), None))]
    strategies = {one.name: one for one in made}
    return RuleSet(rules=tuple(rules), strategies=strategies, prefer=prefer, name=str(table.path)), faults


def _rule(table: Table) -> Rule:
    table.only(*(one.name for one in (*_RULE, *_CONDITIONS)))
    table.text("name")
    table.text("strategy")
    return Rule(**_taken(table, _RULE), when=Conditions(**_taken(table, _CONDITIONS)))


def _strategy(name: str, table: Table) -> Strategy:
    table.only(*(one.name for one in (*_STRATEGY, *_FILTERS)))
    return Strategy(name=name, **_taken(table, _STRATEGY), filters=Filters(**_taken(table, _FILTERS)))


def _taken(table: Table, keys: Sequence[Key]) -> dict[str, Any]:
    return {one.name: one.take(table, one.name) for one in keys if table.has(one.name)}
