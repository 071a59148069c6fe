"""Probabilities from labelled scores: Platt's sigmoid, isotonic curves, another prevalence."""

import json
import pickle
import warnings

import numpy as np
import pandas as pd
import pytest
from scipy.special import expit
from sklearn.base import clone
from typer.testing import CliRunner

import oddgan
from oddgan import PCAReconstruction, cli
from oddgan.decisions import proba_calibration

UNIT = [-1.349, 0, 1.349]  # normal scores with center 0 and scale 1


def labelled_scores(n, seed=0, intercept=-1.0):
    """Return labels and scores whose log-odds are 2 arcsinh(score) + intercept."""
    rng = np.random.default_rng(seed)
    u = rng.normal(size=n)
    return (rng.random(n) < expit(2 * u + intercept)).astype(int), np.sinh(u)


def test_the_sigmoid_is_that_of_platt():
    y, scores = labelled_scores(60)
    calibration = proba_calibration(y, scores, normal_scores=UNIT)
    n = y.sum()
    targets = np.where(y, (n + 1) / (n + 2), 1 / (60 - n + 2))
    # Where the cross-entropy of a logistic model is least, its residuals are orthogonal to 1 and u.
    residual = calibration.probability(scores) - targets
    np.testing.assert_allclose([residual.sum(), residual @ np.arcsinh(scores)], 0, atol=1e-6)
    assert (calibration.method, calibration.n_normal, calibration.n_anomalous) == (
        "sigmoid",
        60 - n,
        n,
    )
    assert calibration.prevalence == n / 60


@pytest.mark.parametrize("method", ["sigmoid", "isotonic"])
def test_the_probabilities_are_those_the_labels_were_drawn_with(method):
    calibration = proba_calibration(*labelled_scores(20_000), method=method, normal_scores=UNIT)
    grid = np.linspace(-1.5, 1.5, 7)
    truth = expit(2 * grid - 1)
    np.testing.assert_allclose(calibration.probability(np.sinh(grid)), truth, atol=0.05)


@pytest.mark.filterwarnings("ignore:the probabilities rest", "ignore:isotonic calibration")
def test_isotonic_by_hand():
    calibration = proba_calibration([0, 1, 0, 1], [1, 2, 3, 4], method="isotonic")
    # Targets 1/4, 3/4, 1/4, 3/4; the two in the middle are in the wrong order, and so pooled.
    p = calibration.probability([0, 1, 2, 2.4, 3, 4, 1e9])
    np.testing.assert_allclose(p, [0.25, 0.25, 0.5, 0.5, 0.5, 0.75, 0.75])


def test_another_prevalence_by_bayes():
    for method in ("sigmoid", "isotonic"):
        y, scores = labelled_scores(2000)
        rate, grid = y.mean(), np.linspace(-5, 5, 11)
        before = proba_calibration(y, scores, method=method).probability(grid)
        calibration = proba_calibration(y, scores, method=method, prevalence=0.01)
        anomalous, normal = before * 0.01 / rate, (1 - before) * 0.99 / (1 - rate)
        np.testing.assert_allclose(calibration.probability(grid), anomalous / (anomalous + normal))
        assert calibration.prevalence == 0.01


def test_where_anomalies_are_rarer_the_mean_probability_is_their_share():
    y, scores = labelled_scores(40_000, intercept=0)
    rare = np.concatenate([np.flatnonzero(y == 0), np.flatnonzero(y)[:1000]])
    calibration = proba_calibration(y[:10_000], scores[:10_000], prevalence=y[rare].mean())
    np.testing.assert_allclose(
        calibration.probability(scores[rare]).mean(), y[rare].mean(), rtol=0.1
    )


