"""Magnetic tile surface defects: grey photographs of tiles, with masks of the defects."""

import re
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image

from oddgan.datasets._base import Dataset, Entry
from oddgan.datasets._files import DataFileError, not_found, search_folders
from oddgan.datasets._folder import decode_image, with_progress

# The number of images of each class: no hash is published, so the loader counts them.
_COUNTS = {"free": 952, "blowhole": 115, "break": 85, "crack": 57, "fray": 32, "uneven": 103}
# The final dot is part of the URL.
_SOURCE = "https://github.com/abin24/Magnetic-tile-defect-datasets."
_SIZE = 64
_STEM = re.compile(r"exp(\d)_num_(\d+)")
# Numbers further apart than this belong to two tiles. Those of one tile are usually 10 to 20 apart;
# the largest gap seen, between two copies of one tile, is 77.
_GAP = 100
# One cracked tile was saved up to three times, in pieces whose numbers are further apart.
_REPEATED = range(85_602, 88_202)


def tile_groups(
    exposures: npt.NDArray[np.int64], numbers: npt.NDArray[np.int64]
) -> npt.NDArray[np.int64]:
    """Group images such that those in different groups certainly show different tiles.

    A tile was photographed at exposures 1 to 6 (a few also at 0) in sequence, so in order of
    number a new tile begins where exposure 0 or 1 follows a gap of more than 100. Tiles that were
    photographed alternately share a group: a group may contain several tiles, but no tile is in
    two groups.

    Parameters
    ----------
    exposures, numbers : int array of shape (n,)
        ``e`` and ``id`` of the file names ``exp<e>_num_<id>``.

    Returns
    -------
    int array of shape (n,)
        Groups, numbered from 0 in order of number.
    """
    order = np.argsort(numbers, kind="stable")
    sorted_numbers = numbers[order]
    begins = (np.diff(sorted_numbers) > _GAP) & (exposures[order][1:] <= 1)
    begins &= ~((sorted_numbers[1:] > _REPEATED.start) & (sorted_numbers[1:] < _REPEATED.stop))
    groups = np.empty(len(numbers), dtype=np.int64)
    groups[order] = np.concatenate([[0], np.cumsum(begins)])
    return groups


def read_tile(path: Path, size: int | None) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.bool_]]:
    """Return an image and its mask, resized to `size` x `size`; None keeps the original size.

    A pixel of the image is the mean of the pixels it covers, and a pixel of the mask is anomalous
    if any pixel it covers is: at this size a crack is thinner than a pixel.

    Raises
    ------
    DataFileError
        If there is no mask, or its size differs from that of the image.
    """
    mask_path = path.with_suffix(".png")
    if not mask_path.is_file():
        raise DataFileError(f"{path} has no mask {mask_path.name} beside it")
    image, mask = (decode_image(p.read_bytes(), str(p)) for p in (path, mask_path))
    if image.ndim != 2 or image.shape != mask.shape:
        raise DataFileError(
            f"{path} and its mask must be grey and have the same size, but their shapes are "
            f"{image.shape} and {mask.shape}"
        )
    if size is None:
        return image, mask > 127
    small = Image.fromarray(image).resize((size, size), Image.Resampling.BOX)
    # The threshold is half, as the drawn edges fade to black. A float image, since 8 bits would
    # round small fractions to 0.
    float_mask = Image.fromarray((mask > 127).astype(np.float32))
    fractions = float_mask.resize((size, size), Image.Resampling.BOX)
    return np.asarray(small), np.asarray(fractions) > 0


def _folder(home: Path) -> Path | None:
    for folder in search_folders("magnetic-tile", home):
        if all((folder / f"MT_{kind.title()}" / "Imgs").is_dir() for kind in _COUNTS):
            return folder
    return None


def _read(home: Path, progress: bool, *, size: int | None = _SIZE) -> Dataset:
    if size is not None and (not isinstance(size, int) or size < 1):
        raise ValueError(
            f"the size of magnetic-tile's images is {size!r}; it must be an int >= 1, or None for "
            "their original sizes"
        )
    folder = _folder(home)
    if folder is None:
        raise not_found("magnetic-tile", "MT_Free/Imgs/*.jpg", _SOURCE, home)
    files = [
        path
        for kind in _COUNTS
        for path in sorted((folder / f"MT_{kind.title()}" / "Imgs").glob("*.jpg"))
    ]
    y = np.array([path.parent.parent.name.removeprefix("MT_").lower() for path in files])
    counts = Counter(y.tolist())
    if counts != _COUNTS:
        raise DataFileError(
            f"{folder} is not the published data: expected images {_COUNTS}, found {dict(counts)}"
        )
    names = [_STEM.fullmatch(path.stem) for path in files]
    if None in names:
        raise DataFileError(f"{files[names.index(None)]} is not named exp<e>_num_<id>.jpg")
    exposures, numbers = (
        np.array([int(name[i]) for name in names if name is not None]) for i in (1, 2)
    )
    tiles = [read_tile(path, size) for path in with_progress(files, "magnetic-tile", progress)]
    return Dataset(
        name="magnetic-tile",
        kind="image",
        X=_as_array([image for image, _ in tiles]),
        y=y,
        train=None,
        note="Magnetic tile surface defects: 1,344 grey images, 392 of them with one of five "
        "kinds of defect (Huang, Qiu and Yuan 2018), of varying size and shape"
        f"{f', resized to {size}x{size}' if size else ''}; the masks of four uneven tiles are "
        "empty; checked by number, not by hash.",
        class_names=tuple(_COUNTS),
        masks=_as_array([mask for _, mask in tiles]),
        groups=tile_groups(exposures, numbers),
    )


def _as_array(images: list[npt.NDArray[Any]]) -> npt.NDArray[Any]:
    """Return images of one size as one array, images of several sizes as an array of arrays."""
    if len({image.shape for image in images}) == 1:
        return np.stack(images)
    array = np.empty(len(images), dtype=object)
    for i, image in enumerate(images):
        array[i] = image
    return array


MAGNETIC_TILE = Entry(
    name="magnetic-tile",
    kind="image",
    n_samples=sum(_COUNTS.values()),
    shape=(_SIZE, _SIZE),
    classes=tuple(_COUNTS),
    licence="none stated; cite Huang et al.",
    source=_SOURCE,
    present=lambda home: _folder(home) is not None,
    read=_read,
    options=("size",),
)
