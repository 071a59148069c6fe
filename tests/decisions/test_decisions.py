"""Decisions against cases computed by hand, and against the guarantees of conformal theory."""

import json
import math
import warnings
from fractions import Fraction

import numpy as np
import pytest
from typer.testing import CliRunner

import oddgan
from oddgan import EGBAD, PCAReconstruction, cli
from oddgan.decisions import (
    conformal_p_values,
    conformal_threshold,
    cost_threshold,
    discoveries,
    drift,
    smallest_sample,
)
from support.data import fitted

# ------------------------------------------------------------------------------------ threshold


@pytest.mark.parametrize(
    ("scores", "target_fpr", "expected"),
    [
        # k = ceil((n + 1) (1 - target_fpr)), the k-th smallest.
        ([4, 2, 1, 3], 0.5, 3),  # k = ceil(2.5)
        ([4, 2, 1, 3], 0.4, 3),  # k = 3, whole
        ([4, 2, 1, 3], 0.39, 4),  # k = ceil(3.05)
        ([4, 2, 1, 3], 0.2, 4),  # k = 4: the smallest rate that 4 samples allow
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
def test_the_smallest_sample_is_the_first_with_a_rank_within_the_sample(target_fpr, n):
    assert smallest_sample(target_fpr) == n
    # With n the rank (n + 1) (1 - target_fpr) is at most n; with n - 1 it would be beyond.
    assert (n + 1) * (1 - target_fpr) <= n + 1e-9
    assert n * (1 - target_fpr) > n - 1 + 1e-9


@pytest.mark.parametrize("n", [1, 5, 18])
def test_with_too_few_samples_nothing_exceeds_the_threshold(n):
    assert n < smallest_sample(0.05)
    assert conformal_threshold(np.arange(n), 0.05) == math.inf


@pytest.mark.parametrize("target_fpr", [0, 1, -0.1, 1.5, math.nan])
def test_a_target_fpr_outside_0_to_1_is_refused(target_fpr):
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


# ------------------------------------------------------------------------- guarantees of theory


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
def test_the_false_positive_rate_is_at_most_the_target(kind, n, target_fpr):
    n_runs = 20_000
    held_out, new = draws(kind, n_runs, n, np.random.default_rng(0))
    alarms = sum(
        score > conformal_threshold(calibration, target_fpr)
        for calibration, score in zip(held_out, new, strict=True)
    )
    error = math.sqrt(target_fpr * (1 - target_fpr) / n_runs)  # binomial
    assert alarms / n_runs <= target_fpr + 3 * error
    if kind != "ties":  # nor is it lower by more than 1 / (n + 1), as if nothing were flagged
        assert alarms / n_runs >= target_fpr - 1 / (n + 1) - 3 * error


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


# ---------------------------------------------------------------------------------- discoveries


@pytest.mark.parametrize(
    ("p_values", "fdr", "expected"),
    [
        # The largest i with p_(i) <= i fdr / m, and all up to it. Lines: .025, .05, .075, .1
        ([0.5, 0.04, 0.07, 0.045], 0.1, [0, 1, 1, 1]),  # the smallest fails its own line
        ([0.03, 0.06, 0.08, 0.2], 0.1, [0, 0, 0, 0]),
        ([0.02, 0.06, 0.08, 0.2], 0.1, [1, 0, 0, 0]),
        ([0.02, 0.06, 0.08, 0.1], 0.1, [1, 1, 1, 1]),
        ([0.1], 0.1, [1]),
        ([0.11], 0.1, [0]),
        ([], 0.1, []),
    ],
)
def test_discoveries_by_hand(p_values, fdr, expected):
    result = discoveries(p_values, fdr, n_held_out=999)
    assert result.dtype == bool
    np.testing.assert_array_equal(result, np.array(expected, dtype=bool))


@pytest.mark.parametrize("fdr", ["0.05", "0.1", "0.2", "0.3"])
def test_discoveries_are_exact_where_p_values_lie_on_the_line(fdr):
    """As multiples of 1 / (n + 1) often do; compared with exact fractions."""
    rng, n_on_the_line = np.random.default_rng(0), 0
    for _ in range(300):
        n, m = int(rng.choice([19, 39, 59, 79])), int(rng.integers(1, 13))
        counts = rng.integers(1, 2 + int(2 * (n + 1) * float(fdr)), m)
        ranked = sorted(counts)
        lines = [Fraction(fdr) * (i + 1) * (n + 1) / m for i in range(m)]
        last = max((i for i in range(m) if ranked[i] <= lines[i]), default=-1)
        n_on_the_line += last >= 0 and ranked[last] == lines[last]
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            result = discoveries(counts / (n + 1), float(fdr), n_held_out=n)
        np.testing.assert_array_equal(result, counts <= (ranked[last] if last >= 0 else 0))
    assert n_on_the_line > 10


@pytest.mark.parametrize("fdr", [0, 1, -0.1, math.nan])
def test_a_false_discovery_rate_outside_0_to_1_is_refused(fdr):
    with pytest.raises(ValueError, match="fdr must be between 0 and 1"):
        discoveries([0.1], fdr, n_held_out=9)


@pytest.mark.parametrize(("m", "k", "fdr", "needed"), [(100, 1, 0.1, 999), (7, 2, 0.3, 11)])
def test_too_few_held_out_samples_give_a_warning_with_the_number_needed(m, k, fdr, needed):
    def batch(n):
        return np.array([1] * k + [n + 1] * (m - k)) / (n + 1)

    with pytest.warns(UserWarning, match=f"^{k} of {m} .* that needs {needed} held-out samples$"):
        assert not discoveries(batch(needed - 1), fdr, n_held_out=needed - 1).any()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert discoveries(batch(needed), fdr, n_held_out=needed).sum() == k
        # No score is above all held-out ones: more held-out samples would not help.
        assert not discoveries([2 / 20] * 5, 0.05, n_held_out=19).any()


@pytest.mark.filterwarnings("ignore:.* samples score higher than all")
@pytest.mark.parametrize("ties", [False, True])
@pytest.mark.parametrize(("n", "fdr"), [(99, 0.1), (400, 0.2)])
def test_the_false_discovery_rate_is_at_most_the_target(n, fdr, ties):
    rng, n_runs, n_normal, n_anomalous = np.random.default_rng(0), 1500, 40, 10
    false_share, detected_share = np.empty(n_runs), np.empty(n_runs)
    for run in range(n_runs):
        scores = rng.normal(size=n + n_normal + n_anomalous)
        scores[-n_anomalous:] += 3
        if ties:
            scores = (2 * scores).round()
        p = conformal_p_values(scores[n:], scores[:n])
        flagged = discoveries(p, fdr, n_held_out=n)
        false_share[run] = flagged[:n_normal].sum() / max(1, flagged.sum())
        detected_share[run] = flagged[n_normal:].mean()
    expected = fdr * n_normal / (n_normal + n_anomalous)
    error = false_share.std() / math.sqrt(n_runs)
    assert false_share.mean() <= expected + 3 * error
    assert detected_share.mean() > 0.4
    if not ties:  # Benjamini-Hochberg reaches its rate, except for the resolution
        assert false_share.mean() > 0.75 * expected


# ---------------------------------------------------------------------------------------- costs


def cheapest(y, scores, cost_missed, cost_false_alarm, prevalence):
    """Return the least cost and the fewest flagged at it, by trying every set of flagged ones."""
    candidates = []
    for threshold in [-math.inf, *scores]:
        flagged = scores > threshold
        missed, alarms = 1 - flagged[y == 1].mean(), flagged[y == 0].mean()
        cost = prevalence * cost_missed * missed + (1 - prevalence) * cost_false_alarm * alarms
        candidates.append((round(cost, 9), flagged.sum()))
    return min(candidates)


@pytest.mark.parametrize("prevalence", [None, 0.01, 0.5])
@pytest.mark.parametrize("costs", [(1, 1), (50, 1), (1, 7.5), (1e4, 1), (1, 1e4)])
def test_no_threshold_costs_less(costs, prevalence):
    rng = np.random.default_rng(0)
    for n in (2, 3, 10, 40):
        y = np.arange(n) < max(1, n // 4)
        scores = (2 * (rng.normal(size=n) + y)).round()  # with ties
        rate = y.mean() if prevalence is None else prevalence
        missed, alarm = costs
        result = cost_threshold(
            y, scores, cost_missed=missed, cost_false_alarm=alarm, prevalence=prevalence
        )
        flagged = scores > result.threshold
        least, n_flagged = cheapest(y.astype(int), scores, missed, alarm, rate)
        assert flagged.sum() == n_flagged
        assert result.expected_cost == pytest.approx(least, abs=1e-8)
        share = rate * flagged[y].mean() + (1 - rate) * flagged[~y].mean()
        assert result.flagged_share == pytest.approx(share)
        assert result.threshold not in scores


def test_cost_thresholds_by_hand():
    y, scores = [0, 0, 0, 1, 1], [1, 2, 4, 3, 5]

    def result(missed, prevalence=None):
        best = cost_threshold(
            y, scores, cost_missed=missed, cost_false_alarm=2, prevalence=prevalence
        )
        return best.threshold, best.expected_cost, best.flagged_share

    assert result(1) == pytest.approx((4.5, 1 / 5, 1 / 5))  # one missed
    assert result(10) == pytest.approx((2.5, 2 / 5, 3 / 5))  # one false alarm
    assert result(10, 0.1) == pytest.approx((4.5, 0.1 * 10 / 2, 0.1 / 2))  # an alarm: 0.9 * 2 / 3
    assert result(10, 0.999)[0] == pytest.approx(2.5)
    worthless = {"y": [1, 0], "scores": [0, 1], "cost_false_alarm": 1}
    assert cost_threshold(**worthless, cost_missed=0.5).threshold == math.inf  # flag none
    assert cost_threshold(**worthless, cost_missed=2).threshold == -math.inf  # flag all


def test_a_cost_threshold_separates_scores_with_no_number_between_them():
    for low in (1.0, np.nextafter(1, 2)):  # halfway is rounded down, and up
        high = np.nextafter(low, 2)
        result = cost_threshold([0, 1], [low, high], cost_missed=1, cost_false_alarm=1)
        assert low <= result.threshold < high
    huge = cost_threshold([0, 1], [1.5e308, 1.7e308], cost_missed=1, cost_false_alarm=1)
    assert 1.5e308 < huge.threshold < 1.7e308


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"y": [0, 0, 0]}, "both of them"),
        ({"y": [0, 1, 2]}, "y must contain 0"),
        ({"y": ["good", "bad", "bad"]}, "y must contain 0"),
        ({"scores": [1, math.nan, 2]}, "NaN"),
        ({"scores": [1, 2]}, "inconsistent numbers of samples"),
        ({"cost_missed": 0}, "cost_missed must be positive and finite, got 0"),
        ({"cost_false_alarm": math.inf}, "cost_false_alarm must be positive and finite"),
        ({"prevalence": 1}, "prevalence must be between 0 and 1, got 1"),
    ],
)
def test_invalid_costs_are_refused(changed, message):
    arguments = {"y": [0, 1, 1], "scores": [1, 2, 3], "cost_missed": 1, "cost_false_alarm": 1}
    with pytest.raises(ValueError, match=message):
        cost_threshold(**{**arguments, **changed})


