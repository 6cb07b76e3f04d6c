"""A carrier that quotes by itself over HTTPS and JSON; what is asked and where the answer stands is a mapping file."""

from __future__ import annotations

import json
import threading
import tomllib
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import jmespath
from jmespath.exceptions import JMESPathError

from adapters.base import Finding
from adapters.cells import Cell, as_text, cell
from adapters.conversion import Chain, ConvertError, build_chain
from adapters.converters import number_of
from adapters.https import Answer, Endpoint, NoAnswer
from adapters.lookups import Lookups
from node.core.decimals import format_decimal
from node.core.finding import Finding as Remark
from node.core.freight import Quotation, Quoted, QuoteRequest, checked
from node.errors import ConfigError

__all__ = ["ASKED_AT_ONCE_MAX", "OFFERS_MAX", "HttpCarrier"]

ASKED_AT_ONCE_MAX = 8
OFFERS_MAX = 200
"""Offers of one answer that are looked at."""

QUESTION = ("from_country", "from_postal_code", "country", "postal_code", "weight_kg", "volume_litres", "currency")
OFFER = ("service", "cost", "currency", "transit_days")
_ENTRY_KEYS = frozenset({"path", "constant", "convert", "kind"})
_EXPONENT_MAX = 30
_SILENT = frozenset({"timeout", "unreachable"})
_SHOWN_MAX = 120


@dataclass(frozen=True, slots=True)
class _Entry:
    """One field: where its value stands, or a constant, and what converts it."""

    target: str
    path: str
    find: Any
    constant: str | int | None
    chain: Chain
    number: bool


