"""Text around the tables: what was run, what is missing, sources and definitions."""

import json
from collections.abc import Mapping, Sequence
from typing import Any, cast

import pandas as pd

from oddgan.evaluation.metrics import METRICS

from .figures import LABELS, PROMISED, Figures, publications
from .report import Report, Section


def opening(report: Report) -> list[str]:
    """Return the paragraphs above the tables."""
    quick = (
        "Quick size: shorter training, smaller networks, fewer rows, seeds, tasks or methods than "
        "the full size."
    )
    return [part for part in (report.about, quick if report.size == "quick" else "") if part]


def sections(report: Report, frame: pd.DataFrame) -> list[Section]:
    """Return the sections below the tables; empty sections are left out."""
    figures = Figures(report, frame)
    candidates = [
        Section("Not complete", tuple(_missing(figures))),
        Section("Failed", tuple(_failures(figures.frame))),
        Section("Protocols", tuple(_protocols(report))),
        Section("Published numbers", tuple(_sources(report))),
        Section(
            "Faults",
            (*(f"{k}: {v}" for k, v in report.faults.items()), *_fault_notes(figures.frame)),
        ),
        Section("Figures", tuple(_legend(figures))),
        Section("Run", tuple(_run(figures.frame))),
        Section("Command", (report.command,) if report.command else (), code=True),
    ]
    return [section for section in candidates if section.lines]


def _missing(figures: Figures) -> list[str]:
    planned = figures.report.planned
    missing = sum(max(0, n - len(figures.lines(*key))) for key, n in planned.items())
    total = sum(planned.values())
    return [f"{missing} of {total} results are missing (–): not run yet."] if missing else []


def _failures(frame: pd.DataFrame) -> list[str]:
    """List each cause of failure once, with the cells that failed."""
    failed: dict[str, list[str]] = {}
    for line in _one_line_per_cell(frame[frame["status"] == "failed"]):
        failed.setdefault(line["error"], []).append(_cell(line))
    return [f"{_few(cells)}: {error}" for error, cells in failed.items()]


def _few(cells: Sequence[str], most: int = 3) -> str:
    more = len(cells) - most
    return "; ".join(cells[:most]) + (f"; and {more} more" if more > 0 else "")


def _fault_notes(frame: pd.DataFrame) -> list[str]:
    """List the notes of faults, such as the epochs that were compared."""
    noted = frame[frame["told"].fillna("") != ""]
    return [f"{_cell(line)}: {line['told']}" for line in _one_line_per_cell(noted)]


def _one_line_per_cell(frame: pd.DataFrame) -> list[dict[str, Any]]:
    lines = frame.drop_duplicates(["method", "task", "seed", "faults"])
    return cast("list[dict[str, Any]]", lines.to_dict("records"))


def _cell(line: Mapping[str, Any]) -> str:
    faults = f", with {line['faults']}" if line["faults"] else ""
    return f"{line['method']} on {line['task']}, seed {line['seed']}{faults}"


def _protocols(report: Report) -> list[str]:
    protocols = [
        f"{task}: {report.protocols[task]}" for task in report.tasks if task in report.protocols
    ]
    return [*protocols, *([f"Subsampled: {report.limits}."] if report.limits else [])]


def _sources(report: Report) -> list[str]:
    """Describe each source by number: citation, provenance of its numbers, and notes.

    Methods with the same note share one sentence.
    """
    sources: dict[str, dict[str, list[str]]] = {}
    for publication in publications(report):
        records = [record for group in publication.values.values() for record in group]
        head = f"[{publication.number}] {_sentence(publication.cite)}"
        notes = sources.setdefault(" ".join([head, _sentence(records[0]["source_note"])]), {})
        for record in records:
            for text in (_provenance(record), record["note"]):
                methods = notes.setdefault(text, [])
                if record["method"] not in methods:
                    methods.append(record["method"])
    return [
        " ".join(
            [
                head.strip(),
                *(_sentence(f"{', '.join(m)}: {text}") for text, m in notes.items() if text),
            ]
        )
        for head, notes in sources.items()
    ]


def _provenance(record: Mapping[str, Any]) -> str:
    """Describe the provenance of a number; empty if it was read in the source itself."""
    via, confidence = str(record["via"]), record["confidence"]
    if not (via or confidence):
        return ""
    phrases = [str(record["provenance"])]
    if via:
        phrases.append(via if via.startswith("read in") else f"via {via}")
    if confidence:
        phrases.append(f"{confidence} confidence in the memory")
    return ", ".join(phrases)


def _sentence(text: str) -> str:
    return text if not text or text.endswith(".") else f"{text}."


def _legend(figures: Figures) -> list[str]:
    labels = {**LABELS, **PROMISED}
    metrics = [m for m in labels if any(figures.has(m, task) for task in figures.report.tasks)]
    return [
        (
            "±: sample standard deviation over seeds; (3 of 5): finished seeds, if some are "
            "missing (for a mean over tasks, on the task that lacks most); –: not run yet; "
            "empty: does not apply. A mean over tasks needs a result on every task; (our mean): "
            "computed from published values, because no mean was printed."
        ),
        *(f"{labels[metric]}: {METRICS[metric]}" for metric in metrics),
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
    lines = [f"{name}: {', '.join(values)}" for name, values in facts.items() if values]
    return [*lines, *_mixed_versions(frame)]


def _mixed_versions(frame: pd.DataFrame) -> list[str]:
    """List the cells by version of OddGAN, if there are several versions."""
    cells: dict[str, list[str]] = {}
    for line in _one_line_per_cell(frame[frame["versions"].notna()]):
        cells.setdefault(json.loads(line["versions"])["oddgan"], []).append(_cell(line))
    if len(cells) < 2:
        return []
    counts = (f"{v} measured {len(names)} ({_few(names)})" for v, names in sorted(cells.items()))
    return [f"Results are from different versions of oddgan: {', '.join(counts)}."]
