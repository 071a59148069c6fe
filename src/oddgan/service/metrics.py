"""Metrics for Prometheus, in their own registry."""

from collections.abc import Callable

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    ProcessCollector,
    generate_latest,
)
from prometheus_client.exposition import CONTENT_TYPE_LATEST

_SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60)
_SIZES = (1, 2, 4, 8, 16, 32, 64, 128, 256, 1024, 4096, 16384, 65536)


class Metrics:
    """Counters, histograms and gauges of one service."""

    content_type = CONTENT_TYPE_LATEST

    def __init__(self) -> None:
        self._registry = registry = CollectorRegistry()
        ProcessCollector(registry=registry)
        self._requests = Counter(
            "oddgan_requests",
            "Requests that were answered.",
            ["route", "method", "status"],
            registry=registry,
        )
        self._latency = Histogram(
            "oddgan_request_seconds",
            "Time from a request to its answer.",
            ["route"],
            buckets=_SECONDS,
            registry=registry,
        )
        self._batches = Histogram(
            "oddgan_batch_requests",
            "Requests that were scored together.",
            ["model"],
            buckets=_SIZES[:8],
            registry=registry,
        )
        self._batch_samples = Histogram(
            "oddgan_batch_samples",
            "Samples that were scored together.",
            ["model"],
            buckets=_SIZES,
            registry=registry,
        )
        self._batch_seconds = Histogram(
            "oddgan_batch_seconds",
            "Time to score a batch.",
            ["model"],
            buckets=_SECONDS,
            registry=registry,
        )
        self._samples = Counter(
            "oddgan_samples", "Samples that were scored.", ["model"], registry=registry
        )
        self._flagged = Counter(
            "oddgan_flagged", "Samples that were flagged.", ["model"], registry=registry
        )
        self._queue = Gauge(
            "oddgan_queue_length", "Requests that wait for a model.", ["model"], registry=registry
        )
        self._in_flight = Gauge(
            "oddgan_requests_in_flight", "Requests that are worked on.", registry=registry
        )

    def watch_queue(self, model: str, length: Callable[[], int]) -> None:
        """Report the current length of a model's queue."""
        self._queue.labels(model).set_function(length)

    def watch_requests(self, count: Callable[[], int]) -> None:
        """Report the current number of requests in progress."""
        self._in_flight.set_function(count)

    def request(self, route: str, method: str, status: int, seconds: float) -> None:
        """Count an answered request."""
        self._requests.labels(route, method, str(status)).inc()
        self._latency.labels(route).observe(seconds)

    def batch(self, model: str, n_requests: int, n_samples: int, seconds: float) -> None:
        """Count a batch."""
        self._batches.labels(model).observe(n_requests)
        self._batch_samples.labels(model).observe(n_samples)
        self._batch_seconds.labels(model).observe(seconds)

    def answered(self, model: str, n_samples: int, n_flagged: int) -> None:
        """Count the samples of a response."""
        self._samples.labels(model).inc(n_samples)
        self._flagged.labels(model).inc(n_flagged)

    def text(self) -> bytes:
        """Return all metrics in Prometheus' format."""
        return generate_latest(self._registry)
