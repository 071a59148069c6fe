"""Encoding of columns: a small class for each kind of column, whose fields are fitted."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, Literal

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray
from typing_extensions import override

from oddgan.inputs.arrow import TEXT
from oddgan.inputs.raw import Array, Rows, sample_name

from .values import Values, is_missing, numbers, refuse_missing, texts

Kind = Literal["numeric", "rank", "standard+rank", "boolean", "categorical", "constant", "ignored"]

SOFT_CLIP = 10.0  # in units of the column's scale
OTHER = "(other)"  # how a pooled category is decoded


@dataclass(frozen=True)
class Block:
    """Adjacent encoded features with one likelihood: ``x[:, start:stop]``.

    A ``"gaussian"`` or ``"bernoulli"`` block holds ``stop - start`` independent features, a
    ``"categorical"`` block a single one-hot variable.
    """

    kind: Literal["gaussian", "bernoulli", "categorical"]
    start: int
    stop: int


@dataclass(frozen=True)
class Column(ABC):
    """One column of the original table and its encoded features.

    Attributes
    ----------
    name : str
        Its name; ``x0``, ``x1`` ... for the columns of an array.
    start, stop : int
        The encoded features are ``x[:, start:stop]``; there are none if the column is ignored.
    missing : bool
        Whether values were missing in training. If so, the last feature flags missing values.
    """

    kind: ClassVar[Kind]
    name: str
    start: int
    stop: int
    missing: bool

    @property
    def n_repeated(self) -> int:
        """How many features are a second view of an earlier one."""
        return 0

    @abstractmethod
    def encode(self, values: Values, out: NDArray[np.float32], rows: Rows) -> None:
        """Write the encoded column into ``out[:, start:stop]``, which holds zeros."""

    @abstractmethod
    def decode(self, x: NDArray[np.float32]) -> Array:
        """Decode ``x[:, start:stop]`` of shape (n, stop - start)."""

    def blocks(self) -> list[Block]:
        """Return the likelihoods of the encoded features."""
        flags = [Block("bernoulli", self.stop - 1, self.stop)] if self.missing else []
        return [*self._value_blocks(), *flags]

    def _value_blocks(self) -> list[Block]:
        return [Block("bernoulli", self.start, self.start + 1)]

    def _numbers(
        self, values: Values, out: NDArray[np.float32], rows: Rows, fill: float
    ) -> NDArray[np.float64]:
        """Read the column as numbers, fill in missing values, and flag them in ``out``."""
        x = numbers(values, self.name, rows)
        missing = np.isnan(x)
        if not missing.any():
            return x
        self._flag(missing, out, rows)
        return np.where(missing, fill, x)

    def _flag(self, missing: NDArray[np.bool_], out: NDArray[np.float32], rows: Rows) -> None:
        if self.missing:
            out[:, self.stop - 1] = missing
        else:
            refuse_missing(missing, self.name, rows)

    def _missing(self, x: NDArray[np.float32]) -> NDArray[np.bool_]:
        return x[:, -1] > 0.5 if self.missing else np.zeros(len(x), dtype=bool)


@dataclass(frozen=True)
class Numeric(Column):
    """``(value - center) / scale``, softly clipped; missing values become ``fill``."""

    kind = "numeric"
    center: float
    scale: float
    fill: float
    clip: bool

    @override
    def encode(self, values: Values, out: NDArray[np.float32], rows: Rows) -> None:
        x = self._numbers(values, out, rows, self.fill)
        if self.clip:
            out[:, self.start] = soft_clipped(x, self.center, self.scale)
            return
        v = _scaled(x, self.center, self.scale)
        if not np.isfinite(v).all():
            i = int(np.argmin(np.isfinite(v)))
            raise ValueError(
                f"column {self.name!r}, row {sample_name(rows, i)}: {x[i]} is too large; "
                'any scaling except "none" accepts it'
            )
        out[:, self.start] = v

    @override
    def decode(self, x: NDArray[np.float32]) -> Array:
        v = x[:, 0].astype(np.float64)
        undo = unclipped if self.clip else _unscaled
        return np.where(self._missing(x), np.nan, undo(v, self.center, self.scale))

    def _value_blocks(self) -> list[Block]:
        return [Block("gaussian", self.start, self.start + 1)]


@dataclass(frozen=True)
class Boolean(Column):
    """0 or 1; missing values become ``fill``, the more frequent value."""

    kind = "boolean"
    fill: float

    @override
    def encode(self, values: Values, out: NDArray[np.float32], rows: Rows) -> None:
        x = self._numbers(values, out, rows, self.fill)
        wrong = (x != 0) & (x != 1)
        if wrong.any():
            i = int(wrong.argmax())
            raise ValueError(
                f"column {self.name!r}, row {sample_name(rows, i)}: {x[i]:g} is not a boolean"
            )
        out[:, self.start] = x

    @override
    def decode(self, x: NDArray[np.float32]) -> Array:
        return _with_none(x[:, 0] > 0.5, self._missing(x))


@dataclass(frozen=True)
class Categorical(Column):
    """One-hot: the categories, a slot for others, and one for missing values if there were any."""

    kind = "categorical"
    categories: tuple[str, ...]

    @override
    def encode(self, values: Values, out: NDArray[np.float32], rows: Rows) -> None:
        text = texts(values, self.name)
        missing = is_missing(text)
        self._flag(missing, out, rows)
        other = len(self.categories)
        index = pc.index_in(text, value_set=_text_array(self.categories))
        slot = index.fill_null(other).to_numpy()
        present = np.flatnonzero(~missing)
        out[present, self.start + slot[present]] = 1

    @override
    def decode(self, x: NDArray[np.float32]) -> Array:
        slots: Array = np.array([*self.categories, OTHER, None], dtype=object)
        decoded: Array = slots[x.argmax(axis=1)]
        return decoded

    @override
    def blocks(self) -> list[Block]:
        return [Block("categorical", self.start, self.stop)]


@dataclass(frozen=True)
class Constant(Column):
    """0 where the value equals that of training, else 1; None if all values were missing."""

    kind = "constant"
    value: float | bool | str | None

    @override
    def encode(self, values: Values, out: NDArray[np.float32], rows: Rows) -> None:
        if self.value is None:
            out[:, self.start] = ~is_missing(values)
        elif isinstance(self.value, str):
            text = texts(values, self.name)
            self._flag(is_missing(text), out, rows)
            same = pc.equal(text, _text_array([self.value])[0])
            out[:, self.start] = ~same.fill_null(True).to_numpy()
        else:
            x = self._numbers(values, out, rows, float(self.value))
            out[:, self.start] = x != self.value

    @override
    def decode(self, x: NDArray[np.float32]) -> Array:
        missing = self._missing(x)
        if isinstance(self.value, str | bool | None):
            return _with_none(np.full(len(x), self.value), missing)
        return np.where(missing, np.nan, np.full(len(x), self.value))


@dataclass(frozen=True)
class Ignored(Column):
    """No features: a column whose values hardly repeat, such as an identifier."""

    kind = "ignored"

    @override
    def encode(self, values: Values, out: NDArray[np.float32], rows: Rows) -> None:
        return

    @override
    def decode(self, x: NDArray[np.float32]) -> Array:
        return np.full(len(x), None)

    @override
    def blocks(self) -> list[Block]:
        return []


def soft_clipped(x: NDArray[np.float64], center: float, scale: float) -> NDArray[np.float32]:
    """Return 10 tanh(v / 10) for v = (x - center) / scale."""
    v = _scaled(x, center, scale)
    clipped: NDArray[np.float32] = np.float32(SOFT_CLIP) * np.tanh(v / np.float32(SOFT_CLIP))
    return clipped


def unclipped(clipped: NDArray[np.float64], center: float, scale: float) -> NDArray[np.float64]:
    """Invert `soft_clipped`."""
    edge = 1 - 2.0**-24  # the largest value that a saturated feature can represent
    v = SOFT_CLIP * np.arctanh(np.clip(clipped / SOFT_CLIP, -edge, edge))
    return _unscaled(v, center, scale)


def _scaled(x: NDArray[np.float64], center: float, scale: float) -> NDArray[np.float32]:
    with np.errstate(over="ignore"):  # an overflow is clipped, or refused
        return ((x - center) / scale).astype(np.float32)


def _unscaled(v: NDArray[np.float64], center: float, scale: float) -> NDArray[np.float64]:
    return np.asarray(v * scale + center)


def _text_array(values: Sequence[str]) -> pa.Array:
    return pa.array(values, TEXT)


def _with_none(values: Array, missing: NDArray[np.bool_]) -> Array:
    if not missing.any():
        return values
    result = values.astype(object)
    result[missing] = None
    return result
