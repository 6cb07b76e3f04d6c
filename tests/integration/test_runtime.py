"""Whole nodes over real sockets: they find each other, exchange, end, come back, and follow what changes."""

from __future__ import annotations

import asyncio
import contextlib
import io
import json
import logging
import signal
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import pytest

from adapters.testing import EVER_AFTER
from node import control, log
from node.errors import ConfigError, RefusedError, UnavailableError
from node.runtime.archive import Archive
from node.runtime.chores import Chores
from node.store.database import open_store
from tests.integration.nodes import Company, acquainted, free_port, until


def run(case: Callable[[], Coroutine[Any, Any, None]]) -> None:
    """Run a case that must not hang."""

    async def bounded() -> None:
        async with asyncio.timeout(90):
            await case()

    asyncio.run(bounded())


async def order(buyer: Company, seller: Company, number: str) -> None:
    """Place an order and wait until the seller has it and the buyer its receipt."""
    parties = [{"role": "BUYER", "id": buyer.id}, {"role": "SELLER", "id": seller.id}]
    fields = {
        "header": {"number": number, "issued_at": "2026-11-01T08:00:00Z", "parties": parties},
        "currency": "GBP",
        "lines": [{"line_id": "1", "item": {"seller_number": "CHEW-1"}, "quantity": {"value": "6", "unit": "C62"}}],
    }
    await buyer.does("order.place", partner=seller.id, fields=fields)
    await until(lambda: ("out", "Order", "taken") in buyer.lines("Order"))


def orders(company: Company) -> list[str]:
    """The numbers of the orders that this company has received."""
    rows = company.node.store.read(lambda tx: tx.documents.search(direction="in", type="Order"))
    return sorted(row.doc_number for row in rows)


async def both(*companies: Company) -> None:
    """Start the nodes and wait until each is connected and knows that it is confirmed."""
    for company in companies:
        await company.start()
    await until(lambda: all(company.connected() and company.confirmed() for company in companies))


async def all_stop(*companies: Company) -> None:
    for company in companies:
        await company.node.stop()


def test_two_nodes_confirm_each_other_and_exchange_orders(tmp_path: Path) -> None:
    async def case() -> None:
        low, high = acquainted(tmp_path)
        await both(low, high)
        await order(low, high, "PO-1")
        await order(high, low, "PO-2")
        assert (orders(low), orders(high)) == (["PO-2"], ["PO-1"])
        told = await low.does("status")
        assert told["partners"][0]["connected"] is True
        assert (await low.does("partner.ping", partner=high.id))["milliseconds"] >= 0
        await all_stop(low, high)

    run(case)


