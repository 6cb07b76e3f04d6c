"""The warehouse system of Quayside Logistics (a 3PL): keeps other companies' goods, and speaks JSON lines.

It reads the despatch instructions that its node puts into `exchange/out`, sends what it has at once, and writes back
what it did: an answer, the despatch, the delivery where the carrier has reported it, and the figures of what is left.
Each paper is one line of a file with a marker beside it.
"""

from __future__ import annotations

import json
import sqlite3
import sys
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from scripts.demonstration import erp_database, facts
from scripts.demonstration.second_act.addresses import DOCK

__all__ = ["create", "store_goods", "work"]

_NOW = "strftime('%Y-%m-%dT%H:%M:%fZ', 'now')"


def create(folder: Path) -> None:
    """Make the system in `folder`: its database, and its empty in and out boxes."""
    database = erp_database.create(folder / "warehouse.sqlite", "third_party")
    database.execute("INSERT INTO setting VALUES ('papers', '0')")
    database.close()
    for name in ("in", "out"):
        (folder / "exchange" / name).mkdir(parents=True)


def store_goods(database: sqlite3.Connection, owner: str, goods: Sequence[tuple[str, str, int]]) -> None:
    """Goods of `owner` come in: (gtin, name, pieces). Their figures are told with the next papers."""
    with erp_database.transaction(database):
        database.executemany(
            "INSERT INTO goods VALUES (?, ?, ?, ?, ?)",
            [(gtin, owner, name, pieces, pieces) for gtin, name, pieces in goods],
        )
        database.execute("INSERT OR REPLACE INTO setting VALUES ('count', '1')")


def work(folder: Path, database: sqlite3.Connection) -> int:
    """Read what came, send it, tell what was done; returns how many papers that were."""
    done = 0
    known = {name for (name,) in database.execute("SELECT name FROM files")}
    for path in sorted((folder / "exchange" / "out").glob("Order_*.jsonl")):
        if path.name not in known:
            said = json.loads(path.read_text(encoding="utf-8"))
            with erp_database.transaction(database):
                _take(database, said["fields"])
                database.execute("INSERT INTO files VALUES (?)", (path.name,))
            done += 1
    papers = _papers(folder, database)
    if papers:
        _write(folder, database, papers)
    return done + len(papers)


def _take(database: sqlite3.Connection, order: Mapping[str, Any]) -> None:
    """Book an instruction, and take off the dock what there is of it."""
    number = order["header"]["number"]
    reference: Mapping[str, Any] = next(
        (one for one in order["header"].get("references", ()) if one.get("kind") == "CUSTOMER_ORDER"), {}
    )
    person: Mapping[str, Any] = next(iter(order.get("personal", {}).get("entries", ())), {})
    address = person.get("address", {})
    database.execute(
        "INSERT OR IGNORE INTO job VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, 0)",
        (
            number,
            order["header"]["issuer"],
            reference.get("document", {}).get("number", ""),
            order.get("order_kind", ""),
            person.get("name"),
            *(address.get(name) for name in ("street", "city", "postal_code", "country")),
        ),
    )
    despatch = f"QL-{number}"
    tracking = f"SW{facts.bucket(despatch, 10**9):09d}GB"
    for line in order["lines"]:
        gtin, wanted = line["item"]["gtin"], int(float(line["quantity"]["value"]))
        goods = database.execute("SELECT on_dock FROM goods WHERE gtin = ?", (gtin,)).fetchone()
        taken = min(wanted, goods[0] if goods else 0)
        database.execute("INSERT INTO job_line VALUES (?, ?, ?, ?, ?)", (number, line["line_id"], gtin, wanted, taken))
        if taken:
            database.execute("UPDATE goods SET on_dock = on_dock - ? WHERE gtin = ?", (taken, gtin))
            database.execute(
                f"INSERT INTO movement VALUES (?, ?, ?, ?, ?, {_NOW}, ?, 0)",  # noqa: S608
                (despatch, number, line["line_id"], gtin, taken, tracking),
            )
    database.execute("INSERT OR REPLACE INTO setting VALUES ('count', '1')")
    database.execute("INSERT OR REPLACE INTO setting VALUES (?, 'answer')", (f"tell {number}",))


# --- papers ---------------------------------------------------------------------------------------------------------


def _papers(folder: Path, database: sqlite3.Connection) -> list[dict[str, Any]]:
    """What there is to tell: answers and movements of each job, then the figures, once."""
    found: list[dict[str, Any]] = []
    for (name,) in database.execute("SELECT name FROM setting WHERE name LIKE 'tell %' ORDER BY name").fetchall():
        job = database.execute("SELECT * FROM job WHERE number = ?", (name.removeprefix("tell "),)).fetchone()
        found += _of_job(database, job)
    for name, file in database.execute("SELECT name, value FROM setting WHERE name LIKE 'carried %'").fetchall():
        # The carrier's word follows once the node has taken the despatch.
        if not (folder / "exchange" / "in" / file).exists():
            found.append(_delivered(database, name.removeprefix("carried ")))
    if database.execute("SELECT 1 FROM setting WHERE name = 'count' AND value = '1'").fetchone():
        found.append(_figures(database))
    return found


