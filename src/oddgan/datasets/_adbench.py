"""Twelve of the tables collected by ADBench."""

import io
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd

from oddgan.datasets._base import Dataset, Entry
from oddgan.datasets._files import RemoteFile, find, read

_ADDRESS = "https://github.com/Minqi824/ADBench/raw/main/adbench/datasets/Classical/"
# File, rows, columns, sha256.
_TABLES = (
    ("2_annthyroid", 7200, 6, "e738f7c58a8740d2c4aac4c71ff49ce5e1d1aa16f44178135fc9c09df05fad1b"),
    ("4_breastw", 683, 9, "4f37ce07dbc25ddad8178fdc6d664ab46d2d0000ee28c2787c3c7ff3c03ef9f6"),
    ("6_cardio", 1831, 21, "bc5009bde6930b4d298b594f31b34485a9a17210cff0e8fb00a8c3068b885a2d"),
    (
        "23_mammography",
        11183,
        6,
        "a0308ac9712d78321073b1c2dc98dc37665c0f35c1cc33019416fe8f8d7de7ea",
    ),
    ("27_PageBlocks", 5393, 10, "10a9b4d5bb5d3b9083caab4c4062f665610eada703c3d927bf7c34b1f2d0d223"),
    ("28_pendigits", 6870, 16, "c4936b89dcdad59d303020e492f763a0f54170080d787c77497609acbb9c2d79"),
    ("29_Pima", 768, 8, "215454bb263a2f040945c9ea7bd7f06f1e89a61a3143bdb6f196e3887e801a7d"),
    ("30_satellite", 6435, 36, "1f048f5686f1b8c16a227fdfa3c81a62cd9a92715714a6b24c69b1c5ad96b46e"),
    ("31_satimage-2", 5803, 36, "1b056e357f801b8b20c3f380a30224a3c4088d7ed764ec5a24828dc9b1918d6f"),
    ("32_shuttle", 49097, 9, "26900b0f6be45d9ddb7a402c9b2f956ceda42d23a8ca4cf4406b8bc1352823d1"),
    ("35_SpamBase", 4207, 57, "d0c46c7928e43f6496bcd06e09de0b70f6bc8143792dfa0a43f450263d254e9b"),
    ("38_thyroid", 3772, 6, "8de161b3f235b7647bb0b39a836d983ff61d67bf234edac461da2d71e889cb87"),
)


def parse_npz(data: bytes) -> tuple[pd.DataFrame, np.ndarray]:
    """Return the columns x0, x1, ... and the labels (1 for an anomaly) of an ADBench table."""
    with np.load(io.BytesIO(data), allow_pickle=False) as arrays:
        # Some tables are stored as 8-bit integers, whose differences would overflow.
        X, y = arrays["X"].astype(np.float64), arrays["y"]
    return pd.DataFrame(X, columns=[f"x{i}" for i in range(X.shape[1])]), y.astype(np.int64)


def _read(home: Path, progress: bool, *, name: str, file: RemoteFile) -> Dataset:
    X, y = parse_npz(read(file, home, progress))
    return Dataset(
        name=name,
        kind="table",
        X=X,
        y=y,
        train=None,
        note=f"ADBench's {file.name}: {len(y):,} rows, {X.shape[1]} columns, {y.sum():,} "
        "anomalies labelled 1 (Han et al. 2022), original file.",
    )


def _present(home: Path, *, file: RemoteFile) -> bool:
    return find(file, home) is not None


def _entry(stem: str, rows: int, columns: int, sha256: str) -> Entry:
    file = RemoteFile("adbench", f"{stem}.npz", (f"{_ADDRESS}{stem}.npz",), sha256)
    name = "adbench/" + stem.split("_", 1)[1].lower()
    return Entry(
        name=name,
        kind="table",
        n_samples=rows,
        shape=(columns,),
        classes=(0, 1),
        licence="BSD 2-clause",
        source="https://github.com/Minqi824/ADBench",
        present=partial(_present, file=file),
        read=partial(_read, name=name, file=file),
        folder="adbench",
    )


ADBENCH = tuple(_entry(*table) for table in _TABLES)
