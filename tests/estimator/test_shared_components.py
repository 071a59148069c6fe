"""Shared parts of a score: their formulas, their scale, and what a detector makes of them."""

import numpy as np
import pytest
import torch
from scipy.spatial.distance import cdist
from sklearn.covariance import LedoitWolf
from sklearn.metrics import roc_auc_score

import oddgan
from oddgan import (
    EGBAD,
    AdversarialAutoencoder,
    AnoGAN,
    Autoencoder,
    PCAReconstruction,
    RetrievalCritic,
)
from oddgan.cli.fit import parse_settings
from oddgan.estimator import contributions, shared_components
from oddgan.estimator.fitted import Ensemble
from oddgan.scores import FittedComponents, Gaussian, NeighborIndex, RobustScale, neighbours
from support.data import quick, rows_of_fit

LINE = np.array([[0.0], [1.0], [3.0], [7.0]])

# ----------------------------------------------------------------------------------- formulas


def test_distances_and_radii_of_points_on_a_line():
    found = NeighborIndex.fit(LINE)
    # There are three others to each, fewer than N_NEIGHBOURS: (1 + 3 + 7) / 3 and so on.
    np.testing.assert_allclose(found.radii[found.rows[:, 0].argsort()], [11 / 3, 3, 3, 17 / 3])
    near = found.neighbors(np.array([[2.0], [7.0]]), [1, 2, 3])
    # 2 is as far from 1 as from 3, and each counts half; 7 is itself a reference.
    np.testing.assert_allclose(near[1].distance, [1, 0])
    np.testing.assert_allclose(near[1].radius, [3, 17 / 3])
    np.testing.assert_allclose(near[2].distance, [1, 2])
    np.testing.assert_allclose(near[3].distance, [4 / 3, 10 / 3])


def test_a_density_is_the_distance_over_that_of_the_neighbours():
    learnt = FittedComponents.fit(["input_density", "input_knn"], {"input": LINE}, 2, None)
    parts = learnt.measure(["input_density", "input_knn"], {"input": np.array([[10.0]])})
    # The neighbours of 10 are 7, 3 and 1.
    np.testing.assert_allclose(parts["input_density"], (3 + 7 + 9) / (17 / 3 + 3 + 3))
    np.testing.assert_allclose(parts["input_knn"], [5])


def test_latent_directions_are_in_units_of_their_deviation():
    z = np.random.default_rng(0).normal(size=(50, 3)) * [1, 1000, 0]
    found = NeighborIndex.fit(z, standardised=True).neighbors(z[:5], [3])[3].distance
    by_hand = np.sort(cdist(z[:5, :2] / z.std(0)[:2], z[:, :2] / z.std(0)[:2]))[:, :3].mean(1)
    np.testing.assert_allclose(found, by_hand, rtol=1e-5)
    # Those of the other spaces are in the units that they have.
    spaces = {"latent": z, "feature": z, "input": z}
    parts = FittedComponents.fit(
        ["latent_knn", "feature_knn", "input_knn"], spaces, 3, None
    ).measure(["latent_knn", "feature_knn", "input_knn"], dict.fromkeys(spaces, z[:5]))
    np.testing.assert_allclose(parts["latent_knn"], by_hand, rtol=1e-5)
    as_they_are = np.sort(cdist(z[:5], z))[:, :3].mean(1)
    np.testing.assert_allclose(parts["feature_knn"], as_they_are, rtol=1e-5)
    np.testing.assert_allclose(parts["input_knn"], as_they_are, rtol=1e-5)


def test_a_residual_is_compared_with_those_of_its_neighbours():
    spaces = {"latent": LINE, "residual": np.array([[1.0, 1.0], [0, 2], [1, 3], [5, 5]])}
    learnt = FittedComponents.fit(["residual_relative"], spaces, 5, None)
    asked = {"latent": np.array([[8.0], [8.0]]), "residual": np.array([[3.0, 4.0], [0.1, 0]])}
    found = learnt.measure(["residual_relative"], asked)["residual_relative"]
    mean = (2 + 5 + 25) / 3  # of 7, 3 and 1
    np.testing.assert_allclose(found, [12.5 / mean, 0.005 / mean])


