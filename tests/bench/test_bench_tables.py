"""Tables from results of cells: each cell of a table by hand, on small experiments."""

import json
import math
from collections import Counter
from dataclasses import replace
from html.parser import HTMLParser

import numpy as np
import pandas as pd
import pytest
from rich.console import Console

from oddgan.bench.page import html
from oddgan.bench.remarks import sections
from oddgan.bench.report import Report
from oddgan.bench.results import tidy, write_parquet
from oddgan.bench.tables import markdown, quality, tables, terminal
from oddgan.evaluation.metrics import evaluate_scores


def result(row, seed=0, *, task="cardio", faults=(), error=None, fit=2.0, **metrics):
    """Return a result as in its JSON file; `row` may be a list with one row per score."""
    rows = [row] if isinstance(row, str) else row
    several = len(rows) > 1
    kind = "detector" if rows[0][0].isupper() else "baseline"
    cell = {
        "task": {"title": task, "data": task, "load": {}, "protocol": {"name": "labelled"}},
        "method": {
            "title": rows[0].split()[0] if several else rows[0],
            "kind": kind,
            "name": rows[0].lower(),
            "params": {"max_steps": 10},
            "scores": [r.split()[1] for r in rows] if several else [""],
        },
        "seed": seed,
        "faults": list(faults),
    }
    if error:
        return {"cell": cell, "status": "failed", "error": error}
    auroc = metrics.get("auroc", 0.5)
    return {
        "cell": cell,
        "status": "done",
        "rows": [
            {
                "title": r,
                "score": r.split()[-1] if several else "",
                "metrics": {"n": 100, "prevalence": 0.2, **metrics},
                "intervals": {"auroc": [auroc - 0.1, auroc + 0.05]},
            }
            for r in rows
        ],
        "statement": {"n_train": 300, "n_test": 100, "prevalence": 0.2},
        "fit_seconds": fit,
        "score_seconds": 0.5,
        "peak_mib": 400.0 + seed,
        "versions": {"oddgan": "0.1.0"},
        "threads": 1,
        "when": "2026-11-22",
        "told": "",
    }


def report(results, tasks=("cardio",), **changes):
    """Describe an experiment in which exactly these cells were planned."""
    titles = list(dict.fromkeys(tidy(results)["row"]))
    description = Report(
        title="Small",
        about="Made up.",
        headline=("auroc",),
        tasks=tasks,
        rows=tuple(t for t in titles if t[0].isupper()),
        others=tuple(t for t in titles if not t[0].isupper()),
        planned=Counter((line.row, line.task, line.faults) for line in tidy(results).itertuples()),
        command="oddgan bench small",
    )
    return replace(description, **changes)


def published(row, value, **changes):
    """Return a published record as from `describe`."""
    record = {"row": row, "method": "EGBAD sigma", "task": "cardio", "metric": "auroc"}
    facts = {"data": "cardio", "over": None, "whole": False, "own": True, "decimals": 2}
    source = {"provenance": "read", "via": "", "confidence": None, "cite": "Zenati 2018"}
    fields = {"value": value, "sd": None, "source_note": "", "note": ""}
    return {**record, **facts, **source, **fields, **changes}


def grid(title, about, results):
    grids = [g for g in tables(about, tidy(results)) if g.title == title]
    assert len(grids) == 1, [g.title for g in tables(about, tidy(results))]
    return grids[0]


def cells_by_row(table):
    """Return titles and cells as a dict; columns by name."""
    return {r.title: dict(zip(table.columns, r.cells, strict=False)) for r in table.rows}


# Results as one table.


def test_a_cell_becomes_one_line_for_each_score():
    frame = tidy([result(["EGBAD sigma", "EGBAD fm"], auroc=0.9)])
    assert frame["row"].tolist() == ["EGBAD fm", "EGBAD sigma"]
    assert frame["method"].tolist() == ["EGBAD"] * 2
    assert frame["score"].tolist() == ["fm", "sigma"]
    line = frame.iloc[0]
    assert (line["auroc"], line["n_test"], line["fit_seconds"]) == (0.9, 100, 2.0)
    assert (line["auroc_low"], line["auroc_high"]) == pytest.approx((0.8, 0.95))
    assert json.loads(line["params"]) == {"max_steps": 10}
    assert math.isnan(line["aupro"])


