"""The autoencoder: its formulas by hand, and PCA where it is linear."""

import numpy as np
import pytest
import torch
from scipy.linalg import subspace_angles
from sklearn.decomposition import PCA
from torch import nn

from oddgan import Autoencoder
from support.data import call_hook


class Times(nn.Module):
    def __init__(self, factor):
        super().__init__()
        self.factor = factor

    def forward(self, x):
        return self.factor * x


# The reconstruction is x / 2.
NETS = {"encoder": Times(2.0), "generator": Times(0.25)}
X = torch.tensor([[1.0, -2.0], [0.5, 0.25]])
HALF = X.numpy() / 2


def test_scores_are_sums_of_squares_or_magnitudes():
    for score, residual in {"l2": HALF**2, "l1": np.abs(HALF)}.items():
        found = call_hook(Autoencoder(score_name=score), "_score", NETS, X)
        np.testing.assert_allclose(found.total, residual.sum(1), rtol=1e-6)
        np.testing.assert_allclose(found.residual, residual, rtol=1e-6)


def test_the_loss_is_the_squared_error_of_a_sample():
    (loss,) = Autoencoder()._losses(NETS, X, torch.zeros(2, 2))
    np.testing.assert_allclose(loss.value, (HALF**2).sum(1).mean(), rtol=1e-6)
    assert loss.updates == ("encoder", "generator")


def test_a_linear_autoencoder_finds_the_plane_of_the_principal_components():
    rng = np.random.default_rng(0)
    directions = np.linalg.qr(rng.normal(size=(6, 3)))[0].T
    X = rng.normal(size=(400, 3)) * [3.0, 2.0, 1.5] @ directions
    X += 0.2 * rng.normal(size=X.shape) + 1.0
    detector = Autoencoder(
        hidden="linear",
        latent_dim=3,
        scaling="none",
        batch_size=400,  # every batch holds all the rows that are trained on
        learning_rate=0.03,
        min_steps=1500,
        max_steps=1500,
        ema_decay=0.99,
        random_state=0,
    ).fit(X)
    trained = X[~np.isin(detector.anomaly_score(X), detector.calibration_scores_)]
    assert len(trained) == 360
    pca = PCA(3).fit(trained)
    plane = detector.networks_["generator"][0].weight.detach().numpy()
    assert np.rad2deg(subspace_angles(plane, pca.components_.T)).max() < 0.05
    projected = pca.inverse_transform(pca.transform(X))
    np.testing.assert_allclose(detector.reconstruct(X), projected, atol=0.01)
    squared = ((X - projected) ** 2).sum(1)
    np.testing.assert_allclose(detector.anomaly_score(X), squared, atol=0.002)


@pytest.mark.parametrize(
    ("n_columns", "latent_dim", "expected"),
    [(1, None, 1), (2, None, 1), (7, None, 3), (100, None, 32), (4, 6, 6)],
)
def test_the_latent_of_a_table_is_narrower_than_its_columns(n_columns, latent_dim, expected):
    X = np.random.default_rng(0).normal(size=(20, n_columns))
    detector = Autoencoder(latent_dim=latent_dim, width=4, min_steps=1, max_steps=1).fit(X)
    assert detector.embed(X).shape == (20, expected)


def test_images_keep_the_latent_of_the_house(images):
    detector = Autoencoder(width=4, max_steps=1).fit(images)
    assert detector.embed(images).shape == (120, 200)


def test_linear_layers_of_images_are_two_and_have_no_bounds(images):
    detector = Autoencoder(hidden="linear", latent_dim=5, max_steps=3).fit(images)
    layers = [layer for net in detector.networks_.values() for layer in net]
    assert [type(layer) for layer in layers] == [nn.Flatten, nn.Linear, nn.Linear, nn.Unflatten]
    x = 100 * torch.randn(3, 1, 8, 10)
    y = call_hook(detector, "_reconstruct", detector.networks_, x)
    assert y.shape == x.shape
    twice = call_hook(detector, "_reconstruct", detector.networks_, 2 * x)
    zero = call_hook(detector, "_reconstruct", detector.networks_, 0 * x)
    torch.testing.assert_close(twice - zero, 2 * (y - zero), rtol=1e-3, atol=1e-2)
