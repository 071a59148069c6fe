"""How samples, and their condition, become tensors."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from math import prod
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from oddgan import inputs, training
from oddgan.networks import condition_on

#: Encoded samples, and their encoded condition, if there is one.
Sample = tuple[Tensor, Tensor | None]


class Chunk(NamedTuple):
    r"""Samples that are read and encoded together.

    Attributes
    ----------
    rows : ndarray of shape (n,)
        Their numbers in the source.
    raw : inputs.Raw
        As they were read; of an image that is cut, the chunk it was read with.
    x : Tensor of shape (n, \*shape) or inputs.PatchedImage
        Encoded samples, or one image to be cut into patches.
    condition : Tensor of shape (n, condition_dim), or None
        Their encoded condition.
    """

    rows: NDArray[np.int64]
    raw: inputs.Raw
    x: Tensor | inputs.PatchedImage
    condition: Tensor | None


@dataclass(frozen=True)
class Encoding:
    """The codecs that a detector has fitted.

    Attributes
    ----------
    samples : inputs.Codec
        For the samples.
    condition : inputs.TableCodec or None
        For their condition, if the detector is conditional.
    """

    samples: inputs.Codec
    condition: inputs.TableCodec | None

    @property
    def condition_dim(self) -> int:
        """Length of an encoded condition; 0 without one."""
        return self.condition.shape[0] if self.condition else 0

    def encode(self, source: inputs.Source, rows: NDArray[np.int64], raw: inputs.Raw) -> Sample:
        """Return encoded samples and their condition, (n, condition_dim) or None."""
        if isinstance(source, inputs.Patches):
            x = torch.from_numpy(raw)
        else:
            x = self.samples.encode(raw, source.sample_names(rows))
        return x, self._encode_condition(source, rows)

    def _encode_condition(self, source: inputs.Source, rows: NDArray[np.int64]) -> Tensor | None:
        if self.condition is None:
            return None
        raw = source.condition(rows)
        assert raw is not None  # checked when the source was opened
        with naming_the_condition():
            return self.condition.encode(raw, source.sample_names(rows))

    def read(self, source: inputs.Source, size: int) -> Iterator[Chunk]:
        """Yield the samples, encoded, in chunks of at most `size`.

        Images that are cut into patches come one by one, each as a `PatchedImage`.
        """
        codec = self.samples
        for rows, raw in source.chunks(size):
            if not isinstance(codec, inputs.PatchCodec) or isinstance(source, inputs.Patches):
                yield Chunk(rows, raw, *self.encode(source, rows, raw))
                continue
            condition = self._encode_condition(source, rows)
            for i, image in enumerate(codec.patched_images(raw, source.sample_names(rows))):
                this = slice(i, i + 1)
                yield Chunk(rows[this], raw, image, None if condition is None else condition[this])

    def joint_rows(
        self, source: inputs.Source, size: int, order: np.random.Generator | None = None
    ) -> Iterator[Tensor]:
        """Yield all samples once, in chunks: encoded, and with a condition one flat row of both."""
        for _, joint in self.numbered_rows(source, size, order):
            yield joint

    def numbered_rows(
        self, source: inputs.Source, size: int, order: np.random.Generator | None = None
    ) -> Iterator[tuple[NDArray[np.int64], Tensor]]:
        """Yield the chunks of `joint_rows`, each with the numbers of its rows."""
        for rows, raw in source.chunks(size, order):
            x, condition = self.encode(source, rows, raw)
            yield rows, x if condition is None else torch.cat([x.flatten(1), condition], dim=1)

    def conditioned_rows(
        self, source: inputs.Source, size: int, device: torch.device
    ) -> Iterator[Tensor]:
        """Yield all samples once, in chunks on `device`; networks see their condition."""
        for joint in self.joint_rows(source, size):
            x, condition = self.split(joint.to(device))
            with condition_on(condition):
                yield x

    @property
    def joint_shape(self) -> tuple[int, ...]:
        """Shape of a row of `joint_rows`."""
        shape = self.samples.shape
        return (prod(shape) + self.condition_dim,) if self.condition else shape

    def split(self, joint: Tensor) -> Sample:
        """Return samples and condition of the rows of `joint_rows`."""
        if self.condition is None:
            return joint, None
        n = prod(self.samples.shape)
        return joint[:, :n].reshape(len(joint), *self.samples.shape), joint[:, n:]

    def stage(self, losses: training.LossFunction) -> training.LossFunction:
        """Return `losses` for the rows of `joint_rows`: the networks see the condition."""

        def of_joint_rows(
            nets: Mapping[str, nn.Module], joint: Tensor, z: Tensor
        ) -> Iterator[training.Loss]:
            x, condition = self.split(joint)
            with condition_on(condition):
                yield from losses(nets, x, z)

        return of_joint_rows


@contextmanager
def naming_the_condition() -> Iterator[None]:
    """Let a message about bad input say that it is about the condition."""
    try:
        yield
    except ValueError as error:
        raise ValueError(f"condition: {error}") from error


def fit_encoding(
    source: inputs.Source, size: int, patches: Mapping[str, Any] | None = None, **options: Any
) -> Encoding:
    """Fit the codecs on all samples of `source`, read in chunks of `size`.

    Parameters
    ----------
    source : inputs.Source
        Training rows, or enough of them.
    size : int
        Samples that are read together.
    patches : mapping, optional
        Options of `inputs.PatchCodec.fit_chunks`, beside `image_size` and `channels`, if images are
        cut into patches.
    **options
        Options of :func:`inputs.fit_codec`, for the samples.
    """
    if patches:
        return _fit_patches(source, size, **patches, **options)
    chunks = list(source.chunks(size))
    index = np.concatenate([rows for rows, _ in chunks]) if chunks else np.empty(0, np.int64)
    names = source.sample_names(index)
    samples = inputs.fit_codec(inputs.concat([raw for _, raw in chunks]), rows=names, **options)
    return Encoding(samples, _fit_condition(source, index))


def _fit_patches(
    source: inputs.Source, size: int, scaling: inputs.Scaling, **options: Any
) -> Encoding:
    """Fit the codecs of images that are cut into patches, one chunk in memory at a time."""
    if source.kind != "image":
        raise ValueError("patch_size cuts images, but the samples are rows of a table")
    index: list[NDArray[np.int64]] = []

    def chunks() -> Iterator[tuple[Any, inputs.Raw]]:
        for rows, raw in source.chunks(size):
            index.append(rows)
            yield source.sample_names(rows), raw

    samples = inputs.PatchCodec.fit_chunks(chunks(), **options)
    return Encoding(samples, _fit_condition(source, np.concatenate(index)))


def _fit_condition(source: inputs.Source, index: NDArray[np.int64]) -> inputs.TableCodec | None:
    raw = source.condition(index)
    if raw is None:
        return None
    with naming_the_condition():
        return inputs.fit_codec(raw, rows=source.sample_names(index))  # type: ignore[return-value]
