"""What is odd about settings that are good in form, and which files beside them cannot be used as they are now."""

from __future__ import annotations

from typing import NamedTuple

from node.app.sourcing.carriers import rate_table
from node.app.stock.inventory import policy_of_rules
from node.config import Settings
from node.config.rules import RULES_FILE, rules_in_force
from node.core.sharing import policy_findings
from node.errors import ConfigError

__all__ = ["Unusable", "unusable", "warnings"]


class Unusable(NamedTuple):
    """A file that is read again when it changes, and cannot be used: why, what holds meanwhile, and what to do."""

    file: str
    why: str
    meanwhile: str
    to_do: str


def warnings(settings: Settings) -> list[str]:
    """One line for each thing that can hardly be meant, such as a rule of sharing that can never match."""
    found = policy_findings(policy_of_rules(settings.sharing.rules))
    return [f"{settings.file}: sharing.{one.path}: {one.text}" for one in found]


def unusable(settings: Settings) -> list[Unusable]:
    """The rules and carriers' tables that cannot be used as they are now."""
    return [*_rules(settings), *(one for name in settings.carriers for one in _table(settings, name))]


def _rules(settings: Settings) -> list[Unusable]:
    path = settings.home / RULES_FILE
    try:
        _, fault = rules_in_force(settings.home)
    except ConfigError as error:
        meanwhile = "there are no other rules: customers' orders wait"
        return [Unusable(str(path), error.message, meanwhile, "hansa rules check")]
    if fault is None:
        return []
    meanwhile = "the last good rules hold, those from before the change"
    return [Unusable(str(path), fault.message, meanwhile, "hansa rules check")]


def _table(settings: Settings, name: str) -> list[Unusable]:
    one = settings.carriers[name]
    if one.kind != "table":
        return []
    path, to_do = str(settings.home / one.file), f"hansa carrier check {name}"
    try:
        fault = rate_table(settings, name).fault
    except ConfigError as error:
        return [Unusable(path, error.message, f"nothing goes with {name}", to_do)]
    return [Unusable(path, fault, f"the last good rates of {name} count", to_do)] if fault else []
