"""Keeps what sourcing decisions were made of, for as long as personal data may be kept, and finds it again."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, date, datetime, time

from node.app.context import Context
from node.core.problem_rows import ProblemRow
from node.core.sourcing.problem import Problem
from node.core.sourcing.problem_json import from_json, to_json
from node.errors import RefusedError
from node.ports import Transaction
from node.wire import micros

__all__ = ["keep", "newest", "of_decisions", "of_order"]

DROPPED_AT_ONCE = 10
"""Old problems that go with each new one, so that they never pile up and never take long."""

_DAY = 86_400_000_000


def keep(tx: Transaction, ctx: Context, decision_id: int, problem: Problem, order_id: str) -> None:
    """Keep the part of a problem that one order's decision was made of; in the decision's own transaction."""
    now = ctx.now_micros()
    tx.problems.drop(now - ctx.settings.retention.personal_days * _DAY, DROPPED_AT_ONCE)
    tx.problems.add([ProblemRow(decision_id, now, to_json(of_order(problem, order_id)))])


def of_order(problem: Problem, order_id: str) -> Problem:
    """The problem with one of its orders, and what that order could draw on. Its rivals in a wave are left out."""
    if len(problem.orders) == 1:
        return problem
    orders = tuple(one for one in problem.orders if one.order_id == order_id)
    items = {line.item_key for order in orders for line in order.lines}
    supplies = tuple(one for one in problem.supplies if one.item_key in items)
    services = tuple(one for one in problem.services if one.order_id == order_id)
    named = {one.source_id for one in supplies} | {one.source_id for one in services}
    return replace(
        problem,
        orders=orders,
        sources=tuple(one for one in problem.sources if one.source_id in named),
        supplies=supplies,
        services=services,
        scarcity={key: value for key, value in problem.scarcity.items() if key[1] in items},
    )


def of_decisions(tx: Transaction, decision_ids: Sequence[int]) -> dict[int, Problem]:
    """The problems of these decisions, by decision, as far as they are still kept and this version can read them."""
    found = {}
    for row in tx.problems.find(decision_ids):
        with suppress(RefusedError):
            found[row.decision_id] = from_json(row.problem)
    return found


def newest(tx: Transaction, since: date | None, limit: int) -> list[str]:
    """Kept problems as JSON texts, newest first, from the beginning of a day (UTC) on."""
    start = micros(datetime.combine(since, time(), UTC)) if since else 0
    return [row.problem for row in tx.problems.newest(start, limit)]
