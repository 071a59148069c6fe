"""Labelled images in class folders, on disk or in an uncompressed tar file."""

import io
import tarfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import IO, TypeAlias, TypeVar, cast

import numpy as np
import numpy.typing as npt
from PIL import Image
from rich.console import Console
from rich.progress import track

from oddgan.datasets._base import Dataset

_SUFFIXES = {".png", ".jpg", ".jpeg", ".bmp", ".tif", ".tiff"}
# From the path of a file inside the tree to a function that reads it.
_Files: TypeAlias = dict[str, Callable[[], bytes]]
_Item = TypeVar("_Item")


def class_folder(path: Path, *, name: str | None = None, progress: bool = True) -> Dataset:
    """Read images of one size from ``path/{train,test}/<class>/`` or ``path/<class>/``.

    If all images are grey, their shape is (n, h, w); otherwise all are read as RGB, (n, h, w, 3).
    Classes are the names of the folders; rows are ordered train before test, then by class and
    file name.

    Parameters
    ----------
    path : pathlib.Path
        A folder, or a ``.tar`` file with one, which is read without extracting it.
    name : str, optional
        The data set's name; the path's stem by default.
    progress : bool
        Whether to show progress on standard error.

    Returns
    -------
    Dataset
        `train` is None unless there is a ``train`` and a ``test`` folder.

    Raises
    ------
    FileNotFoundError
        If the path does not exist.
    ValueError
        If there is no image, an image is corrupt or has more than 8 bits per channel (the message
        names it), or sizes differ.
    """
    path = Path(path)
    if not path.exists():
        raise FileNotFoundError(f"there is no folder {path}")
    with _tar_files(path) if path.is_file() else _disk_files(path) as files:
        parts = {file: PurePosixPath(file).parts for file in files}
        # Only files directly in a class folder: masks and previews are often in subfolders.
        split = sorted(
            (f for f, p in parts.items() if len(p) == 3 and p[0] in {"train", "test"}),
            key=lambda f: (parts[f][0] != "train", parts[f]),
        )
        has_split = {parts[f][0] for f in split} == {"train", "test"}
        images = split if has_split else sorted(f for f, p in parts.items() if len(p) == 2)
        if not images:
            raise ValueError(
                f"{path} has no images in train/<class>/ and test/<class>/, nor in <class>/"
            )
        tracked = with_progress(images, path.name, progress)
        X = _stack([decode_image(files[file](), f"{path}/{file}") for file in tracked], images)
    return Dataset(
        name=name or path.stem,
        kind="image",
        X=X,
        y=np.array([parts[f][-2] for f in images]),
        train=np.array([parts[f][0] == "train" for f in images]) if has_split else None,
        note=f"{len(images):,} images in class folders of {path}.",
    )


def with_progress(files: Sequence[_Item], name: str, progress: bool) -> Iterable[_Item]:
    """Iterate over files that are slow to read, with optional progress on standard error."""
    return track(
        files,
        f"reading {name}",
        console=Console(stderr=True),
        disable=not progress,
        transient=True,
    )


@contextmanager
def _disk_files(path: Path) -> Iterator[_Files]:
    files = (p for p in path.rglob("*") if p.suffix.lower() in _SUFFIXES)
    yield {p.relative_to(path).as_posix(): p.read_bytes for p in files}


@contextmanager
def _tar_files(path: Path) -> Iterator[_Files]:
    try:
        archive = tarfile.open(path, "r:")  # noqa: SIM115 (closed below)
        members = archive.getmembers()
    except tarfile.TarError as error:
        raise ValueError(f"{path} is not a complete uncompressed tar file: {error}") from error
    with archive:

        def reader(member: tarfile.TarInfo) -> Callable[[], bytes]:
            return lambda: cast("IO[bytes]", archive.extractfile(member)).read()

        yield {
            str(PurePosixPath(member.name)): reader(member)
            for member in members
            if member.isfile() and PurePosixPath(member.name).suffix.lower() in _SUFFIXES
        }


def decode_image(data: bytes, where: str) -> npt.NDArray[np.uint8]:
    """Return an image with 8 bits per channel as (h, w) or (h, w, 3).

    Raises
    ------
    ValueError
        If it is not such an image; the message names `where`.
    """
    try:
        with Image.open(io.BytesIO(data)) as image:
            if image.mode.startswith(("I", "F")):
                # Pillow would silently clip these to 255.
                raise ValueError(f"its mode {image.mode} has more than 8 bits per pixel")
            return np.asarray(image.convert("L" if image.mode in {"1", "L"} else "RGB"))
    except (OSError, SyntaxError, ValueError) as error:  # what Pillow raises for damaged files
        raise ValueError(f"{where} is not a readable image: {error}") from error


def _stack(images: list[npt.NDArray[np.uint8]], names: list[str]) -> npt.NDArray[np.uint8]:
    """Stack images of one size; grey images become RGB if any is coloured."""
    for image, name in zip(images, names, strict=True):
        if image.shape[:2] != images[0].shape[:2]:
            raise ValueError(
                f"images differ in size: {names[0]} has {images[0].shape[:2]}, "
                f"{name} has {image.shape[:2]}"
            )
    if len({image.ndim for image in images}) == 2:
        images = [np.stack([i] * 3, axis=2) if i.ndim == 2 else i for i in images]
    return np.stack(images)