def test_a_failed_cell_keeps_the_rows_it_would_have_had():
    frame = tidy([result(["EGBAD sigma", "EGBAD fm"], error="out of memory")])
    assert frame["row"].tolist() == ["EGBAD fm", "EGBAD sigma"]
    assert frame["error"].tolist() == ["out of memory"] * 2
    assert frame["auroc"].isna().all()


def test_columns_and_types_do_not_depend_on_what_finished():
    metrics = evaluate_scores([0, 0, 1], [0.0, 1.0, 2.0]).as_dict()
    frames = [
        tidy(results)
        for results in (
            [],
            [result("EGBAD", error="no such column")],
            [result("EGBAD", **metrics), result("EGBAD", 1, error="no such column")],
        )
    ]
    for frame in frames[1:]:
        pd.testing.assert_series_equal(frame.dtypes, frames[0].dtypes)
    assert frames[2]["threshold"].dtype == float
    assert frames[0]["row"].dtype == "string"


def test_results_go_through_files(tmp_path):
    results = [result("EGBAD", seed, auroc=0.9) for seed in (1, 0)]
    write_parquet(tidy(results), tmp_path / "results.parquet")
    assert [p.name for p in tmp_path.iterdir()] == ["results.parquet"]
    back = pd.read_parquet(tmp_path / "results.parquet")
    assert back["seed"].tolist() == [0, 1]
    assert back.columns.tolist() == tidy([]).columns.tolist()


# Tables of figures.


def test_a_cell_is_mean_and_sample_standard_deviation_over_seeds():
    results = [result("EGBAD", seed, auroc=a) for seed, a in enumerate((0.8, 0.9))]
    results.append(result("isolation forest", auroc=0.7))
    table = cells_by_row(grid("AUROC", report(results), results))
    # (.9 - .8) / sqrt 2
    assert table["EGBAD"] == {"cardio": ".8500 ±.071", "seeds": "2"}
    assert table["isolation forest"] == {"cardio": ".7000", "seeds": "1"}


def test_the_mean_over_tasks_is_taken_seed_by_seed():
    values = {("cardio", 0): 0.8, ("cardio", 1): 0.9, ("pima", 0): 0.7, ("pima", 1): 0.4}
    results = [result("EGBAD", s, task=t, auroc=a) for (t, s), a in values.items()]
    about = report(results, ("cardio", "pima"))
    # .75 and .65
    assert cells_by_row(grid("AUROC", about, results))["EGBAD"]["mean over tasks"] == ".7000 ±.071"
    # With a seed less on one task seeds do not pair: .85 and .70.
    table = cells_by_row(grid("AUROC", about, [r for r in results if r != results[3]]))
    assert table["EGBAD"]["mean over tasks"] == ".7750 (1 of 2)"
    assert (table["EGBAD"]["pima"], table["EGBAD"]["seeds"]) == (".7000 (1 of 2)", "1–2")
    # Nor is the mean whole if all tasks lack the same seed.
    short = [r for r in results if r["cell"]["seed"] == 0]
    table = cells_by_row(grid("AUROC", about, short))
    assert table["EGBAD"]["mean over tasks"] == ".7500 (1 of 2)"


def test_failed_missing_and_not_planned_are_distinct():
    tasks = ("cardio", "pima", "thyroid")
    done = [result("EGBAD", task="cardio", auroc=0.8), result("ALAD", task="cardio", auroc=0.7)]
    failed = result("EGBAD", task="pima", error="the loss | is NaN")
    missing = result("EGBAD", task="thyroid", auroc=0.1)
    about = report([*done, failed, missing], tasks)
    results = [*done, failed]
    table = cells_by_row(grid("AUROC", about, results))
    assert list(table["EGBAD"].values()) == [".8000", "failed", "–", "–", "0–1"]
    assert list(table["ALAD"].values()) == [".7000", "", "", "", "1"]
    text = markdown(about, tidy(results))
    assert "- 1 of 4 results are missing" in text
    assert "- EGBAD on pima, seed 0: the loss | is NaN" in text
    assert "Failed" not in markdown(about, tidy([*done, missing]))


def test_nothing_finished_is_a_table_too():
    about = report([result("EGBAD", auroc=0.5)])
    assert cells_by_row(grid("AUROC", about, []))["EGBAD"] == {"cardio": "–", "seeds": "0"}
    assert "1 of 1 results" in html(about, tidy([]))


