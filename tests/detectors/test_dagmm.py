"""DAGMM against the paper's formulas, computed by hand or by scikit-learn."""

import numpy as np
import pytest
import torch
from scipy import stats
from sklearn.mixture import GaussianMixture
from torch import nn

from oddgan import DAGMM
from oddgan.detectors.dagmm import reconstruction_features
from oddgan.scores.mixture import JITTER, Mixture, energy, estimate_mixture
from support.data import Known, call_hook


def mixture_by_hand(z, gamma):
    """Equation 5 of the paper, one Gaussian at a time."""
    phi = gamma.mean(0)
    means = [(gamma[:, [k]] * z).sum(0) / gamma[:, k].sum() for k in range(gamma.shape[1])]
    covariances = [
        sum(g * np.outer(row - m, row - m) for g, row in zip(gamma[:, k], z, strict=True))
        / gamma[:, k].sum()
        + JITTER * np.eye(z.shape[1])
        for k, m in enumerate(means)
    ]
    return phi, np.array(means), np.array(covariances)


def energy_by_hand(z, phi, means, covariances):
    density = [
        p * stats.multivariate_normal(m, c).pdf(z)
        for p, m, c in zip(phi, means, covariances, strict=True)
    ]
    return -np.log(np.sum(density, axis=0))


@pytest.fixture
def features():
    rng = np.random.default_rng(0)
    return rng.normal(size=(40, 3)), rng.normal(size=(40, 2))


def softmax(logits):
    e = np.exp(logits)
    return e / e.sum(1, keepdims=True)


def test_the_mixture_is_that_of_the_memberships(features):
    z, logits = features
    found = estimate_mixture([(torch.from_numpy(z), torch.from_numpy(logits))])
    for value, expected in zip(found, mixture_by_hand(z, softmax(logits)), strict=True):
        np.testing.assert_allclose(value, expected, rtol=1e-9)


def test_the_mixture_of_batches_is_that_of_all_rows(features):
    z, logits = (torch.from_numpy(a) for a in features)
    together = estimate_mixture([(z, logits)])
    apart = estimate_mixture(zip(z.split(7), logits.split(7), strict=True))
    for a, b in zip(together, apart, strict=True):
        torch.testing.assert_close(a, b)


def test_the_energy_is_minus_the_log_density_of_the_mixture():
    rng = np.random.default_rng(0)
    rows = np.concatenate([rng.normal(size=(50, 3)), rng.normal(3, 2, size=(80, 3))])
    theirs = GaussianMixture(2, random_state=0).fit(rows)
    found = energy(
        torch.from_numpy(rows),
        *(torch.from_numpy(a) for a in (theirs.weights_, theirs.means_, theirs.covariances_)),
    )
    np.testing.assert_allclose(found, -theirs.score_samples(rows), rtol=1e-9)


def test_the_energy_does_not_underflow():
    """Where every density rounds to 0 the energy is still the squared distance."""
    eye = torch.eye(2, dtype=torch.float64).expand(2, 2, 2)
    phi = torch.tensor([0.5, 0.5], dtype=torch.float64)
    means = torch.zeros(2, 2, dtype=torch.float64)
    found = energy(torch.tensor([[1000.0, 0.0]]), phi, means, eye)
    np.testing.assert_allclose(found, 1000**2 / 2 + np.log(2 * np.pi))


def test_a_covariance_that_is_none_gives_nan_and_a_message_of_training():
    bad = torch.tensor([[[1.0, 2.0], [2.0, 1.0]]], dtype=torch.float64)
    one, zero = torch.ones(1, dtype=torch.float64), torch.zeros(1, 2, dtype=torch.float64)
    assert energy(torch.zeros(3, 2), one, zero, bad).isnan().all()


def test_reconstruction_features_by_hand():
    x = torch.tensor([[3.0, 4.0], [1.0, 0.0], [0.0, 0.0]])
    y = torch.tensor([[3.0, 0.0], [0.0, 2.0], [0.003, 0.004]])
    found = reconstruction_features(x, y)
    np.testing.assert_allclose(found[:, 0], [4 / 5, np.sqrt(5), 0.005 / 0.001], rtol=1e-5)
    np.testing.assert_allclose(found[:, 1], [3 / 5, 0, 0], atol=1e-6)


X = torch.tensor([[1.0, -2.0], [0.5, 0.25], [2.0, 1.0], [-1.0, 0.5]])


@pytest.fixture
def nets():
    """E(x) = x_1, G(z) = (z, 0), logits (z_1, 0)."""
    mixture = Mixture(2, 3)
    mixture.draw(torch.Generator())
    return {
        "encoder": Known(lambda x: x[:, :1]),
        "generator": Known(lambda z: torch.cat([z, 0 * z], dim=1)),
        "estimator": Known(lambda z: torch.cat([z[:, :1], 0 * z[:, :1]], dim=1)),
        "mixture": mixture,
    }


def by_hand():
    x = X.double().numpy()
    y = x * [1, 0]
    norms = np.linalg.norm(x, axis=1), np.linalg.norm(y, axis=1)
    z = np.column_stack([x[:, 0], np.abs(x[:, 1]) / norms[0], (x * y).sum(1) / np.prod(norms, 0)])
    return z, softmax(np.column_stack([x[:, 0], np.zeros(4)])), x[:, 1] ** 2