# ---------------------------------------------------------------------------------------- drift


def test_the_share_of_a_normal_batch_by_hand():
    """The two new ones of 3 + 2 samples in random order are the highest with probability 1 / 10."""
    for alpha, high in ((0.36, 1), (0.44, 0.5)):  # alpha / 4 is below 0.1, and above
        result = drift([0.5, 1.5], [1, 2, 3], target_fpr=0.25, alpha=alpha)
        assert result.expected_share == 1 / 4
        assert result.expected_interval == (0, high)
    assert not drift([4, 5], [1, 2, 3], target_fpr=0.25, alpha=0.36).drifted
    assert drift([4, 5], [1, 2, 3], target_fpr=0.25, alpha=0.44).drifted


@pytest.mark.parametrize("ties", [False, True])
@pytest.mark.parametrize(("n", "m"), [(30, 100), (150, 40)])
def test_normal_batches_seldom_drift(n, m, ties):
    rng, n_runs, alpha = np.random.default_rng(0), 600, 0.2
    alarms = np.empty(n_runs)
    inside = np.empty(n_runs)
    for run in range(n_runs):
        scores = rng.normal(size=n + m)
        if ties:
            scores = (2 * scores).round()
        result = drift(scores[n:], scores[:n], target_fpr=0.1, alpha=alpha)
        low, high = result.expected_interval
        alarms[run], inside[run] = result.drifted, low <= result.flagged_share <= high
    error = 3 * math.sqrt(alpha * (1 - alpha) / n_runs)
    assert alarms.mean() <= alpha + error
    assert inside.mean() >= 1 - alpha / 2 - error
    if not ties:
        assert alarms.mean() > 0.03  # and not by never reporting


