"""Our own stock and what partners share of theirs in the store, with other names of items and replenishment rules."""

from __future__ import annotations

import json
from collections.abc import Sequence
from operator import itemgetter
from typing import Any

import sqlalchemy as sa

from node.core.rows import AliasRow, OwnStockRow, ReplenishmentRuleRow, SnapshotRow, StockRow
from node.store.schema import ALIAS, OWN_STOCK, RULE, SNAPSHOT, STOCK
from node.store.session import Session
from node.store.settings import Counters
from node.store.statements import Compiler, listed, only_first, parameter, word

__all__ = ["Stock", "StockStatements"]

_C = STOCK.c
_O = OWN_STOCK.c
_ITEM = itemgetter(0)
_AS_OWN = itemgetter(*map(StockRow._fields.index, OwnStockRow._fields))
"""A row of ours without what is the same in all of them, in the order of `OwnStockRow`."""


def _as_stock() -> list[Any]:
    """The columns of `own_stock` in the order of `StockRow`, with what is the same in all of them."""
    same: dict[str, Any] = {
        "partner_id": sa.literal_column("''", sa.Text()),
        "snapshot": sa.literal_column("0", sa.BigInteger()),
        "exposed": sa.literal_column("0", sa.BigInteger()),
    }
    return [same[name].label(name) if name in same else _O[name] for name in StockRow._fields]


class StockStatements:
    """Compiled once per database."""

    def __init__(self, sql: Compiler) -> None:
        self.put = sql.bulk(StockRow, replace=True)
        of_snapshot = sa.and_(SNAPSHOT.c.partner_id == _C.partner_id, SNAPSHOT.c.snapshot == _C.snapshot)
        current = sa.exists().where(of_snapshot, SNAPSHOT.c.state == word("current"))
        by_key = list(STOCK.primary_key)  # the order in which they lie: nothing is sorted
        figures = sa.select(STOCK).where(current).order_by(*by_key)
        self.figure = sql(figures.where(_C.item_key == parameter("of_item")), "of_item")
        self.figures = sql(figures.where(_C.item_key.in_(listed(sql.name, "item_keys", "text"))), "item_keys")
        self.count = sql(
            sa.select(sa.func.count()).select_from(STOCK).where(current, _C.partner_id == parameter("of_partner")),
            "of_partner",
        )
        theirs = (current, _C.partner_id == parameter("of_partner"), _C.location == parameter("at"))
        self.place = sql(only_first(sa.select(_C.location).where(*theirs)), "of_partner", "at", "limit")
        self._of_ours(sql)
        self._of_snapshots(sql)
        self._of_items(sql)

    def _of_ours(self, sql: Compiler) -> None:
        key = ["item_key", "location", "pool", "status"]
        self.put_own = sql.bulk(OwnStockRow, replace=True, by=key)
        own = sa.select(*_as_stock())
        figures = own.order_by(*(_O[name] for name in key))
        self.own_figure = sql(figures.where(_O.item_key == parameter("of_item")), "of_item")
        self.own_figures = sql(figures.where(_O.item_key.in_(listed(sql.name, "item_keys", "text"))), "item_keys")
        self.own_count = sql(sa.select(sa.func.count()).select_from(OWN_STOCK))
        self.own_place = sql(only_first(sa.select(_O.location).where(_O.location == parameter("at"))), "at", "limit")
        changed = own.where(_O.change > parameter("after")).order_by(_O.change)
        self.own_changed = sql(only_first(changed), "after", "limit")

    def _of_snapshots(self, sql: Compiler) -> None:
        snapshot = SNAPSHOT.c
        of_partner = sa.select(SNAPSHOT).where(snapshot.partner_id == parameter("partner_id"))
        newest = snapshot.snapshot.desc()
        self.current_snapshot = sql(of_partner.where(snapshot.state == word("current")), "partner_id")
        self.snapshot_named = sql(
            of_partner.where(snapshot.name == parameter("name")).order_by(newest), "partner_id", "name"
        )
        self.put_snapshot = sql.bulk(SnapshotRow, replace=True)
        self.retire = sql(
            sa.update(SNAPSHOT)
            .ordered_values((snapshot.state, word("old")))
            .where(
                snapshot.partner_id == parameter("of_partner"),
                snapshot.state == word("current"),
                snapshot.snapshot != parameter("of_snapshot"),
            ),
            *("of_partner", "of_snapshot"),
        )
        self.old_snapshots = sql(
            sa.select(snapshot.partner_id, snapshot.snapshot)
            .where(snapshot.state == word("old"))
            .order_by(snapshot.partner_id, snapshot.snapshot)
        )
        key = [_C.item_key, _C.partner_id, _C.snapshot, _C.location, _C.pool, _C.status]
        some = sa.select(*key).where(_C.partner_id == parameter("of_partner"), _C.snapshot == parameter("of_snapshot"))
        self.drop = sql(
            sa.delete(STOCK).where(sa.tuple_(*key).in_(only_first(some))), "of_partner", "of_snapshot", "limit"
        )
        self.forget = sql(
            sa.delete(SNAPSHOT).where(
                snapshot.partner_id == parameter("of_partner"), snapshot.snapshot == parameter("of_snapshot")
            ),
            *("of_partner", "of_snapshot"),
        )

    def _of_items(self, sql: Compiler) -> None:
        self.put_aliases = sql.bulk(AliasRow, replace=True)
        self.aliases = sql(
            sa.select(ALIAS)
            .where(
                sa.or_(
                    ALIAS.c.alias.in_(listed(sql.name, "names", "text")),
                    ALIAS.c.item_number.in_(listed(sql.name, "names_again", "text")),
                )
            )
            .order_by(ALIAS.c.alias, ALIAS.c.item_number, ALIAS.c.partner_id),
            *("names", "names_again"),
        )
        self.put_rules = sql.bulk(ReplenishmentRuleRow, replace=True)
        self.rules = sql(
            sa.select(RULE)
            .where(RULE.c.item_key.in_(listed(sql.name, "item_keys", "text")))
            .order_by(RULE.c.item_key, RULE.c.location),
            "item_keys",
        )


