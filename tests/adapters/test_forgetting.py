"""What adapters keep of what they took is erased in time, and nothing is offered twice because of it."""

from __future__ import annotations

import itertools
import os
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path

import pytest

from adapters.base import Adapter, Quarantined
from adapters.cells import Cell
from adapters.files import FilesAdapter
from adapters.staging import Source, Staging
from adapters.tables import Chunk, Table
from adapters.targets import SchemaTargets
from adapters.testing import EVER_AFTER, pull_all
from tests.adapters.rigs import FilesRig, LinesRig, SqlRig, order
from tests.companies import HandClock

KEPT = timedelta(days=90)
PERSON = "Erika Mustermann"

STOCK = Source("stock", ("ITEM",), ("ITEM", "QTY"), by_row=True, absent_is_zero=True)
LIST = Source("customers", ("NO",), (), by_row=True)


def take(adapter: Adapter, cursor: str | None = None) -> tuple[list[str], str | None]:
    """Pull as the node does, storing each cursor; the numbers that were offered, and the last cursor."""
    batches = pull_all(adapter, cursor)
    numbers = [change.fields["header"]["number"] for batch in batches for change in batch.changes]
    cursor = batches[-1].cursor if batches else cursor
    assert pull_all(adapter, cursor) == []
    return numbers, cursor


def forget(adapter: Adapter, clock: HandClock) -> int:
    return adapter.forget(clock.now() - KEPT)


def on_disk(home: Path, text: str) -> bool:
    """Whether a text is in the staging database, its log of writes included."""
    return any(text.encode() in path.read_bytes() for path in home.glob("staging.db*"))


def row(number: str, item: str = PERSON, quantity: str = "6") -> tuple[str, ...]:
    return number, "10", item, quantity, "EUR"


def test_raw_values_of_a_file_go_and_what_was_taken_is_still_known(tmp_path: Path) -> None:
    rig = FilesRig(tmp_path)
    adapter = rig.make()
    rig.drop([row("1"), row("2", "A2")])
    numbers, cursor = take(adapter)
    assert numbers == ["1", "2"]
    rig.clock.move(days=90)
    assert forget(adapter, rig.clock) == 0
    assert on_disk(tmp_path, PERSON)
    rig.clock.move(days=1)
    assert forget(adapter, rig.clock) == 2
    assert not on_disk(tmp_path, PERSON)
    assert forget(adapter, rig.clock) == 0
    adapter.close()
    adapter = rig.make()
    assert take(adapter, cursor)[0] == []
    # A cursor of an older backup cannot bring back what is erased.
    assert pull_all(adapter, None) == []
    rig.drop([row("1"), row("2", "A3"), row("3")])
    assert take(adapter, cursor)[0] == ["2", "3"]
    adapter.close()


def test_what_came_back_unchanged_is_staged_again_but_not_offered(tmp_path: Path) -> None:
    rig = FilesRig(tmp_path)
    adapter = rig.make()
    rig.drop([row("1")])
    _, cursor = take(adapter)
    for _ in range(3):
        rig.clock.move(days=91)
        assert forget(adapter, rig.clock) == 1
        assert adapter.staging.connection.execute("SELECT count(*) FROM orders").fetchone() == (0,)
        for _ in range(2):
            rig.drop([row("1")])
            assert take(adapter, cursor)[0] == []
        assert adapter.staging.connection.execute("SELECT ITEM FROM orders").fetchall() == [(PERSON,)]
    adapter.close()


def test_what_is_still_in_the_extract_stays(tmp_path: Path) -> None:
    rig = SqlRig(tmp_path, "sqlite:///erp.db")
    adapter = rig.make()
    rig.add(["1", "2"])
    numbers, cursor = take(adapter)
    assert numbers == ["1", "2"]
    for _ in range(4):
        rig.clock.move(days=60)
        assert take(adapter, cursor)[0] == []
        assert forget(adapter, rig.clock) == 0
    rig.run("DELETE FROM po WHERE no = '1'")
    for gone in (0, 1, 0):
        rig.clock.move(days=60)
        assert take(adapter, cursor)[0] == []
        assert forget(adapter, rig.clock) == gone
    assert adapter.staging.connection.execute("SELECT DISTINCT no FROM orders").fetchall() == [("2",)]
    adapter.close()


