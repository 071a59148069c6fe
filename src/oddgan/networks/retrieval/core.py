"""The core of the references: those near to a large part of all the others.

Clustered anomalies among the training rows are near neighbours of each other, and of every new
anomaly of their kind. They are few, and a large part of all rows is far from them.
"""

import torch
from torch import Tensor, nn

from .nearest import BLOCK, SPARE, padded, squared

#: The share of the references in the core, and the share of all rows that has to be near.
CORE, NEAR = 0.85, 0.2
#: Maximum number of references to compare with, and which neighbour in the core defines distance.
N_COMPARED, NEIGHBOUR = 1000, 5


class Core(nn.Module):
    """The core of the references, and the distance of rows from it.

    The core is the 85 % of the references with the smallest distance to the nearest fifth of all.

    Parameters
    ----------
    capacity : int
        Maximum number of references.
    """

    def __init__(self, capacity: int) -> None:
        super().__init__()
        self.kept: Tensor
        self.register_buffer("kept", torch.empty(capacity, dtype=torch.bool))

    def draw(self, generator: torch.Generator) -> None:
        """Start without references."""
        self.kept.zero_()

    def choose(self, views: Tensor) -> None:
        """Choose the core of the references from their `views`, (n, k), in random order."""
        n = len(views)
        self.keep_all(n)
        self.kept[_reach(views).argsort(stable=True)[max(2, round(CORE * n)) :]] = False

    def keep_all(self, n: int) -> None:
        """Set the core to the first n references."""
        self.kept.zero_()[:n] = True

    def forward(self, x: Tensor, references: Tensor) -> Tensor:
        """Return the distances of rows to the 5th nearest reference of the core; (n,).

        Parameters
        ----------
        x : Tensor of shape (n, d)
            Rows.
        references : Tensor of shape (m, d)
            All references, in the order in which :meth:`choose` had them.
        """
        core = references[self.kept[: len(references)]]
        norms = core.square().sum(1)
        k = min(NEIGHBOUR, len(core))
        distances = []
        for start in range(0, len(x), BLOCK):
            block = padded(x[start : start + BLOCK])
            # Squared distances without the norm of the row, which does not affect the order.
            approximate = torch.addmm(norms, block, core.T, alpha=-2)
            index = approximate.topk(min(k + SPARE, len(core)), dim=1, largest=False).indices
            exact = squared(block, core[index]).sqrt()
            distances.append(exact.sort(1).values[: len(x) - start, k - 1])
        return torch.cat(distances)


def _reach(views: Tensor) -> Tensor:
    """Return the distance of each row to the nearest fifth of all; (n,)."""
    sample = views[:N_COMPARED]
    m = len(sample)
    reach = []
    for start in range(0, len(views), N_COMPARED):
        distances = torch.cdist(views[start : start + N_COMPARED], sample)
        if start == 0:
            distances.fill_diagonal_(torch.inf)
        k = max(1, min(round(NEAR * m), m - 1))
        reach.append(distances.kthvalue(k, dim=1).values)
    return torch.cat(reach)
