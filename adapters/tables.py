"""Tables in files: CSV and workbooks read as numbered rows, and written so that no cell runs as a formula."""

from __future__ import annotations

import codecs
import csv
import io
import itertools
import re
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from adapters.cells import Cell, as_text, cell, unique_names
from node.errors import ConfigError

__all__ = ["Chunk", "ReadOptions", "Table", "TableError", "is_workbook", "open_table", "safe_cell", "write_table"]

_WORKBOOKS = frozenset({".xlsx", ".xlsm", ".xlsb", ".xls", ".ods"})
_ZIPPED = frozenset({".xlsx", ".xlsm", ".xlsb", ".ods"})
_DELIMITERS = ";,\t|"
_PLAIN_NUMBER = re.compile(r"-?[0-9]+(?:[.,][0-9]+)?").fullmatch
_FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r")
_ENCODING_BLOCK = 1 << 20
# Measured: more rows at a time than the collector's first threshold (700) cost two fifths more, in collections.
_BLOCK_ROWS = 300
_EXCEL_ERRORS = frozenset({"#DIV/0!", "#N/A", "#NAME?", "#NULL!", "#NUM!", "#REF!", "#VALUE!", "#GETTING_DATA"})


class TableError(Exception):
    """A file that cannot be read as a table at all; its text says why, for the file's quarantine."""


@dataclass(frozen=True, slots=True)
class ReadOptions:
    """How a file is read (a mapping's ``[pull.read]``).

    ``delimiter`` and ``encoding`` are found out when "auto" (UTF-8 or UTF-16 with its mark, else UTF-8, else cp1252).
    ``header_row`` is the 1-based row of the column names, 0 when there is none; ``columns`` then names them. ``sheet``
    names the worksheet, the first one when empty. ``short_rows`` admits rows with fewer cells than there are columns.
    Limits: ``bytes_max`` of the file, ``unpacked_max`` bytes of a workbook's parts, ``rows_max`` rows.
    """

    delimiter: str = "auto"
    encoding: str = "auto"
    quote: str = '"'
    header_row: int = 1
    columns: tuple[str, ...] = ()
    sheet: str = ""
    short_rows: bool = False
    bytes_max: int = 256 * 1024 * 1024
    unpacked_max: int = 512 * 1024 * 1024
    rows_max: int = 2_000_000

    @classmethod
    def from_settings(cls, settings: Mapping[str, Any], where: str) -> ReadOptions:
        """The options that `settings` give; raises ConfigError that names the key and what was expected."""
        expected = {item.name: type(getattr(cls(), item.name)) for item in fields(cls)}
        values: dict[str, Any] = {}
        for key, value in settings.items():
            if key not in expected:
                known = ", ".join(sorted(expected))
                raise ConfigError(f"{where}: {key!r} is not an option for reading", hint=f"Options: {known}.")
            wanted = expected[key]
            given = tuple(value) if wanted is tuple and isinstance(value, list) else value
            if not isinstance(given, wanted) or (wanted is int and isinstance(given, bool)):
                raise ConfigError(f"{where}: {key} = {value!r} is not a {wanted.__name__}")
            values[key] = given
        options = cls(**values)
        if options.header_row == 0 and not options.columns:
            raise ConfigError(f"{where}: header_row = 0 needs the names in `columns`")
        if options.delimiter != "auto" and len(options.delimiter) != 1:
            raise ConfigError(f"{where}: delimiter = {options.delimiter!r} is not one character")
        if options.encoding != "auto":
            try:
                codecs.lookup(options.encoding)
            except LookupError:
                raise ConfigError(f"{where}: encoding = {options.encoding!r} is not known") from None
        return options


@dataclass(frozen=True, slots=True)
class Chunk:
    """Some rows of a table, all as wide as it; `numbers` are theirs in the source, `faults` by place what is wrong."""

    numbers: Sequence[int]
    rows: Sequence[Sequence[Cell]]
    faults: Mapping[int, str]


@dataclass(frozen=True, slots=True)
class Table:
    """Column names, and rows in chunks, read as they are asked for."""

    columns: tuple[str, ...]
    chunks: Iterator[Chunk]
    source: str


def is_workbook(path: Path) -> bool:
    """Whether the file's name says that it is a workbook."""
    return path.suffix.lower() in _WORKBOOKS


def open_table(path: Path, options: ReadOptions) -> Table:
    """The table in `path`; raises TableError when it is not readable as one, or is beyond the limits.

    Rows are read as they are asked for, so that a large CSV is never in memory as a whole.
    """
    try:
        size = path.stat().st_size
        if size > options.bytes_max:
            raise TableError(f"the file has {size} bytes, at most {options.bytes_max} are allowed (bytes_max)")
        return _open_workbook(path, options) if is_workbook(path) else _open_csv(path, options)
    except OSError as error:
        raise TableError(f"cannot be read: {error.strerror or error}") from error


