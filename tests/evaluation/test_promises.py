"""Promised and observed error rates of decisions, counted by hand."""

import json

import numpy as np
import pytest
from scipy.stats import binomtest

from oddgan.evaluation import evaluate_promises

HELD_OUT = np.arange(1, 100)  # 99 scores: thresholds 99, 95 and 90, p-values in hundredths


def test_rates_are_counted_by_hand():
    normal = np.array([0, 50, 90, 90.5, 95, 95.5, 99, 99.5])
    anomalous = np.array([1000.0, 1001, 98.5, 3])
    promises = evaluate_promises(np.repeat([0, 1], [8, 4]), np.r_[normal, anomalous], HELD_OUT)
    assert (promises.fpr_at_1, promises.fpr_at_5, promises.fpr_at_10) == (1 / 8, 3 / 8, 5 / 8)
    # Of 12 p-values .01 .01 .01 .02 .02 .05 .06 .10 ... the sixth is the last within k / 12 of .1.
    assert promises.fdr_at_10 == 3 / 6
    assert promises.recall_at_fdr_10 == 3 / 4
    assert promises.n_held_out == 99
    low, high = binomtest(3, 8).proportion_ci(method="wilson")
    assert promises.intervals["fpr_at_5"] == pytest.approx((low, high))
    assert promises.intervals["fdr_at_10"] == pytest.approx(
        tuple(binomtest(3, 6).proportion_ci(method="wilson"))
    )
    assert json.loads(json.dumps(promises.as_dict())) == promises.as_dict()


def test_rates_that_too_few_held_out_samples_cannot_promise_are_left_out():
    y, scores = np.repeat([0, 1], [50, 2]), np.r_[np.zeros(50), 9, 9]
    promises = evaluate_promises(y, scores, np.arange(1, 20) / 20)  # 19 of them
    assert (promises.fpr_at_1, promises.fpr_at_5, promises.fpr_at_10) == (None, 0, 0)
    # 2 of 52 samples are odder than all 19: at 10 % that takes 259 held-out samples.
    assert (promises.fdr_at_10, promises.recall_at_fdr_10) == (0, 0)
    assert "fdr_at_10" not in promises.intervals
    assert "fpr_at_1" not in promises.intervals
    promises = evaluate_promises(y, scores, np.arange(1, 260) / 260)
    assert (promises.fpr_at_1, promises.fdr_at_10, promises.recall_at_fdr_10) == (0, 0, 1)


def test_the_promises_are_kept_on_average():
    """Over held-out samples and batches: 2000 * .1 / 200 is whole, so the rate is no lower."""
    rng, y = np.random.default_rng(0), np.repeat([0, 1], [180, 20])
    promises = [
        evaluate_promises(y, rng.normal(size=200) + 4 * y, rng.normal(size=1999))
        for _ in range(300)
    ]
    assert np.mean([f.fpr_at_5 for f in promises]) == pytest.approx(0.05, abs=0.003)
    assert np.mean([f.fpr_at_10 for f in promises]) == pytest.approx(0.1, abs=0.004)
    assert np.mean([f.fdr_at_10 for f in promises]) == pytest.approx(0.1 * 0.9, abs=0.012)
