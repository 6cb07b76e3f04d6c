"""Documents, links, partners and hand-overs in the store, on both engines."""

from __future__ import annotations

from itertools import takewhile
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from node.core.rows import CardRow, DocumentRow, HandoverRow, HeadRow, LinkRow, PartnerRow, ReceiptRow
from node.errors import ConfigError, HansaError
from node.ports import Identity, Transaction
from node.store.database import Database, open_store

ANNA = "0088:4012345000009"
BERT = "0088:4000001000005"
BYTES = len(b"body\x00\xff")


def partner(partner_id: str, name: str, state: str = "confirmed", **fields: Any) -> PartnerRow:
    row = PartnerRow(partner_id, name, state, "TEST", None, None, None, None, "{}", "", 1)
    return row._replace(**fields)


def document(document_id: int, **fields: Any) -> DocumentRow:
    row = DocumentRow(
        document_id,
        ANNA,
        "out",
        None,
        None,
        "Order",
        ANNA,
        "",
        f"PO-{document_id}",
        "2026",
        0,
        "TEST",
        "waiting",
        None,
        5,
        f"order:PO-{document_id}",
        b"salt",
        b"body\x00\xff",
        b"",
        None,
        b"leaf",
        "[]",
        1_000 + document_id,
        None,
    )
    return row._replace(**fields)


def received(document_id: int, number: int, **fields: Any) -> DocumentRow:
    given: dict[str, Any] = {"direction": "in", "epoch": 1, "number": number, "state": "taken", **fields}
    return document(document_id, **given)


def ids(rows: list[DocumentRow]) -> list[int]:
    return [row.document_id for row in rows]


def test_partners_and_cards(store: Database) -> None:
    with pytest.raises(ConfigError, match="own company"):
        store.read(lambda tx: tx.partners.own())
    us, anna, bert = partner("0088:1", "We", "self"), partner(ANNA, "Anna"), partner(BERT, "Bert")

    def put(tx: Transaction) -> None:
        for row in (bert, anna, us):
            tx.partners.put(row)
        tx.partners.put(anna._replace(last_seen_at=7))
        for sequence in (2, 1):
            tx.partners.put_card(CardRow(ANNA, sequence, b"signed", b"hash", 0, b"", 5))
        tx.partners.put_card(CardRow(ANNA, 1, b"signed", b"hash", 3, b"yes", 5))

    store.write(put)
    assert store.read(lambda tx: tx.partners.own()) == us
    assert store.read(lambda tx: tx.partners.all()) == [anna._replace(last_seen_at=7), bert]
    assert store.read(lambda tx: tx.partners.get(BERT)) == bert
    assert store.read(lambda tx: tx.partners.get("0088:0")) is None
    cards = store.read(lambda tx: tx.partners.cards(ANNA))
    assert cards == [
        CardRow(ANNA, 1, b"signed", b"hash", 3, b"yes", 5),
        CardRow(ANNA, 2, b"signed", b"hash", 0, b"", 5),
    ]
    with pytest.raises(HansaError, match="rules"):
        store.write(lambda tx: tx.partners.put(partner("0088:2", "Also we", "self")))
    with pytest.raises(HansaError, match="rules"):
        store.write(lambda tx: tx.partners.put(partner("0088:3", "Odd", "friend")))


