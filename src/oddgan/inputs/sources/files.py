"""Tables in files, read in chunks: Parquet, CSV, NPY, NPZ."""

import contextlib
import re
import zipfile
import zlib
from collections.abc import Collection, Iterator
from functools import cached_property
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet
from numpy.typing import NDArray

from oddgan.inputs.arrow import (
    TEXT,
    check_columns,
    data_columns,
    guess_type,
    is_text,
    label_values,
    normalise,
)
from oddgan.inputs.raw import Array

from .source import Chunk, Source

# Missing values in CSV files: the part of pandas's list that is in common use.
MISSING_TEXT = ("", "#N/A", "<NA>", "N/A", "NA", "NULL", "NaN", "None", "n/a", "nan", "null")

# What readers raise for files that are empty, truncated or of another kind.
_UNREADABLE = (pa.ArrowException, OSError, EOFError, ValueError, zipfile.BadZipFile, zlib.error)
_BLOCK_BYTES = 1 << 23
_PANDAS_INDEX = re.compile(r"__index_level_\d+__")
_CONVERSION = re.compile(
    r"In CSV column #(?P<column>\d+): (?:Row #(?P<row>\d+): )?"
    r"CSV conversion error to \S+: (?P<reason>.*)",
    re.DOTALL,
)


@contextlib.contextmanager
def read_errors(path: Path) -> Iterator[None]:
    """Turn every failure to read a file into a ValueError that names the file."""
    try:
        yield
    except _UNREADABLE as error:
        raise ValueError(f"{path}: {error}") from error


class ParquetSource(Source):
    """A Parquet file, read row group by row group.

    Parameters
    ----------
    path : Path
        The file.
    label : str, optional
        A column that is not part of the samples.
    """

    kind = "table"

    def __init__(self, path: Path, label: str | None = None) -> None:
        self._path, self._label = path, label
        with read_errors(path):
            # By default a whole row group is held in memory, and a file may be one row group.
            self._file = pa.parquet.ParquetFile(path, pre_buffer=False, buffer_size=2**20)
            schema = self._file.schema_arrow
            # pandas writes the index of a filtered frame as a column; it is not data.
            names = [name for name in schema.names if not _PANDAS_INDEX.fullmatch(name)]
            self.columns = data_columns(names, label)
            check_columns(pa.schema([schema.field(name) for name in self.columns]))

    def count(self) -> int:
        """Return the number of rows, from the metadata."""
        return int(self._file.metadata.num_rows)

    def chunks(self, size: int, order: np.random.Generator | None = None) -> Iterator[Chunk]:
        """Read the rows once, in chunks; a random order shuffles row groups."""
        metadata = self._file.metadata
        groups = np.arange(metadata.num_row_groups)
        starts = np.cumsum([0, *(metadata.row_group(g).num_rows for g in groups.tolist())])
        if order is not None:
            order.shuffle(groups)
        for group in groups.tolist():
            row = int(starts[group])
            for table in self._read_group(group, size):
                yield np.arange(row, row + len(table), dtype=np.int64), table
                row += len(table)

    def _read_group(self, group: int, size: int) -> Iterator[pa.Table]:
        with read_errors(self._path):
            for batch in self._file.iter_batches(size, row_groups=[group], columns=self.columns):
                if len(batch):
                    # Columns come in the order of the file, which is that of `columns`.
                    yield normalise(pa.Table.from_batches([batch]))

    def labels(self) -> Array | None:
        """Return the label column, without reading the others."""
        if self._label is None:
            return None
        with read_errors(self._path):
            return label_values(self._file.read(columns=[self._label]).column(0))


