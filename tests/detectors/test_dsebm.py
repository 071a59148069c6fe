"""DSEBM against the paper's formulas, computed by hand or by automatic differentiation."""

import numpy as np
import pytest
import torch
from torch import nn

from oddgan import DSEBM
from oddgan.detectors.dsebm import denoising_loss
from oddgan.networks import Noise, condition_layers, condition_on, initialise, use_generator
from oddgan.networks.architectures.energy import Energy, convolutions
from support.data import call_hook


def softplus(a):
    return np.log1p(np.exp(a))


def sigmoid(a):
    return 1 / (1 + np.exp(-a))


def energy_of(shape, layers, seed=0):
    """An energy with weights and biases that are all drawn."""
    net, generator = Energy(shape, layers), torch.Generator().manual_seed(seed)
    for parameter in net.parameters():
        nn.init.normal_(parameter, std=0.5, generator=generator)
    return net


def dense():
    return energy_of((3,), [nn.Linear(3, 4), nn.Linear(4, 5)])


SHAPES = [(1, 8, 8), (2, 9, 7), (1, 15, 20), (3, 5, 4)]


def test_energy_and_gradient_by_hand():
    net, x = dense(), np.array([[0.5, -1.0, 2.0], [0.0, 0.3, -0.7]])
    names = [f"layers.{i}.{name}" for i in (0, 1) for name in ("weight", "bias")]
    W1, b1, W2, b2, centre = (
        net.get_parameter(name).detach().double().numpy() for name in [*names, "centre"]
    )
    a1 = x @ W1.T + b1
    a2 = softplus(a1) @ W2.T + b2
    energy = ((x - centre) ** 2).sum(1) / 2 - softplus(a2).sum(1)
    decoded = ((sigmoid(a2) @ W2) * sigmoid(a1)) @ W1  # the weights of the encoder, transposed
    found, gradient = net(torch.from_numpy(x).float())
    np.testing.assert_allclose(found.detach(), energy, rtol=1e-4)
    np.testing.assert_allclose(gradient.detach(), x - centre - decoded, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("shape", [(3,), *SHAPES], ids=str)
@pytest.mark.parametrize("condition_dim", [0, 2])
def test_the_gradient_is_that_of_automatic_differentiation(shape, condition_dim):
    layers = convolutions(shape, 5, 3) if shape[1:] else [nn.Linear(3, 4), nn.Linear(4, 5)]
    net = Energy(shape, layers)
    if condition_dim:
        condition_layers(net, condition_dim)
    initialise(net, "xavier", torch.Generator().manual_seed(0))
    net.double()
    x = torch.randn(4, *shape, dtype=torch.float64, requires_grad=True)
    with condition_on(
        torch.randn(4, condition_dim, dtype=torch.float64) if condition_dim else None
    ):
        energy, gradient = net(x)
    (expected,) = torch.autograd.grad(energy.sum(), x)
    torch.testing.assert_close(gradient, expected)


def test_the_loss_by_hand():
    x = torch.tensor([[1.0, -2.0], [0.5, 0.25]])
    noisy = torch.tensor([[1.5, -2.0], [0.5, -0.75]])
    gradient = torch.tensor([[1.0, 0.5], [0.0, 2.0]])
    # x - (x~ - g): (0.5, 0.5) and (0, 3)
    assert denoising_loss(x, noisy, gradient).item() == pytest.approx((0.5 + 9) / 2)


@pytest.mark.parametrize("noise_scale", [1.0, 0.25])
def test_a_round_denoises_noise_of_the_given_scale(noise_scale):
    net, x = dense(), torch.randn(6, 3, generator=torch.Generator().manual_seed(5))
    noise = Noise()
    use_generator(noise, torch.Generator().manual_seed(7))
    (loss,) = DSEBM(noise_scale=noise_scale)._losses({"energy": net, "noise": noise}, x, x)
    noisy = x + noise_scale * torch.randn(6, 3, generator=torch.Generator().manual_seed(7))
    expected = (x - noisy + net(noisy)[1]).square().sum(1).mean()
    torch.testing.assert_close(loss.value, expected)
    assert loss.updates == ("energy",)


@pytest.mark.parametrize("score", ["energy", "reconstruction"])
def test_scores_and_answers(score):
    net, x = dense(), torch.randn(6, 3, generator=torch.Generator().manual_seed(5))
    energy, gradient = net(x)
    detector = DSEBM(score_name=score)
    found = call_hook(detector, "_score", {"energy": net}, x)
    expected = {"energy": energy, "reconstruction": gradient.square().sum(1).sqrt()}
    torch.testing.assert_close(dict(found.components), expected)
    torch.testing.assert_close(found.total, expected[score])
    torch.testing.assert_close(found.residual, gradient**2)
    torch.testing.assert_close(
        call_hook(detector, "_reconstruct", {"energy": net}, x), x - gradient
    )
    assert call_hook(detector, "_embed", {"energy": net}, x).shape == (6, 5)


def test_there_is_one_centre_for_all_rows(table, images):
    for X, shape in ((table, (4,)), (images, (1, 8, 10))):
        detector = DSEBM(max_steps=3, width=8, latent_dim=4, random_state=0).fit(X)
        assert detector.networks_["energy"].centre.shape == shape
        scores = detector.anomaly_score(X)
        np.testing.assert_allclose(detector.anomaly_score(X[::-1])[::-1], scores, rtol=1e-6)
        np.testing.assert_allclose(detector.anomaly_score(X[50:])[0], scores[50], rtol=1e-6)


def test_the_energy_is_no_lower_far_away_in_any_direction(table):
    detector = DSEBM(min_steps=200, epochs=1, scaling="none", random_state=0).fit(table)
    directions = np.random.default_rng(1).normal(size=(200, 4))
    for distance in (20, 100, 1e4):
        far = distance * directions / np.linalg.norm(directions, axis=1)[:, None]
        assert detector.anomaly_score(far).min() > detector.anomaly_score(table).max()


def test_the_energy_is_the_minus_log_density_of_noisy_rows():
    """For N(0, s^2) and noise 1 the best denoiser is linear: grad e = x / (1 + s^2)."""
    X = 2 * np.random.default_rng(0).normal(size=(4000, 1))
    detector = DSEBM(
        scaling="none",
        width=32,
        latent_dim=64,
        batch_size=500,
        min_steps=500,
        epochs=1,
        random_state=0,
    ).fit(X)
    x = torch.tensor([[-3.0], [-1.0], [0.0], [2.0], [4.0]])
    gradient = detector.networks_["energy"](x)[1].detach()
    np.testing.assert_allclose(gradient, x / (1 + 4), atol=0.15)


def test_layers_are_those_of_the_published_code():
    quick = {"max_steps": 1, "min_steps": 1, "random_state": 0}
    rng = np.random.default_rng(0)
    net = DSEBM(**quick).fit(rng.normal(size=(30, 121))).networks_["energy"]
    sizes = [(layer.in_features, layer.out_features) for layer in net.layers]
    assert sizes == [(121, 128), (128, 512)]
    images = rng.integers(0, 256, size=(30, 3, 32, 32), dtype=np.uint8)
    net = DSEBM(**quick).fit(images).networks_["energy"]
    assert [tuple(layer.weight.shape) for layer in net.layers] == [
        (64, 3, 3, 3),
        (128, 64, 3, 3),
        (256, 128, 3, 3),
        (128, 256 * 4 * 4),
    ]
