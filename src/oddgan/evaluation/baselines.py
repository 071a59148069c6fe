"""Baselines for every result: what little or no learning reaches on the same split.

Each baseline takes two numeric matrices, training rows and test rows, and a seed, and returns one
score per test row, higher is odder. The same seed gives the same scores. None is tuned on labels.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt
import pandas as pd
from sklearn.decomposition import PCA
from sklearn.ensemble import IsolationForest
from sklearn.neighbors import NearestNeighbors
from sklearn.preprocessing import MinMaxScaler
from sklearn.svm import OneClassSVM

from oddgan.datasets import Dataset
from oddgan.evaluation._matrices import Floats, Matrix, matrices, scaled, standardised, subsample
from oddgan.evaluation.protocols import Split

Scores: TypeAlias = npt.NDArray[np.float64]

# Their time grows with the product of training and test rows, or faster.
_KNN_ROWS = 20_000
_SVM_ROWS = 5_000


@dataclass(frozen=True)
class Baseline:
    """One baseline.

    Parameters
    ----------
    name : str
        Its key in `BASELINES`.
    title : str
        Its name in tables.
    score : callable of (training rows, test rows, seed)
        Takes rows from `matrices`; returns one score per test row, higher is odder.
    random : bool
        Whether the scores depend on the seed.
    description : str
        One sentence with all settings.
    data : str, optional
        The only data set that it can score; by default it scores any.
    most_side : int, optional
        Larger images are averaged down to this many pixels a side, as in `baseline_matrix`.
    """

    name: str
    title: str
    score: Callable[[Any, Any, int], Scores]
    random: bool
    description: str
    data: str | None = None
    most_side: int | None = None

    def applies_to(self, data: str) -> bool:
        """Return whether it can score the data set of this name."""
        return self.data in (None, data)


def minus_count(X_train: pd.DataFrame, X_test: pd.DataFrame, seed: int = 0) -> Scores:
    """Score by minus KDD99's raw column ``count``: no learning at all.

    ``count`` is the number of connections to the same host in the past two seconds. It is large
    in floods, which belong to the normal class in KDD99.
    """
    return -X_test["count"].to_numpy(dtype=np.float64)


def mean_distance(X_train: Matrix, X_test: Matrix, seed: int = 0) -> Scores:
    """Score by the L2 distance to the mean of the training rows.

    Columns of a table are scaled so that the training rows span [0, 1]; pixels are not.
    """
    train, test = scaled(X_train, X_test, MinMaxScaler())
    return _norms(test - train.mean(axis=0))


def pca_reconstruction(X_train: Matrix, X_test: Matrix, seed: int = 0) -> Scores:
    """Score by the L2 residual of a PCA of 30 components fitted on the training rows.

    With fewer than 60 columns it has half as many components as columns. Columns of a table are
    scaled as in `mean_distance`.
    """
    train, test = scaled(X_train, X_test, MinMaxScaler())
    n_components = min(30, len(train), max(1, train.shape[1] // 2))
    pca = PCA(n_components, random_state=0).fit(train)
    return _norms(test - pca.inverse_transform(pca.transform(test)))


def isolation_forest(X_train: Matrix, X_test: Matrix, seed: int = 0) -> Scores:
    """Score by scikit-learn's Isolation Forest with its defaults, on unscaled columns."""
    forest = IsolationForest(random_state=seed).fit(np.asarray(X_train))
    return np.asarray(-forest.score_samples(np.asarray(X_test)), dtype=np.float64)


def knn(X_train: Matrix, X_test: Matrix, seed: int = 0) -> Scores:
    """Score by the mean L2 distance to the 5 nearest of at most 20,000 training rows.

    Columns of a table are standardised as in `standardised`. With fewer than 5 training rows all
    are neighbours.
    """
    train, test = standardised(X_train, X_test)
    train = subsample(train, _KNN_ROWS, seed)
    nearest = NearestNeighbors(n_neighbors=min(5, len(train))).fit(train)
    return _each_once(lambda rows: nearest.kneighbors(rows)[0].mean(axis=1), test)


def density_ratio(X_train: Matrix, X_test: Matrix, seed: int = 0) -> Scores:
    """Score by how much sparser the training rows are around a sample than around its neighbours.

    The score is d(x) over the mean of d(x_i), where d is the mean L2 distance to the k = 20
    nearest of at most 20,000 training rows, and the x_i are these neighbours of x. A training row
    is not its own neighbour. This is the local outlier factor without its smoothing [1]_. Columns
    of a table are standardised as in `standardised`. With fewer than 21 training rows all others
    are neighbours.

    Raises
    ------
    ValueError
        If there is only one training row.

    References
    ----------
    .. [1] Breunig et al., "LOF: identifying density-based local outliers", SIGMOD 2000.
    """
    train, test = standardised(X_train, X_test)
    train = subsample(train, _KNN_ROWS, seed)
    if len(train) < 2:
        raise ValueError("the density ratio needs 2 training rows or more, not 1")
    nearest = NearestNeighbors(n_neighbors=min(20, len(train) - 1)).fit(train)
    of_training_rows = _mean_distance(nearest.kneighbors()[0])

    def ratio(rows: Floats) -> Any:
        distances, neighbours = nearest.kneighbors(rows)
        return _mean_distance(distances) / of_training_rows[neighbours].mean(axis=1)

    return _each_once(ratio, test)


