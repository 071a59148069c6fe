"""A decoder with a likelihood for every kind of input."""

from collections.abc import Callable, Sequence
from typing import Any, Protocol

import torch
from torch import Tensor, nn
from torch.nn import functional as F

LOG_SQRT_2_PI = 0.9189385332046727


class Block(Protocol):
    """Adjacent inputs of one kind: "gaussian", "bernoulli", or the slots of a "categorical"."""

    @property
    def kind(self) -> str:
        """The kind."""

    @property
    def start(self) -> int:
        """The first input."""

    @property
    def stop(self) -> int:
        """One past the last input."""


class Decoder(nn.Module):
    """p(x|z) over blocks of Gaussian, Bernoulli and categorical inputs.

    Parameters
    ----------
    body : nn.Module
        From z to one output per input, followed by one more for each Gaussian input.
    blocks : sequence of Block
        Kinds of the inputs along the first axis; every input is in one block.
    min_scale : float
        Smallest scale of a Gaussian.
    unit : bool
        Whether inputs in [-1, 1] represent values in [0, 1], as pixels do.
    """

    def __init__(
        self, body: nn.Module, blocks: Sequence[Block], min_scale: float, unit: bool
    ) -> None:
        super().__init__()
        self.body = body
        self.min_scale = min_scale
        self.unit = unit
        # All Gaussian inputs are computed together, and all Bernoulli ones; each category is
        # separate. These tensors are not weights: never on the meta device of new networks.
        groups: dict[Any, list[int]] = {}
        for block in blocks:
            key = block if block.kind == "categorical" else block.kind
            groups.setdefault(key, []).extend(range(block.start, block.stop))
        self.groups = [
            (key if isinstance(key, str) else "categorical", torch.tensor(columns, device="cpu"))
            for key, columns in groups.items()
        ]
        self.order = torch.cat([columns for _, columns in self.groups]).argsort()

    def forward(self, z: Tensor) -> Tensor:
        """Return the expected value of the inputs."""
        return self._by_kind(self.body(z), self._mean)

    def nll(self, x: Tensor, z: Tensor, *, above_mode: bool = False) -> Tensor:
        """Return -log p(x|z) of each input, in the shape of x.

        With `above_mode` the smallest possible value of each Gaussian term is subtracted: no term
        is negative.
        """
        out = self.body(z)

        def term(kind: str, columns: Tensor, b: Tensor) -> Tensor:
            a = x[:, columns]
            if kind == "categorical":
                return -a * b.log_softmax(1)
            if kind == "bernoulli":
                target = (a + 1) / 2 if self.unit else a
                return F.binary_cross_entropy_with_logits(b, target, reduction="none")
            s = self.min_scale + F.softplus(out[:, x.shape[1] :])
            squared = ((a - b) / s).square() / 2
            return squared if above_mode else squared + s.log() + LOG_SQRT_2_PI

        return self._by_kind(out, term)

    def _mean(self, kind: str, columns: Tensor, b: Tensor) -> Tensor:
        if kind == "categorical":
            return b.softmax(1)
        if kind == "bernoulli":
            return b.sigmoid() * 2 - 1 if self.unit else b.sigmoid()
        return b

    def _by_kind(self, out: Tensor, term: Callable[[str, Tensor, Tensor], Tensor]) -> Tensor:
        """Apply `term` to the outputs of each group, and restore their order."""
        groups = [(kind, columns.to(out.device)) for kind, columns in self.groups]
        terms = [term(kind, columns, out[:, columns]) for kind, columns in groups]
        return torch.cat(terms, dim=1)[:, self.order.to(out.device)]
