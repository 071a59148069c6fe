"""How good probabilities from labelled samples are, by method of calibration.

The twelve tables of ADBench, split as in ``scaling.py``. `PCAReconstruction` trains; of the other
rows one half, with its labels, calibrates, and the other half is judged by the mean log loss in
nats. Beside the two methods: the share of anomalies for every sample, and Platt's sigmoid of the
score as it is. The last column says what probabilities that were made for a prevalence of 2 %
average to where anomalies have a weight of 2 %. Prints Markdown.

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
    """Return the log losses of the four ways, and the mean probability at the rare prevalence."""
    detector = PCAReconstruction(random_state=seed).fit(train)
    scores = detector.anomaly_score(test)
    given = np.arange(len(y)) % 2 == 0  # the rows are in random order
    judged, truth = scores[~given], y[~given]

    def calibrated(method: ProbaMethod, prevalence: float | None = None) -> ProbaCalibration:
        return proba_calibration(
            y[given],
            scores[given],
            method=method,
            prevalence=prevalence,
            normal_scores=detector.calibration_scores_,
        )

    units = ((scores - scores[given].mean()) / scores[given].std())[:, None]
    plain = LogisticRegression(C=np.inf, max_iter=1000).fit(units[given], y[given])
    found = [
        np.full(len(truth), y[given].mean()),
        plain.predict_proba(units[~given])[:, 1],
        calibrated("sigmoid").probability(judged),
        calibrated("isotonic").probability(judged),
    ]
    rare = calibrated("sigmoid", RARE).probability(judged)
    mean = RARE * rare[truth == 1].mean() + (1 - RARE) * rare[truth == 0].mean()
    return [*(float(log_loss(truth, p)) for p in found), float(mean)]


def main() -> None:
    """Measure and print."""
    warnings.simplefilter("ignore", UserWarning)  # few labels of a class
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=3)
    seeds = parser.parse_args().seeds
    print("| table | share alone | plain sigmoid | sigmoid | isotonic | mean at 2 % |")
    print("|---|---|---|---|---|---|")
    means = []
    for group, name, X, y in tables():
        if group == "ADBench":
            every = np.array([losses(*split(X, y, seed), seed) for seed in range(seeds)])
            means.append(every.mean(axis=0))
            cells = zip(every.mean(axis=0), every.std(axis=0), strict=True)
            print(f"| {name} |", " | ".join(f"{m:.3f} ± {s:.3f}" for m, s in cells), "|")
    print("| **mean** |", " | ".join(f"**{m:.3f}**" for m in np.mean(means, axis=0)), "|")


if __name__ == "__main__":
    main()
