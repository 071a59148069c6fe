"""A mixture of Gaussians in a latent space, and the energy of samples under it (DAGMM)."""

from collections.abc import Iterable
from math import log, nan, pi

import torch
from torch import Tensor, nn

#: Added to the diagonal of every covariance, for constant and collinear features.
JITTER = 1e-6


def estimate_mixture(batches: Iterable[tuple[Tensor, Tensor]]) -> tuple[Tensor, Tensor, Tensor]:
    """Estimate the mixture from features and memberships, in double precision.

    Parameters
    ----------
    batches : iterable of (Tensor of shape (n, d), Tensor of shape (n, K))
        Features z and logits of the memberships.

    Returns
    -------
    phi, means, covariances : Tensor of shapes (K,), (K, d) and (K, d, d)
    """
    n, weights, firsts, seconds = 0, *[torch.zeros(())] * 3
    for features, logits in batches:
        z, gamma = features.double(), logits.double().softmax(1)
        n += len(z)
        weights = weights.to(z) + gamma.sum(0)
        firsts = firsts.to(z) + gamma.T @ z
        seconds = seconds.to(z) + torch.einsum("nk,ni,nj->kij", gamma, z, z)
    weights = weights.clamp_min(1e-30)  # a Gaussian may have no members
    means = firsts / weights[:, None]
    covariances = seconds / weights[:, None, None] - means[:, :, None] * means[:, None]
    jitter = JITTER * torch.eye(means.shape[1], dtype=means.dtype, device=means.device)
    return weights / n, means, covariances + jitter


def energy(z: Tensor, phi: Tensor, means: Tensor, covariances: Tensor) -> Tensor:
    """Return -log sum_k phi_k N(z; mu_k, Sigma_k), shape (n,), in double precision.

    It is NaN where a covariance is not positive definite: training then stops with an error.
    """
    L, failed = torch.linalg.cholesky_ex(covariances)
    L = L.masked_fill(failed[:, None, None] != 0, nan)
    centred = z.double() - means[:, None]  # (K, n, d)
    whitened = torch.linalg.solve_triangular(L, centred.mT, upper=False)
    log_det = 2 * L.diagonal(dim1=1, dim2=2).log().sum(1)
    d = z.shape[1]
    log_n = -0.5 * (whitened.square().sum(1) + log_det[:, None] + d * log(2 * pi))
    return -torch.logsumexp(phi.log()[:, None] + log_n, dim=0)


class Mixture(nn.Module):
    """The fitted mixture, saved with the model."""

    def __init__(self, n_mixtures: int, n_features: int) -> None:
        super().__init__()
        k, d = n_mixtures, n_features
        self.phi: Tensor
        self.means: Tensor
        self.covariances: Tensor
        self.register_buffer("phi", torch.empty(k, dtype=torch.float64))
        self.register_buffer("means", torch.empty(k, d, dtype=torch.float64))
        self.register_buffer("covariances", torch.empty(k, d, d, dtype=torch.float64))

    def draw(self, generator: torch.Generator) -> None:
        """Begin as a standard normal distribution, until it is fitted to training rows."""
        self.phi.fill_(1 / len(self.phi))
        self.means.zero_()
        self.covariances.copy_(torch.eye(self.means.shape[1]))

    def forward(self, z: Tensor) -> Tensor:
        """Return the energies of features z, shape (n,)."""
        return energy(z, self.phi, self.means, self.covariances)
