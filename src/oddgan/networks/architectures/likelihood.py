"""A decoder with a likelihood for every kind of input."""

from collections.abc import Callable, Sequence
from typing import Any, Protocol

import torch
from torch import Tensor, nn
from torch.nn import functional as F

LOG_SQRT_2_PI = 0.9189385332046727


class Block(Protocol):
    """Neighbouring inputs of one kind: "gaussian", "bernoulli", or the slots of a "categorical"."""

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
        From z to one output an input, followed by one more for each Gaussian input.
    blocks : sequence of Block
        Kinds of the inputs, by their place on the first axis; all inputs are in one.
    min_scale : float
        Smallest scale of a Gaussian.
    unit : bool
        Whether inputs in [-1, 1] stand for values in [0, 1], as pixels do.
    """

    def __init__(
        self, body: nn.Module, blocks: Sequence[Block], min_scale: float, unit: bool
    ) -> None:
        super().__init__()
        self.body = body
        self.min_scale = min_scale
        self.unit = unit
        # All Gaussian inputs are computed together, and all Bernoulli ones; each category of
        # its own. These are no weights, and so not on the meta device that networks are built on.
        together: dict[Any, list[int]] = {}
        for block in blocks:
            key = block if block.kind == "categorical" else block.kind
            together.setdefault(key, []).extend(range(block.start, block.stop))
        columns = list(together.values())
        kinds = [key if isinstance(key, str) else "categorical" for key in together]
        self.groups = [
            (kind, torch.tensor(group, device="cpu"))
            for kind, group in zip(kinds, columns, strict=True)
        ]
        self.order = torch.cat([group for _, group in self.groups]).argsort()

    def forward(self, z: Tensor) -> Tensor:
        """Return the expected inputs."""
        return self._by_kind(self.body(z), self._mean)

    def nll(self, x: Tensor, z: Tensor, *, above_mode: bool = False) -> Tensor:
        """Return -log p(x|z) input by input, in the shape of x.

        With `above_mode`, Gaussian terms are less their smallest possible value, so that no term
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
        """Apply `term` to the outputs of each kind together, and restore their order."""
        groups = [(kind, columns.to(out.device)) for kind, columns in self.groups]
        terms = [term(kind, columns, out[:, columns]) for kind, columns in groups]
        return torch.cat(terms, dim=1)[:, self.order.to(out.device)]
