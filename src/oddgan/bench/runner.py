"""Run the cells of an experiment in several processes; each result is on disk at once."""

import fcntl
import json
import os
import queue
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, Any, Protocol, cast

from .spec import Cell
from .store import failure, is_done, read_result, remove, write_result


class Listener(Protocol):
    """Follows the progress of a run."""

    def start(self, cells: Sequence[Cell], done: Sequence[Cell], jobs: int) -> None:
        """Begin; `done` of the `cells` were measured before."""

    def finished(self, cell: Cell, result: dict[str, Any], seconds: float) -> None:
        """Report that the result of a cell is on disk."""

    def stop(self) -> None:
        """End, whether the run succeeded or not."""


def run_cells(
    cells: Sequence[Cell], folder: Path, *, jobs: int, listener: Listener, fresh: bool = False
) -> None:
    """Measure the cells that `folder` does not have.

    A cell is measured again if it failed, or if another version of OddGAN, possibly with other
    defaults, measured it.

    Parameters
    ----------
    cells : sequence of Cell
    folder : pathlib.Path
        Holds one JSON file for each finished cell, named by its `key`.
    jobs : int
        Number of processes, each with one thread.
    listener : Listener
        Follows the progress.
    fresh : bool
        Whether to measure finished cells again.

    Raises
    ------
    RuntimeError
        If another run uses `folder`.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with _locked(folder):
        if fresh:
            remove(folder, cells)
        done = [cell for cell in cells if is_done(folder, cell)]
        todo = [cell for cell in cells if cell not in done]
        listener.start(cells, done, jobs)
        workers = _Workers(folder)
        pool = ThreadPoolExecutor(jobs)
        try:
            futures = {pool.submit(workers.measure, cell): cell for cell in todo}
            for future in as_completed(futures):
                listener.finished(futures[future], *future.result())
        finally:
            workers.end()
            pool.shutdown(cancel_futures=True)
            listener.stop()


class _Workers:
    """Processes that measure cells; started when needed, then reused."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._all: list[subprocess.Popen[str]] = []
        self._idle: queue.SimpleQueue[subprocess.Popen[str]] = queue.SimpleQueue()
        self._ended = False
        self._starting = threading.Lock()

    def measure(self, cell: Cell) -> tuple[dict[str, Any], float]:
        """Measure a cell in a process; return its result, as on disk, and the time in seconds."""
        process = self._next()
        since = time.monotonic()
        request = json.dumps({"key": cell.key, "definition": cell.definition()})
        with suppress(BrokenPipeError):
            print(request, file=process.stdin, flush=True)
        if cast("IO[str]", process.stdout).readline():
            self._idle.put(process)
        elif not self._ended:
            self._record_death(process, cell)
        result = read_result(self._folder, cell) or failure("the run was ended")
        return result, time.monotonic() - since

    def end(self) -> None:
        """Kill all processes; no other is started."""
        with self._starting:
            self._ended = True
        for process in self._all:
            process.kill()
            process.wait()

    def _next(self) -> "subprocess.Popen[str]":
        """Return an idle process."""
        while True:
            try:
                process = self._idle.get_nowait()
            except queue.Empty:
                return self._start()
            if process.poll() is None:  # otherwise it was killed from outside while idle
                return process

    def _start(self) -> "subprocess.Popen[str]":
        # -P: modules in the user's folder must not shadow those of the library.
        module = "oddgan.bench.worker"
        command = [sys.executable, "-P", "-m", module, str(self._folder.resolve())]
        # One thread each: processes that share cores would wait for each other's threads.
        environment = {**os.environ, "OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}
        with self._starting, (self._folder / "log.txt").open("a", encoding="utf-8") as log:
            if self._ended:
                raise RuntimeError("the run was ended")
            process = subprocess.Popen(
                command,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
                env=environment,
                start_new_session=True,  # this process handles Ctrl-C
            )
            self._all.append(process)
        return process

    def _record_death(self, process: "subprocess.Popen[str]", cell: Cell) -> None:
        """Write the result of a cell whose process died."""
        code = process.wait()
        cause = f"exit code {code}"
        if code < 0:
            memory = " (often out of memory)" if -code == signal.SIGKILL else ""
            cause = f"{signal.Signals(-code).name}{memory}"
        error = f"the process was ended by {cause}; see {self._folder / 'log.txt'}"
        result = {"cell": cell.definition(), **failure(error)}
        write_result(self._folder / f"{cell.key}.json", result)


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    """Lock the folder; raise RuntimeError if another run has locked it."""
    with (folder / ".lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise RuntimeError(f"another run uses {folder}: wait for it or end it") from None
        yield
