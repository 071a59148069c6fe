"""The faults behind published numbers, each with a name, to see how much of a number is theirs.

Each was read in the code that a paper was published with, and is the whole of what it does: a
run with a fault differs from the right one in that alone. Nothing here is on unless it is asked
for by name, and no figure made with one is a result.
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
#: From a fitted detector, the test samples and their labels to one score for each sample.
Scorer = Callable[[Detector, Any, Labels], Scores]


class Fault:
    """A fault and the places of a run where it can change something; here it changes nothing.

    Attributes
    ----------
    name : str
        What it is asked for by.
    what : str
        One sentence: what the code did, and what is done here.
    source : str
        Where that was read.
    scorer : callable or None
        How the test samples are scored instead of by `Detector.anomaly_score`.
    """

    name: ClassVar[str]
    what: ClassVar[str]
    source: ClassVar[str]
    scorer: Scorer | None = None

    def params(self, params: dict[str, Any], cls: type[Detector]) -> dict[str, Any]:
        """Return the parameters that a detector of this class is built with."""
        return params

    def split(self, dataset: Dataset, split: Split, protocol: Protocol, seed: int) -> Split:
        """Return who trains and who is tested; `split` is the protocol's, perhaps limited."""
        return split

    def fit(self, detector: Detector, fit: Fit, score: Score, y_test: Labels) -> Detector:
        """Return the fitted detector; `fit` fits one, `score` has it score the test samples."""
        return fit(detector)

    def scores(self, scores: Scores, y_test: Labels) -> tuple[Scores, float | None]:
        """Return the test scores and a threshold for them; None is the detector's own."""
        return scores, None


class Unscaled(Fault):
    """The scaler is fitted, and what it returns is thrown away."""

    name = "unscaled"
    what = (
        "the loaders drop what their MinMaxScaler returns (EGBAD) or never ask for it (ALAD), so "
        "that columns of a table train and are scored in their own units"
    )
    source = "EGBAD's data/kdd.py; ALAD's data/kdd.py and data/arrhythmia.py, scale=False"

    def params(self, params: dict[str, Any], cls: type[Detector]) -> dict[str, Any]:
        """See `Fault.params`."""
        return {**params, "scaling": "none"}


class Leak(Fault):
    """Normal test rows are drawn from all normal rows, those that train included."""

    name = "leak"
    what = (
        "the 80 % of the normal rows that train are drawn anew when the test part is built, so "
        "that about 80 % of its normal rows were trained on"
    )
    source = "EGBAD's data/mnist.py: get_train and get_test each draw a permutation"

    def split(self, dataset: Dataset, split: Split, protocol: Protocol, seed: int) -> Split:
        """See `Fault.split`."""
        # Who draws from all normal rows draws as large a share of rows that train as those have
        # of the whole split: limits, which cut both parts as they like, do not change it.
        whole = protocol.split(dataset)
        n_train = len(whole.train) - len(whole.contaminating)
        leaking = n_train / (n_train + np.count_nonzero(whole.y_test == 0))
        trained = np.setdiff1d(split.train, split.contaminating)
        tested = split.test[split.y_test == 0]
        n = min(round(leaking * len(tested)), len(trained))
        rng = np.random.default_rng([seed, 1])
        leaked = rng.choice(trained, n, replace=False)
        normal = np.concatenate([leaked, rng.choice(tested, len(tested) - n, replace=False)])
        test = np.sort(np.concatenate([normal, split.test[split.y_test == 1]]))
        return replace(
            split,
            test=test,
            y_test=np.isin(test, normal, invert=True).astype(np.int64),
            testing=f"{split.testing}, but {n / len(tested):.0%} of its normal rows train",
        )


class ContaminatedTraining(Fault):
    """The anomalies of the training part train as well."""

    name = "contaminated"
    what = (
        "the loader halves the rows and leaves the anomalies of the first half in what is trained "
        "on, although the paper trains on normal data"
    )
    source = "ALAD's data/arrhythmia.py: _get_adapted_dataset selects no class"

    def split(self, dataset: Dataset, split: Split, protocol: Protocol, seed: int) -> Split:
        """See `Fault.split`."""
        # What a protocol puts into neither part are the anomalies that it keeps from training. Of
        # a limited split as large a share of them trains as of the other training rows.
        whole = protocol.split(dataset)
        left_out = np.setdiff1d(np.arange(len(dataset)), np.union1d(whole.train, whole.test))
        n = round(len(left_out) * len(split.train) / len(whole.train))
        if not n:
            raise ValueError(
                f"fault contaminated: protocol {protocol.name} leaves no anomaly of {dataset.name} "
                "out of training"
            )
        kept = np.random.default_rng([seed, 1]).choice(left_out, n, replace=False)
        return replace(
            split,
            train=np.union1d(split.train, kept),
            contaminating=np.union1d(split.contaminating, kept),
            training=f"{split.training}, and {n:,} anomalies that it would leave out",
        )