def test_two_results_for_one_cell_are_refused():
    results = [result("EGBAD", auroc=0.8), result("EGBAD", auroc=0.9)]
    with pytest.raises(ValueError, match="EGBAD on cardio with seed 0 has two results"):
        markdown(report(results), tidy(results))


def test_published_values_are_below_ours_and_the_others_separate():
    results = [result("EGBAD", auroc=0.8), result("ALAD", auroc=0.7), result("pca", auroc=0.6)]
    records = (
        published("EGBAD", 0.94, sd=0.044, decimals=3),
        published("EGBAD", 0.92, provenance="impossible", cite="Someone 2020"),
        published(None, 0.5, method="AnoGAN", decimals=4),
    )
    about = report(results, rows=("EGBAD", "ALAD"), published=records)
    table = grid("AUROC", about, results)
    assert [(r.title, r.kind, *r.cells[:1]) for r in table.rows] == [
        ("EGBAD", "normal", ".8000"),
        ("published (read) [1]", "published", ".940 ±.044"),
        ("published (impossible) [2]", "published", ".92"),
        ("ALAD", "normal", ".7000"),
        ("baselines and third-party detectors", "heading"),
        ("pca", "baseline", ".6000"),
        ("published, not run here", "heading"),
        ("AnoGAN (read) [1]", "published", ".5000"),
    ]
    assert "- [2] Someone 2020" in markdown(about, tidy(results))


def test_a_printed_mean_is_compared_only_if_it_is_over_these_tasks():
    tasks = ("mnist 0", "mnist 1")
    results = [result("EGBAD", task=t, auroc=0.8) for t in tasks]
    mean = {"task": None, "data": "mnist", "over": 2, "whole": True, "decimals": 3}

    def row(*records, **changes):
        about = report(results, tasks, published=records, **changes)
        published_row = grid("AUROC", about, results).rows[1]
        return published_row.title, *published_row.cells[:3]

    numbers = [published("EGBAD", v, task=t) for t, v in zip(tasks, (0.9, 0.7), strict=True)]
    printed = published("EGBAD", 0.81, **mean)
    title = "published (read) [1]"
    assert row(*numbers, printed) == (title, ".90", ".70", ".810")
    assert row(*numbers, printed, size="quick") == (title, ".90", ".70", ".810")
    assert row(printed) == (title, "", "", ".810")
    # Over other classes, or for other data, it is in the title.
    other = published("EGBAD", 0.913, **{**mean, "over": 10, "whole": False})
    title_with_mean = f"{title}; mean over 10 classes of mnist printed: .913"
    assert row(*numbers, other) == (title_with_mean, ".90", ".70", "")
    more = published("EGBAD", 0.6, **{**mean, "data": "cifar-10", "over": 10, "whole": False})
    assert (
        row(other, more)[0] == f"{title_with_mean}; mean over 10 classes of cifar-10 printed: .600"
    )


def test_values_printed_one_by_one_have_a_mean_only_if_they_are_all_there():
    tasks = ("mnist 0", "mnist 1")
    results = [result("EGBAD", task=t, auroc=0.8) for t in tasks]

    def cells(is_whole, values):
        records = [
            published("EGBAD", v, task=t, sd=0.01, whole=is_whole)
            for t, v in zip(tasks, values, strict=False)
        ]
        about = report(results, tasks, published=tuple(records))
        return grid("AUROC", about, results).rows[1].cells[:3]

    assert cells(True, (0.9, 0.68)) == (".90 ±.01", ".68 ±.01", ".79 (our mean)")
    # Some classes of a table of more, or tasks that are not all in the table.
    assert cells(False, (0.9, 0.68)) == (".90 ±.01", ".68 ±.01", "")
    assert cells(True, (0.9,)) == (".90 ±.01", "", "")


def test_prevalence_is_below_average_precision():
    tasks = ("cardio", "pima")
    results = [
        result("EGBAD", task="cardio", average_precision=0.8),
        result("EGBAD", task="pima", average_precision=0.6, prevalence=0.3),
        result("ALAD", task="pima", average_precision=0.6, prevalence=0.4),
    ]
    about = report(results, tasks, headline=("average_precision",))
    last = grid("Average precision", about, results).rows[-1]
    assert (last.title, last.kind) == ("prevalence", "prevalence")
    assert last.cells == (".2000", ".3000–.4000", ".2750", "")