def test_a_relative_residual_is_odd_on_both_sides():
    scale = RobustScale(
        {"residual_relative": 0.0, "latent_knn": 0.0},
        {
            "residual_relative": 1.0,
            "latent_knn": 1.0,
        },
        {"residual_relative": 0.0, "latent_knn": 0.0},
    )
    learnt = FittedComponents(5, {}, {}, {}, scale)
    halves = {"residual_relative": np.exp([2.0, -2.0])}
    np.testing.assert_allclose(learnt.total(["residual_relative"], halves), [2, 2])
    both = {**halves, "latent_knn": np.exp([1.0, -4.0])}
    np.testing.assert_allclose(learnt.total(list(both), both), [1.5, -1])


def test_a_mahalanobis_distance_is_in_units_of_the_shrunk_covariance():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(40, 3)) @ rng.normal(size=(3, 3)) + 5
    x = rng.normal(size=(4, 3))
    expected = np.sqrt(LedoitWolf().fit(X).mahalanobis(x))
    np.testing.assert_allclose(Gaussian.fit(X).distance(x), expected)
    known = Gaussian(np.array([1.0, 0.0]), np.linalg.inv([[4.0, 0], [0, 9]]))
    np.testing.assert_allclose(known.distance(np.array([[3.0, 3.0]])), np.sqrt([2.0]))
    alike = Gaussian.fit(np.ones((5, 2)))
    np.testing.assert_allclose(alike.distance(np.array([[1.0, 1.0], [4.0, 5.0]])), [0, 5])


def test_parts_are_scaled_by_their_logarithms_over_normal_samples():
    values = np.arange(1.0, 102.0)
    scale = RobustScale.fit({"knn": values, "own": values}, ["knn"])
    logs = np.log(values + 0.051)
    spread = (np.quantile(logs, 0.75) - np.quantile(logs, 0.25)) / 1.349
    found = scale.apply({"knn": np.array([7.0]), "own": np.array([7.0])})
    np.testing.assert_allclose(found["knn"], (np.log(7.051) - np.log(51.051)) / spread)
    np.testing.assert_allclose(found["own"], (7 - 51) / (50 / 1.349))
    # Where the middle half is all alike, the deviation; where all are, 1.
    uneven = RobustScale.fit({"a": np.array([0, 0, 0, 0, 10.0]), "b": np.zeros(3)}, ["b"])
    assert uneven.spreads == {"a": 4.0, "b": 1.0}
    assert np.isfinite(uneven.apply({"a": values, "b": np.zeros(3)})["b"]).all()
    with pytest.raises(ValueError, match="own of a held-out"):
        RobustScale.fit({"own": np.array([1, np.inf])}, [])


# -------------------------------------------------------------------------------- neighbours


def by_all_distances(references, rows, k, itself=False):
    """Return distance and radius by the definition: ties share what they tie for."""
    counted = np.repeat(references.rows, references.counts, axis=0).astype(float)
    radii = np.repeat(references.radii, references.counts)
    found = []
    for row in rows:
        distances = np.linalg.norm(counted - row, axis=1)
        radius = np.sort(distances)[k - 1]
        inside = distances < radius - 1e-9
        tied = ~inside & (distances < radius + 1e-9)
        weights = inside + tied * (k - inside.sum()) / tied.sum()
        found.append([weights @ distances / k, weights @ radii / k])
    return np.transpose(found)