def test_what_is_odd_about_the_settings_is_logged_and_the_node_starts(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    rules = '[[sharing.rules]]\nfigure = "exact"\n[[sharing.rules]]\nfigure = "hidden"\n'
    alone = Company(tmp_path, "low", port=free_port(), listens=True, more=rules)

    async def case() -> None:
        await alone.start()
        await alone.node.stop()

    run(case)
    assert any("sharing.rules[1]: rules[0] already matches" in record.getMessage() for record in caplog.records)


@pytest.mark.parametrize("dials", [0, 1], ids=["lower-dials", "higher-dials"])
def test_a_node_without_an_open_port_is_a_full_member(tmp_path: Path, dials: int) -> None:
    async def case() -> None:
        low, high = acquainted(tmp_path, listen=(dials == 1, dials == 0))
        await both(low, high)
        assert [company.node.links.port == 0 for company in (low, high)] == [dials == 0, dials == 1]
        await order(low, high, "PO-1")
        await order(high, low, "PO-2")
        await all_stop(low, high)

    run(case)


def test_a_node_that_comes_back_gets_what_waits(tmp_path: Path) -> None:
    async def case() -> None:
        low, high = acquainted(tmp_path)
        await both(low, high)
        await high.node.stop()
        await until(lambda: not low.connected())
        placed = asyncio.create_task(order(low, high, "PO-1"))
        await until(lambda: low.lines("Order") == [("out", "Order", "waiting")])
        await high.start()
        await placed
        assert orders(high) == ["PO-1"]
        await all_stop(low, high)

    run(case)


def test_revoking_a_partner_ends_its_session_at_once_and_for_good(tmp_path: Path) -> None:
    async def case() -> None:
        low, high = acquainted(tmp_path)
        await both(low, high)
        await low.does("partner.revoke", partner=high.id, reason="no longer")
        await until(lambda: not low.connected() and not high.connected())
        with pytest.raises(UnavailableError):
            await low.does("partner.ping", partner=high.id)
        dialler = high.node.links.dialler(low.id)
        assert dialler is not None
        await until(lambda: dialler.failures > 0)
        assert not low.connected()
        await all_stop(low, high)

    run(case)


def test_new_keys_are_taken_on_a_live_link(tmp_path: Path) -> None:
    async def case() -> None:
        low, high = acquainted(tmp_path)
        await both(low, high)
        await low.does("key.rotate")
        await until(lambda: ("out", "PartnerCard", "taken") in low.lines("PartnerCard"))
        await order(low, high, "PO-1")
        await high.node.stop()
        await until(lambda: not low.connected())
        await high.start()
        await until(lambda: low.connected() and high.connected())
        await order(high, low, "PO-2")
        assert (orders(low), orders(high)) == (["PO-2"], ["PO-1"])
        await all_stop(low, high)

    run(case)


ADAPTER = """
[[adapters]]
name = "shop"
kind = "jsonl"
every_seconds = 3600
usage = "test"
options = {folder = "erp", ready = "done", documents = ["Order", "ApplicationResponse"]}
"""


def test_an_adapter_gets_orders_as_they_come_and_its_verdict_goes_back(tmp_path: Path) -> None:
    async def case() -> None:
        low, high = acquainted(tmp_path, more=ADAPTER)
        await both(low, high)
        await order(low, high, "PO-1")
        await until(lambda: bool(list((high.home / "erp" / "out").glob("Order_PO-1*.jsonl"))))
        # The verdict of the seller's system reaches the buyer by itself.
        await until(lambda: ("in", "ApplicationResponse", "taken") in low.lines("ApplicationResponse"))
        line = {
            "document": "Order",
            "partner": high.id,
            "fields": {
                "header": {"number": "PO-7", "issued_at": "2026-11-01T08:00:00Z"},
                "currency": "GBP",
                "lines": [{"line_id": "1", "item": {"seller_number": "X"}, "quantity": {"value": "1", "unit": "C62"}}],
            },
        }
        inbox = low.home / "erp" / "in"
        inbox.mkdir(parents=True, exist_ok=True)
        (inbox / "new.jsonl").write_text(json.dumps(line) + "\n", encoding="utf-8")
        (inbox / "new.jsonl.done").touch()
        with pytest.raises(RefusedError, match="has not been started"):
            await low.does("adapter.pull", name="shop")
        # Starting it is what lets it pull, at once and in its own thread.
        await low.does("adapter.start", name="shop")
        await until(lambda: orders(high) == ["PO-1", "PO-7"])
        await low.does("adapter.pull", name="shop")
        text = low.node.metrics.text().decode()
        assert 'hansa_pulled_total{adapter="shop"} 1.0' in text
        # Long after, its own copies are erased, by the adapter's own thread.
        handled = low.home / "erp" / "processed" / "new.jsonl"
        assert handled.exists()
        low.node.forget_staged(EVER_AFTER)
        await until(lambda: not handled.exists())
        await all_stop(low, high)

    run(case)


def test_figures_and_readiness_are_shown_on_this_machine(tmp_path: Path) -> None:
    async def case() -> None:
        port = free_port()
        low, high = acquainted(tmp_path)
        (low.home / "hansa.toml").write_text(f"[node]\nlisten = '127.0.0.1:{low.port}'\n[metrics]\nport = {port}\n")
        low.load()
        await both(low, high)
        await order(low, high, "PO-1")

        def get(path: str) -> tuple[int, str]:
            try:
                with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=10) as answer:
                    return answer.status, answer.read().decode()
            except urllib.error.HTTPError as error:
                with error:
                    return error.code, error.read().decode()

        status, text = await asyncio.to_thread(get, "/metrics")
        assert status == 200
        assert "hansa_sessions 1.0" in text
        assert f'hansa_link_receipted_number{{direction="out",partner="{high.id}"}} 2.0' in text
        assert [(await asyncio.to_thread(get, path))[0] for path in ("/ready", "/live", "/else")] == [200, 200, 404]
        await all_stop(low, high)

    run(case)


