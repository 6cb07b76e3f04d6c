"""Evidence: what a file proves, and every way in which it may not."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from node import wire
from node.app.links import evidence as use_case
from node.app.links import partners, rotation
from node.app.links.outbox import enqueue_protocol
from node.core import link
from node.core.card import Revocation, fingerprint
from node.core.evidence import Evidence, EvidenceLink, Report, SignedHead, examine
from node.errors import RefusedError
from node.keyring import verify
from tests.companies import Company, connect, swap
from tests.vectors.story import BUYER, SELLER, Line, card_of, key, tell

VECTORS, STORY = tell()
EXPECTED = VECTORS["fingerprints"]


def check(evidence: Evidence, expected: dict[str, str] = EXPECTED) -> Report:
    return examine(evidence, expected, verify, wire.decode)


def rules(evidence: Evidence, expected: dict[str, str] = EXPECTED) -> set[str]:
    return {finding.rule for finding in check(evidence, expected).findings}


def with_link(**changes: object) -> Evidence:
    return replace(STORY, links=(replace(STORY.links[0], **changes),))  # type: ignore[arg-type]


def erased(entry: link.BatchEntry) -> link.BatchEntry:
    return link.BatchEntry(leaf=link.leaf_of(entry.salt, entry.type, entry.body))


LINE = STORY.links[0]


def test_erased_documents_still_verify() -> None:
    entries = tuple(erased(one) if one.type == "Order" else one for one in LINE.entries)
    report = check(with_link(entries=entries))
    assert report.sound
    assert report.links[0].erased == 2
    assert [one.type for one in report.links[0].documents if one.erased] == ["", ""]
    assert report.links[0].documents[3].outcome == "REFUSED"


def test_a_part_of_a_link_verifies_by_itself() -> None:
    leaves = [link.leaf_of(one.salt, one.type, one.body) for one in LINE.entries[:2]]
    part = with_link(
        first=3,
        chain_before=link.chain_after(LINE.chain_before, leaves),
        entries=LINE.entries[2:],
        heads=LINE.heads[1:],
        receipts=LINE.receipts[1:],
    )
    report = check(part)
    assert report.sound
    assert [one.number for one in report.links[0].documents] == [3, 4, 5]


@pytest.mark.parametrize(
    ("expected", "rule"),
    [
        ({}, "not-expected"),
        ({BUYER: EXPECTED[BUYER]}, "not-expected"),
        ({BUYER: EXPECTED[SELLER], SELLER: EXPECTED[SELLER]}, "wrong-fingerprint"),
        ({BUYER: "oops", SELLER: EXPECTED[SELLER]}, "bad-fingerprint"),
        ({**EXPECTED, "0060:987654321": EXPECTED[SELLER]}, "missing-company"),
    ],
)
def test_only_expected_companies_prove_anything(expected: dict[str, str], rule: str) -> None:
    assert rules(STORY, expected) == {rule}


def tampered(entry: link.BatchEntry) -> link.BatchEntry:
    return replace(entry, body=entry.body + b"!")


@pytest.mark.parametrize(
    ("change", "rule"),
    [
        (lambda it: {"entries": (*it.entries[:2], tampered(it.entries[2]), *it.entries[3:])}, "wrong-head"),
        (lambda it: {"entries": (*it.entries[:2], it.entries[3], it.entries[2], it.entries[4])}, "wrong-head"),
        (lambda it: {"entries": it.entries[:-1]}, "wrong-head"),
        (lambda it: {"entries": (replace(it.entries[0], leaf=bytes(32)), *it.entries[1:])}, "wrong-leaf"),
        (lambda it: {"heads": it.heads[:-1]}, "not-signed"),
        (lambda it: {"heads": (*it.heads[:-1], replace(it.heads[-1], signature=bytes(64)))}, "bad-signature"),
        (lambda it: {"heads": (*it.heads[:-1], replace(it.heads[-1], head=b"\xff"))}, "unreadable"),
        (lambda it: {"heads": (*it.heads[:-1], SignedHead())}, "wrong-head"),
        (lambda it: {"receipts": (it.receipts[0], replace(it.receipts[1], signature=bytes(64)))}, "bad-signature"),
        (lambda it: {"receipts": (it.receipts[1], it.receipts[0])}, "broken-receipts"),
        (lambda it: {"receipts": (it.receipts[0], it.receipts[0])}, "broken-receipts"),
        (lambda it: {"receipts": (link.Receipt(),)}, "wrong-receipt"),
        (lambda it: {"receipts": (link.Receipt(body=b"\xff"),)}, "unreadable"),
        (lambda it: {"link_id": bytes(16)}, "wrong-link"),
        (lambda it: {"chain_before": bytes(32)}, "broken-chain"),
        (lambda it: {"sender": SELLER, "receiver": BUYER}, "broken-chain"),
        (lambda it: {"receiver": "0060:987654321"}, "unknown-company"),
        (lambda it: {"first": 0}, "bad-first"),
    ],
)
def test_whatever_is_changed_shows(change: Callable[[EvidenceLink], dict[str, object]], rule: str) -> None:
    assert rule in rules(with_link(**change(LINE)))


def test_changed_files_show() -> None:
    assert rules(replace(STORY, format="hansa.v9")) == {"unknown-format"}
    assert "empty" in rules(replace(STORY, links=()))
    assert {"bad-card", "missing-company", "unknown-company"} <= rules(replace(STORY, cards=STORY.cards[1:]))
    assert "unreadable" in rules(replace(STORY, cards=(replace(STORY.cards[0], body=b"\xff"), *STORY.cards[1:])))
    with pytest.raises(RefusedError, match="no evidence"):
        use_case.verify(b"\xff\xff", EXPECTED, verify)


def test_another_companys_cards_under_the_same_id_prove_nothing() -> None:
    """An impostor can make a file that fits together; only the expected fingerprint tells."""
    buyer, seller = card_of(BUYER, "Buyer", [key("impostor")]), card_of(SELLER, "Seller", [key("seller")])
    line = Line(link.link_id_of(buyer.sha256, seller.sha256))
    line.send(key("impostor"), [("Order", b"never ordered")])
    line.receipt(key("seller"))
    forged = _as_evidence(line, [buyer.signed, seller.signed])
    assert rules(forged) == {"wrong-fingerprint"}
    assert rules(forged, {**EXPECTED, BUYER: fingerprint(buyer.sha256)}) == set()


def _as_evidence(line: Line, signed: list) -> Evidence:
    heads = tuple(SignedHead(head=one.head, signature=one.signature) for one in line.batches)
    return Evidence(
        format=STORY.format,
        cards=tuple(signed),
        links=(
            EvidenceLink(
                link_id=line.link_id,
                sender=BUYER,
                receiver=SELLER,
                epoch=1,
                first=1,
                chain_before=line.start,
                entries=tuple(line.entries),
                heads=heads,
                receipts=tuple(line.receipts),
            ),
        ),
    )


class Keys:
    """The story's first cards and keys, to go on with in another way."""

    def __init__(self) -> None:
        self.old, self.new, self.seller = key("buyer old"), key("buyer new"), key("seller")
        self.cards = [card_of(BUYER, "Buyer", [self.old, self.new]), card_of(SELLER, "Seller", [self.seller])]
        self.line = Line(link.link_id_of(self.cards[0].sha256, self.cards[1].sha256))
        self.expected = {BUYER: fingerprint(self.cards[0].sha256), SELLER: fingerprint(self.cards[1].sha256)}

    def rules(self) -> set[str]:
        return rules(_as_evidence(self.line, [one.signed for one in self.cards]), self.expected)

    def revoke(self, last: int) -> tuple[str, bytes]:
        return "Revocation", wire.encode(Revocation(id=BUYER, key_id=self.old.key_id, last_good_number=last))