class OracleEpoch(Fault):
    """The epoch is kept that is best on the test samples."""

    name = "oracle-epoch"
    what = (
        "the code measures the test AUROC after every epoch and reports the greatest; here after "
        "each fifth of the training"
    )
    source = "GANomaly's lib/model.py and Skip-GANomaly's lib/models/basemodel.py: best_auc"
    n_looks = 5

    def fit(self, detector: Detector, fit: Fit, score: Score, y_test: Labels) -> Detector:
        """See `Fault.fit`.

        All lengths start from one seed, so that a shorter run is the beginning of a longer one
        (for a method of several stages: of its first). The chosen detector tells what was seen
        in ``provenance_["oracle_epoch"]``.
        """
        whole = fit(detector)
        if not whole.history_:  # a closed form: there are no epochs to choose from
            return whole
        n = int(whole.history_[-1]["step"]) // len(whole._stages_of(whole.codec_.kind))
        lengths = sorted({max(1, n * k // self.n_looks) for k in range(1, self.n_looks)} - {n})
        aurocs: list[float] = []
        for length in (*lengths, n):
            run = whole if length == n else fit(clone(detector).set_params(max_steps=length))
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
    """Batch norm takes its statistics from the samples that are scored together.

    Not imitated is that GANomaly's loader shuffles the test images of MNIST.
    """

    name = "batch-statistics"
    what = (
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
                # A batch goes through the networks as it is, in two halves if a sample has more
                # than 8,192 numbers. The last one is filled up with its last sample, as always.
                chunk = X.iloc[batch] if isinstance(X, pd.DataFrame) else X[batch]
                scores[batch] = detector.anomaly_score(chunk)
        return scores


@contextmanager
def _without_running_statistics(detector: Detector) -> Iterator[None]:
    """Let batch norm use the statistics of its batch: PyTorch's way where it has no others."""
    layers = [
        layer
        for net in detector.networks_.values()
        for layer in net.modules()
        if isinstance(layer, _BatchNorm)
    ]
    kept = [(layer.running_mean, layer.running_var) for layer in layers]
    for layer in layers:
        layer.running_mean = layer.running_var = None
    try:
        yield
    finally:
        for layer, (mean, variance) in zip(layers, kept, strict=True):
            layer.running_mean, layer.running_var = mean, variance


class MinMaxOfTest(Fault):
    """Scores are scaled by the least and the greatest of the test set, and .2 is the threshold."""

    name = "test-minmax"
    what = (
        "the code brings the test scores to [0, 1] by their own minimum and maximum, and its F1 "
        "flags what is above a fixed .2"
    )
    source = "GANomaly's lib/model.py and lib/evaluate.py"
    threshold = 0.2

    def scores(self, scores: Scores, y_test: Labels) -> tuple[Scores, float | None]:
        """See `Fault.scores`."""
        least, greatest = scores.min(), scores.max()
        if least == greatest:
            raise ValueError("fault test-minmax: all test scores are equal, so none is above .2")
        return (scores - least) / (greatest - least), self.threshold


#: All faults by name, in the order in which they are applied.
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
    """Return faults by name, each once, in the order in which they are applied.

    Parameters
    ----------
    names : str or iterable of str
        Keys of `FAULTS`; in one text separated by commas.

    Raises
    ------
    ValueError
        If there is no fault of a name.
    """
    given = names.split(",") if isinstance(names, str) else names
    asked = {name.strip() for name in given} - {""}
    unknown = sorted(asked - FAULTS.keys())
    if unknown:
        raise ValueError(f"no fault is called {unknown[0]!r}; there are {', '.join(FAULTS)}")
    return tuple(fault for name, fault in FAULTS.items() if name in asked)