def test_recurring_work_runs_beside_the_traffic(tmp_path: Path) -> None:
    async def case() -> None:
        low, high = acquainted(tmp_path)
        await both(low, high)
        await order(low, high, "PO-1")
        node = low.node
        chores = Chores(node.store, node.ctx, node.keys, node)
        for chore in (
            chores.erase,
            chores.forget_staged,
            chores.drop_old_snapshots,
            chores.advance_keys,
            node.wake_waiting,
            node.stop_stalled,
        ):
            await asyncio.to_thread(chore)
        await order(high, low, "PO-2")
        assert low.connected()
        await all_stop(low, high)

    run(case)


def test_a_taken_port_is_a_mistake_of_ours_and_leaves_nothing_open(tmp_path: Path) -> None:
    async def case() -> None:
        low, high = acquainted(tmp_path)
        (high.home / "hansa.toml").write_text(f"[node]\nlisten = '127.0.0.1:{low.port}'\n")
        high.load()
        await low.start()
        with pytest.raises(ConfigError, match="cannot be listened on"):
            await high.start()
        with pytest.raises(ConfigError):
            await asyncio.to_thread(open_store, low.settings.database_url)
        high.offline("status")  # its store is free again
        await low.node.stop()

    run(case)


def test_a_home_without_identity_says_what_to_do(tmp_path: Path) -> None:
    async def case() -> None:
        low, _ = acquainted(tmp_path)
        (low.home / "hansa.db").unlink()
        with pytest.raises(ConfigError) as caught:
            await low.start()
        assert "hansa init" in caught.value.hint

    run(case)


def test_sigterm_ends_a_node_and_its_log_is_json(tmp_path: Path) -> None:
    (low,) = acquainted(tmp_path)[:1]
    with (low.home / "hansa.toml").open("a") as file:
        file.write('[log]\nformat = "json"\nlevel = "debug"\n')
    command = [sys.executable, "-m", "node.cli", "--home", str(low.home), "run"]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as running:
        assert running.stderr is not None
        lines = []
        for line in running.stderr:
            lines.append(json.loads(line))
            if lines[-1]["message"] == "the node is ready":
                break
        try:
            with pytest.raises(UnavailableError, match="a node is running"), control.exclusive(low.home, 0):
                pass
        finally:
            running.send_signal(signal.SIGTERM)
        lines += [json.loads(line) for line in running.stderr]
        assert running.wait(60) == 0
    assert lines[-1]["message"] == "the node has stopped"
    assert {"at", "level", "logger", "message"} <= lines[0].keys()


def test_the_log_writes_known_fields_alone_and_one_line_each() -> None:
    stream = io.StringIO()
    root = logging.getLogger()
    before = root.level
    for form in ("json", "text"):
        handler = log.configure("info", form, stream)
        extra = {"partner": "0088:1", "body": "secret", "document": 7}
        logging.getLogger("hansa.test").warning("a\nb", extra=extra)
        root.removeHandler(handler)
    root.setLevel(before)
    first, second = stream.getvalue().splitlines()
    assert json.loads(first)["partner"] == "0088:1"
    assert json.loads(first)["document"] == 7
    assert "warning a b  partner=0088:1 document=7" in second
    assert "secret" not in stream.getvalue()


def test_the_archive_keeps_whole_files(tmp_path: Path) -> None:
    low, _ = acquainted(tmp_path)
    with contextlib.closing(open_store(low.settings.database_url)) as store:
        rows = store.read(lambda tx: tx.documents.search())
        Archive(tmp_path / "archive")(rows)
    (path,) = (tmp_path / "archive").iterdir()
    kept = [json.loads(line) for line in path.read_text().splitlines()]
    assert [one["document_id"] for one in kept] == [row.document_id for row in rows]
    (tmp_path / "file").touch()
    with pytest.raises(UnavailableError, match=r"retention\.archive"):
        Archive(tmp_path / "file")(rows)