def _open_csv(path: Path, options: ReadOptions) -> Table:
    encoding = _encoding(path) if options.encoding == "auto" else options.encoding
    blocks = _csv_blocks(path, encoding, options)
    return _with_header(blocks, options, path.name)


def _csv_blocks(path: Path, encoding: str, options: ReadOptions) -> Iterator[tuple[Sequence[int], list[Any]]]:
    """Rows with their numbers: the line on which the row begins, as an editor shows it."""
    try:
        with path.open(encoding=encoding, newline="") as stream:
            head = list(itertools.islice(stream, max(options.header_row, 1)))
            delimiter = _delimiter(head) if options.delimiter == "auto" else options.delimiter
            stream.seek(0)
            reader = csv.reader(stream, delimiter=delimiter, quotechar=options.quote, strict=True)
            first = 1
            while rows := list(itertools.islice(reader, _BLOCK_ROWS)):
                yield _line_numbers(rows, first, reader.line_num), rows
                first = reader.line_num + 1
    except UnicodeError as error:
        raise TableError(f"is not {encoding} text: {error}") from error
    except csv.Error as error:
        raise TableError(f"is not CSV: {error}") from error
    except OSError as error:
        raise TableError(f"cannot be read: {error.strerror or error}") from error


def _line_numbers(rows: Sequence[Sequence[str]], first: int, last: int) -> Sequence[int]:
    """The first line of each row of a block that begins on line `first` and ends on line `last`."""
    if last - first + 1 == len(rows):
        return range(first, last + 1)
    numbers = []
    for row in rows:
        numbers.append(first)
        first += 1 + sum(text.count("\n") for text in row)
    return numbers


def _delimiter(head: Sequence[str]) -> str:
    """The candidate that makes most columns of the header, quotes respected; a comma when none makes two."""
    line = head[-1] if head else ""
    widths = {mark: len(next(csv.reader([line], delimiter=mark), [])) for mark in _DELIMITERS}
    best = max(_DELIMITERS, key=lambda mark: widths[mark])
    return best if widths[best] > 1 else ","


def _encoding(path: Path) -> str:
    """UTF-16 or UTF-8 by mark, UTF-8 when every byte agrees, otherwise cp1252, which most old exports are."""
    decoder = codecs.getincrementaldecoder("utf-8")()
    with path.open("rb") as stream:
        if stream.read(2) in (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE):
            return "utf-16"
        stream.seek(0)
        try:
            while block := stream.read(_ENCODING_BLOCK):
                decoder.decode(block)
            decoder.decode(b"", final=True)
        except UnicodeDecodeError:
            return "cp1252"
    return "utf-8-sig"


def _open_workbook(path: Path, options: ReadOptions) -> Table:
    import python_calamine

    if path.suffix.lower() in _ZIPPED:
        _refuse_zip_bomb(path, options.unpacked_max)
    try:
        workbook = python_calamine.load_workbook(path)
        names = workbook.sheet_names
        if options.sheet and options.sheet not in names:
            raise TableError(f"has no worksheet {options.sheet!r}, only {', '.join(names)}")
        if not names:
            raise TableError("has no worksheet")
        sheet = workbook.get_sheet_by_name(options.sheet or names[0])
    except (python_calamine.CalamineError, ValueError, OSError) as error:
        raise TableError(f"is not a readable workbook: {error}") from error
    rows: list[list[Any]] = sheet.to_python(skip_empty_area=True)
    first = (sheet.start[0] if sheet.start else 0) + 1
    blocks = (
        (range(first + at, first + len(rows)), rows[at : at + _BLOCK_ROWS]) for at in range(0, len(rows), _BLOCK_ROWS)
    )
    table = _with_header(blocks, options, path.name)
    return Table(table.columns, (_workbook_cells(chunk, table.columns) for chunk in table.chunks), table.source)


def _workbook_cells(chunk: Chunk, columns: tuple[str, ...]) -> Chunk:
    """Cells in plain types; a cell with a formula error puts its row at fault."""
    faults = dict(chunk.faults)
    rows = []
    for place, row in enumerate(chunk.rows):
        cells = tuple(None if value == "" else cell(value) for value in row)
        rows.append(cells)
        broken = [name for name, value in zip(columns, cells, strict=True) if value in _EXCEL_ERRORS]
        if broken:
            faults.setdefault(place, f"the cell in {broken[0]} shows a formula error")
    return Chunk(chunk.numbers, rows, faults)


