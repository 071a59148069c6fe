"""How rare the values of a row are, each column by itself."""

import torch
from torch import Tensor

from .columns import Columns

#: Half the width that counts values of a category or a boolean, 0 or 1, as equal.
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

    p_j is a kernel density of the references and, as if there were two rows more, of a broad
    Cauchy distribution; of categories it is their frequency, as if each had one row more.

    Parameters
    ----------
    x : Tensor of shape (m, d)
        Rows.
    columns : Columns
        What the columns are.
    sorted_columns : Tensor of shape (d, capacity)
        The values of each column in n references, in ascending order, then infinity.
    n : int
        Number of references.
    scales : Tensor of shape (3, d)
        Deviation, median and half the width of the kernel of each column.
    left_out : Tensor of shape (m, d) or None
        The reference that does not count for each row.
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
    counted = torch.where(continuous, density, within.clamp_min(0) + 1.0)
    rare = columns.per_variable(x, -(counted / (n + 2) + 1e-12).log())
    rarest = rare.topk(max(1, rare.shape[1] // 5), dim=1).values
    return torch.stack([rare.sum(1), rarest.mean(1)], dim=1)