@pytest.mark.parametrize("d", [2, 20])  # by a tree, and by matrix products
def test_neighbours_that_tie_share_their_weight(d):
    rng = np.random.default_rng(0)
    grid = rng.integers(0, 3, size=(400, d)).astype(float) * (np.arange(d) < 6)
    references = NeighborIndex.fit(grid)
    assert len(references.rows) < len(grid) == references.counts.sum()
    rows = rng.integers(0, 4, size=(60, d)) * (np.arange(d) < 6)
    for k, near in references.neighbors(rows, [5, 20]).items():
        distance, radius = by_all_distances(references, rows, k)
        np.testing.assert_allclose(near.distance, distance, atol=1e-12)
        np.testing.assert_allclose(near.radius, radius)


def test_a_reference_leaves_itself_out_once():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(60, 3)).astype(np.float32)
    X[40:] = X[0]  # 21 that are alike
    references = NeighborIndex.fit(X)
    for i in (0, 1, 2):
        others = np.delete(X, i, axis=0).astype(float)
        mean = np.sort(np.linalg.norm(others - X[i], axis=1))[:20].mean()
        row = (references.rows == X[i]).all(1).argmax()
        # The 20 twins of the first leave a distance of 0, which nothing can be divided by.
        floor = 1e-3 * np.median(references.radii[references.radii > references.radii.min()])
        np.testing.assert_allclose(references.radii[row], max(mean, floor), rtol=1e-5)


def test_neighbours_do_not_depend_on_batch_mates(monkeypatch):
    rng = np.random.default_rng(0)
    X = rng.integers(0, 2, size=(300, 30)) / np.float32(0.3)
    references = NeighborIndex.fit(X, errors=rng.random(300))
    rows = rng.integers(0, 2, size=(90, 30)) / np.float32(0.3)
    together = references.neighbors(rows, [20])[20]
    alone = [references.neighbors(row[None], [20])[20] for row in rows]
    np.testing.assert_allclose(np.concatenate(alone, axis=1), together, rtol=1e-12)
    monkeypatch.setattr(neighbours, "_BLOCK", 1000)
    np.testing.assert_array_equal(references.neighbors(rows, [20])[20], together)


def test_what_is_not_finite_is_far_away():
    near = NeighborIndex.fit(LINE).neighbors(np.array([[np.nan], [np.inf], [-np.inf]]), [2])[2]
    assert (near.distance > 1e38).all()
    assert np.isfinite(near.distance).all()


# ---------------------------------------------------------------------------------- detectors


def test_local_is_its_three_parts(table):
    local = quick(EGBAD, score_name="local").fit(table)
    named = quick(EGBAD, score_name=["residual_relative", "latent_density", "latent_knn"]).fit(
        table
    )
    scores = local.anomaly_score(table)
    np.testing.assert_array_equal(named.anomaly_score(table), scores)
    parts = local.score_components(table)
    assert list(parts) == ["residual_relative", "latent_density", "latent_knn"]
    np.testing.assert_allclose(
        local.fitted_.members[0].components.total(list(parts), parts), scores, rtol=1e-5
    )
    held_out, (for_scale,) = rows_of_fit(local, table)
    assert for_scale.sum() == 27
    assert not (for_scale & held_out).any()
    np.testing.assert_array_equal(np.sort(scores[held_out]), local.calibration_scores_)
    for name, part in parts.items():
        assert (part > 0).all()
        logs = np.log(part[for_scale] + 1e-3 * np.median(part[for_scale]))
        assert local.fitted_.members[0].components.scale.medians[name] == pytest.approx(
            np.median(logs)
        )


def test_parts_of_its_own_are_its_scores(table):
    score = ("latent_knn", "sigma", "feature_matching")
    detector = quick(EGBAD, score_name=score, weight_disc=0.3).fit(table)
    parts = detector.score_components(table)
    for name in score[1:]:
        detector.set_params(score_name=name)
        np.testing.assert_allclose(detector.anomaly_score(table), parts[name])
    detector.set_params(score_name=score, weight_disc=0.1)
    with pytest.raises(ValueError, match="weight_disc has changed since: fit again"):
        detector.anomaly_score(table)
    with pytest.raises(ValueError, match="weight_disc has changed since: fit again"):
        detector.explain(table)