def test_links_heads_and_receipts(store: Database) -> None:
    link = LinkRow(ANNA, "out", b"id", 1, 0, b"c0", 0, 0, b"", 1, 0, "open", "")
    heads = [HeadRow(ANNA, "out", 1, number, b"c%d" % number, b"head", b"sig") for number in (3, 7, 9)]
    receipts = [ReceiptRow(ANNA, "in", 1, sequence, 9, b"body", b"sig", b"sha", 5) for sequence in (1, 2, 3)]

    def put(tx: Transaction) -> None:
        tx.links.put(link)
        tx.links.put(link._replace(direction="in"))
        tx.links.put(link._replace(number=9))
        for head in heads:
            tx.links.add_head(head)
        for receipt in receipts:
            tx.links.add_receipt(receipt)

    store.write(put)
    assert store.read(lambda tx: tx.links.get(ANNA, "out")) == link._replace(number=9)
    assert store.read(lambda tx: tx.links.get(BERT, "out")) is None
    assert [row.direction for row in store.read(lambda tx: tx.links.all())] == ["in", "out"]
    assert store.read(lambda tx: tx.links.head_at(ANNA, "out", 1, 7)) == heads[1]
    assert store.read(lambda tx: tx.links.head_at(ANNA, "out", 1, 8)) is None
    assert store.read(lambda tx: tx.links.heads_after(ANNA, "out", 1, 3, 1)) == heads[1:2]
    assert store.read(lambda tx: tx.links.heads_after(ANNA, "out", 2, 0, 9)) == []
    assert store.read(lambda tx: tx.links.receipt_at(ANNA, "in", 1, 2)) == receipts[1]
    assert store.read(lambda tx: tx.links.receipts_after(ANNA, "in", 1, 1, 9)) == receipts[1:]
    with pytest.raises(HansaError, match="rules"):
        store.write(lambda tx: tx.links.add_receipt(receipts[0]))


def test_a_head_may_be_signed_again_but_never_for_another_chain(store: Database) -> None:
    head = HeadRow(ANNA, "out", 1, 3, b"chain", b"head", b"old key")
    store.write(lambda tx: tx.links.add_head(head))
    store.write(lambda tx: tx.links.add_head(head._replace(signature=b"new key")))
    with pytest.raises(HansaError, match="two different heads"):
        store.write(lambda tx: tx.links.add_head(head._replace(chain=b"other", signature=b"lie")))
    assert store.read(lambda tx: tx.links.head_at(ANNA, "out", 1, 3)) == head._replace(signature=b"new key")


def test_ids_only_grow(store: Database) -> None:
    assert store.write(lambda tx: tx.documents.next_ids(5)) == 1
    assert store.write(lambda tx: tx.documents.next_ids(1)) == 6
    assert store.write(lambda tx: tx.orders.next_ids(3)) == 1
    assert store.write(lambda tx: (tx.stock.next_changes(2), tx.stock.last_change())) == (1, 2)
    with pytest.raises(ValueError, match="reserve"):
        store.write(lambda tx: tx.documents.next_ids(0))


@pytest.mark.parametrize("count", [1, 4, 5, 20, 47])
def test_documents_come_back_as_they_went(store: Database, count: int) -> None:
    rows = [
        document(number, personal=b"p" if number % 2 else None, valid_until=number) for number in range(1, count + 1)
    ]
    store.write(lambda tx: tx.documents.add(rows))
    assert store.read(lambda tx: [tx.documents.get(row.document_id) for row in rows]) == rows
    assert store.read(lambda tx: tx.documents.get(0)) is None
    store.write(lambda tx: tx.documents.add([]))


def test_numbers_and_receipts(store: Database) -> None:
    rows = [document(number) for number in range(1, 7)]

    def run(tx: Transaction) -> None:
        tx.documents.add(rows)
        tx.documents.number([(1, number, 7 - number) for number in range(1, 6)])
        tx.documents.set_outcomes([("refused", '[{"code":"x"}]', 5)])
        tx.documents.take_sent(ANNA, 1, 4, 1)

    store.write(run)
    span = store.read(lambda tx: tx.documents.span(ANNA, "out", 1, 1, 4))
    assert [(row.number, row.document_id, row.state) for row in span] == [
        (1, 6, "sent"),
        (2, 5, "refused"),
        (3, 4, "taken"),
        (4, 3, "taken"),
    ]
    assert span[1].reasons == '[{"code":"x"}]'
    assert store.read(lambda tx: tx.documents.waiting_partners()) == [ANNA]
    store.write(lambda tx: tx.documents.add([document(8, partner_id=BERT), document(9, partner_id="0088:9")]))
    assert store.read(lambda tx: tx.documents.waiting_partners()) == [BERT, ANNA, "0088:9"]
    assert ids(store.read(lambda tx: tx.documents.waiting(ANNA, 9, 99, 0))) == [1]
    assert store.read(lambda tx: tx.documents.counts()) == [
        (BERT, "out", "waiting", 1),
        (ANNA, "out", "refused", 1),
        (ANNA, "out", "sent", 2),
        (ANNA, "out", "taken", 2),
        (ANNA, "out", "waiting", 1),
        ("0088:9", "out", "waiting", 1),
    ]
    with pytest.raises(HansaError, match="rules"):
        store.write(lambda tx: tx.documents.number([(1, 3, 1)]))
    store.write(lambda tx: tx.documents.number([]))