@pytest.mark.parametrize(("weight_energy", "weight_covariance"), [(0.1, 0.005), (3.0, 0.7)])
def test_the_loss_is_the_papers(nets, weight_energy, weight_covariance):
    z, gamma, squared = by_hand()
    mixture = mixture_by_hand(z, gamma)
    expected = (
        squared.mean()
        + weight_energy * energy_by_hand(z, *mixture).mean()
        + weight_covariance * sum((1 / np.diag(c)).sum() for c in mixture[2])
    )
    detector = DAGMM(weight_energy=weight_energy, weight_covariance=weight_covariance)
    (loss,) = detector._losses(nets, X, torch.zeros(4, 1))
    np.testing.assert_allclose(loss.value, expected, rtol=1e-4)
    assert loss.updates == ("encoder", "generator", "estimator")


def test_the_default_weights_are_the_papers():
    assert (DAGMM().weight_energy, DAGMM().weight_covariance) == (0.1, 0.005)


@pytest.mark.parametrize("score", ["energy", "residual"])
def test_scores_are_of_the_mixture_of_all_training_rows(nets, score):
    z, gamma, squared = by_hand()
    detector = DAGMM(score_name=score, n_mixtures=2)
    before = call_hook(detector, "_score", nets, X).components["energy"]
    np.testing.assert_allclose(  # as drawn: twice the same standard normal
        before, energy_by_hand(z, [0.5, 0.5], np.zeros((2, 3)), [np.eye(3)] * 2), rtol=1e-5
    )
    detector._finish(nets, iter(X.split(3)))
    found = call_hook(detector, "_score", nets, X)
    energies = energy_by_hand(z, *mixture_by_hand(z, gamma))
    np.testing.assert_allclose(found.components["energy"], energies, rtol=1e-4)
    np.testing.assert_allclose(found.components["residual"], squared, rtol=1e-6)
    np.testing.assert_allclose(found.total, {"energy": energies, "residual": squared}[score], 1e-4)
    np.testing.assert_allclose(found.residual[:, 1], squared, rtol=1e-6)


def test_the_energy_reaches_all_three_networks(table):
    nets = DAGMM(latent_dim=2, max_steps=1, random_state=0).fit(table).networks_
    roles = ("encoder", "generator", "estimator")
    weights = [p for role in roles for p in nets[role].parameters()]
    x = torch.from_numpy(table).float()

    def gradients(weight_energy):
        detector = DAGMM(weight_energy=weight_energy, weight_covariance=0)
        (loss,) = detector._losses(nets, x, x)
        return torch.autograd.grad(loss.value, weights, allow_unused=True, materialize_grads=True)

    for without, reached in zip(gradients(0), gradients(1.0), strict=True):
        assert not torch.allclose(without, reached)


def test_constant_and_collinear_columns_have_finite_energies():
    rng = np.random.default_rng(0)
    a, b = rng.normal(size=(2, 200))
    table = np.column_stack([a, b, a, np.full(200, 3.0), a + b])
    odd = np.array([[9.0, -9.0, -9.0, 3.0, 9.0]])
    detector = DAGMM(min_steps=200, epochs=1, random_state=0).fit(table)
    energies = detector.anomaly_score(np.concatenate([table, odd]))
    assert np.isfinite(energies).all()
    assert energies[-1] > energies[:-1].max()


def test_a_gaussian_without_members_harms_nothing():
    z = torch.randn(30, 3, generator=torch.Generator().manual_seed(0))
    logits = torch.tensor([0.0, -1e5]).expand(30, 2)
    phi, means, covariances = estimate_mixture([(z, logits)])
    np.testing.assert_allclose(phi, [1, 0], atol=1e-30)
    theirs = stats.multivariate_normal(z.double().mean(0), covariances[0]).logpdf(z.double())
    np.testing.assert_allclose(energy(z, phi, means, covariances), -theirs, rtol=1e-9)


def layers(net):
    return [
        (layer.in_features, layer.out_features) for layer in net if isinstance(layer, nn.Linear)
    ]


def test_networks_are_those_of_the_paper():
    rows = np.random.default_rng(0).normal(size=(30, 120))
    quick = {"max_steps": 1, "min_steps": 1, "random_state": 0}
    nets = DAGMM(**quick).fit(rows).networks_
    assert layers(nets["encoder"]) == [(120, 60), (60, 30), (30, 10), (10, 1)]
    assert layers(nets["generator"]) == [(1, 10), (10, 30), (30, 60), (60, 120)]
    assert layers(nets["estimator"]) == [(3, 10), (10, 4)]
    assert isinstance(nets["encoder"][-1], nn.Linear)
    nets = DAGMM.from_preset("paper-thyroid", **quick).fit(rows[:, :6]).networks_
    assert layers(nets["encoder"]) == [(6, 12), (12, 4), (4, 1)]
    assert layers(nets["estimator"]) == [(3, 10), (10, 2)]
    nets = DAGMM.from_preset("paper-arrhythmia", **quick).fit(rows).networks_
    assert layers(nets["encoder"]) == [(120, 10), (10, 2)]
    assert layers(nets["estimator"]) == [(4, 10), (10, 2)]
