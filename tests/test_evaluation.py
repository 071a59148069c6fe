"""Metrics against values by hand, protocols against the papers' counts, baselines as measured."""

import json
import math

import numpy as np
import pandas as pd
import pytest
from rich.console import Console

from oddgan import datasets
from oddgan.datasets import Dataset
from oddgan.evaluation import (
    BASELINES,
    KDD99,
    PROTOCOLS,
    Labelled,
    OneClassAnomalous,
    OneClassNormal,
    baseline_matrix,
    default_protocol,
    evaluate_scores,
    from_dict,
    markdown_table,
    results_table,
    run_baselines,
)


@pytest.fixture(autouse=True)
def _global_random_state_untouched():
    before = np.random.get_state()  # noqa: NPY002 (it is this state that must not move)
    yield
    after = np.random.get_state()  # noqa: NPY002
    assert before[2] == after[2]
    assert (before[1] == after[1]).all()


@pytest.fixture(scope="module")
def kdd():
    info = next(i for i in datasets.available() if i.name == "kddcup99")
    if not info.present:
        pytest.skip(f"kddcup.data_10_percent.gz is not in the data home {datasets.data_home()}")
    return datasets.load("kddcup99", progress=False)


@pytest.fixture(scope="module")
def kdd_scores(kdd):
    split = KDD99().split(kdd)
    return split, run_baselines(kdd, split)


def images(official=True):
    """100 images of classes 0 to 4; every fifth row is in the official test part."""
    rng = np.random.default_rng(0)
    train = np.arange(100) % 5 != 0 if official else None
    X = rng.integers(0, 256, (100, 4, 4), dtype=np.uint8)
    return Dataset("toy", "image", X, rng.permutation(100) % 5, train, "")


