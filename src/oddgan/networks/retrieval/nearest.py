"""Exact distances to the nearest rows, independent of the other rows in the batch."""

import torch
from torch import Tensor

#: Rows per matrix product: with a different size, rounding may break ties differently.
BLOCK = 64
#: Candidates beyond the neighbours, as matrix products round.
SPARE = 8


def padded(block: Tensor) -> Tensor:
    """Repeat the last row until there are `BLOCK` rows."""
    missing = BLOCK - len(block)
    return torch.cat([block, block[-1:].expand(missing, *block.shape[1:])]) if missing else block


def squared(queries: Tensor, candidates: Tensor) -> Tensor:
    """Return the squared distances to candidates, (m, k, d), without cancellation; (m, k)."""
    return (queries[:, None] - candidates).square().sum(2)
