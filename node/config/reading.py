"""Reads HOME/hansa.toml strictly: an unknown key or a wrong value names the file, the key and what was expected."""

from __future__ import annotations

import dataclasses
import re
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import MISSING
from decimal import Decimal
from itertools import pairwise
from pathlib import Path
from types import UnionType
from typing import Any, TypeVar, cast, get_args, get_origin, get_type_hints

from node.config.sections import FILE_NAME, PartnerSettings, Settings, SharingRule
from node.config.sites import check_promising, check_sites
from node.core.iso_codes import MINOR_UNITS
from node.errors import ConfigError

__all__ = ["check_endpoint", "home_folder", "load", "parse"]

Section = TypeVar("Section")
_WORDS = {str: "text", int: "whole number", bool: "true or false", Decimal: "number", dict: "table"}


def home_folder(given: str | None, environment: Mapping[str, str]) -> Path:
    """The node's home: what was asked for, or $HANSA_HOME, or ~/.hansa."""
    return Path(given or environment.get("HANSA_HOME") or "~/.hansa").expanduser().absolute()


def load(home: Path) -> Settings:
    """The settings in HOME/hansa.toml; all defaults where there is no such file. Raises ConfigError."""
    path = home / FILE_NAME
    try:
        text = path.read_text(encoding="utf-8-sig")  # Windows' Notepad puts a mark in front
    except FileNotFoundError:
        return Settings(home=home)
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: cannot be read: {error}", hint="it must be a UTF-8 file that we may read") from None
    return parse(text, home)


def parse(text: str, home: Path) -> Settings:
    """The settings in this TOML text. Raises ConfigError with file, key and what was expected."""
    path = home / FILE_NAME
    try:
        tables = tomllib.loads(text, parse_float=Decimal)
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"{path}: not TOML: {error}", hint='texts need quotes: listen = "0.0.0.0:7420"') from None
    settings = _Reader(path).section(Settings, tables, "")
    settings = dataclasses.replace(settings, home=home)
    _check_whole(settings, path)
    return settings


