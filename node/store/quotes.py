"""Carriers' answers in the store, each until its deadline."""

from __future__ import annotations

import json
from collections.abc import Sequence

import sqlalchemy as sa

from node.core.quote_rows import QuoteRow
from node.store.fulfilment_schema import QUOTE
from node.store.session import Session
from node.store.statements import Compiler, listed, only_first, parameter

__all__ = ["QuoteStatements", "Quotes"]


class QuoteStatements:
    """Compiled once per database."""

    def __init__(self, sql: Compiler) -> None:
        quote = QUOTE.c
        key = sa.tuple_(quote.carrier, quote.question)
        self.put = sql.bulk(QuoteRow, replace=True)
        self.find = sql(
            sa.select(QUOTE)
            .where(key.in_(listed(sql.name, "keys", "text", "text")))
            .order_by(quote.carrier, quote.question),
            "keys",
        )
        old = sa.select(quote.carrier, quote.question).where(quote.until <= parameter("now"))
        self.drop_old = sql(sa.delete(QUOTE).where(key.in_(only_first(old))), "now", "limit")


class Quotes:
    """Implements `node.ports.QuoteStore`."""

    def __init__(self, session: Session, sql: QuoteStatements) -> None:
        self._session = session
        self._sql = sql

    def put(self, rows: Sequence[QuoteRow]) -> None:
        """Insert or replace by (carrier, question)."""
        self._session.put(self._sql.put, rows)

    def find(self, keys: Sequence[tuple[str, str]]) -> list[QuoteRow]:
        """The answers to these questions, each as (carrier, question), whether they still count or not."""
        if not keys:
            return []
        return self._session.all(QuoteRow._make, self._sql.find, json.dumps([list(key) for key in keys]))

    def drop_old(self, now: int, limit: int) -> int:
        """Delete at most `limit` answers that count no more; returns how many went."""
        return self._session.run(self._sql.drop_old, now, limit)