def test_revoked_keys_count_up_to_their_last_good_number() -> None:
    story = Keys()
    story.line.send(story.old, [("Order", b"one")])
    story.line.send(story.new, [story.revoke(1)])
    story.line.receipt(story.seller)
    assert story.rules() == set()
    story.line.send(story.old, [("Order", b"by the thief")])
    assert story.rules() == {"key-not-in-force", "not-signed"}
    story.line.send(story.new, [("Order", b"by the owner, who stands by all that was before")])
    assert story.rules() == set()


def test_dropped_keys_count_up_to_the_card_that_drops_them() -> None:
    story = Keys()
    story.line.send(story.old, [("Order", b"one")])
    dropping = card_of(BUYER, "Buyer", [story.new], story.cards[0])
    story.cards.insert(1, dropping)
    story.line.send(story.new, [("PartnerCard", wire.encode(dropping.signed))])
    assert story.rules() == set()
    story.line.send(story.old, [("Order", b"late")])
    assert story.rules() == {"key-not-in-force", "not-signed"}


def test_revoked_keys_give_no_receipts_unless_a_good_one_follows() -> None:
    story = Keys()
    twice = card_of(SELLER, "Seller", [story.seller, key("seller new")])
    story.cards[1] = twice
    story.line = Line(link.link_id_of(story.cards[0].sha256, twice.sha256))
    story.expected[SELLER] = fingerprint(twice.sha256)
    story.line.send(story.old, [("Order", b"one")])
    story.line.receipt(story.seller)
    revocation = wire.encode(Revocation(id=SELLER, key_id=story.seller.key_id, last_good_number=0))

    def answered() -> Report:
        there = _as_evidence(story.line, [one.signed for one in story.cards])
        start = link.chain_start(story.line.link_id, SELLER, BUYER, 1)
        entry = link.BatchEntry(type="Revocation", salt=b"salt", body=revocation)
        chain = link.chain_after(start, [link.leaf_of(b"salt", "Revocation", revocation)])
        head = wire.encode(
            link.BatchHead(
                link_id=story.line.link_id,
                sender=SELLER,
                receiver=BUYER,
                epoch=1,
                number=1,
                chain=chain,
                key_id=key("seller new").key_id,
            )
        )
        signature = key("seller new").sign(link.BATCH_DOMAIN + head)
        back = EvidenceLink(
            link_id=story.line.link_id,
            sender=SELLER,
            receiver=BUYER,
            epoch=1,
            first=1,
            chain_before=start,
            entries=(entry,),
            heads=(SignedHead(head=head, signature=signature),),
        )
        return check(replace(there, links=(*there.links, back)), story.expected)

    alone = answered()
    assert {one.rule for one in alone.findings} == {"revoked-key"}
    assert alone.links[0].received_through == 0
    story.line.receipt(key("seller new"))
    assert answered().sound
    assert answered().links[0].received_through == 1


