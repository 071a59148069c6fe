"""Named faults behind published numbers, to measure how much each fault contributes.

Each fault was found in the code released with a paper. A run with a fault differs from the correct
run in that fault alone. Faults are off unless switched on by name, and nothing measured with one
is a result.
"""

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt
import pandas as pd
from sklearn.base import clone
from sklearn.metrics import roc_auc_score
from torch.nn.modules.batchnorm import _BatchNorm

from oddgan.datasets import Dataset
from oddgan.detectors import Detector
from oddgan.evaluation.protocols import Protocol, Split

Scores = npt.NDArray[np.float64]
Labels = npt.NDArray[np.int64]
Fit = Callable[[Detector], Detector]
Score = Callable[[Detector], Scores]
#: Takes a fitted detector, the test samples and their labels; returns one score per sample.
Scorer = Callable[[Detector, Any, Labels], Scores]


class Fault:
    """Base class of faults: hooks into a run, each of which changes nothing by default.

    Attributes
    ----------
    name : str
        The name that switches it on.
    description : str
        One sentence: what the released code did, and what is done here.
    source : str
        The released code that has the fault.
    scorer : callable or None
        Scores the test samples instead of `Detector.anomaly_score`.
    """

    name: ClassVar[str]
    description: ClassVar[str]
    source: ClassVar[str]
    scorer: Scorer | None = None

    def params(self, params: dict[str, Any], cls: type[Detector]) -> dict[str, Any]:
        """Return the parameters to build a detector of this class with."""
        return params

    def split(self, dataset: Dataset, split: Split, protocol: Protocol, seed: int) -> Split:
        """Return the split to use; `split` is the protocol's, possibly with fewer rows."""
        return split

    def fit(self, detector: Detector, fit: Fit, score: Score, y_test: Labels) -> Detector:
        """Return the fitted detector; `fit` fits a detector, `score` scores the test samples."""
        return fit(detector)

    def scores(self, scores: Scores, y_test: Labels) -> tuple[Scores, float | None]:
        """Return the test scores and their threshold; None keeps the detector's own."""
        return scores, None


class Unscaled(Fault):
    """The scaler is fitted, but its output is discarded."""

    name = "unscaled"
    description = (
        "the loaders drop what their MinMaxScaler returns (EGBAD) or never ask for it (ALAD), so "
        "that columns of a table train and are scored in their own units"
    )
    source = "EGBAD's data/kdd.py; ALAD's data/kdd.py and data/arrhythmia.py, scale=False"

    def params(self, params: dict[str, Any], cls: type[Detector]) -> dict[str, Any]:
        """See `Fault.params`."""
        return {**params, "scaling": "none"}


class Leak(Fault):
    """Normal test rows are drawn from all normal rows, including training rows."""

    name = "leak"
    description = (
        "the 80 % of the normal rows that train are drawn anew when the test part is built, so "
        "that about 80 % of its normal rows were trained on"
    )
    source = "EGBAD's data/mnist.py: get_train and get_test each draw a permutation"

    def split(self, dataset: Dataset, split: Split, protocol: Protocol, seed: int) -> Split:
        """See `Fault.split`."""
        # A draw from all normal rows contains training rows in proportion to their share of the
        # full split. Row limits, which cut both parts independently, do not change that share.
        full = protocol.split(dataset)
        n_train = len(full.train) - len(full.contaminating)
        leaking = n_train / (n_train + np.count_nonzero(full.y_test == 0))
        training = np.setdiff1d(split.train, split.contaminating)
        testing = split.test[split.y_test == 0]
        n = min(round(leaking * len(testing)), len(training))
        rng = np.random.default_rng([seed, 1])
        leaked = rng.choice(training, n, replace=False)
        normal = np.concatenate([leaked, rng.choice(testing, len(testing) - n, replace=False)])
        test = np.sort(np.concatenate([normal, split.test[split.y_test == 1]]))
        return replace(
            split,
            test=test,
            y_test=np.isin(test, normal, invert=True).astype(np.int64),
            testing=f"{split.testing}, but {n / len(testing):.0%} of its normal rows train",
        )


class ContaminatedTraining(Fault):
    """The anomalies of the training part train, too."""

    name = "contaminated"
    description = (
        "the loader halves the rows and leaves the anomalies of the first half in what is trained "
        "on, although the paper trains on normal data"
    )
    source = "ALAD's data/arrhythmia.py: _get_adapted_dataset selects no class"

    def split(self, dataset: Dataset, split: Split, protocol: Protocol, seed: int) -> Split:
        """See `Fault.split`."""
        # Rows in neither part are the anomalies that the protocol keeps out of training. With row
        # limits the same share of them trains as of the other training rows.
        full = protocol.split(dataset)
        excluded = np.setdiff1d(np.arange(len(dataset)), np.union1d(full.train, full.test))
        n = round(len(excluded) * len(split.train) / len(full.train))
        if not n:
            raise ValueError(
                f"fault contaminated: protocol {protocol.name} leaves no anomaly of {dataset.name} "
                "out of training"
            )
        anomalies = np.random.default_rng([seed, 1]).choice(excluded, n, replace=False)
        return replace(
            split,
            train=np.union1d(split.train, anomalies),
            contaminating=np.union1d(split.contaminating, anomalies),
            training=f"{split.training}, and {n:,} anomalies that it would leave out",
        )