def test_a_shift_is_detected_and_reported():
    rng = np.random.default_rng(0)
    held_out = rng.normal(size=200)
    result = drift(rng.normal(1, size=300), held_out)
    assert result.drifted
    assert result.p_value < 1e-6
    assert "p < 0.0001" in result.message
    assert "look alike" in result.message
    assert drift(rng.normal(-1, size=300), held_out).drifted  # lower scores too
    same = drift(rng.normal(size=300), held_out)
    assert not same.drifted
    assert "look alike" not in same.message


def test_a_few_very_anomalous_samples_are_detected_by_the_flagged_share():
    rng = np.random.default_rng(1)
    batch = rng.normal(size=200)
    batch[:24] = 50
    result = drift(batch, rng.normal(size=400))
    assert result.drifted
    assert result.p_value > 0.005  # Kolmogorov and Smirnov alone would not see them
    assert result.flagged_share > result.expected_interval[1]


def test_few_samples_and_ties_are_no_drift():
    result = drift([9.0], [1, 2, 3, 4, 5])
    assert not result.drifted
    assert "cannot show drift at alpha=0.01" in result.message
    assert result.flagged_share == 1
    constant = drift([1.0] * 500, [1.0] * 100)
    assert not constant.drifted
    assert constant.flagged_share == constant.expected_interval[0] == 0
    # A threshold tied with half of all scores: none is above it, and none should be.
    two_values = drift([0, 1] * 300, [0, 1] * 100)
    assert not two_values.drifted


