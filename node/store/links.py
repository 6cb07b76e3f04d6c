"""Links in the store: their positions, signed heads and receipts."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa

from node.core.rows import HeadRow, LinkRow, ReceiptRow
from node.errors import HansaError
from node.store.schema import HEAD, LINK, RECEIPT
from node.store.session import Session
from node.store.statements import Compiler, only_first, parameter

__all__ = ["LinkStatements", "Links"]

_LINK_KEY = ("partner_id", "direction")
_EPOCH_KEY = (*_LINK_KEY, "epoch")


def _of(table: sa.Table, *columns: str) -> sa.ColumnElement[bool]:
    """The named columns equal the parameters of the same names."""
    return sa.and_(*(table.c[name] == parameter(name) for name in columns))


class LinkStatements:
    """Compiled once per database."""

    def __init__(self, sql: Compiler) -> None:
        self.get = sql(sa.select(LINK).where(_of(LINK, *_LINK_KEY)), *_LINK_KEY)
        self.put = sql.bulk(LinkRow, replace=True)
        self.all = sql(sa.select(LINK).order_by(LINK.c.partner_id, LINK.c.direction))
        # The same head may be signed again by a newer key; another chain at the same number never replaces it.
        self.add_head = sql.bulk(HeadRow, replace=True, only="head.chain = excluded.chain")
        self.add_receipt = sql.bulk(ReceiptRow)
        self.head_at = sql(sa.select(HEAD).where(_of(HEAD, *_EPOCH_KEY, "number")), *_EPOCH_KEY, "number")
        self.heads_after = self._after(sql, HEAD, "number")
        self.receipt_at = sql(sa.select(RECEIPT).where(_of(RECEIPT, *_EPOCH_KEY, "sequence")), *_EPOCH_KEY, "sequence")
        self.receipts_after = self._after(sql, RECEIPT, "sequence")

    @staticmethod
    def _after(sql: Compiler, table: sa.Table, position: str) -> str:
        column: sa.Column[Any] = table.c[position]
        query = sa.select(table).where(_of(table, *_EPOCH_KEY), column > parameter(position)).order_by(column)
        return sql(only_first(query), *_EPOCH_KEY, position, "limit")


class Links:
    """Implements `node.ports.LinkStore`."""

    def __init__(self, session: Session, sql: LinkStatements) -> None:
        self._session = session
        self._sql = sql

    def get(self, partner_id: str, direction: str) -> LinkRow | None:
        """One direction of the link with a partner."""
        return self._session.one(LinkRow._make, self._sql.get, partner_id, direction)

    def put(self, row: LinkRow) -> None:
        """Insert or replace by (partner_id, direction)."""
        self._session.put(self._sql.put, [row])

    def all(self) -> list[LinkRow]:
        """Every link, by partner and direction."""
        return self._session.all(LinkRow._make, self._sql.all)

    def add_head(self, row: HeadRow) -> None:
        """Add a head, or its newer signature. Raises HansaError when another chain is stored at the same number."""
        if self._session.run(self._sql.add_head.sql, *row) != 1:
            raise HansaError(
                f"two different heads at number {row.number} of the link with {row.partner_id}",
                hint="Stop the link and compare the evidence of both sides.",
            )

    def head_at(self, partner_id: str, direction: str, epoch: int, number: int) -> HeadRow | None:
        """The head signed at exactly that number."""
        return self._session.one(HeadRow._make, self._sql.head_at, partner_id, direction, epoch, number)

    def heads_after(self, partner_id: str, direction: str, epoch: int, number: int, limit: int) -> list[HeadRow]:
        """Heads above that number, by number."""
        return self._session.all(HeadRow._make, self._sql.heads_after, partner_id, direction, epoch, number, limit)

    def add_receipt(self, row: ReceiptRow) -> None:
        """Add a receipt. Raises HansaError when there is one of that sequence."""
        self._session.put(self._sql.add_receipt, [row])

    def receipt_at(self, partner_id: str, direction: str, epoch: int, sequence: int) -> ReceiptRow | None:
        """The receipt of exactly that sequence."""
        return self._session.one(ReceiptRow._make, self._sql.receipt_at, partner_id, direction, epoch, sequence)

    def receipts_after(
        self, partner_id: str, direction: str, epoch: int, sequence: int, limit: int
    ) -> list[ReceiptRow]:
        """Receipts above that sequence, by sequence."""
        return self._session.all(
            ReceiptRow._make, self._sql.receipts_after, partner_id, direction, epoch, sequence, limit
        )
