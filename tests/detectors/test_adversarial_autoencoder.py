"""The adversarial autoencoder (aCAE) against its formulas, computed by hand."""

import numpy as np
import pytest
import torch

from oddgan import AdversarialAutoencoder
from support.data import Known, call_hook, quick


@pytest.fixture
def nets():
    """E(x) = 2x, G(z) = z / 4, d(x) = sum x, f(x) = (3x, x^2)."""
    return {
        "encoder": Known(lambda x: 2 * x),
        "generator": Known(lambda z: z / 4),
        "discriminator": Known(lambda x: (x.sum(1), torch.cat([3 * x, x.square()], dim=1))),
    }


X = torch.tensor([[1.0, -2.0], [0.5, 0.25]])
# The reconstruction is x / 2, so the residual is |x| / 2: 1.5 and 0.375. The features differ by
# (3x / 2, 3x^2 / 4): their L1 norms are 4.5 + 3.75 and 1.125 + 0.234375.
RESIDUAL, FEATURES = np.array([1.5, 0.375]), np.array([8.25, 1.359375])
HALF = X.numpy() / 2


def minus_log_sigmoid(d):
    return np.log1p(np.exp(-np.asarray(d)))


@pytest.mark.parametrize("weight_disc", [0.1, 0.7])
def test_the_score_is_anogans(nets, weight_disc):
    for score, value in {
        "feature_matching": (1 - weight_disc) * RESIDUAL + weight_disc * FEATURES,
        "residual": RESIDUAL,
    }.items():
        found = call_hook(
            AdversarialAutoencoder(score_name=score, weight_disc=weight_disc), "_score", nets, X
        )
        np.testing.assert_allclose(found.total, value, rtol=1e-6)
        np.testing.assert_allclose(found.components["residual"], RESIDUAL, rtol=1e-6)
        np.testing.assert_allclose(found.components["feature_matching"], FEATURES, rtol=1e-6)
        np.testing.assert_allclose(found.residual, np.abs(HALF), rtol=1e-6)


@pytest.mark.parametrize("w_adv", [0.001, 0.4])
def test_losses_of_a_round(nets, w_adv):
    detector = AdversarialAutoencoder(w_adv=w_adv)
    losses = {loss.name: loss for loss in detector._losses(nets, X, torch.zeros(2, 2))}
    assert list(losses) == ["discriminator", "autoencoder"]
    real, fake = minus_log_sigmoid(X.sum(1)), minus_log_sigmoid(-HALF.sum(1))
    D, AE = losses["discriminator"], losses["autoencoder"]
    np.testing.assert_allclose(D.value, real.mean() + fake.mean(), rtol=1e-6)
    adversarial = minus_log_sigmoid(HALF.sum(1)).mean()
    np.testing.assert_allclose(
        AE.value, (1 - w_adv) * np.mean(HALF**2) + w_adv * adversarial, rtol=1e-6
    )
    assert (D.updates, D.adversary) == (("discriminator",), True)
    assert (AE.updates, AE.adversary) == (("encoder", "generator"), False)


def test_published_weights_are_the_default():
    detector = AdversarialAutoencoder()
    assert (detector.w_adv, detector.weight_disc) == (0.001, 0.1)


def test_the_discriminators_loss_does_not_reach_the_autoencoder(table):
    detector = quick(AdversarialAutoencoder, max_steps=5).fit(table)
    nets = detector.networks_
    rounds = detector._losses(nets, torch.randn(8, 4), torch.zeros(8, 4))
    coder = [*nets["encoder"].parameters(), *nets["generator"].parameters()]
    loss = next(rounds)
    grads = torch.autograd.grad(loss.value, coder, retain_graph=True, allow_unused=True)
    assert all(grad is None for grad in grads)
    adversarial = AdversarialAutoencoder(w_adv=1.0)._losses(
        nets, torch.randn(8, 4), torch.zeros(8, 4)
    )
    next(adversarial)
    grads = torch.autograd.grad(next(adversarial).value, coder)
    assert all(grad.abs().sum() > 0 for grad in grads)  # D's judgement alone trains E and G
