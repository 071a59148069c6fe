"""How often the health report finds planted faults, and how often it reports sound fits.

The faults are those of tests/estimator/test_health_checks.py, in whole fits of a few dozen training
steps. The sound fits cover all detectors with default settings, except that a fifth is held out, on
normal rows alone. Each fit is a line of a file, and a fit with a line is not run again: an
interrupted run resumes where it stopped. Prints both tables as Markdown.

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

TESTS = Path(__file__).resolve().parent.parent / "tests"
sys.path[:0] = [str(TESTS), str(TESTS / "estimator")]

#: Data sets with their normal class, and the maximum number of rows.
DATA: dict[str, tuple[Any, int]] = {
    "adbench/breastw": (0, 1000),
    "adbench/pima": (0, 1000),
    "digits": (1, 1000),
}


KINDS = {"adbench/breastw": "table", "adbench/pima": "table", "digits": "image"}


def rows(name: str) -> np.ndarray:
    """Return normal samples in random order."""
    normal, max_rows = DATA[name]
    data = datasets.load(name)
    X = np.asarray(data.X)[data.is_class(normal)]
    return X[np.random.default_rng(0).permutation(len(X))[:max_rows]]


def sound(seeds: int) -> Iterator[tuple[str, Any]]:
    """Yield the key of each fit, with its detector and its data."""
    for seed in range(seeds):
        for name in DATA:
            for detector_name, cls in all_detectors().items():
                if KINDS[name] not in cls.kinds:
                    continue
                # A tenth of 182 digits would be too few to hold out.
                detector = cls(calibration_fraction=0.2, random_state=seed)
                yield json.dumps(["sound", name, detector_name, seed]), (detector, name)


def planted(seeds: int) -> Iterator[tuple[str, Any]]:
    """Yield faulty detectors on rows of dependent columns."""
    import test_health_checks

    for seed in range(seeds):
        for cls, fault in test_health_checks.FAULTS.items():
            detector = cls(
                max_steps=60,
                width=8,
                latent_dim=4,
                calibration_fraction=0.5,
                random_state=seed,
            )
            yield json.dumps(["planted", fault, cls.__name__, seed]), (detector, "correlated")


def correlated() -> np.ndarray:
    """Return 600 rows of four dependent columns."""
    rng = np.random.default_rng(0)
    return rng.normal(size=(600, 2)) @ rng.normal(size=(2, 4)) + 0.1 * rng.normal(size=(600, 4))


def measure(detector: Any, X: np.ndarray) -> dict[str, Any]:
    """Fit, and return the findings and the times."""
    from oddgan.estimator import detector as module

    examine_seconds = [0.0]
    examine = module.examine

    def timed(*args: Any) -> Any:
        start = time.process_time()
        checks = examine(*args)
        examine_seconds[0] = time.process_time() - start
        return checks

    module.examine = timed
    start = time.process_time()
    try:
        detector.fit(X)
    finally:
        module.examine = examine
    seconds = time.process_time() - start
    findings = [[check.name, check.severity, check.value] for check in detector.health_]
    return {"found": findings, "seconds": seconds, "examined_in": examine_seconds[0]}


def tables(done: dict[str, dict[str, Any]]) -> str:
    """Return both tables."""
    hits_by_fault: dict[str, list[bool]] = {}
    sound_results: dict[tuple[str, str], list[dict[str, Any]]] = {}
    for key, result in done.items():
        kind, subject, detector_name, _ = json.loads(key)
        if kind == "planted":
            hit = subject in [name for name, *_ in result["found"]]
            hits_by_fault.setdefault(subject, []).append(hit)
        else:
            sound_results.setdefault((detector_name, subject), []).append(result)
    lines = ["| planted fault | found |", "|---|---:|"]
    lines += [f"| {fault} | {sum(hits)} of {len(hits)} |" for fault, hits in hits_by_fault.items()]
    lines += ["", "| detector | data | fits with a finding | found | share of the fit's time |"]
    lines += ["|---|---|---:|---|---:|"]
    for (detector_name, data), results in sorted(sound_results.items()):
        findings = [entry for r in results for entry in r["found"]]
        names = sorted({f"{name} ({severity})" for name, severity, _ in findings})
        share = np.median([r["examined_in"] / r["seconds"] for r in results])
        n = sum(bool(r["found"]) for r in results)
        cells = f"{n} of {len(results)} | {', '.join(names)} | {share:.1%}"
        lines.append(f"| {detector_name} | {data} | {cells} |")
    return "\n".join(lines)


def main() -> None:
    """Run the missing fits, and print the tables."""
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
