"""Image files, decoded one chunk at a time."""

import re
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from oddgan.inputs.raw import Array

from .source import Chunk, Source, spans

IMAGE_SUFFIXES = frozenset({".png", ".jpg", ".jpeg", ".tif", ".tiff", ".bmp"})

_CHUNK_BYTES = 1 << 28  # a chunk ends here, since a photograph takes tens of megabytes


class ImageFiles(Source):
    """Image files below a folder, in natural order (``img2`` before ``img10``).

    A grey image becomes an array (h, w), any other (h, w, 3): palettes and other colour spaces
    are converted to RGB, an alpha channel is dropped. Grey images of 16 bits stay uint16, those of
    floats float32; all others are uint8. Only the first page of a file is read.

    Parameters
    ----------
    root : Path
        The folder.
    files : list of Path
        The files, below the folder.
    skip_bad : bool
        Skip files that cannot be decoded, and list them in `skipped`.
    """

    kind = "image"

    def __init__(self, root: Path, files: list[Path], skip_bad: bool = False) -> None:
        self._paths = files
        self._skip_bad = skip_bad
        self._bad: dict[int, str] = {}
        self.names: list[str] = [file.relative_to(root).as_posix() for file in files]

    @property
    def skipped(self) -> list[tuple[str, str]]:
        """Files skipped so far, with the reason."""
        return [(self.names[i], self._bad[i]) for i in sorted(self._bad)]

    def count(self) -> int:
        """Return the number of files, bad ones included."""
        return len(self._paths)

    def chunks(self, size: int, order: np.random.Generator | None = None) -> Iterator[Chunk]:
        """Decode the files once, in chunks; skipped files are gaps in the row indices."""
        yield from self.chunks_of(np.ones(self.count(), dtype=bool), size, order)

    def chunks_of(
        self, keep: NDArray[np.bool_], size: int, order: np.random.Generator | None = None
    ) -> Iterator[Chunk]:
        """Decode only the files where `keep` is true (`Source.chunks_of`)."""
        index = np.flatnonzero(keep)
        for start, stop in spans(len(index), size, order):
            images: dict[int, Array] = {}
            n_bytes = 0
            last = index[stop - 1]
            for i in index[start:stop].tolist():
                image = self._read(i)
                if image is not None:
                    images[i] = image
                    n_bytes += image.nbytes
                if images and (n_bytes >= _CHUNK_BYTES or i == last):
                    yield np.fromiter(images, np.int64, len(images)), list(images.values())
                    images, n_bytes = {}, 0

    def _read(self, i: int) -> Array | None:
        try:
            return read_image(self._paths[i])
        except ValueError as error:
            if not self._skip_bad:
                raise
            self._bad[i] = str(error)
            return None


def find_images(folder: Path, pattern: str | None) -> list[Path]:
    """List the image files below a folder in natural order, without hidden files."""
    if pattern is not None and Path(pattern).is_absolute():
        raise ValueError(f"the pattern {pattern!r} must be relative to the folder {folder}")
    paths = (
        path
        for path in folder.rglob(pattern or "*")
        if path.suffix.lower() in IMAGE_SUFFIXES and not path.name.startswith(".")
    )
    return sorted(paths, key=_natural_order)


def _natural_order(path: Path) -> tuple[list[tuple[int, str]], str]:
    # Digits compare as numbers, the rest as text that ignores case.
    parts = re.split(r"(\d+)", str(path).lower())
    key = [(int(part), "") if part.isdecimal() else (-1, part) for part in parts]
    return key, str(path)


def read_image(path: Path) -> Array:
    """Decode an image file.

    Returns
    -------
    ndarray, shape (h, w) or (h, w, 3)
        uint8, uint16 or float32 (see `ImageFiles`).

    Raises
    ------
    ValueError
        If the file cannot be decoded.
    """
    try:
        with Image.open(path) as image:
            return pixels_of(image)
    # A damaged file can make a decoder raise anything: OSError, SyntaxError, struct.error ...
    except Exception as error:
        raise ValueError(f"{path}: cannot be read as an image ({error})") from error


def pixels_of(image: Image.Image) -> Array:
    """Decode an opened image in the same way as image files (see `ImageFiles`).

    Returns
    -------
    ndarray, shape (h, w) or (h, w, 3)
        uint8, uint16 or float32.

    Raises
    ------
    Exception
        Any exception that the decoder raises for a damaged file.
    """
    mode = image.mode
    if mode == "I" or mode.startswith("I;16"):
        values = np.asarray(image)
        if values.min() < 0 or values.max() > np.iinfo(np.uint16).max:
            raise ValueError("a grey image with more than 16 bits")
        return values.astype(np.uint16)
    if mode == "F":
        return np.asarray(image, dtype=np.float32)
    return np.asarray(image.convert("L" if mode in ("1", "L", "LA", "La") else "RGB"))
