"""Images of any size, to be cut into patches: `PatchCodec`."""

from collections.abc import Iterable, Iterator
from numbers import Real
from typing import Any, Literal

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from torch import Tensor

from oddgan.inputs.codecs.image import MAX_SIDE, MIN_SIDE, ImageCodec, whole_pair
from oddgan.inputs.codecs.pixels import Pixels, learn_pixels
from oddgan.inputs.raw import Array, Channels, Layout, Raw, Rows, as_images, layout_of, place

from .illumination import IlluminationCorrection
from .patches import Pair, PatchedImage, resized

PatchAggregation = Literal["max", "top", "mean", "map"]
PATCH_AGGREGATIONS: tuple[PatchAggregation, ...] = ("max", "top", "mean", "map")
#: Share of an image's patches whose mean is the score "top".
TOP_SHARE = 0.05


class PatchCodec(ImageCodec):
    """Encodes images of any size, which are cut into patches; `shape` is that of a patch.

    Values are as `ImageCodec` has them. Images smaller than a patch are continued by reflection.

    Attributes
    ----------
    patch, stride : (int, int)
        Height and width of a patch, and how far patches are apart.
    patch_aggregation : {"max", "top", "mean", "map"}
        How an image's score is made. Of what "map" has no say in, "top" decides.
    """

    def __init__(
        self,
        shape: tuple[int, int, int],
        layout: Layout,
        pixels: Pixels,
        *,
        stride: Pair,
        image_size: Pair | float | None,
        illumination_correction: bool | float,
        patch_aggregation: PatchAggregation,
    ) -> None:
        super().__init__(shape, layout, True, pixels)
        self.patch: Pair = shape[1:]
        self.stride = stride
        self._image_size = image_size
        self._illumination_correction = illumination_correction
        self.patch_aggregation: PatchAggregation = patch_aggregation

    @classmethod
    def learn(
        cls,
        chunks: Iterable[tuple[Rows, Raw]],
        *,
        patch_size: int | Pair,
        stride: int | Pair | None = None,
        image_size: int | Pair | float | None = None,
        channels: Channels = "auto",
        illumination_correction: bool | float = False,
        patch_aggregation: PatchAggregation = "top",
    ) -> "PatchCodec":
        """Learn from chunks of training images, of which the extremes alone are kept.

        Parameters
        ----------
        chunks : iterable of (rows, raw)
            What the images are called, and the images.
        patch_size, stride, image_size, channels, illumination_correction, patch_aggregation
            As the detectors' parameters of these names.

        Raises
        ------
        ValueError
            If there are no images, they are not of one kind, or a size is out of range.
        """
        patch = whole_pair(patch_size, "patch_size")
        if not (min(patch) >= MIN_SIDE and max(patch) <= MAX_SIDE):
            raise ValueError(f"patch_size is {patch_size}; sides must be {MIN_SIDE} to {MAX_SIDE}")
        step = tuple(max(1, side // 2) for side in patch)
        if stride is not None:
            step = whole_pair(stride, "stride")
        if not all(1 <= s <= side for s, side in zip(step, patch, strict=True)):
            raise ValueError(
                f"stride is {stride}; it must be 1 to the patch's side {patch}, or pixels between "
                "patches would be seen by none"
            )
        size: Pair | float | None = None
        if image_size is not None:
            share = isinstance(image_size, Real) and 0 < image_size < 1
            size = float(image_size) if share else whole_pair(image_size, "image_size")  # type: ignore[arg-type]
        names, extremes, layouts = list[int | str](), list[Array](), set[tuple[Layout, int]]()
        for rows, raw in chunks:
            names += [place(rows, i) for i in range(len(raw))]
            extremes += [np.array([[im.min(), im.max()]], dtype=im.dtype) for im in raw]
            layouts.add(layout_of(raw, channels))
        if not extremes:
            raise ValueError("no images; there is nothing to learn from")
        pixels = learn_pixels(extremes, names)
        layout, n_channels = max(layouts, key=lambda found: found[1])  # RGB where some are
        return cls(
            (n_channels, *patch),
            layout,
            pixels,
            stride=step,  # type: ignore[arg-type]
            image_size=size,
            illumination_correction=illumination_correction,
            patch_aggregation=patch_aggregation,
        )

    def wholes(self, raw: Raw, rows: Rows = None) -> Iterator[PatchedImage]:
        """Yield the images of a chunk, encoded one by one.

        Parameters
        ----------
        raw, rows : as in `ImageCodec.encode`
            Images of any size, and what messages call them.

        Raises
        ------
        ValueError
            As `ImageCodec.encode`.
        """
        images = as_images(raw)
        if isinstance(images, list):
            images = [self._convert(image) for image in images]
        else:
            images = self._match(images)
        for i, image in enumerate(images):
            yield self._whole(self._scaled(image[None], [place(rows, i)])[0])

    def _whole(self, image: Tensor) -> PatchedImage:
        h, w = size = image.shape[1], image.shape[2]
        if isinstance(self._image_size, float):
            image = resized(image, (_share(h, self._image_size), _share(w, self._image_size)))
        elif self._image_size is not None:
            image = resized(image, self._image_size)
        level = None
        if self._illumination_correction is True:
            image, level = IlluminationCorrection.whole(image)
        elif self._illumination_correction:
            image, level = IlluminationCorrection.local(image, self._illumination_correction)
        inner = image.shape[1], image.shape[2]
        more = [(0, 0), *((0, max(0, p - s)) for p, s in zip(self.patch, inner, strict=True))]
        if any(after for _, after in more):
            image = torch.from_numpy(np.pad(image.numpy(), more, mode="symmetric"))
        return PatchedImage(image, self.patch, self.stride, inner, size, level)

    def of_image(self, values: Any) -> Any:
        """Return what is said of an image, given what is said of each of its patches.

        Parameters
        ----------
        values : ndarray of shape (n, ...) or DataFrame of n rows
            Scores, or columns of scores, of its n patches.

        Returns
        -------
        The same with one row: the greatest, the mean of the greatest `TOP_SHARE` (at least one),
        or the mean, of each column by itself.
        """
        if isinstance(values, pd.DataFrame):
            return pd.DataFrame(self.of_image(values.to_numpy()), columns=values.columns)
        n = {"max": 1, "mean": len(values)}.get(
            self.patch_aggregation, max(1, round(TOP_SHARE * len(values)))
        )
        top: NDArray[Any] = np.sort(values, axis=0)[len(values) - n :]
        return top.mean(0, keepdims=True)

    def to_state(self) -> tuple[dict[str, Any], dict[str, Array]]:
        """Return all that was learnt, as JSON-able values and arrays (see `codec_from_state`)."""
        header, arrays = super().to_state()
        cut = {
            "stride": self.stride,
            "image_size": self._image_size,
            "level": self._illumination_correction,
            "patch_score": self.patch_aggregation,
        }
        return {**header, "cut": cut}, arrays

    @classmethod
    def from_state(cls, state: dict[str, Any]) -> "PatchCodec":
        """Make a codec from the JSON-able part of `to_state`."""
        cut: dict[str, Any] = {
            k: tuple(v) if isinstance(v, list) else v for k, v in state["cut"].items()
        }
        # The names of the file format are older than those of the parameters.
        cut["illumination_correction"] = cut.pop("level")
        cut["patch_aggregation"] = cut.pop("patch_score")
        return cls(tuple(state["shape"]), state["layout"], Pixels(**state["pixels"]), **cut)


def _share(side: int, share: float) -> int:
    return max(1, round(share * side))
