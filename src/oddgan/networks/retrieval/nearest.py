"""Distances to nearest rows that do not depend on which other rows are asked about."""

import torch
from torch import Tensor

#: Rows compared together: a product of another size may break a tie another way.
BLOCK = 64
#: Candidates beside the neighbours, as products round.
SPARE = 8


def filled(block: Tensor) -> Tensor:
    """Repeat the last row until there are `BLOCK` rows."""
    missing = BLOCK - len(block)
    return torch.cat([block, block[-1:].expand(missing, *block.shape[1:])]) if missing else block


def squared(queries: Tensor, found: Tensor) -> Tensor:
    """Return the squared distances from what was found, without cancellation; shape (m, k)."""
    return (queries[:, None] - found).square().sum(2)
