"""The machinery of converters: how one is declared, checked against its arguments, chained, and documented."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

from adapters.cells import Cell, as_text
from adapters.lookups import Lookups
from node.errors import ConfigError, HansaError

__all__ = ["REGISTRY", "Chain", "ConvertError", "Step", "build_chain", "converter", "converter_table", "options"]

Convert: TypeAlias = Callable[[Cell, Sequence[Cell]], Cell]
"""From the value so far, and the cells of the other columns that the step named, to the next value."""

Builder: TypeAlias = Callable[[Any, Lookups], "Step"]

_CACHE_MAX = 65_536


class ConvertError(ValueError):
    """A value that a converter cannot take; `rule` is a stable word, the text says what was expected."""

    def __init__(self, rule: str, text: str) -> None:
        super().__init__(text)
        self.rule = rule


@dataclass(frozen=True, slots=True)
class Step:
    """One converter with its argument.

    `needs` names the other columns that it reads, `on_empty` says that it wants empty values too, `plain` that it only
    makes a text of the cell.
    """

    convert: Convert
    needs: tuple[str, ...] = ()
    on_empty: bool = False
    plain: bool = False


REGISTRY: dict[str, Builder] = {}
"""Every converter by its name in mappings; the list is closed."""


def converter(name: str) -> Callable[[Builder], Builder]:
    """Put a builder into the registry; its docstring is its line in the documentation."""

    def register(builder: Builder) -> Builder:
        REGISTRY[name] = builder
        return builder

    return register


def options(name: str, argument: object, expected: Mapping[str, type | tuple[type, ...]], *required: str) -> Any:
    """`argument` as a table with no other keys than `expected`, of the right types; raises ConfigError."""
    if not isinstance(argument, dict):
        raise ConfigError(f"converter {name!r}: expected a table with {', '.join(expected)}, got {argument!r}")
    for key, value in argument.items():
        if key not in expected:
            raise ConfigError(f"converter {name!r}: no option {key!r}", hint=f"Options: {', '.join(expected)}.")
        if not isinstance(value, expected[key]):
            raise ConfigError(f"converter {name!r}: {key} = {value!r} is not of the expected type")
    for key in required:
        if key not in argument:
            raise ConfigError(f"converter {name!r}: option {key!r} is missing")
    return argument


class Chain:
    """The converters of one target in their order, run over columns; a value seen before is not computed again."""

    def __init__(self, steps: Sequence[Step]) -> None:
        self.needs: tuple[str, ...] = tuple(dict.fromkeys(name for step in steps for name in step.needs))
        self._steps = [
            (step.convert, tuple(self.needs.index(name) for name in step.needs), step.on_empty) for step in steps
        ]
        self._plain = all(step.plain for step in steps)
        self._cache: dict[Cell, Cell] = {}

    def one(self, value: Cell, others: Sequence[Cell] = ()) -> Cell:
        """One value through all steps; `others` are the cells of `needs`. Raises ConvertError."""
        if isinstance(value, str):
            value = value.strip()
        for convert, places, on_empty in self._steps:
            if value is None or value == "":
                if not on_empty:
                    continue
                value = None
            try:
                value = convert(value, [others[place] for place in places])
            except ConvertError:
                raise
            except HansaError as error:
                raise ConvertError(getattr(error, "code", "bad-value"), error.message) from error
            except (ValueError, ArithmeticError) as error:
                raise ConvertError("bad-value", f"{as_text(value)[:60]!r} cannot be converted: {error}") from error
        return None if value == "" else value

    def column(
        self, values: Sequence[Cell], others: Sequence[Sequence[Cell]]
    ) -> tuple[list[Cell], dict[int, ConvertError]]:
        """A whole column, and the errors by place; a value in error is None in the result."""
        errors: dict[int, ConvertError] = {}
        if self._plain:
            return [(v.strip() or None) if isinstance(v, str) else as_text(v) or None for v in values], errors
        if not self.needs:
            return self._cached(values, errors), errors
        result: list[Cell] = []
        for place, (value, *rest) in enumerate(zip(values, *others, strict=True)):
            try:
                result.append(self.one(value, rest))
            except ConvertError as error:
                errors[place] = error
                result.append(None)
        return result, errors

    def _cached(self, values: Sequence[Cell], errors: dict[int, ConvertError]) -> list[Cell]:
        cache = self._cache
        missing = object()
        result: list[Any] = [cache.get(value, missing) for value in values]
        for place, value in enumerate(values):
            if result[place] is missing:
                try:
                    result[place] = self.one(value)
                except ConvertError as error:
                    errors[place] = error
                    result[place] = None
                    continue
                if len(cache) >= _CACHE_MAX:
                    cache.clear()
                cache[value] = result[place]
        return result


def build_chain(convert: object, lookups: Lookups, where: str) -> list[Step]:
    """The steps of a mapping's ``convert`` list: names, or tables with one name and its argument.

    Raises ConfigError, beginning with `where`, for an unknown name or an argument that does not fit.
    """
    entries = convert if isinstance(convert, list) else [convert]
    steps: list[Step] = []
    for entry in entries:
        if isinstance(entry, str):
            name, argument = entry, None
        elif isinstance(entry, dict) and len(entry) == 1:
            name, argument = next(iter(entry.items()))
        else:
            raise ConfigError(f"{where}: {entry!r} is not a converter", hint='Write "upper" or { date = "%d.%m.%Y" }.')
        if name not in REGISTRY:
            raise ConfigError(f"{where}: there is no converter {name!r}", hint=f"Known: {', '.join(sorted(REGISTRY))}.")
        try:
            steps.append(REGISTRY[name](argument, lookups))
        except ConfigError as error:
            raise ConfigError(f"{where}: {error.message}", hint=error.hint) from error
    return steps


def converter_table() -> str:
    """The Markdown table of all converters, from their docstrings: first paragraph what, second paragraph example."""
    lines = ["| converter | what it does | example |", "| --- | --- | --- |"]
    for name in sorted(REGISTRY):
        what, _, example = (REGISTRY[name].__doc__ or "").partition("\n\n")
        cells = (f"`{name}`", " ".join(what.split()), f"`{' '.join(example.split())}`")
        lines.append("| " + " | ".join(part.replace("|", "\\|") for part in cells) + " |")
    return "\n".join(lines) + "\n"