def test_intervals_are_means_of_the_bounds():
    results = [result("EGBAD", seed, auroc=a) for seed, a in enumerate((0.8, 0.9))]
    # .7 and .8; .85 and .95
    table = cells_by_row(grid("AUROC: intervals", report(results), results))
    assert table["EGBAD"]["cardio"] == ".7500 to .9000"


def test_promised_rates_are_shown_with_those_observed():
    results = [
        result("EGBAD", seed, task=task, fpr_at_5=value, fdr_at_10=0.0)
        for task in ("cardio", "letter")
        for seed, value in enumerate((0.04, 0.06))
    ]
    for line in results:
        value = line["rows"][0]["metrics"]["fpr_at_5"]
        line["rows"][0]["intervals"]["fpr_at_5"] = [value - 0.01, value + 0.03]
    results += [result("VAE", task="cardio"), result("pca", task="cardio")]
    table = grid("Promises kept", report(results, ("cardio", "letter")), results)
    assert table.columns == ("FPR, promised 5 %", "FDR, promised 10 %")
    observed = (
        ".0500 ±.014 (.0400 to .0800)",
        ".0000 ±.000",
    )  # without bounds where none are known
    assert [(r.title, r.kind, r.cells) for r in table.rows] == [
        ("cardio", "heading", ()),
        ("EGBAD", "normal", observed),
        ("letter", "heading", ()),
        ("EGBAD", "normal", observed),
    ]
    assert "Promises kept" in markdown(report(results, ("cardio", "letter")), tidy(results))
    without = [result("EGBAD", auroc=0.6)]
    assert "Promises kept" not in [g.title for g in tables(report(without), tidy(without))]


def test_all_metrics_leave_out_what_no_row_has():
    values = evaluate_scores([0, 0, 1], [0.0, 1.0, 2.0]).as_dict()
    results = [result("EGBAD", **values), result("pca", auroc=0.6, aupro=0.3)]
    table = grid("All metrics: cardio", report(results), results)
    oracle = "oracle F1 (chosen on the test labels)"
    assert {"AUROC", "AUPRC", "FPR at 95 % TPR", "F1 rate", oracle, "AUPRO"} <= {*table.columns}
    assert "F1 own" not in table.columns  # no threshold
    assert "pixel AUROC" not in table.columns
    table = cells_by_row(table)
    assert (table["EGBAD"]["AUPRO"], table["pca"]["AUPRO"]) == ("", ".3000")
    assert table["EGBAD"]["FPR at 95 % TPR"] == ".0000"
    four = tuple("abcd")
    results = [result("EGBAD", task=t, auroc=0.8) for t in four]
    titles = [g.title for g in quality(report(results, four), tidy(results))]
    assert [t for t in titles if t.startswith("All")] == ["All metrics: mean over tasks"]


# Faults, comparisons, costs.


def test_shares_that_faults_explain():
    faulty = [(("leak",), 0.85), (("unscaled",), 0.7), (("unscaled", "leak"), 1.0)]
    results = [
        result("EGBAD", auroc=0.8),
        *(result("EGBAD", faults=f, auroc=a) for f, a in faulty),
        result("ALAD", auroc=0.895),
        result("ALAD", faults=["leak"], auroc=0.99),
        result("VAE", auroc=0.3),
    ]
    records = (published("EGBAD", 0.9), published("ALAD", 0.9))
    about = report(results, published=records, faults={"leak": "It leaks."})
    name = "AUROC: with the faults of the papers' code"
    rows = {row.title: row.cells for row in grid(name, about, results).rows}
    common = ("cardio", ".90 (read) [1]", ".8000", "+.1000")
    expected = (".8500", "50 %", ".7000", "-100 %", "1.0000", "200 %")
    assert rows["EGBAD"] == (*common, *expected)
    assert rows["ALAD"][2:] == (".8950", "within .01", ".9900", "", "", "", "", "")
    assert "VAE" not in rows
    # Results with faults are in no other table.
    assert cells_by_row(grid("AUROC", about, results))["EGBAD"]["cardio"] == ".8000"
    assert "leak: It leaks." in markdown(about, tidy(results))


