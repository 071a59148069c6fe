"""How often the health report finds planted faults, and how often it speaks of sound fits.

Faults are those of tests/test_health.py, of whole fits that train a few dozen rounds. Sound fits
are of all detectors with default settings, but for a fifth held out, on normal rows alone. Each fit
is a line of a file, and a fit that has its line is not run again: a run that was stopped goes on.
Prints both tables as Markdown.

    OMP_NUM_THREADS=1 ODDGAN_DATA=DATA python benchmarks/health_report.py [--seeds 5]
"""

import argparse
import json
import sys
import time
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from oddgan import all_detectors, datasets

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tests"))

#: Data sets with the class whose rows are normal, and how many of these are used at most.
DATA: dict[str, tuple[Any, int]] = {
    "adbench/breastw": (0, 1000),
    "adbench/pima": (0, 1000),
    "digits": (1, 1000),
}


KINDS = {"adbench/breastw": "table", "adbench/pima": "table", "digits": "image"}


def rows(name: str) -> np.ndarray:
    """Return normal samples in random order."""
    normal, most = DATA[name]
    data = datasets.load(name)
    X = np.asarray(data.X)[data.is_class(normal)]
    return X[np.random.default_rng(0).permutation(len(X))[:most]]


def sound(seeds: int) -> Iterator[tuple[str, Any]]:
    """Yield what is to be fitted, and how."""
    for seed in range(seeds):
        for name in DATA:
            for called, cls in all_detectors().items():
                if KINDS[name] not in cls.kinds:
                    continue
                # Of 182 digits a tenth would be too few to hold out.
                detector = cls(calibration_fraction=0.2, random_state=seed)
                yield json.dumps(["sound", name, called, seed]), (detector, name)


def planted(seeds: int) -> Iterator[tuple[str, Any]]:
    """Yield faulty detectors on rows that depend on each other."""
    import test_health

    for seed in range(seeds):
        for cls, fault in test_health.FAULTS.items():
            detector = cls(
                max_steps=60,
                width=8,
                latent_dim=4,
                calibration_fraction=0.5,
                random_state=seed,
            )
            yield json.dumps(["planted", fault, cls.__name__, seed]), (detector, "correlated")


def correlated() -> np.ndarray:
    """Return 600 rows of four columns that depend on each other."""
    rng = np.random.default_rng(0)
    return rng.normal(size=(600, 2)) @ rng.normal(size=(2, 4)) + 0.1 * rng.normal(size=(600, 4))


def measure(detector: Any, X: np.ndarray) -> dict[str, Any]:
    """Fit, and return what was found and what it cost."""
    from oddgan.estimator import detector

    spent = [0.0]
    examine = detector.examine

    def timed(*args: Any) -> Any:
        start = time.process_time()
        found = examine(*args)
        spent[0] = time.process_time() - start
        return found

    detector.examine = timed
    start = time.process_time()
    try:
        detector.fit(X)
    finally:
        detector.examine = examine
    seconds = time.process_time() - start
    found = [[check.name, check.severity, check.value] for check in detector.health_]
    return {"found": found, "seconds": seconds, "examined_in": spent[0]}


def tables(done: dict[str, dict[str, Any]]) -> str:
    """Return both tables."""
    found: dict[str, list[bool]] = {}
    said: dict[tuple[str, str], list[dict[str, Any]]] = {}
    for key, result in done.items():
        kind, where, called, _ = json.loads(key)
        if kind == "planted":
            found.setdefault(where, []).append(where in [name for name, *_ in result["found"]])
        else:
            said.setdefault((called, where), []).append(result)
    lines = ["| planted fault | found |", "|---|---:|"]
    lines += [f"| {fault} | {sum(hits)} of {len(hits)} |" for fault, hits in found.items()]
    lines += ["", "| detector | data | fits with a finding | found | of the fit's time |"]
    lines += ["|---|---|---:|---|---:|"]
    for (called, where), results in sorted(said.items()):
        every = [entry for r in results for entry in r["found"]]
        names = sorted({f"{name} ({severity})" for name, severity, _ in every})
        share = np.median([r["examined_in"] / r["seconds"] for r in results])
        n = sum(bool(r["found"]) for r in results)
        lines.append(
            f"| {called} | {where} | {n} of {len(results)} | {', '.join(names)} | {share:.1%} |"
        )
    return "\n".join(lines)


def main() -> None:
    """Run what has not been run, and print the tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--out", type=Path, default=Path("health_report.jsonl"))
    parser.add_argument("--part", choices=["all", "planted", "sound"], default="all")
    args = parser.parse_args()
    warnings.simplefilter("ignore")
    done: dict[str, dict[str, Any]] = {}
    if args.out.exists():
        done = dict(map(json.loads, args.out.read_text().splitlines()))
    todo = planted(args.seeds) if args.part != "sound" else iter(())
    for key, (detector, data) in [*todo, *(sound(args.seeds) if args.part != "planted" else ())]:
        if key in done:
            continue
        result = measure(detector, correlated() if data == "correlated" else rows(data))
        done[key] = result
        with args.out.open("a") as file:
            file.write(json.dumps([key, result]) + "\n")
        print(key, result, file=sys.stderr, flush=True)
    print(tables(done))


if __name__ == "__main__":
    main()
