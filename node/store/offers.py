"""What catalogues say of items, and prices, in the store."""

from __future__ import annotations

import json
from collections.abc import Sequence

import sqlalchemy as sa

from node.core.promise_rows import ItemOfferRow, ItemPriceRow
from node.store.fulfilment_schema import ITEM_OFFER, ITEM_PRICE
from node.store.session import Session
from node.store.statements import Compiler, listed, parameter

__all__ = ["OfferStatements", "Offers"]


class OfferStatements:
    """Compiled once per database."""

    def __init__(self, sql: Compiler) -> None:
        def items() -> sa.TextualSelect:
            return listed(sql.name, "item_keys", "text")

        self.put_offers = sql.bulk(ItemOfferRow, replace=True)
        self.put_prices = sql.bulk(ItemPriceRow, replace=True)
        self.offers = sql(
            sa.select(ITEM_OFFER).where(ITEM_OFFER.c.item_key.in_(items())).order_by(*ITEM_OFFER.primary_key),
            "item_keys",
        )
        self.prices = sql(
            sa.select(ITEM_PRICE).where(ITEM_PRICE.c.item_key.in_(items())).order_by(*ITEM_PRICE.primary_key),
            "item_keys",
        )
        self.of_partner = sql(
            sa.select(ITEM_OFFER.c.item_key)
            .where(ITEM_OFFER.c.partner_id == parameter("of_partner"))
            .order_by(ITEM_OFFER.c.item_key),
            "of_partner",
        )
        self.drop_prices = sql(
            sa.delete(ITEM_PRICE).where(
                ITEM_PRICE.c.partner_id == parameter("of_partner"), ITEM_PRICE.c.item_key.in_(items())
            ),
            *("of_partner", "item_keys"),
        )


class Offers:
    """Implements `node.ports.OfferStore`."""

    def __init__(self, session: Session, sql: OfferStatements) -> None:
        self._session = session
        self._sql = sql

    def offers(self, item_keys: Sequence[str]) -> list[ItemOfferRow]:
        """By item and partner."""
        return self._session.all(ItemOfferRow._make, self._sql.offers, json.dumps([*item_keys]))

    def prices(self, item_keys: Sequence[str]) -> list[ItemPriceRow]:
        """By item, partner, currency and minimum."""
        return self._session.all(ItemPriceRow._make, self._sql.prices, json.dumps([*item_keys]))

    def of_partner(self, partner_id: str) -> list[str]:
        """The keys of the items that a partner offers."""
        return self._session.values(self._sql.of_partner, partner_id)

    def put_offers(self, rows: Sequence[ItemOfferRow]) -> None:
        """Insert or replace by (item_key, partner_id)."""
        self._session.put(self._sql.put_offers, rows)

    def replace_prices(self, partner_id: str, item_keys: Sequence[str], rows: Sequence[ItemPriceRow]) -> None:
        """A partner's prices of these items are `rows` from now on."""
        self._session.run(self._sql.drop_prices, partner_id, json.dumps([*item_keys]))
        self._session.put(self._sql.put_prices, rows)
