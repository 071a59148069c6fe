"""The generators of MO-GAAL (Liu et al. 2019)."""

import torch
from torch import Tensor, nn


class SubGenerators(nn.Module):
    """k networks FC d, ReLU, FC d, computed together; they start as the identity on [0, 1]."""

    def __init__(self, k: int, d: int) -> None:
        super().__init__()
        self.weight1, self.weight2 = (nn.Parameter(torch.empty(k, d, d)) for _ in range(2))
        self.bias1, self.bias2 = (nn.Parameter(torch.empty(k, 1, d)) for _ in range(2))

    def draw(self, generator: torch.Generator) -> None:
        """Start as the identity, without random numbers."""
        with torch.no_grad():
            for weight, bias in ((self.weight1, self.bias1), (self.weight2, self.bias2)):
                weight.copy_(torch.eye(weight.shape[1]).expand_as(weight))
                bias.zero_()

    def forward(self, u: Tensor) -> Tensor:
        """Return G_i(u_i) for u of shape (k, n, d), in that shape."""
        hidden = torch.baddbmm(self.bias1, u, self.weight1).relu()
        return torch.baddbmm(self.bias2, hidden, self.weight2)
