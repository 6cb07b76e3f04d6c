"""Carriers and rules through the operations behind the commands, on real files; every result shows as text."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from dataclasses import replace
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from node.app.sourcing import past_problems
from node.cli import entry
from node.cli.parser import build_parser
from node.config import parse
from node.core.sourcing.problem import DemandLine, OrderDemand, Problem, Service, Source, Supply
from node.core.sourcing.problem_json import from_json, to_fields, to_json
from node.errors import ConfigError, RefusedError
from node.ports import Store
from tests.carrier_server import CarrierServer, carrier_server
from tests.companies import Company
from tests.integration.test_cli_operations import Desk

D = Decimal
TODAY = date(2026, 5, 4)
OWN_ONLY = """
[[rules]]
name = "own"
otherwise = true
strategy = "own"
[strategies.own]
partners = ["-"]
"""


@pytest.fixture
def server() -> Iterator[CarrierServer]:
    with carrier_server() as told:
        offer = {"available": True, "product": {"name": "Air"}, "price": {"gross": 9, "currency": "EUR"}}
        told.body = json.dumps({"rates": [{**offer, "delivery": {"days": 1}}]}).encode()
        yield told


@pytest.fixture
def desk(tmp_path: Path, project_root: Path, server: CarrierServer) -> Desk:
    made = Company(tmp_path, "shop")
    shutil.copytree(project_root / "config" / "carriers", tmp_path / "carriers")
    text = (
        '[carriers."parcel"]\nfile = "carriers/parcel.toml"\n'
        f'[carriers."live"]\nkind = "http"\nfile = "carriers/live.toml"\nurl = "{server.url}"\nsecret_file = "key"\n'
    )
    (tmp_path / "key").write_text("s3cret", encoding="utf-8")
    made.ctx = replace(made.ctx, settings=parse(text, tmp_path))
    return Desk(made)


def home(desk: Desk) -> Path:
    found: Path = desk.ctx.settings.home
    return found


def test_carriers_are_listed_checked_and_asked(desk: Desk, server: CarrierServer) -> None:
    told = desk.do("carrier.list")
    assert [(one["name"], one["kind"]) for one in told["carriers"]] == [("parcel", "table"), ("live", "http")]
    assert desk.do("carrier.check")["good"]
    quoted = desk.do("carrier.quote", country="de", postal_code="80331", weight="3.5", from_country="DE")
    assert [(one["name"], one["basis"], len(one["offers"])) for one in quoted["carriers"]] == [
        ("parcel", "table", 2),
        ("live", "quote", 1),
    ]
    first = quoted["carriers"][0]["offers"][0]
    assert (first["cost"], first["parts"]) == ("5.642", {"freight": "5.2", "fuel": "0.442"})
    assert quoted["carriers"][1]["offers"][0]["cost"] == "9"
    assert quoted["distance_km"] is None
    assert "s3cret" not in json.dumps([told, quoted])


def test_prices_are_shown_in_the_currencys_decimals(desk: Desk, capsys: pytest.CaptureFixture[str]) -> None:
    desk.do("carrier.quote", country="de", postal_code="80331", weight="3.5", from_country="DE")
    said = capsys.readouterr().out
    assert "5.64 EUR" in said
    assert "freight 5.20 EUR + fuel 0.44 EUR" in said
    assert "9.00 EUR" in said


def test_without_a_currency_each_carrier_is_asked_for_its_own(desk: Desk, server: CarrierServer) -> None:
    text = (home(desk) / "carriers" / "parcel.toml").read_text(encoding="utf-8")
    (home(desk) / "carriers" / "parcel.toml").write_text(text.replace('"EUR"', '"GBP"', 1), encoding="utf-8")
    quoted = desk.do("carrier.quote", country="DE", postal_code="80331", weight="3.5", from_country="DE")
    parcel, live = quoted["carriers"]
    assert parcel["offers"][0]["currency"] == "GBP"
    assert live["offers"][0]["currency"] == "EUR"
    assert json.loads(server.asked[-1].body)["shipment"]["currency"] == "EUR"


def test_what_a_carrier_lacks_is_told(desk: Desk, server: CarrierServer) -> None:
    server.status = 500
    quoted = desk.do("carrier.quote", country="DE", postal_code="80331", weight="3.5", currency="USD")
    rules = {one["name"]: [found["rule"] for found in one["findings"]] for one in quoted["carriers"]}
    assert rules == {"parcel": ["other-currency"], "live": ["bad-status"]}
    with pytest.raises(RefusedError, match="no carrier 'x'"):
        desk.do("carrier.check", carrier="x")
    with pytest.raises(RefusedError, match="weight"):
        desk.do("carrier.quote", country="DE", postal_code="80331", weight="-1")
    (home(desk) / "key").unlink()
    told = desk.do("carrier.check", carrier="live")
    assert not told["good"]
    assert "key cannot be read" in told["carriers"][0]["findings"][0]["text"]
    rates = home(desk) / "carriers" / "parcel-rates.csv"
    rates.write_text(
        rates.read_text(encoding="utf-8").replace("express,inland,31.5,11.90", "express,inland,8,1"), "utf-8"
    )
    lines = [line for line in rates.read_text(encoding="utf-8").splitlines() if "world,31.5" not in line]
    rates.write_text("\n".join(lines), encoding="utf-8")
    told = desk.do("carrier.check", carrier="parcel")
    assert told["good"], "a table with a hole is used where it has a price"
    assert [one["rule"] for one in told["carriers"][0]["findings"]] == ["weight-hole"]


def test_rules_are_checked_and_shown(desk: Desk) -> None:
    assert desk.do("rules.check") == {
        "file": "the default rules", "good": True, "usable": True, "rules": 5, "strategies": 5, "findings": []
    }  # fmt: skip
    assert [one["name"] for one in desk.do("rules.show")["rules"]][-1] == "everything else"
    told = desk.do("rules.check", rules=OWN_ONLY + "colour = 1\n[strategies.x]\n", file="new.toml")
    assert not told["usable"]
    assert [one["rule"] for one in told["findings"]] == ["bad-key"]
    assert "new.toml: strategies.own.colour" in told["findings"][0]["text"]
    (home(desk) / "rules.toml").write_text(OWN_ONLY + 'on_failure = "own"\n', encoding="utf-8")
    assert [one["rule"] for one in desk.do("rules.check")["findings"]] == ["cycle"]
    kept = desk.do("rules.show")
    assert "for ever" in kept["fault"]
    assert kept["rules"][-1]["name"] == "everything else", "the last good rules hold on"
    (home(desk) / "rules.toml").write_text(OWN_ONLY.replace("otherwise", 'approval_over = "5 EUR"\notherwise'), "utf-8")
    shown = desk.do("rules.show")
    assert shown["rules"][0]["approval_over"] == "5 EUR"
    assert shown["strategies"][0]["filters"] == {"partners": ["-"]}


def past(order_id: str, *, own: int = 9) -> Problem:
    """An order that a partner can fill for less than we can."""
    sources = tuple(
        Source(source_id=key, partner_id=key.partition("|")[0], location="X", ship_on=TODAY)
        for key in ("|X", "0088:1|X")
    )
    return Problem(
        today=TODAY,
        orders=(
            OrderDemand(
                order_id=order_id,
                kind="SHIP_TO_HOME",
                currency="EUR",
                lines=(DemandLine(line_id="1", item_key="i", quantity=D(3), price=D(9)),),
            ),
        ),
        sources=sources,
        supplies=(
            Supply(source_id="|X", item_key="i", quantity=D(own), on=TODAY, unit_cost=D(5)),
            Supply(source_id="0088:1|X", item_key="i", quantity=D(9), on=TODAY, unit_cost=D(2)),
        ),
        services=tuple(Service(source_id=one.source_id, order_id=order_id, cost_fixed=D(4)) for one in sources),
    )


def test_past_decisions_are_replayed_under_other_rules(desk: Desk) -> None:
    def keep(number: int, problem: Problem) -> None:
        order_id = problem.orders[0].order_id
        desk.store.write(lambda tx: past_problems.keep(tx, desk.ctx, number, problem, order_id))

    assert desk.do("rules.simulate", rules=OWN_ONLY, file="new.toml")["orders"] == 0
    keep(1, past("old"))
    desk.company.clock.move(days=2)
    keep(2, past("new", own=2))
    told = desk.do("rules.simulate", rules=OWN_ONLY, file="new.toml")
    assert (told["orders"], told["changed"], told["after"]) == (2, 2, "new.toml")
    [euros] = told["by_currency"]
    assert (euros["before"]["cost"], euros["after"]["cost"]) == ("20.00", "33.00")
    assert (euros["before"]["fill_percent"], euros["after"]["fill_percent"]) == ("100.00", "83.33")
    [short] = [one for one in told["differences"] if one["order"] == "new"]
    assert short["after"]["pieces"] == [{"line": "1", "source": "|X", "quantity": "2"}]
    assert short["after"]["failure"] == "back_order"
    assert desk.do("rules.simulate", rules=OWN_ONLY, since="2026-05-06")["orders"] == 1
    assert desk.do("rules.simulate", rules=OWN_ONLY, orders=1)["differences"][0]["order"] == "new"
    given = desk.do("rules.simulate", rules=OWN_ONLY, problems=[to_fields(past("given"))])
    assert (given["orders"], given["differences"][0]["order"]) == (1, "given")


def test_problems_are_kept_as_long_as_personal_data(desk: Desk) -> None:
    def keep(number: int) -> None:
        desk.store.write(lambda tx: past_problems.keep(tx, desk.ctx, number, past(str(number)), str(number)))

    keep(1)
    desk.company.clock.move(days=91)
    keep(2)
    [text] = desk.store.read(lambda tx: past_problems.newest(tx, None, 10))
    assert from_json(text).orders[0].order_id == "2"


def test_a_kept_problem_holds_what_one_order_could_draw_on() -> None:
    one, other = past("1"), past("2")
    stranger = Supply(source_id="|Y", item_key="other", quantity=D(1), on=TODAY)
    wave = replace(
        one,
        orders=one.orders + other.orders,
        services=one.services + other.services,
        sources=(*one.sources, Source(source_id="|Y", ship_on=TODAY)),
        supplies=(*one.supplies, stranger),
        scarcity={("|X", "i"): D(1), ("|Y", "other"): D(2)},
    )
    assert past_problems.of_order(wave, "1") == replace(one, scarcity={("|X", "i"): D(1)})


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ({"rules": "x ="}, "not TOML"),
        ({"rules": OWN_ONLY + "colour = 1"}, "colour"),
        ({"rules": OWN_ONLY + 'on_failure = "own"'}, "for ever"),
        ({"rules": OWN_ONLY, "orders": 0}, "orders"),
        ({"rules": OWN_ONLY, "problems": [{}]}, "no sourcing problem"),
        ({"rules": OWN_ONLY, "since": "yesterday"}, "since"),
    ],
)
def test_what_cannot_be_simulated_says_why(desk: Desk, arguments: dict[str, Any], expected: str) -> None:
    with pytest.raises(RefusedError, match=expected):
        desk.do("rules.simulate", **arguments)


def test_files_of_problems(tmp_path: Path) -> None:
    path = tmp_path / "problems.jsonl"
    path.write_text(f"{to_json(past('1'))}\n\n{to_json(past('2'))}\n", encoding="utf-8")
    assert [one["orders"]["order_id"] for one in entry.read_lines(str(path))] == [["1"], ["2"]]
    path.write_text("{}\nnonsense\n", encoding="utf-8")
    with pytest.raises(ConfigError, match="line 2: not JSON"):
        entry.read_lines(str(path))
    path.write_text("3\n", encoding="utf-8")
    with pytest.raises(ConfigError, match="line 1: a JSON object"):
        entry.read_lines(str(path))


def test_the_commands_take_their_options() -> None:
    parser = build_parser()
    quote = parser.parse_args("carrier quote parcel --country DE --postal-code 1 --weight 2".split())
    assert (quote.command, quote.carrier, quote.weight) == ("carrier.quote", "parcel", "2")
    simulate = parser.parse_args("rules simulate --rules new.toml --since 2026-01-01 --orders 5".split())
    assert (simulate.command, simulate.rules, simulate.orders) == ("rules.simulate", "new.toml", 5)


def test_the_store_keeps_problems(store: Store) -> None:
    """On every engine."""
    from node.core.problem_rows import ProblemRow

    rows = [ProblemRow(number, number * 10, "{}") for number in range(1, 6)]
    store.write(lambda tx: tx.problems.add(rows))
    assert store.read(lambda tx: tx.problems.newest(20, 3)) == [rows[4], rows[3], rows[2]]
    assert store.write(lambda tx: tx.problems.drop(40, 2)) == 2
    assert store.read(lambda tx: tx.problems.newest(0, 9)) == [rows[4], rows[3], rows[2]]
