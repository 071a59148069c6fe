"""The kinds of the columns of a row: continuous, boolean, or slots of a category."""

from collections.abc import Sequence

import torch
from torch import Tensor


class Columns:
    """The kind and the variable of each column.

    Parameters
    ----------
    kinds : sequence of (str, int)
        Blocks of columns, in order: "gaussian" or "bernoulli" with a number of columns, each a
        separate variable, or "categorical" with the number of slots of one variable.
    """

    def __init__(self, kinds: Sequence[tuple[str, int]]) -> None:
        self._kind: list[str] = []
        self._variable: list[int] = []
        for kind, size in kinds:
            first = self._variable[-1] + 1 if self._variable else 0
            self._kind += [kind] * size
            self._variable += [first + (0 if kind == "categorical" else j) for j in range(size)]

    def __len__(self) -> int:
        return len(self._kind)

    @property
    def n_variables(self) -> int:
        """Number of variables; a category is one."""
        return self._variable[-1] + 1

    def variable(self, device: torch.device) -> Tensor:
        """Return the number of each column's variable, shape (d,)."""
        return torch.tensor(self._variable, device=device)

    def continuous(self, device: torch.device) -> Tensor:
        """Return which columns are neither boolean nor slots; shape (d,)."""
        return torch.tensor([kind == "gaussian" for kind in self._kind], device=device)

    def slots(self, device: torch.device) -> Tensor:
        """Return which columns are slots of a category; shape (d,)."""
        return torch.tensor([kind == "categorical" for kind in self._kind], device=device)

    def factors(self, x: Tensor) -> Tensor:
        """Return factors that scale each variable of rows `x` to the spread of a standardised one.

        The squared difference of two random rows, summed over the slots, is then 2 on average. The
        factor of a continuous column is 1; that of a constant column is infinite.
        """
        variable = self.variable(x.device)
        p = x.mean(0)
        varies = torch.zeros(self.n_variables, device=x.device)
        varies = varies.index_add_(0, variable, p * (1 - p))[variable]
        return torch.where(self.continuous(x.device), 1.0, varies.clamp_min(0).rsqrt())

    def halved(self, ranks: Tensor) -> Tensor:
        """Divide slots by sqrt 2: a category of two slots is a single column, counted twice."""
        return torch.where(self.slots(ranks.device), ranks / 2**0.5, ranks)

    def per_variable(self, x: Tensor, values: Tensor) -> Tensor:
        """Sum `values` over the columns of each variable; of a category only the slot that is 1."""
        values = torch.where(self.slots(x.device), values * x, values)
        total = values.new_zeros(len(x), self.n_variables)
        return total.index_add_(1, self.variable(x.device), values)
