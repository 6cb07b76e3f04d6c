"""Reading tables of rates: the example, and every kind of mistake with file, key or row, and what was expected."""

from __future__ import annotations

import shutil
from datetime import time
from decimal import Decimal
from pathlib import Path

import pytest

from node.config import parse
from node.config.carriers import read_places, read_rate_table
from node.core.finding import Finding
from node.core.freight import Shipment, findings, price
from node.errors import ConfigError

RATES = "service,zone,weight_to,price,per_kg,transit_days\nstandard,all,30,4.10,,2\n"
TABLE = """
weight_step = 0
currency = "EUR"
rates = "rates.csv"
[zones.all]
areas = ["DE", "AT 1-2"]
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "rates.csv").write_text(RATES, encoding="utf-8")
    (tmp_path / "table.toml").write_text(TABLE, encoding="utf-8")
    return tmp_path


def fault(path: Path) -> str:
    with pytest.raises(ConfigError) as raised:
        read_rate_table(path, "fast")
    return raised.value.message


def test_the_example_is_sound(project_root: Path) -> None:
    table, files = read_rate_table(project_root / "config" / "carriers" / "parcel.toml", "parcel")
    assert [one.name for one in files] == ["parcel.toml", "parcel-rates.csv"]
    assert findings(table) == []
    assert table.calendar.cut_off == time(15)
    rates = price(
        table,
        Shipment(country="DE", postal_code="80331", weight_kg=Decimal(3), currency="EUR", from_country="DE"),
    )
    assert not isinstance(rates, Finding)
    assert [(one.service, one.cost) for one in rates] == [
        ("standard", Decimal("5.20") * Decimal("1.085")),
        ("express", Decimal("11.90") * Decimal("1.085")),
    ]


def test_breaks_are_sorted(folder: Path) -> None:
    with (folder / "rates.csv").open("a", encoding="utf-8") as file:
        file.write("standard,all,,20,,2\nstandard,all,5,3,,\n")
    table, _ = read_rate_table(folder / "table.toml", "fast")
    assert [one.weight_to for one in table.rates[0].breaks] == [5, 30, None]


@pytest.mark.parametrize(
    ("old", "new", "key", "expected"),
    [
        ('currency = "EUR"', "", "currency", "missing"),
        ('currency = "EUR"', "currency = 3", "currency", "text"),
        ('currency = "EUR"', 'currency = "EUR"\nname = "Fast"', "name", "not known"),
        ("weight_step = 0", "weight_step = -1", "weight_step", "0 or more"),
        ("weight_step = 0", 'weight_step = "x"', "weight_step", "a number"),
        ("weight_step = 0", "weight_step = nan", "weight_step", "a number"),
        ("weight_step = 0", 'origins = ["Germany"]', "origins", "places such as"),
        ('areas = ["DE", "AT 1-2"]', 'areas = "DE 1-"', "zones.all.areas", "places such as"),
        ('areas = ["DE", "AT 1-2"]', "areas = [3]", "zones.all.areas", "a list of texts"),
        ('areas = ["DE", "AT 1-2"]', 'area = ["DE"]', "zones.all.area", "not known"),
        ("[zones.all]", "[zones]\nall = 3\n[x]", "x", "not known"),
        ("[zones.all]", '[calendar]\nzone = "Mars/North"\n[zones.all]', "calendar.zone", "a time zone"),
        ("[zones.all]", '[calendar]\ncut_off = "3 pm"\n[zones.all]', "calendar.cut_off", "a time such as"),
        ("[zones.all]", '[calendar]\nweekdays = ["Monday"]\n[zones.all]', "calendar.weekdays", "any of Mo"),
        ("[zones.all]", "[calendar]\nweekdays = []\n[zones.all]", "calendar.weekdays", "at least one day"),
        ("[zones.all]", '[calendar]\nclosed = ["25.12."]\n[zones.all]', "calendar.closed", "a list of dates"),
        (
            "[zones.all]",
            '[[surcharges]]\nname = "x"\npercent = 2000\n[zones.all]',
            "surcharges[0].percent",
            "0 to 1000",
        ),
        ("[zones.all]", '[surcharges]\nname = "x"\n[zones.all]', "surcharges", "[[surcharges]]"),
        ("[zones.all]", "[zones.all", "", "not TOML"),
    ],
)
def test_mistakes_in_the_table_name_the_key(folder: Path, old: str, new: str, key: str, expected: str) -> None:
    path = folder / "table.toml"
    path.write_text(TABLE.replace(old, new), encoding="utf-8")
    message = fault(path)
    assert message.startswith(f"{path}: {key}")
    assert expected in message


@pytest.mark.parametrize(
    ("rates", "expected"),
    [
        ("", "no column service, zone"),
        ("service;zone;weight_to;price;transit_days\n", "column 'service;zone"),
        ("service,zone,weight_to,price,transit_days,colour\n", "column 'colour'"),
        ("service,zone,weight_to,price,transit_days\na,b,x,1,1\n", "row 2: weight_to: expected a number"),
        ("service,zone,weight_to,price,transit_days\na,b,1,-1,1\n", "row 2: price: expected a number of 0 or more"),
        ("service,zone,weight_to,price,transit_days\na,b,1,Infinity,1\n", "row 2: price"),
        ('service,zone,weight_to,price,transit_days\na,b,1,"1,50",1\n', "row 2: price"),
        ("service,zone,weight_to,price,transit_days\na,b,1,,1\n", "row 2: price: expected a price"),
        ("service,zone,weight_to,price,transit_days\na,b,1,1,1.5\n", "row 2: transit_days: expected whole days"),
        ("service,zone,weight_to,price,transit_days\na,b,1,1,1\na,b,2,1,2\n", "row 3: transit_days: expected 1"),
        ("service,zone,weight_to,price,transit_days\n,b,1,1,1\n", "row 2: service: expected a name"),
        ("service,zone,weight_to,price,transit_days\na,b,1,1,1,9\n", "row 2: the row: expected as many cells"),
        ('service,zone,weight_to,price,transit_days\n"a,b,1,1,1\n', "cannot be read"),
    ],
)
def test_mistakes_in_the_rates_name_the_row(folder: Path, rates: str, expected: str) -> None:
    (folder / "rates.csv").write_text(rates, encoding="utf-8")
    message = fault(folder / "table.toml")
    assert message.startswith(str(folder / "rates.csv"))
    assert expected in message


def test_files_that_cannot_be_read(folder: Path) -> None:
    assert "cannot be read" in fault(folder / "absent.toml")
    (folder / "rates.csv").write_bytes(b"service,zone,weight_to,price,transit_days\n\xff,b,1,1,1\n")
    assert "rates.csv: cannot be read" in fault(folder / "table.toml")
    shutil.copy(folder / "table.toml", folder / "other.toml")
    (folder / "rates.csv").unlink()
    assert "rates.csv: cannot be read" in fault(folder / "other.toml")
    with pytest.raises(ConfigError, match=r"absent\.txt: cannot be read"):
        read_places((folder / "absent.txt",))


def test_places_of_several_files_count_together(folder: Path) -> None:
    row = "{}\t{}\tX" + "\t" * 7 + "48.1\t11.5\n"
    (folder / "de.txt").write_text(row.format("DE", "80331") + "bad\n", encoding="utf-8")
    (folder / "at.txt").write_text(row.format("AT", "1010") + row.format("DE", "80333"), encoding="utf-8")
    places, found = read_places((folder / "de.txt", folder / "at.txt"))
    assert len(places) == 3
    assert [one.path for one in found] == [f"{folder / 'de.txt'} row 2"]


@pytest.mark.parametrize(
    ("text", "key", "expected"),
    [
        ('kind = "http"\nfile = "x"', "url", "where the carrier quotes"),
        ('file = "x"\nurl = "https://x"', "url", "no such key"),
        ('file = "x"\nfallback = "other"', "fallback", "no such key"),
        ('kind = "http"\nfile = "x"\nurl = "https://x"\nfallback = "other"', "fallback", "a carrier of kind table"),
        ('kind = "http"\nfile = "x"\nurl = "https://x"\nfallback = "one"', "fallback", "a carrier of kind table"),
        ('kind = "http"\nfile = "x"\nurl = "https://x"\nsecret_env = "A"\nsecret_file = "b"', "secret_file", "at most"),
        ('file = "x"\ncurrency = "EURO"', "currency", "an ISO 4217 code"),
        ("", "file", "missing"),
        ('file = "x"\ntimeout_seconds = 0', "timeout_seconds", "1 to 60"),
    ],
)
def test_settings_of_carriers_are_checked(text: str, key: str, expected: str) -> None:
    with pytest.raises(ConfigError) as raised:
        parse(f'[carriers."one"]\n{text}\n', Path("/home/of/node"))
    assert f'carriers."one".{key}' in raised.value.message
    assert expected in raised.value.message
