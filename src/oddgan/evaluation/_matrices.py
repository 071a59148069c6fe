"""The numeric matrices that baselines and third-party detectors see: pixels or columns."""

from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt
import pandas as pd
import torch
from sklearn.preprocessing import StandardScaler
from torch.nn.functional import adaptive_avg_pool2d

from oddgan.datasets import Dataset
from oddgan.evaluation.protocols import Split

Matrix: TypeAlias = npt.NDArray[np.float32] | pd.DataFrame
Floats: TypeAlias = npt.NDArray[np.floating[Any]]

# A column of identifiers must not become one column per row; KDD99's widest column has 66 values.
_MOST_VALUES = 100


def baseline_matrix(dataset: Dataset, most_side: int | None = None) -> Matrix:
    """Return all rows as numbers: flattened pixels in [0, 1], or a one-hot encoded table.

    Categories come from the whole table, as in EGBAD's released code: KDD99 becomes its 121
    columns (34 numeric, 87 from 3 text and 4 binary ones). This leaks nothing: a category that
    the training rows lack is a constant column there. Only the 100 most common values of a text
    column get a column.

    Parameters
    ----------
    dataset : Dataset
    most_side : int, optional
        Larger images are averaged down to at most this many pixels a side.

    Returns
    -------
    float32 array of shape (n, pixels), or DataFrame of float32 columns
    """
    X = dataset.X
    if isinstance(X, np.ndarray):
        unit = X.astype(np.float32) / np.float32(255 if X.dtype == np.uint8 else 1)
        return _averaged(unit, most_side or max(X.shape[1:3])).reshape(len(X), -1)
    numeric = X.select_dtypes("number").columns
    texts = {
        name: X[name].where(X[name].isin(X[name].value_counts().index[:_MOST_VALUES]))
        for name in X.columns.difference(numeric, sort=False)
    }
    one_hot = [pd.get_dummies(text, prefix=str(name)) for name, text in texts.items()]
    bounded = X[numeric].clip(-1e30, 1e30)  # larger values would be infinite in 32 bits
    return pd.concat([bounded, *one_hot], axis=1).astype(np.float32)


def _averaged(images: npt.NDArray[np.float32], most_side: int) -> npt.NDArray[np.float32]:
    """Average images down to at most `most_side` pixels a side."""
    height, width = (min(side, most_side) for side in images.shape[1:3])
    if (height, width) == images.shape[1:3]:
        return images
    planes = torch.from_numpy(images.reshape(*images.shape[:3], -1)).permute(0, 3, 1, 2)
    return adaptive_avg_pool2d(planes, (height, width)).numpy()


def matrices(dataset: Dataset, split: Split, most_side: int | None = None) -> tuple[Matrix, Matrix]:
    """Return the training and the test rows of `baseline_matrix`.

    Missing values become the training rows' median.

    Returns
    -------
    train, test : float32 arrays of shape (n, pixels), or DataFrames of float32 columns
    """
    matrix = baseline_matrix(dataset, most_side)
    if isinstance(matrix, np.ndarray):
        return matrix[split.train], matrix[split.test]
    # A column without any value in training carries no information; 0 makes it constant.
    medians = matrix.iloc[split.train].median().fillna(0)
    filled = matrix.fillna(medians)
    return filled.iloc[split.train], filled.iloc[split.test]


def standardised(X_train: Matrix, X_test: Matrix) -> tuple[Floats, Floats]:
    """Return a table's columns with mean 0 and deviation 1 in training; images unchanged.

    A column that is constant in training is only centred. Pixels share one scale already, and
    standardising would let a pixel that is nearly always 0 dominate.
    """
    return scaled(X_train, X_test, StandardScaler())


def subsample(X: Floats, most: int, seed: int) -> Floats:
    """Return at most `most` rows, drawn without replacement, in their order."""
    if len(X) <= most:
        return X
    return X[np.sort(np.random.default_rng(seed).choice(len(X), most, replace=False))]


def scaled(X_train: Matrix, X_test: Matrix, scaler: Any) -> tuple[Floats, Floats]:
    """Scale a table's columns as fitted on the training rows; return images unchanged."""
    if isinstance(X_train, np.ndarray) and isinstance(X_test, np.ndarray):
        return X_train, X_test
    # In single precision the last of KDD99's components, close in variance, are noise, and the F1
    # of PCA depends on the solver (.886 to .891).
    train, test = np.asarray(X_train, dtype=np.float64), np.asarray(X_test, dtype=np.float64)
    scaler.fit(train)
    return scaler.transform(train), scaler.transform(test)