def test_faults_cannot_explain_an_impossible_number():
    results = [result("EGBAD", auroc=0.8), result("EGBAD", faults=["leak"], auroc=0.85)]
    about = report(results, published=(published("EGBAD", 0.9, provenance="impossible"),))
    row = grid("AUROC: with the faults of the papers' code", about, results).rows[0]
    assert row.cells == ("cardio", ".90 (impossible) [1]", ".8000", "", ".8500", "")


FAULTS = "AUROC: with the faults of the papers' code"


def test_only_a_papers_own_numbers_are_explained_by_its_faults():
    results = [result("EGBAD", auroc=0.8), result("EGBAD", faults=["leak"], auroc=0.85)]
    issue = published("EGBAD", 0.99, own=False, cite="Issue 7")
    about = report(results, published=(issue,))
    assert grid(FAULTS, about, results).rows[0].cells == ("cardio", "–", ".8000", "", ".8500", "")
    about = report(results, published=(issue, published("EGBAD", 0.9)))
    cells = grid(FAULTS, about, results).rows[0].cells
    assert cells == ("cardio", ".90 (read) [2]", ".8000", "+.1000", ".8500", "50 %")


def test_a_gap_within_the_spread_of_the_seeds_is_not_explained():
    def cells(aurocs):
        results = [result("EGBAD", s, auroc=a) for s, a in enumerate(aurocs)]
        results.append(result("EGBAD", faults=["leak"], auroc=0.85))
        about = report(results, published=(published("EGBAD", 0.9),))
        return grid(FAULTS, about, results).rows[0].cells[2:]

    # Means of .85, .05 away; standard deviations of .071 and .042.
    assert cells((0.8, 0.9)) == (".8500 ±.071", "within the spread", ".8500", "")
    assert cells((0.82, 0.88)) == (".8500 ±.042", "+.0500", ".8500", "0 %")


def test_faults_have_a_line_for_each_task_that_they_were_run_on():
    tasks = ("cardio", "pima")
    results = [result("EGBAD", task=t, auroc=0.8) for t in tasks]
    results.append(result("EGBAD", task="pima", faults=["leak"], auroc=0.85))
    about = report(results, tasks)
    assert [row.cells[0] for row in grid(FAULTS, about, results).rows] == ["pima"]
    results.append(result("EGBAD", task="cardio", faults=["leak"], auroc=0.85))
    table = grid(FAULTS, report(results, tasks), results)
    assert [row.cells[0] for row in table.rows] == ["cardio", "pima", "mean over tasks"]
    assert "shorter training" not in table.note
    assert "shorter training" in grid(FAULTS, report(results, tasks, size="quick"), results).note


def test_methods_are_compared_over_five_tasks():
    tasks = tuple("abcde")
    ours, theirs = (0.9, 0.8, 0.7, 0.6, 0.5), (0.8, 0.7, 0.6, 0.5, 0.5)
    results = [result("EGBAD", task=t, auroc=a) for t, a in zip(tasks, theirs, strict=True)]
    results += [result("ALAD", task=t, auroc=a) for t, a in zip(tasks, ours, strict=True)]
    results.append(result("VAE", task="a", auroc=0.9))
    table = grid("AUROC: who is better over the tasks", report(results, tasks), results)
    assert [row.title for row in table.rows] == ["1. ALAD", "2. EGBAD"]
    # Four first ranks and one shared; p as SciPy's signed ranks have it, one pair only.
    assert table.rows[0].cells[0] == "1.10"
    assert table.rows[0].cells[2].startswith("0.90 (")
    assert table.rows[1].cells[1].startswith("0.10 (")
    assert "Left out, because a task has no result: VAE." in table.note
    fewer = [g.title for g in tables(report(results, tasks[:4]), tidy(results))]
    assert not [t for t in fewer if "who is better" in t]


def test_smaller_error_rates_are_better():
    tasks = tuple("abcde")
    results = [result("EGBAD", task=t, fpr_at_95_tpr=0.3) for t in tasks]
    results += [result("ALAD", task=t, fpr_at_95_tpr=0.2) for t in tasks]
    about = report(results, tasks, headline=("fpr_at_95_tpr",))
    table = grid("FPR at 95 % TPR: who is better over the tasks", about, results)
    assert [row.title for row in table.rows] == ["1. ALAD", "2. EGBAD"]
    assert table.rows[0].cells[2].startswith("1.00 (")


