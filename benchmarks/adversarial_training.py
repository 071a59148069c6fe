"""What training earns on tables: GANs, autoencoders and the same networks untrained, by one score.

    OMP_NUM_THREADS=1 ODDGAN_DATA=DATA python benchmarks/adversarial_training.py --out rows.jsonl

Each method is trained once per task and seed and scored by each of `SCORES`; the rows go to the
file, in which what is there already is not measured again. `--show` prints the table of a file:
mean AUROC and AUPRC over tasks, with the standard deviation over seeds of that mean, and on KDD99
the F1.

Tasks: "kddcup99" (the papers' split), "adbench/NAME" (70 % of the normal rows train), "digits-N"
(the digit N of scikit-learn's digits, as rows of 64 pixels, anomalous among nine). All columns are
scaled in two views. "Untrained" networks are as they were drawn; "tied" has the reconstruction term
and denoising; "R1" has no dropout in D and an R1 penalty instead. No label enters a fit.
"""

import argparse
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from sklearn.datasets import load_digits

from oddgan import ALAD, EGBAD, AdversarialAutoencoder, Autoencoder
from oddgan.datasets import load
from oddgan.evaluation import evaluate_scores, from_dict

TIED: dict[str, Any] = {"reconstruction_weight": 10.0, "denoise": 0.15}
SMOOTH: dict[str, Any] = {"r1_weight": 1.0, "dropout": False}
UNTRAINED: dict[str, Any] = {"max_steps": 0}
METHODS: dict[str, tuple[type, dict[str, Any]]] = {
    "EGBAD, untrained": (EGBAD, UNTRAINED),
    "EGBAD": (EGBAD, {}),
    "EGBAD, tied": (EGBAD, TIED),
    "EGBAD, no dropout": (EGBAD, {"dropout": False}),
    "EGBAD, R1": (EGBAD, SMOOTH),
    "EGBAD, tied, R1": (EGBAD, TIED | SMOOTH),
    "ALAD, tied": (ALAD, TIED),
    "AdversarialAutoencoder, denoising": (AdversarialAutoencoder, {"denoise": 0.15}),
    "Autoencoder, denoising": (Autoencoder, {"denoise": 0.15}),
}
SCORES = [
    ("residual_mahalanobis",),
    ("latent_knn",),
    ("feature_knn",),
    ("latent_knn", "residual_mahalanobis"),
    ("feature_knn", "residual_mahalanobis"),
    ("feature_knn", "residual_mahalanobis", "latent_knn"),
    ("input_knn",),
]
TASKS = [
    "kddcup99",
    *(f"adbench/{name}" for name in ("thyroid", "cardio", "spambase")),
    *(f"digits-{digit}" for digit in (1, 5, 9)),
]


def rows_of(task: str, seed: int, limit: int) -> tuple[Any, Any, np.ndarray, float | None]:
    """Return training rows, test rows, their truth, and the rate to flag (of KDD99)."""
    if task.startswith("digits-"):
        X, y = load_digits(return_X_y=True)
        truth = y == int(task.removeprefix("digits-"))
        order = np.random.default_rng(seed).permutation(np.flatnonzero(~truth))
        n = int(0.7 * len(order))
        test = np.concatenate([order[n:], np.flatnonzero(truth)])
        return X[order[:n]], X[test], truth[test], None
    protocol = {"name": "kdd99"} if task == "kddcup99" else {"name": "labelled", "seed": seed}
    dataset = load(task, progress=False)
    split = from_dict(protocol).split(dataset).limited(train=limit, test=limit)
    take = dataset.X.iloc if isinstance(dataset.X, pd.DataFrame) else dataset.X
    return take[split.train], take[split.test], split.y_test, split.flag_rate


def measure(
    task: str, method: str, seed: int, args: argparse.Namespace
) -> Iterator[dict[str, Any]]:
    """Yield a row for each score of a method that was trained once."""
    train, test, truth, rate = rows_of(task, seed, args.limit)
    cls, params = METHODS[method]
    has_features = cls is not Autoencoder
    scores = [s for s in SCORES if has_features or "feature_knn" not in s]
    every = tuple(sorted({part for score in scores for part in score}))
    params = {"max_steps": args.max_steps, **params}
    detector = cls(score_name=every, scaling="standard+rank", random_state=seed, **params).fit(
        train
    )
    for score in scores:
        found = detector.set_params(score_name=score).anomaly_score(test)
        metrics = evaluate_scores(truth, found, flag_rate=rate).as_dict()
        keep = {name: metrics[name] for name in ("auroc", "average_precision", "f1_at_rate")}
        yield {"task": task, "method": method, "seed": seed, "score": " + ".join(score), **keep}


def show(rows: pd.DataFrame) -> None:
    """Print mean over tasks, and the deviation over seeds of that mean; KDD99 by itself."""
    for name, of, metrics in (
        ("KDD99", rows.task == "kddcup99", ["f1_at_rate", "auroc"]),
        ("ADBench", rows.task.str.startswith("adbench"), ["auroc", "average_precision"]),
        ("digits", rows.task.str.startswith("digits"), ["auroc", "average_precision"]),
    ):
        if not of.any():
            continue
        tasks = rows[of].task.unique()
        print(f"\n{name}: {', '.join(tasks)}\n")
        by_seed = rows[of].groupby(["method", "score", "seed"])
        complete = by_seed.task.count() == len(tasks)
        means = by_seed[metrics].mean()[complete].groupby(["method", "score"])
        table = means.agg(["mean", "std", "count"])
        print("| method | score | " + " | ".join(metrics) + " | seeds |")
        print("|---" * (3 + len(metrics)) + "|")
        for method in METHODS:
            for score in (" + ".join(parts) for parts in SCORES):
                if (method, score) in table.index:
                    row = table.loc[(method, score)]
                    cells = [f"{row[m, 'mean']:.4f} ± {row[m, 'std']:.4f}" for m in metrics]
                    count = int(row[metrics[0], "count"])
                    print(f"| {method} | {score} | {' | '.join(cells)} | {count} |")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--show", action="store_true")
    parser.add_argument("--tasks", nargs="+", default=TASKS)
    parser.add_argument("--methods", nargs="+", default=list(METHODS), choices=METHODS)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--limit", type=int, default=10000, help="most training and test rows")
    parser.add_argument("--max-steps", type=int, default=1000)
    args = parser.parse_args()
    torch.set_num_threads(1)
    rows = pd.read_json(args.out, lines=True) if args.out.exists() else pd.DataFrame()
    if args.show:
        show(rows)
        return
    done = set(zip(rows.task, rows.method, rows.seed, strict=True)) if len(rows) else set()
    for seed in range(args.seeds):
        for task in args.tasks:
            for method in args.methods:
                if (task, method, seed) in done:
                    continue
                lines = [json.dumps(row) for row in measure(task, method, seed, args)]
                with args.out.open("a", encoding="utf-8") as file:
                    file.write("\n".join(lines) + "\n")
                print(f"{task}, {method}, seed {seed}", flush=True)


if __name__ == "__main__":
    main()
