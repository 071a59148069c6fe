"""The VAE against its formulas, computed by hand or by SciPy."""

import numpy as np
import pytest
import torch
from scipy import stats
from scipy.integrate import trapezoid
from torch import nn

from oddgan import VAE
from oddgan.detectors.vae import kl_divergence
from oddgan.inputs import Block
from oddgan.networks import Decoder, LatentDraws
from support.data import call_hook

BLOCKS = [Block("gaussian", 0, 2), Block("bernoulli", 2, 3), Block("categorical", 3, 6)]
# One row: two numbers, a boolean, and a category of three; then the outputs for it.
X = torch.tensor([[0.5, -1.0, 1.0, 0.0, 1.0, 0.0]])
OUT = torch.tensor([[0.2, -0.4, 0.7, 0.1, -0.3, 2.0, 0.3, -1.2]])  # the last two are raw scales
SCALES = 0.1 + np.log1p(np.exp(OUT[0, 6:].numpy()))


class Constant(nn.Module):
    """A decoder body that answers the same for every z."""

    def __init__(self, out):
        super().__init__()
        self.out = out

    def forward(self, z):
        return self.out.expand(len(z), *self.out.shape[1:])


@pytest.fixture
def decoder():
    return Decoder(Constant(OUT), BLOCKS, min_scale=0.1, unit=False)


def by_scipy():
    logits = OUT[0, 3:6].numpy()
    return [
        -stats.norm(0.2, SCALES[0]).logpdf(0.5),
        -stats.norm(-0.4, SCALES[1]).logpdf(-1.0),
        -stats.bernoulli(1 / (1 + np.exp(-0.7))).logpmf(1),
        0,
        -np.log(np.exp(logits) / np.exp(logits).sum())[1],
        0,
    ]


def test_likelihood_of_every_kind_of_column(decoder):
    nll = decoder.nll(X, torch.zeros(1, 2))
    np.testing.assert_allclose(nll[0], by_scipy(), rtol=1e-5, atol=1e-7)


def test_above_the_mode_a_perfect_number_costs_nothing(decoder):
    perfect = X.clone()
    perfect[0, :2] = OUT[0, :2]
    assert decoder.nll(perfect, torch.zeros(1, 2), above_mode=True)[0, :2].tolist() == [0, 0]
    z_scores = (X[0, :2] - OUT[0, :2]).numpy() / SCALES
    above = decoder.nll(X, torch.zeros(1, 2), above_mode=True)
    np.testing.assert_allclose(above[0, :2], z_scores**2 / 2, rtol=1e-5)
    np.testing.assert_allclose(above[0, 2:], by_scipy()[2:], rtol=1e-5, atol=1e-7)


def test_expected_row(decoder):
    logits = OUT[0, 3:6].numpy()
    softmax = np.exp(logits) / np.exp(logits).sum()
    expected = [0.2, -0.4, 1 / (1 + np.exp(-0.7)), *softmax]
    np.testing.assert_allclose(decoder(torch.zeros(1, 2))[0], expected, rtol=1e-5)


def test_pixels_are_bernoulli_on_zero_to_one():
    out = torch.full((1, 1, 2, 2), 0.4)
    decoder = Decoder(Constant(out), [Block("bernoulli", 0, 1)], 0.1, unit=True)
    x = torch.tensor([[[[-1.0, 1.0], [0.0, 0.5]]]])
    p, t = 1 / (1 + np.exp(-0.4)), (x.numpy() + 1) / 2
    by_hand = -(t * np.log(p) + (1 - t) * np.log(1 - p))
    np.testing.assert_allclose(decoder.nll(x, torch.zeros(1, 2)), by_hand, rtol=1e-5)
    np.testing.assert_allclose(decoder(torch.zeros(1, 2)), np.full((1, 1, 2, 2), 2 * p - 1), 1e-5)


def test_kl_divergence_against_numerical_integration():
    m, s = 0.7, 0.4
    grid = np.linspace(-8, 8, 200_001)
    q, p = stats.norm(m, s), stats.norm()
    integral = trapezoid(q.pdf(grid) * (q.logpdf(grid) - p.logpdf(grid)), grid)
    found = kl_divergence(torch.tensor([[m, 0.0]]), torch.tensor([[np.log(s), 0.0]]))
    np.testing.assert_allclose(found, [integral], rtol=1e-5)


class Encoder(nn.Module):
    """q(z|x) = N(sum x, e^-2), one latent."""

    def forward(self, x):
        return torch.cat([x.sum(1, keepdim=True), torch.full((len(x), 1), -1.0)], dim=1)


class Repeat(nn.Module):
    """Means z and raw scales 0 for two numbers."""

    def forward(self, z):
        return torch.cat([z, z, torch.zeros(len(z), 2)], dim=1)


@pytest.fixture
def nets():
    draws = LatentDraws(3, 1)
    draws.noise.copy_(torch.tensor([[0.5], [-1.0], [2.0]]))
    decoder = Decoder(Repeat(), [Block("gaussian", 0, 2)], 0.1, unit=False)
    return {"encoder": Encoder(), "generator": decoder, "draws": draws}


def test_scores_are_those_of_an_and_cho(nets):
    x = torch.tensor([[1.0, -0.4], [0.0, 2.0]])
    m, s, scale = x.sum(1).numpy(), np.exp(-1.0), 0.1 + np.log(2)
    nll = np.zeros(2)
    for noise in (0.5, -1.0, 2.0):
        z = m + s * noise
        nll -= stats.norm(z[:, None], scale).logpdf(x.numpy()).sum(1) / 3
    kl = 0.5 * (m**2 + s**2 - 1 - 2 * np.log(s))
    squared = ((x.numpy() - m[:, None]) ** 2).sum(1)
    for score, value in {
        "reconstruction_probability": nll,
        "elbo": nll + kl,
        "kl": kl,
        "reconstruction": squared,
    }.items():
        np.testing.assert_allclose(
            call_hook(VAE(score_name=score), "_score", nets, x).total, value, rtol=1e-5
        )


def test_the_loss_is_the_negative_elbo_of_one_draw(nets):
    x, noise = torch.tensor([[1.0, -0.4], [0.0, 2.0]]), torch.tensor([[0.3], [-0.6]])
    (loss,) = VAE()._losses(nets, x, noise)
    m, s, scale = x.sum(1).numpy(), np.exp(-1.0), 0.1 + np.log(2)
    z = m + s * noise[:, 0].numpy()
    nll = -stats.norm(z[:, None], scale).logpdf(x.numpy()).sum(1)
    kl = 0.5 * (m**2 + s**2 - 1 - 2 * np.log(s))
    np.testing.assert_allclose(loss.value, (nll + kl).mean(), rtol=1e-5)
    assert loss.updates == ("encoder", "generator")


def test_gaussian_pixels_have_a_scale_each(images):
    detector = VAE(likelihood="gaussian", max_steps=5, width=8, random_state=0).fit(images)
    body = detector.networks_["generator"].body
    assert body(torch.zeros(2, 200)).shape == (2, 2, 8, 10)
    assert np.isfinite(detector.anomaly_score(images)).all()
