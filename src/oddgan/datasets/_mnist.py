"""MNIST and Fashion-MNIST: four gzipped IDX files each."""

import math
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from oddgan.datasets._base import Dataset, Entry
from oddgan.datasets._files import DataFileError, RemoteFile, find, read

_NAMES = (
    "train-images-idx3-ubyte.gz",
    "train-labels-idx1-ubyte.gz",
    "t10k-images-idx3-ubyte.gz",
    "t10k-labels-idx1-ubyte.gz",
)


def _files(dataset: str, addresses: tuple[str, ...], hashes: tuple[str, ...]) -> list[RemoteFile]:
    return [
        RemoteFile(dataset, name, tuple(a + name for a in addresses), sha256, gzipped=True)
        for name, sha256 in zip(_NAMES, hashes, strict=True)
    ]


_MNIST_FILES = _files(
    "mnist",
    # The first two are mirrors of the original, which no longer answers reliably.
    (
        "https://ossci-datasets.s3.amazonaws.com/mnist/",
        "https://storage.googleapis.com/cvdf-datasets/mnist/",
        "http://yann.lecun.com/exdb/mnist/",
    ),
    (
        "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
        "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5",
        "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
        "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2",
    ),
)

_FASHION_FILES = _files(
    "fashion-mnist",
    (
        "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/",
        "https://raw.githubusercontent.com/zalandoresearch/fashion-mnist/master/data/fashion/",
    ),
    (
        "c59f468a2f672dc815687fe0f83887768d799fd8a3f3276145d20f83aa44d888",
        "bad3541b69d912435c50bb6ba87bec294ff4f6a2e1246121d8633921760443d9",
        "5b4141f0afbad91edebe8549f8fcffe087ea10ca49f1dbef5c9a5cd8815ce37b",
        "0402a96d92fd2663957122ceb108a494c5af83dab82d92729df917d7dec38c34",
    ),
)

_FASHION_CLASSES = (
    "t-shirt/top",
    "trouser",
    "pullover",
    "dress",
    "coat",
    "sandal",
    "shirt",
    "sneaker",
    "bag",
    "ankle boot",
)


def parse_idx(data: bytes) -> npt.NDArray[np.uint8]:
    """Return the array in an IDX file of unsigned bytes.

    The header is: two zero bytes, the type (8 = unsigned byte), the number of dimensions,
    then each dimension as a big-endian 32-bit integer. Source: the MNIST page.

    Raises
    ------
    DataFileError
        If the header is different, or does not match the number of bytes.
    """
    if len(data) < 4 or data[:3] != b"\x00\x00\x08":
        raise DataFileError("not an IDX file of unsigned bytes")
    start = 4 + 4 * data[3]
    shape = tuple(np.frombuffer(data[4:start], dtype=">i4").tolist())
    if len(shape) != data[3] or math.prod(shape) != len(data) - start:
        raise DataFileError(f"the IDX header has shape {shape}, but the file has {len(data)} bytes")
    return np.frombuffer(data, dtype=np.uint8, offset=start).reshape(shape)


def _present(home: Path, *, files: list[RemoteFile]) -> bool:
    return all(find(file, home) is not None for file in files)


def _read(
    home: Path, progress: bool, *, files: list[RemoteFile], names: tuple[str, ...], note: str
) -> Dataset:
    train_X, train_y, test_X, test_y = (parse_idx(read(f, home, progress)) for f in files)
    numbers = np.concatenate([train_y, test_y]).astype(np.int64)
    y: npt.NDArray[Any] = np.array(names)[numbers] if names else numbers
    return Dataset(
        name=files[0].dataset,
        kind="image",
        X=np.concatenate([train_X, test_X]),
        y=y,
        train=np.arange(len(y)) < len(train_y),
        note=note,
        class_names=names,
    )


MNIST = Entry(
    name="mnist",
    kind="image",
    n_samples=70_000,
    shape=(28, 28),
    classes=tuple(range(10)),
    licence="CC BY-SA 3.0",
    source="http://yann.lecun.com/exdb/mnist/",
    present=partial(_present, files=_MNIST_FILES),
    read=partial(
        _read,
        files=_MNIST_FILES,
        names=(),
        note="MNIST: 70,000 handwritten digits, 28x28 grey (LeCun, Cortes and Burges 1998), "
        "original files.",
    ),
)

FASHION_MNIST = Entry(
    name="fashion-mnist",
    kind="image",
    n_samples=70_000,
    shape=(28, 28),
    classes=_FASHION_CLASSES,
    licence="MIT",
    source="https://github.com/zalandoresearch/fashion-mnist",
    present=partial(_present, files=_FASHION_FILES),
    read=partial(
        _read,
        files=_FASHION_FILES,
        names=_FASHION_CLASSES,
        note="Fashion-MNIST: 70,000 pictures of clothing, 28x28 grey (Xiao, Rasul and Vollgraf "
        "2017), original files.",
    ),
)
