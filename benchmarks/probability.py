"""The quality of probabilities from labelled samples, by calibration method.

The twelve tables of ADBench, split as in ``scaling.py``. `PCAReconstruction` trains. One half of
the other rows, with its labels, calibrates; the other half is judged by the mean log loss in nats.
Two references: the share of anomalies for every sample, and Platt's sigmoid of the raw score. The
last column is the mean of the probabilities made for a prevalence of 2 %, with anomalies weighted
as 2 %. Prints Markdown.

    python benchmarks/probability.py [--seeds 3]
"""

import argparse
import warnings

import numpy as np
from scaling import Floats, Labels, split, tables
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import log_loss

from oddgan import PCAReconstruction
from oddgan.decisions import ProbaCalibration, ProbaMethod, proba_calibration

RARE = 0.02


def losses(train: Floats, test: Floats, y: Labels, seed: int) -> list[float]:
    """Return the log losses of the four methods, and the mean probability for `RARE`."""
    detector = PCAReconstruction(random_state=seed).fit(train)
    scores = detector.anomaly_score(test)
    labelled = np.arange(len(y)) % 2 == 0  # the rows are in random order
    test_scores, y_test = scores[~labelled], y[~labelled]

    def calibrated(method: ProbaMethod, prevalence: float | None = None) -> ProbaCalibration:
        return proba_calibration(
            y[labelled],
            scores[labelled],
            method=method,
            prevalence=prevalence,
            normal_scores=detector.calibration_scores_,
        )

    units = ((scores - scores[labelled].mean()) / scores[labelled].std())[:, None]
    plain = LogisticRegression(C=np.inf, max_iter=1000).fit(units[labelled], y[labelled])
    predictions = [
        np.full(len(y_test), y[labelled].mean()),
        plain.predict_proba(units[~labelled])[:, 1],
        calibrated("sigmoid").probability(test_scores),
        calibrated("isotonic").probability(test_scores),
    ]
    rare = calibrated("sigmoid", RARE).probability(test_scores)
    mean = RARE * rare[y_test == 1].mean() + (1 - RARE) * rare[y_test == 0].mean()
    return [*(float(log_loss(y_test, p)) for p in predictions), float(mean)]


def main() -> None:
    """Measure and print."""
    warnings.simplefilter("ignore", UserWarning)  # few labels per class
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=3)
    seeds = parser.parse_args().seeds
    print("| table | share alone | plain sigmoid | sigmoid | isotonic | mean at 2 % |")
    print("|---|---|---|---|---|---|")
    means = []
    for group, name, X, y in tables():
        if group == "ADBench":
            by_seed = np.array([losses(*split(X, y, seed), seed) for seed in range(seeds)])
            means.append(by_seed.mean(axis=0))
            cells = zip(by_seed.mean(axis=0), by_seed.std(axis=0), strict=True)
            print(f"| {name} |", " | ".join(f"{m:.3f} ± {s:.3f}" for m, s in cells), "|")
    print("| **mean** |", " | ".join(f"**{m:.3f}**" for m in np.mean(means, axis=0)), "|")


if __name__ == "__main__":
    main()