def test_a_part_that_is_named_twice_counts_twice(table):
    detector = quick(EGBAD, score_name="local_and_input").fit(table)
    r, ld, lk, d, k = (
        detector.fitted_.members[0].components.scaled_components(detector.score_components(table))[
            name
        ]
        for name in [
            *("residual_relative", "latent_density", "latent_knn"),
            *("input_density", "input_knn"),
        ]
    )
    by_hand = (2 * r + ld + lk + d + k) / 6
    np.testing.assert_allclose(detector.anomaly_score(table), by_hand, rtol=1e-5)


@pytest.mark.parametrize(
    ("size", "edge", "small"),
    [((28, 28), 2, (14, 14)), ((16, 8), 1, (16, 8)), ((48, 33), 3, (16, 11))],
)
def test_images_are_compared_by_averages_of_their_pixels(size, edge, small):
    X = np.random.default_rng(0).integers(0, 256, (40, *size)).astype(np.uint8)
    detector = PCAReconstruction(
        score_name="input_knn", latent_dim=2, image_size=size, health=False, random_state=0
    ).fit(X)
    known = detector.fitted_.members[0].components.indexes["input"].rows.reshape(-1, *small)
    blocks = X.reshape(len(X), small[0], edge, small[1], edge).mean((2, 4))
    expected = blocks / 127.5 - 1
    for one in known:
        assert np.abs(expected - one).max((1, 2)).min() < 1e-5


def test_some_of_what_was_learnt_needs_no_other_fit(table):
    all_three = quick(EGBAD, score_name="local").fit(table)
    some = ["latent_knn", "latent_density"]
    expected = quick(EGBAD, score_name=some).fit(table).anomaly_score(table)
    np.testing.assert_array_equal(
        all_three.set_params(score_name=some).anomaly_score(table), expected
    )
    one = all_three.set_params(score_name="latent_knn").anomaly_score(table)
    assert not np.allclose(one, expected)
    all_three.set_params(score_name=("latent_knn", "input_knn", "feature_knn"))
    with pytest.raises(ValueError, match="has no input_knn, feature_knn: fit again"):
        all_three.anomaly_score(table)
    paper = quick(EGBAD).fit(table)
    with pytest.raises(ValueError, match="fitted with the score 'sigma'"):
        paper.set_params(score_name="local").anomaly_score(table)


@pytest.mark.parametrize(
    ("score", "message"),
    [
        ((), "one or more components"),
        (("input_knn", "sigma_x"), "no component 'sigma_x'.*latent_density.*feature_matching"),
        (("input_knn", "local"), "no component 'local'"),
        ("latent_nn", "'score_name' parameter of EGBAD"),
        (3, "'score_name' parameter of EGBAD"),
    ],
)
def test_wrong_scores_are_refused_by_name(score, message, table):
    with pytest.raises(ValueError, match=message):
        quick(EGBAD, score_name=score).fit(table)


def test_a_covariance_that_is_too_large_is_refused_before_training(monkeypatch):
    monkeypatch.setattr(oddgan.training.Trainer, "run", lambda self: pytest.fail("it trained"))
    wide = np.random.default_rng(0).random((9, 1, 33, 32))
    with pytest.raises(ValueError, match=r"residual_mahalanobis.*1056 numbers.*residual_relative"):
        quick(EGBAD, score_name="residual_mahalanobis").fit(wide)
    with pytest.raises(ValueError, match=r"feature_mahalanobis.*1056 numbers.*feature_knn"):
        quick(EGBAD, score_name="feature_mahalanobis", width=66).fit(
            wide, condition=["a", "b", "c"] * 3
        )
    with pytest.raises(ValueError, match=r"latent_mahalanobis.*1025 numbers"):
        quick(EGBAD, score_name="latent_mahalanobis", latent_dim=1025).fit(wide)


