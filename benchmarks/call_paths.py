"""How many files and functions a call runs through, and how far it is to the arithmetic.

``EGBAD().fit(X)`` and ``anomaly_score(X)`` on a small table, beside scikit-learn's IsolationForest.
A hop is a call on the way from the public method to the arithmetic of the score. Prints Markdown.

    python benchmarks/call_paths.py
"""

import sys
from collections.abc import Callable
from pathlib import Path
from types import CodeType, FrameType
from typing import Any

import numpy as np
import sklearn
from sklearn.ensemble import IsolationForest

import oddgan
from oddgan import EGBAD

X = np.random.default_rng(0).normal(size=(300, 4))


def profiled(call: Callable[[], Any], package: Path, arithmetic: str) -> tuple[int, int, int]:
    """Return files and functions of `package` that a call runs through, and hops to a function."""
    codes: set[CodeType] = set()
    hops = 0

    def note(frame: FrameType, event: str, argument: object) -> None:
        nonlocal hops
        if event != "call" or not Path(frame.f_code.co_filename).is_relative_to(package):
            return
        codes.add(frame.f_code)
        if frame.f_code.co_name == arithmetic and not hops:
            hops = depth(frame, package) - 1

    sys.setprofile(note)
    try:
        call()
    finally:
        sys.setprofile(None)
    return len({code.co_filename for code in codes}), len(codes), hops


def depth(frame: FrameType | None, package: Path) -> int:
    """Return how many calls of `package` are on the stack."""
    n = 0
    while frame:
        n += Path(frame.f_code.co_filename).is_relative_to(package)
        frame = frame.f_back
    return n


def main() -> None:
    """Print the table."""
    here = Path(oddgan.__file__).parent
    there = Path(sklearn.__file__).parent
    detector = EGBAD(max_steps=20, min_steps=1, random_state=0)
    forest = IsolationForest(random_state=0)
    rows = {
        "EGBAD().fit(X)": (lambda: detector.fit(X), here, "distance"),
        "EGBAD.anomaly_score(X)": (lambda: detector.anomaly_score(X), here, "distance"),
        "IsolationForest().fit(X)": (lambda: forest.fit(X), there, "_average_path_length"),
        "IsolationForest.score_samples(X)": (
            lambda: forest.score_samples(X),
            there,
            "_average_path_length",
        ),
    }
    print("| call | files | functions | hops to the arithmetic |")
    print("|---|---|---|---|")
    for name, row in rows.items():
        files, functions, hops = profiled(*row)
        print(f"| {name} | {files} | {functions} | {hops if 'score' in name else ''} |")


if __name__ == "__main__":
    main()
