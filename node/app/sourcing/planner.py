"""Chooses sources for customer orders: gathers the problem in one read, solves it outside any transaction, says why."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from decimal import Decimal
from functools import partial
from pathlib import Path
from typing import Any

from node.app.context import Context
from node.app.fulfilment.orchestration_state import State, open_units, read_state
from node.app.sourcing import carriers, gathering
from node.app.stock.known_stock import Trading
from node.config.rules import rules_in_force
from node.core.customer_rows import CustomerOrderRow
from node.core.fulfilment import avoided
from node.core.rules import OrderFacts, RuleSet, approval_needed
from node.core.sourcing.explain import explain
from node.core.sourcing.plan_json import plan_fields
from node.core.sourcing.problem import Plan, Problem
from node.core.sourcing.solve import solve
from node.errors import ConfigError
from node.ports import Store, Transaction

__all__ = ["Choice", "choose"]

SECOND = 1_000_000
ALONE_SECONDS = 0.5
"""So long the general solver may look for the best sources of one order by itself, where the search of our own has not
proved them; then the best found count, and the gap is told. Others wait meanwhile: the one order in hundreds that is
hard to prove must not hold up the rest."""
WAVE_SECONDS = 5.0
AVOID_SECONDS = 86_400
"""How long a source that failed a line is not asked for it again."""
_TOLD: dict[Path, ConfigError] = {}
"""Why the changed rules of a home do not count, as the log has it."""


@dataclass(frozen=True, slots=True)
class Choice:
    """A plan for some orders, with all that is needed to take it up and to tell why."""

    problem: Problem
    plan: Plan
    facts: Mapping[str, OrderFacts] = field(default_factory=dict)
    rule_set: RuleSet | None = None
    findings: tuple[str, ...] = ()

    def why(self, order_id: str) -> dict[str, Any]:
        """The decision on one order as JSON has it.

        Of an order by itself only what was decided: the candidates follow from the problem, which is kept beside it,
        when somebody asks. In a wave they depend on what the others took, and are told at once.
        """
        alone = len(self.problem.orders) == 1
        said = plan_fields(self.plan, order_id) if alone else explain(self.problem, self.plan, order_id)
        return {**said, "findings": list(self.findings)}

    def approval(self, order_id: str) -> str:
        """Why a human must approve the order before anything of it is promised; "" where nobody must."""
        facts = self.facts.get(order_id)
        if self.rule_set is None or facts is None:
            return ""
        cost = Decimal(0)
        for one in self.plan.assignments:
            if one.order_id == order_id:
                cost += sum(one.costs.values(), Decimal(0))
        return approval_needed(self.rule_set, facts, cost)


def choose(store: Store, ctx: Context, customer_order_ids: Sequence[int], trade: Trading | None = None) -> list[Choice]:
    """Choose for these orders together, those of each currency by themselves; orders with nothing open are left out.

    `trade` is whom we trade with, where that was read before for many orders.
    """
    rule_set, fault = rules_in_force(ctx.settings.home)
    # The same fault is the same object until the file changes again: it is told once.
    if fault is not None and _TOLD.get(ctx.settings.home) is not fault:
        _TOLD[ctx.settings.home] = fault
        ctx.log.warning("the changed rules do not count: %s", fault.message)
    groups = [list(customer_order_ids)]
    if len(customer_order_ids) > 1:
        groups = [*store.read(lambda tx: _currencies(tx, customer_order_ids)).values()]
    return [choice for ids in groups if (choice := _choose(store, ctx, ids, rule_set, trade)) is not None]


def _currencies(tx: Transaction, customer_order_ids: Sequence[int]) -> dict[str, list[int]]:
    found: dict[str, list[int]] = {}
    orders = tx.customer_orders.get(list(customer_order_ids))
    for one in customer_order_ids:
        found.setdefault(orders[one].currency, []).append(one)
    return found


def _choose(store: Store, ctx: Context, ids: Sequence[int], rule_set: RuleSet, trade: Trading | None) -> Choice | None:
    read = partial(_gather, ctx=ctx, ids=ids, rule_set=rule_set, trade=trade)
    gathered = store.read(read)
    if gathered is None:
        return None
    if gathered.missing:
        carriers.refresh(store, ctx, gathered.missing)
        gathered = store.read(read) or gathered
    texts = tuple(dict.fromkeys(one.text for one in gathered.findings))
    return Choice(gathered.problem, solve(gathered.problem), gathered.facts, rule_set, texts)


def _gather(
    tx: Transaction, ctx: Context, ids: Sequence[int], rule_set: RuleSet, trade: Trading | None
) -> gathering.Gathered | None:
    wanted = [one for customer_order_id in ids if (one := _wanted(tx, ctx, customer_order_id)) is not None]
    if not wanted:
        return None
    seconds = ALONE_SECONDS if len(wanted) == 1 else WAVE_SECONDS
    gathered = gathering.gather(tx, ctx, wanted, rule_set=rule_set, seconds=seconds, trade=trade)
    return replace(gathered, problem=_narrowed(gathered.problem, [one.order for one in wanted]))


def _wanted(tx: Transaction, ctx: Context, customer_order_id: int) -> gathering.Wanted | None:
    state = read_state(tx, customer_order_id)
    units = open_units(ctx, state)
    if not units:
        return None
    since = ctx.now_micros() - AVOID_SECONDS * SECOND
    failed = avoided(piece for piece in state.pieces.values() if piece.at >= since)
    excluded = {f"{partner_id}|{location}" for sources in failed.values() for partner_id, location in sources}
    excluded |= _fell_short(tx, state, since)
    return gathering.Wanted(
        order=state.order,
        lines=[(state.lines[line_id], quantity) for line_id, quantity in units.items()],
        strategy=state.order.strategy,
        excluded=frozenset(excluded),
    )


def _fell_short(tx: Transaction, state: State, since: int) -> set[str]:
    """Sources that sent less than they were asked for: they have said all that they have."""
    if not state.order.sourced:
        return set()
    found = set()
    for event in tx.customer_orders.events(state.order.customer_order_id):
        piece = state.pieces.get(event.piece_id) if event.piece_id is not None else None
        if event.event == "short" and event.at >= since and piece is not None:
            found.add(f"{piece.partner_id}|{piece.location}")
    return found


def _narrowed(problem: Problem, orders: Sequence[CustomerOrderRow]) -> Problem:
    """Where an order may go no further only our own sites count, and a partner never fulfils what it ordered itself."""
    rows = {str(row.customer_order_id): row for row in orders}
    made = []
    for one in problem.orders:
        row = rows[one.order_id]
        out = {
            source.source_id
            for source in problem.sources
            if source.partner_id and (row.hops_left <= 0 or source.partner_id == row.origin_partner)
        }
        if out:
            every = frozenset(source.source_id for source in problem.sources)
            allowed = every if one.policy.allowed is None else one.policy.allowed
            one = replace(one, policy=replace(one.policy, allowed=allowed - out))
        made.append(one)
    return replace(problem, orders=tuple(made))
