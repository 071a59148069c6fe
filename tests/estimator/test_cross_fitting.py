"""Cross-fitting: where few rows are held out, each gets a score by a fit that did not see it."""

import pickle

import numpy as np
import pytest

import oddgan
from oddgan import EGBAD, VAE, Autoencoder, PCAReconstruction
from oddgan.estimator.calibration import calibrate
from oddgan.estimator.fit import fit_all
from oddgan.estimator.fitted import Columns
from oddgan.estimator.holdout import hold_outs, row_mask, seeds
from oddgan.inputs import open_source
from support.data import DATA, quick

CROSS = {"n_folds": "auto"}


def folds(n, kind="table", **params):
    """Return the held-out rows of each fit on n samples."""
    source = open_source(np.zeros((n, 3) if kind == "table" else (n, 8, 8), np.float32))
    rows = hold_outs(quick(Autoencoder, **{**CROSS, **params}), source, seed=0)
    return [row_mask(fold.held_out) for fold in rows]


# ------------------------------------------------------------------------------------- the rule


@pytest.mark.parametrize(
    ("n", "target_fpr", "n_fits"),
    [(599, 0.05, 1), (594, 0.05, 5), (299, 0.1, 1), (294, 0.1, 5), (2990, 0.01, 5), (60, 0.9, 1)],
)
def test_a_fit_is_cross_fitted_where_fewer_than_three_times_the_inverse_rate_are_held_out(
    n, target_fpr, n_fits
):
    assert len(folds(n, target_fpr=target_fpr)) == n_fits


def test_fewer_fits_where_they_are_expensive_and_more_where_they_are_free():
    assert len(folds(100)) == 5
    assert len(folds(100, "image")) == 3
    assert len(folds(100, max_steps=0)) == 10
    assert len(folds(100, n_folds=1)) == 1
    assert len(folds(5000, n_folds=4)) == 4


@pytest.mark.parametrize("n", [3, 4, 5, 7, 12, 50, 101])
def test_each_row_is_held_out_once_and_two_or_more_train(n):
    for kind in ("table", "image"):
        held_out = folds(n, kind)
        assert (np.sum(held_out, axis=0) == 1).all()
        assert max(mask.sum() for mask in held_out) <= n - 2


# ----------------------------------------------------------------------------- what comes of it


@pytest.mark.parametrize(
    ("cls", "params"),
    [(PCAReconstruction, {}), (VAE, {"n_members": 2}), (EGBAD, {"score_name": "local"})],
)
def test_each_row_is_scored_by_a_fit_that_did_not_see_it(cls, params, tmp_path):
    X = DATA["table"]()[:60]
    alone = quick(cls, **params).fit(X)
    crossed = quick(cls, n_folds=4, **params).fit(X)
    # The fit itself is as without the others.
    np.testing.assert_array_equal(crossed.anomaly_score(X), alone.anomaly_score(X))
    expected = []
    for k, rows in enumerate(hold_outs(crossed, open_source(X), seeds(0, 5)[0])):
        others = X[row_mask(rows.train) | ~row_mask(rows.held_out)]
        held_out = X[row_mask(rows.held_out)]
        assert len(others) + len(held_out) == len(X)
        expected.append(_fold(crossed, X, k).anomaly_score(held_out))
    np.testing.assert_array_equal(crossed.calibration_scores_, np.sort(np.concatenate(expected)))
    assert crossed.threshold_ == np.sort(np.concatenate(expected))[57]  # ceil(61 * .95) = 58
    assert crossed.cross_fitted_
    assert not alone.cross_fitted_
    crossed.save(tmp_path / "m")
    for again in (oddgan.load(tmp_path / "m"), pickle.loads(pickle.dumps(crossed))):
        np.testing.assert_array_equal(again.p_value(X), crossed.p_value(X))
        assert again.drift(X) == crossed.drift(X)


def _fold(detector, X, k):
    """Return a detector that is the k-th fit of a cross-fitting."""
    result = list(fit_all(detector, open_source(X)))[k]
    return (
        quick(type(detector))
        .set_params(**detector.get_params())
        .adopt(calibrate(detector, [result], Columns(X.shape[1])))
    )


def test_a_wild_row_leaves_no_trace_in_the_fit_that_scores_it():
    X = DATA["table"]()[:60]
    wild = X.copy()
    wild[7] *= 1000
    calm, changed = (quick(PCAReconstruction, n_folds=5).fit(rows) for rows in (X, wild))
    # Had it set the scale of its column, it would stand out by less than all others together.
    assert changed.calibration_scores_[-1] > 3 * calm.calibration_scores_[-1]


def test_drift_is_measured_on_the_scores_of_the_fit_itself():
    X = DATA["table"]()
    detector = quick(PCAReconstruction, n_folds=5).fit(X[:60])
    own = detector.fitted_.held_out_scores
    assert len(own) == 6
    assert np.isin(own, detector.calibration_scores_).all()
    expected = oddgan.decisions.drift(detector.anomaly_score(X[60:]), own)
    assert detector.drift(X[60:]) == expected


def test_with_too_few_rows_nothing_is_flagged_and_one_warning_says_how_many_it_takes(tmp_path):
    X = DATA["table"]()[:12]
    said = "nothing will be flagged: target_fpr=0.05 takes 19 held-out samples .* there are 12"
    with pytest.warns(UserWarning, match=said) as caught:
        detector = quick(PCAReconstruction, **CROSS).fit(X)
    assert len(caught) == 1
    assert (detector.predict(100 * X) == 1).all()
    assert np.isinf(detector.threshold_)
    assert detector.p_value(100 * X).min() == 1 / 13
    detector.save(tmp_path / "m")
    assert np.isinf(oddgan.load(tmp_path / "m").threshold_)


def test_a_stopped_cross_fitting_goes_on_where_it_stopped(tmp_path, monkeypatch):
    X = DATA["table"]()[:60]
    params = {"n_folds": 3, "max_steps": 40, "min_steps": 40}
    whole = quick(VAE, **params).fit(X)
    stopped = quick(VAE, **params, checkpoint=tmp_path / "c")
    run, runs = oddgan.training.Trainer.run, []

    def stop_in_the_second(trainer):
        runs.append(trainer)
        if len(runs) == 2:
            raise KeyboardInterrupt
        return run(trainer)

    monkeypatch.setattr(oddgan.training.Trainer, "run", stop_in_the_second)
    with pytest.raises(KeyboardInterrupt):
        stopped.fit(X)
    assert (tmp_path / "c").exists()
    monkeypatch.setattr(oddgan.training.Trainer, "run", run)
    resumed = stopped.fit(X)
    np.testing.assert_array_equal(resumed.calibration_scores_, whole.calibration_scores_)
    assert not list(tmp_path.iterdir())


# ------------------------------------------------------------------------------- the promise


@pytest.mark.parametrize("n", [20, 50, 200])
def test_new_normal_rows_are_flagged_as_promised_or_less(n):
    """The mean over draws; the spread of a single one is that of a binomial count."""
    rates = []
    for draw in range(60):
        rng = np.random.default_rng(draw)
        mixture = rng.normal(size=(2, 6)) * 3
        X, new = (
            mixture[rng.integers(0, 2, m)] + rng.normal(size=(m, 6)) * [1, 1, 1, 0.1, 0.1, 0.1]
            for m in (n, 400)
        )
        detector = PCAReconstruction(latent_dim=3, random_state=draw, health=False).fit(X)
        rates.append(np.mean(detector.predict(new) == -1))
    assert np.mean(rates) < 0.05 + 3 * np.std(rates) / np.sqrt(len(rates))
    assert np.mean(rates) > 0.015