class HttpCarrier:
    """Implements `adapters.base.CarrierQuotes`. Settings: name, file, url, secret, timeout_seconds, ca_file, currency.

    Raises ConfigError for a mapping or an address that cannot be used.
    """

    def __init__(self, settings: Mapping[str, Any], home: Path) -> None:
        self._name: str = settings["name"]
        path = home / settings["file"]
        data = _read(path)
        ca_file = settings.get("ca_file", "")
        self._endpoint = Endpoint(
            settings["url"],
            seconds=float(settings.get("timeout_seconds", 3)),
            ca_file=str(home / ca_file) if ca_file else "",
        )
        where, lookups = path.name, Lookups({}, path.parent, path.name, None)
        _only(data, {"request", "answer"}, where)
        request, answer = _table(data, "request", where), _table(data, "answer", where)
        _only(request, {"method", "headers", "body"}, f"{where}: request")
        _only(answer, {"offers", "fields"}, f"{where}: answer")
        self._method = request.get("method", "POST")
        if self._method not in ("GET", "POST"):
            raise ConfigError(f"{where}: request.method = {self._method!r} is not GET or POST")
        self._headers = _headers(_table(request, "headers", f"{where}: request"), settings.get("secret", ""), where)
        self._body = _entries(_table(request, "body", f"{where}: request"), lookups, f"{where}: request.body", QUESTION)
        self._offers = _compiled(answer.get("offers", "@"), f"{where}: answer.offers")
        fields = _table(answer, "fields", f"{where}: answer")
        _only(fields, set(OFFER), f"{where}: answer.fields")
        self._fields = _entries(fields, lookups, f"{where}: answer.fields", None)
        for name in ("service", "cost", "transit_days"):
            if name not in fields:
                raise ConfigError(f"{where}: answer.fields.{name} is missing", hint="Say where the offer states it.")
        self._currency: str = settings.get("currency", "")
        if "currency" not in fields and not self._currency:
            hint = "Or set `currency` of the carrier, where it has only one."
            raise ConfigError(f"{where}: answer.fields.currency is missing", hint=hint)

    def check(self) -> list[Finding]:
        """Nothing: what can be wrong without asking was found when the adapter was made."""
        return []

    def quotes(self, requests: Sequence[QuoteRequest]) -> list[Quotation]:
        """An answer for each request, in order, a few asked at once; never raises for what a carrier does.

        Each has the deadline of the settings. When the carrier is silent, the rest is not asked: rule ``not-asked``.
        """
        silent = threading.Event()
        with ThreadPoolExecutor(min(ASKED_AT_ONCE_MAX, len(requests)) or 1) as threads:
            return list(threads.map(lambda request: self._quote(request, silent), requests))

    def close(self) -> None:
        """Nothing is held open between calls."""

    def _quote(self, request: QuoteRequest, silent: threading.Event) -> Quotation:
        if silent.is_set():
            return self._nothing("not-asked", "did not answer the question before, and was not asked this one")
        try:
            answer = self._endpoint.call(self._method, *self._question(request))
            return checked(request, self._read_offers(answer))
        except NoAnswer as error:
            if error.rule in _SILENT:
                silent.set()
            return self._nothing(error.rule, error.text)
        except ConvertError as error:
            return self._nothing(error.rule, str(error))

    def _nothing(self, rule: str, text: str) -> Quotation:
        return Quotation(findings=(Remark(rule, "", f"{self._name}: {text}"),))

    def _question(self, request: QuoteRequest) -> tuple[str, Mapping[str, str], bytes | None]:
        """Query, headers and body. Raises ConvertError where a converter refuses a value of ours."""
        body: dict[str, Any] = {}
        for one in self._body:
            value: Cell = one.constant
            if value is None:
                said = getattr(request, one.path)
                value = one.chain.one(format_decimal(said) if isinstance(said, Decimal) else said)
            if value is not None:
                _put(body, one.target, _json_number(value) if one.number else value, flat=self._method == "GET")
        headers = {"Accept": "application/json", "Accept-Encoding": "identity", "User-Agent": "hansa", **self._headers}
        if self._method == "GET":
            return urlencode(body), headers, None
        return "", {"Content-Type": "application/json", **headers}, json.dumps(body, ensure_ascii=False).encode()

    def _read_offers(self, answer: Answer) -> list[Quoted]:
        """The offers as the mapping finds them. Raises NoAnswer: ``bad-status``, ``not-json``, ``no-offers``."""
        if answer.status != 200:
            raise NoAnswer("bad-status", f"answers with status {answer.status}")
        try:
            said = json.loads(answer.body, parse_float=_exact, parse_constant=_exact)
            offers = self._offers.search(said)
        except JMESPathError as error:
            raise NoAnswer("no-offers", f"answer.offers does not fit the answer: {error!s:.{_SHOWN_MAX}}") from None
        except (ValueError, RecursionError):
            raise NoAnswer("not-json", f"answers with {answer.content_type}, which is not the JSON expected") from None
        if isinstance(offers, dict):
            offers = [offers]
        if not isinstance(offers, list):
            raise NoAnswer("no-offers", f"the answer has no list of offers at {self._offers.expression!r}")
        return [self._offer(one) for one in offers[:OFFERS_MAX]]

    def _offer(self, said: Any) -> Quoted:
        values: dict[str, Cell] = {}
        for one in self._fields:
            found = one.constant if one.find is None else one.find.search(said)
            # A list or object where a value is expected is no value; what is missing is judged with the rest.
            values[one.target] = None if isinstance(found, dict | list) else _converted(one.chain, cell(found))
        days = _number(values.get("transit_days"))
        return Quoted(
            service=as_text(values.get("service"))[:_SHOWN_MAX],
            cost=_number(values.get("cost")),
            currency=as_text(values.get("currency") or self._currency),
            transit_days=int(days) if days is not None and days == days.to_integral_value() else None,
        )


def _converted(chain: Chain, value: Cell) -> Cell:
    try:
        return chain.one(value)
    except ConvertError:
        return None


def _number(value: Cell) -> Decimal | None:
    """A number, or None where the value is none that the node can keep."""
    try:
        return None if value is None or value == "" else number_of(value)
    except ConvertError:
        return None


def _json_number(value: Cell) -> int | float:
    """A number for JSON. Raises ConvertError ``bad-decimal``."""
    number = number_of(value)
    return int(number) if number == number.to_integral_value() else float(number)


def _exact(text: str) -> Decimal:
    """A JSON number with a point or exponent, exact; raises ValueError for one that no amount is (1e999999, NaN)."""
    try:
        number = Decimal(text)
    except ArithmeticError:
        raise ValueError(text[:_SHOWN_MAX]) from None
    if not number.is_finite() or abs(number.adjusted()) > _EXPONENT_MAX:
        raise ValueError(text[:_SHOWN_MAX])
    return number


