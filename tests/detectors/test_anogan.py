"""AnoGAN against the paper's formulas, computed by hand."""

import numpy as np
import pytest
import torch

from oddgan import AnoGAN
from oddgan.detectors import anogan
from oddgan.detectors.anogan import discriminator_loss, sensitivity
from oddgan.networks import LatentDraws, condition_on
from support.data import Known, call_hook, quick


def starts(*rows):
    draws = LatentDraws(len(rows), len(rows[0]))
    draws.noise.copy_(torch.tensor(rows))
    return draws


@pytest.fixture
def nets():
    """G(z) = z / 4, d(x) = sum x, f(x) = 3 x; two starts."""
    return {
        "generator": Known(lambda z: z / 4),
        "discriminator": Known(lambda x: (x.sum(1), 3 * x)),
        "starts": starts([4.0, 0.0], [-4.0, 8.0]),
    }


X = torch.tensor([[1.0, -2.0], [0.5, 0.25]])
# G(z) of the two starts is (1, 0) and (-1, 2).


def minus_log_sigmoid(d):
    return np.log1p(np.exp(-np.asarray(d)))


def still(**params):
    """Return an AnoGAN whose search moves nothing that can be seen: the score is at the starts."""
    return AnoGAN(n_steps=1, search_learning_rate=1e-9, **params)


@pytest.mark.parametrize("weight_disc", [0.1, 0.7])
def test_the_score_is_the_papers_as_the_mean_over_the_starts(nets, weight_disc):
    residual = np.array([[0 + 2, 0.5 + 0.25], [2 + 4, 1.5 + 1.75]])  # start by row
    for score, part in {
        "feature_matching": 3 * residual,
        "sigma": minus_log_sigmoid([[1, 1], [1, 1]]),  # d(G(z)) is 1 for both starts
    }.items():
        found = call_hook(still(score_name=score, weight_disc=weight_disc), "_score", nets, X)
        np.testing.assert_allclose(found.components["residual"], residual.mean(0), rtol=1e-6)
        np.testing.assert_allclose(found.components[score], part.mean(0), rtol=1e-6)
        total = (1 - weight_disc) * residual.mean(0) + weight_disc * part.mean(0)
        np.testing.assert_allclose(found.total, total, rtol=1e-6)
        np.testing.assert_allclose(
            found.residual, [[(0 + 2) / 2, (2 + 4) / 2], [1.0, 1.0]], rtol=1e-6
        )


def test_the_squared_residual_is_the_score_of_the_same_search(nets):
    detector = still(score_name="squared")
    found = call_hook(detector, "_score", nets, X)
    squared = np.array([[[0.0, 4.0], [4.0, 16.0]], [[0.25, 0.0625], [2.25, 3.0625]]]).mean(1)
    np.testing.assert_allclose(found.residual, squared, rtol=1e-6)
    np.testing.assert_allclose(found.total, squared.sum(1), rtol=1e-6)
    z = torch.tensor([[2.0, 1.0], [-3.0, 0.5]])
    np.testing.assert_array_equal(
        detector._search_loss(nets, z, X, 3 * X, "squared"),
        AnoGAN()._search_loss(nets, z, X, 3 * X, "feature_matching"),
    )


@pytest.mark.parametrize("context", [None, torch.zeros(2, 1)])
def test_each_search_starts_at_the_nearest_of_its_candidates(nets, context):
    first = [4.0, 4.0], [4.0, -4.0], [8.0, 8.0]
    second = [0.0, -8.0], [2.0, 2.0], [8.0, 8.0]
    nets["starts"] = starts(*first, *second)
    # G of these is (1, 1), (1, -1), (2, 2); (0, -2), (1/2, 1/2), (2, 2). X is given above.
    with condition_on(context):
        found = still(n_restarts=2, n_candidates=3)._search(nets, X, 3 * X, "feature_matching")
    expected = [[[4, -4], [4, 4]], [[0, -8], [2, 2]]]  # by search, by row
    np.testing.assert_allclose(found, expected, atol=1e-6)


def test_as_many_candidates_are_drawn_as_all_searches_have(table):
    detector = quick(AnoGAN, n_restarts=2, n_candidates=3, n_steps=2).fit(table)
    assert detector.networks_["starts"].noise.shape == (6, 4)
    together = detector.anomaly_score(table)
    np.testing.assert_allclose(detector.anomaly_score(table[5:8]), together[5:8], rtol=1e-5)


def test_the_discriminator_alone_is_minus_its_logit_and_searches_nothing(nets, monkeypatch):
    monkeypatch.setattr(anogan, "search_latents", lambda *a, **k: pytest.fail("it searched"))
    found = call_hook(AnoGAN(score_name="discriminator"), "_score", nets, X)
    assert found.total.tolist() == [1.0, -0.75]


def test_sensitivity_is_the_magnitude_of_the_gradient_of_the_logit():
    D = Known(lambda x: ((x[:, 0] ** 2 - 3 * x[:, 1]), None))
    with torch.inference_mode():
        found = sensitivity({"discriminator": D}, X)
    np.testing.assert_allclose(found, [[2.0, 3.0], [1.0, 3.0]])


