"""Metrics, intervals, map metrics and comparisons against values by hand and by brute force."""

import dataclasses
import json
import math

import numpy as np
import pandas as pd
import pytest
from scipy import ndimage, stats

from oddgan.evaluation import evaluate_scores
from oddgan.evaluation.comparison import compare
from oddgan.evaluation.intervals import bootstrap_intervals, paired_difference
from oddgan.evaluation.maps import PixelMetrics, evaluate_maps
from oddgan.evaluation.metrics import LOWER_IS_BETTER, METRICS, Metrics
from oddgan.evaluation.promises import Promises

pytestmark = pytest.mark.usefixtures("global_random_state_untouched")


# Metrics.

#                  odd       odd                 odd
Y = np.array([0, 1, 0, 1, 0, 0, 0, 1, 0, 0])
S = np.array([0.1, 0.9, 0.8, 0.7, 0.6, 0.5, 0.4, 0.3, 0.2, 0.0])


def test_metrics_equal_values_by_hand():
    m = evaluate_scores(Y, S, threshold=0.55)
    assert (m.n, m.n_anomalies, m.prevalence) == (10, 3, 0.3)
    # Of 21 pairs, .9 wins 7, .7 wins 6, .3 wins 3.
    assert m.auroc == pytest.approx(16 / 21)
    # Precision 1, 2/3, 3/7 where recall reaches 1/3, 2/3, 1.
    hits = [1, 2 / 3, 3 / 7]
    assert m.average_precision == pytest.approx(sum(hits) / 3)
    # Trapezoids join (0, 1), (1/3, 1), (1/3, 1/2), (2/3, 2/3), (2/3, 1/3), (1, 3/7).
    assert m.auprc == pytest.approx((1 + (1 / 2 + 2 / 3) / 2 + (1 / 3 + 3 / 7) / 2) / 3)
    # To find .9, .7 and .3, flag also .8, .6, .5 and .4; two of three would be too few.
    assert m.fpr_at_95_tpr == pytest.approx(4 / 7)
    # Above .55: .9 (odd), .8, .7 (odd), .6.
    assert (m.precision, m.recall, m.fpr) == (2 / 4, 2 / 3, 2 / 7)
    assert m.f1 == pytest.approx(4 / 7)
    # The known rate is 3 of 10: .9, .8, .7.
    assert (m.flag_rate, m.flagged) == (0.3, 0.3)
    assert m.precision_at_rate == m.recall_at_rate == 2 / 3
    assert m.f1_at_rate == m.oracle_f1 == pytest.approx(2 / 3)


def test_threshold_is_exclusive_and_may_be_missing():
    assert evaluate_scores([0, 1], [0.5, 0.5], threshold=0.5).recall == 0
    m = evaluate_scores([0, 1], [0.5, 0.5])
    assert (m.threshold, m.precision, m.recall, m.f1, m.fpr) == (None,) * 5


def test_nothing_flagged_is_zero_without_a_warning(recwarn):
    m = evaluate_scores(Y, S, threshold=2.0)
    assert (m.precision, m.recall, m.f1, m.fpr) == (0, 0, 0, 0)
    assert not recwarn.list


def test_ties_at_the_known_rate_are_flagged_together():
    scores = [3.0, 2.0, 2.0, 2.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0]
    m = evaluate_scores([1, 1, 0, 0, 0, 0, 0, 0, 0, 0], scores, flag_rate=0.2)
    assert (m.flag_rate, m.flagged) == (0.2, 0.4)
    assert (m.precision_at_rate, m.recall_at_rate) == (0.5, 1.0)
    # Whatever the order of the rows.
    order = np.random.default_rng(0).permutation(10)
    again = evaluate_scores(
        np.eye(10)[:2].sum(axis=0)[order], np.array(scores)[order], flag_rate=0.2
    )
    assert again == m


@pytest.mark.parametrize("k", range(1, 12))
def test_the_default_rate_flags_as_many_as_there_are_anomalies(k):
    y = np.arange(12) < k
    m = evaluate_scores(y, np.random.default_rng(k).permutation(12))
    assert m.flagged == pytest.approx(k / 12)
    assert m.precision_at_rate == m.recall_at_rate


