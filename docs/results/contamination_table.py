"""Measure what anomalies among the training rows spoil, and print the tables of contamination.md.

    python docs/results/contamination_table.py

On each table half of the anomalies, at most 1,000, test at every rate; the others train as far as
the rate takes them. At most 1,000 normal rows train and as many test, fewer where a tenth of the
training rows would be more than half of the anomalies. Anomalies that train never test. The guard
was chosen on the first half of the tables.
"""

import argparse

import numpy as np
import pandas as pd
from sklearn.ensemble import IsolationForest
from sklearn.metrics import average_precision_score, roc_auc_score
from sklearn.neighbors import NearestNeighbors
from sklearn.preprocessing import StandardScaler

from oddgan import RetrievalCritic, datasets

CHOOSING = ("annthyroid", "cardio", "pageblocks", "pima", "satimage-2", "spambase")
CONFIRMING = ("breastw", "mammography", "pendigits", "satellite", "shuttle", "thyroid")
RATES = (0.0, 0.01, 0.05, 0.1)
SCORES = ("critic", "critic_and_distance", "guarded")
MOST = 1000


def split(dataset, seed, rate):
    """Return training rows, test rows and the truth of these."""
    X, odd = dataset.X.to_numpy(), dataset.y == 1
    rng = np.random.default_rng(seed)
    normal, anomalies = (rng.permutation(np.flatnonzero(rows)) for rows in (~odd, odd))
    half = len(anomalies) // 2
    n = min(int(0.7 * len(normal)), MOST, 9 * half)
    moved = anomalies[: round(n * rate / (1 - rate))]
    train = rng.permutation(np.concatenate([normal[:n], moved]))
    tested = normal[int(0.7 * len(normal)) :][:MOST], anomalies[half:][:MOST]
    test = np.concatenate(tested)
    return X[train], X[test], np.arange(len(test)) >= len(tested[0])


def scores(train, test, seed):
    """Yield the scores of the test rows by the title of what gave them."""
    detector = RetrievalCritic(health=False, random_state=seed).fit(train)
    for score in SCORES:
        yield score, detector.set_params(score_name=score).anomaly_score(test)
    scaler = StandardScaler().fit(train)
    near = NearestNeighbors(n_neighbors=5).fit(scaler.transform(train))
    yield "k nearest neighbours", near.kneighbors(scaler.transform(test))[0].mean(1)
    forest = IsolationForest(random_state=seed).fit(train)
    yield "Isolation Forest", -forest.score_samples(test)


def main():
    """Print AUROC and average precision: of the halves, and AUROC of each table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--splits", type=int, default=2)
    lines = []
    for seed in range(parser.parse_args().splits):
        for name in CHOOSING + CONFIRMING:
            dataset = datasets.load(f"adbench/{name}")
            for rate in RATES:
                train, test, y = split(dataset, seed, rate)
                for title, s in scores(train, test, seed):
                    half = "choosing" if name in CHOOSING else "confirming"
                    figures = roc_auc_score(y, s), average_precision_score(y, s)
                    lines.append((half, name, f"{rate:.0%}", title, *figures))
    names = ["half", "table", "rate", "score", "AUROC", "average precision"]
    frame = pd.DataFrame(lines, columns=names)
    for metric in names[-2:]:
        mean = frame.pivot_table(index="score", columns=["half", "rate"], values=metric, sort=False)
        print(metric, mean.round(4).to_string(), sep="\n", end="\n\n")
    each = frame.pivot_table(index="table", columns=["rate", "score"], values="AUROC", sort=False)
    print(each.round(3).to_string())


if __name__ == "__main__":
    main()
