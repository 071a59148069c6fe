"""``oddgan evaluate``."""

from pathlib import Path
from typing import Annotated

import numpy as np
import typer
from numpy.typing import NDArray
from rich.console import Console

from oddgan import detectors, evaluation, inputs
from oddgan.detectors import Detector

from ._options import Anomaly, AsJson, Condition, DataArgument, Label, Normal, Pattern, SkipBad
from .data import Data, How, open_data, test_rows
from .output import list_skipped, messages, print_json


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
        bool, typer.Option(help="Show what little or no learning reaches beside.")
    ] = True,
    markdown: Annotated[Path | None, typer.Option(help="Also write the table here.")] = None,
    as_json: AsJson = False,
) -> None:
    """Measure models on labelled data, on no row that they were trained on.

    Where a model was fitted on this very data, its test part is used, and what the options
    leave open is as it was said to `oddgan fit`.
    """
    given = How(label, anomaly, normal, pattern=pattern, skip_bad=skip_bad, condition=condition)
    rows: dict[str, list[evaluation.Metrics]] = {}
    tested: NDArray[np.int64] | None = None
    for path in models:
        fitted = detectors.load(path)
        how = given.filled_from(fitted.provenance_)
        opened = open_data(data, how, fitted.source)
        source, split = test_rows(opened, how, fitted.provenance_)
        tested = split.test if tested is None else tested
        if not np.array_equal(split.test, tested):
            raise ValueError(f"{path} was fitted on another split than {models[0]}")
        rows.setdefault(title(fitted), []).append(measure(fitted, source, split))
    if baselines and len(split.train):
        for name, scores in evaluation.run_baselines(
            opened.with_samples(fitted.codec_), split
        ).items():
            found = evaluation.evaluate_scores(split.y_test, scores, flag_rate=split.flag_rate)
            rows[name] = [found]
        if source.has_condition and source.kind == "image":
            messages.print("The baselines judge the images without the condition.")
        if isinstance(fitted, detectors.OddGAN):
            rows |= measure_controls(fitted, opened, source, split)
    shown = [(baseline_title(name), many) for name, many in rows.items()]
    if markdown:
        markdown.write_text(evaluation.markdown_table(shown), encoding="utf-8")
    if as_json:
        results = {name: [m.as_dict() for m in many] for name, many in rows.items()}
        skipped = source.skipped
        print_json(
            {"data": data, "split": split.description, "results": results, "skipped": skipped}
        )
        return
    list_skipped(source)
    print(f"{data}: {split.description}.")
    Console().print(evaluation.results_table(shown))


def measure_controls(
    fitted: detectors.OddGAN, opened: Data, source: inputs.Source, split: evaluation.Split
) -> dict[str, list[evaluation.Metrics]]:
    """Train and measure what belongs beside OddGAN, on the rows that it was trained on."""
    training = opened.subset(split.train)
    return {
        name: [measure(control.fit(training), source, split)]
        for name, control in fitted.controls_as_fitted().items()
    }


def title(fitted: Detector) -> str:
    """Return what a row of the table is called."""
    return f"{type(fitted).__name__} {fitted.get_params()['score']}"


def baseline_title(name: str) -> str:
    """Return what a row is called: a baseline by its title, all else as it is."""
    return evaluation.BASELINES[name].title if name in evaluation.BASELINES else name


def measure(fitted: Detector, source: inputs.Source, split: evaluation.Split) -> evaluation.Metrics:
    """Score the test rows and compare with the truth; rows that were skipped do not count."""
    found = list(fitted.answer_chunks(source))
    index = np.concatenate([rows for rows, _ in found])
    scores = np.concatenate([values for _, values in found])
    return evaluation.evaluate_scores(
        split.y_test[np.isin(split.test, index)],
        scores,
        threshold=fitted.threshold_,
        flag_rate=split.flag_rate,
    )
