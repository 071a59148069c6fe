"""What stands around the tables: what was run, what is missing, sources and definitions."""

import json
from collections.abc import Mapping, Sequence
from typing import Any, cast

import pandas as pd

from oddgan.evaluation.metrics import METRICS

from .figures import LABELS, PROMISED, Figures, publications
from .report import Report, Section


def opening(report: Report) -> list[str]:
    """Return what stands above the tables."""
    quick = (
        "Quick size: shorter training, smaller networks, fewer rows, seeds, tasks or methods than "
        "the experiment has in full."
    )
    return [part for part in (report.about, quick if report.size == "quick" else "") if part]


def sections(report: Report, frame: pd.DataFrame) -> list[Section]:
    """Return what stands below the tables; sections without a line are left out."""
    figures = Figures(report, frame)
    found = [
        Section("Not complete", tuple(_missing(figures))),
        Section("Failed", tuple(_failures(figures.frame))),
        Section("Protocols", tuple(_protocols(report))),
        Section("Published numbers", tuple(_sources(report))),
        Section(
            "Faults", (*(f"{k}: {v}" for k, v in report.faults.items()), *_told(figures.frame))
        ),
        Section("Figures", tuple(_legend(figures))),
        Section("Run", tuple(_run(figures.frame))),
        Section("Command", (report.command,) if report.command else (), code=True),
    ]
    return [section for section in found if section.lines]


def _missing(figures: Figures) -> list[str]:
    planned = figures.report.planned
    missing = sum(max(0, n - len(figures.lines(*key))) for key, n in planned.items())
    total = sum(planned.values())
    return [f"{missing} of {total} results are missing (–): not run yet."] if missing else []


def _failures(frame: pd.DataFrame) -> list[str]:
    """List what went wrong, each cause once, with the cells that it befell."""
    failed: dict[str, list[str]] = {}
    for line in _one_for_each_cell(frame[frame["status"] == "failed"]):
        failed.setdefault(line["error"], []).append(_cell(line))
    return [f"{_few(cells)}: {error}" for error, cells in failed.items()]


def _few(cells: Sequence[str], most: int = 3) -> str:
    more = len(cells) - most
    return "; ".join(cells[:most]) + (f"; and {more} more" if more > 0 else "")


def _told(frame: pd.DataFrame) -> list[str]:
    """List what faults noted about what they did."""
    told = frame[frame["told"].fillna("") != ""]
    return [f"{_cell(line)}: {line['told']}" for line in _one_for_each_cell(told)]


def _one_for_each_cell(frame: pd.DataFrame) -> list[dict[str, Any]]:
    lines = frame.drop_duplicates(["method", "task", "seed", "faults"])
    return cast("list[dict[str, Any]]", lines.to_dict("records"))


def _cell(line: Mapping[str, Any]) -> str:
    faults = f", with {line['faults']}" if line["faults"] else ""
    return f"{line['method']} on {line['task']}, seed {line['seed']}{faults}"


def _protocols(report: Report) -> list[str]:
    stated = [
        f"{task}: {report.protocols[task]}" for task in report.tasks if task in report.protocols
    ]
    return [*stated, *([f"Subsampled: {report.limits}."] if report.limits else [])]


def _sources(report: Report) -> list[str]:
    """Say of each source, by number, what it is, how well its numbers are known, and their notes.

    Methods of which the same is to be said are named together.
    """
    sources: dict[str, dict[str, list[str]]] = {}
    for publication in publications(report):
        records = [record for found in publication.values.values() for record in found]
        head = f"[{publication.number}] {_sentence(publication.cite)}"
        said = sources.setdefault(" ".join([head, _sentence(records[0]["source_note"])]), {})
        for record in records:
            for text in (_provenance(record), record["note"]):
                methods = said.setdefault(text, [])
                if record["method"] not in methods:
                    methods.append(record["method"])
    return [
        " ".join(
            [
                head.strip(),
                *(_sentence(f"{', '.join(m)}: {text}") for text, m in said.items() if text),
            ]
        )
        for head, said in sources.items()
    ]


def _provenance(record: Mapping[str, Any]) -> str:
    """Say from whom a number is known, and how surely; nothing if it was simply read."""
    via, confidence = str(record["via"]), record["confidence"]
    if not (via or confidence):
        return ""
    said = [str(record["provenance"])]
    if via:
        said.append(via if via.startswith("read in") else f"via {via}")
    if confidence:
        said.append(f"{confidence} confidence in the memory")
    return ", ".join(said)


def _sentence(text: str) -> str:
    return text if not text or text.endswith(".") else f"{text}."


def _legend(figures: Figures) -> list[str]:
    labels = {**LABELS, **PROMISED}
    shown = [m for m in labels if any(figures.has(m, task) for task in figures.report.tasks)]
    return [
        (
            "±: sample standard deviation over seeds; (3 of 5): seeds that finished, where some "
            "did not, of a mean on the task that lacks most; –: not run yet; empty: does not "
            "apply. A mean over tasks is given where every task has a result; (our mean): of "
            "published values; none of them is printed."
        ),
        *(f"{labels[metric]}: {METRICS[metric]}" for metric in shown),
    ]


def _run(frame: pd.DataFrame) -> list[str]:
    versions: dict[str, set[str]] = {}
    for text in frame["versions"].dropna().unique():
        for name, version in json.loads(text).items():
            versions.setdefault(name, set()).add(version)
    facts = {
        "versions": [f"{name} {' and '.join(sorted(v))}" for name, v in sorted(versions.items())],
        "measured": sorted(frame["when"].dropna().unique()),
        "threads": [str(n) for n in sorted(frame["threads"].dropna().unique())],
        "device": sorted(frame["device"].dropna().unique()) if "device" in frame else [],
    }
    said = [f"{what}: {', '.join(values)}" for what, values in facts.items() if values]
    return [*said, *_unlike(frame)]


def _unlike(frame: pd.DataFrame) -> list[str]:
    """Name the cells that were measured by each version of OddGAN, where it was not one."""
    cells: dict[str, list[str]] = {}
    for line in _one_for_each_cell(frame[frame["versions"].notna()]):
        cells.setdefault(json.loads(line["versions"])["oddgan"], []).append(_cell(line))
    if len(cells) < 2:
        return []
    said = (f"{v} measured {len(those)} ({_few(those)})" for v, those in sorted(cells.items()))
    return [f"Results are of different versions of oddgan: {', '.join(said)}."]
