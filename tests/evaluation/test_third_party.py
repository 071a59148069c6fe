"""PyOD's detectors beside ours: their scores as they come, and nothing left behind."""

import os
import random
import sys
from importlib.util import find_spec

import numpy as np
import pandas as pd
import pytest
import torch

from oddgan import datasets
from oddgan.datasets import Dataset
from oddgan.evaluation import Labelled, OneClassNormal, evaluate_scores
from oddgan.evaluation.baselines import matrices, standardised
from oddgan.evaluation.third_party import (
    THIRD_PARTY_DETECTORS,
    ThirdPartyDetector,
    available_third_party,
    run_third_party,
)

needs_pyod = pytest.mark.skipif(find_spec("pyod") is None, reason="PyOD is not installed")
CLASSICAL = ["ecod", "copod", "hbos", "knn", "lof", "iforest"]


def planted(n=60):
    """Give a table of three columns of unlike scale; every tenth row is odd in all of them."""
    rng = np.random.default_rng(1)
    y = (np.arange(n) % 10 == 0).astype(int)
    values = (rng.normal(size=(n, 3)) + 8 * y[:, None]) * [1.0, 100.0, 0.01]
    return Dataset("mine", "table", pd.DataFrame(values, columns=list("abc")), y, None, "")


def states():
    return (
        random.getstate(),
        [part.tolist() for part in np.random.get_state()[1:2]],  # noqa: NPY002
        np.random.get_state()[2],  # noqa: NPY002
        torch.get_rng_state().tolist(),
        os.environ.get("PYTHONHASHSEED"),
    )


@pytest.fixture
def fake(monkeypatch):
    """Let every third-party detector be an estimator of the test's own."""

    def put(scores):
        class Estimator:
            def fit(self, X):
                self.seen = X

            def decision_function(self, X):
                return scores(self.seen, X)

        monkeypatch.setattr(
            "oddgan.evaluation.third_party.ThirdPartyDetector.build", lambda *_: Estimator()
        )

    return put


@needs_pyod
def test_all_are_in_the_version_that_is_tested():
    assert available_third_party() == THIRD_PARTY_DETECTORS
    assert THIRD_PARTY_DETECTORS["ecod"].title == "PyOD ECOD"


@needs_pyod
@pytest.mark.parametrize("name", CLASSICAL)
def test_planted_outliers_score_higher(name):
    data = planted(n=300)
    split = Labelled().split(data)
    assert evaluate_scores(split.y_test, run_third_party(name, data, split)).auroc > 0.95


def briefly(build):
    """Return `ThirdPartyDetector.build` for two epochs, where an estimator has any."""

    def built(*args):
        estimator = build(*args)
        for name in {"epochs", "epoch_num", "stop_epochs"} & set(vars(estimator)):
            setattr(estimator, name, 2)
        return estimator

    return built


@needs_pyod
@pytest.mark.parametrize("name", THIRD_PARTY_DETECTORS)
def test_a_seed_gives_the_same_scores_and_global_states_stay(name, monkeypatch):
    monkeypatch.setattr(ThirdPartyDetector, "build", briefly(ThirdPartyDetector.build))
    data = planted(n=52)
    split = Labelled().split(data)
    assert len(split.train) == 32  # one batch: the autoencoders want a full one
    before = states()
    scores = run_third_party(name, data, split, seed=3)
    assert states() == before
    # Others may draw in between.
    np.random.seed(5)  # noqa: NPY002
    torch.manual_seed(5)
    random.seed(5)
    np.testing.assert_array_equal(run_third_party(name, data, split, seed=3), scores)
    other = run_third_party(name, data, split, seed=4)
    # The neighbours draw from more training rows than there are here.
    assert (other != scores).any() == (
        THIRD_PARTY_DETECTORS[name].random and name not in ("knn", "lof")
    )


@needs_pyod
def test_knn_is_the_fifth_distance_between_standardised_rows():
    data = planted()
    split = Labelled().split(data)
    train, test = standardised(*matrices(data, split))
    assert train.std(axis=0) == pytest.approx(np.ones(3))
    distances = np.sqrt(((test[:, None] - train) ** 2).sum(axis=-1))
    expected = np.sort(distances, axis=1)[:, 4]
    assert run_third_party("knn", data, split) == pytest.approx(expected)


@needs_pyod
def test_images_are_scored():
    digits = datasets.load("digits")
    split = OneClassNormal(0).split(digits)
    assert evaluate_scores(split.y_test, run_third_party("knn", digits, split)).auroc > 0.95


def test_very_many_training_rows_are_drawn_by_the_seed(fake):
    n = 21_000
    X = pd.DataFrame({"a": np.arange(n + 10, dtype=float)})
    data = Dataset("mine", "table", X, (np.arange(n + 10) >= n).astype(int), None, "")
    split = Labelled(train_fraction=0.99).split(data)
    assert len(split.train) > 20_000
    train_matrices = []

    def scores(train, test):
        train_matrices.append(train)
        return np.arange(len(test))

    fake(scores)
    for name, seed in (("knn", 1), ("knn", 2), ("hbos", 1)):
        run_third_party(name, data, split, seed)
    first, other, all_rows = train_matrices
    assert len(first) == len(other) == 20_000
    assert set(first[:, 0]) != set(other[:, 0])
    assert len(all_rows) == len(split.train)


@pytest.mark.parametrize(
    ("scores", "message"),
    [
        (lambda train, test: np.full(len(test), np.nan), r"PyOD HBOS: 23 of 23 scores are NaN"),
        (lambda train, test: np.zeros((len(test), 2)), r"PyOD HBOS: scores of shape \(23, 2\)"),
        (lambda train, test: [].pop(), r"PyOD HBOS: IndexError: pop from empty list"),
    ],
)
def test_a_third_party_detector_that_fails_is_named(fake, scores, message):
    data = planted()
    fake(scores)
    before = states()
    with pytest.raises(RuntimeError, match=message):
        run_third_party("hbos", data, Labelled().split(data))
    assert states() == before


def test_without_pyod_the_extra_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "pyod", None)
    assert available_third_party() == {}
    data = planted()
    with pytest.raises(ImportError, match=r"PyOD ECOD needs PyOD: pip install 'oddgan\[bench\]'"):
        run_third_party("ecod", data, Labelled().split(data))
    with pytest.raises(
        ValueError, match="no third-party detector is called 'abod'; there are ecod, copod"
    ):
        run_third_party("abod", data, Labelled().split(data))