@pytest.mark.parametrize(
    ("y", "scores", "rate", "message"),
    [
        ([0, 1, 1], [0.1, 0.2], None, r"shapes are \(3,\) and \(2,\)"),
        ([[0], [1]], [[0.1], [0.2]], None, "one-dimensional"),
        ([0, 0], [0.1, 0.2], None, "0 anomalies in 2"),
        ([1, 1], [0.1, 0.2], None, "2 anomalies in 2"),
        ([], [], None, "0 anomalies in 0"),
        ([1, -1], [0.1, 0.2], None, "only 0"),
        (["a", "b"], [0.1, 0.2], None, "only 0"),
        ([0, 1], [0.1, math.nan], None, "1 of 2 scores are NaN"),
        ([0, 1], [0.1, math.inf], None, "infinite"),
        ([0, 1], [0.1, 0.2], 0.0, "between 0 and 1"),
        ([0, 1], [0.1, 0.2], 1.5, "between 0 and 1"),
    ],
)
def test_bad_input_is_refused(y, scores, rate, message):
    with pytest.raises(ValueError, match=message):
        evaluate_scores(y, scores, flag_rate=rate)


def test_metrics_go_through_json():
    m = evaluate_scores(Y == 1, S.astype(np.float32), threshold=np.float32(0.5))
    assert json.loads(json.dumps(m.as_dict())) == m.as_dict()
    assert m.as_dict()["auroc"] == pytest.approx(16 / 21)


