"""PCA reconstruction against scikit-learn's PCA."""

import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.decomposition import PCA

from oddgan import PCAReconstruction
from oddgan.detectors import pca
from oddgan.detectors.pca import principal_components
from support.data import call_hook


def trained_rows(detector, X):
    """The encoded rows that trained: those whose scores were not held out."""
    held_out = np.isin(detector.anomaly_score(X), detector.calibration_scores_)
    return detector.codec_.encode(X[~held_out]).flatten(1).double().numpy()


@pytest.mark.parametrize("kind", ["table", "image"])
def test_scores_and_reconstructions_are_those_of_scikit_learn(kind, table, images):
    X = {"table": table, "image": images}[kind]
    detector = PCAReconstruction(latent_dim=2, random_state=0).fit(X)
    theirs = PCA(2).fit(trained_rows(detector, X))
    x = detector.codec_.encode(X)
    flat = x.flatten(1).double().numpy()
    back = theirs.inverse_transform(theirs.transform(flat))
    y = call_hook(detector, "_reconstruct", detector.networks_, x).detach()
    np.testing.assert_allclose(y.flatten(1), back, atol=1e-5)
    np.testing.assert_allclose(np.abs(detector.embed(X)), np.abs(theirs.transform(flat)), atol=1e-5)
    squared = ((flat - back) ** 2).sum(1)
    np.testing.assert_allclose(detector.anomaly_score(X), squared, rtol=1e-3, atol=1e-5)
    detector.set_params(score_name="l1")
    np.testing.assert_allclose(
        detector.anomaly_score(X), np.abs(flat - back).sum(1), rtol=1e-3, atol=1e-4
    )


def test_chunks_give_what_all_rows_together_give():
    rng = np.random.default_rng(0)
    rows = torch.from_numpy(1e4 + rng.normal(size=(200, 6)) @ rng.normal(size=(6, 6)))
    mean, components, slope = principal_components(iter(rows.split(7)), 6, 3)
    theirs = PCA(3).fit(rows.numpy())
    np.testing.assert_allclose(mean, theirs.mean_, rtol=1e-12)
    np.testing.assert_allclose(np.abs(components @ theirs.components_.T), np.eye(3), atol=1e-6)
    assert slope.shape == (6, 0)


@pytest.mark.parametrize("chunk", [3, 50, 200])
def test_many_inputs_are_solved_incrementally(monkeypatch, chunk):
    """Approximate in general; here four components hold all variance, and it is exact."""
    monkeypatch.setattr(pca, "MOST_EXACT", 19)
    monkeypatch.setattr(pca, "_exact", None)
    rng = np.random.default_rng(0)
    rows = torch.from_numpy(rng.normal(size=(200, 4)) @ rng.normal(size=(4, 20)) + 2)
    mean, components, _ = principal_components(iter(rows.split(chunk)), 20, 6)
    np.testing.assert_allclose(mean, rows.mean(0), rtol=1e-9)
    centred = rows.numpy() - mean
    np.testing.assert_allclose(centred @ components.T @ components, centred, atol=1e-6)
    assert (components[4:] == 0).all()  # there are no more: none is made of rounding


def test_one_direction_is_always_left_to_score():
    """At most min(n, d) - 1 components; those asked for beyond them embed as 0."""
    rng = np.random.default_rng(0)
    _, components, _ = principal_components(iter([torch.randn(50, 3)]), 3, 30)
    assert (np.linalg.norm(components, axis=1) > 0).sum() == 2
    _, components, _ = principal_components(iter([torch.randn(4, 10)]), 10, 30)
    assert (np.linalg.norm(components, axis=1) > 0).sum() == 3
    X = rng.normal(size=(40, 3))
    detector = PCAReconstruction(latent_dim=30, random_state=0).fit(X)
    assert detector.embed(X).shape == (40, 30)
    assert (detector.embed(X)[:, 2:] == 0).all()
    assert (detector.anomaly_score(X) > 0).all()


def test_one_column_is_scored_by_its_distance_from_the_mean():
    X = np.random.default_rng(0).normal(size=(100, 1))
    detector = PCAReconstruction(random_state=0).fit(X)
    trained = trained_rows(detector, X)
    x = detector.codec_.encode(X).numpy()
    np.testing.assert_allclose(detector.anomaly_score(X), ((x - trained.mean()) ** 2)[:, 0], 1e-4)


def test_a_column_without_variance_is_no_component():
    rng = np.random.default_rng(0)
    X = np.column_stack([rng.normal(size=(60, 2)), np.zeros(60), rng.normal(size=60)])
    X[:, 3] = X[:, 0]
    _, components, _ = principal_components(iter([torch.from_numpy(X)]), 4, 3)
    assert (np.linalg.norm(components, axis=1) > 0).sum() == 2
    assert (components[:, 2] == 0).all()


def test_a_condition_is_regressed_out():
    """What the context explains is not odd, and what contradicts it is."""
    rng = np.random.default_rng(0)
    c = rng.normal(size=(400, 1))
    X = c @ [[3.0, -2.0, 1.0]] + 0.1 * rng.normal(size=(400, 3))
    frame = pd.DataFrame(np.column_stack([X, c]), columns=list("abcd"))
    joint = torch.from_numpy(np.column_stack([X, c]))
    mean, components, slope = principal_components(iter(joint.split(64)), 3, 1)
    design = np.column_stack([np.ones(400), c])
    beta = np.linalg.lstsq(design, X, rcond=None)[0]
    np.testing.assert_allclose(mean, beta[0], atol=1e-10)
    np.testing.assert_allclose(slope[:, 0], beta[1], atol=1e-10)
    left = PCA(1).fit(X - design @ beta)
    assert abs(components @ left.components_.T).item() == pytest.approx(1)
    detector = PCAReconstruction(latent_dim=1, random_state=0).fit(frame, condition=["d"])
    assert np.median(detector.anomaly_score(frame)) < 0.1
    assert (detector.predict(frame.assign(d=frame["d"] + 3)) == -1).mean() > 0.95


def test_nothing_that_is_random_changes_the_answer(table):
    first = principal_components(iter([torch.from_numpy(table)]), 4, 2)
    again = principal_components(iter([torch.from_numpy(table)]), 4, 2)
    for a, b in zip(first, again, strict=True):
        np.testing.assert_array_equal(a, b)
