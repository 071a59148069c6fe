"""Rarity of the values of a row, column by column."""

import torch
from torch import Tensor

from .columns import Columns

#: Half the width of the kernel for categories and booleans, 0 or 1: counts equal values.
_EQUAL = 0.25


def rarity(
    x: Tensor,
    columns: Columns,
    sorted_columns: Tensor,
    n: int,
    scales: Tensor,
    left_out: Tensor | None,
) -> Tensor:
    """Return the sum and the mean of the rarest fifth of -log p_j(x_j); shape (m, 2).

    p_j is a kernel density of the references plus a broad Cauchy distribution with the weight of
    two rows; for categories it is the frequency with one more row each.

    Parameters
    ----------
    x : Tensor of shape (m, d)
        Rows.
    columns : Columns
        The kinds of the columns.
    sorted_columns : Tensor of shape (d, capacity)
        The values of each column in n references, in ascending order, then infinity.
    n : int
        Number of references.
    scales : Tensor of shape (3, d)
        Deviation, median and half the width of the kernel of each column.
    left_out : Tensor of shape (m, d) or None
        A reference to leave out for each row.
    """
    deviation, median, width = scales
    continuous = columns.continuous(x.device)
    width = torch.where(continuous, width, _EQUAL)
    low, high = ((x + side * width).T.contiguous() for side in (-1, 1))
    within = torch.searchsorted(sorted_columns, high, right=True).clamp(max=n)
    within = (within - torch.searchsorted(sorted_columns, low).clamp(max=n)).T
    if left_out is not None:
        within = within - ((x - left_out).abs() <= width).long()
        n -= 1
    t = (x - median) / deviation
    density = within.clamp_min(0) / (2 * width) * deviation + 0.212 / (1 + t * t / 9)
    frequency = torch.where(continuous, density, within.clamp_min(0) + 1.0)
    surprise = columns.per_variable(x, -(frequency / (n + 2) + 1e-12).log())
    rarest = surprise.topk(max(1, surprise.shape[1] // 5), dim=1).values
    return torch.stack([surprise.sum(1), rarest.mean(1)], dim=1)
