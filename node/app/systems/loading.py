"""Finds the adapter that the settings name, among the installed ones, and makes it."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from dataclasses import replace
from importlib.metadata import entry_points
from typing import Any

from adapters.base import Adapter, Reserves
from node import wire
from node.config import AdapterSettings, Settings
from node.core.document import DOCUMENTS
from node.errors import ConfigError
from node.ports import Clock

__all__ = ["ADAPTER_GROUP", "NodeTargets", "kinds", "open_adapter", "resolved", "start_setting"]

ADAPTER_GROUP = "hansa.adapters"
"""Installed packages offer adapters under this entry point group."""


class NodeTargets:
    """The schema, as `adapters.base.Targets` shows it to mappings."""

    def __init__(self) -> None:
        self._fields: dict[str, dict[str, str]] = {}

    def is_field(self, document_type: str, path: str) -> bool:
        """Whether this is a field of the document type."""
        return path in self._of(document_type)

    def fields(self, document_type: str) -> Sequence[tuple[str, str]]:
        """Every leaf as (path, kind)."""
        return tuple(self._of(document_type).items())

    def _of(self, document_type: str) -> dict[str, str]:
        if document_type not in DOCUMENTS:
            return {}
        if document_type not in self._fields:
            # Adapters get and give a consumer's name and address beside the document.
            self._fields[document_type] = dict([*wire.field_kinds(document_type), *wire.personal_kinds()])
        return self._fields[document_type]


def kinds() -> list[str]:
    """The adapters that are installed, by name."""
    return sorted(entry_points(group=ADAPTER_GROUP).names)


def start_setting(name: str) -> str:
    """Under which name the store keeps from which day on an adapter takes documents."""
    return f"adapter-start {name}"


def open_adapter(settings: Settings, one: AdapterSettings, clock: Clock, start_from: str) -> Adapter:
    """Make the adapter; only its own module is imported. `start_from` is a day, or "" for that of the settings.

    Beside its options the adapter gets its own ``name``, the ``clock`` and, where there is one, ``start_from``.
    Raises ConfigError when it is not installed or set wrong.
    """
    found = [point for point in entry_points(group=ADAPTER_GROUP) if point.name == one.kind]
    if not found:
        raise ConfigError(
            f"{settings.file}: adapter {one.name!r}: no adapter {one.kind!r} is installed",
            hint=f"installed are: {', '.join(kinds()) or 'none'}",
        )
    try:
        make = found[0].load()
    except ImportError as error:
        raise ConfigError(
            f"adapter {one.kind!r} cannot be loaded: {error}", hint="install the package that it needs"
        ) from None
    section: dict[str, Any] = {**one.options, "name": one.name, "clock": clock.now}
    if start_from or one.start_from:
        section["start_from"] = start_from or one.start_from
    made: Adapter = make(section, settings.home, NodeTargets())
    if one.reserves and not (isinstance(made, Reserves) and made.reserves()):
        made.close()
        raise ConfigError(
            f"{settings.file}: adapter {one.name!r}: reserves: it cannot keep holds",
            hint="Say in its mapping how, under [holds], or leave `reserves` out.",
        )
    return made


def resolved(settings: Settings, clock: Clock) -> Settings:
    """The settings with every adapter's documents named: where none are, those that it takes. Raises ConfigError."""
    named = []
    for one in settings.adapters:
        if one.documents:
            named.append(one)
            continue
        with contextlib.closing(open_adapter(settings, one, clock, "")) as adapter:
            named.append(replace(one, documents=tuple(sorted(adapter.accepts()))))
    return replace(settings, adapters=tuple(named))
