"""Discriminators of samples x, and of pairs (x, z) for BiGAN and its successors."""

import torch
from torch import Tensor, nn


class Discriminator(nn.Module):
    """D(x): a trunk, whose output is the features f, and a linear logit.

    Parameters
    ----------
    trunk : nn.Module
        Maps samples to the flat features f of the last hidden layer.
    n_features : int
        Length of f.
    bias : bool
        Whether the logit has a bias.
    """

    def __init__(self, trunk: nn.Module, n_features: int, *, bias: bool = True) -> None:
        super().__init__()
        self.trunk = trunk
        self.logit = nn.Linear(n_features, 1, bias=bias)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Return the logits d(x), shape (n,), and the features f(x), shape (n, n_features).

        The probability that the sample is real is sigmoid(d).
        """
        features = self.trunk(x)
        return self.logit(features).squeeze(1), features


class JointDiscriminator(nn.Module):
    """D(x, z): one stem for the sample, one for the latent, and a joint trunk.

    Parameters
    ----------
    sample_stem : nn.Module
        Maps samples to flat features.
    latent_stem : nn.Module
        Maps latents to flat features.
    trunk : nn.Module
        Maps the concatenation of both to the features f of the last hidden layer.
    n_features : int
        Length of f.
    """

    def __init__(
        self, sample_stem: nn.Module, latent_stem: nn.Module, trunk: nn.Module, n_features: int
    ) -> None:
        super().__init__()
        self.sample_stem = sample_stem
        self.latent_stem = latent_stem
        self.trunk = trunk
        self.logit = nn.Linear(n_features, 1)

    def forward(self, x: Tensor, z: Tensor) -> tuple[Tensor, Tensor]:
        """Return the logits d(x, z), shape (n,), and the features f(x, z), shape (n, n_features).

        The probability that the pair came from the encoder is sigmoid(d).
        """
        joined = torch.cat([self.sample_stem(x), self.latent_stem(z)], dim=1)
        features = self.trunk(joined)
        return self.logit(features).squeeze(1), features