@pytest.mark.parametrize(
    ("scores", "calibration", "alpha", "message"),
    [
        ([], [1, 2], 0.01, "scores must be one-dimensional and not empty"),
        ([1.0], [], 0.01, "calibration_scores must be one-dimensional and not empty"),
        ([[1.0]], [1, 2], 0.01, r"shape is \(1, 1\)"),
        ([1, math.nan], [1, 2], 0.01, "1 of 2 scores are NaN"),
        ([1.0], [1, 2], 0, "alpha must be between 0 and 1"),
    ],
)
def test_a_drift_check_without_scores_is_refused(scores, calibration, alpha, message):
    with pytest.raises(ValueError, match=message):
        drift(scores, calibration, alpha=alpha)


# ---------------------------------------------------------------------- detectors and command line


@pytest.fixture(scope="module")
def model():
    """A fast detector, new normal rows, and anomalous ones."""
    rng = np.random.default_rng(0)
    mixing = rng.normal(size=(2, 5))

    def rows(n, noise):
        return rng.normal(size=(n, 2)) @ mixing + noise * rng.normal(size=(n, 5))

    detector = PCAReconstruction(latent_dim=2, random_state=0).fit(rows(1500, 0.1))
    return detector, rows(200, 0.1), rows(60, 2)


def test_a_detector_detects_by_its_p_values(model, tmp_path):
    detector, normal, anomalous = model
    batch = np.concatenate([normal, anomalous])
    expected = discoveries(detector.p_value(batch), 0.2, n_held_out=150)
    np.testing.assert_array_equal(detector.detect(batch, fdr=0.2), expected)
    assert expected[200:].mean() > 0.8
    np.testing.assert_array_equal(detector.detect(iter([normal, anomalous]), fdr=0.2), expected)
    assert detector.detect(anomalous[:1]).tolist() == [True]
    with pytest.raises(ValueError, match="0 sample"):
        detector.detect(anomalous[:0])
    detector.save(tmp_path / "m")
    again = oddgan.load(tmp_path / "m")
    np.testing.assert_array_equal(again.detect(batch, fdr=0.2), expected)
    assert again.drift(batch) == detector.drift(batch)


