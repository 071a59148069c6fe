"""The data of a task: a data set by name, or a user's own labelled file."""

import hashlib
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa

from oddgan import datasets, inputs
from oddgan.datasets import Dataset


def open_data(data: str, load: dict[str, Any]) -> Dataset:
    """Read the data of a task; the last data set is cached, because the next cell often needs it.

    Parameters
    ----------
    data : str
        A data set's name, or the path of a labelled file or of a folder of class folders.
    load : dict
        Options of `datasets.load`; for a file its ``label`` column and ``sha256``.

    Raises
    ------
    ValueError
        If a file has changed since the experiment began, or does not have the label column.
    """
    return _open(data, tuple(sorted(load.items())))


@lru_cache(maxsize=1)
def _open(data: str, load: tuple[tuple[str, Any], ...]) -> Dataset:
    options = dict(load)
    if "sha256" not in options:
        return datasets.load(data, progress=False, **options)
    path = Path(data)
    if digest(path) != options["sha256"]:
        raise ValueError(f"{path} has changed since the experiment began: start it again")
    return read_labelled(path, options.get("label"))


def read_labelled(path: Path, label: str | None) -> Dataset:
    """Read labelled samples into memory.

    Parameters
    ----------
    path : pathlib.Path
        A table with a label column, an NPZ file with a label key, or a folder of class folders
        with images of the same size.
    label : str or None
        The name of the label column or key; None for a folder.

    Raises
    ------
    ValueError
        If the file or its labels are missing.
    """
    if not path.exists():
        raise ValueError(f"there is no file or folder {path}")
    if path.is_dir():
        return datasets.class_folder(path, progress=False)
    if label is None:
        raise ValueError(f"{path}: set label to the column that holds the labels")
    source = inputs.open_source(path, label=label)
    raw = inputs.concat([raw for _, raw in source.chunks(65536)])
    X: pd.DataFrame | npt.NDArray[Any]
    if isinstance(raw, pa.Table):
        X = raw.to_pandas()
    else:
        X = pd.DataFrame(raw).add_prefix("x") if np.ndim(raw) == 2 else np.asarray(raw)
    y = source.labels()
    if y is None or len(y) != len(X):
        raise ValueError(f"{path}: {label} does not label each of its {len(X)} samples")
    return Dataset(path.name, source.kind, X, y, None, f"file {path.name}")


def digest(path: Path, names: Sequence[str] | None = None) -> str:
    """Return a digest of a file's content, or of the names and sizes of a folder's files.

    Parameters
    ----------
    path : pathlib.Path
    names : sequence of str, optional
        The files to include, relative to the folder; by default all.
    """
    sha256 = hashlib.sha256()
    if path.is_dir():
        files = sorted(p.relative_to(path).as_posix() for p in path.rglob("*") if p.is_file())
        for name in files if names is None else names:
            sha256.update(f"{name} {(path / name).stat().st_size}\n".encode())
        return sha256.hexdigest()
    with path.open("rb") as content:
        while block := content.read(2**20):
            sha256.update(block)
    return sha256.hexdigest()


def rows(dataset: Dataset, index: npt.NDArray[np.int64]) -> Any:
    """Return the samples with these row numbers."""
    return dataset.X.iloc[index] if isinstance(dataset.X, pd.DataFrame) else dataset.X[index]
