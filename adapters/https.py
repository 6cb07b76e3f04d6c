"""One HTTP call with a deadline over all of it, a limit on the answer, and nothing followed: for carriers' prices.

The standard library's client on a thread of its own. The time limits of requests, urllib3 and httpx2 hold for each
read, so that a server which sends a byte now and then keeps a call for as long as it likes; who holds the socket can
end the call on time whatever the server does, and it needs no further package. Given up: proxies and HTTP/2.
"""

from __future__ import annotations

import contextlib
import http.client
import socket
import ssl
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import SplitResult, urlsplit

from node.errors import ConfigError

__all__ = ["ANSWER_BYTES_MAX", "Answer", "Endpoint", "NoAnswer"]

ANSWER_BYTES_MAX = 1_048_576
"""Larger answers are not read."""

_LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})


class NoAnswer(Exception):
    """Nothing usable came; `rule` is a stable word for programs."""

    def __init__(self, rule: str, text: str) -> None:
        super().__init__(text)
        self.rule = rule
        self.text = text


@dataclass(frozen=True, slots=True)
class Answer:
    """What the server said."""

    status: int
    content_type: str
    body: bytes


class Endpoint:
    """An address that is called. TLS is verified always; plain HTTP goes to this machine only. For several threads."""

    def __init__(self, url: str, *, seconds: float, ca_file: str = "") -> None:
        """Raises ConfigError for an address or certificates that cannot be used."""
        self._url = _checked(url)
        self._seconds = seconds
        self._context: ssl.SSLContext | None = None
        if self._url.scheme == "https":
            try:
                self._context = ssl.create_default_context(cafile=ca_file or None)
            except (OSError, ssl.SSLError) as error:
                hint = "a file of certificates in PEM form is expected"
                raise ConfigError(f"ca_file: {ca_file}: cannot be used: {error}", hint=hint) from None

    def call(self, method: str, query: str, headers: Mapping[str, str], body: bytes | None) -> Answer:
        """Call once. Raises NoAnswer: ``timeout``, ``unreachable``, ``redirect``, ``too-large``, ``bad-http``."""
        call = _Call(self._url, self._context, self._seconds)
        thread = threading.Thread(target=call.run, args=(method, query, headers, body), daemon=True, name="hansa-quote")
        thread.start()
        thread.join(self._seconds)
        if thread.is_alive():
            call.abandon()
            raise NoAnswer("timeout", f"no whole answer within {self._seconds:g} s")
        if call.failure is not None:
            raise call.failure
        assert call.answer is not None
        if 300 <= call.answer.status < 400:
            raise NoAnswer("redirect", f"status {call.answer.status}: it points elsewhere, which is not followed")
        return call.answer


class _Call:
    """One call on its thread, which another thread can end."""

    def __init__(self, url: SplitResult, context: ssl.SSLContext | None, seconds: float) -> None:
        self._url = url
        host = url.hostname or ""
        self._connection: http.client.HTTPConnection
        if context is not None:
            self._connection = http.client.HTTPSConnection(host, url.port, timeout=seconds, context=context)
        else:
            self._connection = http.client.HTTPConnection(host, url.port, timeout=seconds)
        self._abandoned = False
        self.answer: Answer | None = None
        self.failure: NoAnswer | None = None

    def run(self, method: str, query: str, headers: Mapping[str, str], body: bytes | None) -> None:
        """Ask, and keep the answer or why there is none."""
        try:
            self.answer = self._exchange(method, query, headers, body)
        except NoAnswer as error:
            self.failure = error
        except TimeoutError:
            self.failure = NoAnswer("timeout", "no answer in time")
        except ssl.SSLCertVerificationError as error:
            self.failure = NoAnswer("unreachable", f"its certificate is not accepted: {error.verify_message}")
        except OSError as error:
            self.failure = NoAnswer("unreachable", f"cannot be reached: {error.strerror or type(error).__name__}")
        except (http.client.HTTPException, ValueError, UnicodeError) as error:
            # The text of such an error can hold what was sent, a secret header among it.
            self.failure = NoAnswer("bad-http", f"it does not speak HTTP as expected ({type(error).__name__})")
        finally:
            self._connection.close()

    def _exchange(self, method: str, query: str, headers: Mapping[str, str], body: bytes | None) -> Answer:
        path = self._url.path or "/"
        asked = "&".join(part for part in (self._url.query, query) if part)
        self._connection.connect()
        if self._abandoned:
            raise NoAnswer("timeout", "connected too late")
        self._connection.request(method, f"{path}?{asked}" if asked else path, body=body, headers=dict(headers))
        response = self._connection.getresponse()
        data = response.read(ANSWER_BYTES_MAX + 1)
        if len(data) > ANSWER_BYTES_MAX:
            raise NoAnswer("too-large", f"the answer is larger than {ANSWER_BYTES_MAX} bytes")
        return Answer(response.status, response.headers.get_content_type(), data)

    def abandon(self) -> None:
        """Cut the connection, so that the thread ends too."""
        self._abandoned = True
        held = self._connection.sock
        if held is not None:
            with contextlib.suppress(OSError):
                # Below TLS: its own farewell would wait for the other side.
                socket.socket.shutdown(held, socket.SHUT_RDWR)


def _checked(url: str) -> SplitResult:
    """The parts of an address. Raises ConfigError."""
    hint = "write https://host/path; http:// is for this machine only, and keys do not belong into the address"
    try:
        parts = urlsplit(url)
        parts.port  # noqa: B018  # raises where it is no number
    except ValueError:
        raise ConfigError(f"url: {url!r} is no address", hint=hint) from None
    plain = parts.scheme == "http" and parts.hostname in _LOOPBACK
    if not parts.hostname or (parts.scheme != "https" and not plain):
        raise ConfigError(f"url: {url!r}: an address with https:// is expected", hint=hint)
    if parts.username or parts.password or parts.fragment or not url.isascii() or any(map(str.isspace, url)):
        raise ConfigError("url: an address without user, password, fragment and spaces is expected", hint=hint)
    return parts
