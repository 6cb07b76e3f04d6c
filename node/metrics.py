"""Figures for Prometheus, and the little web server on this machine that shows them: /metrics, /ready, /live."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.core import GaugeMetricFamily, Metric

from node.core.rows import LinkRow
from node.errors import ConfigError, HansaError

__all__ = ["Metrics", "MetricsServer"]

_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 60)


class Metrics:
    """What a node counts. `links`, `handovers` and the number of `unusable` files are read whenever somebody asks."""

    def __init__(
        self,
        links: Callable[[], Iterable[LinkRow]] | None = None,
        handovers: Callable[[], dict[str, int]] | None = None,
        unusable: Callable[[], int] = lambda: 0,
    ) -> None:
        self.registry = CollectorRegistry()
        self.sessions = Gauge("hansa_sessions", "Partners connected now", registry=self.registry)
        self.session_ends = Counter(
            "hansa_session_ends_total", "Sessions that ended, by reason", ["reason"], registry=self.registry
        )
        self.received = Counter(
            "hansa_documents_received_total", "Documents stored from partners", ["partner"], registry=self.registry
        )
        self.sent = Counter(
            "hansa_documents_sent_total",
            "Documents sent, those sent again included",
            ["partner"],
            registry=self.registry,
        )
        self.take_seconds = Histogram(
            "hansa_take_seconds", "From a batch's arrival to its commit", buckets=_SECONDS, registry=self.registry
        )
        self.receipt_seconds = Histogram(
            "hansa_receipt_seconds",
            "From sending a batch to its verified receipt",
            buckets=_SECONDS,
            registry=self.registry,
        )
        self.handed_over = Counter(
            "hansa_handed_over_total", "Documents written into our own systems", ["adapter"], registry=self.registry
        )
        self.pulled = Counter(
            "hansa_pulled_total",
            "Documents and stock lines taken from our own systems",
            ["adapter"],
            registry=self.registry,
        )
        self.adapter_errors = Counter(
            "hansa_adapter_errors_total", "Runs of an adapter that failed", ["adapter"], registry=self.registry
        )
        self.loop_lag_seconds = Histogram(
            "hansa_loop_lag_seconds", "How late the event loop woke a timer", buckets=_SECONDS, registry=self.registry
        )
        self.unusable_files = Gauge(
            "hansa_unusable_files",
            "Files of rules and rates that cannot be used as they are; hansa status says more",
            registry=self.registry,
        )
        self.unusable_files.set_function(unusable)
        if links is not None and handovers is not None:
            self.registry.register(_StoreFigures(links, handovers))

    def text(self) -> bytes:
        """All figures in Prometheus' text format."""
        return generate_latest(self.registry)


class _StoreFigures:
    """Positions of the links and the ERP's queue, as the store has them."""

    def __init__(self, links: Callable[[], Iterable[LinkRow]], handovers: Callable[[], dict[str, int]]) -> None:
        self._links = links
        self._handovers = handovers

    def describe(self) -> list[Metric]:
        """Nothing beforehand, so that registering reads no store."""
        return []

    def collect(self) -> Iterator[Metric]:
        """Read the store."""
        labels = ["partner", "direction"]
        number = GaugeMetricFamily("hansa_link_number", "Last number given or taken", labels=labels)
        receipted = GaugeMetricFamily("hansa_link_receipted_number", "Last number with a receipt", labels=labels)
        stopped = GaugeMetricFamily("hansa_link_stopped", "1 when the link waits for a human", labels=labels)
        for row in self._links():
            key = [row.partner_id, row.direction]
            number.add_metric(key, row.number)
            receipted.add_metric(key, row.receipted_number)
            stopped.add_metric(key, float(row.state == "stopped"))
        handovers = GaugeMetricFamily("hansa_handovers", "Documents on their way into our systems", labels=["state"])
        for state, count in self._handovers().items():
            handovers.add_metric([state], count)
        yield from (number, receipted, stopped, handovers)


class MetricsServer:
    """Answers GET /metrics, /live (the process runs) and /ready (it serves partners) in threads of its own."""

    def __init__(self, host: str, port: int, metrics: Metrics, ready: Callable[[], bool]) -> None:
        try:
            self._server = ThreadingHTTPServer((host, port), _handler(metrics, ready))
        except OSError as error:
            raise ConfigError(
                f"metrics.port: {host}:{port} cannot be listened on ({error.strerror})",
                hint="Another process may hold the port; name another one.",
            ) from None
        self._server.daemon_threads = True
        self.port = int(self._server.server_address[1])
        self._thread = threading.Thread(target=self._server.serve_forever, name="hansa-metrics", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Take no more requests."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


def _handler(metrics: Metrics, ready: Callable[[], bool]) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        timeout = 10

        def do_GET(self) -> None:
            if self.path == "/metrics":
                try:
                    self._answer(200, CONTENT_TYPE_LATEST, metrics.text())
                except HansaError as error:
                    self._answer(503, "text/plain; charset=utf-8", f"{error.message}\n".encode())
            elif self.path == "/live":
                self._answer(200, "text/plain; charset=utf-8", b"live\n")
            elif self.path == "/ready":
                good = ready()
                text = b"ready\n" if good else b"not ready\n"
                self._answer(200 if good else 503, "text/plain; charset=utf-8", text)
            else:
                self._answer(404, "text/plain; charset=utf-8", b"there are /metrics, /ready and /live\n")

        def _answer(self, status: int, kind: str, body: bytes) -> None:
            self.send_response(status)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *arguments: object) -> None:
            """Who asks for figures is not worth a line."""

    return Handler
