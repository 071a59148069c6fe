"""Skip-GANomaly against its formulas, computed by hand."""

import numpy as np
import pytest
import torch

from oddgan import SkipGANomaly
from support.data import Known, call_hook, quick


@pytest.fixture
def nets():
    """G(x) = x / 2 with z = 5x, d(x) = sum x, f(x) = (3x, x^2)."""
    return {
        "generator": Known(lambda x: (x / 2, 5 * x)),
        "discriminator": Known(lambda x: (x.sum(1), torch.cat([3 * x, x.square()], dim=1))),
    }


X = torch.tensor([[1.0, -2.0], [0.5, 0.25]])
HALF = X.numpy() / 2


def f(x):
    return np.concatenate([3 * x, x**2], axis=1)


def minus_log_sigmoid(d):
    return np.log1p(np.exp(-np.asarray(d)))


FEATURES = (f(X.numpy()) - f(HALF)) ** 2


@pytest.mark.parametrize("weight_disc", [0.1, 0.6])
def test_scores_are_means_of_squares(nets, weight_disc):
    r, features = np.mean(HALF**2, axis=1), FEATURES.mean(axis=1)
    for score, value in {
        "residual_and_features": (1 - weight_disc) * r + weight_disc * features,
        "residual": r,
        "features": features,
    }.items():
        found = call_hook(
            SkipGANomaly(score_name=score, weight_disc=weight_disc), "_score", nets, X
        )
        np.testing.assert_allclose(found.total, value, rtol=1e-6)
        np.testing.assert_allclose(found.components["residual"], r, rtol=1e-6)
        np.testing.assert_allclose(found.components["features"], features, rtol=1e-6)
        np.testing.assert_allclose(found.residual, HALF**2, rtol=1e-6)


def test_the_published_weights_are_the_default():
    detector = SkipGANomaly()
    assert (detector.w_adv, detector.w_con, detector.w_lat) == (1, 50, 1)
    assert detector.weight_disc == 0.1
    assert not detector.latent_in_discriminator


def losses(nets, **params):
    return {loss.name: loss for loss in SkipGANomaly(**params)._losses(nets, X, torch.zeros(2, 2))}


@pytest.mark.parametrize("weights", [(1, 0, 0), (0, 1, 0), (0, 0, 1), (1, 50, 1), (0.5, 3, 2)])
def test_the_loss_of_the_generator_is_the_weighted_sum(nets, weights):
    terms = minus_log_sigmoid(HALF.sum(1)).mean(), np.abs(HALF).mean(), FEATURES.mean()
    found = losses(nets, **dict(zip(("w_adv", "w_con", "w_lat"), weights, strict=True)))
    np.testing.assert_allclose(found["generator"].value, np.dot(weights, terms), rtol=1e-6)
    assert found["generator"].updates == ("generator",)
    assert not found["generator"].adversary


@pytest.mark.parametrize("latent_in_discriminator", [False, True])
def test_the_loss_of_the_discriminator(nets, latent_in_discriminator):
    found = losses(nets, latent_in_discriminator=latent_in_discriminator, w_lat=3)["discriminator"]
    real, fake = minus_log_sigmoid(X.sum(1)), minus_log_sigmoid(-HALF.sum(1))
    value = real.mean() + fake.mean() + 3 * latent_in_discriminator * FEATURES.mean()
    np.testing.assert_allclose(found.value, value, rtol=1e-6)
    assert found.updates == ("discriminator",)
    assert found.adversary


@pytest.mark.parametrize("latent_in_discriminator", [False, True])
def test_the_discriminators_loss_does_not_reach_the_generator(table, latent_in_discriminator):
    detector = quick(
        SkipGANomaly, max_steps=5, latent_in_discriminator=latent_in_discriminator
    ).fit(table)
    G, D = detector.networks_["generator"], detector.networks_["discriminator"]
    rounds = detector._losses(detector.networks_, torch.randn(8, 4), torch.zeros(8, 4))
    loss = next(rounds)
    grads = torch.autograd.grad(loss.value, list(G.parameters()), retain_graph=True)
    assert all(grad.abs().sum() > 0 for grad in grads)
    loss.value.backward(inputs=list(G.parameters()))
    loss = next(rounds)
    loss.value.backward(retain_graph=True, inputs=list(D.parameters()))
    grads = torch.autograd.grad(loss.value, list(G.parameters()), allow_unused=True)
    assert all(grad is None for grad in grads)


def test_embedding_and_reconstruction_come_from_the_u_net(nets, images):
    detector = SkipGANomaly()
    torch.testing.assert_close(call_hook(detector, "_embed", nets, X), 5 * X)
    torch.testing.assert_close(call_hook(detector, "_reconstruct", nets, X), X / 2)
    fitted = quick(SkipGANomaly, latent_dim=7, max_steps=2).fit(images)
    assert fitted.embed(images).shape == (120, 7)


def test_skips_let_it_copy_what_a_narrow_autoencoder_cannot():
    """Independent columns, one latent number: only the skips can carry the other five."""
    X = np.random.default_rng(0).normal(size=(300, 6))
    detector = SkipGANomaly(latent_dim=1, random_state=0).fit(X)
    error = (detector.reconstruct(X) - X).var(axis=0).sum() / X.var(axis=0).sum()
    # The best that one number could do is to lose five of six equal variances.
    assert error < 0.2


def test_the_preset_is_that_of_the_official_code():
    detector = SkipGANomaly.from_preset("paper-cifar10")
    assert (detector.latent_dim, detector.batch_size, detector.epochs) == (512, 64, 15)
    assert (detector.learning_rate, detector.image_size) == (2e-4, 32)
    assert detector._betas == (0.5, 0.999)
    assert (detector.min_steps, detector.max_steps) == (1, None)