def test_19_of_20_anomalies_are_enough_for_95_percent():
    y = np.repeat([1, 0], [20, 10])
    scores = np.repeat([3.0, 2.0, 1.0], [18, 7, 5])
    scores[18:20] = [2.5, 0.0]
    assert evaluate_scores(y, scores).fpr_at_95_tpr == 0
    scores[18] = 1.5  # below 5 of the 10 normal samples
    assert evaluate_scores(y, scores).fpr_at_95_tpr == 0.5
    assert evaluate_scores(y, np.zeros(30)).fpr_at_95_tpr == 1
    # Also where the points of the ROC curve lie on one line: 19 of 20 either way.
    assert evaluate_scores(np.tile([0, 1], 20), np.arange(40) // 2).fpr_at_95_tpr == 0.95


def test_every_metric_is_defined_in_one_sentence():
    classes = (Metrics, PixelMetrics, Promises)
    fields = {f.name for cls in classes for f in dataclasses.fields(cls)}
    counts = {"n", "n_anomalies", "n_regions", "n_held_out", "threshold", "flag_rate", "intervals"}
    assert METRICS.keys() == fields - counts
    assert METRICS.keys() > LOWER_IS_BETTER
    for text in METRICS.values():
        assert text.endswith(".")
        assert ". " not in text


# Intervals.

INTERVALS = sorted(
    METRICS.keys()
    - {"prevalence"}
    - {f.name for cls in (PixelMetrics, Promises) for f in dataclasses.fields(cls)}
)


def tied_scores(n, n_odd, seed=0):
    rng = np.random.default_rng(seed)
    y = rng.permutation(n) < n_odd
    return y, np.round(rng.normal(size=n) + y, 1)


def brute_force(y, n_resamples, seed=0):
    """Yield the rows of each resample: anomalies are drawn first, then normal samples."""
    rng = np.random.default_rng(seed)
    for _ in range(n_resamples):
        parts = [np.flatnonzero(y), np.flatnonzero(~y)]
        yield np.concatenate([part[rng.integers(len(part), size=len(part))] for part in parts])


@pytest.mark.parametrize(("n", "n_odd"), [(40, 10), (7, 1), (25, 24)])
@pytest.mark.parametrize("flag_rate", [None, 0.15])
def test_intervals_are_those_of_evaluate_scores_on_each_resample(n, n_odd, flag_rate):
    y, scores = tied_scores(n, n_odd)
    options = {"threshold": 0.5, "flag_rate": flag_rate}
    intervals = bootstrap_intervals(y, scores, metrics=INTERVALS, n_resamples=50, seed=3, **options)
    measured = [
        evaluate_scores(y[rows], scores[rows], **options).as_dict()
        for rows in brute_force(y, 50, seed=3)
    ]
    assert list(intervals) == INTERVALS
    for name, interval in intervals.items():
        expected = np.quantile([m[name] for m in measured], [0.025, 0.975])
        assert interval == pytest.approx(tuple(expected), abs=1e-12), name


def test_an_interval_holds_the_truth_as_often_as_it_says():
    # Scores of normal samples are N(0, 1), of anomalies N(1, 1): the AUROC is Φ(1/√2).
    truth = stats.norm.cdf(math.sqrt(0.5))
    y = np.arange(150) < 50
    for confidence, low, high in ((0.95, 0.91, 0.99), (0.5, 0.42, 0.58)):
        inside = 0
        for seed in range(150):
            scores = np.random.default_rng(seed).normal(size=150) + y
            (interval,) = bootstrap_intervals(
                y, scores, metrics=["auroc"], confidence=confidence, n_resamples=100, seed=seed
            ).values()
            inside += interval[0] <= truth <= interval[1]
        # Two standard errors of the share of 150 at either side.
        assert low <= inside / 150 <= high


def test_more_resamples_for_small_test_sets():
    for n, expected in ((60, 1000), (20_001, 200)):
        y, scores = tied_scores(n, n // 3)
        first, other, third = (
            bootstrap_intervals(y, scores, metrics=["auroc"], n_resamples=number)
            for number in (None, expected, expected + 1)
        )
        assert first == other != third
    assert bootstrap_intervals(y, scores, metrics=["auroc"], seed=1) != other


def test_metrics_at_the_threshold_need_one():
    y, scores = tied_scores(40, 10)
    without = bootstrap_intervals(y, scores, n_resamples=5)
    assert "f1" not in without
    assert set(bootstrap_intervals(y, scores, threshold=1.0, n_resamples=5)) - set(without) == {
        "f1"
    }
    with pytest.raises(ValueError, match="f1 is measured at the models' own thresholds"):
        paired_difference(y, scores, scores, "f1")


@pytest.mark.parametrize("metric", ["average_precision", "fpr_at_95_tpr", "f1"])
def test_a_paired_difference_draws_the_same_samples_for_both(metric):
    y, a = tied_scores(60, 20)
    b = -np.exp(-a - 0.5 * np.random.default_rng(1).normal(size=60))  # on another scale
    thresholds = (0.5, -0.5)
    result = paired_difference(y, a, b, metric, thresholds=thresholds, n_resamples=50, seed=3)

    def difference(rows):
        of_a, of_b = (
            evaluate_scores(y[rows], s[rows], threshold=t).as_dict()[metric]
            for s, t in zip((a, b), thresholds, strict=True)
        )
        return of_a - of_b

    differences = np.array([difference(rows) for rows in brute_force(y, 50, seed=3)])
    assert result.difference == pytest.approx(difference(np.arange(60)), abs=1e-12)
    assert (result.low, result.high) == pytest.approx(
        tuple(np.quantile(differences, [0.025, 0.975])), abs=1e-12
    )
    better = -differences if metric == "fpr_at_95_tpr" else differences
    even = np.abs(differences) < 1e-12
    assert result.p_better == pytest.approx(np.mean((better > 0) & ~even) + np.mean(even) / 2)
    assert 0 < result.p_better < 1


def test_a_score_is_no_better_than_itself_and_worse_than_the_truth():
    y, scores = tied_scores(60, 20)
    same = paired_difference(y, scores, 2 * scores + 1, "auroc", n_resamples=20)
    assert dataclasses.astuple(same) == (0, 0, 0, 0.5)
    for metric in ("auroc", "fpr_at_95_tpr"):
        assert paired_difference(y, y, scores, metric, n_resamples=20).p_better == 1
        assert paired_difference(y, scores, y, metric, n_resamples=20).p_better == 0


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"metrics": ["auroc", "prevalence"]}, "no interval can be computed for 'prevalence'"),
        ({"confidence": 95}, "confidence is 95"),
        ({"n_resamples": 0}, "n_resamples is 0"),
        ({"flag_rate": 1.0}, "flag_rate is 1.0"),
    ],
)
def test_bad_options_of_intervals_are_refused(options, message):
    with pytest.raises(ValueError, match=message):
        bootstrap_intervals(*tied_scores(20, 5), **options)