def _put(body: dict[str, Any], target: str, value: Any, *, flat: bool) -> None:
    """Set ``shipment.to.zip`` in nested objects, or under the name as it is."""
    *outer, last = [target] if flat else target.split(".")
    for name in outer:
        body = body.setdefault(name, {})
    body[last] = value


# --- reading the mapping ----------------------------------------------------------------------------------------------


def _read(path: Path) -> Mapping[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8-sig"))
    except OSError as error:
        hint = "Check `file` of the carrier in the settings."
        raise ConfigError(f"{path}: cannot be read: {error.strerror}", hint=hint) from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path.name}: is not TOML: {error}") from None


def _headers(table: Mapping[str, Any], secret: str, where: str) -> dict[str, str]:
    """The headers with the secret in its place; no message says what the secret is."""
    if not secret.isascii() or not secret.isprintable():
        raise ConfigError(f"{where}: the secret has signs that no header may have", hint="One line of plain letters.")
    made = {}
    for name, value in table.items():
        good = isinstance(value, str) and value.isascii() and value.isprintable()
        if not good or not name.replace("-", "").isalnum() or not name.isascii():
            raise ConfigError(f"{where}: request.headers.{name}: a text of plain letters is expected")
        if "{secret}" in value and not secret:
            hint = "Set secret_env or secret_file of the carrier."
            raise ConfigError(f"{where}: request.headers.{name} needs a secret, and none is set", hint=hint)
        made[name] = value.replace("{secret}", secret)
    return made


def _entries(
    table: Mapping[str, Any], lookups: Lookups, where: str, sources: Sequence[str] | None, prefix: str = ""
) -> tuple[_Entry, ...]:
    """The fields of a table; `sources` are the paths there are, None where paths are JMESPath."""
    made: list[_Entry] = []
    for name, value in table.items():
        target = f"{prefix}{name}"
        if isinstance(value, dict) and not _ENTRY_KEYS & set(value):
            made += _entries(value, lookups, where, sources, f"{target}.")
        else:
            made.append(_entry(target, value, lookups, f"{where}.{target}", sources))
    return tuple(made)


def _entry(target: str, value: object, lookups: Lookups, where: str, sources: Sequence[str] | None) -> _Entry:
    data: Mapping[str, Any] = value if isinstance(value, dict) else {"path": value}
    _only(data, _ENTRY_KEYS, where)
    path, constant = data.get("path", ""), data.get("constant")
    if ("path" in data) == ("constant" in data) or not isinstance(path, str):
        raise ConfigError(f"{where}: needs either path, a text, or constant")
    if constant is not None and (isinstance(constant, bool) or not isinstance(constant, str | int)):
        raise ConfigError(f"{where}: constant = {constant!r} is not a text or a whole number")
    if sources is not None and "path" in data and path not in sources:
        raise ConfigError(f"{where}: {path!r} is no field of the question", hint=f"Fields: {', '.join(sources)}.")
    if data.get("kind", "text") not in ("text", "number"):
        raise ConfigError(f"{where}: kind = {data['kind']!r} is not text or number")
    chain = Chain(build_chain(data.get("convert", []), lookups, where))
    if chain.needs:
        raise ConfigError(f"{where}: a converter here cannot read other columns: {', '.join(chain.needs)}")
    find = _compiled(path, where) if sources is None and "path" in data else None
    return _Entry(target, path, find, constant, chain, data.get("kind") == "number")


def _compiled(path: object, where: str) -> Any:
    """A JMESPath expression, ready to be searched. Raises ConfigError."""
    try:
        if not isinstance(path, str):
            raise ValueError("a text is expected")
        return jmespath.compile(path)
    except (JMESPathError, ValueError) as error:
        hint = "See https://jmespath.org for how paths are written."
        raise ConfigError(f"{where}: {path!r} is no JMESPath: {str(error).splitlines()[0]}", hint=hint) from None


def _table(data: Mapping[str, Any], key: str, where: str) -> Mapping[str, Any]:
    value = data.get(key, {})
    if not isinstance(value, dict):
        raise ConfigError(f"{where}: {key}: expected a table, got {value!r:.60}")
    return value


def _only(data: Mapping[str, Any], known: set[str] | frozenset[str], where: str) -> None:
    for key in data:
        if key not in known:
            raise ConfigError(f"{where}: {key!r} is not known here", hint=f"Known: {', '.join(sorted(known))}.")
