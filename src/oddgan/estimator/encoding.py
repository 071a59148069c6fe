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
    def condition_dim(self) -> int:
        """Length of an encoded context; 0 without one."""
        return self.context.shape[0] if self.context else 0

    def encode(self, source: inputs.Source, rows: NDArray[np.int64], raw: inputs.Raw) -> Sample:
        """Return a chunk of samples, encoded, and their condition, (n, condition_dim), or None."""
        if isinstance(source, inputs.Patches):
            x = torch.from_numpy(raw)
        else:
            x = self.samples.encode(raw, source.called(rows))
        return x, self._known(source, rows)

    def _known(self, source: inputs.Source, rows: NDArray[np.int64]) -> Tensor | None:
        """Return the encoded context of these rows, if there is one."""
        if self.context is None:
            return None
        known = source.condition(rows)
        assert known is not None  # the detector has seen to it
        with naming_the_condition():
            return self.context.encode(known, source.called(rows))

    def read(
        self, source: inputs.Source, size: int
    ) -> Iterator[tuple[NDArray[np.int64], Tensor | inputs.PatchedImage, Tensor | None]]:
        """Yield (rows, samples, their context), encoded, in chunks of `size` at most.

        Images that are cut into patches come one by one, each whole.
        """
        codec = self.samples
        for rows, raw in source.chunks(size):
            if not isinstance(codec, inputs.PatchCodec) or isinstance(source, inputs.Patches):
                yield rows, *self.encode(source, rows, raw)
                continue
            known = self._known(source, rows)
            for i, whole in enumerate(codec.wholes(raw, source.called(rows))):
                one = slice(i, i + 1)
                yield rows[one], whole, None if known is None else known[one]

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
        return (prod(shape) + self.condition_dim,) if self.context else shape

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


def fit_encoding(
    source: inputs.Source, size: int, cut: Mapping[str, Any] | None = None, **options: Any
) -> Encoding:
    """Learn the codecs on all samples of `source`, read in chunks of `size`.

    Parameters
    ----------
    source : inputs.Source
        Training rows, or enough of them.
    size : int
        Samples that are read together.
    cut : mapping, optional
        Of `inputs.PatchCodec.learn`, beside `image_size` and `channels`, if images are to be cut
        into patches.
    **options
        Of :func:`inputs.fit_codec`, for the samples.
    """
    if cut:
        return _fit_to_cut(source, size, **cut, **options)
    chunks = list(source.chunks(size))
    index = np.concatenate([rows for rows, _ in chunks]) if chunks else np.empty(0, np.int64)
    called = source.called(index)
    samples = inputs.fit_codec(inputs.concat([raw for _, raw in chunks]), rows=called, **options)
    return Encoding(samples, _fit_context(source, index))


def _fit_to_cut(source: inputs.Source, size: int, scaling: inputs.Scaling, **how: Any) -> Encoding:
    """Learn the codecs of images that are cut into patches, a chunk in memory at a time."""
    if source.kind != "image":
        raise ValueError("patch_size cuts images, but the samples are rows of a table")
    index: list[NDArray[np.int64]] = []

    def chunks() -> Iterator[tuple[Any, inputs.Raw]]:
        for rows, raw in source.chunks(size):
            index.append(rows)
            yield source.called(rows), raw

    samples = inputs.PatchCodec.learn(chunks(), **how)
    return Encoding(samples, _fit_context(source, np.concatenate(index)))


def _fit_context(source: inputs.Source, index: NDArray[np.int64]) -> inputs.TableCodec | None:
    known = source.condition(index)
    if known is None:
        return None
    with naming_the_condition():
        return inputs.fit_codec(known, rows=source.called(index))  # type: ignore[return-value]
