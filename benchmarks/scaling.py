"""What the scalings of numeric columns gain and lose, table by table.

The twelve tables of ADBench, and seven tasks of scikit-learn's data sets that ship with it. 70 % of
the normal rows train, all others test, at most 10,000 of either, drawn anew for each seed. The
encoded features are judged by the mean distance to the 5 nearest training rows, and by a detector
with at most 1,000 steps and otherwise default settings. Prints Markdown, AUROC and average
precision.

    python benchmarks/scaling.py [--seeds 3] [--detector pcareconstruction] [--group ADBench]
"""

import argparse
from collections.abc import Iterator

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.datasets import load_breast_cancer, load_digits, load_wine
from sklearn.metrics import average_precision_score, roc_auc_score
from sklearn.neighbors import NearestNeighbors

from oddgan import all_detectors, datasets
from oddgan.inputs import Scaling, fit_codec

SCALINGS: tuple[Scaling, ...] = ("standard", "robust", "rank", "standard+rank", "auto")
ADBENCH = (
    *("annthyroid", "breastw", "cardio", "mammography", "pageblocks", "pendigits"),
    *("pima", "satellite", "satimage-2", "shuttle", "spambase", "thyroid"),
)
MOST = 10_000

Floats = NDArray[np.float64]
Labels = NDArray[np.int64]


def tables() -> Iterator[tuple[str, str, Floats, Labels]]:
    """Yield group, name, rows and labels, 1 for an anomaly."""
    for name in ADBENCH:
        data = datasets.load(f"adbench/{name}")
        yield "ADBench", name, data.X.to_numpy(dtype=np.float64), data.y
    X, digit = load_digits(return_X_y=True)
    for odd in (1, 3, 5, 7, 9):
        yield "others", f"digits, {odd} odd", X, (digit == odd).astype(int)
    X, benign = load_breast_cancer(return_X_y=True)
    yield "others", "breast cancer", X, 1 - benign
    X, kind = load_wine(return_X_y=True)
    yield "others", "wine, kind 0 odd", X, (kind == 0).astype(int)


def split(X: Floats, y: Labels, seed: int) -> tuple[Floats, Floats, Labels]:
    """Return rows to train on, rows to test on and their labels."""
    rng = np.random.default_rng(seed)
    normal = rng.permutation(np.flatnonzero(y == 0))
    cut = int(0.7 * len(normal))
    test = rng.permutation(np.concatenate([normal[cut:], np.flatnonzero(y)]))[:MOST]
    return X[normal[:cut][:MOST]], X[test], y[test]


def knn(train: Floats, test: Floats, scaling: Scaling) -> Floats:
    """Score by the mean distance to the 5 nearest training rows."""
    codec = fit_codec(train, scaling=scaling)
    nearest = NearestNeighbors(n_neighbors=5).fit(codec.encode(train).numpy())
    distances: Floats = nearest.kneighbors(codec.encode(test).numpy())[0]
    return distances.mean(axis=1)


def measured(seeds: int, other: str, only: str | None) -> pd.DataFrame:
    """Return one row for each group, table, detector, scaling and seed."""
    found = []
    chosen = (table for table in tables() if only in (None, table[0]))
    for group, name, X, y in chosen:
        for seed in range(seeds):
            train, test, labels = split(X, y, seed)
            for scaling in SCALINGS:
                detector = all_detectors()[other](
                    scaling=scaling, max_steps=1000, random_state=seed
                ).fit(train)
                scores = {
                    "k-NN": knn(train, test, scaling),
                    type(detector).__name__: detector.anomaly_score(test),
                }
                columns = fit_codec(train, scaling=scaling).columns
                doubled = sum(column.kind == "standard+rank" for column in columns)
                for judge, values in scores.items():
                    found.append(
                        {
                            "group": group,
                            "table": name,
                            "detector": judge,
                            "scaling": scaling,
                            "seed": seed,
                            "AUROC": roc_auc_score(labels, values),
                            "AP": average_precision_score(labels, values),
                            "second views": f"{doubled}/{len(columns)}",
                        }
                    )
    return pd.DataFrame(found)


def printed(frame: pd.DataFrame, metric: str) -> None:
    """Print mean and standard deviation over seeds, a row for each table."""
    order = list(SCALINGS)
    cells = frame.groupby(["table", "scaling"], sort=False)[metric]
    mean, spread = cells.mean().unstack()[order], cells.std(ddof=0).unstack()[order]
    auto = frame[frame["scaling"] == "auto"].groupby("table", sort=False)["second views"].first()
    print("| table | second views of auto |", " | ".join(order), "|")
    print("|---|---|" + "---|" * len(order))
    for table in mean.index:
        row = [f"{mean.loc[table, s]:.3f} ± {spread.loc[table, s]:.3f}" for s in order]
        print(f"| {table} | {auto[table]} |", " | ".join(row), "|")
    print("| **mean** | |", " | ".join(f"**{mean[s].mean():.4f}**" for s in order), "|\n")


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--detector", default="pcareconstruction", choices=all_detectors())
    parser.add_argument("--group", choices=("ADBench", "others"))
    given = parser.parse_args()
    frame = measured(given.seeds, given.detector, given.group)
    for (detector, group), part in frame.groupby(["detector", "group"], sort=False):
        for metric in ("AUROC", "AP"):
            print(f"## {detector}, {group}, {metric}\n")
            printed(part, metric)


if __name__ == "__main__":
    main()
