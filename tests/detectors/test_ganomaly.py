"""GANomaly against the paper's formulas, computed by hand."""

import numpy as np
import pytest
import torch
from torch import nn

from oddgan import GANomaly
from support.data import Known, call_hook, quick


@pytest.fixture
def nets():
    """G_E(x) = 2x, G_D(z) = z / 4, E(y) = 3y, d(x) = sum x, f(x) = (3x, x^2)."""
    return {
        "encoder": Known(lambda x: 2 * x),
        "generator": Known(lambda z: z / 4),
        "second_encoder": Known(lambda y: 3 * y),
        "discriminator": Known(lambda x: (x.sum(1), torch.cat([3 * x, x.square()], dim=1))),
    }


X = torch.tensor([[1.0, -2.0], [0.5, 0.25]])
# The reconstruction is y = x / 2; z = 2x, z^ = 3x / 2, so z - z^ = x / 2.
HALF = X.numpy() / 2


def minus_log_sigmoid(d):
    return np.log1p(np.exp(-np.asarray(d)))


def test_scores_are_the_l1_norm_of_the_paper_and_the_mean_square_of_the_code(nets):
    l1 = call_hook(GANomaly(), "_score", nets, X)
    np.testing.assert_allclose(l1.total, [1.5, 0.375], rtol=1e-6)
    l2 = call_hook(GANomaly(score_name="l2"), "_score", nets, X)
    np.testing.assert_allclose(l2.total, [(0.25 + 1) / 2, (0.0625 + 0.015625) / 2], rtol=1e-6)
    for found in (l1, l2):
        np.testing.assert_allclose(found.residual, np.abs(HALF), rtol=1e-6)
        np.testing.assert_allclose(found.components["residual"], np.abs(HALF).sum(1), rtol=1e-6)


def losses(nets, **params):
    return {loss.name: loss for loss in GANomaly(**params)._losses(nets, X, torch.zeros(2, 2))}


def f(x):
    return np.concatenate([3 * x, x**2], axis=1)


TERMS = {
    # Not the distance of D's outputs, as in a well-known reimplementation: that is of sums here.
    "feature_matching": np.mean((f(X.numpy()) - f(HALF)) ** 2),
    # Of D(y), not of y itself.
    "cross_entropy": minus_log_sigmoid(HALF.sum(1)).mean(),
}


@pytest.mark.parametrize("adversarial", list(TERMS))
@pytest.mark.parametrize("weights", [(1, 0, 0), (0, 1, 0), (0, 0, 1), (1, 50, 1), (0.5, 3, 2)])
def test_the_loss_of_the_generator_is_the_weighted_sum(nets, adversarial, weights):
    terms = TERMS[adversarial], np.abs(HALF).mean(), np.mean(HALF**2)
    named = dict(zip(("w_adv", "w_con", "w_enc"), weights, strict=True))
    found = losses(nets, adversarial=adversarial, **named)["generator"]
    np.testing.assert_allclose(found.value, np.dot(weights, terms), rtol=1e-6)
    assert found.updates == ("encoder", "generator", "second_encoder")
    assert not found.adversary


def test_the_published_weights_are_the_default(nets):
    assert (
        losses(nets)["generator"].value
        == losses(nets, w_adv=1, w_con=50, w_enc=1)["generator"].value
    )
    assert GANomaly().adversarial == "feature_matching"


def test_the_discriminator_minimises_half_of_both_cross_entropies(nets):
    found = losses(nets)["discriminator"]
    real, fake = minus_log_sigmoid(X.sum(1)), minus_log_sigmoid(-HALF.sum(1))
    np.testing.assert_allclose(found.value, 0.5 * (real.mean() + fake.mean()), rtol=1e-6)
    assert found.updates == ("discriminator",)
    assert found.adversary


@pytest.fixture
def trained(table):
    return quick(GANomaly, max_steps=20).fit(table)


