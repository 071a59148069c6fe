"""Interruptions: checkpoints that an interrupted fit resumes from, and Ctrl-C."""

import hashlib
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch

_VERSION = 4


class Checkpoint:
    """The file that a fit is resumed from.

    Parameters
    ----------
    path : path-like
        The file. It is replaced atomically: a kill at any moment leaves either the old or the
        new state, never half of one.
    fingerprint : str
        Identifies the settings and the data of the run. A file with a different one is refused.
    every : float
        Seconds between two writes. The times of writing do not affect the result.
    """

    def __init__(self, path: str | os.PathLike[str], fingerprint: str, every: float = 30) -> None:
        self.path = Path(path)
        self.fingerprint = hashlib.sha256(fingerprint.encode()).hexdigest()
        self.every = every
        self._last = time.monotonic()

    def load(self) -> dict[str, Any] | None:
        """Return the stored state, or None if there is no file.

        Raises
        ------
        ValueError
            The file belongs to a different run or version, or is damaged.
        """
        if not self.path.exists():
            return None
        try:
            # weights_only: tensors and plain containers; no code from the file runs.
            stored = torch.load(self.path, map_location="cpu", weights_only=True)
            version, fingerprint = stored["version"], stored["fingerprint"]
        except Exception as error:  # torch raises many kinds for a damaged file
            raise ValueError(
                f"checkpoint {self.path} cannot be read ({error.__class__.__name__}); "
                "delete it to start over"
            ) from error
        if version != _VERSION or fingerprint != self.fingerprint:
            raise ValueError(
                f"checkpoint {self.path} belongs to a run with different data or settings; delete "
                "it (or use --restart) to start over, or use the settings it was written with"
            )
        return dict(stored["state"])

    def due(self) -> bool:
        """Return whether it is time to write again."""
        return time.monotonic() - self._last >= self.every

    def write(self, state: dict[str, Any]) -> None:
        """Replace the file with one that holds `state`."""
        stored = {"version": _VERSION, "fingerprint": self.fingerprint, "state": state}
        self.path.parent.mkdir(parents=True, exist_ok=True)
        unfinished = self.path.with_name(self.path.name + ".part")
        with unfinished.open("wb") as file:
            torch.save(stored, file)
            file.flush()
            os.fsync(file.fileno())
        unfinished.replace(self.path)
        self._last = time.monotonic()

    def delete(self) -> None:
        """Delete the file once the run is complete."""
        self.path.unlink(missing_ok=True)


@contextmanager
def deferred_interrupt() -> Iterator[Callable[[], bool]]:
    """Let a training step finish after Ctrl-C; a second Ctrl-C interrupts at once.

    Yields a function that returns whether Ctrl-C was pressed. Outside the main thread, where
    signals cannot be handled, nothing changes.
    """
    pressed = False

    def handle(signum: int, frame: object) -> None:
        nonlocal pressed
        if pressed:
            raise KeyboardInterrupt
        pressed = True

    if threading.current_thread() is not threading.main_thread():
        yield lambda: False
        return
    previous = signal.signal(signal.SIGINT, handle)
    try:
        yield lambda: pressed
    finally:
        signal.signal(signal.SIGINT, previous)
