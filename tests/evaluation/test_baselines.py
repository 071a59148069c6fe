"""Baselines: as measured on KDD99, by hand on few rows, reproducible by seed."""

import math
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from oddgan import datasets
from oddgan.datasets import Dataset
from oddgan.evaluation import (
    BASELINES,
    KDD99,
    Labelled,
    OneClassNormal,
    baseline_matrix,
    evaluate_scores,
    run_baselines,
)
from oddgan.evaluation.baselines import matrices

ANYWHERE = [
    "mean_distance",
    "pca_reconstruction",
    "isolation_forest",
    "knn",
    "density_ratio",
    "ocsvm",
]

pytestmark = pytest.mark.usefixtures("global_random_state_untouched")


@pytest.fixture(scope="module")
def kdd():
    info = next(i for i in datasets.available() if i.name == "kddcup99")
    if not info.present:
        pytest.skip(f"kddcup.data_10_percent.gz is not in the data home {datasets.data_home()}")
    return datasets.load("kddcup99", progress=False)


@pytest.fixture(scope="module")
def kdd_scores(kdd):
    split = KDD99().split(kdd)
    # Two thirds of the test rows are copies of others, which have the same scores.
    hashes = pd.util.hash_pandas_object(kdd.X.iloc[split.test], index=False)
    _, first, copies = np.unique(hashes, return_index=True, return_inverse=True)
    distinct = replace(split, test=split.test[first], y_test=split.y_test[first])
    # The nearest neighbours and the SVM would take half a minute.
    scores = run_baselines(kdd, distinct, ["minus_count", *ANYWHERE[:3]])
    return split, {name: values[copies] for name, values in scores.items()}