# Maps.

# One pixel, and three in a row; ten normal pixels.
MASK = np.array([[1, 0, 1, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0]])
MAP = np.array([[0.7, 0.8, 0.9, 0.6, 0.4, 0.5, 0.3, 0.3, 0.3, 0.3, 0.3, 0.3, 0.3, 0.3]])


def test_map_metrics_equal_values_by_hand():
    m = evaluate_maps([MASK], [MAP])
    assert (m.n_regions, m.pixel_prevalence) == (2, 4 / 14)
    # Of 40 pairs, .9 wins 10, .7 and .6 win 9 each, .4 wins 8.
    assert m.pixel_auroc == pytest.approx(36 / 40)
    assert m.pixel_average_precision == pytest.approx((1 + 2 / 3 + 3 / 4 + 4 / 6) / 4)
    # Overlap 1/6 until a tenth of the normal pixels is flagged, 5/6 until two tenths, then 1.
    assert m.aupro == pytest.approx((1 / 6 + 5 / 6 + 1) / 3)
    assert evaluate_maps([MASK], [MAP], max_fpr=0.15).aupro == pytest.approx((2 / 6 + 5 / 6) / 3)
    assert evaluate_maps([MASK], [MAP], max_fpr=1).aupro == pytest.approx((1 / 6 + 5 / 6 + 8) / 10)
    assert json.loads(json.dumps(m.as_dict())) == m.as_dict()


def test_a_small_region_counts_as_much_as_a_large_one():
    only_small, only_large = (MASK * (np.arange(14) == 0), MASK * (np.arange(14) > 0))
    # Half of the regions at once, the other half along the line from (0, 1/2) to (1, 1).
    for anomaly_map, pixels in ((only_small, 1), (only_large, 3)):
        m = evaluate_maps([MASK], [anomaly_map])
        assert m.aupro == pytest.approx((0.5 + 0.65) / 2)
        assert m.pixel_auroc == pytest.approx((pixels + (4 - pixels) / 2) / 4)


def test_ties_are_one_step_and_the_limit_is_met_on_a_line():
    # One anomalous pixel tied with two of four normal ones: (0, 0), (1/2, 1), (1, 1).
    args = [[[1, 0, 0, 0, 0]]], [[[0.5, 0.5, 0.5, 0.0, 0.0]]]
    assert evaluate_maps(*args).aupro == pytest.approx(0.3)
    assert evaluate_maps(*args, max_fpr=0.5).aupro == pytest.approx(0.5)
    assert evaluate_maps(*args, max_fpr=1).aupro == pytest.approx(0.75)


def test_constant_and_perfect_maps():
    masks = np.zeros((2, 5, 6), bool)
    masks[0, 1:3, 2:5] = masks[0, 4, 0] = True
    flat = evaluate_maps(masks, np.ones(masks.shape))
    assert (flat.pixel_auroc, flat.pixel_average_precision) == (0.5, 7 / 60)
    assert flat.aupro == pytest.approx(0.15)
    best = evaluate_maps(masks, masks.astype(np.float32))
    assert (best.pixel_auroc, best.pixel_average_precision, best.aupro) == (1, 1, 1)


def test_images_without_defects_count_and_sizes_may_differ():
    alone = evaluate_maps([MASK], [MAP])
    # Ten more normal pixels above all: no overlap until half of the normal pixels are flagged.
    m = evaluate_maps([MASK, np.zeros((2, 5))], [MAP, np.ones((2, 5))], max_fpr=0.6)
    assert (m.n_regions, m.pixel_prevalence) == (2, 4 / 24)
    assert m.aupro == pytest.approx((0.05 / 6 + 0.05 * 5 / 6) / 0.6)
    # Below all, they halve the share of normal pixels flagged at each threshold.
    below = evaluate_maps([MASK, np.zeros((2, 5))], [MAP, np.zeros((2, 5))], max_fpr=0.15)
    assert below.aupro == pytest.approx(alone.aupro)


