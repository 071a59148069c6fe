"""Tables to float32 features and back: `TableCodec`."""

import dataclasses
from typing import Any, Literal

import numpy as np
import pandas as pd
import pyarrow as pa
import torch
from numpy.typing import NDArray

from oddgan.inputs.raw import Array, Raw, Rows, check_finite

from .columns import Block, Boolean, Categorical, Column, Constant, Ignored, Numeric
from .fit_columns import SCALINGS, Scaling, fit_column
from .ranks import Rank, Ranks, StandardAndRank
from .values import Values

_KINDS: dict[str, type[Column]] = {
    cls.kind: cls
    for cls in (Numeric, Rank, StandardAndRank, Boolean, Categorical, Constant, Ignored)
}
_KINDS["two_view"] = StandardAndRank  # its name in files of format 5


class TableCodec:
    """Encodes a table into float32 features, fitted on training rows.

    - Numbers: ``v = (value - center) / scale``, then the soft clip ``10 tanh(v / 10)``, which
      leaves the bulk unchanged and keeps heavy tails finite and in order. Or the normal score of
      the mid-rank; or both (see `fit_codec`).
    - Booleans: 0 or 1 for every scaling, since the rank of two values adds nothing. Numbers that
      are 0 or 1 are accepted too.
    - Text: one-hot. Categories seen fewer than max(2, 0.1 % of rows) times, those beyond the 64
      most frequent, and unseen ones share the slot "other". A column with nothing but "other" is
      ignored, with a warning.
    - A column with one value in training: one feature, 0 where equal to it, else 1.
    - Missing values in training: the median (numbers) or the more frequent value (booleans), and
      a feature that flags them; for text a separate slot.

    Make one with `fit_codec` or `codec_from_state`.

    Attributes
    ----------
    kind : {"table"}
    shape : tuple of int
        ``(d,)``, the number of encoded features.
    columns : list of Column
        The columns of the original table, in training order.
    """

    kind: Literal["table"] = "table"

    def __init__(self, columns: list[Column], named: bool, dtype: str) -> None:
        self.columns = columns
        self.shape: tuple[int, ...] = (columns[-1].stop,)
        self._named = named
        self._dtype = dtype

    @classmethod
    def fit(cls, sample: Array | pa.Table, scaling: Scaling, rows: Rows = None) -> "TableCodec":
        """Fit a chunk of training rows (see `fit_codec`)."""
        if scaling not in SCALINGS:
            raise ValueError(f"scaling must be one of {', '.join(SCALINGS)}, not {scaling!r}")
        if not len(sample):
            raise ValueError("a table without rows: there is nothing to learn from")
        named = isinstance(sample, pa.Table)
        if isinstance(sample, np.ndarray):
            check_finite(sample, rows)
            names = [f"x{j}" for j in range(sample.shape[1])]
        else:
            names = sample.column_names
        columns: list[Column] = []
        for values, name in zip(_columns_of(sample), names, strict=True):
            start = columns[-1].stop if columns else 0
            columns.append(fit_column(values, name, start, scaling, rows))
        if all(column.kind in ("constant", "ignored") and not column.missing for column in columns):
            raise ValueError(
                f"a constant table: none of its {len(columns)} columns varies over {len(sample)} "
                "rows, so there is nothing to learn"
            )
        return cls(columns, named, "float64" if named else _decoded_dtype(sample))

    @property
    def n_free(self) -> int:
        """Number of encoded features without second views of another feature."""
        return self.shape[0] - sum(column.n_repeated for column in self.columns)

    @property
    def text_columns(self) -> list[str]:
        """Columns that hold text, which `open_source` must read as text from a CSV file."""
        return [column.name for column in self.columns if _holds_text(column)]

    def encode(self, raw: Raw, rows: Rows = None) -> torch.Tensor:
        """Encode a chunk.

        Parameters
        ----------
        raw : ndarray of shape (n, n_columns) or pyarrow.Table
            Columns of a table are matched by name if the training data had names.
        rows : sequence, optional
            Name of each row in messages, such as its index in the source.

        Returns
        -------
        Tensor, float32, shape (n, d)
            Finite features on the CPU. Those of a row depend on that row alone.

        Raises
        ------
        ValueError
            For a missing or unexpected column, another number of columns, text in place of numbers
            or the reverse, infinity, or a missing value in a column that had none in training.
        """
        if isinstance(raw, list) or (isinstance(raw, np.ndarray) and raw.ndim != 2):
            raise ValueError("the model was trained on a table, but got images")
        table = self._match(raw)
        if isinstance(table, np.ndarray):
            check_finite(table, rows)
        out = np.zeros((len(table), *self.shape), dtype=np.float32)
        for column, values in zip(self.columns, _columns_of(table), strict=True):
            column.encode(values, out, rows)
        return torch.from_numpy(out)

    def _match(self, raw: Array | pa.Table) -> Array | pa.Table:
        """Bring the columns into training order, or refuse them."""
        if self._named and isinstance(raw, pa.Table):
            names = [column.name for column in self.columns]
            if missing := [name for name in names if name not in raw.column_names]:
                raise ValueError(f"column {missing[0]!r} is missing")
            expected = set(names)
            if extra := [name for name in raw.column_names if name not in expected]:
                raise ValueError(f"column {extra[0]!r} was not in the training data")
            return raw.select(names)
        if raw.shape[1] != len(self.columns):
            raise ValueError(
                f"X has {raw.shape[1]} features, but the model is expecting {len(self.columns)} "
                "features as input"
            )
        if self.text_columns and not isinstance(raw, pa.Table):
            raise ValueError(
                f"column {self.text_columns[0]!r} holds text in the training data: pass a frame "
                "instead of an array"
            )
        return raw

    def decode(self, x: torch.Tensor) -> Array | pd.DataFrame:
        """Turn encoded features back into a table like the training data.

        Parameters
        ----------
        x : Tensor, shape (n, d)
            Encoded rows, such as reconstructions.

        Returns
        -------
        ndarray of shape (n, n_columns) or pandas.DataFrame
            The type of the training data. Numbers are floats (integers are not rounded); a
            category is the most likely one, or ``"(other)"``; a value that is most likely missing
            is NaN or None; a constant is that of training; an ignored column is None.
        """
        values = x.detach().to("cpu", torch.float32).numpy()
        decoded = [column.decode(values[:, column.start : column.stop]) for column in self.columns]
        if self._named:
            names = [column.name for column in self.columns]
            return pd.DataFrame(dict(zip(names, decoded, strict=True)))
        return np.stack(decoded, axis=1).astype(self._dtype)

    def owners(self) -> torch.Tensor:
        """Return the index of the column that each encoded feature belongs to, shape (d,)."""
        widths = torch.tensor([column.stop - column.start for column in self.columns])
        return torch.repeat_interleave(torch.arange(len(self.columns)), widths)

    def as_frame(self, raw: Raw) -> pd.DataFrame:
        """Return a chunk as a frame, with the columns in training order."""
        table = self._match(raw)
        frame = pd.DataFrame(table) if isinstance(table, np.ndarray) else table.to_pandas()
        frame.columns = pd.Index([column.name for column in self.columns], dtype=object)
        return frame

    def blocks(self) -> list[Block]:
        """Return the likelihoods of the encoded features, in order; equal neighbours are joined."""
        joined: list[Block] = []
        for block in (block for column in self.columns for block in column.blocks()):
            if joined and block.kind == joined[-1].kind != "categorical":
                joined[-1] = dataclasses.replace(joined[-1], stop=block.stop)
            else:
                joined.append(block)
        return joined

    def per_column(self, residual: torch.Tensor) -> NDArray[np.float32]:
        """Sum residuals of encoded features over each column of the original table.

        Parameters
        ----------
        residual : Tensor, shape (n, d)
            Nonnegative.

        Returns
        -------
        ndarray of float32, shape (n, n_columns)
            0 for ignored columns.
        """
        residual = residual.detach().to("cpu", torch.float32)
        sums = torch.zeros(len(residual), len(self.columns))
        sums.index_add_(1, self.owners(), residual)
        result: NDArray[np.float32] = sums.numpy()
        return result

    def to_state(self) -> tuple[dict[str, Any], dict[str, Array]]:
        """Return the fitted state as JSON-able values and arrays (see `codec_from_state`)."""
        columns, ranks = [], []
        for column in self.columns:
            fields = {f.name: getattr(column, f.name) for f in dataclasses.fields(column)}
            if isinstance(column, Rank | StandardAndRank):
                ranks.append(column.ranks)
                fields["ranks"] = {
                    "n_knots": len(column.ranks.knots),
                    "single": column.ranks.single,
                }
            columns.append({"kind": column.kind, **fields})
        arrays = (
            {
                "knots": np.concatenate([r.knots for r in ranks]),
                "counts": np.concatenate([r.counts for r in ranks]),
            }
            if ranks
            else {}
        )
        return {
            "kind": self.kind,
            "named": self._named,
            "dtype": self._dtype,
            "columns": columns,
        }, arrays

    @classmethod
    def from_state(cls, state: dict[str, Any], arrays: dict[str, Array]) -> "TableCodec":
        """Make a codec from what `to_state` returned."""
        columns, n_read = [], 0
        for column_state in state["columns"]:
            fields = dict(column_state)
            column_class = _KINDS[fields.pop("kind")]
            if "categories" in fields:
                fields["categories"] = tuple(fields["categories"])
            if "ranks" in fields:
                knots = slice(n_read, n_read := n_read + fields["ranks"]["n_knots"])
                fields["ranks"] = Ranks(
                    arrays["knots"][knots], arrays["counts"][knots], fields["ranks"]["single"]
                )
            columns.append(column_class(**fields))
        return cls(columns, state["named"], state["dtype"])


def _columns_of(table: Array | pa.Table) -> list[Values]:
    return list(table.columns) if isinstance(table, pa.Table) else list(table.T)


def _decoded_dtype(array: Array) -> str:
    if array.dtype == bool:
        return "bool"
    return "float32" if array.dtype.kind == "f" and array.dtype.itemsize <= 4 else "float64"


def _holds_text(column: Column) -> bool:
    if isinstance(column, Constant):
        return isinstance(column.value, str)
    return column.kind in ("categorical", "ignored")
