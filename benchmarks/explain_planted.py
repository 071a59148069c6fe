"""Whether `explain` finds the changed column of a row, and the original value.

Rows have two groups of four columns; each group depends on one hidden number. In each of 80 new
rows one value is moved by four units of its column. For each detector the script prints how often
the anomalous column contributes most. It also prints how far the expected value is from the
original value, as a share of the four units: with the most anomalous value replaced by its
expected value, as `explain` does it, and without.

    python benchmarks/explain_planted.py
"""

import warnings

import numpy as np
from numpy.typing import NDArray

from oddgan import all_detectors
from oddgan.estimator import explain

UNITS = np.array([1, 2, -1, 0.5, 1, -3, 2, 1])
CENTRES = np.array([0, 10, 5, -3, 0, 100, 2, 1])
SEARCH_STEPS = 100


def rows(n: int, seed: int) -> NDArray[np.float64]:
    """Return normal rows, shape (n, 8)."""
    rng = np.random.default_rng(seed)
    hidden = np.repeat(rng.normal(size=(n, 2)), 4, axis=1)
    return CENTRES + UNITS * (hidden + 0.1 * rng.normal(size=(n, 8)))


def main() -> None:
    """Measure all detectors of tables."""
    normal, columns = rows(80, 1), np.arange(80) % 8
    signs = np.random.default_rng(2).choice([-1, 1], 80)
    cells = (np.arange(80), columns)
    changed = normal.copy()
    changed[cells] += 4 * np.abs(UNITS[columns]) * signs
    n_repairs = explain.N_REPAIRS
    print(f"{'detector':24}{'anomalous column first':>24}", end="")
    print(f"{'remaining error':>17}{'without replacement':>21}")
    for cls in all_detectors().values():
        if "table" not in cls.kinds:
            continue
        params = {"n_steps": SEARCH_STEPS} if "n_steps" in cls().get_params() else {}
        detector = cls(max_steps=400, health=False, random_state=0, **params).fit(rows(800, 0))
        errors = []
        for times in (n_repairs, 0):
            explain.N_REPAIRS = times
            explanation = detector.explain(changed)
            error = explanation.expected.to_numpy()[cells] - normal[cells]
            errors.append(float(np.median(np.abs(error) / np.abs(changed - normal)[cells])))
        first = (explanation.contributions.argmax(1) == columns).mean()
        print(f"{cls.__name__:24}{first:24.2f}{errors[0]:17.2f}{errors[1]:21.2f}", flush=True)


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    main()
