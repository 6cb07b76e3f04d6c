"""Partners and their cards in the store."""

from __future__ import annotations

import sqlalchemy as sa

from node.core.rows import CardRow, PartnerRow
from node.errors import ConfigError
from node.store.schema import CARD, PARTNER
from node.store.session import Session
from node.store.statements import Compiler, parameter, word

__all__ = ["PartnerStatements", "Partners"]


class PartnerStatements:
    """Compiled once per database."""

    def __init__(self, sql: Compiler) -> None:
        partner, card = PARTNER.c, CARD.c
        self.get = sql(sa.select(PARTNER).where(partner.partner_id == parameter("partner_id")), "partner_id")
        self.own = sql(sa.select(PARTNER).where(partner.state == word("self")))
        self.all = sql(
            sa.select(PARTNER).where(partner.state != word("self")).order_by(partner.name, partner.partner_id)
        )
        self.put = sql.bulk(PartnerRow, replace=True)
        self.cards = sql(
            sa.select(CARD).where(card.partner_id == parameter("partner_id")).order_by(card.sequence), "partner_id"
        )
        self.put_card = sql.bulk(CardRow, replace=True)


class Partners:
    """Implements `node.ports.PartnerStore`."""

    def __init__(self, session: Session, sql: PartnerStatements) -> None:
        self._session = session
        self._sql = sql

    def get(self, partner_id: str) -> PartnerRow | None:
        """The partner of that participant id."""
        return self._session.one(PartnerRow._make, self._sql.get, partner_id)

    def own(self) -> PartnerRow:
        """Our own row. Raises ConfigError when the node has not been set up."""
        found = self._session.one(PartnerRow._make, self._sql.own)
        if found is None:
            raise ConfigError("the store does not know our own company yet", hint="Run `hansa init` first.")
        return found

    def all(self) -> list[PartnerRow]:
        """All partners but ourselves, by name."""
        return self._session.all(PartnerRow._make, self._sql.all)

    def put(self, row: PartnerRow) -> None:
        """Insert or replace by partner_id."""
        self._session.put(self._sql.put, [row])

    def cards(self, partner_id: str) -> list[CardRow]:
        """A partner's cards by sequence."""
        return self._session.all(CardRow._make, self._sql.cards, partner_id)

    def put_card(self, row: CardRow) -> None:
        """Insert or replace by (partner_id, sequence)."""
        self._session.put(self._sql.put_card, [row])
