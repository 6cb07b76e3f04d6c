"""Documents of both directions in the store, and those that wait for a number."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from itertools import takewhile
from operator import itemgetter
from typing import Any

import sqlalchemy as sa

from node.core.rows import DocumentRow
from node.ports import Identity
from node.store.schema import CONTENT, CONTENT_FIELDS, DOCUMENT, DOCUMENT_COLUMNS, HANDOVER, OPEN, STANDING
from node.store.session import Session
from node.store.settings import Counters
from node.store.statements import Compiler, listed, only_first, parameter, word

__all__ = ["DocumentStatements", "Documents"]

_C = DOCUMENT.c
_WAITING = _C.state == word("waiting")
# The second condition is that of the index, which SQLite does not infer from the first.
_ARRIVED = sa.and_(_WAITING, sa.text(OPEN))
_OF_PARTNER = _C.partner_id == parameter("partner_id")
_LINK = sa.and_(_OF_PARTNER, _C.direction == parameter("direction"))

_ZERO: Any = sa.literal_column("0")

_IDENTITY = (_C.doc_number, _C.type, _C.issuer, _C.unit, _C.series, _C.revision, _C.usage)
_IDENTITY_KINDS = ("text", "text", "text", "text", "text", "bigint", "text")
_FILTERS = ("partner_id", "direction", "type", "number", "before")
_STATES = frozenset({"waiting", "sent", "taken", "refused", "held", "withdrawn"})

_FIELDS = DocumentRow._fields
_content_of = itemgetter(*(_FIELDS.index(column.name) for column in CONTENT.columns))
_state_of = itemgetter(*(place for place, name in enumerate(_FIELDS) if name not in CONTENT_FIELDS))


def _select() -> Any:
    """Whole documents, from both of their tables."""
    return sa.select(*DOCUMENT_COLUMNS).select_from(DOCUMENT.join(CONTENT, CONTENT.c.document_id == _C.document_id))


class DocumentStatements:
    """Compiled once per database."""

    def __init__(self, sql: Compiler) -> None:
        self._sql = sql
        every = _select()
        self.add = sql.bulk(DOCUMENT)
        self.add_content = sql.bulk(CONTENT)
        self.get = sql(every.where(_C.document_id == parameter("document_id")), "document_id")
        ids = listed(sql.name, "document_ids", "bigint")
        self.of_ids = sql(every.where(_C.document_id.in_(ids)), "document_ids")
        self.span = sql(
            every.where(
                _LINK,
                _C.epoch == parameter("epoch"),
                _C.number >= parameter("first"),
                _C.number <= parameter("last"),
            ).order_by(_C.number),
            *("partner_id", "direction", "epoch", "first", "last"),
        )
        self.find = sql(
            every.where(
                _LINK, sa.text(STANDING), sa.tuple_(*_IDENTITY).in_(listed(sql.name, "wanted", *_IDENTITY_KINDS))
            ),
            *("partner_id", "direction", "wanted"),
        )
        self.find_held = sql(
            every.where(
                _LINK,
                _C.state == word("held"),
                sa.tuple_(*_IDENTITY).in_(listed(sql.name, "wanted", *_IDENTITY_KINDS)),
            ),
            *("partner_id", "direction", "wanted"),
        )
        self.held_objects = sql(
            sa.select(_C.object_key)
            .where(_OF_PARTNER, _C.state == word("held"), _C.direction == word("in"))
            .distinct(),
            "partner_id",
        )
        # Nearly all are numbered and taken: these are counted in an index, and the others one by one.
        numbered = sa.select(_C.partner_id, _C.direction, sa.func.count()).where(_C.number.is_not(None))
        self.count_numbered = sql(numbered.group_by(_C.partner_id, _C.direction))
        of_state = (_C.partner_id, _C.direction, _C.state)
        not_taken = sa.select(*of_state, sa.func.count(), sa.func.count(_C.number)).where(sa.text(OPEN))
        self.count_open = sql(not_taken.group_by(*of_state))
        self._of_outbox(sql)
        self._of_changes(sql)
        self._of_erasing(sql)

    def _of_erasing(self, sql: Compiler) -> None:
        """Forgetting what a document said, in both tables, and finding what may be forgotten."""
        ids = listed(sql.name, "document_ids", "bigint")
        content = CONTENT.c
        personal = [(content.personal, sa.null()), (content.personal_salt, parameter("empty"))]
        whole = [*personal, (content.body, sa.null()), (content.salt, parameter("no_salt"))]
        of_ids = sa.update(CONTENT).where(content.document_id.in_(ids))
        self.erase_personal = sql(of_ids.ordered_values(*personal), "empty", "document_ids")
        self.erase = sql(of_ids.ordered_values(*whole), "empty", "no_salt", "document_ids")
        without = sa.update(DOCUMENT).where(_C.document_id.in_(ids))
        self.without_personal = sql(without.ordered_values((_C.personal_bytes, _ZERO)), "document_ids")
        self.without_body = sql(
            without.ordered_values((_C.personal_bytes, _ZERO), (_C.body_bytes, sa.null())), "document_ids"
        )
        there = {False: _C.body_bytes.is_not(None), True: _C.personal_bytes > _ZERO}
        self.erasable = {personal_only: self._erasable(sql, what) for personal_only, what in there.items()}

    def _of_outbox(self, sql: Compiler) -> None:
        """Who waits: by urgency, in the order of arrival, and the old ones."""
        by_urgency = (_C.priority, _C.document_id)
        size = sa.func.coalesce(_C.body_bytes, _ZERO) + _C.personal_bytes
        sized = sa.select(_C.document_id, size, _C.stored_at)
        self.urgent = sql(only_first(sized.where(_WAITING, _OF_PARTNER).order_by(*by_urgency)), "partner_id", "limit")
        arrived = sized.where(_ARRIVED, _OF_PARTNER).order_by(_C.document_id)
        self.first_come = sql(only_first(arrived), "partner_id", "limit")
        one: Any = sa.literal_column("1")
        self.first_waiting = sql(arrived.limit(one).offset(_ZERO), "partner_id")
        counted = sa.select(_C.document_id).where(_ARRIVED, _OF_PARTNER).limit(parameter("limit")).offset(_ZERO)
        self.count_waiting = sql(sa.select(sa.func.count()).select_from(counted.subquery()), "partner_id", "limit")
        # From one partner to the next, each found at once: DISTINCT would look at every waiting document. The order is
        # that of the index on urgency, and so decides for it.
        waiting = sa.select(_C.partner_id).where(_WAITING).order_by(_C.partner_id, *by_urgency)
        first = sa.select(waiting.limit(one).offset(_ZERO).scalar_subquery().label("who")).cte(
            "waiting", recursive=True
        )
        following = waiting.where(_C.partner_id > first.c.who).limit(one).offset(_ZERO).scalar_subquery()
        chain = first.union_all(sa.select(following).where(first.c.who.is_not(None)))
        self.waiting_partners = sql(sa.select(chain.c.who).where(chain.c.who.is_not(None)))

    def _of_changes(self, sql: Compiler) -> None:
        """Giving numbers and saying what became of documents."""
        of_id = _C.document_id == parameter("id")
        self.number = sql(
            sa.update(DOCUMENT)
            .ordered_values(
                (_C.epoch, parameter("to_epoch")),
                (_C.number, _C.document_id + parameter("ahead")),
                (_C.state, word("sent")),
            )
            .where(_C.document_id >= parameter("first"), _C.document_id <= parameter("last")),
            *("to_epoch", "ahead", "first", "last"),
        )
        self.set_outcomes = sql(
            sa.update(DOCUMENT)
            .ordered_values((_C.state, parameter("to_state")), (_C.reasons, parameter("to_reasons")))
            .where(of_id),
            *("to_state", "to_reasons", "id"),
        )
        self.set_duplicate = sql(
            sa.update(DOCUMENT).ordered_values((_C.duplicate_of, parameter("of_id"))).where(of_id), *("of_id", "id")
        )
        self.take_sent = sql(
            sa.update(DOCUMENT)
            .ordered_values((_C.state, word("taken")))
            .where(
                _C.partner_id == parameter("of_partner"),
                _C.direction == word("out"),
                _C.epoch == parameter("of_epoch"),
                _C.number > parameter("after"),
                _C.number <= parameter("through"),
                _C.state == word("sent"),
            ),
            *("of_partner", "of_epoch", "after", "through"),
        )

    @staticmethod
    def _erasable(sql: Compiler, there: Any) -> str:
        handover = HANDOVER.c
        open_states = sa.or_(handover.state == word("waiting"), handover.state == word("failed"))
        unposted = sa.exists().where(handover.document_id == _C.document_id, open_states)
        query = sa.select(_C.document_id).where(
            there,
            _C.type.in_(listed(sql.name, "types", "text")),
            _C.stored_at < parameter("stored_before"),
            *(_C.state != word(state) for state in ("waiting", "sent", "held")),
            ~unposted,
        )
        return sql(only_first(query), "types", "stored_before", "limit")

    def search(self, names: Sequence[str], state: str | None) -> str:
        """The query by those of the filters that are given."""

        def build() -> tuple[Any, Sequence[str]]:
            columns = {"number": _C.doc_number, "before": _C.document_id}
            query = sa.select(_C.document_id)
            for name in names:
                column = columns.get(name, _C.get(name))
                given = parameter(f"of_{name}")
                query = query.where(column < given if name == "before" else column == given)
            if state is not None:
                query = query.where(_C.state == word(state))
            # Ids first, so that documents are not carried through a sort only to be left out.
            found = only_first(query.order_by(_C.document_id.desc()))
            whole = _select().where(_C.document_id.in_(found)).order_by(_C.document_id.desc())
            return whole, [*(f"of_{name}" for name in names), "limit"]

        return self._sql.keep((DocumentRow, tuple(names), state), build)


def _sized(row: Iterable[Any]) -> tuple[int, int, int]:
    document_id, size, stored_at = row
    return document_id, size, stored_at


def _runs(numbered: Sequence[tuple[int, int, int]]) -> Iterator[tuple[int, int, int, int]]:
    """(epoch, number - id, first id, last id) of documents whose ids follow each other as their numbers do."""
    run: tuple[int, int, int, int] | None = None
    for epoch, number, document_id in numbered:
        if run is not None and run[:2] == (epoch, number - document_id) and run[3] + 1 == document_id:
            run = (*run[:3], document_id)
            continue
        if run is not None:
            yield run
        run = (epoch, number - document_id, document_id, document_id)
    if run is not None:
        yield run


class Documents:
    """Implements `node.ports.DocumentStore`."""

    def __init__(self, session: Session, sql: DocumentStatements, counters: Counters) -> None:
        self._session = session
        self._sql = sql
        self._counters = counters

    def next_ids(self, count: int) -> int:
        """Reserve `count` document ids and return the first."""
        return self._counters.reserve("document", count)

    def add(self, rows: Sequence[DocumentRow]) -> None:
        """Add documents. Raises HansaError when a number or a standing business identity is there already."""
        sizes = [(None if row.body is None else len(row.body), len(row.personal or b"")) for row in rows]
        self._session.put(self._sql.add, [_state_of(row) + size for row, size in zip(rows, sizes, strict=True)])
        self._session.put(self._sql.add_content, list(map(_content_of, rows)))

    def get(self, document_id: int) -> DocumentRow | None:
        """The document of that id."""
        return self._session.one(DocumentRow._make, self._sql.get, document_id)

    def waiting(self, partner_id: str, limit: int, bytes_max: int, aged_before: int) -> list[DocumentRow]:
        """Documents without a number, by priority, then id; but the first to come go first when they are old.

        Old is what was stored before `aged_before`. At most `limit`, and as many of them as have `bytes_max` bytes,
        but one at least.
        """
        chosen: list[int] = []
        room = bytes_max
        for document_id, size, _ in self._in_order(partner_id, limit, aged_before):
            room -= size
            if room < 0 and chosen:
                break
            chosen.append(document_id)
        if not chosen:
            return []
        rows = self._session.all(DocumentRow._make, self._sql.of_ids, json.dumps(chosen))
        found = {row.document_id: row for row in rows}
        return [found[document_id] for document_id in chosen]

    def _in_order(self, partner_id: str, limit: int, aged_before: int) -> list[tuple[int, int, int]]:
        """Id, size in bytes, and instant of storing of those who wait, in the order in which they may go."""
        run, sql = self._session.all, self._sql
        urgent = run(_sized, sql.urgent, partner_id, limit)
        first = self._session.one(_sized, sql.first_waiting, partner_id) if urgent else None
        if first is None or first[2] >= aged_before:
            return urgent
        # A partner was away, or urgent ones left others no room.
        come = run(_sized, sql.first_come, partner_id, limit)
        old = list(takewhile(lambda one: one[2] < aged_before, come))
        ids = {one[0] for one in old}
        return (old + [one for one in urgent if one[0] not in ids])[:limit]

    def first_waiting(self, partner_id: str) -> int | None:
        """The lowest id of those that wait for a partner, None where nothing waits; found at once."""
        return next(iter(self._session.values(self._sql.first_waiting, partner_id)), None)

    def count_waiting(self, partner_id: str, most: int) -> int:
        """How many wait for a partner, counted up to `most`: it takes as long as there are many."""
        count: int = self._session.values(self._sql.count_waiting, partner_id, most)[0]
        return count

    def waiting_partners(self) -> list[str]:
        """Partners for whom documents wait for a number."""
        return self._session.values(self._sql.waiting_partners)

    def number(self, numbered: Sequence[tuple[int, int, int]]) -> None:
        """Give numbers: (epoch, number, document_id); the state becomes "sent"."""
        self._session.run_many(self._sql.number, list(_runs(numbered)))

    def span(self, partner_id: str, direction: str, epoch: int, first: int, last: int) -> list[DocumentRow]:
        """Documents first..last of a link, by number."""
        return self._session.all(DocumentRow._make, self._sql.span, partner_id, direction, epoch, first, last)

    def find(self, partner_id: str, direction: str, identities: Sequence[Identity]) -> dict[Identity, DocumentRow]:
        """The document of each identity that has one standing: waiting, sent or taken, and no duplicate.

        Of our own documents also one that the partner holds: it may still be taken.
        """
        if not identities:
            return {}
        wanted = json.dumps(
            [(of.number, of.type, of.issuer, of.unit, of.series, of.revision, of.usage) for of in identities]
        )
        rows = self._session.all(DocumentRow._make, self._sql.find, partner_id, direction, wanted)
        if direction == "out":
            rows = self._session.all(DocumentRow._make, self._sql.find_held, partner_id, direction, wanted) + rows
        return {
            Identity(row.issuer, row.unit, row.type, row.doc_number, row.series, row.revision, row.usage): row
            for row in rows
        }

    def set_outcomes(self, outcomes: Sequence[tuple[str, str, int]]) -> None:
        """Set (state, reasons, document_id)."""
        self._session.run_many(self._sql.set_outcomes, outcomes)

    def set_duplicate(self, document_id: int, duplicate_of: int) -> None:
        """Say that a document only repeats another one, which stands for both."""
        self._session.run(self._sql.set_duplicate, duplicate_of, document_id)

    def take_sent(self, partner_id: str, epoch: int, through: int, after: int) -> None:
        """Set state "taken" on our sent documents with after < number <= through that still stand as "sent"."""
        self._session.run(self._sql.take_sent, partner_id, epoch, after, through)

    def held_objects(self, partner_id: str) -> set[str]:
        """Object keys of received documents that are held."""
        return set(self._session.values(self._sql.held_objects, partner_id))

    def counts(self) -> list[tuple[str, str, str, int]]:
        """(partner_id, direction, state, count) over all documents."""
        session, sql = self._session, self._sql
        counts: dict[tuple[str, str, str], int] = {}
        for partner_id, direction, count in session.all(tuple, sql.count_numbered):
            counts[partner_id, direction, "taken"] = count
        for partner_id, direction, state, count, numbered in session.all(tuple, sql.count_open):
            counts[partner_id, direction, state] = count
            if numbered:
                counts[partner_id, direction, "taken"] -= numbered
        return sorted((*key, count) for key, count in counts.items() if count)

    def erase(self, document_ids: Sequence[int], *, personal_only: bool) -> None:
        """Forget bytes and salts; the leaf stays, so the chain still verifies."""
        wanted = json.dumps([*document_ids])
        if personal_only:
            self._session.run(self._sql.erase_personal, b"", wanted)
            self._session.run(self._sql.without_personal, wanted)
        else:
            self._session.run(self._sql.erase, b"", b"", wanted)
            self._session.run(self._sql.without_body, wanted)

    def erasable(self, types: Sequence[str], stored_before: int, *, personal_only: bool, limit: int) -> list[int]:
        """Ids of documents of these types stored before, not yet erased, and done with here.

        Not those that wait, are sent or held, or still have to go into our own system.
        """
        return self._session.values(self._sql.erasable[personal_only], json.dumps([*types]), stored_before, limit)

    def search(
        self,
        *,
        partner_id: str | None = None,
        direction: str | None = None,
        type: str | None = None,
        state: str | None = None,
        number: str | None = None,
        before: int | None = None,
        limit: int = 50,
    ) -> list[DocumentRow]:
        """Newest first; `before` is a document id for paging."""
        if state is not None and state not in _STATES:
            return []
        filters = zip(_FILTERS, (partner_id, direction, type, number, before), strict=True)
        given = {name: value for name, value in filters if value is not None}
        return self._session.all(DocumentRow._make, self._sql.search([*given], state), *given.values(), limit)