class Stock:
    """Implements `node.ports.StockStore`."""

    def __init__(self, session: Session, sql: StockStatements, counters: Counters) -> None:
        self._session = session
        self._sql = sql
        self._counters = counters

    def put(self, rows: Sequence[StockRow]) -> None:
        """Insert or replace by (item_key, partner_id, snapshot, location, pool, status); ours have a `change`."""
        ours = [_AS_OWN(row) for row in rows if not row[1]]
        if ours:
            self._session.put(self._sql.put_own, ours)
        if len(ours) < len(rows):
            self._session.put(self._sql.put, [row for row in rows if row[1]] if ours else rows)

    def own_figures(self, item_keys: Sequence[str]) -> list[StockRow]:
        """Our own rows of these items, by item."""
        if len(item_keys) == 1:
            return self._session.all(StockRow._make, self._sql.own_figure, item_keys[0])
        return self._session.all(StockRow._make, self._sql.own_figures, json.dumps([*item_keys]))

    def figures(self, item_keys: Sequence[str]) -> list[StockRow]:
        """Rows in force (our own, and of each partner's current snapshot) of these items, by item and partner."""
        every, make = self._session.all, StockRow._make
        if len(item_keys) == 1:
            (key,) = item_keys
            return every(make, self._sql.own_figure, key) + every(make, self._sql.figure, key)
        wanted = json.dumps([*item_keys])
        ours, theirs = every(make, self._sql.own_figures, wanted), every(make, self._sql.figures, wanted)
        return sorted(ours + theirs, key=_ITEM) if ours and theirs else ours or theirs

    def own_changed(self, after: int, limit: int) -> list[StockRow]:
        """Our own rows with change > after, by change."""
        return self._session.all(StockRow._make, self._sql.own_changed, after, limit)

    def next_changes(self, count: int) -> int:
        """Reserve `count` change numbers and return the first."""
        return self._counters.reserve("change", count)

    def last_change(self) -> int:
        """The last change number given; 0 before the first."""
        return self._counters.last("change")

    def current_snapshot(self, partner_id: str) -> SnapshotRow | None:
        """The snapshot of the partner's stock that is in force."""
        return self._session.one(SnapshotRow._make, self._sql.current_snapshot, partner_id)

    def snapshot_named(self, partner_id: str, name: str) -> SnapshotRow | None:
        """The newest snapshot of that name, unless it is old and all its rows have been dropped."""
        return self._session.one(SnapshotRow._make, self._sql.snapshot_named, partner_id, name)

    def put_snapshot(self, row: SnapshotRow) -> None:
        """Insert or replace by (partner_id, snapshot); one that becomes current makes the one before it old."""
        if row.state == "current":
            self._session.run(self._sql.retire, row.partner_id, row.snapshot)
        self._session.put(self._sql.put_snapshot, [row])

    def drop_old(self, limit: int) -> int:
        """Delete at most `limit` rows of old snapshots, and snapshots without any; returns how many rows went."""
        gone = 0
        for partner_id, snapshot in self._session.all(tuple, self._sql.old_snapshots):
            if gone >= limit:
                break
            left = limit - gone
            went = self._session.run(self._sql.drop, partner_id, snapshot, left)
            gone += went
            if went < left:
                self._session.run(self._sql.forget, partner_id, snapshot)
        return gone

    def count(self, partner_id: str) -> int:
        """Rows in force of a partner, or of ourselves ("")."""
        values = self._session.values
        found = values(self._sql.count, partner_id) if partner_id else values(self._sql.own_count)
        count: int = found[0]
        return count

    def has_place(self, partner_id: str, location: str) -> bool:
        """Whether any figure in force is told of a place of a partner, or of ours ("")."""
        values, sql = self._session.values, self._sql
        return bool(values(sql.place, partner_id, location, 1) if partner_id else values(sql.own_place, location, 1))

    def put_aliases(self, rows: Sequence[AliasRow]) -> None:
        """Add names that are not there yet."""
        self._session.put(self._sql.put_aliases, rows)

    def aliases(self, names: Sequence[str]) -> list[AliasRow]:
        """Rows whose alias or item_number is one of `names`."""
        wanted = json.dumps([*names])
        return self._session.all(AliasRow._make, self._sql.aliases, wanted, wanted)

    def put_rules(self, rows: Sequence[ReplenishmentRuleRow]) -> None:
        """Insert or replace by (item_key, location)."""
        self._session.put(self._sql.put_rules, rows)

    def rules(self, item_keys: Sequence[str]) -> list[ReplenishmentRuleRow]:
        """Rules of these items, by item and location."""
        return self._session.all(ReplenishmentRuleRow._make, self._sql.rules, json.dumps([*item_keys]))
