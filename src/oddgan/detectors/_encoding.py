"""How samples, and the context that is known of them, become tensors."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from math import prod
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from oddgan import inputs, training
from oddgan.networks import given

Sample = tuple[Tensor, Tensor | None]


@dataclass(frozen=True)
class Encoding:
    """The codecs that a detector has learnt.

    Attributes
    ----------
    samples : inputs.Codec
        For the samples.
    context : inputs.TableCodec or None
        For their known context, of a conditional detector.
    """

    samples: inputs.Codec
    context: inputs.TableCodec | None

    @property
    def n_context(self) -> int:
        """Length of an encoded context; 0 without one."""
        return self.context.shape[0] if self.context else 0

    def encode(self, source: inputs.Source, rows: NDArray[np.int64], raw: inputs.Raw) -> Sample:
        """Return a chunk of samples, encoded, and their context, shape (n, n_context), or None."""
        called = source.called(rows)
        x = self.samples.encode(raw, called)
        if self.context is None:
            return x, None
        known = source.condition(rows)
        assert known is not None  # the detector has seen to it
        with naming_the_condition():
            return x, self.context.encode(known, called)

    def joint_rows(
        self, source: inputs.Source, size: int, order: np.random.Generator | None = None
    ) -> Iterator[Tensor]:
        """Yield all samples once, in chunks: encoded, and with a context one flat row of both."""
        for _, joint in self.numbered_rows(source, size, order):
            yield joint

    def numbered_rows(
        self, source: inputs.Source, size: int, order: np.random.Generator | None = None
    ) -> Iterator[tuple[NDArray[np.int64], Tensor]]:
        """Yield the chunks of `joint_rows`, each with the numbers of its rows."""
        for rows, raw in source.chunks(size, order):
            x, c = self.encode(source, rows, raw)
            yield rows, x if c is None else torch.cat([x.flatten(1), c], dim=1)

    def given_rows(
        self, source: inputs.Source, size: int, device: torch.device
    ) -> Iterator[Tensor]:
        """Yield all samples once, in chunks on `device`; networks are given their context."""
        for joint in self.joint_rows(source, size):
            x, c = self.split(joint.to(device))
            with given(c):
                yield x

    @property
    def joint_shape(self) -> tuple[int, ...]:
        """Shape of a row of `joint_rows`."""
        shape = self.samples.shape
        return (prod(shape) + self.n_context,) if self.context else shape

    def split(self, joint: Tensor) -> Sample:
        """Return samples and context of the rows of `joint_rows`."""
        if self.context is None:
            return joint, None
        n = prod(self.samples.shape)
        return joint[:, :n].reshape(len(joint), *self.samples.shape), joint[:, n:]

    def stage(self, losses: training.LossFunction) -> training.LossFunction:
        """Return `losses` for the rows of `joint_rows`: the networks are given the context."""

        def of_joint_rows(
            nets: Mapping[str, nn.Module], joint: Tensor, z: Tensor
        ) -> Iterator[training.Loss]:
            x, c = self.split(joint)
            with given(c):
                yield from losses(nets, x, z)

        return of_joint_rows


@contextmanager
def naming_the_condition() -> Iterator[None]:
    """Let a message about bad input say that it is about the context."""
    try:
        yield
    except ValueError as error:
        raise ValueError(f"condition: {error}") from error


def fit_encoding(source: inputs.Source, size: int, **options: Any) -> Encoding:
    """Learn the codecs on all samples of `source`, read in chunks of `size`.

    Parameters
    ----------
    source : inputs.Source
        Training rows, or enough of them.
    size : int
        Samples that are read together.
    **options
        Of :func:`inputs.fit_codec`, for the samples.
    """
    chunks = list(source.chunks(size))
    index = np.concatenate([rows for rows, _ in chunks]) if chunks else np.empty(0, np.int64)
    called = source.called(index)
    samples = inputs.fit_codec(inputs.concat([raw for _, raw in chunks]), rows=called, **options)
    known = source.condition(index)
    if known is None:
        return Encoding(samples, None)
    with naming_the_condition():
        return Encoding(samples, inputs.fit_codec(known, rows=called))  # type: ignore[arg-type]
