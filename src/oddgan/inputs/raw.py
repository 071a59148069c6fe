"""Raw chunks of samples: sources yield them, codecs encode them."""

from collections.abc import Sequence
from typing import Any, Literal, TypeAlias

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

Array: TypeAlias = NDArray[Any]
Raw: TypeAlias = Array | pa.Table | list[Array]
Rows: TypeAlias = Sequence[int | str] | NDArray[np.int64] | None
Channels: TypeAlias = Literal["auto", "first", "last"]
Layout: TypeAlias = Literal["grey", "first", "last"]

MAX_CHANNELS = 4


def select(raw: Raw, index: Array) -> Raw:
    """Select samples of a raw chunk.

    Parameters
    ----------
    raw : Raw
        A chunk of n samples.
    index : ndarray
        Indices of samples, or a boolean mask of shape (n,).

    Returns
    -------
    Raw
        The selected samples, in the order of the index.
    """
    index = np.asarray(index)
    if index.dtype == bool:
        index = np.flatnonzero(index)
    if isinstance(raw, pa.Table):
        return raw.take(pa.array(index, pa.int64()))
    if isinstance(raw, list):
        return [raw[i] for i in index]
    return raw[index.astype(np.int64, copy=False)]


def concat(raws: Sequence[Raw]) -> Raw:
    """Join raw chunks of one source into one chunk, in the given order.

    Parameters
    ----------
    raws : sequence of Raw
        Chunks of the same source.

    Returns
    -------
    Raw
        All samples.

    Raises
    ------
    ValueError
        If there are no chunks, for example from a folder whose files were all left out.
    """
    if not raws:
        raise ValueError("there are no samples")
    first = raws[0]
    if isinstance(first, pa.Table):
        return pa.concat_tables(raws)
    if isinstance(first, list):
        return [image for raw in raws for image in raw]
    return np.concatenate(raws)


def sample_name(rows: Rows, i: int) -> int | str:
    """Return the name of sample ``i`` of a chunk for messages: its index or file name."""
    return i if rows is None else rows[i]


def check_finite(X: Array, rows: Rows = None) -> None:
    """Refuse NaN and infinity in a 2-D array, naming the column and row of the first."""
    if X.dtype.kind != "f":
        return
    finite = np.isfinite(X)
    if finite.all():
        return
    i, j = (int(k) for k in np.argwhere(~finite)[0])
    location = f"column {j}, row {sample_name(rows, i)}"
    if np.isnan(X[i, j]):
        # The first sentence is scikit-learn's, which its checks and its users expect.
        raise ValueError(
            f"Input X contains NaN. It is in {location}. An array cannot have missing values; a "
            "DataFrame can, as NaN."
        )
    raise ValueError(f"Input X contains infinity. It is in {location}.")


def channel_axis(shape: tuple[int, ...], channels: Channels) -> Literal[1, 3]:
    """Return the axis of the channels in a 4-D array of images.

    Raises
    ------
    ValueError
        If ``channels="auto"`` and not exactly one of the two axes has a length of 1 to 4, or if
        the specified axis has another length.
    """
    fits = {axis: 1 <= shape[axis] <= MAX_CHANNELS for axis in (1, 3)}
    if channels == "auto":
        if fits[1] == fits[3]:
            raise ValueError(
                f"images of shape {shape}: it is not clear which axis holds the channels (1 to "
                f'{MAX_CHANNELS} of them); pass channels="first" for (n, channels, height, width) '
                'or channels="last" for (n, height, width, channels)'
            )
        return 1 if fits[1] else 3
    if channels not in ("first", "last"):
        raise ValueError(f'channels must be "auto", "first" or "last", not {channels!r}')
    axis: Literal[1, 3] = 1 if channels == "first" else 3
    if not fits[axis]:
        raise ValueError(
            f"images of shape {shape} with channels={channels!r}: {shape[axis]} channels, "
            f"expected 1 to {MAX_CHANNELS}"
        )
    return axis


def as_images(raw: Raw) -> Array | list[Array]:
    """Return a chunk of images unchanged; a table is refused."""
    if not isinstance(raw, np.ndarray | list):
        raise ValueError("the model was trained on images, but got a table")
    return raw


def layout_of(sample: Raw, channels: Channels) -> tuple[Layout, int]:
    """Return the layout of a chunk of images, and their number of channels.

    Raises
    ------
    ValueError
        If these are not images, or it is not clear which axis holds the channels.
    """
    if isinstance(sample, list):
        return ("grey", 1) if all(image.ndim == 2 for image in sample) else ("last", 3)
    if sample.ndim == 3:
        return "grey", 1
    if sample.ndim != 4:
        raise ValueError(f"an array of shape {sample.shape} is neither a table nor images")
    axis = channel_axis(sample.shape, channels)
    return ("first" if axis == 1 else "last"), sample.shape[axis]
