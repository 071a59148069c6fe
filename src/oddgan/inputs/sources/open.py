"""The entry point for data of every kind: `open_source`."""

from collections.abc import Collection
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np
import torch
from scipy.sparse import issparse
from sklearn.utils import check_array

from oddgan.inputs.arrow import (
    check_columns,
    data_columns,
    frame_table,
    is_frame,
    label_values,
    normalise,
)
from oddgan.inputs.raw import Array, Channels, channel_axis, check_finite

from .files import CsvSource, ParquetSource, read_errors, read_npy, read_npz
from .folder import IMAGE_SUFFIXES, ImageFiles, find_images
from .source import MemorySource, Source


def open_source(
    data: Any,
    *,
    label: str | None = None,
    channels: Channels = "auto",
    pattern: str | None = None,
    skip_bad: bool = False,
    text_columns: Collection[str] = (),
) -> Source:
    """Open a source of samples, without reading more of a file than needed.

    Parameters
    ----------
    data : array, tensor, nested lists, frame, str or path
        - A 2-D array of numbers or booleans (n, d): a table. A 3-D (n, h, w) or 4-D (n, c, h, w)
          or (n, h, w, c) array of uint8, uint16, bool or float: images.
        - A list of images of varying size, arrays (h, w) or (h, w, 3).
        - A pandas, Polars or Arrow table.
        - A folder of images (and its subfolders), one image file (``.png``, ``.jpg``, ``.jpeg``,
          ``.tif``, ``.tiff``, ``.bmp``), or a ``.csv``, ``.csv.gz``, ``.parquet``, ``.npy`` or
          ``.npz`` file (in an ``.npz`` file, the array ``X`` or the only one). In CSV files, empty
          fields, ``NA``, ``N/A``, ``NaN``, ``null``, ``None`` and the like are missing values.
    label : str, optional
        A column of a table, or a key of an ``.npz`` file, that holds labels: it is returned by
        `Source.labels` and is not part of the samples.
    channels : {"auto", "first", "last"}
        The position of the 1 to 4 channels in 4-D arrays; ``"auto"`` infers it from the shape.
    pattern : str, optional
        Restricts the files of a folder, for example ``"*.jpg"`` or ``"good/*"``.
    skip_bad : bool
        Skip image files that cannot be decoded instead of raising an error.
    text_columns : collection of str
        Columns of a CSV file to read as text, whatever their values look like; see the
        `text_columns` of a fitted codec.

    Returns
    -------
    Source
        The samples, not yet encoded.

    Raises
    ------
    ValueError
        If the data is not a set of samples; the message names the file, the column, or the
        expected shape.
    TypeError
        If the array is sparse or holds objects that are not numbers (as in scikit-learn).
    FileNotFoundError
        If the path does not exist.
    """
    if isinstance(data, str | PathLike):
        return _open_path(Path(data), label, channels, pattern, skip_bad, text_columns)
    if not isinstance(data, np.ndarray) and is_frame(data):
        return _frame_source(data, label)
    if label is not None:
        raise ValueError(f"label={label!r} names a column, but an array has no named columns")
    if (images := _image_list(data)) is not None:
        one_size = len({image.shape for image in images}) == 1
        return _array_source(np.stack(images), channels) if one_size else MemorySource(images)
    return _array_source(data, channels)


def _open_path(
    path: Path,
    label: str | None,
    channels: Channels,
    pattern: str | None,
    skip_bad: bool,
    text_columns: Collection[str],
) -> Source:
    if not path.exists():
        raise FileNotFoundError(f"{path}: no such file or folder")
    name = path.name.lower()
    if name.endswith((".csv", ".csv.gz")):
        return CsvSource(path, label, text_columns)
    if name.endswith(".parquet"):
        return ParquetSource(path, label)
    if name.endswith(".npz"):
        array, labels = read_npz(path, label)
        with read_errors(path):
            return _array_source(array, channels, labels)
    if label is not None:
        raise ValueError(f"{path}: label={label!r} names a column, but there are no named columns")
    if name.endswith(".npy"):
        mapped = read_npy(path)
        with read_errors(path):
            return _array_source(mapped, channels)
    if path.is_dir():
        files = find_images(path, pattern)
        if not files:
            condition = f" that match {pattern!r}" if pattern else ""
            raise ValueError(f"{path}: no image files{condition} in this folder")
        return ImageFiles(path, files, skip_bad)
    if path.suffix.lower() in IMAGE_SUFFIXES:
        return ImageFiles(path.parent, [path], skip_bad)
    raise ValueError(
        f"{path}: unknown kind of file; expected a folder of images, an image, .csv, .csv.gz, "
        ".parquet, .npy or .npz"
    )


def _frame_source(frame: Any, label: str | None) -> Source:
    table = frame_table(frame)
    names = data_columns(table.column_names, label)
    labels = None if label is None else label_values(table.column(label))
    data = table.select(names)
    check_columns(data.schema)
    return MemorySource(normalise(data), labels)


def _array_source(data: Any, channels: Channels, labels: Array | None = None) -> Source:
    if isinstance(data, torch.Tensor):
        data = data.detach().cpu()
        data = (data.float() if data.dtype == torch.bfloat16 else data).numpy()
    in_memory = not isinstance(data, np.memmap)
    array = data if issparse(data) else np.asarray(data)
    if array.ndim in (3, 4):
        _check_images(array, channels)
    else:
        # scikit-learn's messages for sparse, complex, one-dimensional and other wrong input.
        array = check_array(
            array, ensure_all_finite=False, ensure_min_samples=0, input_name="X", order=None
        )
        if array.dtype.kind not in "biuf":
            raise ValueError(f"an array of {array.dtype}; expected numbers or booleans")
        if in_memory:  # a memory-mapped file is checked chunk by chunk when it is encoded
            check_finite(array)
    return MemorySource(array, labels)


def _image_list(data: Any) -> list[Array] | None:
    """Return the images in a list or an array of objects; None if it holds anything else."""
    is_list = isinstance(data, list | tuple) or (
        isinstance(data, np.ndarray) and data.dtype == object and data.ndim == 1
    )
    if not is_list or not len(data):
        return None
    if not all(isinstance(image, np.ndarray) and image.ndim in (2, 3) for image in data):
        return None
    images: list[Array] = list(data)
    if len({image.shape for image in images}) == 1:
        return images
    for i, image in enumerate(images):
        grey = image.ndim == 2 or (image.ndim == 3 and image.shape[2] == 1)
        if not image.size or not (grey or (image.ndim == 3 and image.shape[2] == 3)):
            raise ValueError(
                f"image {i} of the list has shape {image.shape}; expected (h, w) or (h, w, 3)"
            )
        _check_images(image[None], "last")
    return images


def _check_images(array: Array, channels: Channels) -> None:
    if array.dtype.kind not in "bf" and array.dtype not in (np.uint8, np.uint16):
        raise ValueError(
            f"an array of images (shape {array.shape}) of {array.dtype}; expected uint8, uint16, "
            "bool or float: convert it"
        )
    if array.ndim == 4:
        channel_axis(array.shape, channels)
