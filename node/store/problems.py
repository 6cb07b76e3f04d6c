"""The problems behind sourcing decisions in the store, newest first, for as long as they are kept."""

from __future__ import annotations

import json
from collections.abc import Sequence

import sqlalchemy as sa

from node.core.problem_rows import ProblemRow
from node.store.fulfilment_schema import PROBLEM
from node.store.session import Session
from node.store.statements import Compiler, listed, only_first, parameter

__all__ = ["ProblemStatements", "Problems"]


class ProblemStatements:
    """Compiled once per database."""

    def __init__(self, sql: Compiler) -> None:
        one = PROBLEM.c
        self.add = sql.bulk(ProblemRow)
        self.find = sql(
            sa.select(PROBLEM).where(one.decision_id.in_(listed(sql.name, "decision_ids", "bigint"))), "decision_ids"
        )
        newest = sa.select(PROBLEM).where(one.at >= parameter("since")).order_by(one.decision_id.desc())
        self.newest = sql(only_first(newest), "since", "limit")
        old = sa.select(one.decision_id).where(one.at < parameter("before")).order_by(one.decision_id)
        self.drop = sql(sa.delete(PROBLEM).where(one.decision_id.in_(only_first(old))), "before", "limit")


class Problems:
    """Implements `node.ports.ProblemStore`."""

    def __init__(self, session: Session, sql: ProblemStatements) -> None:
        self._session = session
        self._sql = sql

    def add(self, rows: Sequence[ProblemRow]) -> None:
        """Add problems of new decisions."""
        self._session.put(self._sql.add, rows)

    def find(self, decision_ids: Sequence[int]) -> list[ProblemRow]:
        """The problems of these decisions that are still kept."""
        return self._session.all(ProblemRow._make, self._sql.find, json.dumps([*decision_ids]))

    def newest(self, since: int, limit: int) -> list[ProblemRow]:
        """Problems decided at or after the instant, newest first."""
        return self._session.all(ProblemRow._make, self._sql.newest, since, limit)

    def drop(self, before: int, limit: int) -> int:
        """Delete at most `limit` problems decided before the instant; returns how many went."""
        return self._session.run(self._sql.drop, before, limit)