def table(n=200, **columns):
    """Give a table labelled 0 and 1, with 20 anomalies far off in column a."""
    rng = np.random.default_rng(1)
    y = (np.arange(n) % (n // 20) == 0).astype(int)
    X = pd.DataFrame({"a": rng.normal(size=n) + 8 * y, "b": rng.normal(size=n), **columns})
    return Dataset("mine", "table", X, y, None, "")


def parts(seed=0, n_train=40, n_columns=3):
    """Give a training and a test frame; the test's rows 10 to 19 are copies of its first 10."""
    rng = np.random.default_rng(seed)
    names = [f"c{i}" for i in range(n_columns)]
    test = rng.normal(size=(10, n_columns))
    frames = rng.normal(size=(n_train, n_columns)), np.concatenate([test, test])
    return [pd.DataFrame(values, columns=names, dtype=np.float32) for values in frames]


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
    score = BASELINES["mean_distance"].score
    assert score(train, test, 0).tolist() == [0.0, 5.0]
    # A table's columns are scaled by the training rows: here by 1/2 and by 1.
    frames = [pd.DataFrame(part, columns=["a", "b"]) for part in (train, test)]
    assert score(*frames, 0) == pytest.approx([0.0, math.hypot(1.5, 4.0)])


def test_pca_residual_is_what_leaves_the_plane():
    rng = np.random.default_rng(0)
    plane = np.zeros((50, 4), np.float32)
    plane[:, :2] = rng.normal(size=(50, 2))
    test = plane[:2] + np.array([[0, 0, 0, 0], [0, 0, 3, 4]], np.float32)
    scores = BASELINES["pca_reconstruction"].score(plane, test, 0)
    assert scores == pytest.approx([0.0, 5.0], abs=1e-5)


def test_knn_by_hand():
    score = BASELINES["knn"].score
    line = np.array([[0.0], [1.0], [2.0], [3.0], [4.0], [100.0]], np.float32)
    # The 100 is never among the 5 nearest: (0+1+2+3+4)/5, (2+1+0+1+2)/5, (6+7+8+9+10)/5.
    test = np.array([[0.0], [2.0], [10.0]], np.float32)
    assert score(line, test, 0) == pytest.approx([2.0, 1.2, 8.0], abs=1e-6)
    # Two training rows are both neighbours. Mean 1 and deviation 1 standardise column a; b,
    # constant in training, is only centred: the test row becomes (3, 2), 4 and 2 away in a.
    frames = [
        pd.DataFrame({"a": [0.0, 2.0], "b": [7.0, 7.0]}),
        pd.DataFrame({"a": [4.0], "b": [9.0]}),
    ]
    expected = (math.hypot(4, 2) + math.hypot(2, 2)) / 2
    assert score(*frames, 0) == pytest.approx([expected])


def test_knn_equals_brute_force():
    train, test = parts(n_columns=6)
    a, b = train.to_numpy(np.float64), test.to_numpy(np.float64)
    a, b = (a - a.mean(axis=0)) / a.std(axis=0), (b - a.mean(axis=0)) / a.std(axis=0)
    distances = np.sqrt(((b[:, None] - a) ** 2).sum(axis=-1))
    expected = np.sort(distances, axis=1)[:, :5].mean(axis=1)
    assert BASELINES["knn"].score(train, test, 0) == pytest.approx(expected)


def test_density_ratio_by_hand():
    score = BASELINES["density_ratio"].score
    # Three training rows: k = 2, and their distances to the others are 2, 1.5 and 2.5 on average.
    line = np.array([[0.0], [1.0], [3.0]], np.float32)
    # To 0 and 1: .5 and .5 away; to 1 and 3: 9 and 7 away.
    test = np.array([[0.5], [10.0]], np.float32)
    assert score(line, test, 0) == pytest.approx([0.5 / 1.75, 8 / 2])
    # Columns of a table are standardised, and a ratio knows no unit.
    frames = [pd.DataFrame({"a": part[:, 0], "b": 7.0}) for part in (line, test)]
    assert score(*frames, 0) == pytest.approx([0.5 / 1.75, 8 / 2])
    with pytest.raises(ValueError, match="2 training rows or more"):
        score(line[:1], test, 0)


def test_density_ratio_equals_brute_force():
    train, test = parts(n_train=40)
    a, b = train.to_numpy(np.float64), test.to_numpy(np.float64)
    a, b = (a - a.mean(axis=0)) / a.std(axis=0), (b - a.mean(axis=0)) / a.std(axis=0)
    between = np.sqrt(((b[:, None] - a) ** 2).sum(axis=-1))
    within = np.sort(np.sqrt(((a[:, None] - a) ** 2).sum(axis=-1)), axis=1)[:, 1:21].mean(axis=1)
    nearest = np.argsort(between, axis=1)[:, :20]
    expected = np.take_along_axis(between, nearest, 1).mean(axis=1) / within[nearest].mean(axis=1)
    scores = BASELINES["density_ratio"].score(train, test, 0)
    assert scores == pytest.approx(expected)


def test_a_copy_among_copies_has_their_density():
    train = np.repeat(np.array([[0.0], [1.0]], np.float32), 30, axis=0)
    scores = BASELINES["density_ratio"].score(train, np.array([[1.0], [1.1]], np.float32), 0)
    assert scores[0] == 1
    assert 1e6 < scores[1] < np.inf


def test_ocsvm_equals_its_kernel_sum():
    # Two rows, nu 0.1: both are support vectors with equal weights, that sum to nu times rows.
    train = np.array([[0.0, 0.0], [2.0, 0.0]], np.float32)
    test = np.array([[1.0, 0.0], [0.0, 3.0], [50.0, 0.0]], np.float32)
    gamma = 1 / (2 * train.var())
    squares = ((test[:, None] - train) ** 2).sum(axis=-1)
    expected = -0.1 * np.exp(-gamma * squares).sum(axis=1)
    assert BASELINES["ocsvm"].score(train, test, 0) == pytest.approx(expected)


@pytest.mark.parametrize("name", ["knn", "density_ratio", "ocsvm"])
def test_copies_and_order_change_no_score(name):
    train, test = parts()
    scores = BASELINES[name].score(train, test, 0)
    np.testing.assert_array_equal(scores[:10], scores[10:])
    one_by_one = [BASELINES[name].score(train, test[i : i + 1], 0)[0] for i in range(10)]
    assert scores[:10] == pytest.approx(one_by_one, rel=1e-12)
    # The rows are not sorted, so that mixed-up positions would show.
    assert (np.diff(test["c0"][:10]) < 0).any()


@pytest.mark.parametrize(
    ("name", "most"), [("knn", 20_000), ("density_ratio", 20_000), ("ocsvm", 5_000)]
)
def test_the_seed_draws_from_more_rows_than_the_cap(name, most):
    train, test = parts(n_train=most + 1000, n_columns=2)
    score = BASELINES[name].score
    scores = score(train, test, 1)
    np.testing.assert_array_equal(scores, score(train, test, 1))
    assert (scores != score(train, test, 2)).any()
    few = train[:most]
    np.testing.assert_array_equal(score(few, test, 1), score(few, test, 2))


def test_only_random_baselines_depend_on_the_seed():
    train, test = parts(n_train=300)
    differ = {
        name
        for name in ANYWHERE
        if (BASELINES[name].score(train, test, 1) != BASELINES[name].score(train, test, 2)).any()
    }
    assert differ == {"isolation_forest"}
    # The others draw from very many rows only.
    assert {name for name, b in BASELINES.items() if b.random} == differ | {
        "knn",
        "density_ratio",
        "ocsvm",
    }


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
    # a, b, gaps, empty; x, y; the most common 100 identifiers; False, True.
    assert matrix.shape == (200, 4 + 2 + 100 + 2)
    split = Labelled().split(data)
    scores = run_baselines(data, split)
    assert list(scores) == ANYWHERE
    assert evaluate_scores(split.y_test, scores["isolation_forest"]).auroc > 0.7
    again = run_baselines(data, split)
    for name in scores:
        assert np.isfinite(scores[name]).all()
        np.testing.assert_array_equal(scores[name], again[name])
    other = run_baselines(data, split, ["isolation_forest"], seed=1)["isolation_forest"]
    assert (other != scores["isolation_forest"]).any()


def test_gaps_become_the_training_rows_median():
    X = pd.DataFrame({"a": [1.0, 3.0, 8.0, np.nan, 50.0, 60.0, np.nan]})
    data = Dataset("mine", "table", X, np.array([0, 0, 0, 0, 1, 1, 1]), None, "")
    split = Labelled(train_fraction=0.75).split(data)
    train, test = matrices(data, split)
    assert len(split.train) == len(train) == 3
    median = X["a"][split.train].median()
    np.testing.assert_array_equal(test["a"], X["a"][split.test].fillna(median))


def test_baselines_find_the_odd_digit():
    digits = datasets.load("digits")
    split = OneClassNormal(0).split(digits)
    scores = run_baselines(digits, split)
    assert list(scores) == ANYWHERE
    scores.pop("mean_distance")
    for values in scores.values():
        assert evaluate_scores(split.y_test, values).auroc > 0.95


def test_a_wrong_name_is_refused():
    digits = datasets.load("digits")
    split = OneClassNormal(0).split(digits)
    with pytest.raises(ValueError, match="no baseline is called 'pca'; there are minus_count"):
        run_baselines(digits, split, ["pca"])
    with pytest.raises(ValueError, match="'minus_count' is for kddcup99 only, not for digits"):
        run_baselines(digits, split, ["minus_count"])


def test_pixels_are_scaled_to_one():
    X = np.random.default_rng(0).integers(0, 256, (100, 4, 4), dtype=np.uint8)
    matrix = baseline_matrix(Dataset("toy", "image", X, np.arange(100) % 5, None, ""))
    assert matrix.shape == (100, 16)
    assert matrix.dtype == np.float32
    assert 0.9 < matrix.max() <= 1.0
    assert baseline_matrix(datasets.load("digits")).max() == 1.0


def test_images_are_averaged_down_for_the_density_ratio_alone(monkeypatch):
    X = np.arange(60 * 28 * 21 * 3, dtype=np.uint8).reshape(60, 28, 21, 3)
    y = np.arange(60) % 2
    data, arguments = Dataset("toy", "image", X, y, None, ""), {}
    for name in ("knn", "density_ratio"):
        noted = replace(BASELINES[name], score=lambda *a, name=name: arguments.update({name: a}))
        monkeypatch.setitem(BASELINES, name, noted)
    split = OneClassNormal(0).split(data)
    run_baselines(data, split, ["knn", "density_ratio"])
    assert arguments["knn"][0].shape == (len(split.train), 28 * 21 * 3)
    small = arguments["density_ratio"][0].reshape(-1, 3, 14, 14)
    image = X[split.train[4]] / 255
    # Half as high: two rows make one. Of 21 columns, the first of 14 is the mean of the first two.
    assert small[4, 1, 0, 0] == pytest.approx(image[0:2, 0:2, 1].mean())
    assert small[4, 2, 13, 13] == pytest.approx(image[26:28, 19:21, 2].mean())
    grey = Dataset("grey", "image", X[..., 0], y, None, "")
    averaged = baseline_matrix(grey, 14)[split.train[4]].reshape(14, 14)
    assert averaged == pytest.approx(small[4, 0])
