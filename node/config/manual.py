"""Renders the manual of the settings from the classes that define them."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping
from dataclasses import MISSING
from typing import Any, cast, get_args, get_origin, get_type_hints

from node.config.sections import Settings

__all__ = ["describe"]


def describe() -> str:
    """The manual of all settings, as Markdown."""
    parts = []
    for title, cls in _sections(Settings, ""):
        fields = [one for one in dataclasses.fields(cast("Any", cls)) if not _inner(cls, one.name)]
        if not fields:
            parts.append(f"## `{title}`\n\n{cls.__doc__}\n")
            continue
        rows = ["| key | default | unit | meaning |", "|---|---|---|---|"]
        for one in fields:
            rows.append(f"| `{one.name}` | {_default(one)} | {one.metadata['unit']} | {_meaning(one.metadata)} |")
        parts.append(f"## `{title}`\n\n{cls.__doc__}\n\n" + "\n".join(rows) + "\n")
    return "\n".join(parts)


def _sections(cls: type, where: str) -> Iterator[tuple[str, type]]:
    """Every table of the file as (heading, class), in order; a list of tables shows double brackets."""
    for name, kind in get_type_hints(cls).items():
        inner = _inner(cls, name)
        if inner is None:
            continue
        at = f"{where}.{name}" if where else name
        origin = get_origin(kind)
        heading = f"[[{at}]]" if origin is tuple else f'[{at}."ID"]' if origin is dict else f"[{at}]"
        yield heading, inner
        yield from _sections(inner, at)


def _inner(cls: type, name: str) -> type | None:
    """The section that a field holds, once or many times; None for plain values."""
    kind = get_type_hints(cls)[name]
    return next(
        (one for one in (kind, *get_args(kind)) if dataclasses.is_dataclass(one) and isinstance(one, type)), None
    )


def _toml(value: Any) -> str:
    """A value as TOML shows it."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str):
        return f'"{value}"'
    if isinstance(value, tuple):
        return f"[{', '.join(_toml(one) for one in value)}]"
    if isinstance(value, dict):
        return "{" + ", ".join(f"{key} = {_toml(one)}" for key, one in value.items()) + "}"
    return str(value)


def _default(one: dataclasses.Field[Any]) -> str:
    if one.default is MISSING and one.default_factory is MISSING:
        return "*required*"
    if one.default is None:
        return "*not set*"
    default = one.default if one.default_factory is MISSING else one.default_factory()
    return f"`{_toml(default)}`"


def _meaning(about: Mapping[str, Any]) -> str:
    text = str(about["meaning"])
    if about["choices"]:
        text += "; one of " + ", ".join(f"`{word}`" for word in about["choices"])
    if about["least"] is not None and about["most"] is not None:
        text += f"; {about['least']} to {about['most']}"
    if about["example"] is not None:
        text += f"; for example `{_toml(about['example'])}`"
    return text