def test_pixels_that_touch_at_a_corner_are_one_region():
    mask = np.array([[1, 0, 0, 0], [0, 1, 0, 0], [0, 0, 0, 1]])
    m = evaluate_maps([mask, mask[::-1]], [mask, mask])
    assert m.n_regions == 4


def test_aupro_equals_a_loop_over_all_thresholds():
    rng = np.random.default_rng(0)
    masks = ndimage.binary_dilation(rng.random((3, 12, 12)) < 0.03, np.ones((1, 2, 3)))
    maps = np.round(rng.normal(size=masks.shape) + masks, 1)
    regions = []
    for i, mask in enumerate(masks):
        labels, n = ndimage.label(mask, np.ones((3, 3)))
        regions += [maps[i][labels == j] for j in range(1, n + 1)]
    thresholds = [math.inf, *np.unique(maps)[::-1]]
    fpr = [np.mean(maps[~masks] >= t) for t in thresholds]
    overlap = [np.mean([np.mean(region >= t) for region in regions]) for t in thresholds]
    fine = np.linspace(0, 0.3, 200_001)
    expected = np.mean(np.interp(fine, fpr, overlap))
    m = evaluate_maps(masks, maps)
    assert m.n_regions == len(regions) > 5
    assert m.aupro == pytest.approx(expected, abs=1e-5)


@pytest.mark.parametrize(
    ("masks", "maps", "options", "message"),
    [
        ([MASK], [MAP, MAP], {}, "1 masks and 2 maps"),
        ([MASK, MASK], [MAP, MAP.T], {}, r"mask 1 and map 1 .* \(1, 14\) and \(14, 1\)"),
        (MASK[0], MAP[0], {}, r"mask 0 and map 0 must be of one shape"),
        (MASK[None, None], MAP[None, None], {}, r"\(h, w\)"),
        ([MASK * 255], [MAP], {}, "mask 0 must hold only 0"),
        ([MASK], [np.where(MAP == 0.7, math.nan, MAP)], {}, "1 of 14 values of map 0"),
        ([MASK * 0], [MAP], {}, "0 of 14 pixels"),
        ([MASK * 0 + 1], [MAP], {}, "14 of 14 pixels"),
        ([], [], {}, "0 of 0 pixels"),
        ([MASK], [MAP], {"max_fpr": 0}, "max_fpr is 0"),
        ([MASK], [MAP], {"max_fpr": 30}, "max_fpr is 30"),
    ],
)
def test_bad_maps_are_refused(masks, maps, options, message):
    with pytest.raises(ValueError, match=message):
        evaluate_maps(masks, maps, **options)


# Comparisons.


def test_ranks_and_tests_equal_values_by_hand():
    table = pd.DataFrame(
        {"a": [0.9, 0.8, 0.9, 0.5], "b": [0.6, 0.7, 0.5, 0.7], "c": [0.5, 0.6, 0.55, 0.4]}
    )
    result = compare(table)
    assert result.average_ranks == {"a": 1.25, "b": 2.0, "c": 2.75}
    # 12 n / (k (k + 1)) times the sum of squared ranks less k (k + 1)² / 4; p with 2 degrees.
    assert result.friedman_statistic == pytest.approx(4 * (1.25**2 + 2**2 + 2.75**2 - 12))
    assert result.friedman_p == pytest.approx(math.exp(-4.5 / 2))
    # Differences .3, .1, .4, -.2: rank 2 is negative; 0, 1 or 2 are so for 3 of 16 signs.
    ab = result.pair("a", "b")
    assert (ab.a, ab.b, ab.wins, ab.ties, ab.losses) == ("a", "b", 3, 0, 1)
    assert ab.p == 6 / 16
    assert result.pair("b", "a") is ab
    assert result.pair("a", "c").p == result.smallest_p == 2 / 16
    assert result.note.startswith("With 4 data sets no pair can reach p < 0.125")
    assert [(p.a, p.b) for p in result.pairs] == [("a", "b"), ("a", "c"), ("b", "c")]
    with pytest.raises(ValueError, match="no pair 'a' and 'd'; there are a, b, c"):
        result.pair("a", "d")
    assert json.loads(json.dumps(result.as_dict()))["pairs"][0]["p"] == 6 / 16


