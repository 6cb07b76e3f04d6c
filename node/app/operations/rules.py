"""Operations on the rules of sourcing: what is wrong with them, what they say, how past orders fare under others."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence
from contextlib import suppress
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

from node.app.operations.carriers import plain
from node.app.operations.registry import Host, Report, operation
from node.app.sourcing import past_problems
from node.config.rules import RULES_FILE, parse_rules, rules_in_force
from node.core.decimals import format_decimal
from node.core.rules import RuleSet, findings
from node.core.rules.checking import FATAL
from node.core.rules.what_if import Difference, Outcome, Totals, compare
from node.core.sourcing.problem import Problem
from node.core.sourcing.problem_json import from_fields, from_json
from node.errors import RefusedError

__all__: list[str] = []

ORDERS_MAX = 10_000
DIFFERENCES_SHOWN = 20
_CENT = Decimal("0.01")
_OF_WHAT_IS_MISSING = frozenset({"no-rules", "unreachable-strategy", "unknown-strategy", "type-without-rule"})


@operation("rules.check")
def rules_check(host: Host, *, rules: str | None = None, file: str = "") -> dict[str, Any]:
    """Everything that is wrong with rules: those of the home, or the text `rules`, which `file` names."""
    home = host.ctx.settings.home
    if rules is None:
        path = home / RULES_FILE
        if not path.exists():
            made, _ = rules_in_force(home)
            return _told("the default rules", made, [])
        rules = _read(path)
        file = str(path)
    rule_set, faults = parse_rules(rules, Path(file or "rules"))
    found = [{"rule": "bad-key", "path": "", "text": one.message, "fatal": True} for one in faults]
    told = _told(file, rule_set, found)
    if faults:
        # What could not be read is missing elsewhere; that is no news.
        told["findings"] = [one for one in told["findings"] if one["rule"] not in _OF_WHAT_IS_MISSING]
    return told


def _told(file: str, rule_set: RuleSet | None, found: list[dict[str, Any]]) -> dict[str, Any]:
    if rule_set is not None:
        found += [
            {"rule": one.rule, "path": one.path, "text": one.text, "fatal": one.rule in FATAL}
            for one in findings(rule_set)
        ]
    return {
        "file": file,
        "good": not found,
        "usable": not any(one["fatal"] for one in found),
        "rules": len(rule_set.rules) if rule_set else 0,
        "strategies": len(rule_set.strategies) if rule_set else 0,
        "findings": found,
    }


@operation("rules.show")
def rules_show(host: Host) -> dict[str, Any]:
    """The rules in force, in their order, and their strategies. Raises ConfigError when there are none that can be."""
    home = host.ctx.settings.home
    rule_set, fault = rules_in_force(home)
    return {
        "file": str(home / RULES_FILE) if (home / RULES_FILE).exists() else "the default rules",
        "fault": fault.message if fault else "",
        "prefer": list(rule_set.prefer),
        "rules": [
            {
                "name": one.name,
                "strategy": one.strategy,
                "otherwise": one.otherwise,
                "when": _stated(one.when),
                "approval_over": str(one.approval_over or ""),
                "approval_cost_over": str(one.approval_cost_over or ""),
            }
            for one in rule_set.rules
        ],
        "strategies": [
            {
                "name": one.name,
                "filters": _stated(one.filters),
                "goals": {"sort": list(one.sort)} if one.sort else _stated(one.weights),
                "limits": {
                    name: value
                    for name, value in _stated(one).items()
                    if name not in ("name", "filters", "weights", "sort", "on_failure")
                },
                "on_failure": one.on_failure,
            }
            for one in rule_set.strategies.values()
        ],
    }


def _stated(value: Any) -> dict[str, Any]:
    """The fields of a value that differ from their defaults, as JSON has them."""
    made = {}
    for one in dataclasses.fields(value):
        found = getattr(value, one.name)
        if found == one.default or dataclasses.is_dataclass(found):
            continue
        plain = list(found) if isinstance(found, tuple) else found
        made[one.name] = format_decimal(plain) if isinstance(plain, Decimal) else plain
    return made


@operation("rules.simulate")
def rules_simulate(
    host: Host,
    *,
    rules: str,
    file: str = "",
    since: date | None = None,
    orders: int = 500,
    problems: list[dict[str, Any]] | None = None,
    report: Report,
) -> dict[str, Any]:
    """Replay past orders under the rules in force and under the text `rules`, side by side. Changes nothing.

    The newest `orders` orders that were sourced `since` that day, as their stored decisions had them; or `problems`.
    """
    if not 0 < orders <= ORDERS_MAX:
        raise RefusedError(f"orders: 1 to {ORDERS_MAX}", code="bad-argument")
    before, _ = rules_in_force(host.ctx.settings.home)
    after, faults = parse_rules(rules, Path(file or "rules"))
    if after is None or faults:
        raise RefusedError(faults[0].message, code="bad-rules", hint="hansa rules check --rules FILE says everything")
    fatal = next((one for one in findings(after) if one.rule in FATAL), None)
    if fatal is not None:
        hint = "hansa rules check --rules FILE says everything"
        raise RefusedError(f"{file}: {fatal.path}: {fatal.text}", code="bad-rules", hint=hint)
    past = _past(host, since, orders, report) if problems is None else [from_fields(one) for one in problems]
    # The solver takes a moment to be loaded, which no other command should wait for.
    from node.core.sourcing.solve import solve

    told = compare(_counted(past, report), before, after, solve)
    return {
        "before": str(before.name),
        "after": file,
        "orders": told.orders,
        "changed": len(told.differences),
        "by_currency": [
            {"currency": currency, "before": _totals(told.before[currency]), "after": _totals(told.after[currency])}
            for currency in sorted(told.before)
        ],
        "names": host.store.read(lambda tx: {one.partner_id: one.name for one in tx.partners.all()}),
        "differences": _differences(host, told.differences[:DIFFERENCES_SHOWN], ours=problems is None),
    }


def _counted(past: Sequence[Problem], report: Report) -> Iterator[Problem]:
    """The problems, telling how many of them are through."""
    for done, problem in enumerate(past):
        report("sourcing past problems under both rule sets", done, len(past))
        yield problem


def _past(host: Host, since: date | None, orders: int, report: Report) -> list[Problem]:
    """The kept problems that this version can read: the format may have been another before."""
    texts = host.store.read(lambda tx: past_problems.newest(tx, since, orders))
    found = []
    for text in texts:
        with suppress(RefusedError):
            found.append(from_json(text))
    if len(found) < len(texts):
        report(f"{len(texts) - len(found)} past problems were written by another version, and are left out")
    return found


def _totals(one: Totals) -> dict[str, Any]:
    mean = one.distance_mean_km
    return {
        "orders": one.orders,
        "complete": one.complete,
        "cost": _money(one.cost),
        "goods": _money(one.goods),
        "freight": _money(one.freight),
        "handling": _money(one.handling),
        "splits": one.splits,
        "parcels": one.parcels,
        "distance_mean_km": None if mean is None else str(mean.quantize(Decimal("0.1"))),
        "late_units": plain(one.late_units),
        "late_unit_days": plain(one.late_unit_days),
        "wanted": plain(one.wanted),
        "filled": plain(one.filled),
        "fill_percent": str(one.fill_percent.quantize(_CENT)),
    }


def _differences(host: Host, found: Sequence[Difference], *, ours: bool) -> list[dict[str, Any]]:
    """Each order under both rule sets; `ours`: a problem of our own names its orders by their keys in the store."""
    numbers: dict[str, str] = {}
    if ours:
        ids = [int(one.before.order_id) for one in found if one.before.order_id.isdecimal()]
        rows = host.store.read(lambda tx: tx.customer_orders.get(ids))
        numbers = {str(key): row.number for key, row in rows.items()}
    return [
        {
            "order": numbers.get(one.before.order_id, one.before.order_id),
            "before": _outcome(one.before),
            "after": _outcome(one.after),
        }
        for one in found
    ]


def _outcome(one: Outcome) -> dict[str, Any]:
    return {
        "strategy": one.strategy,
        "cost": _money(one.cost),
        "filled": plain(one.filled),
        "failure": one.failure,
        "pieces": [{"line": line, "source": source, "quantity": plain(count)} for line, source, count in one.taken],
    }


def _money(value: Decimal) -> str:
    return f"{value.quantize(_CENT):f}"


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise RefusedError(f"{path}: cannot be read: {error}", code="bad-rules") from None
