"""Rows that stand beside every result: what little or no learning reaches on the same split.

Each baseline is a function of two numeric matrices, training rows and test rows, and of a seed,
that returns one score per test row, higher is odder. The same seed gives the same scores, and
none is tuned on labels.
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
from oddgan.evaluation._matrices import Floats, Matrix, drawn, matrices, scaled, standardised
from oddgan.evaluation.protocols import Split

Scores: TypeAlias = npt.NDArray[np.float64]

# All cost time in proportion to training times test rows, or worse.
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
        What it is called in a table.
    score : callable of (training rows, test rows, seed)
        The rows as `matrices` gives them; returns one score per test row, higher is odder.
    random : bool
        Whether the scores depend on the seed.
    what : str
        One sentence with all settings.
    data : str, optional
        The only data set that it can score; by default it scores any.
    most_side : int, optional
        Images with a longer side are made smaller first, as in `baseline_matrix`.
    """

    name: str
    title: str
    score: Callable[[Any, Any, int], Scores]
    random: bool
    what: str
    data: str | None = None
    most_side: int | None = None

    def applies_to(self, data: str) -> bool:
        """Return whether it can score the data set of this name."""
        return self.data in (None, data)


def minus_count(X_train: pd.DataFrame, X_test: pd.DataFrame, seed: int = 0) -> Scores:
    """Score by minus KDD99's raw column ``count``: no learning at all.

    ``count`` is the number of connections to the same host in the past two seconds: large in
    floods, which are the normal class there.
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

    Half the columns, if there are fewer than 60. Columns of a table are scaled as in
    `mean_distance`.
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

    Columns of a table are standardised as in `standardised`. Fewer training rows than 5 are all
    neighbours.
    """
    train, test = standardised(X_train, X_test)
    train = drawn(train, _KNN_ROWS, seed)
    nearest = NearestNeighbors(n_neighbors=min(5, len(train))).fit(train)
    return _each_once(lambda rows: nearest.kneighbors(rows)[0].mean(axis=1), test)


def density_ratio(X_train: Matrix, X_test: Matrix, seed: int = 0) -> Scores:
    """Score by how much thinner the training rows lie here than around their own neighbours.

    d(x) over the mean of d(x_i): d is the mean L2 distance to the k = 20 nearest of at most
    20,000 training rows, and the x_i are these. A training row is not its own neighbour. It is
    the local outlier factor without its smoothing [1]_. Columns of a table are standardised as
    in `standardised`. Of fewer training rows than 21 all others are neighbours.

    Raises
    ------
    ValueError
        If there is only one training row.

    References
    ----------
    .. [1] Breunig et al., "LOF: identifying density-based local outliers", SIGMOD 2000.
    """
    train, test = standardised(X_train, X_test)
    train = drawn(train, _KNN_ROWS, seed)
    if len(train) < 2:
        raise ValueError("the density ratio needs 2 training rows or more, not 1")
    nearest = NearestNeighbors(n_neighbors=min(20, len(train) - 1)).fit(train)
    own = _mean_distance(nearest.kneighbors()[0])

    def ratio(rows: Floats) -> Any:
        distances, neighbours = nearest.kneighbors(rows)
        return _mean_distance(distances) / own[neighbours].mean(axis=1)

    return _each_once(ratio, test)


def ocsvm(X_train: Matrix, X_test: Matrix, seed: int = 0) -> Scores:
    """Score by a one-class SVM (RBF kernel, ν = 0.1) on at most 5,000 training rows.

    γ is 1 / (columns · variance of the training values), scikit-learn's ``"scale"``. Columns of a
    table are standardised as in `standardised`. DAGMM's authors searched ν and γ with labels;
    this one is not searched.
    """
    train, test = standardised(X_train, X_test)
    svm = OneClassSVM(nu=0.1, gamma="scale")
    svm.random_state = seed  # its result needs none, but it would draw from NumPy's global one
    svm.fit(drawn(train, _SVM_ROWS, seed))
    return _each_once(lambda rows: -svm.score_samples(rows), test)


_ALL = (
    Baseline(
        "minus_count",
        "minus count",
        minus_count,
        random=False,
        what="Minus KDD99's raw column count: no learning at all.",
        data="kddcup99",
    ),
    Baseline(
        "mean_distance",
        "mean distance",
        mean_distance,
        random=False,
        what="L2 distance to the mean of the training rows; columns of a table scaled so that "
        "the training rows span [0, 1], pixels in [0, 1].",
    ),
    Baseline(
        "pca_reconstruction",
        "PCA reconstruction",
        pca_reconstruction,
        random=False,
        what="L2 residual of a PCA of 30 components (half the columns if fewer than 60), scaled "
        "as for the mean distance.",
    ),
    Baseline(
        "isolation_forest",
        "Isolation Forest",
        isolation_forest,
        random=True,
        what="scikit-learn's IsolationForest with its defaults, columns unscaled.",
    ),
    Baseline(
        "knn",
        "k nearest neighbours",
        knn,
        random=True,
        what="Mean L2 distance to the 5 nearest training rows; of more than 20,000 the seed draws "
        "20,000; columns of a table standardised on the training rows, pixels in [0, 1].",
    ),
    Baseline(
        "density_ratio",
        "density ratio",
        density_ratio,
        random=True,
        what="Mean L2 distance to the 20 nearest training rows over the mean of theirs to their "
        "own 20; images averaged down to at most 14 pixels a side; else as the neighbours.",
        most_side=14,
    ),
    Baseline(
        "ocsvm",
        "one-class SVM",
        ocsvm,
        random=True,
        what="scikit-learn's OneClassSVM, RBF kernel, nu 0.1, gamma 'scale', none tuned; of more "
        "than 5,000 training rows the seed draws 5,000; scaled as for the neighbours.",
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
        Of the forest, and of the training rows that a baseline draws from very many.

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
            only = BASELINES[name].data
            raise ValueError(f"the baseline {name!r} is for {only} only, not for {dataset.name}")
    chosen = [BASELINES[name] for name in names]
    parts = {side: matrices(dataset, split, side) for side in {b.most_side for b in chosen}}
    return {b.name: b.score(*parts[b.most_side], seed) for b in chosen}


def _each_once(score: Callable[[Floats], Any], X: Floats) -> Scores:
    """Score equal rows once: two thirds of KDD99's test rows are copies of another."""
    rows, index = np.unique(X, axis=0, return_inverse=True)
    return np.asarray(score(rows), dtype=np.float64)[index.reshape(len(X))]


def _mean_distance(distances: Floats) -> Floats:
    # Among copies all distances are 0; scikit-learn's LocalOutlierFactor adds the same.
    return np.asarray(distances.mean(axis=1, dtype=np.float64) + 1e-10)


def _norms(residuals: Floats) -> Scores:
    return np.asarray(np.linalg.norm(residuals, axis=1), dtype=np.float64)
