"""Anomaly maps of images as files: arrays of maps and masks, and pictures to look at."""

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any
from zipfile import ZIP_DEFLATED, ZipFile

import numpy as np
from numpy.lib.format import open_memmap, write_array
from numpy.typing import NDArray
from PIL import Image
from scipy.ndimage import binary_erosion

from oddgan import inputs
from oddgan.detectors import Detector

Pixels = NDArray[Any]

#: Minimum side of a picture, in pixels: an image of 28 x 28 is enlarged.
_SIDE = 256
#: The colours of anomalous pixels and of a mask's outline, distinct for colour-blind eyes too.
_ODD, _OUTLINE = np.array([213, 94, 0]), np.array([86, 180, 233])
#: Largest opacity of the map over the image.
_OPACITY = 0.8
#: A map has full colour at this multiple of the pixel threshold.
_FULL = 2.0
#: Images that are read at a time for pictures.
_CHUNK = 32


def check_maps(explain: Path | None, mask: Path | None) -> None:
    """Refuse paths that maps cannot be written to, before any work is done."""
    for name, path, folder in (("explain", explain, True), ("mask", mask, False)):
        if path is None:
            continue
        pictures = folder and not path.suffix
        if not pictures and path.suffix not in (".npy", ".npz"):
            alternative = ", or be that of a new folder for pictures" if folder else ""
            raise ValueError(f"--{name} {path}: the name must end in .npy or .npz{alternative}")
        if pictures and path.is_file():
            raise ValueError(f"--{name} {path}: is a file; pictures go into a new folder")
        if pictures and path.is_dir() and any(path.iterdir()):
            raise ValueError(f"--{name} {path}: the folder is not empty; give a new one")
        if not path.absolute().parent.is_dir():
            raise FileNotFoundError(f"{path.parent}: no such folder to write {path.name} to")


def write_maps(
    explain: Path | None, mask: Path | None, fitted: Detector, source: inputs.Source
) -> None:
    """Write maps and masks of all images, which are explained once.

    Parameters
    ----------
    explain : Path or None
        An NPY file of maps (n, h, w); an NPZ file with a map for each image, by its name, for
        images of several sizes; or a folder, which gets a picture of each image.
    mask : Path or None
        An NPY or NPZ file of masks.
    fitted : Detector
        The detector that explains them.
    source : inputs.Source
        The images; all of them were read before, so `skipped` is complete.
    """
    if explain is None and mask is None:
        return
    n = source.count() - len(source.skipped)
    with ExitStack() as files:
        maps = _opened(files, explain, n) if explain and explain.suffix else None
        masks = _opened(files, mask, n) if mask else None
        pictures = _images(fitted, source) if explain and not explain.suffix else None
        for index, explanation in fitted.iter_outputs(source, "explain"):
            names = [str(name) for name in source.sample_names(index)]
            for name, anomaly_map, mask_values in zip(
                names, explanation.anomaly_map, explanation.anomaly_mask, strict=True
            ):
                if maps:
                    maps.add(name, anomaly_map)
                if masks:
                    masks.add(name, mask_values)
                if pictures and explain:
                    picture = overlay(
                        next(pictures), anomaly_map, mask_values, explanation.pixel_threshold
                    )
                    _save(picture, explain, name)


def overlay(image: Pixels, anomaly_map: Pixels, mask: Pixels, threshold: float) -> Image.Image:
    """Return a picture of an image with its anomaly map in colour and its mask outlined.

    Parameters
    ----------
    image : ndarray of uint8, shape (h, w) or (h, w, 3)
        The image.
    anomaly_map, mask : ndarray of shape (h, w)
        The anomaly score of each pixel, and which are above the threshold.
    threshold : float
        The pixel threshold; full colour is at twice this value in all pictures.
    """
    full = _FULL * threshold or float(anomaly_map.max()) or 1.0
    factor = max(1, -(-_SIDE // max(mask.shape)))
    rgb, strength, inside = (
        values.repeat(factor, axis=0).repeat(factor, axis=1)
        for values in (image, anomaly_map / full, mask)
    )
    rgb = rgb if rgb.ndim == 3 else rgb[..., None]
    opacity = _OPACITY * np.clip(strength, 0, 1)[..., None]
    coloured = (1 - opacity) * rgb + opacity * _ODD
    coloured[inside & ~binary_erosion(inside)] = _OUTLINE
    return Image.fromarray(np.rint(coloured).astype(np.uint8))


# --------------------------------------------------------------------------------------- inside


class _Array:
    """An NPY file of n arrays of one size, filled one by one."""

    def __init__(self, path: Path, n: int) -> None:
        self._path, self._n = path, n
        self._file: Pixels | None = None
        self._filled = 0

    def add(self, name: str, values: Pixels) -> None:
        if self._file is None:
            shape = (self._n, *values.shape)
            self._file = open_memmap(self._path, mode="w+", dtype=values.dtype, shape=shape)
        if values.shape != self._file.shape[1:]:
            first = " x ".join(map(str, self._file.shape[1:]))
            raise ValueError(
                f"{self._path}: {name} differs in size from the first image, {first}, "
                "and an NPY file holds one size; give the name of an .npz file"
            )
        self._file[self._filled] = values
        self._filled += 1


class _Archive:
    """An NPZ file of arrays by name, filled one by one."""

    def __init__(self, file: ZipFile) -> None:
        self._file = file

    def add(self, name: str, values: Pixels) -> None:
        with self._file.open(f"{name}.npy", "w", force_zip64=True) as entry:
            write_array(entry, values)


def _opened(files: ExitStack, path: Path, n: int) -> _Array | _Archive:
    if path.suffix == ".npy":
        return _Array(path, n)
    return _Archive(files.enter_context(ZipFile(path, "w", ZIP_DEFLATED)))


def _images(fitted: Detector, source: inputs.Source) -> Iterator[Pixels]:
    """Yield the images one by one, in the order in which they are explained."""
    codec = fitted.codec_
    assert isinstance(codec, inputs.ImageCodec)
    for _, raw in source.chunks(_CHUNK):
        yield from codec.for_display(raw)


def _save(picture: Image.Image, folder: Path, name: str) -> None:
    """Write a PNG file below `folder`, at the image's relative path."""
    path = folder / (name if name.lower().endswith(".png") else f"{name}.png")
    path.parent.mkdir(parents=True, exist_ok=True)
    picture.save(path)
