"""The core of the references: those that are near to a good part of all the others.

Anomalies among the training rows that lie together are near neighbours of each other, and of every
new one of their kind. They are few, so that a good part of all rows is never near to them.
"""

import torch
from torch import Tensor, nn

from .nearest import BLOCK, SPARE, filled, squared

#: The share of the references that is the core, and that of all rows which has to be near.
CORE, NEAR = 0.85, 0.2
#: References that all are compared with, at most, and the neighbour in the core that counts.
N_COMPARED, NEIGHBOUR = 1000, 5


class Core(nn.Module):
    """Which references are the core, and how far a row is from them.

    The core are the 85 % of the references with the least distance to the nearest fifth of all.

    Parameters
    ----------
    capacity : int
        References at most.
    """

    def __init__(self, capacity: int) -> None:
        super().__init__()
        self.kept: Tensor
        self.register_buffer("kept", torch.empty(capacity, dtype=torch.bool))

    def draw(self, generator: torch.Generator) -> None:
        """Begin without references."""
        self.kept.zero_()

    def choose(self, views: Tensor) -> None:
        """Choose the core among references, given as they are seen, (n, k), in random order."""
        n = len(views)
        self.keep_all(n)
        self.kept[_reach(views).argsort(stable=True)[max(2, round(CORE * n)) :]] = False

    def keep_all(self, n: int) -> None:
        """Let the first n references be the core."""
        self.kept.zero_()[:n] = True

    def forward(self, x: Tensor, references: Tensor) -> Tensor:
        """Return the distances of rows to the 5th nearest reference of the core; (n,).

        Parameters
        ----------
        x : Tensor of shape (n, d)
            Rows.
        references : Tensor of shape (m, d)
            All references, in the order in which the core was chosen.
        """
        core = references[self.kept[: len(references)]]
        norms = core.square().sum(1)
        k = min(NEIGHBOUR, len(core))
        found = []
        for start in range(0, len(x), BLOCK):
            block = filled(x[start : start + BLOCK])
            # Squared distances but for a term of the row's own, which orders nothing.
            rough = torch.addmm(norms, block, core.T, alpha=-2)
            index = rough.topk(min(k + SPARE, len(core)), dim=1, largest=False).indices
            exact = squared(block, core[index]).sqrt()
            found.append(exact.sort(1).values[: len(x) - start, k - 1])
        return torch.cat(found)


def _reach(views: Tensor) -> Tensor:
    """Return the distance of each row to the nearest fifth of all; (n,)."""
    compared = views[:N_COMPARED]
    m = len(compared)
    found = []
    for start in range(0, len(views), N_COMPARED):
        distances = torch.cdist(views[start : start + N_COMPARED], compared)
        if start == 0:
            distances.fill_diagonal_(torch.inf)
        k = max(1, min(round(NEAR * m), m - 1))
        found.append(distances.kthvalue(k, dim=1).values)
    return torch.cat(found)
