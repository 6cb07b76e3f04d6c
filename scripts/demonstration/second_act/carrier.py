"""Swift Parcel, the carrier: a small HTTP service on this machine that quotes prices, until it is told to fall silent.

`POST /quotes` takes the weight and the two countries and answers with its services. While the file `silent` lies in its
folder it takes questions and never answers them, as a service does that hangs: whoever asks must have a deadline.
"""

from __future__ import annotations

import json
import sys
import threading
from decimal import ROUND_UP, Decimal
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

__all__ = ["SILENT", "offers", "serve"]

SILENT = "silent"
SILENCE_SECONDS = 20
QUESTION_BYTES_MAX = 65_536
_SERVICES = (("economy", Decimal("2.90"), Decimal("0.35"), 3), ("next day", Decimal("6.40"), Decimal("0.70"), 1))
_ABROAD = Decimal("2.2")


def offers(kilograms: Decimal, from_country: str, to_country: str) -> list[dict[str, Any]]:
    """What each service costs, in GBP, rounded up to a penny; abroad takes two days more."""
    abroad = from_country != to_country
    found = []
    for name, fixed, per_kg, days in _SERVICES:
        price = (fixed + per_kg * kilograms) * (_ABROAD if abroad else 1)
        found.append(
            {
                "service": name,
                "price": str(price.quantize(Decimal("0.01"), ROUND_UP)),
                "currency": "GBP",
                "days": days + 2 * abroad,
            }
        )
    return found


def serve(folder: Path, port: int) -> None:
    """Answer questions for ever; counts them in `questions` and `unanswered` of the folder, one sign each."""
    lock = threading.Lock()

    def count(name: str) -> None:
        with lock, (folder / name).open("a", encoding="ascii") as file:
            file.write(".")

    class Desk(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            length = min(int(self.headers.get("Content-Length", 0)), QUESTION_BYTES_MAX)
            said = json.loads(self.rfile.read(length))
            count("questions")
            if (folder / SILENT).exists():
                count("unanswered")
                threading.Event().wait(SILENCE_SECONDS)
                return
            body = json.dumps({"offers": offers(Decimal(str(said["kg"])), said["from"], said["to"])}).encode()
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: Any) -> None:
            """Quiet: the counts say enough."""

    with ThreadingHTTPServer(("127.0.0.1", port), Desk) as server:
        server.daemon_threads = True
        server.serve_forever()


if __name__ == "__main__":
    serve(Path(sys.argv[1]), int(sys.argv[2]))
