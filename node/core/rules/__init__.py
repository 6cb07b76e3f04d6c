"""Rules as data: an order's strategy, the sources it may use, what its goals are worth, when a human decides.

`values` holds them, `choosing` applies them, `checking` finds what is wrong with them, `what_if` replays past orders
under others.
"""

from __future__ import annotations

from node.core.rules.checking import findings, findings_for
from node.core.rules.choosing import (
    approval_limit,
    approval_needed,
    chain,
    facts_of,
    matching,
    policies,
    preferences,
    why_not,
)
from node.core.rules.values import (
    FAILURE_ACTIONS,
    GOALS,
    NEXT_STRATEGY,
    ORDER_TYPES,
    SOURCE_KINDS,
    Amount,
    Conditions,
    Filters,
    OrderFacts,
    Rule,
    RuleSet,
    Strategy,
)

__all__ = [
    "FAILURE_ACTIONS",
    "GOALS",
    "NEXT_STRATEGY",
    "ORDER_TYPES",
    "SOURCE_KINDS",
    "Amount",
    "Conditions",
    "Filters",
    "OrderFacts",
    "Rule",
    "RuleSet",
    "Strategy",
    "approval_limit",
    "approval_needed",
    "chain",
    "facts_of",
    "findings",
    "findings_for",
    "matching",
    "policies",
    "preferences",
    "why_not",
]
