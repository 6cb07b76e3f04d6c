"""A carrier's HTTP server for tests: real sockets, answers as the test says, slow or broken ones among them."""

from __future__ import annotations

import contextlib
import ssl
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from ipaddress import IPv4Address
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

__all__ = ["Asked", "CarrierServer", "carrier_server", "self_signed"]


@dataclass(frozen=True)
class Asked:
    """One request as the server saw it."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes


@dataclass
class CarrierServer:
    """Answers with `status`, `kind` and `body`, or does what `act` does with the handler; remembers what was asked."""

    url: str = ""
    status: int = 200
    kind: str = "application/json"
    body: bytes = b"{}"
    headers: dict[str, str] = field(default_factory=dict)
    act: Callable[[BaseHTTPRequestHandler], None] | None = None
    asked: list[Asked] = field(default_factory=list)
    over: threading.Event = field(default_factory=threading.Event)

    def silence(self, handler: BaseHTTPRequestHandler) -> None:
        """Say nothing until the test is over."""
        self.over.wait()

    def drip(self, handler: BaseHTTPRequestHandler) -> None:
        """Send one byte after the other, for ever."""
        handler.send_response(200)
        handler.send_header("Content-Type", "application/json")
        handler.end_headers()
        while not self.over.wait(0.05):
            handler.wfile.write(b" ")
            handler.wfile.flush()

    def answer(self, handler: BaseHTTPRequestHandler, body: bytes | None = None) -> None:
        """As the fields say, or with another body."""
        body = self.body if body is None else body
        handler.send_response(self.status)
        handler.send_header("Content-Type", self.kind)
        handler.send_header("Content-Length", str(len(body)))
        for name, value in self.headers.items():
            handler.send_header(name, value)
        handler.end_headers()
        handler.wfile.write(body)


def _handler(told: CarrierServer) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            size = int(self.headers.get("Content-Length") or 0)
            self.question = Asked(self.command, self.path, dict(self.headers), self.rfile.read(size))
            told.asked.append(self.question)
            with contextlib.suppress(OSError):
                (told.act or told.answer)(self)

        do_GET = do_POST

        def log_message(self, format: str, *args: Any) -> None:
            """Nothing is written beside the test's own output."""

    return Handler


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = True

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that hangs up is what some tests are about."""


@contextlib.contextmanager
def carrier_server(tls: tuple[Path, Path] | None = None) -> Iterator[CarrierServer]:
    """A server on this machine until the block ends; `tls` are the files of its certificate and key."""
    told = CarrierServer()
    server = _Server(("127.0.0.1", 0), _handler(told))
    if tls:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(*map(str, tls))
        # The handshake is left to the thread of the connection, so that a client that refuses blocks nobody.
        server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
    told.url = f"{'https' if tls else 'http'}://127.0.0.1:{server.server_address[1]}/v1/rates"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    try:
        yield told
    finally:
        told.over.set()
        server.shutdown()
        server.server_close()
        thread.join()


def self_signed(folder: Path) -> tuple[Path, Path]:
    """A certificate for 127.0.0.1 that nobody vouches for, and its key, as files."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "carrier")])
    start = datetime(2020, 1, 1, tzinfo=UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(7)
        .not_valid_before(start)
        .not_valid_after(start + timedelta(days=36_500))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(IPv4Address("127.0.0.1"))]), critical=False)
        .sign(key, hashes.SHA256())
    )
    folder.mkdir(parents=True, exist_ok=True)
    files = folder / "carrier.pem", folder / "carrier.key"
    files[0].write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    files[1].write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    return files
