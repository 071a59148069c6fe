"""Images to float32 tensors and back: `ImageCodec`."""

from dataclasses import asdict
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray

from oddgan.inputs.image_size import Size, as_size, resize
from oddgan.inputs.raw import Array, Channels, Layout, Raw, Rows, as_images, layout_of, sample_name

from .columns import Block, Column
from .pixels import Pixels, check_pixels, family_of

MIN_SIDE, MAX_SIDE = 8, 256
_FOLDER_SIDE = 64  # longer side of images whose files come in several sizes
_GREY = np.array([0.299, 0.587, 0.114], dtype=np.float32)  # luma of RGB, ITU-R BT.601


class ImageCodec:
    """Encodes images into float32 tensors (n, c, h, w), fitted on training images.

    - Size: that of training, or resized (bilinear with antialiasing, aspect ratio not kept). Image
      files are always resized to the model's size, arrays only if those of training were resized.
    - Colour: grey if all training files are, else RGB; later files are converted to it.
    - Values to [-1, 1]: uint8 from [0, 255], uint16 from [0, 65535], bool from {0, 1}, floats
      from [0, 1] or [-1, 1] if the training values lie within, else from their minimum and
      maximum. Later values outside are not clipped.

    Make one with `fit_codec` or `codec_from_state`.

    Attributes
    ----------
    kind : {"image"}
    shape : tuple of int
        ``(c, h, w)``.
    columns : list
        Empty, as images have no columns; so is `text_columns`.
    """

    kind: Literal["image"] = "image"

    def __init__(
        self, shape: tuple[int, int, int], layout: Layout, resize: bool, pixels: Pixels
    ) -> None:
        self.shape: tuple[int, ...] = shape
        self.columns: list[Column] = []
        self.text_columns: list[str] = []
        self._layout = layout
        self._resize = resize
        self._pixels = pixels

    @classmethod
    def fit(
        cls,
        sample: Raw,
        image_size: int | tuple[int, int] | None,
        channels: Channels,
        rows: Rows = None,
    ) -> "ImageCodec":
        """Fit a chunk of training images (see `fit_codec`)."""
        if not len(sample):
            raise ValueError("no images: there is nothing to learn from")
        layout, n_channels = layout_of(sample, channels)
        if isinstance(sample, list):
            size, resized = _files_size(sample)
        else:
            h, w = _channels_first(sample, layout).shape[2:]
            size, resized = (h, w), False
        if image_size is not None:
            size, resized = as_size(image_size, "image_size"), True
        h, w = size
        if not (min(h, w) >= MIN_SIDE and max(h, w) <= MAX_SIDE):
            raise ValueError(
                f"images of {h} x {w}: sides must be {MIN_SIDE} to {MAX_SIDE}; pass image_size to "
                "resize them, or patch_size to cut larger ones into patches"
            )
        return cls((n_channels, h, w), layout, resized, Pixels.fit(sample, rows))

    def encode(self, raw: Raw, rows: Rows = None) -> torch.Tensor:
        """Encode a chunk.

        Parameters
        ----------
        raw : ndarray of shape (n, h, w), (n, c, h, w) or (n, h, w, c), or list of ndarray
            Images; those in a list, (h, w) or (h, w, c) each, may differ in size.
        rows : sequence, optional
            Name of each image in messages, such as its index or its file name.

        Returns
        -------
        Tensor, float32, shape (n, c, h, w)
            Finite pixels on the CPU, [-1, 1] for the range of training.

        Raises
        ------
        ValueError
            For a shape or a family of values other than in training, NaN or infinity.
        """
        raw = as_images(raw)
        if not len(raw):
            return torch.empty(0, *self.shape)
        if isinstance(raw, np.ndarray):
            return self._encode_batch(self._match(raw), rows)
        encoded = []
        for i, image in enumerate(raw):
            batch = self._convert(image)[None]
            encoded.append(self._encode_batch(batch, [sample_name(rows, i)]))
        return torch.cat(encoded)

    def _encode_batch(self, batch: Array, rows: Rows) -> torch.Tensor:
        """Scale and resize images of one size, (n, c, h, w)."""
        return resize(self._scaled(batch, rows), (self.shape[1], self.shape[2]))

    def _scaled(self, batch: Array, rows: Rows) -> torch.Tensor:
        """Scale the pixels of images of one size, (n, c, h, w), to [-1, 1]."""
        family = family_of(batch.dtype)
        if family != self._pixels.family:
            raise ValueError(
                f"image {sample_name(rows, 0)} holds {batch.dtype} values, but the training images "
                f"hold {self._pixels.dtype}: convert them, and check their range"
            )
        check_pixels(batch, rows)
        return torch.from_numpy(np.ascontiguousarray(self._pixels.scale(batch)))

    def _match(self, raw: Array) -> Array:
        """View an array of images as (n, c, h, w), or refuse its shape."""
        c = self.shape[0]
        if raw.ndim == 3:
            batch = raw[:, None]
        elif raw.ndim == 4:
            # Either layout is accepted; if both fit, that of training.
            last = raw.shape[3] == c and (raw.shape[1] != c or self._layout == "last")
            batch = _channels_first(raw, "last" if last else "first")
        else:
            raise ValueError(
                f"the model was trained on images, but got an array of shape {raw.shape}"
            )
        same_size = batch.shape[2:] == self.shape[1:] or self._resize
        if batch.shape[1] != c or not same_size:
            raise ValueError(
                f"images of shape {raw.shape[1:]}, but the model is expecting {self.shape} "
                "(channels, height, width)"
            )
        return batch

    def _convert(self, image: Array) -> Array:
        """Convert one image to the channels of the model, (c, h, w)."""
        c = self.shape[0]
        if image.ndim == 2:
            image = image[:, :, None]
        if image.shape[2] == 1 and c == 3:
            image = np.repeat(image, 3, axis=2)
        elif image.shape[2] == 3 and c == 1:
            grey = image @ _GREY
            if image.dtype.kind != "f":
                grey = np.rint(grey).astype(image.dtype)
            image = grey[:, :, None]
        if image.shape[2] != c:
            raise ValueError(
                f"an image of {image.shape[2]} channels, but the model is expecting {c}"
            )
        return np.moveaxis(image, 2, 0)

    def decode(self, x: torch.Tensor) -> Array:
        """Turn encoded images back into an array like the training images.

        Parameters
        ----------
        x : Tensor, shape (n, c, h, w)
            Encoded images, such as reconstructions.

        Returns
        -------
        ndarray, shape (n, h, w), (n, c, h, w) or (n, h, w, c)
            In the layout and range of training (files: (n, h, w) or (n, h, w, 3)); integers are
            rounded and clipped, floats are not clipped.
        """
        images = self._pixels.unscale(x.detach().to("cpu", torch.float32).numpy())
        if self._layout == "grey":
            return images[:, 0]
        return images if self._layout == "first" else np.moveaxis(images, 1, 3)

    def for_display(self, raw: Raw) -> list[NDArray[np.uint8]]:
        """Return images that can be displayed.

        Parameters
        ----------
        raw : as in `encode`, or the result of `decode`

        Returns
        -------
        list of ndarray of uint8, (h, w) or (h, w, 3)
            In their original size, from black to white for the range of training. Two channels
            are averaged; only the first three of four are kept.
        """
        batches = [self._match(raw)] if isinstance(raw, np.ndarray) else []
        if isinstance(raw, list):
            batches = [self._convert(image)[None] for image in raw]
        images: list[NDArray[np.uint8]] = []
        for batch in batches:
            values = np.clip(np.rint((self._pixels.scale(batch) + 1) * 127.5), 0, 255)
            if batch.shape[1] in (1, 2):
                images += list(values.mean(1).astype(np.uint8))
            else:
                images += list(np.moveaxis(values[:, :3], 1, 3).astype(np.uint8))
        return images

    def sizes(self, raw: Raw) -> list[tuple[int, int]]:
        """Return the height and width of each image in a chunk."""
        if isinstance(raw, np.ndarray):
            h, w = self._match(raw).shape[2:]
            return [(h, w)] * len(raw)
        return [image.shape[:2] for image in raw]

    def blocks(self) -> list[Block]:
        """Return the likelihood of the flattened pixels."""
        return [Block("gaussian", 0, int(np.prod(self.shape)))]

    def per_column(self, residual: torch.Tensor) -> NDArray[np.float32]:
        """Sum residuals over the channels.

        Parameters
        ----------
        residual : Tensor, shape (n, c, h, w)
            Nonnegative.

        Returns
        -------
        ndarray of float32, shape (n, h, w)
        """
        sums: NDArray[np.float32] = residual.detach().to("cpu", torch.float32).sum(1).numpy()
        return sums

    def to_state(self) -> tuple[dict[str, Any], dict[str, Array]]:
        """Return the fitted state as JSON-able values and arrays (see `codec_from_state`)."""
        return {
            "kind": self.kind,
            "shape": list(self.shape),
            "layout": self._layout,
            "resize": self._resize,
            "pixels": asdict(self._pixels),
        }, {}

    @classmethod
    def from_state(cls, state: dict[str, Any]) -> "ImageCodec":
        """Make a codec from the JSON-able part of `to_state`."""
        pixels = Pixels(**state["pixels"])
        return cls(tuple(state["shape"]), state["layout"], state["resize"], pixels)


def _channels_first(images: Array, layout: Layout) -> Array:
    if layout == "grey":
        return images[:, None]
    return images if layout == "first" else np.moveaxis(images, 3, 1)


def _files_size(images: list[Array]) -> tuple[Size, bool]:
    """Return the size for image files (see `fit_codec`), and whether they are resized to it."""
    sizes = np.array([image.shape[:2] for image in images])
    h, w = (int(side) for side in np.median(sizes, axis=0))
    one_size = bool((sizes == sizes[0]).all())
    if one_size and min(h, w) >= MIN_SIDE and max(h, w) <= MAX_SIDE:
        return (h, w), False
    shrink = min(1.0, _FOLDER_SIDE / max(h, w))
    return (max(MIN_SIDE, round(h * shrink)), max(MIN_SIDE, round(w * shrink))), True
