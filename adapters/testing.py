"""The conformance suite: what every adapter must do, as pytest methods that its own tests inherit.

class TestMyAdapter(AdapterConformance):
    @pytest.fixture
    def rig(self, tmp_path: Path) -> MyRig:
        return MyRig(tmp_path)
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Protocol

import pytest

from adapters.base import (
    BATCH_CHANGES_MAX,
    CHUNK_ROWS_MAX,
    Adapter,
    Change,
    Fields,
    Hold,
    PullBatch,
    Reserves,
    Targets,
    any_element,
    preview,
)
from adapters.targets import SchemaTargets
from node.errors import AdapterError

__all__ = [
    "EVER_AFTER",
    "AdapterConformance",
    "HoldConformance",
    "HoldRig",
    "LotRow",
    "Rig",
    "StockConformance",
    "StockRig",
    "pull_all",
]

EVER_AFTER = datetime(9999, 12, 31, tzinfo=UTC)
"""An instant before which everything was."""


class Rig(Protocol):
    """What a test of conformance needs of one system; every adapter that `make` gives works on the same system."""

    def make(self) -> Adapter:
        """A new adapter, as after a restart of the node."""
        ...

    def add(self, numbers: Sequence[str]) -> None:
        """Put one good document for each number into the system, at once and in this order."""
        ...

    def add_bad(self, number: str) -> None:
        """Put a document into the system that does not map, in the same extract as a good one called `number`."""
        ...

    def document(self, number: str) -> tuple[str, Fields]:
        """A document that the adapter can push."""
        ...

    def written(self) -> list[str]:
        """The numbers of the documents that were pushed and are in the system now, one entry for each effect."""
        ...


def pull_all(adapter: Adapter, cursor: str | None) -> list[PullBatch]:
    """The batches of a pull; a second one when the first gives nothing, as some systems are looked at twice."""
    return list(adapter.pull(cursor)) or list(adapter.pull(cursor))


def _changes(batches: Sequence[PullBatch]) -> list[Change]:
    return [change for batch in batches for change in batch.changes]


def _numbers(batches: Sequence[PullBatch]) -> list[str]:
    return [str(change.fields["header"]["number"]) for change in _changes(batches)]


class AdapterConformance:
    """Inherit this and give the fixture `rig`."""

    targets: Targets = SchemaTargets()

    def test_offers_every_document_in_order(self, rig: Rig) -> None:
        adapter = rig.make()
        rig.add(["1", "2", "3"])
        assert _numbers(pull_all(adapter, None)) == ["1", "2", "3"]
        adapter.close()

    def test_fields_are_of_the_schema(self, rig: Rig) -> None:
        adapter = rig.make()
        rig.add(["1"])
        for change in _changes(pull_all(adapter, None)):
            known = {path for path, _ in self.targets.fields(change.document_type)}
            assert set(_paths(change.fields, "")) <= known
            assert change.key
            assert change.origin
        adapter.close()

    def test_repeats_until_the_cursor_is_stored(self, rig: Rig) -> None:
        adapter = rig.make()
        rig.add(["1", "2"])
        first = pull_all(adapter, None)
        assert _changes(pull_all(adapter, None)) == _changes(first)
        assert _changes(pull_all(adapter, first[-1].cursor)) == []
        adapter.close()

    def test_a_restart_loses_and_doubles_nothing(self, rig: Rig) -> None:
        adapter = rig.make()
        rig.add(["1", "2"])
        first = pull_all(adapter, None)
        adapter.close()
        adapter = rig.make()
        assert _numbers(pull_all(adapter, None)) == ["1", "2"]
        adapter.close()
        adapter = rig.make()
        assert _numbers(pull_all(adapter, first[-1].cursor)) == []
        rig.add(["3"])
        assert _numbers(pull_all(adapter, first[-1].cursor)) == ["3"]
        adapter.close()

    def test_a_pull_given_up_half_way_is_harmless(self, rig: Rig) -> None:
        adapter = rig.make()
        rig.add(["1", "2"])
        pull_all(adapter, None)
        unfinished = adapter.pull(None)
        next(unfinished, None)
        del unfinished
        assert _numbers(pull_all(adapter, None)) == ["1", "2"]
        adapter.close()

    def test_an_older_cursor_offers_again_what_followed(self, rig: Rig) -> None:
        adapter = rig.make()
        rig.add(["1"])
        first = pull_all(adapter, None)[-1].cursor
        rig.add(["2"])
        second = pull_all(adapter, first)[-1].cursor
        assert pull_all(adapter, second) == []
        assert _numbers(pull_all(adapter, first)) == ["2"]
        adapter.close()

    def test_cursors_rise(self, rig: Rig) -> None:
        adapter = rig.make()
        cursors: list[str] = []
        for number in ("1", "2", "3"):
            rig.add([number])
            cursors += [batch.cursor for batch in pull_all(adapter, cursors[-1] if cursors else None)]
        assert cursors == sorted(set(cursors))
        adapter.close()

    def test_batches_are_bounded(self, rig: Rig) -> None:
        adapter = rig.make()
        rig.add([str(number) for number in range(1, BATCH_CHANGES_MAX + 2)])
        batches = pull_all(adapter, None)
        assert len(_changes(batches)) == BATCH_CHANGES_MAX + 1
        assert max(len(batch.changes) for batch in batches) <= BATCH_CHANGES_MAX
        assert max((len(part) for batch in batches for part in batch.stock), default=0) <= CHUNK_ROWS_MAX
        adapter.close()

    def test_a_bad_row_does_not_stop_the_others(self, rig: Rig) -> None:
        adapter = rig.make()
        rig.add_bad("1")
        batches = pull_all(adapter, None)
        assert _numbers(batches) == ["1"]
        findings = [finding for batch in batches for finding in batch.findings]
        assert findings
        for finding in findings:
            assert finding.rule
            assert finding.text
            assert finding.source
            assert finding.row
        assert any(finding.column for finding in findings)
        assert pull_all(adapter, batches[-1].cursor) == []
        adapter.close()

    def test_a_preview_takes_nothing(self, rig: Rig) -> None:
        adapter = rig.make()
        rig.add(["1", "2"])
        shown = [part for part in preview(adapter) if isinstance(part, Change)]
        assert [change.fields["header"]["number"] for change in shown] == ["1", "2"]
        assert len(list(preview(adapter, limit=1))) == 1
        assert _numbers(pull_all(adapter, None)) == ["1", "2"]
        adapter.close()

    def test_a_check_changes_nothing(self, rig: Rig) -> None:
        adapter = rig.make()
        rig.add(["1"])
        assert adapter.check() == []
        assert _numbers(pull_all(adapter, None)) == ["1"]
        adapter.close()

    def test_forgetting_leaves_what_is_not_taken(self, rig: Rig) -> None:
        adapter = rig.make()
        rig.add(["1", "2"])
        first = pull_all(adapter, None)
        assert adapter.forget(EVER_AFTER) == 0
        assert _changes(pull_all(adapter, None)) == _changes(first)
        adapter.close()

    def test_what_was_forgotten_is_not_offered_again(self, rig: Rig) -> None:
        adapter = rig.make()
        rig.add(["1"])
        rig.add_bad("2")
        cursor = pull_all(adapter, None)[-1].cursor
        assert pull_all(adapter, cursor) == []
        assert adapter.forget(EVER_AFTER) >= 0
        assert adapter.forget(EVER_AFTER) == 0
        adapter.close()
        adapter = rig.make()
        rig.add(["3"])
        assert _numbers(pull_all(adapter, cursor)) == ["3"]
        adapter.close()

    def test_a_push_has_one_effect(self, rig: Rig) -> None:
        adapter = rig.make()
        kind, fields = rig.document("4711")
        assert kind in adapter.accepts()
        reference = adapter.push(kind, fields, "order 4711")
        assert reference
        assert adapter.push(kind, fields, "order 4711") == reference
        adapter.close()
        adapter = rig.make()
        assert adapter.push(kind, fields, "order 4711") == reference
        assert rig.written() == ["4711"]
        kind, fields = rig.document("4712")
        assert adapter.push(kind, fields, "order 4712") != reference
        assert sorted(rig.written()) == ["4711", "4712"]
        adapter.close()

    def test_a_push_of_an_unknown_type_is_refused_for_good(self, rig: Rig) -> None:
        adapter = rig.make()
        with pytest.raises(AdapterError) as caught:
            adapter.push("NoSuchDocument", {}, "x")
        assert caught.value.permanent
        assert caught.value.hint
        adapter.close()


LotRow = tuple[str, str, str, str, str]
"""Item, location, lot, the day until which it is best, and how many pieces."""

_Told = dict[tuple[str, str], tuple[int, dict[str, int]]]
"""By item and location: what is there, and how much of it is best until which day."""


class StockRig(Protocol):
    """What a test of conformance needs of a system that keeps stock by lots."""

    def make(self) -> Adapter:
        """A new adapter, as after a restart of the node."""
        ...

    def lots(self, rows: Sequence[LotRow]) -> None:
        """Let the system have just these lots, in its next extract."""
        ...


class StockConformance:
    """For adapters that read stock by lots: inherit this and give the fixture `stock_rig`."""

    LOTS: Sequence[LotRow] = (
        ("A1", "DC1", "L1", "2030-05-20", "8"),
        ("A1", "DC1", "L2", "2030-09-01", "4"),
        ("A1", "DC2", "L1", "2030-05-20", "5"),
        ("B1", "DC1", "X", "2030-01-31", "7"),
    )

    def test_lots_are_parts_of_one_line(self, stock_rig: StockRig) -> None:
        adapter = stock_rig.make()
        stock_rig.lots(self.LOTS)
        assert _told(pull_all(adapter, None)) == {
            ("A1", "DC1"): (12, {"2030-05-20": 8, "2030-09-01": 4}),
            ("A1", "DC2"): (5, {"2030-05-20": 5}),
            ("B1", "DC1"): (7, {"2030-01-31": 7}),
        }
        adapter.close()

    def test_a_lot_that_changes_tells_its_line_whole(self, stock_rig: StockRig) -> None:
        adapter = stock_rig.make()
        stock_rig.lots(self.LOTS)
        cursor = pull_all(adapter, None)[-1].cursor
        stock_rig.lots([("A1", "DC1", "L1", "2030-05-20", "3"), *self.LOTS[1:]])
        told = _told(pull_all(adapter, cursor))
        assert told["A1", "DC1"] == (7, {"2030-05-20": 3, "2030-09-01": 4})
        adapter.close()

    def test_a_lot_that_is_sold_out_is_told_no_more(self, stock_rig: StockRig) -> None:
        adapter = stock_rig.make()
        stock_rig.lots(self.LOTS)
        cursor = pull_all(adapter, None)[-1].cursor
        stock_rig.lots(self.LOTS[1:3])
        batches = pull_all(adapter, cursor)
        told = _told(batches)
        assert told["A1", "DC1"] == (4, {"2030-09-01": 4})
        assert told["B1", "DC1"] == (0, {})
        stock_rig.lots([*self.LOTS[1:3], ("B1", "DC1", "Y", "2031-01-31", "2")])
        assert _told(pull_all(adapter, batches[-1].cursor))["B1", "DC1"] == (2, {"2031-01-31": 2})
        adapter.close()

    def test_a_wrong_lot_keeps_its_line_back_and_no_other(self, stock_rig: StockRig) -> None:
        adapter = stock_rig.make()
        stock_rig.lots([*self.LOTS[:3], ("B1", "DC1", "X", "2030-02-31", "7"), ("B1", "DC1", "Y", "2030-01-31", "1")])
        batches = pull_all(adapter, None)
        assert set(_told(batches)) == {("A1", "DC1"), ("A1", "DC2")}
        assert [finding for batch in batches for finding in batch.findings]
        stock_rig.lots(self.LOTS)
        assert _told(pull_all(adapter, batches[-1].cursor))["B1", "DC1"] == (7, {"2030-01-31": 7})
        adapter.close()


def _told(batches: Sequence[PullBatch]) -> _Told:
    """The lines of stock that batches tell, the last word on each, whether as columns or as documents."""
    found: _Told = {}
    for batch in batches:
        for part in batch.stock:
            for place in range(len(part)):
                row = {name: column[place] for name, column in part.columns.items() if column[place] is not None}
                lots: dict[str, int] = {}
                for name in row:
                    if name.endswith(".best_before_on"):
                        amount = row.get(name.replace("best_before_on", "quantity.value"), row["on_hand"])
                        lots[str(row[name])] = int(Decimal(str(amount)))
                key = (str(row["item.seller_number"]), str(row["location"]))
                found[key] = (int(Decimal(str(row["on_hand"]))), lots)
        for change in batch.changes:
            for line in change.fields["lines"]:
                days = {one["best_before_on"]: int(one["quantity"]["value"]) for one in line.get("trace", [])}
                found[line["item"]["seller_number"], line["location"]] = (int(line["on_hand"]), days)
    return found


class HoldRig(Protocol):
    """What a test of conformance needs of a system that keeps holds."""

    def make(self) -> Adapter:
        """A new adapter, as after a restart of the node."""
        ...

    def stock(self, number: str, location: str, quantity: int) -> None:
        """Put an item with so many free pieces into the system."""
        ...

    def free(self, number: str, location: str) -> int:
        """The pieces that the system would still sell."""
        ...


class HoldConformance:
    """For adapters that keep holds, `adapters.base.Reserves`: inherit this beside and give the fixture `hold_rig`."""

    @pytest.fixture
    def reserving(self, hold_rig: HoldRig) -> Iterator[Callable[[], Reserves]]:
        """Makes adapters on a system with ten pieces, and closes them."""
        hold_rig.stock("A1", "DC1", 10)
        made = []

        def make() -> Reserves:
            adapter = hold_rig.make()
            made.append(adapter)
            assert isinstance(adapter, Reserves)
            assert adapter.reserves()
            return adapter

        yield make
        for adapter in made:
            adapter.close()

    def test_a_hold_is_kept_once(self, hold_rig: HoldRig, reserving: Callable[[], Reserves]) -> None:
        adapter = reserving()
        first = adapter.reserve(_hold("r1", 6))
        assert first.reference
        assert not first.refused
        assert adapter.reserve(_hold("r1", 6)) == first
        assert reserving().reserve(_hold("r1", 6, hours=2)) == first  # after a restart, and for longer
        assert hold_rig.free("A1", "DC1") == 4

    def test_partners_choose_ids_freely(self, hold_rig: HoldRig, reserving: Callable[[], Reserves]) -> None:
        adapter = reserving()
        answers = [adapter.reserve(_hold("r1", 3, partner)) for partner in ("0088:1", "0088:2", "")]
        assert len({one.reference for one in answers}) == 3
        assert hold_rig.free("A1", "DC1") == 1

    def test_more_than_is_there_is_refused(self, hold_rig: HoldRig, reserving: Callable[[], Reserves]) -> None:
        adapter = reserving()
        assert adapter.reserve(_hold("r1", 6)).reference
        answer = adapter.reserve(_hold("r2", 5))
        assert answer.refused
        assert not answer.reference
        assert hold_rig.free("A1", "DC1") == 4
        adapter.release_hold(_hold("r2", 5))
        assert hold_rig.free("A1", "DC1") == 4

    def test_a_release_has_one_effect(self, hold_rig: HoldRig, reserving: Callable[[], Reserves]) -> None:
        adapter = reserving()
        adapter.reserve(_hold("r1", 6))
        adapter.release_hold(_hold("r1", 6))
        adapter.release_hold(_hold("r1", 6))
        assert hold_rig.free("A1", "DC1") == 10
        assert adapter.reserve(_hold("r1", 6)).refused
        assert hold_rig.free("A1", "DC1") == 10

    def test_a_release_before_the_hold_stands(self, hold_rig: HoldRig, reserving: Callable[[], Reserves]) -> None:
        adapter = reserving()
        adapter.release_hold(_hold("r1", 6))
        assert adapter.reserve(_hold("r1", 6)).refused
        assert hold_rig.free("A1", "DC1") == 10

    def test_a_confirmation_has_one_effect(self, hold_rig: HoldRig, reserving: Callable[[], Reserves]) -> None:
        adapter = reserving()
        adapter.reserve(_hold("r1", 6))
        adapter.confirm_hold(_hold("r1", 6), "4711", Decimal(4))
        free = hold_rig.free("A1", "DC1")
        adapter.confirm_hold(_hold("r1", 6), "4711", Decimal(4))
        adapter.release_hold(_hold("r1", 6))
        assert hold_rig.free("A1", "DC1") == free


def _hold(name: str, quantity: int, partner: str = "0088:1", hours: int = 1) -> Hold:
    return Hold(
        reservation_id=name,
        partner=partner,
        number="A1",
        gtin="",
        location="DC1",
        quantity=Decimal(quantity),
        unit="C62",
        until=datetime(2030, 1, 1, tzinfo=UTC) + timedelta(hours=hours),
    )


def _paths(value: object, path: str) -> list[str]:
    """The path of every leaf, as `Targets` names it."""
    if isinstance(value, dict):
        return [found for name, item in value.items() for found in _paths(item, f"{path}.{name}".lstrip("."))]
    if isinstance(value, list):
        return [found for item in value for found in _paths(item, f"{path}[]")]
    return [any_element(path)]
