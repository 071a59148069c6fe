"""Tables for the terminal and in Markdown."""

import numpy as np
from rich.console import Console

from oddgan.evaluation import (
    evaluate_scores,
    intervals_table,
    markdown_intervals,
    markdown_table,
    results_table,
)

#                  odd       odd                 odd
Y = np.array([0, 1, 0, 1, 0, 0, 0, 1, 0, 0])
S = np.array([0.1, 0.9, 0.8, 0.7, 0.6, 0.5, 0.4, 0.3, 0.2, 0.0])


def test_tables_show_mean_and_spread():
    other = evaluate_scores(Y, -S)
    rows = [("egbad", [evaluate_scores(Y, S, threshold=0.55), other]), ("pca", [other])]
    lines = markdown_table(rows).splitlines()
    assert lines[0].startswith("| method | AUROC | AUPRC | prev. | P own |")
    assert lines[2].startswith("| egbad | .5000 ±.370 |")  # 16/21 and 5/21
    assert lines[3].startswith("| pca | .2381 |")
    assert "| .3000 | – | – | – | – |" in lines[3]  # it has no threshold
    assert len({line.count("|") for line in lines[:4]}) == 1


def test_the_terminal_table_fits_80_columns_and_cuts_no_digit():
    rows = [
        ("isolation_forest", [evaluate_scores(Y, S, threshold=0.55), evaluate_scores(Y, -S)]),
        ("perfect", [evaluate_scores(Y, Y, threshold=0.5)]),
    ]
    console = Console(width=80)
    with console.capture() as capture:
        console.print(results_table(rows, title="KDD99"))
    text = capture.get()
    assert max(map(len, text.splitlines())) <= 80
    assert "…" not in text
    for word in ("KDD99", ".5000", "±.370", "1.0000", "perfect"):
        assert word in text


def test_intervals_are_means_of_bounds_and_fit_80_columns():
    rows = [
        ("isolation_forest", [{"auroc": (0.5, 0.7)}, {"auroc": (0.6, 1.0)}]),
        ("vae", [{"auroc": (0.2, 0.4), "auprc": (0.1, 0.3), "f1": (0, 1), "f1_at_rate": (0, 1)}]),
    ]
    lines = markdown_intervals(rows).splitlines()
    assert lines[0] == "| 95 % intervals | AUROC | AUPRC | F1 own | F1 rate |"
    assert lines[2] == "| isolation_forest | .5500 to .8500 | – | – | – |"
    assert lines[3].startswith("| vae | .2000 to .4000 | .1000 to .3000 | .0000 to 1.0000 |")
    assert markdown_intervals(rows[:1]).startswith("| 95 % intervals | AUROC |\n")
    console = Console(width=80)
    with console.capture() as capture:
        console.print(intervals_table(rows))
    text = capture.get()
    assert max(map(len, text.splitlines())) <= 80
    assert "…" not in text
    assert ".5500 to .8500" in text


def test_columns_that_no_row_has_are_left_out():
    header = markdown_table([("pca", [evaluate_scores(Y, S)])]).splitlines()[0]
    assert header == "| method | AUROC | AUPRC | prev. | P rate | R rate | F1 rate |"
