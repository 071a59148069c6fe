"""What commands write: tables and arrays to files, results to the terminal."""

import json
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, TextIO

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.lib.format import open_memmap
from numpy.typing import NDArray
from rich.console import Console

from oddgan import inputs

#: Everything except results goes to standard error.
messages = Console(stderr=True, highlight=False)


def check_path(path: Path | None, suffixes: Sequence[str]) -> None:
    """Refuse a file that cannot be written, before any work is done."""
    if path is None:
        return
    if path.suffix not in suffixes:
        raise ValueError(f"{path}: the name of this file must end in {' or '.join(suffixes)}")
    if not path.absolute().parent.is_dir():
        raise FileNotFoundError(f"{path.parent}: no such folder to write {path.name} to")


def refuse_overwriting(outputs: Sequence[Path | None], protected: Sequence[Path | str]) -> None:
    """Refuse outputs that are the same file, or one of the files in `protected`."""
    targets = [path.absolute().resolve() for path in outputs if path is not None]
    for path in targets:
        if targets.count(path) > 1 or path in [
            Path(other).absolute().resolve() for other in protected
        ]:
            raise ValueError(f"{path} would be overwritten: give the output another name")


def write_table(path: Path | None, chunks: Iterable[pd.DataFrame]) -> None:
    """Write a table chunk by chunk; None writes CSV to standard output.

    A file gets its name only when it is complete.
    """
    if path is None:
        _write_csv(sys.stdout, chunks)
        return
    unfinished = path.with_name(path.name + ".part")
    try:
        if path.suffix == ".parquet":
            _write_parquet(unfinished, chunks)
        else:
            with unfinished.open("w", encoding="utf-8", newline="") as file:
                _write_csv(file, chunks)
        unfinished.replace(path)
    finally:
        unfinished.unlink(missing_ok=True)


def _write_csv(file: TextIO, chunks: Iterable[pd.DataFrame]) -> None:
    for i, chunk in enumerate(chunks):
        chunk.to_csv(file, index=False, header=i == 0)


def _write_parquet(path: Path, chunks: Iterable[pd.DataFrame]) -> None:
    writer: pq.ParquetWriter | None = None
    try:
        for chunk in chunks:
            table = pa.Table.from_pandas(chunk, preserve_index=False)
            writer = writer or pq.ParquetWriter(path, table.schema)
            writer.write_table(table.cast(writer.schema))
    finally:
        if writer:
            writer.close()


def write_images(path: Path, chunks: Iterable[NDArray[Any]], n: int) -> None:
    """Write `n` images of one size, chunk by chunk, to an NPY file."""
    array, start = None, 0
    for chunk in chunks:
        if array is None:
            array = open_memmap(path, mode="w+", dtype=chunk.dtype, shape=(n, *chunk.shape[1:]))
        if chunk.shape[1:] != array.shape[1:]:
            raise ValueError(f"{path}: images of several sizes do not fit one NPY file")
        array[start : start + len(chunk)] = chunk
        start += len(chunk)


def list_skipped(source: inputs.Source) -> None:
    """Print which files were left out."""
    for name, reason in source.skipped:
        messages.print(f"Left out {name}: {reason}", markup=False)


def print_json(content: Any) -> None:
    """Print one JSON value on standard output."""
    print(json.dumps(content, default=_plain, allow_nan=False))


def _plain(value: Any) -> Any:
    if isinstance(value, np.generic):
        return value.item()
    return value.tolist() if isinstance(value, np.ndarray) else str(value)
