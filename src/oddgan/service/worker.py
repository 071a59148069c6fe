"""One thread per model, which scores waiting requests in batches.

A sample's score does not depend on its batch, so batching changes no score. Requests that cannot be
batched, or fail together, are scored alone: a bad request does not affect others.
"""

import logging
import threading
import time
from collections import deque
from collections.abc import Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .deadline import Stopped, stopping
from .errors import RequestError, busy
from .explaining import explain
from .limits import Limits
from .metrics import Metrics
from .models import Model
from .samples import Samples

_log = logging.getLogger("oddgan.service")

#: Maximum samples of a batch, unless one request has more.
_MAX_SAMPLES = {"table": 4096, "image": 256}
#: Maximum expected time of a batch, as a share of the time limit.
_SHARE = 0.25


@dataclass(frozen=True)
class Answer:
    """The result of a request: scores, shape (n,), and if requested an explanation per sample."""

    scores: NDArray[np.float64]
    explanations: list[dict[str, Any]] | None


@dataclass(eq=False)
class Job:
    """A request that waits for its result.

    Attributes
    ----------
    samples : Samples
        The samples to score.
    explain : bool
        Whether to explain each sample too.
    deadline : float
        When the client stops waiting, by `time.monotonic`.
    """

    samples: Samples
    explain: bool
    deadline: float
    arrived: float = field(default_factory=time.monotonic)
    answer: "Future[Answer]" = field(default_factory=Future)
    abandoned: bool = False

    def over(self) -> bool:
        """Tell whether the client has stopped waiting."""
        return self.abandoned or time.monotonic() > self.deadline

    def refuse(self, refusal: BaseException) -> None:
        """Set a refusal as the result."""
        self.answer.set_exception(refusal)


class Worker:
    """The thread of one model.

    Parameters
    ----------
    model : Model
        The model that scores.
    limits : Limits
        Limits of the queue, and of the wait for other requests.
    metrics : Metrics
        Counts each batch.
    """

    def __init__(self, model: Model, limits: Limits, metrics: Metrics) -> None:
        self._model, self._limits, self._metrics = model, limits, metrics
        self._queue: deque[Job] = deque()
        self._changed = threading.Condition()
        self._closed = False
        self._concurrent = False  # whether the last batch had several requests
        self._thread: threading.Thread | None = None
        self._seconds_each = 0.0  # per sample, a moving average
        metrics.watch_queue(model.name, self._queue.__len__)

    def submit(self, job: Job) -> None:
        """Put a request into the queue.

        Raises
        ------
        RequestError
            The queue is full, or the service is shutting down.
        """
        with self._changed:
            if self._closed:
                raise busy("the service is shutting down")
            if len(self._queue) >= self._limits.queue:
                raise busy(f"{len(self._queue)} requests wait for model {self._model.name!r}")
            self._queue.append(job)
            if self._thread is None:
                name = f"oddgan {self._model.name}"
                self._thread = threading.Thread(target=self._work, name=name, daemon=True)
                self._thread.start()
            self._changed.notify()

    def open(self) -> None:
        """Accept requests, also after `close`."""
        self._closed = False

    def close(self, timeout: float) -> None:
        """Finish waiting requests, then end the thread."""
        with self._changed:
            self._closed = True
            self._changed.notify()
            thread, self._thread = self._thread, None
        if thread is not None:
            thread.join(timeout)

    @property
    def ready(self) -> bool:
        """Whether a request would be accepted."""
        return not self._closed and len(self._queue) < self._limits.queue

    def _work(self) -> None:
        while jobs := self._take():
            waiting = [job for job in jobs if job.answer.set_running_or_notify_cancel()]
            for job in [job for job in waiting if job.over()]:
                waiting.remove(job)
                job.refuse(Stopped())
            if waiting:
                self._run(waiting)
            del jobs, waiting  # free them while the thread waits for more

    def _take(self) -> list[Job]:
        """Wait for requests, and return a batch; it is empty when the worker closes."""
        with self._changed:
            while not self._queue and not self._closed:
                self._changed.wait()
            if not self._queue:
                return []
            first = self._queue[0]
            until = first.arrived + self._limits.batch_seconds
            while (
                self._concurrent
                and not self._closed
                and (remaining := until - time.monotonic()) > 0
            ):
                self._changed.wait(remaining)
            key, room = first.samples.batch_key, self._max_samples()
            batch: list[Job] = []
            for job in list(self._queue):
                n = job.samples.count()
                if job is first or (n <= room and job.samples.batch_key == key):
                    self._queue.remove(job)
                    batch.append(job)
                    room -= n
            self._concurrent = len(batch) > 1
            return batch

    def _max_samples(self) -> int:
        """Return the maximum samples of a batch: few if each takes long."""
        n = _MAX_SAMPLES[self._model.kind]
        if self._seconds_each:
            n = min(n, int(_SHARE * self._limits.seconds / self._seconds_each))
        return n

    def _run(self, jobs: Sequence[Job]) -> None:
        start_time = time.monotonic()
        try:
            with stopping(lambda: all(job.over() for job in jobs)):
                scores = self._model.scores(Samples.joined([job.samples for job in jobs]))
        except Exception as error:
            if len(jobs) > 1 and not isinstance(error, Stopped):
                for job in jobs:
                    self._run([job])
                return
            for job in jobs:
                job.refuse(_refusal(error))
            return
        seconds = time.monotonic() - start_time
        self._seconds_each = 0.8 * self._seconds_each + 0.2 * seconds / len(scores)
        self._metrics.batch(self._model.name, len(jobs), len(scores), seconds)
        start = 0
        for job in jobs:
            stop = start + job.samples.count()
            self._finish(job, scores[start:stop])
            start = stop

    def _finish(self, job: Job, scores: NDArray[np.float64]) -> None:
        try:
            explanations = None
            if job.explain:
                with stopping(job.over):
                    explanations = explain(self._model, job.samples)
            job.answer.set_result(Answer(scores, explanations))
        except Exception as error:
            job.refuse(_refusal(error))


def _refusal(error: Exception) -> Exception:
    """Return the refusal of a request that failed."""
    if isinstance(error, Stopped):
        return error
    if isinstance(error, ValueError):  # bad data; the message names the culprit
        return RequestError(422, " ".join(str(error).split()))
    if isinstance(error, MemoryError):
        return busy("there is not enough memory for this request now")
    _log.error("a request failed", exc_info=error)
    return error
