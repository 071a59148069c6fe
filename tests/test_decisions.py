"""Decisions against cases worked out by hand, and against what conformal theory promises."""

import math

import numpy as np
import pytest

from oddgan.decisions import conformal_p_values, conformal_threshold, smallest_sample

# ------------------------------------------------------------------------------------ threshold


@pytest.mark.parametrize(
    ("scores", "target_fpr", "expected"),
    [
        # k = ceil((n + 1) (1 - target_fpr)), the k-th smallest.
        ([4, 2, 1, 3], 0.5, 3),  # k = ceil(2.5)
        ([4, 2, 1, 3], 0.4, 3),  # k = 3, whole
        ([4, 2, 1, 3], 0.39, 4),  # k = ceil(3.05)
        ([4, 2, 1, 3], 0.2, 4),  # k = 4: the smallest share that 4 samples can promise
        ([1, 2, 2, 2, 3], 0.5, 2),  # ties
        (range(1, 20), 0.05, 19),
        (range(1, 100), 0.05, 95),
        (range(1, 101), 0.05, 96),  # k = ceil(95.95)
        (range(1, 125), 0.176, 103),  # 125 * (1 - 0.176) is more than 103 in floating point
        ([-5, -7, -6], 0.5, -6),
    ],
)
def test_threshold_by_hand(scores, target_fpr, expected):
    assert conformal_threshold(list(scores), target_fpr) == expected


@pytest.mark.parametrize(
    ("target_fpr", "n"),
    [(0.5, 1), (0.2, 4), (0.1, 9), (0.05, 19), (0.01, 99), (0.03, 33), (1e-4, 9999)],
)
def test_the_smallest_sample_is_the_first_with_a_rank_of_its_own(target_fpr, n):
    assert smallest_sample(target_fpr) == n
    # With n the rank (n + 1) (1 - target_fpr) is at most n; with n - 1 it would be beyond.
    assert (n + 1) * (1 - target_fpr) <= n + 1e-9
    assert n * (1 - target_fpr) > n - 1 + 1e-9


@pytest.mark.parametrize("n", [1, 5, 18])
def test_with_too_few_samples_the_largest_score_is_the_threshold(n):
    assert n < smallest_sample(0.05)
    assert conformal_threshold(np.arange(n), 0.05) == n - 1


@pytest.mark.parametrize("target_fpr", [0, 1, -0.1, 1.5, math.nan])
def test_a_share_that_is_none_is_refused(target_fpr):
    with pytest.raises(ValueError, match="target_fpr must be between 0 and 1"):
        conformal_threshold([1, 2, 3], target_fpr)


def test_no_held_out_sample_is_refused():
    with pytest.raises(ValueError, match="at least one held-out sample"):
        conformal_threshold([], 0.1)


# ------------------------------------------------------------------------------------- p-values


def test_p_values_by_hand():
    calibration = [3, 1, 2, 2]
    scores = [0, 1, 1.5, 2, 2.5, 3, 4, math.inf, -math.inf]
    expected = [5, 5, 4, 4, 2, 2, 1, 1, 5]  # 1 + how many of [1, 2, 2, 3] are >= the score
    np.testing.assert_array_equal(
        conformal_p_values(scores, calibration), np.array(expected) / (4 + 1)
    )


def test_p_values_of_no_samples():
    assert conformal_p_values([], [1, 2]).shape == (0,)


@pytest.mark.parametrize("ties", [False, True])
@pytest.mark.parametrize("n", [19, 20, 57, 99, 100])
def test_a_sample_is_above_the_threshold_exactly_if_its_p_value_is_small(n, ties):
    rng = np.random.default_rng(n)
    calibration, scores = rng.normal(size=n), rng.normal(size=500)
    if ties:
        calibration, scores = calibration.round(1), scores.round(1)
    for target_fpr in (0.05, 0.1, 0.25, 0.5, 0.9):
        flagged = scores > conformal_threshold(calibration, target_fpr)
        p = conformal_p_values(scores, calibration)
        np.testing.assert_array_equal(flagged, p <= target_fpr + 1e-12)


# --------------------------------------------------------------------------- what theory promises


def draws(kind, n_runs, n, rng):
    """Scores of `n_runs` runs, in each n held-out samples and one new one, exchangeable."""
    scores = rng.standard_cauchy(size=(n_runs, n + 1))  # heavy tails: no normality is assumed
    if kind == "ties":
        scores = np.clip(scores, -2, 2).round()
    if kind == "dependent":  # exchangeable, but not independent
        scores += rng.standard_cauchy(size=(n_runs, 1))
    return scores[:, :-1], scores[:, -1]


@pytest.mark.parametrize("kind", ["independent", "ties", "dependent"])
@pytest.mark.parametrize(("n", "target_fpr"), [(19, 0.05), (30, 0.05), (99, 0.1), (7, 0.3)])
def test_false_alarms_are_no_more_than_promised(kind, n, target_fpr):
    n_runs = 20_000
    held_out, new = draws(kind, n_runs, n, np.random.default_rng(0))
    alarms = sum(
        score > conformal_threshold(calibration, target_fpr)
        for calibration, score in zip(held_out, new, strict=True)
    )
    error = math.sqrt(target_fpr * (1 - target_fpr) / n_runs)  # binomial
    assert alarms / n_runs <= target_fpr + 3 * error
    if kind != "ties":  # and the promise is not kept by never flagging: at most 1 / (n + 1) less
        assert alarms / n_runs >= target_fpr - 1 / (n + 1) - 3 * error


def test_below_the_smallest_sample_false_alarms_are_one_in_n_plus_one():
    n_runs, n = 20_000, 9
    held_out, new = draws("independent", n_runs, n, np.random.default_rng(1))
    alarms = np.mean([s > conformal_threshold(c, 0.01) for c, s in zip(held_out, new, strict=True)])
    assert abs(alarms - 1 / (n + 1)) < 3 * math.sqrt(0.1 * 0.9 / n_runs)


@pytest.mark.parametrize("kind", ["independent", "ties", "dependent"])
def test_p_values_are_super_uniform(kind):
    """P(p <= t) <= t at every t."""
    n_runs, n = 20_000, 19
    held_out, new = draws(kind, n_runs, n, np.random.default_rng(2))
    p = np.array([conformal_p_values([s], c)[0] for c, s in zip(held_out, new, strict=True)])
    for t in np.linspace(0.05, 1, 20):
        assert (p <= t + 1e-12).mean() <= t + 3 * math.sqrt(t * (1 - t) / n_runs) + 1e-12
    if kind != "ties":  # without ties they are uniform on 1/20, 2/20 ... 1
        _, counts = np.unique(p, return_counts=True)
        assert len(counts) == 20
        assert np.abs(counts / n_runs - 0.05).max() < 5 * math.sqrt(0.05 * 0.95 / n_runs)
