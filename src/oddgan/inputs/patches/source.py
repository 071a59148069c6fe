"""Patches at random places of images, as samples: `Patches`."""

from collections.abc import Iterator
from typing import Literal, Self

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from oddgan.inputs.raw import Raw
from oddgan.inputs.sources.source import Chunk, Source
from oddgan.inputs.sources.subset import Subset

from .codec import PatchCodec
from .patches import PatchedImage

PatchAugment = Literal["flip", "turn"]
#: Images that are read together.
_READ = 16


class Patches(Source):
    """As many patches of each image of a source, at random places, already encoded.

    Rows are those of the images, each as often as it has patches. In the order of the source the
    places are the same each time; with an `order` to draw from they are drawn anew.

    Parameters
    ----------
    source : Source
        The images.
    codec : PatchCodec
        How they are encoded, and how large a patch is.
    n_each : int
        Patches of an image.
    seed : int
        Where they are, without an `order`.
    augment : {"flip", "turn"}, optional
        What is done to them at random (see `symmetric`).
    kept_bytes : int
        Encoded images are kept in memory if all of them need no more than so many bytes.
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
        kept_bytes: int = 0,
    ) -> None:
        self.source = source
        self.codec = codec
        self.n_each = n_each
        self._seed = seed
        self._augment = augment
        self._kept_bytes = kept_bytes
        self._kept: dict[int, PatchedImage] | None = None
        self.names = source.names
        self.has_condition = source.has_condition

    @property
    def skipped(self) -> list[tuple[str, str]]:
        """Files left out so far, with the reason."""
        return self.source.skipped

    def count(self) -> int:
        """Return the number of patches."""
        return self.source.count() * self.n_each

    def subsample(self, most: int, rng: np.random.Generator) -> Self:
        """Return `most` patches at most: of fewer images, or fewer of each."""
        n = self.source.count()
        chosen = np.zeros(n, dtype=bool)
        chosen[rng.permutation(n)[:most]] = True
        n_each = max(1, min(self.n_each, most // int(chosen.sum())))
        images = Subset(self.source, chosen) if n > most else self.source
        return type(self)(images, self.codec, n_each, self._seed, augment=self._augment)

    def chunks(self, size: int, order: np.random.Generator | None = None) -> Iterator[Chunk]:
        """Cut the patches once, in chunks (`Source.chunks`): (n, c, h, w), float32."""
        rng = np.random.default_rng(self._seed) if order is None else order
        rows: list[int] = []
        held: list[Tensor] = []
        for row, whole in self._wholes(order):
            cut = self._cut(whole, rng)
            while len(cut):
                held.append(cut[: size - len(rows)])
                cut = cut[len(held[-1]) :]
                rows += [row] * len(held[-1])
                if len(rows) == size:
                    yield np.array(rows), torch.cat(held).numpy()
                    rows, held = [], []
        if rows:
            yield np.array(rows), torch.cat(held).numpy()

    def condition(self, rows: NDArray[np.int64]) -> Raw | None:
        """Return the known context of these samples, or None."""
        return self.source.condition(rows)

    def _cut(self, whole: PatchedImage, rng: np.random.Generator) -> Tensor:
        room = [side - p + 1 for side, p in zip(whole.image.shape[1:], whole.patch, strict=True)]
        patches = whole.at(torch.from_numpy(rng.integers(room, size=(self.n_each, 2))))
        return symmetric(patches, self._augment, rng) if self._augment else patches

    def _wholes(self, order: np.random.Generator | None) -> Iterator[tuple[int, PatchedImage]]:
        """Yield the images with their rows, from memory if they are kept there."""
        if self._kept is not None:
            rows = list(self._kept)
            for i in range(len(rows)) if order is None else order.permutation(len(rows)):
                yield rows[i], self._kept[rows[i]]
            return
        kept: dict[int, PatchedImage] = {}
        left = self._kept_bytes
        for index, raw in self.source.chunks(_READ, order):
            for row, whole in zip(
                index.tolist(), self.codec.wholes(raw, self.source.called(index)), strict=True
            ):
                left -= whole.image.nbytes
                if left >= 0:
                    kept[row] = whole
                yield row, whole
            if left < 0:
                kept.clear()
        if left >= 0 and kept:
            self._kept = dict(sorted(kept.items()))


def symmetric(patches: Tensor, how: PatchAugment, rng: np.random.Generator) -> Tensor:
    """Return patches (n, c, h, w) that are mirrored at random, each by itself.

    "flip" mirrors up and down, and left and right, with probability 1/2 each; "turn" also
    exchanges height and width, so that all eight symmetries of a square are as probable.
    """
    found = []
    for patch, (down, across, turned) in zip(
        patches, rng.integers(2, size=(len(patches), 3)).astype(bool), strict=True
    ):
        axes = [axis for axis, flip in ((1, down), (2, across)) if flip]
        one = patch.flip(axes) if axes else patch
        found.append(one.transpose(1, 2) if turned and how == "turn" else one)
    return torch.stack(found)
