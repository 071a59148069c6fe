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
    total : Tensor of shape (n,)
        The anomaly score; higher is odder.
    parts : mapping of str to Tensor of shape (n,)
        The terms it is made of, unweighted, by name.
    residual : Tensor of shape (n, *shape)
        How much each encoded input contributes, at least 0.
    """

    total: Tensor
    parts: Mapping[str, Tensor]
    residual: Tensor


def distance(a: Tensor, b: Tensor, degree: int = 1) -> Tensor:
    """Norm of a - b for each sample: sum of magnitudes (1) or Euclidean (2); shape (n,).

    A sum and not a mean, as in the papers: it grows with the number of inputs.
    """
    norm: Tensor = torch.linalg.vector_norm((a - b).flatten(1), ord=degree, dim=1)
    return norm


def binary_cross_entropy(logit: Tensor, target: float) -> Tensor:
    """Cross-entropy of sigmoid(`logit`) against `target`, for each sample, computed stably.

    For target 1 it is -log D, for target 0 it is -log(1 - D), D = sigmoid(`logit`).
    """
    return F.binary_cross_entropy_with_logits(
        logit, torch.full_like(logit, target), reduction="none"
    )


def weighted_sum(parts: Mapping[str, Tensor], weights: Mapping[str, float]) -> Tensor:
    """Sum of `weights[name] * parts[name]` over the names in `weights`; shape (n,)."""
    return torch.stack([weight * parts[name] for name, weight in weights.items()]).sum(0)
