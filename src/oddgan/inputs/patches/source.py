"""Patches at random locations in images, as samples: `Patches`."""

from collections.abc import Iterator
from typing import Literal, Self

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from oddgan.inputs.raw import Raw
from oddgan.inputs.sources.source import Chunk, Source, Subset

from .codec import PatchCodec
from .patches import PatchedImage

PatchAugment = Literal["flip", "turn"]
#: Images that are read at a time.
_CHUNK_IMAGES = 16


class Patches(Source):
    """The same number of encoded patches of each image in a source, at random locations.

    Rows are those of the images; each occurs once for each of its patches. Without an `order`, the
    locations are the same each time; with one, they are drawn anew from it.

    Parameters
    ----------
    source : Source
        The images.
    codec : PatchCodec
        Encodes the images, and determines the size of a patch.
    n_each : int
        Number of patches per image.
    seed : int
        Seed of the locations without an `order`.
    augment : {"flip", "turn"}, optional
        Random augmentation of the patches (see `augmented`).
    cache_bytes : int
        Encoded images are kept in memory if all of them together need at most this many bytes.
    """

    kind = "image"

    def __init__(
        self,
        source: Source,
        codec: PatchCodec,
        n_each: int,
        seed: int,
        *,
        augment: PatchAugment | None = None,
        cache_bytes: int = 0,
    ) -> None:
        self.source = source
        self.codec = codec
        self.n_each = n_each
        self._seed = seed
        self._augment = augment
        self._cache_bytes = cache_bytes
        self._cache: dict[int, PatchedImage] | None = None
        self.names = source.names
        self.has_condition = source.has_condition

    @property
    def skipped(self) -> list[tuple[str, str]]:
        """Files skipped so far, with the reason."""
        return self.source.skipped

    def count(self) -> int:
        """Return the number of patches."""
        return self.source.count() * self.n_each

    def subsample(self, limit: int, rng: np.random.Generator) -> Self:
        """Return at most `limit` patches: of fewer images, or fewer patches per image."""
        n = self.source.count()
        keep = np.zeros(n, dtype=bool)
        keep[rng.permutation(n)[:limit]] = True
        n_each = max(1, min(self.n_each, limit // int(keep.sum())))
        images = Subset(self.source, keep) if n > limit else self.source
        return type(self)(images, self.codec, n_each, self._seed, augment=self._augment)

    def chunks(self, size: int, order: np.random.Generator | None = None) -> Iterator[Chunk]:
        """Cut the patches once, in chunks (`Source.chunks`): (n, c, h, w), float32."""
        rng = np.random.default_rng(self._seed) if order is None else order
        rows: list[int] = []
        chunk: list[Tensor] = []
        for row, image in self._images(order):
            patches = self._cut(image, rng)
            while len(patches):
                chunk.append(patches[: size - len(rows)])
                patches = patches[len(chunk[-1]) :]
                rows += [row] * len(chunk[-1])
                if len(rows) == size:
                    yield np.array(rows), torch.cat(chunk).numpy()
                    rows, chunk = [], []
        if rows:
            yield np.array(rows), torch.cat(chunk).numpy()

    def condition(self, rows: NDArray[np.int64]) -> Raw | None:
        """Return the condition of these samples, or None."""
        return self.source.condition(rows)

    def _cut(self, image: PatchedImage, rng: np.random.Generator) -> Tensor:
        room = [side - p + 1 for side, p in zip(image.image.shape[1:], image.patch, strict=True)]
        patches = image.patches_at(torch.from_numpy(rng.integers(room, size=(self.n_each, 2))))
        return augmented(patches, self._augment, rng) if self._augment else patches

    def _images(self, order: np.random.Generator | None) -> Iterator[tuple[int, PatchedImage]]:
        """Yield the images with their rows, from memory if they are cached."""
        if self._cache is not None:
            rows = list(self._cache)
            for i in range(len(rows)) if order is None else order.permutation(len(rows)):
                yield rows[i], self._cache[rows[i]]
            return
        cache: dict[int, PatchedImage] = {}
        free_bytes = self._cache_bytes
        for index, raw in self.source.chunks(_CHUNK_IMAGES, order):
            for row, image in zip(
                index.tolist(),
                self.codec.patched_images(raw, self.source.sample_names(index)),
                strict=True,
            ):
                free_bytes -= image.image.nbytes
                if free_bytes >= 0:
                    cache[row] = image
                yield row, image
            if free_bytes < 0:
                cache.clear()
        if free_bytes >= 0 and cache:
            self._cache = dict(sorted(cache.items()))


def augmented(patches: Tensor, augment: PatchAugment, rng: np.random.Generator) -> Tensor:
    """Return patches (n, c, h, w), each flipped at random.

    "flip" flips vertically and horizontally, with probability 1/2 each; "turn" also transposes
    with probability 1/2, so that all eight symmetries of a square are equally likely.
    """
    result = []
    for patch, (vertical, horizontal, transpose) in zip(
        patches, rng.integers(2, size=(len(patches), 3)).astype(bool), strict=True
    ):
        axes = [axis for axis, flip in ((1, vertical), (2, horizontal)) if flip]
        flipped = patch.flip(axes) if axes else patch
        result.append(flipped.transpose(1, 2) if transpose and augment == "turn" else flipped)
    return torch.stack(result)