@pytest.mark.parametrize(
    ("params", "loss"),
    [
        ({}, lambda r, z: 0.9 * r + 0.1 * 3 * r),
        ({"weight_disc": 0.6}, lambda r, z: 0.4 * r + 0.6 * 3 * r),
        ({"prior_weight": 2.0}, lambda r, z: 0.9 * r + 0.3 * r + (z**2).sum(1)),
        ({"score_name": "sigma"}, lambda r, z: 0.9 * r + 0.1 * minus_log_sigmoid(z.sum(1) / 4)),
    ],
)
def test_the_loss_of_the_search(nets, params, loss):
    z = torch.tensor([[2.0, 1.0], [-3.0, 0.5]])
    detector = AnoGAN(**params)
    found = detector._search_loss(nets, z, X, 3 * X, detector.score_name)
    r = np.abs(X.numpy() - z.numpy() / 4).sum(1)
    np.testing.assert_allclose(found, loss(r, z.numpy()), rtol=1e-6)


def test_the_search_finds_the_latent(nets):
    """G is onto, so that the residual vanishes; with a prior z stays nearer to 0."""
    free = AnoGAN(search_learning_rate=0.1, search_tolerance=0)
    np.testing.assert_allclose(call_hook(free, "_embed", nets, X), 4 * X, atol=0.02)
    assert call_hook(free, "_score", nets, X).components["residual"].max() < 0.02
    held = AnoGAN(search_learning_rate=0.1, search_tolerance=0, prior_weight=1.0)
    # At the optimum 1.2 |x - z / 4| + z^2 / 2 has z = 0.3 sign(x), unless 4 x is nearer.
    np.testing.assert_allclose(
        call_hook(held, "_embed", nets, X), [[0.3, -0.3], [0.3, 0.3]], atol=0.02
    )


def test_the_latent_is_that_of_the_start_with_the_lowest_loss(nets):
    """The first start is nearer to both samples."""
    np.testing.assert_allclose(call_hook(still(), "_embed", nets, X), [[4, 0], [4, 0]], atol=1e-6)
    nets["starts"] = starts([-4.0, 8.0], [4.0, 0.0])
    np.testing.assert_allclose(call_hook(still(), "_embed", nets, X), [[4, 0], [4, 0]], atol=1e-6)
    np.testing.assert_allclose(
        call_hook(still(), "_reconstruct", nets, X), [[1, 0], [1, 0]], atol=1e-6
    )


@pytest.mark.parametrize(("kind", "drops"), [("table", (300, 400)), ("image", (200, 300))])
def test_the_learning_rate_falls_as_in_the_egbad_authors_code(nets, kind, drops, monkeypatch):
    seen = []
    monkeypatch.setattr(
        anogan, "search_latents", lambda nets, loss, z, known, descent, **k: seen.append(descent)
    )
    x = X if kind == "table" else X[:, None, None]
    detector = AnoGAN(search_tolerance=0.3)
    detector._search(nets, x, x, "sigma")
    detector.set_params(search_schedule="constant", n_steps=7)._search(nets, x, x, "sigma")
    step, constant = seen
    assert step.rates == ([(0, 0.01), (drops[0], 0.001), (drops[1], 0.0005)],)
    assert (step.n_steps, step.tolerance) == (500, 0.3)
    assert constant.rates == ([(0, 0.01)],)
    assert constant.n_steps == 7


def test_losses_of_a_round(nets):
    z = torch.tensor([[4.0, 0.0], [-4.0, 12.0]])
    losses = {loss.name: loss for loss in AnoGAN()._losses(nets, X, z)}
    real, fake = X.sum(1).numpy(), z.sum(1).numpy() / 4
    assert list(losses) == ["discriminator", "generator"]
    for name, value in {
        "discriminator": (minus_log_sigmoid(real) + minus_log_sigmoid(-fake)).mean(),
        "generator": minus_log_sigmoid(fake).mean(),
    }.items():
        np.testing.assert_allclose(losses[name].value, value, rtol=1e-5)
        assert losses[name].updates == (name,)
    assert losses["discriminator"].adversary


def test_the_discriminator_does_not_pull_at_the_generator():
    weight = torch.tensor(0.5, requires_grad=True)
    nets = {
        "generator": Known(lambda z: weight * z),
        "discriminator": Known(lambda x: (x.sum(1), x)),
    }
    loss = next(AnoGAN()._losses(nets, X, X))
    assert not loss.value.requires_grad


def test_huge_logits_give_finite_losses_and_gradients():
    logit = torch.tensor([1e4, -1e4], requires_grad=True)
    loss = discriminator_loss(-logit, logit)
    loss.backward()
    assert torch.isfinite(loss)
    assert torch.isfinite(logit.grad).all()


def test_more_steps_and_restarts_are_used(table):
    """PyOD's AnoGAN compares every new row with one and the same generated row."""
    detector = quick(AnoGAN, n_restarts=2, n_steps=50, search_tolerance=0).fit(table)
    assert detector.networks_["starts"].noise.shape == (2, 4)
    assert len(np.unique(detector.embed(table[:20]).round(4), axis=0)) > 15
    before = detector.set_params(n_steps=1).anomaly_score(table)
    after = detector.set_params(n_steps=200, search_learning_rate=0.05).anomaly_score(table)
    assert (after < before).mean() > 0.95


def test_presets():
    oct_, kdd = AnoGAN.from_preset("paper-oct"), AnoGAN.from_preset("egbad-kdd")
    assert (oct_.epochs, oct_.n_steps, oct_.weight_disc) == (20, 500, 0.1)
    assert (kdd.latent_dim, kdd.batch_size, kdd.learning_rate) == (32, 50, 1e-5)
    assert kdd._betas == (0.5, 0.999)