def test_what_the_node_has_not_stored_stays(tmp_path: Path) -> None:
    rig = LinesRig(tmp_path)
    adapter = rig.make()
    rig.add(["1"])
    _, cursor = take(adapter)
    rig.add(["2"])
    offered = pull_all(adapter, cursor)
    rig.clock.move(days=1_000)
    assert forget(adapter, rig.clock) == 1
    assert pull_all(adapter, cursor) == offered
    adapter.close()


def test_what_was_rejected_and_never_sent_is_forgotten_as_a_whole(tmp_path: Path) -> None:
    rig = FilesRig(tmp_path)
    adapter = rig.make()
    path = rig.drop([row("900", quantity=PERSON), row("1")])
    _, cursor = take(adapter)
    assert on_disk(tmp_path, PERSON)
    rig.clock.move(days=91)
    rig.drop([row("2", "A2")])
    _, cursor = take(adapter, cursor)
    assert forget(adapter, rig.clock) == 2
    assert not on_disk(tmp_path, PERSON), "a finding told the value"
    (tmp_path / "m.toml").write_text((tmp_path / "m.toml").read_text().replace('"required", { decimal', "{ decimal"))
    adapter.close()
    adapter = rig.make()
    assert take(adapter, cursor) == ([], cursor), "a mapping that changed has nothing left to try again"
    rig.drop([row("900"), row("1")], name=path.name)
    assert take(adapter, cursor)[0] == ["900"]
    adapter.close()


def test_files_that_were_handled_go_by_the_time_of_their_moving(tmp_path: Path) -> None:
    rig = FilesRig(tmp_path)
    adapter = rig.make()
    for name, rows in (("good", [row("1")]), ("bad", [row("2", quantity="many")])):
        os.utime(rig.drop(rows, name=f"{name}.csv"), (0, 0))
    (tmp_path / "x" / "in" / "broken.csv").write_bytes(b'NO;POS;ITEM;QTY;CUR\n"1";10;"never closed')
    _, cursor = take(adapter)
    folder = tmp_path / "x"
    handled = ["processed/good.csv", "rejected/bad.csv", "rejected/bad.csv.findings.csv"]

    def there() -> list[str]:
        found = itertools.chain((folder / "processed").iterdir(), (folder / "rejected").iterdir())
        return sorted(str(path.relative_to(folder)) for path in found)

    assert there() == handled
    (folder / "processed" / "kept").mkdir()
    (folder / "out" / "for-the-erp.csv").write_text("x")
    adapter.push("Order", order("4711"), "order 4711")
    assert forget(adapter, rig.clock) == 0
    assert there() == ["processed/good.csv", "processed/kept", *handled[1:]]
    assert adapter.forget(EVER_AFTER) == 3 + 2
    assert there() == ["processed/kept"]
    assert len(list((folder / "out").iterdir())) == 2
    assert len(list((folder / "quarantine").iterdir())) == 2
    assert take(adapter, cursor)[0] == []
    adapter.close()


def test_an_adapter_without_a_clock_knows_no_days_and_forgets_nothing(tmp_path: Path) -> None:
    rig = FilesRig(tmp_path)
    adapter = FilesAdapter({"folder": "x", "mappings": "m.toml"}, tmp_path, SchemaTargets())
    rig.drop([row("1")])
    # Without a clock a file is complete when it is the same at two polls.
    _, cursor = take(adapter)
    assert adapter.staging.forget(EVER_AFTER, []) == 0
    adapter.close()
    adapter = rig.make()
    assert forget(adapter, rig.clock) == 0
    rig.clock.move(days=91)
    assert forget(adapter, rig.clock) == 1, "what an older version staged counts from the first time on"
    assert take(adapter, cursor)[0] == []
    adapter.close()


# --- rows that are staged one by one ---


@pytest.fixture
def clock() -> HandClock:
    return HandClock()


@pytest.fixture
def staging(clock: HandClock) -> Staging:
    return Staging(None, clock.now)


def stage(staging: Staging, source: Source, *rows: Sequence[Cell], complete: bool = True) -> int:
    columns = ("ITEM", "QTY") if source is STOCK else ("NO", "NAME")
    table = Table(columns, iter([Chunk(range(2, len(rows) + 2), rows, {})] if rows else []), "f.csv")
    return staging.stage(source, table, complete=complete, retry_rejected=False).last


