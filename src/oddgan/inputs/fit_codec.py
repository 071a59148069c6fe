"""Fit a codec, or load one."""

from typing import Any, TypeAlias

import numpy as np
import pyarrow as pa

from .codecs.fit_columns import Scaling
from .codecs.image import ImageCodec
from .codecs.table import TableCodec
from .patches.codec import PatchCodec
from .raw import Array, Channels, Raw, Rows

Codec: TypeAlias = TableCodec | ImageCodec


def fit_codec(
    sample: Raw,
    *,
    scaling: Scaling = "standard",
    image_size: int | tuple[int, int] | None = None,
    channels: Channels = "auto",
    rows: Rows = None,
) -> Codec:
    """Fit a codec to training rows.

    Parameters
    ----------
    sample : Raw
        Training rows: all, or enough to show the scale and categories of every column. If a
        column has no missing values here, a missing value in it later is an error.
    scaling : {"standard", "minmax", "robust", "rank", "standard+rank", "auto", "none"}
        For numeric columns:

        - "standard": mean 0 and standard deviation 1. A soft clip follows, also in the next two.
        - "minmax": [0, 1].
        - "robust": median 0 and interquartile range 1.349 (that of a normal distribution with
          standard deviation 1); if that range is 0, the standard deviation is used.
        - "rank": the normal score of the mid-rank, Phi^-1(mid-rank / (n + 1)), which does not
          change under any increasing transformation of the column. Exact for up to 1,000 distinct
          values, interpolated for more.
        - "standard+rank": "standard" and "rank" side by side, each divided by sqrt(2).
        - "auto": "standard+rank" for columns whose two views share less than 90 % of their
          variance over the training rows (long tails, many zeros, far outliers), "standard" for
          others.
        - "none": the unchanged numbers, without a soft clip.
    image_size : int or (int, int), optional
        Side, or height and width, 8 to 256, to which all images are resized. By default images
        of one size keep it; image files of several sizes get the median size, scaled down so that
        the longer side is at most 64.
    channels : {"auto", "first", "last"}
        The position of the channels in 4-D arrays, as for `open_source`.
    rows : sequence, optional
        Names of the samples in messages: their index in the source, or file name.

    Returns
    -------
    TableCodec or ImageCodec
        Depending on the kind of the sample.

    Raises
    ------
    ValueError
        If there is nothing to learn (no rows, all constant), or for bad input (see `encode`).
    """
    if isinstance(sample, pa.Table) or (isinstance(sample, np.ndarray) and sample.ndim == 2):
        return TableCodec.fit(sample, scaling, rows)
    return ImageCodec.fit(sample, image_size, channels, rows)


def codec_from_state(state: dict[str, Any], arrays: dict[str, Array]) -> Codec:
    """Restore a codec from the result of its ``to_state()``; it encodes the same, bit for bit.

    Parameters
    ----------
    state : dict
        The JSON-able part.
    arrays : dict of str to ndarray
        The arrays.

    Returns
    -------
    TableCodec or ImageCodec
        The codec.
    """
    if state["kind"] == "table":
        return TableCodec.from_state(state, arrays)
    if "cut" in state:
        return PatchCodec.from_state(state)
    return ImageCodec.from_state(state)