@pytest.mark.parametrize("adversarial", ["feature_matching", "cross_entropy"])
def test_whose_weights_each_loss_depends_on(trained, adversarial):
    nets = {role: net.train() for role, net in trained.networks_.items()}
    params = {role: list(net.parameters()) for role, net in nets.items()}
    x = torch.randn(16, 4)
    rounds = GANomaly(adversarial=adversarial)._losses(nets, x, torch.zeros(16, 4))
    reached = {}
    for loss in rounds:
        reached[loss.name] = {
            role
            for role, ps in params.items()
            for p, grad in zip(
                ps,
                torch.autograd.grad(loss.value, ps, retain_graph=True, allow_unused=True),
                strict=True,
            )
            if grad is not None and grad.abs().sum() > 0
        }
    assert reached["generator"] >= {"encoder", "generator", "second_encoder"}
    assert reached["discriminator"] == {"discriminator"}  # the reconstruction is detached


def test_the_discriminators_gradient_is_that_of_its_own_loss(trained):
    """Although a forward pass is shared with the loss before it, which is stepped in between."""
    nets = {role: net.train() for role, net in trained.networks_.items()}
    D = nets["discriminator"]
    for layer in D.modules():
        if hasattr(layer, "p"):
            layer.p = 0.0  # no dropout: both ways must draw the same
    x = torch.randn(16, 4)
    rounds = GANomaly()._losses(nets, x, torch.zeros(16, 4))
    loss = next(rounds)
    trained_roles = [p for role in loss.updates for p in nets[role].parameters()]
    with torch.no_grad():
        y = nets["generator"](nets["encoder"](x))
    loss.value.backward(inputs=trained_roles)
    found = torch.autograd.grad(next(rounds).value, list(D.parameters()))
    by_hand = torch.stack([-D(x)[0], D(y)[0]])
    value = nn.functional.softplus(by_hand).mean()
    for one, other in zip(found, torch.autograd.grad(value, list(D.parameters())), strict=True):
        torch.testing.assert_close(one, other)


def test_the_second_encoder_has_weights_of_its_own_and_they_are_trained(table):
    detector = quick(GANomaly, max_steps=1).fit(table)
    first, second = (detector.networks_[role] for role in ("encoder", "second_encoder"))
    assert not {p.data_ptr() for p in first.parameters()} & {
        p.data_ptr() for p in second.parameters()
    }
    longer = quick(GANomaly, max_steps=20).fit(table)
    for role in ("encoder", "generator", "second_encoder", "discriminator"):
        pairs = zip(
            detector.networks_[role].parameters(), longer.networks_[role].parameters(), strict=True
        )
        assert all(not torch.equal(one, other) for one, other in pairs), role
    assert not torch.equal(first[0].weight, second[0].weight)


def test_embedding_and_reconstruction_are_of_the_first_encoder(trained, table):
    nets = trained.networks_
    x = torch.randn(5, 4)
    torch.testing.assert_close(call_hook(trained, "_embed", nets, x), nets["encoder"](x))
    torch.testing.assert_close(
        call_hook(trained, "_reconstruct", nets, x), nets["generator"](nets["encoder"](x))
    )


def test_images_start_with_the_dcgans_weights(images):
    """In every layer, unlike a reimplementation whose initialisation looked at containers only."""
    detector = GANomaly(width=8, max_steps=1, learning_rate=1e-12, random_state=0).fit(images)
    for role, net in detector.networks_.items():
        for layer in net.modules():
            if isinstance(layer, nn.Conv2d | nn.ConvTranspose2d | nn.Linear):
                assert layer.weight.std().item() == pytest.approx(0.02, rel=0.25), role
            elif isinstance(layer, nn.BatchNorm2d):
                assert layer.weight.mean().item() == pytest.approx(1, abs=0.03), role
                assert 0.005 < layer.weight.std().item() < 0.04, role


def test_presets_are_those_of_the_official_code():
    for name in ("paper-mnist", "paper-cifar10"):
        detector = GANomaly.from_preset(name)
        assert (detector.latent_dim, detector.batch_size, detector.epochs) == (100, 64, 15)
        assert (detector.learning_rate, detector.image_size) == (2e-4, 32)
        assert detector._betas == (0.5, 0.999)
        assert (detector.min_steps, detector.max_steps) == (1, None)


def test_a_constant_discriminator_is_judged_by_its_whole_loss(nets):
    """The halved loss of a coin is log 2, which the watch would not know for one."""
    found = {loss.name: loss for loss in GANomaly()._losses(nets, X, X)}["discriminator"]
    torch.testing.assert_close(found.judged, 2 * found.value)
