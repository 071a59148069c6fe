"""One thread for each model, which scores what waits for it, requests together.

A sample's score does not depend on its batch mates, so joining requests changes no score. What
cannot be joined, or fails together, is scored alone: a bad request reaches no other.
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
from .explaining import explained
from .limits import Limits
from .metrics import Metrics
from .models import Model
from .samples import Samples

_log = logging.getLogger("oddgan.service")

#: Samples that are scored together, at most, unless one request has more.
_MOST = {"table": 4096, "image": 256}
#: Share of the time limit that requests scored together may be expected to take.
_SHARE = 0.25


@dataclass(frozen=True)
class Answer:
    """What a worker found out: scores, shape (n,), and for each sample an explanation if asked."""

    scores: NDArray[np.float64]
    explanations: list[dict[str, Any]] | None


@dataclass(eq=False)
class Job:
    """A request that waits for its answer.

    Attributes
    ----------
    samples : Samples
        What is to be scored.
    explain : bool
        Whether to explain each sample too.
    deadline : float
        When nobody waits for it any more, by `time.monotonic`.
    """

    samples: Samples
    explain: bool
    deadline: float
    arrived: float = field(default_factory=time.monotonic)
    answer: "Future[Answer]" = field(default_factory=Future)
    abandoned: bool = False

    def over(self) -> bool:
        """Tell whether nobody waits for the answer."""
        return self.abandoned or time.monotonic() > self.deadline

    def refuse(self, refusal: BaseException) -> None:
        """Answer with a refusal."""
        self.answer.set_exception(refusal)


class Worker:
    """The thread of one model.

    Parameters
    ----------
    model : Model
        What scores.
    limits : Limits
        Bounds of the queue, and of the time to wait for others.
    metrics : Metrics
        Counts each batch.
    """

    def __init__(self, model: Model, limits: Limits, metrics: Metrics) -> None:
        self._model, self._limits, self._metrics = model, limits, metrics
        self._queue: deque[Job] = deque()
        self._changed = threading.Condition()
        self._closed = False
        self._in_company = False  # whether requests come several at a time, lately
        self._thread: threading.Thread | None = None
        self._seconds_each = 0.0  # of a sample, lately
        metrics.watch_queue(model.name, self._queue.__len__)

    def submit(self, job: Job) -> None:
        """Put a request into the queue.

        Raises
        ------
        RequestError
            The queue is full, or the service ends.
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
        """Take requests, after `close` too."""
        self._closed = False

    def close(self, timeout: float) -> None:
        """Finish what waits, then end the thread."""
        with self._changed:
            self._closed = True
            self._changed.notify()
            thread, self._thread = self._thread, None
        if thread is not None:
            thread.join(timeout)

    @property
    def ready(self) -> bool:
        """Whether a request would be taken."""
        return not self._closed and len(self._queue) < self._limits.queue

    def _work(self) -> None:
        while jobs := self._take():
            waiting = [job for job in jobs if job.answer.set_running_or_notify_cancel()]
            for job in [job for job in waiting if job.over()]:
                waiting.remove(job)
                job.refuse(Stopped())
            if waiting:
                self._run(waiting)
            del jobs, waiting  # nothing is kept while the thread waits for more

    def _take(self) -> list[Job]:
        """Return requests to score together, as soon as there are some; none: it is the end."""
        with self._changed:
            while not self._queue and not self._closed:
                self._changed.wait()
            if not self._queue:
                return []
            first = self._queue[0]
            until = first.arrived + self._limits.batch_seconds
            while self._in_company and not self._closed and (left := until - time.monotonic()) > 0:
                self._changed.wait(left)
            likeness, room = first.samples.likeness, self._most()
            taken: list[Job] = []
            for job in list(self._queue):
                n = job.samples.count()
                if job is first or (n <= room and job.samples.likeness == likeness):
                    self._queue.remove(job)
                    taken.append(job)
                    room -= n
            self._in_company = len(taken) > 1
            return taken

    def _most(self) -> int:
        """Return how many samples to score together: few if each takes long."""
        most = _MOST[self._model.kind]
        if self._seconds_each:
            most = min(most, int(_SHARE * self._limits.seconds / self._seconds_each))
        return most

    def _run(self, jobs: Sequence[Job]) -> None:
        began = time.monotonic()
        try:
            with stopping(lambda: all(job.over() for job in jobs)):
                scores = self._model.scores(Samples.joined([job.samples for job in jobs]))
        except Exception as error:
            if len(jobs) > 1 and not isinstance(error, Stopped):
                for job in jobs:
                    self._run([job])
                return
            for job in jobs:
                job.refuse(_told(error))
            return
        seconds = time.monotonic() - began
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
                    explanations = explained(self._model, job.samples)
            job.answer.set_result(Answer(scores, explanations))
        except Exception as error:
            job.refuse(_told(error))


def _told(error: Exception) -> Exception:
    """Return the answer to a request that failed."""
    if isinstance(error, Stopped):
        return error
    if isinstance(error, ValueError):  # the data is not as described; the message names the culprit
        return RequestError(422, " ".join(str(error).split()))
    if isinstance(error, MemoryError):
        return busy("there is not enough memory for this request now")
    _log.error("a request failed", exc_info=error)
    return error