def keys(staging: Staging, source: Source) -> list[str]:
    rows = staging.connection.execute(f"SELECT hansa_key FROM {source.name} ORDER BY hansa_key")
    return [key for (key,) in rows]


def test_a_list_that_came_once_stays_and_what_a_newer_one_lacks_goes(staging: Staging, clock: HandClock) -> None:
    stage(staging, LIST, ["1", "Anna"], ["2", "Bert"], ["3", "Carl"])
    clock.move(days=400)
    assert staging.forget(clock.now() - KEPT, {"customers"}) == 0
    stage(staging, LIST, ["1", "Anna"], ["3", "Carl"])
    clock.move(days=60)
    stage(staging, LIST, ["1", "Anna"], ["4", "Dora"])
    clock.move(days=31)
    assert staging.forget(clock.now() - KEPT, set()) == 0, "nobody has taken it, and it is said to be no list"
    assert staging.forget(clock.now() - KEPT, {"customers"}) == 1
    assert keys(staging, LIST) == ["1", "3", "4"]
    stage(staging, LIST, ["1", "Anna"], ["3", "Carl"])
    clock.move(days=91)
    assert staging.forget(clock.now() - KEPT, {"customers"}) == 1
    assert keys(staging, LIST) == ["1", "3"]
    staging.close()


def test_an_extract_of_changes_does_not_tell_who_is_gone(staging: Staging, clock: HandClock) -> None:
    stage(staging, LIST, ["1", "Anna"], ["2", "Bert"], complete=False)
    clock.move(days=200)
    stage(staging, LIST, ["2", "Berta"], complete=False)
    clock.move(days=200)
    assert staging.forget(clock.now() - KEPT, {"customers"}) == 0
    staging.close()


def test_stock_that_was_told_as_zero_goes_and_is_told_when_it_is_back(staging: Staging, clock: HandClock) -> None:
    stage(staging, STOCK, ["A", "1"], ["B", "2"])
    last = stage(staging, STOCK, ["A", "1"])
    clock.move(days=91)
    assert staging.forget(clock.now() - KEPT, set()) == 0, "the zero is not taken yet"
    staging.put("stored", str(last))
    assert staging.forget(clock.now() - KEPT, set()) == 1
    assert keys(staging, STOCK) == ["A"]
    assert stage(staging, STOCK, ["A", "1"]) == 0
    assert stage(staging, STOCK, ["A", "1"], ["B", "2"]) > last
    staging.close()


def test_an_extract_in_which_nothing_changed_writes_nothing(staging: Staging, clock: HandClock) -> None:
    for _ in range(2):
        stage(staging, STOCK, ["A", "1"], ["B", "2"])
        stage(staging, STOCK, ["A", "1"])
    before = staging.connection.execute("SELECT * FROM hansa_seen").fetchall()
    clock.move(days=1)
    stage(staging, STOCK, ["A", "1"])
    assert staging.connection.execute("SELECT * FROM hansa_seen").fetchall() == before
    staging.close()


def test_what_cannot_be_read_goes_by_the_time_of_its_moving_and_only_from_quarantine(tmp_path: Path) -> None:
    rig = FilesRig(tmp_path)
    adapter = rig.make()
    folder = tmp_path / "x"
    assert adapter.quarantined() == Quarantined(0, None)
    (folder / "in" / "broken.csv").write_bytes(b'NO;POS;ITEM;QTY;CUR\n"1";10;"never closed')
    os.utime(folder / "in" / "broken.csv", (0, 0))
    rig.drop([row("1")], name="good.csv")
    take(adapter)
    count, since = adapter.quarantined()
    assert count == 1
    assert since is not None
    assert since.year > 1970
    (folder / "quarantine" / "a folder").mkdir()
    # The findings were written a moment before the file was moved, and go with it.
    os.utime(folder / "quarantine" / "broken.csv", (since.timestamp() + 60, since.timestamp() + 60))
    count, since = adapter.quarantined()
    assert since is not None
    assert adapter.empty_quarantine(since) == 0
    assert sorted(path.name for path in (folder / "quarantine").iterdir()) == [
        "a folder", "broken.csv", "broken.csv.findings.csv",
    ]  # fmt: skip
    assert adapter.empty_quarantine(EVER_AFTER) == 1
    assert [path.name for path in (folder / "quarantine").iterdir()] == ["a folder"]
    assert (folder / "processed" / "good.csv").exists()
    adapter.close()
