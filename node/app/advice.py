"""What is odd about settings that are good in form: said where they are checked and when the node starts."""

from __future__ import annotations

from node.app.stock.inventory import policy_of_rules
from node.config import Settings
from node.core.sharing import policy_findings

__all__ = ["warnings"]


def warnings(settings: Settings) -> list[str]:
    """One line for each thing that can hardly be meant, such as a rule of sharing that can never match."""
    found = policy_findings(policy_of_rules(settings.sharing.rules))
    return [f"{settings.file}: sharing.{one.path}: {one.text}" for one in found]
