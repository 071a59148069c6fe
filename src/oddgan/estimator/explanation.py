"""What `Detector.explain` returns: where a sample is odd, and what was expected there."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import pandas as pd
from numpy.typing import DTypeLike, NDArray

#: Rows of an explanation of a table that its `repr` shows.
_SHOWN = 12


class Explanation(ABC):
    """What both kinds of explanations have: they stand for the array of their numbers."""

    @property
    @abstractmethod
    def _numbers(self) -> NDArray[Any]: ...

    @classmethod
    @abstractmethod
    def joined(cls, chunks: Sequence[Self]) -> Self:
        """Join the explanations of consecutive chunks of samples."""

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape of the array."""
        return self._numbers.shape

    def __len__(self) -> int:
        """Return the number of samples."""
        return len(self._numbers)

    def __array__(self, dtype: DTypeLike | None = None, copy: bool | None = None) -> NDArray[Any]:
        """Return the contributions, (n, d), or the maps, (n, h, w)."""
        numbers = self._numbers
        if copy is False and dtype is not None and np.dtype(dtype) != numbers.dtype:
            raise ValueError(f"{numbers.dtype} cannot become {np.dtype(dtype)} without a copy")
        return np.array(numbers, dtype=dtype) if copy else np.asarray(numbers, dtype=dtype)


@dataclass(frozen=True, eq=False, repr=False)
class TableExplanation(Explanation):
    """What made rows of a table odd.

    Attributes
    ----------
    contributions : ndarray of shape (n, d)
        How much each of the d original columns contributes, at least 0. What it is measured in
        is the detector's and its score's; it compares the columns of a row.
    values : pandas.DataFrame of shape (n, d)
        The samples.
    expected : pandas.DataFrame of shape (n, d), or None
        What the model would have expected in each column, in the units of the data; an ignored
        column has None. None for a detector that does not reconstruct.
    """

    contributions: NDArray[np.float32]
    values: pd.DataFrame
    expected: pd.DataFrame | None

    @property
    def columns(self) -> list[str]:
        """The names of the original columns; ``x0``, ``x1`` ... for those of an array."""
        return [str(name) for name in self.values.columns]

    def to_frame(self, top: int | None = 3) -> pd.DataFrame:
        """Return one row for each sample and column, most contributing first.

        Parameters
        ----------
        top : int or None, default=3
            Columns of each sample, at least 1; None is all.

        Returns
        -------
        pandas.DataFrame
            With the columns ``sample`` (its number, from 0), ``column``, ``contribution``,
            ``value`` and ``expected`` (None where there is none).
        """
        n, d = self.contributions.shape
        if top is not None and top < 1:
            raise ValueError(f"top must be at least 1 column, or None for all, not {top}")
        top = d if top is None else min(top, d)
        order = np.argsort(-self.contributions, axis=1, kind="stable")[:, :top]
        expected = self.expected
        return pd.DataFrame(
            {
                "sample": np.repeat(np.arange(n), top),
                "column": np.array(self.columns, dtype=object)[order.ravel()],
                "contribution": np.take_along_axis(self.contributions, order, axis=1).ravel(),
                "value": _cells(self.values, order),
                "expected": None if expected is None else _cells(expected, order),
            }
        )

    @classmethod
    def joined(cls, chunks: Sequence[Self]) -> Self:
        """Join the explanations of consecutive chunks of samples."""
        expected = [chunk.expected for chunk in chunks if chunk.expected is not None]
        return cls(
            np.concatenate([chunk.contributions for chunk in chunks]),
            pd.concat([chunk.values for chunk in chunks], ignore_index=True),
            pd.concat(expected, ignore_index=True) if expected else None,
        )

    @property
    def _numbers(self) -> NDArray[Any]:
        return self.contributions

    def __repr__(self) -> str:
        """Return the first rows of `to_frame`."""
        n, d = self.contributions.shape
        rows = self.to_frame()
        more = f"\n... and {len(rows) - _SHOWN} more rows" if len(rows) > _SHOWN else ""
        table = rows.head(_SHOWN).to_string(index=False)
        return f"TableExplanation of {n} samples, {d} columns:\n{table}{more}"


def _cells(frame: pd.DataFrame, columns: NDArray[np.int64]) -> NDArray[Any]:
    """Return the cells of these columns of each row, as they are, in one flat array."""
    n, top = columns.shape
    cells = np.empty(n * top, dtype=object)
    flat = columns.ravel()
    rows = np.repeat(np.arange(n), top)
    for j in np.unique(flat):
        here = flat == j
        cells[here] = frame.iloc[:, j].to_numpy()[rows[here]].tolist()
    return cells


@dataclass(frozen=True, eq=False, repr=False)
class ImageExplanation(Explanation):
    """Where images are odd.

    Attributes
    ----------
    anomaly_map : ndarray of shape (n, h, w)
        How odd each pixel is, at least 0, in the size that the images were given in. For image
        files of several sizes a one-dimensional array of n maps, each (h, w) of its image.
    pixel_threshold : float
        What held-out normal pixels stay below, all but a share of `pixel_fpr`.
    """

    anomaly_map: NDArray[Any]
    pixel_threshold: float

    @property
    def anomaly_mask(self) -> NDArray[Any]:
        """Which pixels are odder than `pixel_threshold`, in the shape of `anomaly_map`."""
        if self.anomaly_map.dtype != object:
            return np.asarray(self.anomaly_map > self.pixel_threshold)
        return stack_maps([one > self.pixel_threshold for one in self.anomaly_map])

    @classmethod
    def joined(cls, chunks: Sequence[Self]) -> Self:
        """Join the explanations of consecutive chunks of samples."""
        maps = [chunk.anomaly_map for chunk in chunks]
        of_one_size = len({(one.dtype == object, one.shape[1:]) for one in maps}) == 1
        if of_one_size and maps[0].dtype != object:
            return cls(np.concatenate(maps), chunks[0].pixel_threshold)
        return cls(stack_maps([one for chunk in maps for one in chunk]), chunks[0].pixel_threshold)

    @property
    def _numbers(self) -> NDArray[Any]:
        return self.anomaly_map

    def __repr__(self) -> str:
        """Return the number and the size of the maps."""
        size = " x ".join(map(str, self.anomaly_map.shape[1:])) or "several sizes"
        return (
            f"ImageExplanation of {len(self)} images of {size}, "
            f"pixel threshold {self.pixel_threshold:.6g}"
        )


def stack_maps(maps: Sequence[NDArray[Any]]) -> NDArray[Any]:
    """Return maps as (n, h, w), or if their sizes differ as an array of n arrays."""
    if len({one.shape for one in maps}) == 1:
        return np.stack(maps)
    stacked = np.empty(len(maps), dtype=object)
    for i, one in enumerate(maps):  # all at once NumPy takes a common height for an axis
        stacked[i] = one
    return stacked