def ocsvm(X_train: Matrix, X_test: Matrix, seed: int = 0) -> Scores:
    """Score by a one-class SVM (RBF kernel, ν = 0.1) on at most 5,000 training rows.

    γ is 1 / (columns · variance of the training values), scikit-learn's ``"scale"``. Columns of a
    table are standardised as in `standardised`. DAGMM's authors tuned ν and γ with labels;
    here they are not tuned.
    """
    train, test = standardised(X_train, X_test)
    svm = OneClassSVM(nu=0.1, gamma="scale")
    # The result needs no seed, but without one it draws from NumPy's global state.
    svm.random_state = seed
    svm.fit(subsample(train, _SVM_ROWS, seed))
    return _each_once(lambda rows: -svm.score_samples(rows), test)


_ALL = (
    Baseline(
        "minus_count",
        "minus count",
        minus_count,
        random=False,
        description="Minus KDD99's raw column count: no learning at all.",
        data="kddcup99",
    ),
    Baseline(
        "mean_distance",
        "mean distance",
        mean_distance,
        random=False,
        description="L2 distance to the mean of the training rows; columns of a table scaled so "
        "that the training rows span [0, 1], pixels in [0, 1].",
    ),
    Baseline(
        "pca_reconstruction",
        "PCA reconstruction",
        pca_reconstruction,
        random=False,
        description="L2 residual of a PCA of 30 components (half the columns if fewer than 60), "
        "scaled as for the mean distance.",
    ),
    Baseline(
        "isolation_forest",
        "Isolation Forest",
        isolation_forest,
        random=True,
        description="scikit-learn's IsolationForest with its defaults, columns unscaled.",
    ),
    Baseline(
        "knn",
        "k nearest neighbours",
        knn,
        random=True,
        description="Mean L2 distance to the 5 nearest training rows; of more than 20,000 the seed "
        "draws 20,000; columns of a table standardised on the training rows, pixels in "
        "[0, 1].",
    ),
    Baseline(
        "density_ratio",
        "density ratio",
        density_ratio,
        random=True,
        description="Mean L2 distance to the 20 nearest training rows over the mean of theirs to "
        "their own 20; images averaged down to at most 14 pixels a side; else as the "
        "neighbours.",
        most_side=14,
    ),
    Baseline(
        "ocsvm",
        "one-class SVM",
        ocsvm,
        random=True,
        description="scikit-learn's OneClassSVM, RBF kernel, nu 0.1, gamma 'scale', none tuned; of "
        "more than 5,000 training rows the seed draws 5,000; scaled as for the "
        "neighbours.",
    ),
)
BASELINES: dict[str, Baseline] = {baseline.name: baseline for baseline in _ALL}


def run_baselines(
    dataset: Dataset, split: Split, names: Sequence[str] | None = None, seed: int = 0
) -> dict[str, Scores]:
    """Score the test rows of a split with the baselines.

    Parameters
    ----------
    dataset : Dataset
    split : Split
    names : sequence of str, optional
        Keys of `BASELINES`; by default all that apply (``minus_count`` is for KDD99 only).
    seed : int
        Seeds the forest and the subsampling of training rows.

    Returns
    -------
    dict of str to array of shape (len(split.test),)
        Higher is odder; ready for `evaluate_scores` with ``split.y_test``.

    Raises
    ------
    ValueError
        If a name is unknown, or a baseline cannot score this data set.
    """
    if names is None:
        names = [name for name, b in BASELINES.items() if b.applies_to(dataset.name)]
    for name in names:
        if name not in BASELINES:
            raise ValueError(f"no baseline is called {name!r}; there are {', '.join(BASELINES)}")
        if not BASELINES[name].applies_to(dataset.name):
            data = BASELINES[name].data
            raise ValueError(f"the baseline {name!r} is for {data} only, not for {dataset.name}")
    baselines = [BASELINES[name] for name in names]
    by_side = {side: matrices(dataset, split, side) for side in {b.most_side for b in baselines}}
    return {b.name: b.score(*by_side[b.most_side], seed) for b in baselines}


def _each_once(score: Callable[[Floats], Any], X: Floats) -> Scores:
    """Score equal rows once: two thirds of KDD99's test rows are copies of other rows."""
    rows, index = np.unique(X, axis=0, return_inverse=True)
    return np.asarray(score(rows), dtype=np.float64)[index.reshape(len(X))]


def _mean_distance(distances: Floats) -> Floats:
    # Distances between copies are 0; scikit-learn's LocalOutlierFactor adds the same constant.
    return np.asarray(distances.mean(axis=1, dtype=np.float64) + 1e-10)


def _norms(residuals: Floats) -> Scores:
    return np.asarray(np.linalg.norm(residuals, axis=1), dtype=np.float64)
