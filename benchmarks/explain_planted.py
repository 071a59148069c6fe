"""Whether `explain` names the column that a value was changed in, and the value that was there.

Rows of two groups of four columns, each group of one hidden number; in each of 80 new rows one
value is moved by four units of its column. Prints for each detector how often the odd column
contributes most, and how far what is expected there is from what was there, as a share of the four
units: with the oddest value replaced by what is expected, as `explain` does it, and without.

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
    """Measure all detectors that take tables."""
    normal, columns = rows(80, 1), np.arange(80) % 8
    signs = np.random.default_rng(2).choice([-1, 1], 80)
    here = (np.arange(80), columns)
    odd = normal.copy()
    odd[here] += 4 * np.abs(UNITS[columns]) * signs
    n_repairs = explain.N_REPAIRS
    print(f"{'detector':24}{'odd column first':>18}{'left over':>11}{'without':>9}")
    for cls in all_detectors().values():
        if "table" not in cls.kinds:
            continue
        params = {"n_steps": SEARCH_STEPS} if "n_steps" in cls().get_params() else {}
        detector = cls(max_steps=400, health=False, random_state=0, **params).fit(rows(800, 0))
        left = []
        for times in (n_repairs, 0):
            explain.N_REPAIRS = times
            found = detector.explain(odd)
            away = found.expected.to_numpy()[here] - normal[here]
            left.append(float(np.median(np.abs(away) / np.abs(odd - normal)[here])))
        first = (found.contributions.argmax(1) == columns).mean()
        print(f"{cls.__name__:24}{first:18.2f}{left[0]:11.2f}{left[1]:9.2f}", flush=True)


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    main()
