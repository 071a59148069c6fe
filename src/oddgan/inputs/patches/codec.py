"""Images of any size that are cut into patches: `PatchCodec`."""

from collections.abc import Iterable, Iterator
from numbers import Real
from typing import Any, Literal

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from torch import Tensor

from oddgan.inputs.codecs.image import MAX_SIDE, MIN_SIDE, ImageCodec
from oddgan.inputs.codecs.pixels import Pixels
from oddgan.inputs.image_size import Size, as_size, resize
from oddgan.inputs.raw import Array, Channels, Layout, Raw, Rows, as_images, layout_of, sample_name

from .illumination import IlluminationCorrection
from .patches import PatchedImage

PatchAggregation = Literal["max", "top", "mean", "map"]
PATCH_AGGREGATIONS: tuple[PatchAggregation, ...] = ("max", "top", "mean", "map")
#: The score "top" is the mean over this share of an image's patches.
TOP_SHARE = 0.05


class PatchCodec(ImageCodec):
    """Encodes images of any size, which are cut into patches; `shape` is that of a patch.

    Values are encoded as by `ImageCodec`. Images smaller than a patch are padded by reflection.

    Attributes
    ----------
    patch, stride : (int, int)
        Height and width of a patch, and the distances between patches.
    patch_aggregation : {"max", "top", "mean", "map"}
        How the scores of patches are aggregated into the score of an image; `aggregate` aggregates
        by "top" if it is "map".
    """

    def __init__(
        self,
        shape: tuple[int, int, int],
        layout: Layout,
        pixels: Pixels,
        *,
        stride: Size,
        image_size: Size | float | None,
        illumination_correction: bool | float,
        patch_aggregation: PatchAggregation,
    ) -> None:
        super().__init__(shape, layout, True, pixels)
        self.patch: Size = shape[1:]
        self.stride = stride
        self._image_size = image_size
        self._illumination_correction = illumination_correction
        self.patch_aggregation: PatchAggregation = patch_aggregation

    @classmethod
    def fit_chunks(
        cls,
        chunks: Iterable[tuple[Rows, Raw]],
        *,
        patch_size: int | Size,
        stride: int | Size | None = None,
        image_size: int | Size | float | None = None,
        channels: Channels = "auto",
        illumination_correction: bool | float = False,
        patch_aggregation: PatchAggregation = "top",
    ) -> "PatchCodec":
        """Fit chunks of training images; only their extreme values are kept in memory.

        Parameters
        ----------
        chunks : iterable of (rows, raw)
            The names of the images for messages, and the images.
        patch_size, stride, image_size, channels, illumination_correction, patch_aggregation
            The detectors' parameters of the same names.

        Raises
        ------
        ValueError
            If there are no images, they differ in family, or a size is out of range.
        """
        patch = as_size(patch_size, "patch_size")
        if not (min(patch) >= MIN_SIDE and max(patch) <= MAX_SIDE):
            raise ValueError(f"patch_size is {patch_size}; sides must be {MIN_SIDE} to {MAX_SIDE}")
        step = tuple(max(1, side // 2) for side in patch)
        if stride is not None:
            step = as_size(stride, "stride")
        if not all(1 <= s <= side for s, side in zip(step, patch, strict=True)):
            raise ValueError(
                f"stride is {stride}; it must be 1 to the patch's side {patch}, or no patch would "
                "contain the pixels between patches"
            )
        size: Size | float | None = None
        if image_size is not None:
            is_share = isinstance(image_size, Real) and 0 < image_size < 1
            size = float(image_size) if is_share else as_size(image_size, "image_size")  # type: ignore[arg-type]
        names, extremes, layouts = list[int | str](), list[Array](), set[tuple[Layout, int]]()
        for rows, raw in chunks:
            names += [sample_name(rows, i) for i in range(len(raw))]
            extremes += [np.array([[im.min(), im.max()]], dtype=im.dtype) for im in raw]
            layouts.add(layout_of(raw, channels))
        if not extremes:
            raise ValueError("no images: there is nothing to learn from")
        pixels = Pixels.fit(extremes, names)
        layout, n_channels = max(layouts, key=lambda layout: layout[1])  # RGB if any image is
        return cls(
            (n_channels, *patch),
            layout,
            pixels,
            stride=step,  # type: ignore[arg-type]
            image_size=size,
            illumination_correction=illumination_correction,
            patch_aggregation=patch_aggregation,
        )

    def patched_images(self, raw: Raw, rows: Rows = None) -> Iterator[PatchedImage]:
        """Yield the images of a chunk, encoded one by one.

        Parameters
        ----------
        raw, rows : as in `ImageCodec.encode`
            Images of any size, and their names for messages.

        Raises
        ------
        ValueError
            As in `ImageCodec.encode`.
        """
        images = as_images(raw)
        if isinstance(images, list):
            images = [self._convert(image) for image in images]
        else:
            images = self._match(images)
        for i, image in enumerate(images):
            yield self._patched(self._scaled(image[None], [sample_name(rows, i)]))

    def _patched(self, images: Tensor) -> PatchedImage:
        """Return one scaled image (1, c, h, w), resized, corrected and padded."""
        h, w = original = images.shape[2], images.shape[3]
        if isinstance(self._image_size, float):
            images = resize(images, (_share(h, self._image_size), _share(w, self._image_size)))
        elif self._image_size is not None:
            images = resize(images, self._image_size)
        image, correction = images[0], None
        if self._illumination_correction is True:
            image, correction = IlluminationCorrection.by_median(image)
        elif self._illumination_correction:
            image, correction = IlluminationCorrection.by_surroundings(
                image, self._illumination_correction
            )
        unpadded = image.shape[1], image.shape[2]
        padding = [(0, 0), *((0, max(0, p - s)) for p, s in zip(self.patch, unpadded, strict=True))]
        if any(after for _, after in padding):
            image = torch.from_numpy(np.pad(image.numpy(), padding, mode="symmetric"))
        return PatchedImage(image, self.patch, self.stride, unpadded, original, correction)

    def aggregate(self, values: Any) -> Any:
        """Aggregate values of patches into those of their image.

        Parameters
        ----------
        values : ndarray of shape (n, ...) or DataFrame of n rows
            Scores, or columns of scores, of its n patches.

        Returns
        -------
        The same type with one row: of each column the maximum, the mean of its greatest
        `TOP_SHARE` values (at least one), or the mean.
        """
        if isinstance(values, pd.DataFrame):
            return pd.DataFrame(self.aggregate(values.to_numpy()), columns=values.columns)
        n = {"max": 1, "mean": len(values)}.get(
            self.patch_aggregation, max(1, round(TOP_SHARE * len(values)))
        )
        top: NDArray[Any] = np.sort(values, axis=0)[len(values) - n :]
        return top.mean(0, keepdims=True)

    def to_state(self) -> tuple[dict[str, Any], dict[str, Array]]:
        """Return the fitted state as JSON-able values and arrays (see `codec_from_state`)."""
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
        # The file format has other names than the parameters.
        cut["illumination_correction"] = cut.pop("level")
        cut["patch_aggregation"] = cut.pop("patch_score")
        return cls(tuple(state["shape"]), state["layout"], Pixels(**state["pixels"]), **cut)


def _share(side: int, share: float) -> int:
    return max(1, round(share * side))
