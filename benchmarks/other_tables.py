"""Detectors with default settings on tables that were not used to develop OddGAN's recipe.

    OMP_NUM_THREADS=1 python benchmarks/other_tables.py --out other-tables.json

The tables come with scikit-learn (its digits as 64 columns, breast cancer, wine) or are
connections of KDD Cup 99 (`ODDGAN_DATA`), 8,000 drawn for each seed. In each task one class is
normal and all others are anomalies, or one class is the anomaly and all others are normal. Classes
with fewer than 40 rows are left out. 70 % of the normal rows train, all others test. All methods
get the same rows, standardised for the baselines. No label selects anything.
"""

import argparse
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.datasets import load_breast_cancer, load_digits, load_wine
from sklearn.metrics import average_precision_score, roc_auc_score

from oddgan import OddGAN, datasets
from oddgan.evaluation.baselines import BASELINES

_ROWS, _MIN_ROWS = 8_000, 40
_BASELINES = ("knn", "isolation_forest", "ocsvm")


def main() -> None:
    """Measure all tasks; after each seed print the means so far."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--out", type=Path, required=True)
    args = parser.parse_args()
    results: list[dict[str, Any]] = []
    for seed in range(args.seeds):
        for family, task, X, y in tasks(seed):
            rng = np.random.default_rng([seed, len(results)])
            normal = rng.permutation(np.flatnonzero(~y))
            train = normal[: int(0.7 * len(normal))]
            test = np.setdiff1d(np.arange(len(y)), train)
            for method, scores in all_scores(X, train, test, seed).items():
                auroc = float(roc_auc_score(y[test], scores))
                precision = float(average_precision_score(y[test], scores))
                key = {"family": family, "task": task, "seed": seed, "method": method}
                results.append({**key, "auroc": auroc, "average_precision": precision})
        args.out.write_text(json.dumps(results, indent=1), encoding="utf-8")
        print(summary(results).round(4).to_string(), flush=True)


def tasks(seed: int) -> Iterator[tuple[str, str, pd.DataFrame, NDArray[np.bool_]]]:
    """Yield family, task, rows and which of them are anomalies."""
    loaders = {"digits": load_digits, "breast cancer": load_breast_cancer, "wine": load_wine}
    tables = {}
    for family, load in loaders.items():
        bunch = load(as_frame=True)
        tables[family] = bunch.data, bunch.target.astype(str).to_numpy()
    connections = datasets.load("kddcup99")
    rows = np.random.default_rng(seed).permutation(len(connections.y))[:_ROWS]
    kinds = np.array([str(kind).rstrip(".") for kind in connections.y[rows]])
    tables["KDD Cup 99"] = connections.X.iloc[rows].reset_index(drop=True), kinds
    for family, (X, classes) in tables.items():
        names, counts = np.unique(classes, return_counts=True)
        for name in names[counts >= _MIN_ROWS]:
            yield family, f"{name} normal", X, classes != name
            if len(names) > 2:  # with two classes this is the other task
                yield family, f"{name} anomalous", X, classes == name


def all_scores(
    X: pd.DataFrame, train: NDArray[np.int64], test: NDArray[np.int64], seed: int
) -> dict[str, NDArray[np.float64]]:
    """Return the scores of the test rows by each method."""
    detector = OddGAN(health=False, random_state=seed).fit(X.iloc[train])
    scores = {"OddGAN": detector.anomaly_score(X.iloc[test])}
    for score in ("guarded", "critic_and_distance", "critic_and_density"):
        critic = OddGAN.recipe("table", score_name=score, health=False, random_state=seed)
        scores[f"RetrievalCritic {score}"] = critic.fit(X.iloc[train]).anomaly_score(X.iloc[test])
    for title, control in OddGAN.controls("table", health=False, random_state=seed).items():
        scores[title] = control.fit(X.iloc[train]).anomaly_score(X.iloc[test])
    matrix = pd.get_dummies(X).astype(np.float64)
    for name in _BASELINES:
        baseline = BASELINES[name]
        scores[baseline.title] = baseline.score(matrix.iloc[train], matrix.iloc[test], seed)
    return scores


def summary(results: list[dict[str, Any]]) -> pd.DataFrame:
    """Return means over tasks, for each family and over all families equally, ± over seeds."""
    frame = pd.DataFrame(results)
    metrics = ["auroc", "average_precision"]
    by_family = frame.groupby(["method", "family", "seed"], sort=False)[metrics].mean()
    overall = by_family.groupby(["method", "seed"], sort=False).mean()
    table = by_family.groupby(["method", "family"], sort=False).mean().unstack()
    table.columns = [f"{family} {metric}" for metric, family in table.columns]
    for metric in metrics:
        by_seed = overall[metric].groupby("method", sort=False)
        table[f"mean {metric}"] = by_seed.mean()
        table[f"± {metric}"] = by_seed.std()
    return table


if __name__ == "__main__":
    main()
