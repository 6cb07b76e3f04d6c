"""A carrier that is asked over HTTP: what is sent, what is understood, and every way in which it can fail to answer."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from time import monotonic
from typing import Any

import pytest

from adapters.base import CarrierQuotes
from adapters.carrier_http import HttpCarrier
from adapters.https import ANSWER_BYTES_MAX
from node.core.freight import Quotation, Quoted, QuoteRequest
from node.errors import ConfigError
from tests.carrier_server import CarrierServer, carrier_server, self_signed

REQUEST = QuoteRequest(
    from_country="DE",
    from_postal_code="80331",
    country="FR",
    postal_code="75001",
    weight_kg=Decimal("2.5"),
    currency="EUR",
)
OFFER = {
    "available": True,
    "product": {"name": "Express"},
    "price": {"gross": 12.35, "currency": "EUR"},
    "delivery": {"days": 2},
}
GOOD = Quoted(service="Express", cost=Decimal("12.35"), currency="EUR", transit_days=2)


@pytest.fixture
def server() -> Iterator[CarrierServer]:
    with carrier_server() as told:
        told.body = json.dumps({"rates": [OFFER]}).encode()
        yield told


@pytest.fixture
def home(tmp_path: Path, project_root: Path) -> Path:
    shutil.copy(project_root / "config" / "carriers" / "live.toml", tmp_path / "live.toml")
    return tmp_path


def carrier(home: Path, url: str, **more: Any) -> CarrierQuotes:
    return HttpCarrier({"name": "live", "file": "live.toml", "url": url, "secret": "s3cret", **more}, home)


def ask(home: Path, server: CarrierServer, **more: Any) -> Quotation:
    [told] = carrier(home, server.url, **more).quotes([REQUEST])
    return told


def rules(told: Quotation) -> list[str]:
    return [one.rule for one in told.findings]


def test_the_question_is_what_the_mapping_says(home: Path, server: CarrierServer) -> None:
    assert ask(home, server) == Quotation((GOOD,))
    [asked] = server.asked
    assert (asked.method, asked.path) == ("POST", "/v1/rates")
    assert asked.headers["Authorization"] == "Bearer s3cret"
    assert json.loads(asked.body) == {
        "shipment": {
            "from": {"country": "DE", "zip": "80331"},
            "to": {"country": "FR", "zip": "75001"},
            "grams": 2500,
            "currency": "EUR",
            "kind": "PARCEL",
        }
    }


def test_a_question_in_the_address(home: Path, server: CarrierServer) -> None:
    text = (home / "live.toml").read_text(encoding="utf-8").replace('"POST"', '"GET"')
    (home / "live.toml").write_text(text, encoding="utf-8")
    server.url += "?v=2"
    assert ask(home, server).offers == (GOOD,)
    assert server.asked[0].path.startswith("/v1/rates?v=2&shipment.from.country=DE&shipment.from.zip=80331")
    assert server.asked[0].body == b""


def test_amounts_are_exact(home: Path, server: CarrierServer) -> None:
    server.body = json.dumps({"rates": [OFFER]}).replace("12.35", "0.1000000000000000055511151231257827").encode()
    assert rules(ask(home, server)) == ["no-cost"]
    server.body = json.dumps({"rates": [OFFER]}).replace("12.35", "19.990000").encode()
    assert ask(home, server).offers[0].cost == Decimal("19.99")


def test_answers_come_in_the_order_of_the_questions(home: Path, server: CarrierServer) -> None:
    requests = [replace(REQUEST, postal_code=str(number)) for number in range(75001, 75021)]
    told = carrier(home, server.url).quotes(requests)
    assert [one.offers for one in told] == [(GOOD,)] * 20
    assert sorted(json.loads(one.body)["shipment"]["to"]["zip"] for one in server.asked) == [
        one.postal_code for one in requests
    ]
    assert carrier(home, server.url).quotes([]) == []


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"price": {"gross": -1, "currency": "EUR"}}, "negative-cost"),
        ({"price": {"gross": 99999999, "currency": "EUR"}}, "absurd-cost"),
        ({"price": {"gross": "cheap", "currency": "EUR"}}, "no-cost"),
        ({"price": {"gross": [1], "currency": "EUR"}}, "no-cost"),
        ({"price": {"gross": True, "currency": "EUR"}}, "no-cost"),
        ({"price": None}, "no-cost"),
        ({"price": {"gross": 1, "currency": "USD"}}, "other-currency"),
        ({"price": {"gross": 1}}, "other-currency"),
        ({"delivery": {}}, "no-transit-days"),
        ({"delivery": {"days": "soon"}}, "no-transit-days"),
        ({"delivery": {"days": 1.5}}, "no-transit-days"),
        ({"delivery": {"days": -3}}, "absurd-transit-days"),
        ({"delivery": {"days": 10**30}}, "no-transit-days"),
    ],
)
def test_unusual_offers_are_findings(home: Path, server: CarrierServer, changes: dict[str, Any], expected: str) -> None:
    server.body = json.dumps({"rates": [{**OFFER, **changes}, OFFER]}).encode()
    told = ask(home, server)
    assert told.offers == (GOOD,)
    assert rules(told) == [expected]


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (b"<html><body>Service unavailable</body></html>", "not-json"),
        (b"", "not-json"),
        (b"\xff\xfe", "not-json"),
        (b'{"rates": [', "not-json"),
        (b'{"rates": [{"price": {"gross": 1e999999999}}]}', "not-json"),
        (b'{"rates": [{"price": {"gross": NaN}}]}', "not-json"),
        (b"[" * 100_000, "not-json"),
        (b"1" * 5_000, "not-json"),
        (b'{"rates": null}', "no-offers"),
        (b'{"error": "unknown postal code"}', "no-offers"),
        (b'{"rates": []}', "no-offer"),
        (b'{"rates": [{"available": false}]}', "no-offer"),
        (b'{"rates": [{"available": true}]}', "no-cost"),
        (b" " * (ANSWER_BYTES_MAX + 1), "too-large"),
    ],
)
def test_unusual_answers_are_findings(home: Path, server: CarrierServer, body: bytes, expected: str) -> None:
    server.body = body
    told = ask(home, server)
    assert told.offers == ()
    assert rules(told) == [expected]


@pytest.mark.parametrize(
    ("status", "expected"),
    [(500, "bad-status"), (401, "bad-status"), (204, "bad-status"), (302, "redirect"), (308, "redirect")],
)
def test_other_statuses_are_findings(home: Path, server: CarrierServer, status: int, expected: str) -> None:
    server.status = status
    server.headers = {"Location": "http://127.0.0.1:1/elsewhere"}
    told = ask(home, server)
    assert rules(told) == [expected]
    assert str(status) in told.findings[0].text
    assert len(server.asked) == 1


@pytest.mark.parametrize("way", ["silence", "drip"])
def test_a_slow_answer_ends_at_the_deadline(home: Path, server: CarrierServer, way: str) -> None:
    server.act = getattr(server, way)
    began = monotonic()
    told = ask(home, server, timeout_seconds=0.3)
    assert monotonic() - began < 5
    assert rules(told) == ["timeout"]


def test_a_silent_carrier_is_not_asked_everything(home: Path, server: CarrierServer) -> None:
    server.act = server.silence
    told = carrier(home, server.url, timeout_seconds=0.3).quotes([REQUEST] * 40)
    assert {rule for one in told for rule in rules(one)} == {"timeout", "not-asked"}
    assert len(server.asked) <= 16


def test_nobody_there(home: Path, server: CarrierServer) -> None:
    told = carrier(home, "http://127.0.0.1:1/").quotes([REQUEST])
    assert rules(told[0]) == ["unreachable"]


def test_what_is_no_http(home: Path, server: CarrierServer) -> None:
    server.act = lambda handler: (handler.wfile.write(b"220 mail.example ESMTP\r\n"), None)[1]
    assert rules(ask(home, server)) == ["bad-http"]


def test_a_certificate_that_nobody_vouches_for_is_refused(home: Path) -> None:
    files = self_signed(home / "tls")
    with carrier_server(files) as server:
        server.body = json.dumps({"rates": [OFFER]}).encode()
        told = ask(home, server)
        assert rules(told) == ["unreachable"]
        assert "certificate" in told.findings[0].text
        assert server.asked == []
        assert ask(home, server, ca_file="tls/carrier.pem").offers == (GOOD,)


def test_no_message_tells_the_secret(home: Path, server: CarrierServer) -> None:
    for way in (None, server.silence):
        server.act, server.status = way, 401
        for one in (*ask(home, server, timeout_seconds=0.2).findings,):
            assert "s3cret" not in one.text
    assert "s3cret" not in repr(carrier(home, server.url))
    for bad in ("s3cret\nX: y", "s3cretü"):
        with pytest.raises(ConfigError) as raised:
            carrier(home, server.url, secret=bad)
        assert "s3cret" not in raised.value.message + raised.value.hint


@pytest.mark.parametrize(
    "url",
    [
        "http://carrier.example/",
        "ftp://carrier.example/",
        "carrier.example",
        "https://",
        "https://user:pw@carrier.example/",
        "https://carrier.example:port/",
        "https://carrier.example/a b",
        "https://[::1/",
    ],
)
def test_addresses_that_are_not_called(home: Path, url: str) -> None:
    with pytest.raises(ConfigError, match="url"):
        carrier(home, url)


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ('method = "POST"', 'method = "PUT"', "is not GET or POST"),
        ('"from_country"', '"from_land"', "'from_land' is no field"),
        ('offers = "rates[?available]"', 'offers = "rates["', "is no JMESPath"),
        ('offers = "rates[?available]"', "offers = 3", "is no JMESPath"),
        ('cost = "price.gross"', "", "answer.fields.cost is missing"),
        ('currency = "price.currency"', "", "answer.fields.currency is missing"),
        ('cost = "price.gross"', 'cost = "price.gross"\nprice = "x"', "'price' is not known here"),
        ('cost = "price.gross"', 'cost = { path = "x", convert = ["nonsense"] }', "there is no converter"),
        ('cost = "price.gross"', 'cost = { path = "x", constant = "1" }', "either path"),
        ('kind = "number"', 'kind = "word"', "is not text or number"),
        ("[request]", "[requests]", "'requests' is not known"),
        ("[answer.fields]", "[answer.fields", "is not TOML"),
        ("Bearer {secret}", "Bearer ü", "plain letters"),
    ],
)
def test_mistakes_in_the_mapping(home: Path, old: str, new: str, expected: str) -> None:
    text = (home / "live.toml").read_text(encoding="utf-8")
    assert old in text
    (home / "live.toml").write_text(text.replace(old, new, 1), encoding="utf-8")
    with pytest.raises(ConfigError) as raised:
        carrier(home, "https://carrier.example/")
    assert raised.value.message.startswith("live.toml")
    assert expected in raised.value.message


def test_a_secret_that_is_needed_and_missing(home: Path) -> None:
    with pytest.raises(ConfigError, match="needs a secret"):
        carrier(home, "https://carrier.example/", secret="")
    with pytest.raises(ConfigError, match="cannot be read"):
        carrier(home, "https://carrier.example/", file="absent.toml")
    with pytest.raises(ConfigError, match="ca_file"):
        carrier(home, "https://carrier.example/", ca_file="absent.pem")


def test_a_carrier_with_one_currency_only(home: Path, server: CarrierServer) -> None:
    text = (home / "live.toml").read_text(encoding="utf-8").replace('currency = "price.currency"', "")
    (home / "live.toml").write_text(text, encoding="utf-8")
    assert ask(home, server, currency="EUR").offers == (GOOD,)
    assert rules(ask(home, server, currency="USD")) == ["other-currency"]