class _Reader:
    """Turns tables into sections; every complaint names the file and the key."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def fault(self, key: str, expected: str, got: Any = None) -> ConfigError:
        was = "" if got is None else f", not {got!r}"
        return ConfigError(
            f"{self._path}: {key}: expected {expected}{was}", hint="hansa config describe explains every setting"
        )

    def section(self, cls: type[Section], table: Any, where: str) -> Section:
        if not isinstance(table, dict):
            raise self.fault(where, f"a table [{where}]", table)
        kinds = get_type_hints(cls)
        fields = {one.name: one for one in dataclasses.fields(cast("Any", cls)) if not one.metadata.get("hidden")}
        made: dict[str, Any] = {}
        for key, value in table.items():
            at = f"{where}.{key}" if where else key
            if key not in fields:
                raise self.fault(at, f"one of {', '.join(fields)}; this key is not known")
            made[key] = self.value(kinds[key], value, at, fields[key].metadata)
        for name, one in fields.items():
            if name not in made and one.default is MISSING and one.default_factory is MISSING:
                raise self.fault(f"{where}.{name}", f"a value ({one.metadata['meaning']}); it is missing")
        return cls(**made)

    def value(self, kind: Any, value: Any, at: str, about: Mapping[str, Any]) -> Any:
        if get_origin(kind) is UnionType:
            # "or None" is what a setting has that is not in the file.
            kind = next(one for one in get_args(kind) if one is not type(None))
        if get_origin(kind) is tuple:
            inner = get_args(kind)[0]
            if not isinstance(value, list):
                raise self.fault(at, f"a list of {_WORDS.get(inner, 'tables')}", value)
            return tuple(self.value(inner, one, f"{at}[{index}]", about) for index, one in enumerate(value))
        if get_origin(kind) is dict:
            inner = get_args(kind)[1]
            if not isinstance(value, dict):
                raise self.fault(at, "a table", value)
            return {key: self.value(inner, one, f'{at}."{key}"', about) for key, one in value.items()}
        if dataclasses.is_dataclass(kind):
            return self.section(cast("type[Any]", kind), value, at)
        return value if kind is Any else self.plain(kind, value, at, about)

    def plain(self, kind: type, value: Any, at: str, about: Mapping[str, Any]) -> Any:
        if kind is Decimal and isinstance(value, int | Decimal) and not isinstance(value, bool):
            value = Decimal(value)
        elif type(value) is not kind:
            raise self.fault(at, _WORDS[kind], value)
        if isinstance(value, Decimal) and not value.is_finite():
            raise self.fault(at, "a number", value)
        choices, least, most = about.get("choices"), about.get("least"), about.get("most")
        if choices and value not in choices:
            raise self.fault(at, f"one of {', '.join(choices)}", value)
        if (least is not None and value < least) or (most is not None and value > most):
            span = f"at least {least}" if most is None else f"{least} to {most}"
            raise self.fault(at, f"{span} {about['unit']}".rstrip(), value)
        return value


_AMOUNT = re.compile(r"[0-9]{1,12}(\.[0-9]{1,6})? [A-Z]{3}").fullmatch


def _check_whole(settings: Settings, path: Path) -> None:
    """What no single key shows. Raises ConfigError."""
    fault = _Reader(path).fault
    names = ("url", "url_env", "url_file")
    given = [name for name in names if getattr(settings.database, name)]
    if len(given) > 1:
        raise fault(f"database.{given[1]}", f"at most one of {', '.join(names)}")
    if settings.node.listen and not _is_address(settings.node.listen):
        raise fault("node.listen", "host:port", settings.node.listen)
    names_of = [one.name for one in settings.adapters]
    for index, name in enumerate(names_of):
        if not name or name in names_of[:index]:
            raise fault(f"adapters[{index}].name", "a name that no other adapter has", name)
    for partner_id, terms in settings.partners.items():
        for name in ("order_minimum", "credit_limit"):
            if (text := getattr(terms, name)) and not _AMOUNT(text):
                raise fault(f'partners."{partner_id}".{name}', "an amount and a currency such as 250.00 EUR", text)
        _check_terms(terms, f'partners."{partner_id}"', fault)
    for name in settings.carriers:
        _check_carrier(settings, name, fault)
    check_sites(settings.sites, fault)
    check_promising(settings.promising, fault)
    for index, rule in enumerate(settings.sharing.rules):
        _check_sharing(rule, f"sharing.rules[{index}]", fault)
    for index, one in enumerate(settings.replenishment.rules):
        if one.order_up_to < one.reorder_point or one.reorder_point < 0 or one.multiple <= 0:
            raise fault(f"replenishment.rules[{index}]", "0 <= reorder_point <= order_up_to, and multiple above 0")


def check_endpoint(text: str) -> str:
    """An address that partners can dial, as it came. Raises ConfigError."""
    if not _is_address(text) or text.endswith(":0"):
        raise ConfigError(f"expected host:port that partners can dial, not {text!r}", hint="shop.example:7420")
    return text


def _is_address(text: str) -> bool:
    host, _, port = text.rpartition(":")
    return bool(host) and port.isascii() and port.isdigit() and len(port) <= 5 and int(port) < 65536


def _check_terms(terms: PartnerSettings, at: str, fault: Callable[[str, str], ConfigError]) -> None:
    if terms.incoterms_place and not terms.incoterms:
        raise fault(f"{at}.incoterms", "a rule such as DAP, because incoterms_place is given")
    if bool(terms.discount_percent) != bool(terms.discount_days):
        raise fault(f"{at}.discount_days", "both discount_percent and discount_days above 0, or neither")
    if terms.payment_days and terms.discount_days > terms.payment_days:
        raise fault(f"{at}.discount_days", f"at most payment_days, {terms.payment_days}")


def _check_carrier(settings: Settings, name: str, fault: Callable[..., ConfigError]) -> None:
    one, at = settings.carriers[name], f'carriers."{name}"'
    if one.currency and one.currency not in MINOR_UNITS:
        raise fault(f"{at}.currency", "an ISO 4217 code such as EUR", one.currency)
    if one.secret_env and one.secret_file:
        raise fault(f"{at}.secret_file", "at most one of secret_env, secret_file")
    if one.kind == "table":
        for key in ("url", "fallback", "secret_env", "secret_file"):
            if getattr(one, key):
                raise fault(f"{at}.{key}", "no such key, because kind is table: nobody is asked")
        return
    if not one.url:
        raise fault(f"{at}.url", f"where the carrier quotes, because kind is {one.kind}")
    named = settings.carriers.get(one.fallback)
    if one.fallback and (named is None or named.kind != "table"):
        tables = ", ".join(sorted(key for key, other in settings.carriers.items() if other.kind == "table"))
        raise fault(f"{at}.fallback", f"a carrier of kind table ({tables or 'there is none'})", one.fallback)


def _check_sharing(rule: SharingRule, at: str, fault: Callable[[str, str], ConfigError]) -> None:
    if rule.figure == "capped" and rule.cap < 1:
        raise fault(f"{at}.cap", "a figure above 0, because figure is capped")
    if rule.figure == "band" and not rule.bands:
        raise fault(f"{at}.bands", "the lower ends of the bands, because figure is band")
    if any(low < 0 or low >= high for low, high in pairwise((*rule.bands, rule.bands[-1] + 1 if rule.bands else 1))):
        raise fault(f"{at}.bands", "figures from 0 on, each larger than the one before")