class OracleEpoch(Fault):
    """The epoch that is best on the test samples is kept."""

    name = "oracle-epoch"
    description = (
        "the code measures the test AUROC after every epoch and reports the greatest; here after "
        "each fifth of the training"
    )
    source = "GANomaly's lib/model.py and Skip-GANomaly's lib/models/basemodel.py: best_auc"
    n_looks = 5

    def fit(self, detector: Detector, fit: Fit, score: Score, y_test: Labels) -> Detector:
        """See `Fault.fit`.

        All runs share one seed, so that a shorter run is the beginning of a longer one (for a
        method with several stages: of its first stage). The AUROC of each run is in
        ``provenance_["oracle_epoch"]`` of the chosen detector.
        """
        full = fit(detector)
        if not full.history_:  # a closed form has no epochs to choose from
            return full
        n = int(full.history_[-1]["step"]) // len(full._stages_of(full.codec_.kind))
        lengths = sorted({max(1, n * k // self.n_looks) for k in range(1, self.n_looks)} - {n})
        aurocs: list[float] = []
        for length in (*lengths, n):
            run = full if length == n else fit(clone(detector).set_params(max_steps=length))
            aurocs.append(float(roc_auc_score(y_test, score(run))))
            if aurocs[-1] > max(aurocs[:-1], default=-1.0):
                best, chosen = run, length
        best.provenance_["oracle_epoch"] = {
            "steps": [*lengths, n],
            "auroc": aurocs,
            "chosen": chosen,
        }
        return best


class BatchStatistics(Fault):
    """Batch norm uses the statistics of each scored batch.

    GANomaly's loader also shuffles the test images of MNIST; that is not imitated.
    """

    name = "batch-statistics"
    description = (
        "nobody calls eval(), so that batch norm uses the mean and variance of each test batch; "
        "in batches of 64 that hold normal samples first, then anomalies, as the loader of "
        "CIFAR-10 yields them"
    )
    source = "GANomaly's lib/model.py and lib/data.py, Skip-GANomaly; ganomaly issues #47 and #83"
    batch_size = 64

    def scorer(self, detector: Detector, X: Any, y_test: Labels) -> Scores:
        """Return the scores, in the order of `X`."""
        order = np.argsort(y_test, kind="stable")
        scores = np.empty(len(order))
        with _without_running_statistics(detector):
            for start in range(0, len(order), self.batch_size):
                batch = order[start : start + self.batch_size]
                # A batch goes through the networks as a whole, or in two halves if a sample has
                # more than 8,192 numbers. The last one is padded with its last sample, as always.
                chunk = X.iloc[batch] if isinstance(X, pd.DataFrame) else X[batch]
                scores[batch] = detector.anomaly_score(chunk)
        return scores


@contextmanager
def _without_running_statistics(detector: Detector) -> Iterator[None]:
    """Make batch norm use batch statistics, as PyTorch does without running statistics."""
    layers = [
        layer
        for net in detector.networks_.values()
        for layer in net.modules()
        if isinstance(layer, _BatchNorm)
    ]
    statistics = [(layer.running_mean, layer.running_var) for layer in layers]
    for layer in layers:
        layer.running_mean = layer.running_var = None
    try:
        yield
    finally:
        for layer, (mean, variance) in zip(layers, statistics, strict=True):
            layer.running_mean, layer.running_var = mean, variance


class MinMaxOfTest(Fault):
    """Scores are scaled to [0, 1] by the test set's own range, and .2 is the threshold."""

    name = "test-minmax"
    description = (
        "the code brings the test scores to [0, 1] by their own minimum and maximum, and its F1 "
        "flags what is above a fixed .2"
    )
    source = "GANomaly's lib/model.py and lib/evaluate.py"
    threshold = 0.2

    def scores(self, scores: Scores, y_test: Labels) -> tuple[Scores, float | None]:
        """See `Fault.scores`."""
        lowest, highest = scores.min(), scores.max()
        if lowest == highest:
            raise ValueError("fault test-minmax: all test scores are equal, so none is above .2")
        return (scores - lowest) / (highest - lowest), self.threshold


#: All faults by name, in the order of their application.
FAULTS: dict[str, Fault] = {
    fault.name: fault
    for fault in (
        Unscaled(),
        Leak(),
        ContaminatedTraining(),
        OracleEpoch(),
        BatchStatistics(),
        MinMaxOfTest(),
    )
}


def faults_named(names: str | Iterable[str]) -> tuple[Fault, ...]:
    """Return faults by name, without duplicates, in the order of their application.

    Parameters
    ----------
    names : str or iterable of str
        Keys of `FAULTS`; commas separate them in one text.

    Raises
    ------
    ValueError
        If a name is unknown.
    """
    texts = names.split(",") if isinstance(names, str) else names
    requested = {name.strip() for name in texts} - {""}
    unknown = sorted(requested - FAULTS.keys())
    if unknown:
        raise ValueError(f"no fault is called {unknown[0]!r}; there are {', '.join(FAULTS)}")
    return tuple(fault for name, fault in FAULTS.items() if name in requested)
