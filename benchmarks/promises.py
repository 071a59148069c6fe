"""How often new normal rows are flagged where few rows train, and drift is reported falsely.

Rows are a mixture of three planes in eight dimensions. For each number of rows and each draw of
them a detector is fitted anew; 1,000 fresh rows are scored, and two fresh batches of 100 are tested
for drift. One fit answers for all rates: where a rate would not have been cross-fitted, the scores
of the rows that this fit held out count, as they would have then.

    python benchmarks/promises.py [--draws 200] [--detectors pca ...] [--out promises.json]
"""

import argparse
import json
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from scipy.stats import beta

from oddgan import EGBAD, VAE, GANomaly, OddGAN, PCAReconstruction, RetrievalCritic, decisions
from oddgan.estimator import BaseDetector
from oddgan.estimator.holdout import ENOUGH

Floats = NDArray[np.float64]
ROWS = (12, 20, 50, 100, 200, 500)
RATES = (0.01, 0.05, 0.1)
ALPHAS = (0.01, 0.05)
N_NEW, BATCH = 1000, 100
#: Three that train for long have few steps here: a promise must not depend on how good a fit is.
SHORT: dict[str, Any] = {"max_steps": 100, "min_steps": 1, "width": 32}
DETECTORS: dict[str, Callable[..., BaseDetector]] = {
    "pca": lambda **params: PCAReconstruction(latent_dim=3, **params),
    "untrained critic": lambda **params: RetrievalCritic(max_steps=0, **params),
    "oddgan": OddGAN,
    "vae": lambda **params: VAE(**SHORT, **params),
    "egbad": lambda **params: EGBAD(**SHORT, **params),
    "ganomaly": lambda **params: GANomaly(**SHORT, **params),
}


def mixture(n: int, rng: np.random.Generator) -> Floats:
    """Return rows on three planes, with noise."""
    fixed = np.random.default_rng(5)
    planes, centres = fixed.normal(size=(3, 8, 3)), 3 * fixed.normal(size=(3, 8))
    of_row = rng.integers(0, 3, n)
    on_planes = np.einsum("ndk,nk->nd", planes[of_row], rng.normal(size=(n, 3)))
    return np.asarray(on_planes + centres[of_row] + 0.3 * rng.normal(size=(n, 8)))


def measure(name: str, n: int, draw: int) -> Iterator[dict[str, Any]]:
    """Yield what one draw of n rows shows."""
    rng = np.random.default_rng([n, draw])
    detector = DETECTORS[name](target_fpr=min(RATES), random_state=draw, health=False)
    detector.fit(mixture(n, rng))
    new = detector.anomaly_score(mixture(N_NEW, rng))
    fitted = detector.fitted_
    for rate in RATES:
        enough = len(fitted.held_out_scores) >= ENOUGH / rate
        scores = fitted.held_out_scores if enough else fitted.calibration_scores
        flagged = float(np.mean(new > decisions.conformal_threshold(scores, rate)))
        # A threshold by n scores flags a share that is Beta distributed, if the scores are alike.
        n_above = int(rate * (len(scores) + 1) + 1e-9)
        spread = float(beta.std(n_above, len(scores) + 1 - n_above)) if n_above else 0.0
        yield {"what": "flagged", "rate": rate, "share": flagged, "spread": spread}
    for _ in range(2):
        batch = detector.anomaly_score(mixture(BATCH, rng))
        for alpha in ALPHAS:
            drift = decisions.drift(batch, fitted.held_out_scores, alpha=alpha)
            yield {"what": "drift", "rate": alpha, "share": float(drift.drifted), "spread": 0.0}


def table(results: pd.DataFrame, what: str) -> str:
    """Return a Markdown table: a line for each detector and rate, a column by number of rows."""
    lines = []
    chosen = results[results["what"] == what]
    for (name, rate), group in chosen.groupby(["detector", "rate"], sort=False):
        cells = [f"{name}", f"{rate:g}"]
        for _, of_n in group.groupby("n"):
            shares = of_n["share"]
            cell = f"{shares.mean():.4f} ±{shares.std() / np.sqrt(len(shares)):.4f}"
            if what == "flagged":
                cell += f" ({shares.std():.3f}, {of_n['spread'].mean():.3f})"
            cells.append(cell)
        lines.append(f"| {' | '.join(cells)} |")
    head = f"| detector | {'promised' if what == 'flagged' else 'alpha'} | "
    head += " | ".join(f"{n} rows" for n in ROWS)
    return "\n".join([f"{head} |", "|---" * (len(ROWS) + 2) + "|", *lines])


def main() -> None:
    """Measure, and print the tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--draws", type=int, default=200)
    parser.add_argument("--detectors", nargs="+", choices=DETECTORS, default=list(DETECTORS))
    parser.add_argument("--out", type=Path, help="keep all results here, and go on from there")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    warnings.simplefilter("ignore")
    results: list[dict[str, Any]] = []
    if arguments.out and arguments.out.exists():
        results = json.loads(arguments.out.read_text())
    done = {(one["detector"], one["n"], one["draw"]) for one in results}
    for name in arguments.detectors:
        for n in ROWS:
            for draw in range(arguments.draws):
                if (name, n, draw) not in done:
                    which = {"detector": name, "n": n, "draw": draw}
                    results += [{**which, **one} for one in measure(name, n, draw)]
            if arguments.out:
                arguments.out.write_text(json.dumps(results))
    frame = pd.DataFrame(results)
    print(table(frame, "flagged"), table(frame, "drift"), sep="\n\n")


if __name__ == "__main__":
    main()