def test_one_document_stands_for_an_identity(store: Database) -> None:
    first = received(1, 1, doc_number="A")
    asked = Identity(ANNA, "", "Order", "A", "2026", 0, "TEST")
    store.write(lambda tx: tx.documents.add([first, received(2, 2, doc_number="A", duplicate_of=1)]))
    with pytest.raises(HansaError, match="rules"):
        store.write(lambda tx: tx.documents.add([received(3, 3, doc_number="A")]))
    others = [
        received(4, 4, doc_number="A", state="refused"),
        received(5, 5, doc_number="A", revision=1),
        received(6, 6, doc_number="A", partner_id=BERT),
        document(7, doc_number="A"),
        received(8, 8, doc_number="A", state="held"),
    ]
    store.write(lambda tx: tx.documents.add(others))
    wanted = [asked, asked._replace(revision=1), asked._replace(number="B"), asked._replace(unit="x")]
    found = store.read(lambda tx: tx.documents.find(ANNA, "in", wanted))
    assert {key: row.document_id for key, row in found.items()} == {asked: 1, asked._replace(revision=1): 5}
    assert found[asked] == first
    assert store.read(lambda tx: tx.documents.find(ANNA, "in", [])) == {}
    store.write(lambda tx: tx.documents.set_outcomes([("refused", "[]", 1)]))
    assert store.read(lambda tx: tx.documents.find(ANNA, "in", [asked])) == {}


def test_a_number_is_given_once(store: Database) -> None:
    store.write(lambda tx: tx.documents.add([received(1, 1)]))
    with pytest.raises(HansaError, match="rules"):
        store.write(lambda tx: tx.documents.add([received(2, 1)]))
    store.write(lambda tx: tx.documents.add([received(2, 1, epoch=2), received(3, 1, partner_id=BERT)]))
    for wrong in ({"state": "sent"}, {"epoch": 1}, {"state": "lost"}, {"direction": "up"}, {"usage": "LIVE"}):
        with pytest.raises(HansaError, match="rules"):
            store.write(lambda tx, wrong=wrong: tx.documents.add([document(9, **wrong)]))  # type: ignore[misc]


def test_how_many_wait_for_a_partner(store: Database) -> None:
    def told(partner_id: str) -> tuple[int | None, list[int]]:
        def ask(tx: Transaction) -> tuple[int | None, list[int]]:
            counts = [tx.documents.count_waiting(partner_id, most) for most in (0, 1, 3, 4, 9)]
            return tx.documents.first_waiting(partner_id), counts

        return store.read(ask)

    assert told(ANNA) == (None, [0] * 5)
    theirs = [document(place, partner_id=BERT) for place in (2, 5)]
    gone = [document(place, state="withdrawn") for place in (1, 6)]
    store.write(lambda tx: tx.documents.add([*theirs, *gone, *(document(place) for place in (3, 4, 7, 8))]))
    assert told(ANNA) == (3, [0, 1, 3, 4, 4])
    assert told(BERT) == (2, [0, 1, 2, 2, 2])