def test_costs_are_multiples_of_the_first_method():
    results = [
        result(["EGBAD sigma", "EGBAD fm"], fit=2.0),
        result(["EGBAD sigma", "EGBAD fm"], 1, fit=4.0),
        result("ALAD", fit=9.0),
        result("minus", fit=None),
    ]
    about = report(results, rows=("EGBAD sigma", "EGBAD fm", "ALAD"), others=("minus",))
    table = grid("Costs", about, results)
    assert table.columns == ("fit", "scoring", "fit and scoring, s", "peak MiB")
    assert [(r.title, *r.cells) for r in table.rows] == [
        ("EGBAD", "1", "1", "", "401"),
        ("ALAD", "3", "1", "", "400"),
        ("minus", "", "", "0.50", "400"),
    ]
    # .5 s for 100 samples
    assert "EGBAD needs 3.00 s to fit and 5,000 ms to score 1,000 samples" in table.note
    assert "Baselines and third-party detectors fit and score in one" in table.note


def test_costs_of_baselines_alone_are_compared_with_no_detector():
    results = [result("minus", task=t, fit=None) for t in ("cardio", "pima")]
    results[1]["score_seconds"] = 2.0
    table = grid("Costs", report(results, ("cardio", "pima")), results)
    assert table.rows[0].cells == ("", "", "0.50–2.00", "400")
    assert "multiples" not in table.note


# What stands around the tables.


def section(about, frame, title):
    """Return the lines of a section of the report."""
    return next(s.lines for s in sections(about, frame) if s.title == title)


def test_a_source_is_one_line_with_how_its_numbers_are_known():
    def record(method, value, **changes):
        return published(None, value, method=method, source_note="The code leaks", **changes)

    records = (
        record("EGBAD", 0.9),
        record("ALAD", 0.8, provenance="quoted", via="DAGMM", note="Copied."),
        record("VAE", 0.7, provenance="quoted", via="DAGMM", note="Copied."),
        record("GMM", 0.7, provenance="recalled", confidence="low"),
        record("DCN", 0.7, provenance="impossible", via="read in DAGMM itself"),
        published(None, 0.6, method="PAE", cite="Someone 2020"),
    )
    results = [result("EGBAD", auroc=0.8)]
    assert section(report(results, published=records), tidy(results), "Published numbers") == (
        (
            "[1] Zenati 2018. The code leaks. ALAD, VAE: quoted, via DAGMM. ALAD, VAE: Copied. "
            "GMM: recalled, low confidence in the memory. DCN: impossible, read in DAGMM itself."
        ),
        "[2] Someone 2020.",
    )


def test_the_run_says_devices_and_what_other_versions_measured():
    results = [result("EGBAD", seed, auroc=0.8) for seed in range(3)]
    lines = section(report(results), tidy(results), "Run")
    assert not any("different versions" in line or "device" in line for line in lines)
    results[1]["versions"] = {"oddgan": "0.2.0"}
    frame = tidy(results).assign(device=["cpu", "NVIDIA H200", "cpu"])
    lines = section(report(results), frame, "Run")
    assert "device: NVIDIA H200, cpu" in lines
    assert lines[-1] == (
        "Results are from different versions of oddgan: 0.1.0 measured 2 (EGBAD on cardio, seed 0; "
        "EGBAD on cardio, seed 2), 0.2.0 measured 1 (EGBAD on cardio, seed 1)."
    )


# As text.


def rich_example():
    tasks = tuple("abcde")
    rng = np.random.default_rng(0)
    results = [
        result(row, seed, task=task, auroc=float(rng.random()), fit=float(rng.random()))
        for row in ("EGBAD <b>|x", "ALAD", "pca")
        for task in tasks
        for seed in range(2)
    ]
    results += [result("ALAD", seed, faults=["leak"], task="a", auroc=0.9) for seed in range(2)]
    record = published("ALAD", 0.9, task="a", cite="Zenati, https://arxiv.org/abs/1802.06222")
    about = report(results, tasks, title="A <b>title", published=(record,), size="quick")
    return about, results