def encoded(detector, X):
    """Return rows as the networks see them."""
    source = detector.source(X)
    return np.concatenate(
        [detector.fitted_.encoding.encode(source, *chunk)[0] for chunk in source.chunks(99)]
    )


def test_references_are_bounded_and_drawn_by_seed_from_training_rows(table, tmp_path):
    bounded = quick(PCAReconstruction, score_name="input_knn", n_references=50).fit(table)
    held = bounded.fitted_.members[0].components.indexes["input"]
    assert held.counts.sum() == 50
    # With all of them, a row is at a distance of 0 from its nearest if it has trained.
    held_out, (for_scale,) = rows_of_fit(bounded, table)
    all_rows = quick(PCAReconstruction, score_name="input_knn").fit(table)
    nearest = (
        all_rows.fitted_.members[0]
        .components.indexes["input"]
        .neighbors(encoded(all_rows, table), [1])[1]
        .distance
    )
    assert ((nearest > 1e-6) == held_out | for_scale).all()
    same, other = (
        quick(PCAReconstruction, score_name="input_knn", n_references=50, random_state=seed).fit(
            table
        )
        for seed in (0, 1)
    )
    np.testing.assert_array_equal(
        same.fitted_.members[0].components.indexes["input"].rows, held.rows
    )
    assert not np.array_equal(other.fitted_.members[0].components.indexes["input"].rows, held.rows)
    bounded.save(tmp_path / "small")
    quick(PCAReconstruction, score_name="l2").fit(table).save(tmp_path / "none")
    assert (tmp_path / "small").stat().st_size > (tmp_path / "none").stat().st_size + 50 * 16


def test_only_density_finds_what_is_off_a_tight_cluster():
    """A sample too far from a tight cluster is nearer to it than those of a loose one lie."""
    rng = np.random.default_rng(0)
    tight, loose = rng.normal(0, 0.05, (300, 3)), rng.normal(8, 2, (300, 3))
    odd = tight[:40] + 0.3
    new = np.concatenate([rng.normal(0, 0.05, (50, 3)), rng.normal(8, 2, (50, 3)), odd])
    detector = PCAReconstruction(
        score_name=("input_density", "input_knn"), latent_dim=2, random_state=0
    )
    detector.fit(np.concatenate([tight, loose]))
    y = [0] * 100 + [1] * 40
    parts = detector.score_components(new)
    assert roc_auc_score(y, parts["input_density"]) > 0.97
    assert roc_auc_score(y, parts["input_knn"]) < 0.6


def test_combine_has_no_effect_on_shared_parts(table):
    plain, standardised = (
        quick(Autoencoder, score_name=("latent_knn", "l1"), combine=combine).fit(table)
        for combine in ("paper", "standardised")
    )
    scores = plain.anomaly_score(table)
    np.testing.assert_array_equal(standardised.anomaly_score(table), scores)
    with pytest.raises(ValueError, match="no scale for the components of this score"):
        standardised.set_params(score_name="l1").anomaly_score(table)


def test_parts_are_measured_within_the_context(table):
    """The networks are given the context of the references and of the samples alike."""
    context = np.where(np.arange(300) % 2, "a", "b")
    score = ("latent_knn", "residual_relative", "feature_knn")
    detector = quick(AdversarialAutoencoder, score_name=score).fit(table, condition=context)
    scores = detector.anomaly_score(table, condition=context)
    other = detector.anomaly_score(table, condition=context[::-1])
    assert not np.isclose(scores, other).any()


