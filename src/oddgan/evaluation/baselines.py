"""Rows that stand beside every result: what little or no learning reaches on the same split.

Each baseline is a function of two numeric matrices, training rows and test rows, that returns
one score per test row, higher is odder. All are deterministic.
"""

from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt
import pandas as pd
from sklearn.decomposition import PCA
from sklearn.ensemble import IsolationForest
from sklearn.preprocessing import MinMaxScaler

from oddgan.datasets import Dataset
from oddgan.evaluation.protocols import Split

Matrix: TypeAlias = npt.NDArray[np.float32] | pd.DataFrame
_Floats: TypeAlias = npt.NDArray[np.floating[Any]]
Scores: TypeAlias = npt.NDArray[np.float64]

# A column of identifiers must not become a column per row; KDD99's widest has 66 values.
_MOST_VALUES = 100


def minus_count(X_train: pd.DataFrame, X_test: pd.DataFrame) -> Scores:
    """Score by minus KDD99's raw column ``count``: no learning at all.

    ``count`` is the number of connections to the same host in the past two seconds: large in
    floods, which are the normal class there.
    """
    return -X_test["count"].to_numpy(dtype=np.float64)


def mean_distance(X_train: Matrix, X_test: Matrix) -> Scores:
    """Score by the L2 distance to the mean of the training rows.

    Columns of a table are scaled so that the training rows span [0, 1]; pixels are not.
    """
    train, test = _on_one_scale(X_train, X_test)
    return _norms(test - train.mean(axis=0))


def pca_reconstruction(X_train: Matrix, X_test: Matrix) -> Scores:
    """Score by the L2 residual of a PCA of 30 components fitted on the training rows.

    Half the columns, if there are fewer than 60. Columns of a table are scaled as in
    `mean_distance`.
    """
    train, test = _on_one_scale(X_train, X_test)
    n_components = min(30, len(train), max(1, train.shape[1] // 2))
    pca = PCA(n_components, random_state=0).fit(train)
    return _norms(test - pca.inverse_transform(pca.transform(test)))


def isolation_forest(X_train: Matrix, X_test: Matrix) -> Scores:
    """Score by scikit-learn's Isolation Forest with its defaults, on unscaled columns."""
    forest = IsolationForest(random_state=0).fit(np.asarray(X_train))
    return np.asarray(-forest.score_samples(np.asarray(X_test)), dtype=np.float64)


BASELINES: dict[str, Callable[[Any, Any], Scores]] = {
    "minus_count": minus_count,
    "mean_distance": mean_distance,
    "pca_reconstruction": pca_reconstruction,
    "isolation_forest": isolation_forest,
}


def run_baselines(
    dataset: Dataset, split: Split, names: Sequence[str] | None = None
) -> dict[str, Scores]:
    """Score the test rows of a split with the baselines.

    Parameters
    ----------
    dataset : Dataset
    split : Split
    names : sequence of str, optional
        Keys of `BASELINES`; by default all that apply (``minus_count`` is for KDD99 only).

    Returns
    -------
    dict of str to array of shape (len(split.test),)
        Higher is odder; ready for `evaluate_scores` with ``split.y_test``.

    Raises
    ------
    ValueError
        If a name is unknown.
    """
    if names is None:
        names = [n for n in BASELINES if n != "minus_count" or dataset.name == "kddcup99"]
    unknown = sorted(set(names) - set(BASELINES))
    if unknown:
        raise ValueError(f"no baseline is called {unknown[0]!r}; there are {', '.join(BASELINES)}")
    train, test = _parts(baseline_matrix(dataset), split)
    return {name: BASELINES[name](train, test) for name in names}


def baseline_matrix(dataset: Dataset) -> Matrix:
    """Return all rows as numbers: flattened pixels in [0, 1], or a one-hot encoded table.

    The categories are those of the whole table, as in the released code of EGBAD: KDD99 becomes
    its 121 columns (34 numeric, 87 from 3 text and 4 binary ones). That is an encoding only: a
    category that the training rows lack is a constant column there. A text column's values
    beyond its 100 commonest get no column of their own.

    Returns
    -------
    float32 array of shape (n, pixels), or DataFrame of float32 columns
    """
    X = dataset.X
    if isinstance(X, np.ndarray):
        flat = X.reshape(len(X), -1)
        return flat.astype(np.float32) / np.float32(255 if X.dtype == np.uint8 else 1)
    numeric = X.select_dtypes("number").columns
    texts = {
        name: X[name].where(X[name].isin(X[name].value_counts().index[:_MOST_VALUES]))
        for name in X.columns.difference(numeric, sort=False)
    }
    one_hot = [pd.get_dummies(text, prefix=str(name)) for name, text in texts.items()]
    bounded = X[numeric].clip(-1e30, 1e30)  # what 32 bits cannot hold would be infinite
    return pd.concat([bounded, *one_hot], axis=1).astype(np.float32)


def _parts(matrix: Matrix, split: Split) -> tuple[Matrix, Matrix]:
    """Return training and test rows; missing values become the training rows' median."""
    if isinstance(matrix, np.ndarray):
        return matrix[split.train], matrix[split.test]
    # A column without any value in training tells nothing; 0 keeps it silent.
    medians = matrix.iloc[split.train].median().fillna(0)
    filled = matrix.fillna(medians)
    return filled.iloc[split.train], filled.iloc[split.test]


def _on_one_scale(X_train: Matrix, X_test: Matrix) -> tuple[_Floats, _Floats]:
    if isinstance(X_train, np.ndarray) and isinstance(X_test, np.ndarray):
        return X_train, X_test
    # In single precision the last of KDD99's components, close in variance, are noise: the
    # F1 of PCA then depends on the solver (.886 to .891).
    train, test = np.asarray(X_train, dtype=np.float64), np.asarray(X_test, dtype=np.float64)
    scaler = MinMaxScaler().fit(train)
    return scaler.transform(train), scaler.transform(test)


def _norms(residuals: _Floats) -> Scores:
    return np.asarray(np.linalg.norm(residuals, axis=1), dtype=np.float64)