# --- from the store ---------------------------------------------------------------------------------------------------


@pytest.fixture
def pair(tmp_path: Path) -> tuple[Company, Company]:
    one, other = Company(tmp_path, "one"), Company(tmp_path, "other")
    swap(one, other)
    connect(one, other)
    return one, other


def test_export_proves_both_directions_after_keys_have_changed(pair: tuple[Company, Company]) -> None:
    one, other = pair
    one.do(rotation.rotate_keys, one.keys)
    connect(one, other)
    one.do(rotation.advance)
    other.do(rotation.revoke_key, other.keys, other.keys.key_ids()[0], "lost")
    connect(one, other)
    other.do(rotation.advance)
    connect(one, other)
    one.do(enqueue_protocol, other.id, "GoLive", b"")
    connect(one, other)
    expected = {one.id: one.fingerprint, other.id: other.fingerprint}
    for here, there in (pair, pair[::-1]):
        data = here.read(use_case.export, there.id)
        report = use_case.verify(data, expected, verify)
        assert report.findings == ()
        assert [company.expected for company in report.companies] == [True, True]
        sent, taken = report.links
        assert (sent.sender, taken.sender) == (here.id, there.id)
        for line in report.links:
            assert line.received_through == line.sent_through == line.last >= 3
            assert line.first_at == here.clock.now()
        assert sum(line.count("REFUSED") for line in report.links) == 1


def test_export_shows_only_what_is_at_issue(pair: tuple[Company, Company]) -> None:
    one, other = pair
    for kind in ("Order", "Invoice"):
        one.do(enqueue_protocol, other.id, kind, f"the {kind}".encode())
    connect(one, other)
    data = one.read(use_case.export, other.id, disclose=lambda row: row.type == "Invoice")
    report = use_case.verify(data, {one.id: one.fingerprint, other.id: other.fingerprint}, verify)
    assert report.sound
    assert [one.type for one in report.links[0].documents] == ["CardConfirmation", "", "Invoice"]
    assert b"the Invoice" in data
    assert b"the Order" not in data


def test_export_after_erasure(pair: tuple[Company, Company]) -> None:
    one, other = pair
    one.do(partners.go_live, other.id)
    connect(one, other)
    rows = one.read(lambda tx: tx.documents.search(partner_id=other.id, direction="out", type="GoLive"))
    one.store.write(lambda tx: tx.documents.erase([rows[0].document_id], personal_only=False))
    report = use_case.verify(
        one.read(use_case.export, other.id), {one.id: one.fingerprint, other.id: other.fingerprint}, verify
    )
    assert report.sound
    assert report.links[0].erased == 1
    with pytest.raises(RefusedError, match="no link"):
        one.read(use_case.export, "0060:987654321")