@pytest.mark.parametrize("method", ["sigmoid", "isotonic"])
@pytest.mark.parametrize("spread", [1.0, 1e-9, 1e30])
@pytest.mark.filterwarnings("ignore:isotonic calibration")
def test_probabilities_are_never_certain_and_never_decrease(method, spread):
    scores = np.concatenate([np.linspace(1, 2, 30), np.linspace(3, 5000, 20)]) * spread
    y = np.repeat([0, 1], [30, 20])
    calibration = proba_calibration(y, scores, method=method)
    p = calibration.probability(np.concatenate([[-1e38, 0], scores, [1e38]]))
    assert (np.diff(p) >= 0).all()
    inside = calibration.probability(scores)
    assert inside.min() > 0.001
    assert inside.max() < 0.999
    assert inside[:30].max() < 0.5 < inside[31:].min()


@pytest.mark.parametrize("method", ["sigmoid", "isotonic"])
@pytest.mark.parametrize("scores", [np.arange(40, 0, -1), np.full(40, 2.0)])
@pytest.mark.filterwarnings("error", "ignore:isotonic calibration")
def test_uninformative_scores_give_the_prevalence(method, scores):
    y = np.repeat([0, 1], [30, 10])
    with pytest.warns(UserWarning, match="do not score higher"):
        calibration = proba_calibration(y, scores, method=method)
    np.testing.assert_allclose(calibration.probability([-9, 2, 9e9]), 0.25, rtol=0.03)


def test_few_labels_give_a_warning():
    y, scores = np.repeat([0, 1], [990, 10]), np.arange(1000.0)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        proba_calibration(y, scores)
        proba_calibration(y, scores, method="isotonic")
    with pytest.warns(UserWarning, match=r"only 9 anomalous"):
        proba_calibration(y[:-1], scores[:-1])
    with pytest.warns(UserWarning, match=r"only 9 normal"):
        proba_calibration(1 - y[:-1], -scores[:-1])
    with pytest.warns(UserWarning, match=r"on 999 samples"):
        proba_calibration(y[1:], scores[1:], method="isotonic")


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"y": [0, 0, 0]}, "y must contain 0"),
        ({"y": [1, -1, 1]}, "y must contain 0"),
        ({"y": [0, 1, np.nan]}, "y must contain 0"),
        ({"y": [0, 1]}, "2 labels, but there are 3 scores"),
        ({"scores": [0, np.inf, 1]}, "score 1 is not finite"),
        ({"prevalence": 1.0}, "prevalence must be between 0 and 1"),
        ({"method": "beta"}, "method must be sigmoid or isotonic, got 'beta'"),
    ],
)
def test_invalid_input_is_named(changed, message):
    arguments = {"y": [0, 1, 1], "scores": [1.0, 2.0, 3.0]} | changed
    with pytest.raises(ValueError, match=message):
        proba_calibration(**arguments)


# ------------------------------------------------------------------------------- with a detector


def rods(n, noise, seed):
    rng = np.random.default_rng(seed)
    plane = np.random.default_rng(0).normal(size=(2, 5))
    return rng.normal(size=(n, 2)) @ plane + noise * rng.normal(size=(n, 5))


@pytest.fixture
def detector():
    return PCAReconstruction(latent_dim=2, random_state=0).fit(rods(300, 0.1, 1))


X_LABELLED = np.concatenate([rods(80, 0.1, 2), rods(40, 0.3, 3)])
Y_LABELLED = np.repeat([0, 1], [80, 40])


def test_probabilities_need_calibration(detector):
    assert not hasattr(detector, "predict_proba")
    with pytest.raises(AttributeError) as error:
        detector.predict_proba(X_LABELLED)
    assert "give some, of both classes, to calibrate_proba first" in str(error.value.__cause__)


