"""Components of an anomaly score: one number per sample, never mixing samples."""

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F


@dataclass(frozen=True)
class Score:
    """The score of a batch of n samples.

    Attributes
    ----------
    components : mapping of str to Tensor of shape (n,)
        The terms of the anomaly score, unweighted, by name; higher is more anomalous.
    residual : Tensor of shape (n, *shape)
        Contribution of each encoded input, at least 0.
    weights : mapping of str to float, or None
        The weight of each component in the anomaly score, as in the paper; None is 1 for each.
    """

    components: Mapping[str, Tensor]
    residual: Tensor
    weights: Mapping[str, float] | None = None

    @property
    def total(self) -> Tensor:
        """The anomaly score, (n,): the weighted sum of components; higher is more anomalous."""
        return self.combined(self.components)

    def combined(self, components: Mapping[str, Tensor]) -> Tensor:
        """Sum `components`, possibly on another scale, with these weights; shape (n,)."""
        weights = self.weights or dict.fromkeys(components, 1.0)
        return torch.stack([weight * components[name] for name, weight in weights.items()]).sum(0)


def distance(a: Tensor, b: Tensor, degree: int = 1) -> Tensor:
    """Norm of a - b for each sample: L1 (`degree` 1) or Euclidean (2); shape (n,).

    As in the papers, a sum and not a mean: it grows with the number of inputs.
    """
    difference = (a - b).flatten(1)
    if degree == 1:  # three times as fast as PyTorch's norm
        return difference.abs().sum(1)
    norm: Tensor = torch.linalg.vector_norm(difference, ord=degree, dim=1)
    return norm


def binary_cross_entropy(logit: Tensor, target: float) -> Tensor:
    """Cross-entropy of sigmoid(`logit`) against `target`, for each sample, computed stably.

    For target 1 it is -log D, for target 0 it is -log(1 - D), D = sigmoid(`logit`).
    """
    return F.binary_cross_entropy_with_logits(
        logit, torch.full_like(logit, target), reduction="none"
    )