def test_errors_are_ranked_the_other_way():
    table = pd.DataFrame({"a": [0.1, 0.2, 0.1], "b": [0.3, 0.2, 0.4]})
    result = compare(table, greater_is_better=False)
    assert result.average_ranks == pytest.approx({"a": 3.5 / 3, "b": 5.5 / 3})
    (pair,) = result.pairs
    assert (pair.wins, pair.ties, pair.losses) == (2, 1, 0)
    assert (result.friedman_statistic, result.friedman_p) == (None, None)


def test_equal_cells_and_equal_differences_tie():
    # 0.9 - 0.8, 0.8 - 0.7 and 0.7 - 0.8 have one size but for rounding; they share a rank.
    table = pd.DataFrame({"a": [0.9, 0.8, 0.7, 0.5], "b": [0.8, 0.7, 0.8, 0.5]})
    (pair,) = compare(table).pairs
    assert (pair.wins, pair.ties, pair.losses, pair.p) == (2, 1, 1, 1.0)
    table.loc[2] = [0.8, 0.7]
    assert compare(table).pairs[0].p == 2 / 8
    table["b"] = table["a"]
    table["c"] = table["a"]
    result = compare(table)
    assert (result.friedman_statistic, result.friedman_p) == (0, 1)
    assert {p.p for p in result.pairs} == {1.0}
    assert set(result.average_ranks.values()) == {2.0}


def test_holm_by_hand():
    c = np.array([1.0, 2.0, 3.0, 4.0, 5.0, 6.0])
    # b is better than c by 1, 3 and 5, worse by 2, 4 and 6: 28 of 64 signs are as even as that.
    b = c + np.array([1, -2, 3, -4, 5, -6]) / 100
    result = compare(pd.DataFrame({"a": b + c, "b": b, "c": c}))
    assert [p.p for p in result.pairs[:2]] == [2 / 64, 2 / 64]
    even = result.pairs[2].p
    assert even == stats.wilcoxon(b, c, method="exact").pvalue > 0.5
    # Times 3, times 2 but not below the first, times 1.
    assert [p.p_holm for p in result.pairs] == [6 / 64, 6 / 64, even]
    assert (result.smallest_p, result.note) == (2 / 64, "")


@pytest.mark.parametrize("n", [9, 13, 20])
def test_a_comparison_equals_scipy(n):
    values = np.random.default_rng(n).normal([0, 0.5, 1, 0.2], size=(n, 4))
    table = pd.DataFrame(values, columns=list("abcd"))
    result = compare(table)
    friedman = stats.friedmanchisquare(*values.T)
    assert result.friedman_statistic == pytest.approx(friedman.statistic)
    assert result.friedman_p == pytest.approx(friedman.pvalue)
    for pair in result.pairs:
        expected = stats.wilcoxon(table[pair.a], table[pair.b], method="exact")
        assert pair.p == pytest.approx(expected.pvalue)
        assert pair.wins + pair.losses == n


def test_bad_tables_are_refused():
    table = pd.DataFrame({"a": [0.9, 0.8], "b": [0.8, math.nan]}, index=["kdd", "mnist 3"])
    with pytest.raises(ValueError, match="b has no finite value on mnist 3"):
        compare(table)
    with pytest.raises(ValueError, match="two detectors or more; the table has 1"):
        compare(table[["a"]])
    with pytest.raises(ValueError, match="no rows"):
        compare(table.iloc[:0])
    with pytest.raises(ValueError, match="more than one column 'a'"):
        compare(table[["a", "a"]])
    comparison = compare(table.iloc[:1])
    assert (comparison.smallest_p, comparison.pairs[0].p) == (1.0, 1.0)
