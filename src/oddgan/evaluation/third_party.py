"""PyOD's detectors on the same split, where PyOD is installed (``pip install 'oddgan[bench]'``).

They run with the defaults of the installed version, except that PyOD does not standardise again:
tables arrive standardised on the training rows, and pixels in [0, 1]. The score is the value of
``decision_function`` with the sign that PyOD documents, higher is odder, even if an implementation
does the opposite.

PyOD's ``OCSVM`` is left out: like the baseline ``ocsvm`` it is scikit-learn's. The descriptions of
single detectors are based on the source of PyOD 3.6.7.
"""

import importlib
import io
import os
import random
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout
from dataclasses import dataclass
from importlib.util import find_spec
from inspect import signature
from typing import Any

import numpy as np
import torch

from oddgan.datasets import Dataset
from oddgan.evaluation._matrices import matrices, standardised, subsample
from oddgan.evaluation.baselines import Scores
from oddgan.evaluation.protocols import Split


@dataclass(frozen=True)
class ThirdPartyDetector:
    """A detector of PyOD.

    Parameters
    ----------
    name : str
        Its key in `THIRD_PARTY_DETECTORS`, and its module in ``pyod.models``.
    estimator : str
        Its class in that module.
    random : bool
        Whether the scores depend on the seed.
    description : str
        What it is, and what readers of its results must know.
    max_train : int, optional
        The most training rows; the seed draws them. By default all train.
    """

    name: str
    estimator: str
    random: bool
    description: str
    max_train: int | None = None

    @property
    def title(self) -> str:
        """Its name in tables."""
        return f"PyOD {self.estimator}"

    @property
    def installed(self) -> bool:
        """Whether PyOD is installed in a version that has it."""
        return find_spec("pyod") is not None and find_spec(f"pyod.models.{self.name}") is not None

    def build(self, seed: int, n_columns: int) -> Any:
        """Return the unfitted estimator.

        It has PyOD's defaults, except for `seed` as its ``random_state`` and the number of columns
        if it has such parameters; it neither standardises again nor shows progress.

        Raises
        ------
        ImportError
            If PyOD is not installed, or its version has no such detector.
        """
        if not self.installed:
            raise ImportError(f"{self.title} needs PyOD: pip install 'oddgan[bench]'")
        cls = getattr(importlib.import_module(f"pyod.models.{self.name}"), self.estimator)
        settings = {
            "random_state": seed,
            "n_features": n_columns,
            "preprocessing": False,
            "verbose": 0,
        }
        return cls(**{key: settings[key] for key in signature(cls).parameters if key in settings})


_ROWS = 20_000  # most training rows of detectors that are slow on more

_ALL = (
    ThirdPartyDetector(
        "ecod",
        "ECOD",
        random=False,
        description="Tail probabilities of each column; they are estimated on training and test "
        "rows together, so that the score of a row depends on the other test rows.",
    ),
    ThirdPartyDetector(
        "copod",
        "COPOD",
        random=False,
        description="Tail probabilities of an empirical copula; estimated on training and test "
        "rows together, as in ECOD.",
    ),
    ThirdPartyDetector(
        "hbos", "HBOS", random=False, description="Histograms of 10 bins of each column."
    ),
    ThirdPartyDetector(
        "knn",
        "KNN",
        random=True,
        description=f"Distance to the 5th nearest of at most {_ROWS:,} training rows.",
        max_train=_ROWS,
    ),
    ThirdPartyDetector(
        "lof",
        "LOF",
        random=True,
        description=f"Local outlier factor of 20 neighbours among at most {_ROWS:,} training rows.",
        max_train=_ROWS,
    ),
    ThirdPartyDetector(
        "iforest",
        "IForest",
        random=True,
        description="scikit-learn's Isolation Forest of 100 trees.",
    ),
    ThirdPartyDetector(
        "auto_encoder",
        "AutoEncoder",
        random=True,
        description=f"Autoencoder, 10 epochs on at most {_ROWS:,} training rows.",
        max_train=_ROWS,
    ),
    ThirdPartyDetector(
        "vae",
        "VAE",
        random=True,
        description=f"VAE, 30 epochs on at most {_ROWS:,} training rows; a score is the residual "
        "of one random draw of the latent.",
        max_train=_ROWS,
    ),
    ThirdPartyDetector(
        "deep_svdd",
        "DeepSVDD",
        random=True,
        description="Deep SVDD, 100 epochs on at most 10,000 training rows.",
        max_train=10_000,
    ),
    ThirdPartyDetector(
        "alad",
        "ALAD",
        random=True,
        description=f"ALAD, 200 steps of 32 of at most {_ROWS:,} training rows: what it calls an "
        "epoch is one batch; its dropout is on in scoring too.",
        max_train=_ROWS,
    ),
    ThirdPartyDetector(
        "anogan",
        "AnoGAN",
        random=True,
        description="AnoGAN, 500 epochs on at most 1,000 training rows; new rows are not searched "
        "in the latent space: all are compared with one generated row.",
        max_train=1_000,
    ),
    ThirdPartyDetector(
        "mo_gaal",
        "MO_GAAL",
        random=True,
        description=f"MO-GAAL, 60 epochs on at most {_ROWS:,} training rows; its score is "
        "the discriminator's belief that a row is real, against the documented sign; this is kept.",
        max_train=_ROWS,
    ),
    ThirdPartyDetector(
        "so_gaal",
        "SO_GAAL",
        random=True,
        description=f"SO-GAAL, 60 epochs on at most {_ROWS:,} training rows; its sign is as "
        "in MO-GAAL.",
        max_train=_ROWS,
    ),
)
THIRD_PARTY_DETECTORS: dict[str, ThirdPartyDetector] = {
    detector.name: detector for detector in _ALL
}