def _refuse_zip_bomb(path: Path, unpacked_max: int) -> None:
    try:
        with zipfile.ZipFile(path) as archive:
            unpacked = sum(entry.file_size for entry in archive.infolist())
    except (zipfile.BadZipFile, ValueError) as error:
        raise TableError(f"is not a readable workbook: {error}") from error
    if unpacked > unpacked_max:
        raise TableError(f"unpacks to {unpacked} bytes, at most {unpacked_max} are allowed (unpacked_max)")


def _with_header(blocks: Iterator[tuple[Sequence[int], list[Any]]], options: ReadOptions, source: str) -> Table:
    """Take the column names off the front of the rows."""
    columns = options.columns
    if options.header_row:
        for numbers, rows in blocks:
            at = next((at for at, row in enumerate(rows) if numbers[at] >= options.header_row and any(row)), None)
            if at is not None:
                columns = columns or unique_names(_without_empty_end(rows[at]))
                blocks = itertools.chain([(numbers[at + 1 :], rows[at + 1 :])], blocks)
                break
        else:
            raise TableError("has no row with column names")
    return Table(columns, _checked(blocks, len(columns), options), source)


def _without_empty_end(cells: Sequence[Any]) -> Sequence[Any]:
    end = len(cells)
    while end and cells[end - 1] in ("", None):
        end -= 1
    return cells[:end]


def _checked(blocks: Iterator[tuple[Sequence[int], list[Any]]], width: int, options: ReadOptions) -> Iterator[Chunk]:
    """Rows of exactly `width` cells; blank ones are left out, others that do not fit are at fault."""
    count = 0
    for numbers, rows in blocks:
        chunk = Chunk(numbers, rows, {})
        if set(map(len, rows)) != {width} or not all(map(any, rows)):
            chunk = _fitted(numbers, rows, width, options.short_rows)
        count += len(chunk.rows)
        if count > options.rows_max:
            raise TableError(f"has more than {options.rows_max} rows (rows_max)")
        if chunk.rows:
            yield chunk


def _fitted(numbers: Sequence[int], rows: Sequence[Sequence[Any]], width: int, short_rows: bool) -> Chunk:
    """Rows made as wide as the table, with what was wrong about them."""
    kept: list[Sequence[Cell]] = []
    kept_numbers: list[int] = []
    faults: dict[int, str] = {}
    for number, row in zip(numbers, rows, strict=False):
        if not any(row):
            continue
        text = f"the row has {len(row)} cells, expected {width}"
        if len(row) < width:
            if not short_rows:
                faults[len(kept)] = text
            row = [*row, *(None for _ in range(width - len(row)))]
        elif any(row[width:]):
            faults[len(kept)] = f"{text}: a delimiter inside a text needs quotes"
        kept.append(row[:width])
        kept_numbers.append(number)
    return Chunk(kept_numbers, kept, faults)


def safe_cell(text: str) -> str:
    """`text` so that no spreadsheet runs it as a formula: an apostrophe before =, +, -, @, unless it is a number.

    Source: OWASP, CSV Injection.
    """
    return f"'{text}" if text.startswith(_FORMULA_STARTS) and not _PLAIN_NUMBER(text) else text


def write_table(
    columns: Sequence[str],
    rows: Sequence[Sequence[Cell]],
    *,
    form: str = "csv",
    delimiter: str = ";",
    encoding: str = "utf-8-sig",
    neutralise: bool = True,
) -> bytes:
    """A file's bytes with one header row: `form` is csv or xlsx; with `neutralise`, texts cannot run as formulas."""
    if form == "xlsx":
        return _workbook_bytes(columns, rows)
    text = io.StringIO(newline="")
    writer = csv.writer(text, delimiter=delimiter, lineterminator="\r\n")
    writer.writerow(columns)
    for row in rows:
        writer.writerow([safe_cell(as_text(value)) if neutralise else as_text(value) for value in row])
    return text.getvalue().encode(encoding)


def _workbook_bytes(columns: Sequence[str], rows: Sequence[Sequence[Cell]]) -> bytes:
    import openpyxl
    from openpyxl.cell.cell import ILLEGAL_CHARACTERS_RE

    workbook = openpyxl.Workbook()
    sheet = workbook.active
    if sheet is None:  # pragma: no cover - a new workbook always has one
        raise TableError("the workbook has no sheet")
    for place, values in enumerate([tuple(columns), *rows], start=1):
        for column, value in enumerate(values, start=1):
            target = sheet.cell(row=place, column=column)
            target.value = ILLEGAL_CHARACTERS_RE.sub("", value) if isinstance(value, str) else value
            if isinstance(value, str):
                # A text stays a text: without this, openpyxl stores "=1+1" as a formula.
                target.data_type = "s"
                target.quotePrefix = value.startswith(_FORMULA_STARTS)
    stream = io.BytesIO()
    workbook.save(stream)
    return stream.getvalue()