def test_a_latent_vector_is_searched_once(table, monkeypatch):
    """The residual is that of the latent vector that was found."""
    score = ("latent_knn", "residual_mahalanobis")
    detector = quick(AnoGAN, score_name=score, n_steps=3).fit(table)
    searches, search = [], AnoGAN._search

    def noted(*args):
        searches.append(args)
        return search(*args)

    twice = detector.embed(table), detector.reconstruct(table)
    monkeypatch.setattr(AnoGAN, "_search", noted)
    (model,) = Ensemble.of(detector, detector.fitted_).models
    spaces = shared_components.in_spaces(model, score)(torch.from_numpy(encoded(detector, table)))
    assert len(searches) == 1
    np.testing.assert_allclose(spaces["latent"].detach(), twice[0], atol=1e-4)
    left = encoded(detector, table) - encoded(detector, twice[1])
    np.testing.assert_allclose(spaces["residual"].detach(), left, atol=1e-4)


def test_the_command_line_names_parts_with_commas():
    assert parse_settings(["score_name=latent_knn,feature_knn"]) == {
        "score_name": ("latent_knn", "feature_knn")
    }
    assert parse_settings(["score_name=local"]) == {"score_name": "local"}


# -------------------------------------------------------------------------------- a critic as part


def test_a_critic_of_the_input_is_that_of_retrieval_critic(table):
    detector = Autoencoder(score_name="input_critic", max_steps=20, random_state=0, health=False)
    detector.fit(table)
    seen = []
    with pytest.MonkeyPatch.context() as patch:
        learn = FittedComponents.fit

        def noted(names, spaces, *args):
            seen.append(spaces["input"])
            return learn(names, spaces, *args)

        patch.setattr(FittedComponents, "fit", noted)
        detector.fit(table)
    own = RetrievalCritic(max_steps=20, min_steps=20, random_state=0, health=False)
    own.set_params(n_references=detector.n_references).fit(seen[0].astype(np.float64))
    encoded = detector.codec_.encode(table).numpy().astype(np.float64)
    expected = own.anomaly_score(encoded)
    np.testing.assert_allclose(
        detector.score_components(table)["input_critic"], expected, rtol=1e-6
    )


def test_a_critic_is_trained_for_no_more_rounds_than_the_detector(table):
    rounds = []
    for max_steps in (0, 7, 400):
        detector = quick(
            EGBAD, score_name="latent_critic", epochs=1, min_steps=1, max_steps=max_steps
        )
        history = (
            detector.fit(table).fitted_.members[0].components.critics["latent"].detector.history_
        )
        rounds.append(int(history[-1]["step"]) if history else 0)
    assert rounds == [0, 7, 300]


def test_a_critic_tells_which_column_is_odd_and_what_was_expected():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(400, 1)) @ [[1.0, 2.0, -1.0, 1.0]] + 0.1 * rng.normal(size=(400, 4))
    odd = X[:20].copy()
    odd[:, 2] = -odd[:, 2] + 6
    shared = {"scaling": "none", "random_state": 0, "health": False}
    detector = Autoencoder(score_name="input_critic", max_steps=50, **shared).fit(X[20:])
    told = detector.explain(odd)
    assert (np.asarray(told).argmax(1) == 2).mean() > 0.8
    assert np.abs(told.expected.to_numpy() - X[:20])[:, 2].mean() < 3
    detector = Autoencoder(score_name="latent_critic", max_steps=50, **shared).fit(X[20:])
    x = torch.from_numpy(encoded(detector, odd))
    z = torch.from_numpy(detector.embed(odd))
    (model,) = Ensemble.of(detector, detector.fitted_).models
    view = contributions._view(model, model.member.components, "latent_critic")
    seen = contributions._compare(model, model.member.components, view, x, None, {"latent": z})
    latents, _ = detector.fitted_.members[0].components.critics["latent"].nearest(z.numpy())
    with torch.no_grad():
        expected = detector.networks_["generator"](torch.from_numpy(latents).float())
    torch.testing.assert_close(seen["expected"], expected)
    torch.testing.assert_close(seen["contributions"], (x - expected).square())