def test_from_labels_to_probabilities_and_back_to_none(detector, tmp_path):
    before = detector.anomaly_score(X_LABELLED)
    assert detector.calibrate_proba(X_LABELLED, Y_LABELLED, prevalence=0.1) is detector
    p = detector.predict_proba(X_LABELLED)
    assert p.shape == (120, 2)
    np.testing.assert_allclose(p.sum(axis=1), 1)
    assert p[:80, 1].mean() < 0.1
    assert p[80:, 1].mean() > 0.5
    assert (np.diff(p[np.argsort(before), 1]) >= 0).all()
    np.testing.assert_array_equal(detector.anomaly_score(X_LABELLED), before)
    held_out = detector.calibration_scores_
    assert detector.proba_calibration_ == proba_calibration(
        Y_LABELLED, before, prevalence=0.1, normal_scores=held_out
    )
    with pytest.warns(UserWarning, match="isotonic"):
        detector.calibrate_proba(X_LABELLED, Y_LABELLED, method="isotonic")
    detector.save(tmp_path / "model")
    for again in (oddgan.load(tmp_path / "model"), pickle.loads(pickle.dumps(detector))):
        assert again.proba_calibration_ == detector.proba_calibration_
        np.testing.assert_array_equal(
            again.predict_proba(X_LABELLED), detector.predict_proba(X_LABELLED)
        )
    assert not hasattr(clone(detector).fit(X_LABELLED[:80]), "predict_proba")
    assert not hasattr(detector.fit(X_LABELLED[:80]), "predict_proba")


def test_bad_arguments_are_refused_before_scoring(detector, monkeypatch):
    monkeypatch.setattr(PCAReconstruction, "anomaly_score", None)
    for bad in ({"method": "beta"}, {"prevalence": 0}):
        with pytest.raises(ValueError, match=next(iter(bad))):
            detector.calibrate_proba(X_LABELLED, Y_LABELLED, **bad)


def test_on_the_command_line(detector, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    detector.save("model")
    detector.save("plain")
    frame = pd.DataFrame(X_LABELLED, columns=[f"x{i}" for i in range(5)])
    frame.to_csv("new.csv", index=False)
    frame.assign(bad=Y_LABELLED).to_csv("labelled.csv", index=False)
    run = CliRunner().invoke
    result = run(cli.app, ["score", "model", "new.csv", "--proba"])
    assert "run `oddgan calibrate` first" in str(result.exception)
    words = ["calibrate", "model", "labelled.csv", "--label", "bad", "--prevalence", "0.1"]
    assert "overwritten" in str(run(cli.app, [*words, "--out", "labelled.csv"]).exception)
    result = run(cli.app, [*words, "--out", "other", "--json"])
    assert json.loads(result.stdout)["n_anomalous"] == 40
    assert not hasattr(oddgan.load("model"), "predict_proba")
    result = run(cli.app, words)
    assert "on 80 normal and 40 anomalous samples" in result.stderr
    assert "sigmoid, by 80 normal and 40" in run(cli.app, ["inspect", "model"]).stdout
    assert "none: they need labelled samples" in run(cli.app, ["inspect", "plain"]).stdout
    run(cli.app, ["score", "model", "new.csv", "--proba", "--out", "scores.csv", "--quiet"])
    detector.calibrate_proba(X_LABELLED, Y_LABELLED, prevalence=0.1)
    probabilities = pd.read_csv("scores.csv")["probability"]
    np.testing.assert_allclose(probabilities, detector.predict_proba(X_LABELLED)[:, 1], rtol=1e-5)


def test_labelled_training_rows_are_left_out(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    frame = pd.DataFrame(X_LABELLED, columns=[f"x{i}" for i in range(5)]).assign(bad=Y_LABELLED)
    frame.to_csv("all.csv", index=False)
    run = CliRunner().invoke
    fit = ["fit", "pcareconstruction", "all.csv", "--label", "bad", "--out", "model", "--quiet"]
    run(cli.app, [*fit, "--set", "latent_dim=2"])
    calibration = json.loads(run(cli.app, ["calibrate", "model", "all.csv", "--json"]).stdout)
    assert (calibration["n_normal"], calibration["n_anomalous"]) == (24, 40)  # 30 % of 80