def test_held_objects_and_search(store: Database) -> None:
    rows = [
        received(1, 1, state="held", object_key="order:1"),
        received(2, 2, state="held", object_key="order:1"),
        received(3, 3, object_key="order:2"),
        received(4, 1, state="held", object_key="order:4", partner_id=BERT),
        document(5, type="Invoice"),
        document(6),
    ]
    store.write(lambda tx: tx.documents.add(rows))
    assert store.read(lambda tx: tx.documents.held_objects(ANNA)) == {"order:1"}

    def searched(**filters: Any) -> list[int]:
        return ids(store.read(lambda tx: tx.documents.search(**filters)))

    assert searched() == [6, 5, 4, 3, 2, 1]
    assert searched(limit=2, before=5) == [4, 3]
    assert searched(partner_id=BERT) == [4]
    assert searched(state="held", direction="in", partner_id=ANNA) == [2, 1]
    assert searched(type="Invoice") == [5]
    assert searched(number="PO-3") == [3]
    assert searched(state="lost' OR 1=1 --") == []


def test_erasing_keeps_the_leaf(store: Database) -> None:
    rows = [
        received(1, 1, personal=b"name", personal_salt=b"ps"),
        received(2, 2, type="Invoice"),
        received(3, 3, state="held"),
        received(4, 4, personal=b"name"),
        document(5),
    ]
    store.write(lambda tx: tx.documents.add(rows))

    def erasable(types: list[str], before: int, *, personal: bool = False, limit: int = 9) -> list[int]:
        return sorted(store.read(lambda tx: tx.documents.erasable(types, before, personal_only=personal, limit=limit)))

    assert erasable(["Order"], 2_000) == [1, 4]
    assert len(erasable(["Order", "Invoice"], 2_000, limit=2)) == 2
    assert erasable(["Order"], 1_001) == []
    assert erasable(["Order", "Invoice"], 2_000, personal=True) == [1, 4]
    store.write(lambda tx: tx.documents.erase([1], personal_only=True))
    assert erasable(["Order"], 2_000, personal=True) == [4]
    row = store.read(lambda tx: tx.documents.get(1))
    assert row == rows[0]._replace(personal=None, personal_salt=b"")
    store.write(lambda tx: tx.documents.erase([1, 2], personal_only=False))
    assert store.read(lambda tx: tx.documents.get(2)) == rows[1]._replace(body=None, salt=b"")
    assert erasable(["Order", "Invoice"], 2_000) == [4]


def test_handovers(store: Database) -> None:
    documents = [received(number, number) for number in range(1, 8)]
    rows = [HandoverRow(number, "Order", "waiting", 0, 10, "", "", None) for number in range(1, 8)]
    rows[1] = rows[1]._replace(next_at=99)
    rows[2] = rows[2]._replace(type="Invoice")

    def put(tx: Transaction) -> None:
        tx.documents.add(documents)
        tx.handovers.add(rows)
        tx.handovers.put(rows[6]._replace(state="failed", error="no such item"))
        tx.handovers.put(rows[5]._replace(state="posted", reference="4711", posted_at=11))

    store.write(put)
    due = store.read(lambda tx: tx.handovers.due(10, ["Order"], "TEST", 0, 9))
    assert [row.document_id for row in due] == [1, 4, 5]
    both = ["Order", "Invoice"]
    assert [row.document_id for row in store.read(lambda tx: tx.handovers.due(10, both, "TEST", 0, 2))] == [1, 3]
    assert [row.document_id for row in store.read(lambda tx: tx.handovers.due(10, both, "TEST", 3, 2))] == [4, 5]
    assert store.read(lambda tx: tx.handovers.due(9, ["Order"], "TEST", 0, 9)) == []
    assert store.read(lambda tx: tx.handovers.due(10, ["Order"], "PRODUCTION", 0, 9)) == []
    assert store.read(lambda tx: tx.handovers.not_yet(10)) == [
        (row.partner_id, row.object_key, row.document_id) for row in (documents[1], documents[6])
    ]
    assert store.read(lambda tx: tx.handovers.get(6)) == rows[5]._replace(
        state="posted", reference="4711", posted_at=11
    )
    assert [row.document_id for row in store.read(lambda tx: tx.handovers.failed(9))] == [7]
    assert store.read(lambda tx: tx.handovers.counts()) == {"waiting": 5, "posted": 1, "failed": 1}
    with pytest.raises(HansaError, match="rules"):
        store.write(lambda tx: tx.handovers.add([rows[0]._replace(document_id=99)]))


