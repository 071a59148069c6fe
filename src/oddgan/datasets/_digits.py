"""The handwritten digits bundled with scikit-learn: real images that need no file or network."""

from pathlib import Path

import numpy as np
from sklearn.datasets import load_digits

from oddgan.datasets._base import Dataset, Entry


def _read(home: Path, progress: bool) -> Dataset:
    bunch = load_digits()
    return Dataset(
        name="digits",
        kind="image",
        # Each value counts the dark pixels, 0 to 16, of a 4x4 block of the scanned digit.
        X=(bunch.images / 16.0).astype(np.float32),
        y=bunch.target,
        train=None,
        note="1,797 handwritten digits, 8x8 grey values in [0, 1], bundled with scikit-learn (the "
        "test set of UCI's Optical Recognition of Handwritten Digits).",
    )


DIGITS = Entry(
    name="digits",
    kind="image",
    n_samples=1_797,
    shape=(8, 8),
    classes=tuple(range(10)),
    licence="CC BY 4.0",
    source="https://archive.ics.uci.edu/dataset/80",
    present=lambda home: True,
    read=_read,
    bundled=True,
)
