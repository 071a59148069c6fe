"""Checkpoints: an interrupted fit goes on where it stopped."""

import hashlib
import os
import time
from pathlib import Path
from typing import Any

import torch

_VERSION = 4


class Checkpoint:
    """The file that a fit is resumed from.

    Parameters
    ----------
    path : path-like
        The file. It is replaced in one step, so a kill at any moment leaves either the old or
        the new state, never half of one.
    fingerprint : str
        Stands for the settings and the data of the run. A file with another one is refused.
    every : float
        Seconds between two writes. When it is written has no influence on the result.
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
            The file is of another run, of another version, or damaged.
        """
        if not self.path.exists():
            return None
        try:
            # weights_only: tensors and plain containers, no code from the file is run.
            stored = torch.load(self.path, map_location="cpu", weights_only=True)
            version, fingerprint = stored["version"], stored["fingerprint"]
        except Exception as error:  # torch raises many kinds for a damaged file
            raise ValueError(
                f"checkpoint {self.path} cannot be read ({error.__class__.__name__}); "
                "delete it to start anew"
            ) from error
        if version != _VERSION or fingerprint != self.fingerprint:
            raise ValueError(
                f"checkpoint {self.path} is of a run with other data or other settings; "
                "delete it (or use --restart) to start anew, or use the settings it was made with"
            )
        return dict(stored["state"])

    def due(self) -> bool:
        """Return whether it is time to write again."""
        return time.monotonic() - self._last >= self.every

    def write(self, state: dict[str, Any]) -> None:
        """Replace the file by one with `state`."""
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
        """Remove the file, as the run is complete."""
        self.path.unlink(missing_ok=True)