def model_of_waiting(rows: list[DocumentRow], limit: int, aged_before: int) -> list[int]:
    """What the contract says, word by word."""
    come = sorted(rows, key=lambda row: row.document_id)
    old = list(takewhile(lambda row: row.stored_at < aged_before, come))
    others = sorted(come[len(old) :], key=lambda row: (row.priority, row.document_id))
    return ids((old + others)[:limit])


@given(
    waiting=st.lists(st.tuples(st.integers(0, 3), st.integers(0, 9)), max_size=12),
    limit=st.integers(1, 6),
    aged_before=st.integers(0, 10),
)
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_the_outbox_is_in_order_of_urgency_and_age(
    waiting: list[tuple[int, int]], limit: int, aged_before: int
) -> None:
    store = open_store("sqlite:///:memory:")
    rows = [document(place, priority=p, stored_at=at) for place, (p, at) in enumerate(waiting, 1)]
    store.write(lambda tx: tx.documents.add([*rows, document(99, partner_id=BERT)]))
    found = store.read(lambda tx: tx.documents.waiting(ANNA, limit, limit * BYTES, aged_before))
    store.close()
    assert ids(found) == model_of_waiting(rows, limit, aged_before)


def test_as_many_wait_as_have_room_but_one_at_least(store: Database) -> None:
    sizes = {1: b"12345", 2: b"1", 3: b"123", 4: b"1"}
    rows = [document(place, body=body, personal=b"p" if place == 2 else None) for place, body in sizes.items()]
    store.write(lambda tx: tx.documents.add(rows))
    for room, wanted in ((0, [1]), (5, [1]), (6, [1]), (7, [1, 2]), (9, [1, 2]), (10, [1, 2, 3]), (11, [1, 2, 3, 4])):
        found = store.read(lambda tx, n=room: tx.documents.waiting(ANNA, 9, n, 0))  # type: ignore[misc]
        assert found == [row for row in rows if row.document_id in wanted]


def test_numbers_are_given_to_the_documents_named_and_to_no_others(store: Database) -> None:
    rows = [document(place, partner_id=BERT if place in (3, 4) else ANNA) for place in range(1, 9)]
    given = [(1, 11, 1), (1, 12, 2), (1, 13, 5), (1, 14, 6), (1, 15, 8), (1, 16, 7)]
    store.write(lambda tx: tx.documents.add(rows))
    store.write(lambda tx: tx.documents.number(given))
    found = store.read(lambda tx: tx.documents.span(ANNA, "out", 1, 0, 99))
    assert [(row.epoch, row.number, row.document_id) for row in found] == given
    assert ids(store.read(lambda tx: tx.documents.waiting(BERT, 9, 99, 0))) == [3, 4]
    assert {row.state for row in found} == {"sent"}


def test_the_outbox_on_both_engines(store: Database) -> None:
    rows = [document(place, priority=place % 3, stored_at=(place * 7) % 10) for place in range(1, 30)]
    store.write(lambda tx: tx.documents.add(rows))
    for limit, aged_before in ((5, 0), (5, 5), (20, 3), (40, 9), (3, 99)):
        found = store.read(lambda tx, n=limit, at=aged_before: tx.documents.waiting(ANNA, n, 40 * BYTES, at))  # type: ignore[misc]
        assert ids(found) == model_of_waiting(rows, limit, aged_before)
