"""The files of an experiment: one complete result for each finished cell."""

import importlib.metadata
import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any, cast

from .spec import Cell


def read_result(folder: Path, cell: Cell) -> dict[str, Any] | None:
    """Return the result of a cell, or None if there is none.

    Raises
    ------
    ValueError
        If the file is not a result; the message names it.
    """
    path = folder / f"{cell.key}.json"
    try:
        return cast("dict[str, Any]", json.loads(path.read_text(encoding="utf-8")))
    except FileNotFoundError:
        return None
    except ValueError as error:
        raise ValueError(f"{path} is not a result ({error}): delete it") from error


def is_done(folder: Path, cell: Cell) -> bool:
    """Return whether this version of OddGAN has measured a cell without a failure."""
    result = read_result(folder, cell)
    if result is None or result["status"] != "done":
        return False
    return bool(result["versions"]["oddgan"] == importlib.metadata.version("oddgan"))


def remove(folder: Path, cells: Sequence[Cell]) -> None:
    """Remove the results and the stored scores of cells."""
    for cell in cells:
        for score in cell.method.scores:
            scores_path(folder, cell.key, score).unlink(missing_ok=True)
        (folder / f"{cell.key}.json").unlink(missing_ok=True)


def scores_path(folder: Path, key: str, score: str) -> Path:
    """Return the path of the stored test scores of a cell."""
    return folder / f"{key}{'.' if score else ''}{score}.npy"


def failure(error: str) -> dict[str, Any]:
    """Return the result of a failed cell, with the error on one line."""
    return {"status": "failed", "error": " ".join(error.split())[:1000], "rows": []}


def write_result(path: Path, result: dict[str, Any]) -> None:
    """Write a result atomically: the file is complete or missing."""
    unfinished = path.with_suffix(".part")
    with unfinished.open("w", encoding="utf-8") as file:
        json.dump(result, file, indent=1)
        file.flush()
        os.fsync(file.fileno())
    unfinished.replace(path)
