"""Arrhythmia, the ODDS table used by DAGMM and ALAD."""

import io
import struct
import zlib
from pathlib import Path

import numpy as np
import pandas as pd
from scipy.io import loadmat
from scipy.io.matlab import MatReadError

from oddgan.datasets._base import Dataset, Entry
from oddgan.datasets._files import DataFileError, not_found, search_folders

_NAME = "arrhythmia.mat"
_SOURCE = "http://odds.cs.stonybrook.edu/arrhythmia-dataset/"
_SHAPE = (452, 274)
_N_ANOMALIES = 66
# What SciPy raises for files that are damaged, have another format, or hold something else.
_UNREADABLE = (
    *(MatReadError, NotImplementedError, OSError, LookupError, TypeError, ValueError),
    *(MemoryError, struct.error, zlib.error),
)


def parse_mat(data: bytes, where: str) -> tuple[pd.DataFrame, np.ndarray]:
    """Return the columns x0, x1, ... and the labels (1 for an anomaly) of ODDS's Arrhythmia.

    Raises
    ------
    DataFileError
        If it is not a MATLAB file with a matrix `X` and labels `y`, or does not have the published
        452 rows, 274 columns and 66 anomalies.
    """
    try:
        arrays = loadmat(io.BytesIO(data))
        X, y = np.asarray(arrays["X"], dtype=np.float64), np.ravel(arrays["y"]).astype(np.int64)
    except _UNREADABLE as e:
        raise DataFileError(f"{where} is not a MATLAB file with X and y: {e}") from e
    labels, counts = np.unique(y, return_counts=True)
    count_of = dict(zip(labels.tolist(), counts.tolist(), strict=True))
    if X.shape != _SHAPE or count_of != {0: _SHAPE[0] - _N_ANOMALIES, 1: _N_ANOMALIES}:
        raise DataFileError(
            f"{where} is not the published file: expected X of shape {_SHAPE} and "
            f"{_N_ANOMALIES} rows labelled 1, the others 0; found shape {X.shape} and labels "
            f"{count_of}"
        )
    return pd.DataFrame(X, columns=[f"x{i}" for i in range(X.shape[1])]), y


def _find(home: Path) -> Path | None:
    paths = [folder / _NAME for folder in search_folders("arrhythmia", home)]
    return next((path for path in paths if path.is_file()), None)


def _read(home: Path, progress: bool) -> Dataset:
    path = _find(home)
    if path is None:
        raise not_found("arrhythmia", _NAME, _SOURCE, home)
    X, y = parse_mat(path.read_bytes(), str(path))
    return Dataset(
        name="arrhythmia",
        kind="table",
        X=X,
        y=y,
        train=None,
        note="Arrhythmia from ODDS: 452 patients, 274 columns of electrocardiograms, 66 anomalies "
        "labelled 1 (the smallest classes of UCI's Arrhythmia); checked by shape and labels, as no "
        "hash is published.",
    )


ARRHYTHMIA = Entry(
    name="arrhythmia",
    kind="table",
    n_samples=_SHAPE[0],
    shape=(_SHAPE[1],),
    classes=(0, 1),
    licence="CC BY 4.0",
    source=_SOURCE,
    present=lambda home: _find(home) is not None,
    read=_read,
)