class CsvSource(Source):
    """A CSV file (``.csv`` or ``.csv.gz``) with a header, read front to back in blocks.

    The first block of 8 MiB in which a column has values decides its type. Integers are read as
    floats, since decimals may follow; the strings in ``MISSING_TEXT``, quoted or not, are missing
    values.

    Parameters
    ----------
    path : Path
        The file.
    label : str, optional
        A column that is not part of the samples.
    text_columns : collection of str
        Columns to read as text, whatever their values look like.
    """

    kind = "table"
    shuffles = False

    def __init__(
        self, path: Path, label: str | None = None, text_columns: Collection[str] = ()
    ) -> None:
        self._path, self._label = path, label
        with read_errors(path):
            # Arrow guesses the type of each column from the first block.
            schema = self._open({}).schema
            self._header: list[str] = schema.names
            if len(self._header) == 1 and re.search("[;\t|]", self._header[0]):
                raise ValueError(f"one column, {self._header[0]!r}; separate columns by commas")
            self.columns = data_columns(schema.names, label)
            self._types = {
                name: TEXT if name in text_columns else _column_type(schema.field(name).type)
                for name in self.columns
            }
            self._resolve([name for name, kind in self._types.items() if pa.types.is_null(kind)])
            check_columns(pa.schema(self._types))

    def _resolve(self, empty: list[str]) -> None:
        """Find the types of columns that are empty in the first block; text if always empty."""
        self._types.update(dict.fromkeys(empty, TEXT))
        if not empty:
            return
        for table in self._batches(dict.fromkeys(empty, TEXT)):
            for name in [name for name in empty if table[name].null_count < len(table)]:
                values = guess_type(table[name].drop_null())
                self._types[name] = _column_type(values.type)
                empty.remove(name)
            if not empty:
                return

    def _open(self, types: dict[str, pa.DataType]) -> pa.csv.CSVStreamingReader:
        return pa.csv.open_csv(
            self._path,
            # Only the serial reader always reports the row of a value that does not fit.
            read_options=pa.csv.ReadOptions(use_threads=False, block_size=_BLOCK_BYTES),
            convert_options=pa.csv.ConvertOptions(
                column_types=types,
                include_columns=list(types),
                null_values=MISSING_TEXT,
                strings_can_be_null=True,
                quoted_strings_can_be_null=True,
            ),
        )

    def _batches(self, types: dict[str, pa.DataType]) -> Iterator[pa.Table]:
        with read_errors(self._path):
            try:
                for batch in self._open(types):
                    yield pa.Table.from_batches([batch])
            except pa.ArrowInvalid as error:
                raise ValueError(self._explain(str(error))) from error

    def _explain(self, message: str) -> str:
        match = _CONVERSION.search(message)
        if match is None:
            return message
        # Arrow counts lines from 1, and the header is the first.
        row = f", row {int(match['row']) - 2}" if match["row"] else ""
        name = self._header[int(match["column"])]
        kinds = {pa.float64(): "numbers", pa.bool_(): "booleans"}
        kind = kinds.get(self._types.get(name), "text")
        return f"column {name!r}{row}: {match['reason']} in a column of {kind}"

    @cached_property
    def _count(self) -> int:
        # One column as text is the cheapest pass.
        return sum(len(table) for table in self._batches({self._header[0]: TEXT}))

    def count(self) -> int:
        """Return the number of rows; the first call reads the file once."""
        return self._count

    def chunks(self, size: int, order: np.random.Generator | None = None) -> Iterator[Chunk]:
        """Read the rows once, in chunks, front to back; ``order`` is ignored."""
        row = 0
        for table in self._batches(self._types):
            for start in range(0, len(table), size):
                chunk = table[start : start + size]
                yield np.arange(row, row + len(chunk), dtype=np.int64), chunk
                row += len(chunk)

    def labels(self) -> Array | None:
        """Return the label column, without reading the others."""
        if self._label is None:
            return None
        tables = list(self._batches({self._label: TEXT}))
        if not tables:
            return np.empty(0, dtype=object)
        return label_values(guess_type(pa.concat_tables(tables).column(0)))


def _column_type(guess: pa.DataType) -> pa.DataType:
    # Arrow guesses binary for text that is not UTF-8; read as text, it is refused with its row.
    if is_text(guess) or pa.types.is_binary(guess):
        return TEXT
    return pa.float64() if pa.types.is_integer(guess) else guess


def read_npy(path: Path) -> Array:
    """Map an NPY file into memory."""
    with read_errors(path):
        array: NDArray[np.generic] = np.load(path, mmap_mode="r", allow_pickle=False)
        return array


def read_npz(path: Path, label: str | None) -> tuple[Array, Array | None]:
    """Read the samples of an NPZ file, and the array under the key ``label``.

    The samples are the array under the key ``X``, or the only other array.
    """
    with read_errors(path):
        archive = np.load(path, allow_pickle=False)
        if not isinstance(archive, np.lib.npyio.NpzFile):
            raise ValueError("not an NPZ archive")
        with archive:
            keys = data_columns(archive.files, label)
            if "X" not in keys and len(keys) != 1:
                raise ValueError(
                    f"expected an array under the key 'X', or a single one; got {keys}"
                )
            data = archive["X" if "X" in keys else keys[0]]
            return data, None if label is None else archive[label]