def _of_job(database: sqlite3.Connection, job: sqlite3.Row) -> list[dict[str, Any]]:
    number, owner = job["number"], job["owner"]
    order = {"issuer": owner, "type": "Order", "number": number}
    lines = database.execute("SELECT * FROM job_line WHERE number = ? ORDER BY line", (number,)).fetchall()
    whole = all(line["taken"] == line["wanted"] for line in lines)
    answer = {
        "header": {"number": f"QA-{number}"},
        "order": order,
        "outcome": "ACCEPTED" if whole else "CHANGED" if any(line["taken"] for line in lines) else "REJECTED",
        "lines": [{"line_id": line["line"], "schedule": _schedule(line)} for line in lines],
    }
    papers = [_line("OrderResponse", owner, answer)]
    moved = database.execute("SELECT * FROM movement WHERE number = ? ORDER BY line", (number,)).fetchall()
    if moved:
        first = moved[0]
        despatch = {
            "header": {"number": first["despatch"]},
            "status": "ORIGINAL",
            "order": order,
            "despatched_at": first["at"],
            "carriage": {"carrier": "Swift", "tracking": first["tracking"]},
            "lines": [
                {"line_id": str(place), "order_line_id": one["line"], "item": {"gtin": one["gtin"]},
                 "quantity": _pieces(one["pieces"])}
                for place, one in enumerate(moved, 1)
            ],
        }  # fmt: skip
        papers.append(_line("DespatchAdvice", owner, despatch))
    return papers


def _delivered(database: sqlite3.Connection, number: str) -> dict[str, Any]:
    moved = database.execute(
        "SELECT m.*, j.owner FROM movement m JOIN job j USING (number) WHERE number = ? LIMIT 1", (number,)
    ).fetchone()
    event = {
        "header": {"number": f"QD-{number}"},
        "despatch": {"type": "DespatchAdvice", "number": moved["despatch"]},
        "order": {"issuer": moved["owner"], "type": "Order", "number": number},
        "event": "DELIVERED",
        "occurred_at": moved["at"],
        "tracking": moved["tracking"],
    }
    return _line("DeliveryStatus", moved["owner"], event)


def _schedule(line: sqlite3.Row) -> list[dict[str, Any]]:
    parts = [("ACCEPTED", line["taken"]), ("REJECTED", line["wanted"] - line["taken"])]
    return [
        {"schedule_id": str(place), "outcome": word, "quantity": _pieces(pieces)}
        | ({"reason": {"code": "out-of-stock", "text": "not on the dock"}} if word == "REJECTED" else {})
        for place, (word, pieces) in enumerate(parts, 1)
        if pieces
    ]


def _figures(database: sqlite3.Connection) -> dict[str, Any]:
    goods = database.execute("SELECT * FROM goods ORDER BY gtin").fetchall()
    report = {
        "header": {"number": "QS"},
        "basis": "NET",
        "locations": [{"code": DOCK}],
        "lines": [
            {"item": {"gtin": one["gtin"], "description": one["name"]}, "location": DOCK, "unit": "C62",
             "on_hand": str(one["on_dock"]), "available": str(one["on_dock"])}
            for one in goods
        ],
    }  # fmt: skip
    return {"document": "InventoryReport", "fields": report}


def _line(document: str, owner: str, fields: dict[str, Any]) -> dict[str, Any]:
    return {"document": document, "partner": owner, "fields": fields}


def _pieces(pieces: int) -> dict[str, str]:
    return {"value": str(pieces), "unit": "C62"}


def _write(folder: Path, database: sqlite3.Connection, papers: list[dict[str, Any]]) -> None:
    """All papers as one file, and the marks that they are written; a file of the same number is written anew."""
    number = int(database.execute("SELECT value FROM setting WHERE name = 'papers'").fetchone()[0]) + 1
    for paper in papers:
        if paper["document"] == "InventoryReport":
            paper["fields"]["header"]["number"] = f"QS-{number}"
    path = folder / "exchange" / "in" / f"{number:06d}.jsonl"
    part = path.with_name(f".{path.name}.part")
    part.write_text("".join(json.dumps(paper) + "\n" for paper in papers), encoding="utf-8")
    part.replace(path)
    path.with_name(f"{path.name}.done").touch()
    sent = {one["fields"]["order"]["number"] for one in papers if one["document"] == "DespatchAdvice"}
    told = {one["fields"]["order"]["number"] for one in papers if one["document"] == "DeliveryStatus"}
    with erp_database.transaction(database):
        database.execute("DELETE FROM setting WHERE name LIKE 'tell %' OR name = 'count'")
        for job in sorted(sent):
            if facts.is_delivered(f"QL-{job}"):
                database.execute("INSERT INTO setting VALUES (?, ?)", (f"carried {job}", path.name))
        for job in sorted(told):
            database.execute("DELETE FROM setting WHERE name = ?", (f"carried {job}",))
            database.execute("UPDATE movement SET delivered = 1 WHERE number = ?", (job,))
        database.execute("UPDATE setting SET value = ? WHERE name = 'papers'", (str(number),))


if __name__ == "__main__":
    _folder = Path(sys.argv[1])
    erp_database.run_process(_folder / "warehouse.sqlite", partial(work, _folder))
