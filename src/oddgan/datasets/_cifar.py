"""CIFAR-10: the official binary archive, its extracted folder, or a tree of class folders."""

import io
import tarfile
from pathlib import Path

import numpy as np
import numpy.typing as npt

from oddgan.datasets._base import Dataset, Entry
from oddgan.datasets._files import (
    DataFileError,
    RemoteFile,
    find,
    read,
    search_folders,
    verified_content,
)
from oddgan.datasets._folder import class_folder

_ARCHIVE = RemoteFile(
    "cifar-10",
    "cifar-10-binary.tar.gz",
    ("https://www.cs.toronto.edu/~kriz/cifar-10-binary.tar.gz",),
    "c4a38c50a1bc5f3a1c5537f2155ab9d68f9f25eb1ed8d9ddda3db29a59bca1dd",
)
_FOLDER = "cifar-10-batches-bin"
_BATCHES = [
    RemoteFile("cifar-10", f"{_FOLDER}/{name}.bin", (), sha256)
    for name, sha256 in (
        ("data_batch_1", "cee916563c9f80d84e3cc88e17fdc0941787f1244f00a67874d45b261883ada5"),
        ("data_batch_2", "a591ca11fa1708a91ee40f54b3da4784ccd871ecf2137de63f51ada8b3fa57ed"),
        ("data_batch_3", "bbe8596564c0f86427f876058170b84dac6670ddf06d79402899d93ceea26f67"),
        ("data_batch_4", "014e562d6e23c72197cc727519169a60359f5eccd8945ad5a09d710285ff4e48"),
        ("data_batch_5", "755304fc0b379caeae8c14f0dac912fbc7d6cd469eb67a1029a08a39453a9add"),
        ("test_batch", "8e2eb146ae340b09e24670f29cabc6326dba54da8789dab6768acf480273f65b"),
    )
]
_CLASSES = (
    "airplane",
    "automobile",
    "bird",
    "cat",
    "deer",
    "dog",
    "frog",
    "horse",
    "ship",
    "truck",
)
_DESCRIPTION = "CIFAR-10: 60,000 colour photographs, 32x32 RGB (Krizhevsky 2009)"


def parse_batch(data: bytes) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.uint8]]:
    """Return images (n, 32, 32, 3) and class numbers (n,) of one binary batch.

    A record is one byte of label and 3,072 of pixels: red, green and blue planes, row by row.
    Source: the CIFAR-10 page.

    Raises
    ------
    DataFileError
        If the number of bytes is not a multiple of 3,073, or a label is above 9.
    """
    if not data or len(data) % 3073:
        raise DataFileError(
            f"a CIFAR-10 batch has rows of 3,073 bytes, but this one has {len(data)} bytes"
        )
    rows = np.frombuffer(data, dtype=np.uint8).reshape(-1, 3073)
    if rows[:, 0].max() >= len(_CLASSES):
        raise DataFileError(f"a CIFAR-10 label is 0 to 9, but this batch has {rows[:, 0].max()}")
    return rows[:, 1:].reshape(-1, 3, 32, 32).transpose(0, 2, 3, 1), rows[:, 0]


def _official(batches: list[bytes], form: str) -> Dataset:
    """Join the batches; the last one is the official test set."""
    parsed = [parse_batch(batch) for batch in batches]
    y = np.concatenate([labels for _, labels in parsed])
    return Dataset(
        name="cifar-10",
        kind="image",
        X=np.concatenate([images for images, _ in parsed]),
        y=np.array(_CLASSES)[y],
        train=np.arange(len(y)) < len(y) - len(parsed[-1][1]),
        note=f"{_DESCRIPTION}, official {form}.",
        class_names=_CLASSES,
    )


def _from_archive(data: bytes) -> Dataset:
    with tarfile.open(fileobj=io.BytesIO(data), mode="r:gz") as archive:
        members = [archive.extractfile(batch.name) for batch in _BATCHES]
        return _official([member.read() for member in members if member], "binary archive")


def _tree(home: Path) -> Path | None:
    """Return a tree of class folders, or a tar file of one, if the data home has it."""
    for folder in search_folders("cifar-10", home):
        if (folder / "train").is_dir() and (folder / "test").is_dir():
            return folder
        tars = sorted(folder.glob("*.tar"))
        if tars:
            return tars[0]
    return None


def _from_tree(tree: Path, progress: bool) -> Dataset:
    dataset = class_folder(tree, name="cifar-10", progress=progress)
    if (
        dataset.train is None
        or dataset.X.shape[1:] != (32, 32, 3)
        or not (set(dataset.classes) <= set(_CLASSES))
    ):
        raise DataFileError(
            f"{tree} is not CIFAR-10: expected train/ and test/ with 32x32 RGB images in folders "
            f"named {', '.join(_CLASSES)}"
        )
    return Dataset(
        name="cifar-10",
        kind="image",
        X=dataset.X,
        y=dataset.y,
        train=dataset.train,
        note=f"{_DESCRIPTION}, from the class folders in {tree.name}: not the official archive, "
        "and not checked by hash; if its images are JPEG they were recompressed, so results are "
        "close but not equal to those on the official data.",
        class_names=_CLASSES,
    )


def _present(home: Path) -> bool:
    return (
        find(_ARCHIVE, home) is not None
        or all(find(batch, home) is not None for batch in _BATCHES)
        or _tree(home) is not None
    )


def _read(home: Path, progress: bool) -> Dataset:
    if find(_ARCHIVE, home) is None:
        paths = [find(batch, home) for batch in _BATCHES]
        existing = [path for path in paths if path is not None]
        if len(existing) == len(_BATCHES):
            batches = [verified_content(p, b) for p, b in zip(existing, _BATCHES, strict=True)]
            return _official(batches, f"binary files in {_FOLDER}")
        tree = _tree(home)
        if tree is not None:
            return _from_tree(tree, progress)
    return _from_archive(read(_ARCHIVE, home, progress))


CIFAR10 = Entry(
    name="cifar-10",
    kind="image",
    n_samples=60_000,
    shape=(32, 32, 3),
    classes=_CLASSES,
    licence="none stated; cite Krizhevsky (2009)",
    source="https://www.cs.toronto.edu/~kriz/cifar.html",
    present=_present,
    read=_read,
)