def test_neither_the_order_of_results_nor_their_times_change_the_tables_of_quality():
    about, results = rich_example()
    slower = [{**r, "fit_seconds": 7.0, "score_seconds": 7.0, "peak_mib": 9} for r in results]
    assert quality(about, tidy(results)) == quality(about, tidy(slower[::-1]))
    shuffled = tidy(results).sample(frac=1, random_state=0)
    assert markdown(about, tidy(results)) == markdown(about, shuffled)
    assert html(about, tidy(results)) == html(about, shuffled)


def test_every_line_of_a_table_has_its_columns():
    about, results = rich_example()
    for table in tables(about, tidy(results)):
        lengths = {len(row.cells) for row in table.rows if row.kind != "heading"}
        assert lengths == {len(table.columns)}, table.title
    for block in markdown(about, tidy(results)).split("\n\n"):
        if block.startswith("|"):
            bars = [line.replace("\\|", "").count("|") for line in block.splitlines()]
            assert len({*bars}) == 1, block


def test_markdown_marks_published_values_and_keeps_text_as_text():
    about, results = rich_example()
    text = markdown(about, tidy(results))
    assert "# A &lt;b&gt;title\n" in text
    assert "| EGBAD &lt;b&gt;\\|x | ." in text
    assert "| *published (read) [1]* | *.90* |  |" in text
    assert "| **baselines and third-party detectors** |" in text
    assert "```\noddgan bench small\n```" in text
    assert "Quick size" in text


class Balanced(HTMLParser):
    """Follows the tags of a page; every one but the void ones must be closed in order."""

    def __init__(self):
        super().__init__()
        self.open, self.seen, self.loads = [], Counter(), []

    def handle_starttag(self, tag, attrs):
        self.seen[tag] += 1
        self.loads += [(tag, k, v) for k, v in attrs if k in ("src", "href", "srcset", "data")]
        if tag not in ("meta", "br"):
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag


def test_the_page_is_well_formed_escaped_and_loads_nothing():
    about, results = rich_example()
    text = html(about, tidy(results))
    page = Balanced()
    page.feed(text)
    page.close()
    assert page.open == []
    assert page.loads == []
    assert not {"script", "link", "img", "iframe", "b"} & page.seen.keys()
    assert "url(" not in text
    assert "@import" not in text
    n_tables = len(tables(about, tidy(results)))
    assert page.seen["table"] == page.seen["caption"] == n_tables
    assert "<title>A &lt;b&gt;title</title>" in text
    assert "https://arxiv.org/abs/1802.06222" in text
    assert '<th scope="row">EGBAD &lt;b&gt;|x</th>' in text


def test_the_terminal_shows_the_headline_and_no_markup_of_titles():
    results = [result("EGBAD [red]x", seed, auroc=a) for seed, a in enumerate((0.8, 0.9))]
    console = Console(width=80, record=True, file=None, quiet=False)
    with console.capture() as got:
        console.print(terminal(report(results), tidy(results)))
    lines = got.get().splitlines()
    assert any("EGBAD [red]x" in line and ".8500" in line for line in lines)
    assert any("±.071" in line for line in lines)
    assert all(len(line) <= 80 for line in lines)


def test_the_terminal_shows_only_means_of_many_tasks():
    tasks = tuple(f"task {i}" for i in range(12))
    results = [result("EGBAD", task=t, auroc=0.8) for t in tasks]
    console = Console(width=80)
    with console.capture() as got:
        console.print(terminal(report(results, tasks), tidy(results)))
    assert "task 3" not in got.get()
    assert ".8000" in got.get()
    assert "12 tasks" in got.get()


def test_the_terminal_shows_faults_one_by_one():
    results = [result("EGBAD", seed, auroc=a) for seed, a in enumerate((0.79, 0.81))]
    for faults, auroc in ((("leak",), 0.85), (("unscaled",), 0.7), (("unscaled", "leak"), 0.9)):
        results.append(result("EGBAD", faults=faults, auroc=auroc))
    about = report(results, published=(published("EGBAD", 0.9),))
    console = Console(width=80)
    with console.capture() as got:
        console.print(terminal(about, tidy(results)))
    text = got.get()
    assert text.count("with the faults of the papers' code") == 3
    assert [text.count(f"{share} %") for share in (50, -100, 100)] == [1, 1, 2]
    assert "(read) [1]" in text
    assert " ".join(text.split()).count("Right: without faults.") == 1
    assert all(len(line) <= 80 for line in text.splitlines())
