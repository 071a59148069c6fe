"""``oddgan evaluate``."""

from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any, NamedTuple

import numpy as np
import typer
from numpy.typing import NDArray
from rich.console import Console

from oddgan import Combination, detectors, evaluation, inputs
from oddgan.detectors import Detector
from oddgan.models import load

from ._options import Anomaly, AsJson, Condition, DataArgument, Label, Normal, Pattern, SkipBad
from .combining import check_combination
from .data import Data, DataOptions, open_data, test_rows
from .output import list_skipped, messages, print_json
from .report import ReportOption, check_report, write


class Measurement(NamedTuple):
    """The metrics of one model, or of a baseline, and their 95 % intervals by name."""

    metrics: evaluation.Metrics
    intervals: dict[str, tuple[float, float]]

    def as_dict(self) -> dict[str, Any]:
        """Return plain values, ready for JSON."""
        return {**self.metrics.as_dict(), "intervals": self.intervals}


def evaluate(
    models: Annotated[
        list[Path], typer.Argument(help="Model files; same method and score count as seeds.")
    ],
    data: DataArgument,
    label: Label = None,
    anomaly: Anomaly = None,
    normal: Normal = None,
    condition: Condition = None,
    pattern: Pattern = None,
    skip_bad: SkipBad = False,
    baselines: Annotated[
        bool, typer.Option(help="Also show baselines that learn little or nothing.")
    ] = True,
    markdown: Annotated[Path | None, typer.Option(help="Also write the table here.")] = None,
    report: ReportOption = None,
    as_json: AsJson = False,
) -> None:
    """Measure models on labelled data, without the rows that they were trained on.

    If a model was fitted on the same data, its test samples are used, and options that are not
    given are those of `oddgan fit`. Metrics have 95 % intervals, by the bootstrap over the test
    samples.
    """
    check_report(report, (*models, data), n_models=len(models))
    command_options = DataOptions(
        label, anomaly, normal, pattern=pattern, skip_bad=skip_bad, condition=condition
    )
    rows: dict[str, list[Measurement]] = {}
    evaluated_rows: NDArray[np.int64] | None = None
    for path in models:
        fitted = load(path)
        if isinstance(fitted, Combination):
            check_combination(report=report)
        options = command_options.filled_from(fitted.provenance_)
        opened = open_data(data, options, fitted.source)
        source, split = test_rows(opened, options, fitted.provenance_)
        evaluated_rows = split.test if evaluated_rows is None else evaluated_rows
        if not np.array_equal(split.test, evaluated_rows):
            raise ValueError(f"{path} was fitted on a different split than {models[0]}")
        rows.setdefault(title(fitted), []).append(measure(fitted, source, split))
    if baselines and len(split.train):
        for name, scores in evaluation.run_baselines(
            opened.with_samples(fitted.codec_), split
        ).items():
            rows[name] = [compare(split.y_test, scores, split)]
        if source.has_condition and source.kind == "image":
            messages.print("The baselines score the images without the condition.")
        if isinstance(fitted, detectors.OddGAN):
            training = grouped_as_fitted(fitted, opened, data, options).subset(split.train)
            rows |= measure_controls(fitted, training, source, split)
    titled_rows = [
        (baseline_title(name), [m.metrics for m in measurements])
        for name, measurements in rows.items()
    ]
    intervals = [
        (baseline_title(name), [m.intervals for m in measurements])
        for name, measurements in rows.items()
    ]
    if markdown:
        text = (
            evaluation.markdown_table(titled_rows) + "\n" + evaluation.markdown_intervals(intervals)
        )
        markdown.write_text(text, encoding="utf-8")
    compared = {name: metrics[0] for name, metrics in titled_rows}
    write(fitted, report, opened, data, source, split, model=models[0], compared=compared)
    if as_json:
        results = {name: [m.as_dict() for m in runs] for name, runs in rows.items()}
        skipped = source.skipped
        print_json(
            {"data": data, "split": split.description, "results": results, "skipped": skipped}
        )
        return
    list_skipped(source)
    print(f"{data}: {split.description}.")
    Console().print(evaluation.results_table(titled_rows))
    print()
    Console().print(evaluation.intervals_table(intervals))


def grouped_as_fitted(fitted: Detector, opened: Data, data: str, options: DataOptions) -> Data:
    """Return DATA with the groups of samples that `oddgan fit` used.

    The model does not see the columns of groups, so DATA is read again for them.
    """
    groups_option = fitted.provenance_["how"]["groups"]
    if groups_option is None:
        return opened.grouped(options)  # those of the data set, if it has any
    groups = open_data(data, replace(options, condition=None)).grouped(
        replace(options, groups=groups_option)
    )
    return replace(opened, source=inputs.with_groups(opened.source, groups.source.groups))


def measure_controls(
    fitted: detectors.OddGAN,
    training: inputs.Source,
    source: inputs.Source,
    split: evaluation.Split,
) -> dict[str, list[Measurement]]:
    """Train OddGAN's control detectors on its training rows, and measure them."""
    return {
        name: [measure(control.fit(training), source, split)]
        for name, control in fitted.controls_as_fitted().items()
    }


def title(fitted: Detector | Combination) -> str:
    """Return the title of a model's row in the table."""
    if isinstance(fitted, Combination):
        return f"{'+'.join(fitted.members_)} {fitted.rule_}"
    return f"{type(fitted).__name__} {fitted.get_params()['score_name']}"


def baseline_title(name: str) -> str:
    """Return the title of a row: that of a baseline, or the name itself."""
    return evaluation.BASELINES[name].title if name in evaluation.BASELINES else name


def measure(
    fitted: Detector | Combination, source: inputs.Source, split: evaluation.Split
) -> Measurement:
    """Score the test rows and compare with the labels; skipped rows do not count."""
    chunks = list(fitted.iter_outputs(source))
    index = np.concatenate([rows for rows, _ in chunks])
    scores = np.concatenate([values for _, values in chunks])
    return compare(split.y_test[np.isin(split.test, index)], scores, split, fitted.threshold_)


def compare(
    y: NDArray[np.int64],
    scores: NDArray[np.float64],
    split: evaluation.Split,
    threshold: float | None = None,
) -> Measurement:
    """Compare scores with the labels."""
    rate = split.flag_rate
    return Measurement(
        evaluation.evaluate_scores(y, scores, threshold=threshold, flag_rate=rate),
        evaluation.bootstrap_intervals(
            y, scores, threshold=threshold, flag_rate=rate, metrics=evaluation.INTERVAL_METRICS
        ),
    )