def available_third_party() -> dict[str, ThirdPartyDetector]:
    """Return the third-party detectors that the installed PyOD has; none without PyOD."""
    return {
        name: detector for name, detector in THIRD_PARTY_DETECTORS.items() if detector.installed
    }


def run_third_party(name: str, dataset: Dataset, split: Split, seed: int = 0) -> Scores:
    """Fit a third-party detector on a split's training rows and score its test rows.

    Parameters
    ----------
    name : str
        Key of `THIRD_PARTY_DETECTORS`.
    dataset : Dataset
    split : Split
    seed : int
        Seeds all random draws; the global random states are restored afterwards.

    Returns
    -------
    array of shape (len(split.test),)
        The values of its ``decision_function``.

    Raises
    ------
    ValueError
        If the name is unknown.
    ImportError
        If PyOD is not installed, or its version has no such detector.
    RuntimeError
        If it fails, or a score is not finite.
    """
    if name not in THIRD_PARTY_DETECTORS:
        raise ValueError(
            f"no third-party detector is called {name!r}; there are "
            f"{', '.join(THIRD_PARTY_DETECTORS)}"
        )
    detector = THIRD_PARTY_DETECTORS[name]
    train, test = standardised(*matrices(dataset, split))
    if detector.max_train is not None:
        train = subsample(train, detector.max_train, seed)
    with _seeded(seed), redirect_stdout(io.StringIO()):  # GAAL prints every epoch
        estimator = detector.build(seed, train.shape[1])
        try:
            estimator.fit(train)  # it returns None in some versions
            scores = np.asarray(estimator.decision_function(test), dtype=np.float64)
        except Exception as error:
            raise RuntimeError(f"{detector.title}: {type(error).__name__}: {error}") from error
    if scores.shape != (len(test),):
        raise RuntimeError(f"{detector.title}: scores of shape {scores.shape} for {len(test)} rows")
    n_missing = np.count_nonzero(~np.isfinite(scores))
    if n_missing:
        raise RuntimeError(
            f"{detector.title}: {n_missing} of {len(scores)} scores are NaN or infinite"
        )
    return scores


@contextmanager
def _seeded(seed: int) -> Iterator[None]:
    """Seed all global generators, and restore their states afterwards.

    Several of PyOD's detectors draw only from these, and its deep ones seed them.
    """
    python, numpy = random.getstate(), np.random.get_state()  # noqa: NPY002
    hash_seed = os.environ.get("PYTHONHASHSEED")  # they set it as well
    with torch.random.fork_rng(devices=range(torch.cuda.device_count())):
        random.seed(seed)
        np.random.seed(seed)  # noqa: NPY002
        torch.manual_seed(seed)
        try:
            yield
        finally:
            random.setstate(python)
            np.random.set_state(numpy)  # noqa: NPY002
            os.environ.pop("PYTHONHASHSEED", None)
            if hash_seed is not None:
                os.environ["PYTHONHASHSEED"] = hash_seed
