"""JSON lines: bad lines are named by number and field, the others go on."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from adapters.testing import pull_all
from tests.adapters.rigs import LinesRig, order


@pytest.fixture
def rig(tmp_path: Path) -> LinesRig:
    return LinesRig(tmp_path)


def line(fields: object, **more: object) -> str:
    return json.dumps({"document": "Order", "fields": fields, **more})


def test_each_bad_line_is_named(rig: LinesRig) -> None:
    adapter = rig.make()
    deep = "[" * 500 + "]" * 500
    rig.drop([
        line(order("1"), partner="0088:4012345000009"),
        "not json",
        "[1]",
        "",
        line({"header": {"number": "2", "colour": "red"}}),
        line({"header": {"number": "3"}, "lines": [{"quantity": {"value": 1.5, "unit": "C62"}}]}),
        line({"header": {"number": "4"}, "priority": True, "order_kind": "SWIFT"}),
        json.dumps({"document": "Odrer", "fields": {"header": {"number": "5"}}}),
        '{"document": "Order", "fields": {"x": ' + deep + "}}",
        '{"document": "Order", "fields": {"x": NaN}}',
        line(order("6")),
    ])  # fmt: skip
    batches = pull_all(adapter, None)
    changes = [change for batch in batches for change in batch.changes]
    assert [(change.fields["header"]["number"], change.partner) for change in changes] == [
        ("1", "0088:4012345000009"),
        ("6", None),
    ]
    found = [(finding.row, finding.rule, finding.path) for batch in batches for finding in batch.findings]
    assert found == [
        ("2", "bad-line", ""),
        ("3", "bad-line", ""),
        ("5", "unknown-field", "header.colour"),
        ("6", "bad-value", "lines[0].quantity.value"),
        ("7", "bad-number", "priority"),
        ("7", "unknown-word", "order_kind"),
        ("8", "unknown-type", ""),
        ("9", "unknown-field", found[7][2]),
        ("10", "bad-line", ""),
    ]
    adapter.close()


def test_a_revised_document_is_offered_and_the_same_one_is_not(rig: LinesRig) -> None:
    adapter = rig.make()
    rig.drop([line(order("1"))])
    cursor = pull_all(adapter, None)[-1].cursor
    rig.drop([line(order("1"))])
    assert pull_all(adapter, cursor) == []
    rig.drop([line(order("1", quantity="7"))])
    (batch,) = pull_all(adapter, cursor)
    assert batch.changes[0].fields["lines"][0]["quantity"]["value"] == "7"
    adapter.close()


def test_what_is_written_can_be_read(rig: LinesRig) -> None:
    adapter = rig.make()
    name = adapter.push("Order", order("ü1"), "x")
    rig.drop([(rig.home / "x" / "out" / name).read_text(encoding="utf-8").strip()])
    (batch,) = pull_all(adapter, None)
    assert batch.changes[0].fields == order("ü1")
    adapter.close()
