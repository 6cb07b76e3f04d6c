"""Keeps documents in a folder before the store forgets their bytes: what the law or a quarrel may still ask for."""

from __future__ import annotations

import base64
import json
import os
from collections.abc import Sequence
from pathlib import Path

from node.core.rows import DocumentRow
from node.errors import UnavailableError

__all__ = ["Archive"]


class Archive:
    """Writes JSON lines, one file for each call, named by the first and last document id; whole or not at all."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def __call__(self, rows: Sequence[DocumentRow]) -> None:
        """Return once the documents are safely on the disk. Raises UnavailableError."""
        if not rows:
            return
        ids = [row.document_id for row in rows]
        path = self._folder / f"documents-{min(ids):012d}-{max(ids):012d}.jsonl"
        temporary = path.with_suffix(".new")
        try:
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
            with os.fdopen(descriptor, "w", encoding="utf-8") as stream:
                stream.writelines(f"{json.dumps(_plain(row), ensure_ascii=False)}\n" for row in rows)
                stream.flush()
                os.fsync(stream.fileno())
            temporary.rename(path)
            folder = os.open(self._folder, os.O_RDONLY)
            try:
                os.fsync(folder)
            finally:
                os.close(folder)
        except OSError as error:
            raise UnavailableError(
                f"retention.archive: {self._folder} cannot be written ({error.strerror})",
                hint="Nothing is erased until it can be.",
            ) from None


def _plain(row: DocumentRow) -> dict[str, object]:
    """A document's row as JSON takes it: bytes in base64."""
    return {
        name: base64.b64encode(value).decode() if isinstance(value, bytes) else value
        for name, value in row._asdict().items()
    }
