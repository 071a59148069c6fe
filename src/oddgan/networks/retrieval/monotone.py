"""Critics whose output never decreases with any feature."""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

#: Scales that a critic distinguishes.
N_THRESHOLDS = 8


class MonotoneCritics(nn.Module):
    """k critics f(x) = a x + v tanh(W x + b), with positive weights a, v and W.

    Each has thresholds t_j, in order at first: sigmoid(f(x) - t_j) is the probability that x was
    corrupted with a scale of at least j / N_THRESHOLDS (the proportional odds of McCullagh 1980).

    Parameters
    ----------
    k : int
        Number of critics, with different first weights.
    n_features, width : int
        Length of x and number of units.
    """

    def __init__(self, k: int, n_features: int, width: int) -> None:
        super().__init__()
        self.linear = nn.Parameter(torch.empty(k, 1, n_features))
        self.inner = nn.Parameter(torch.empty(k, n_features, width))
        self.bias = nn.Parameter(torch.empty(k, 1, width))
        self.outer = nn.Parameter(torch.empty(k, 1, width))
        self.thresholds = nn.Parameter(torch.empty(k, N_THRESHOLDS))
        self.normal: Tensor
        self.register_buffer("normal", torch.empty(2, k))

    def draw(self, generator: torch.Generator) -> None:
        """Initialise near the mean of the features."""
        _, n_features, width = self.inner.shape
        with torch.no_grad():
            self.linear.fill_(_before_softplus(1 / n_features))
            self.inner.normal_(generator=generator).mul_(0.5)
            self.inner.add_(_before_softplus(1 / n_features))
            self.bias.normal_(generator=generator)
            self.outer.fill_(_before_softplus(1 / width))
            self.thresholds.copy_(torch.linspace(0, 5, N_THRESHOLDS).expand_as(self.thresholds))
            self.normal[0], self.normal[1] = 0.0, 1.0

    def forward(self, x: Tensor) -> Tensor:
        """Return the output of each critic for features (n, n_features), shape (n, k)."""
        x = x.expand(len(self.linear), *x.shape)
        hidden = torch.tanh(torch.baddbmm(self.bias, x, F.softplus(self.inner)))
        # Products with one column round differently with the number of rows; sums do not.
        f = (x * F.softplus(self.linear)).sum(2) + (hidden * F.softplus(self.outer)).sum(2)
        return f.T.contiguous()

    def loss(self, f: Tensor, scale: Tensor) -> Tensor:
        """Cross-entropy of "corrupted with at least this scale", mean over rows and thresholds.

        Parameters
        ----------
        f : Tensor of shape (n, k)
            Outputs of the critics.
        scale : Tensor of shape (n,)
            In [0, 1) for corrupted rows, negative for normal ones.
        """
        least = torch.arange(N_THRESHOLDS, device=f.device) / N_THRESHOLDS
        target = (scale[:, None, None] >= least).to(f.dtype).expand(*f.shape, -1)
        return F.binary_cross_entropy_with_logits(f[..., None] - self.thresholds, target)

    def learn_scale(self, features: Tensor) -> None:
        """Fit the mean and standard deviation of each critic to features of normal rows."""
        f = self(features)
        self.normal[0] = f.mean(0)
        self.normal[1] = f.std(0, correction=0).clamp_min(1e-2)

    def standardised(self, x: Tensor) -> Tensor:
        """Return the mean of the standardised outputs of the critics, shape (n,)."""
        f: Tensor = self(x)
        return ((f - self.normal[0]) / self.normal[1]).mean(1)


def _before_softplus(x: float) -> float:
    return float(torch.tensor(x).expm1().log())
