"""The golden vectors: what other implementations hold on to, so that today's code must read and write it unchanged."""

from __future__ import annotations

import json
from typing import Any

import pytest

from node import wire
from node.app.links import evidence
from node.core import link
from node.core.card import Card, HeldCard, SignedCard, fingerprint, verify_history
from node.keyring import verify
from tests.vectors.story import BUYER, SELLER, VECTORS, tell


@pytest.fixture(scope="module")
def vectors() -> dict[str, Any]:
    found: dict[str, Any] = json.loads(VECTORS.read_text(encoding="utf-8"))
    return found


def test_the_story_is_told_byte_for_byte(vectors: dict[str, Any]) -> None:
    assert tell()[0] == vectors


def test_cards(vectors: dict[str, Any]) -> None:
    signed = [wire.decode(SignedCard, bytes.fromhex(one)) for one in vectors["cards"]]
    held = [HeldCard(one, wire.decode(Card, one.body)) for one in signed]
    verify_history(held[:3], verify)
    verify_history(held[3:], verify)
    shown = {BUYER: fingerprint(held[0].sha256), SELLER: fingerprint(held[3].sha256)}
    assert shown == vectors["fingerprints"]
    assert link.link_id_of(held[3].sha256, held[0].sha256).hex() == vectors["link_id"]


def test_batches_lead_from_the_start_to_the_head(vectors: dict[str, Any]) -> None:
    chain = link.chain_start(bytes.fromhex(vectors["link_id"]), BUYER, SELLER, 1)
    assert chain.hex() == vectors["chain_start"]
    leaves = []
    for one in vectors["batches"]:
        batch = wire.decode(link.Batch, bytes.fromhex(one))
        found = [link.leaf_of(entry.salt, entry.type, entry.body) for entry in batch.entries]
        leaves += found
        chain = link.chain_after(chain, found)
        head = wire.decode(link.BatchHead, batch.head)
        assert (head.chain, head.number) == (chain, len(leaves))
    assert [leaf.hex() for leaf in leaves] == vectors["leaves"]
    assert chain.hex() == vectors["chain"]


def test_evidence_proves_the_story(vectors: dict[str, Any]) -> None:
    report = evidence.verify(bytes.fromhex(vectors["evidence"]), vectors["fingerprints"], verify)
    assert report.findings == ()
    assert report.sound
    (line,) = report.links
    assert (line.last, line.sent_through, line.received_through) == (5, 5, 4)
    assert [(one.type, one.outcome) for one in line.documents] == [
        ("CardConfirmation", "TAKEN"),
        ("PartnerCard", "TAKEN"),
        ("Order", "TAKEN"),
        ("Order", "REFUSED"),
        ("PartnerCard", ""),
    ]
    assert line.documents[3].reasons[0].code == "unknown-item"