def table(n=200, **columns):
    """Give a table labelled 0 and 1, with 20 anomalies far off in column a."""
    rng = np.random.default_rng(1)
    y = (np.arange(n) % (n // 20) == 0).astype(int)
    X = pd.DataFrame({"a": rng.normal(size=n) + 8 * y, "b": rng.normal(size=n), **columns})
    return Dataset("mine", "table", X, y, None, "")


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


# Protocols.

EXAMPLES = [
    (OneClassAnomalous(3), images()),
    (OneClassAnomalous(3, pooled=False), images()),
    (OneClassNormal(3), images()),
    (OneClassNormal(3), images(official=False)),
    (Labelled(), table()),
    (
        KDD99(),
        Dataset("kddcup99", "table", table().X, np.array(["normal.", "smurf."] * 100), None, ""),
    ),
]


@pytest.mark.parametrize(("protocol", "data"), EXAMPLES)
def test_every_protocol_keeps_its_promises(protocol, data):
    split = protocol.split(data)
    assert not set(split.train) & set(split.test)
    assert len(split.train) > 0
    assert set(split.y_test) == {0, 1}
    assert split.y_test.shape == split.test.shape
    # What trains has only classes that are normal in the test.
    odd = set(data.y[split.test][split.y_test == 1])
    assert not odd & set(data.y[split.train])
    again = from_dict(json.loads(json.dumps(protocol.to_dict())))
    assert again == protocol
    np.testing.assert_array_equal(again.split(data).train, split.train)
    np.testing.assert_array_equal(again.split(data).test, split.test)


def test_every_protocol_has_an_example():
    assert {type(protocol) for protocol, _ in EXAMPLES} == set(PROTOCOLS.values())


@pytest.mark.parametrize(
    ("build", "data"),
    [
        (lambda seed: OneClassAnomalous(3, seed=seed), images()),
        (lambda seed: OneClassNormal(3, seed=seed), images(official=False)),
        (lambda seed: Labelled(seed=seed), table()),
        (lambda seed: KDD99(seed=seed), EXAMPLES[-1][1]),
    ],
)
def test_another_seed_is_another_split(build, data):
    one, other = build(1).split(data), build(2).split(data)
    assert set(one.train) != set(other.train)


def test_pooled_counts():
    split = OneClassAnomalous(3).split(images())
    # 80 normal rows: 64 train, 16 test with the 20 anomalous ones.
    assert (len(split.train), len(split.test), split.y_test.sum()) == (64, 36, 20)


def test_official_split_keeps_its_parts():
    data = images()
    split = OneClassAnomalous(3, pooled=False).split(data)
    assert data.train[split.train].all()
    np.testing.assert_array_equal(split.test, np.flatnonzero(~data.train))
    np.testing.assert_array_equal(split.y_test, data.y[split.test] == 3)
    with pytest.raises(ValueError, match="toy has no official split"):
        OneClassAnomalous(3, pooled=False).split(images(official=False))


def test_one_class_normal_counts():
    data = images()
    split = OneClassNormal(3).split(data)
    np.testing.assert_array_equal(split.train, np.flatnonzero(data.train & (data.y == 3)))
    np.testing.assert_array_equal(split.y_test, data.y[split.test] != 3)
    split = OneClassNormal(3).split(images(official=False))
    assert (len(split.train), len(split.test), split.y_test.sum()) == (16, 84, 80)


def test_labelled_counts():
    split = Labelled().split(table())
    assert (len(split.train), len(split.test), split.y_test.sum()) == (126, 74, 20)


def test_an_empty_part_is_refused():
    data = Dataset("one", "image", np.zeros((4, 2, 2)), np.array([0, 0, 0, 0]), None, "")
    with pytest.raises(ValueError, match="0 rows to train on"):
        OneClassAnomalous(0).split(data)
    with pytest.raises(ValueError, match="0 anomalous rows to test on"):
        OneClassNormal(0).split(data)
    with pytest.raises(ValueError, match="0 normal and 20 anomalous"):
        Labelled(train_fraction=1.0).split(table())


def test_default_protocols():
    assert default_protocol(EXAMPLES[-1][1], seed=7) == KDD99()
    assert default_protocol(images(), anomaly=3, seed=7) == OneClassAnomalous(3, seed=7)
    assert default_protocol(images(), normal="3", seed=7) == OneClassNormal("3", seed=7)
    assert default_protocol(table(), seed=7) == Labelled(seed=7)
    assert default_protocol(EXAMPLES[-1][1], anomaly="smurf.") == Labelled("smurf.")
    with pytest.raises(ValueError, match="not both"):
        default_protocol(images(), anomaly=1, normal=2)
    with pytest.raises(ValueError, match=r"toy does not say what is anomalous.*0, 1, 2, 3, 4"):
        default_protocol(images())
    for side in ("anomaly", "normal"):
        with pytest.raises(ValueError, match="toy has no class 'cat'; its classes are 0, 1, 2"):
            default_protocol(images(), **{side: "cat"})


def test_from_dict_names_what_is_wrong():
    with pytest.raises(ValueError, match="'kdd'; there are one-class-anomalous, one-class-normal"):
        from_dict({"name": "kdd"})
    with pytest.raises(ValueError, match=r"protocol kdd99: .*'speed'"):
        from_dict({"name": "kdd99", "speed": 1})
    with pytest.raises(ValueError, match=r"protocol one-class-normal: .*'normal'"):
        from_dict({"name": "one-class-normal"})


@pytest.mark.realdata
def test_kdd_protocol_has_the_papers_counts(kdd):
    split = KDD99().split(kdd)
    assert len(split.train) == 198_361
    assert len(split.test) == 247_011
    assert (split.y_test == 0).sum() == 198_382
    assert split.y_test.sum() == 48_629
    assert split.flag_rate == 0.2
    assert not kdd.is_class("normal.")[split.train].any()
    assert not set(split.train) & set(split.test)


@pytest.mark.realdata
def test_mnist_protocol_has_the_papers_prevalence():
    info = next(i for i in datasets.available() if i.name == "mnist")
    if not info.present:
        pytest.skip(f"the files of mnist are not in the data home {datasets.data_home()}")
    mnist = datasets.load("mnist", progress=False)
    for digit, prevalence in ((1, 0.388), (4, 0.351), (5, 0.331), (7, 0.368), (9, 0.356)):
        split = OneClassAnomalous(digit).split(mnist)
        assert split.y_test.mean() == pytest.approx(prevalence, abs=5e-4)
        assert len(split.train) == int((mnist.y != digit).sum() * 0.8)


# Baselines.


@pytest.mark.realdata
def test_kdd_matrix_has_121_columns(kdd):
    matrix = baseline_matrix(kdd)
    assert matrix.shape == (494_021, 121)
    names = [name for name in matrix.columns if name.startswith("service_")]
    assert len(names) == 66
    assert (matrix[names].sum(axis=1) == 1).all()


@pytest.mark.realdata
@pytest.mark.parametrize(
    ("name", "precision", "recall", "f1", "auroc"),
    [
        ("minus_count", 0.9242, 0.9392, 0.9317, 0.988),
        ("mean_distance", 0.0910, 0.0924, 0.0917, 0.737),
        ("pca_reconstruction", 0.8843, 0.8983, 0.8912, 0.983),
        ("isolation_forest", 0.9139, 0.9290, 0.9214, 0.989),
    ],
)
def test_kdd_baselines_reach_what_was_measured(kdd_scores, name, precision, recall, f1, auroc):
    split, scores = kdd_scores
    m = evaluate_scores(split.y_test, scores[name], flag_rate=split.flag_rate)
    # The forest may change with scikit-learn's version, PCA's last digits with the solver.
    within = {"isolation_forest": 5e-3, "pca_reconstruction": 1e-3}.get(name, 6e-5)
    assert m.precision_at_rate == pytest.approx(precision, abs=within)
    assert m.recall_at_rate == pytest.approx(recall, abs=within)
    assert m.f1_at_rate == pytest.approx(f1, abs=within)
    assert m.auroc == pytest.approx(auroc, abs=6e-4 + within)


def test_mean_distance_by_hand():
    train = np.array([[0.0, 0.0], [2.0, 0.0]], np.float32)
    test = np.array([[1.0, 0.0], [4.0, 4.0]], np.float32)
    assert BASELINES["mean_distance"](train, test).tolist() == [0.0, 5.0]
    # A table's columns are scaled by the training rows: here by 1/2 and by 1.
    frames = [pd.DataFrame(part, columns=["a", "b"]) for part in (train, test)]
    assert BASELINES["mean_distance"](*frames) == pytest.approx([0.0, math.hypot(1.5, 4.0)])


def test_pca_residual_is_what_leaves_the_plane():
    rng = np.random.default_rng(0)
    plane = np.zeros((50, 4), np.float32)
    plane[:, :2] = rng.normal(size=(50, 2))
    test = plane[:2] + np.array([[0, 0, 0, 0], [0, 0, 3, 4]], np.float32)
    assert BASELINES["pca_reconstruction"](plane, test) == pytest.approx([0.0, 5.0], abs=1e-5)


def test_a_mixed_table_with_gaps_can_be_scored():
    rng = np.random.default_rng(3)
    data = table(
        kind=rng.choice(["x", "y"], 200),
        ident=[f"id{i}" for i in range(200)],
        flag=rng.random(200) < 0.5,
        gaps=np.where(rng.random(200) < 0.3, np.nan, 1.0),
        empty=np.full(200, np.nan),
    )
    matrix = baseline_matrix(data)
    # a, b, gaps, empty; x, y; the commonest 100 identifiers; False, True.
    assert matrix.shape == (200, 4 + 2 + 100 + 2)
    split = Labelled().split(data)
    scores = run_baselines(data, split)
    assert set(scores) == {"mean_distance", "pca_reconstruction", "isolation_forest"}
    assert evaluate_scores(split.y_test, scores["isolation_forest"]).auroc > 0.7
    again = run_baselines(data, split)
    for name in scores:
        assert np.isfinite(scores[name]).all()
        np.testing.assert_array_equal(scores[name], again[name])


def test_baselines_find_the_odd_digit():
    digits = datasets.load("digits")
    split = OneClassNormal(0).split(digits)
    scores = run_baselines(digits, split, ["pca_reconstruction", "isolation_forest"])
    for values in scores.values():
        assert evaluate_scores(split.y_test, values).auroc > 0.95
    with pytest.raises(ValueError, match="no baseline is called 'pca'; there are minus_count"):
        run_baselines(digits, split, ["pca"])


def test_pixels_are_brought_to_one():
    matrix = baseline_matrix(images())
    assert matrix.shape == (100, 16)
    assert matrix.dtype == np.float32
    assert 0.9 < matrix.max() <= 1.0
    assert baseline_matrix(datasets.load("digits")).max() == 1.0


# Tables.


def test_tables_show_mean_and_spread():
    other = evaluate_scores(Y, -S)
    rows = [("egbad", [evaluate_scores(Y, S, threshold=0.55), other]), ("pca", [other])]
    lines = markdown_table(rows).splitlines()
    assert lines[0].startswith("| method | AUROC | AUPRC | prev. | P own |")
    assert lines[2].startswith("| egbad | .5000 ±.370 |")  # 16/21 and 5/21
    assert lines[3].startswith("| pca | .2381 |")
    assert "| .3000 | – | – | – | – |" in lines[3]  # it has no threshold of its own
    assert len({line.count("|") for line in lines[:4]}) == 1


def test_the_terminal_table_fits_80_columns_and_cuts_no_digit():
    rows = [
        ("isolation_forest", [evaluate_scores(Y, S, threshold=0.55), evaluate_scores(Y, -S)]),
        ("perfect", [evaluate_scores(Y, Y, threshold=0.5)]),
    ]
    console = Console(width=80)
    with console.capture() as capture:
        console.print(results_table(rows, title="KDD99"))
    shown = capture.get()
    assert max(map(len, shown.splitlines())) <= 80
    assert "…" not in shown
    for word in ("KDD99", ".5000", "±.370", "1.0000", "perfect"):
        assert word in shown


def test_columns_that_no_row_has_are_left_out():
    header = markdown_table([("pca", [evaluate_scores(Y, S)])]).splitlines()[0]
    assert header == "| method | AUROC | AUPRC | prev. | P rate | R rate | F1 rate |"
