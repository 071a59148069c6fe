"""Peak memory of scoring a large Parquet file with a saved EGBAD, above the loaded model.

A process of its own loads the model, notes its memory and scores the file; its peak is what the
kernel reports. The file is written piece by piece. Exit code 1 if the limit is exceeded.

    python benchmarks/score_memory.py [--rows 5000000] [--columns 20] [--row-group 1048576]
"""

import argparse
import contextlib
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

import oddgan

LIMIT = 1024  # MiB
WAYS = ("iter_outputs", "anomaly_score")


def pieces(n_rows: int, n_columns: int, size: int) -> Iterator[pa.Table]:
    """Yield correlated rows of float32 columns, `size` at a time."""
    rng = np.random.default_rng(0)
    mixing = rng.normal(size=(5, n_columns)).astype(np.float32)
    names = [f"x{i}" for i in range(n_columns)]
    for start in range(0, n_rows, size):
        n = min(size, n_rows - start)
        X = rng.normal(size=(n, 5)).astype(np.float32) @ mixing
        X += rng.normal(size=X.shape).astype(np.float32)
        yield pa.table(dict(zip(names, X.T, strict=True)))


def prepare(folder: Path, n_rows: int, n_columns: int, row_group: int) -> None:
    """Write the file and the model."""
    tables = pieces(n_rows, n_columns, row_group)
    first = next(tables)
    with pq.ParquetWriter(folder / "rows.parquet", first.schema) as writer:
        writer.write_table(first, row_group_size=row_group)
        for table in tables:
            writer.write_table(table, row_group_size=row_group)
    train = first.slice(0, 5000).to_pandas()
    oddgan.EGBAD(max_steps=200, random_state=0).fit(train).save(folder / "model.oddgan")


def memory(name: str) -> float:
    """Return VmRSS (now) or VmHWM (peak) of this process in MiB."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(name + ":"):
            return int(line.split()[1]) / 1024
    raise RuntimeError(f"the kernel does not report {name}")


def score(folder: Path, way: str) -> None:
    """Score the file and print memory after loading, peak, rows and seconds."""
    detector = oddgan.load(folder / "model.oddgan")
    # The peak begins anew. Where that is not permitted it counts from the start of the process,
    # which can only be more.
    with contextlib.suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5")
    loaded = memory("VmRSS")
    start = time.perf_counter()
    if way == "anomaly_score":
        n = len(detector.anomaly_score(folder / "rows.parquet"))
    else:
        n = 0
        with (folder / "scores.csv").open("w") as file:
            for rows, scores in detector.iter_outputs(detector.source(folder / "rows.parquet")):
                frame = pd.DataFrame({"row": rows, "anomaly_score": scores})
                frame.to_csv(file, header=n == 0, index=False)
                n += len(rows)
    print(loaded, memory("VmHWM"), n, time.perf_counter() - start)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=5_000_000)
    parser.add_argument("--columns", type=int, default=20)
    parser.add_argument("--row-group", type=int, default=2**20, help="rows a row group")
    parser.add_argument("--child", nargs=2, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.child:
        return score(Path(args.child[0]), args.child[1])
    within = True
    print(f"{args.rows} rows, {args.columns} columns, row groups of {args.row_group}\n")
    print("| by | loaded model, MiB | peak above it, MiB | of the limit | rows / s |")
    print("|---|---|---|---|---|")
    with tempfile.TemporaryDirectory() as folder:
        prepare(Path(folder), args.rows, args.columns, args.row_group)
        for way in WAYS:
            command = [sys.executable, __file__, "--child", folder, way]
            out = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout
            loaded, peak, n, seconds = map(float, out.split())
            above = peak - loaded
            within &= above <= LIMIT and n == args.rows
            print(
                f"| {way} | {loaded:.0f} | {above:.0f} | {above / LIMIT:.2f} | {n / seconds:.0f} |",
                flush=True,
            )
    return sys.exit(0 if within else 1)


if __name__ == "__main__":
    main()