def test_an_invalid_share_is_refused_before_scoring(model):
    with pytest.raises(ValueError, match="fdr must be between 0 and 1"):
        model[0].detect(None, fdr=1)
    with pytest.raises(ValueError, match="alpha must be between 0 and 1"):
        model[0].drift(None, alpha=0)


def test_a_detector_reports_drift_by_its_threshold(model):
    detector, normal, anomalous = model
    result = detector.drift(normal)
    assert not result.drifted
    assert result.flagged_share == np.mean(detector.predict(normal) == -1)
    assert result.expected_share == 7 / 151  # target_fpr=0.05: k = ceil(151 * .95) = 144
    assert detector.drift(np.concatenate([normal, anomalous])).drifted
    other = PCAReconstruction(target_fpr=0.2, random_state=0).fit(normal)
    other.set_params(target_fpr=0.01)  # does not move the threshold
    assert other.drift(anomalous).expected_share == pytest.approx(0.2, abs=0.05)


def invoke(*words):
    """Run a command."""
    return CliRunner().invoke(cli.app, [str(word) for word in words])


def test_discoveries_and_drift_on_the_command_line(model, tmp_path, monkeypatch):
    detector, normal, anomalous = model
    monkeypatch.chdir(tmp_path)
    detector.save("m")
    np.save("normal.npy", normal)
    np.save("both.npy", np.concatenate([normal, anomalous]))
    scored = invoke("score", "m", "both.npy", "--fdr", 0.2, "--json")
    result = json.loads(scored.stdout)
    flagged = detector.detect(np.concatenate([normal, anomalous]), fdr=0.2)
    assert [sample["flagged"] for sample in result["samples"]] == flagged.tolist()
    assert result["flagged"] == flagged.sum()
    assert result["fdr"] == 0.2
    assert json.loads(invoke("score", "m", "both.npy", "--json").stdout)["fdr"] is None
    assert "(false discovery rate 0.2)" in invoke("score", "m", "both.npy", "--fdr", 0.2).output
    assert "fdr must be" in str(invoke("score", "m", "both.npy", "--fdr", 2).exception)
    same = invoke("drift", "m", "normal.npy")
    assert (same.exit_code, same.stdout[:9]) == (0, "No drift.")
    moved = invoke("drift", "m", "both.npy")
    assert (moved.exit_code, moved.stdout[:6]) == (3, "Drift.")
    report = invoke("drift", "m", "both.npy", "--json", "--alpha", 0.05)
    assert report.exit_code == 3
    assert json.loads(report.stdout)["alpha"] == 0.05
    assert json.loads(report.stdout)["drifted"] is True


def test_drift_on_the_training_data_gives_a_warning(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    np.save("rows.npy", np.random.default_rng(0).normal(size=(200, 3)))
    np.save("others.npy", np.random.default_rng(1).normal(size=(200, 3)))
    assert invoke("fit", "pcareconstruction", "rows.npy", "--out", "m", "--quiet").exit_code == 0
    with pytest.warns(UserWarning, match="fitted on rows of this data"):
        invoke("drift", "m", "rows.npy")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert invoke("drift", "m", "others.npy").exit_code in (0, 3)


@pytest.mark.parametrize("method", ["predict", "p_value", "detect", "drift"])
def test_a_score_other_than_that_of_the_fit_cannot_decide(method, table):
    detector = fitted(EGBAD, "table").set_params(score_name="feature_matching")
    detector.anomaly_score(table)
    with pytest.raises(ValueError, match="held-out scores are those of score_name='sigma'"):
        getattr(detector, method)(table)
