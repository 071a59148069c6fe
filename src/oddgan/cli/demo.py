"""``oddgan demo``: every step from data to anomalies, on data that ships with the package."""

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from oddgan import detectors, evaluation, inputs

from ._options import AsJson, Quiet
from .data import DataOptions, open_data, test_rows, training_rows
from .evaluate import baseline_title, measure, title
from .fit import make
from .output import print_json, write_table
from .report import write as write_report
from .score import frame_of


def demo(
    out: Annotated[Path, typer.Option("--out", "-o", help="Folder to write to.")] = Path(
        "demo-output"
    ),
    anomaly: Annotated[int, typer.Option(help="The digit that training never sees.")] = 0,
    detector: Annotated[
        list[str] | None,
        typer.Option(
            help="A method; may be repeated. By default egbad and vae; see `oddgan detectors`."
        ),
    ] = None,
    seed: Annotated[int, typer.Option(help="Random seed of the training.")] = 0,
    quiet: Quiet = False,
    as_json: AsJson = False,
) -> None:
    """Learn nine handwritten digits and find the tenth; needs no network, takes a minute or two."""
    models = [
        make(name, None, {"random_state": seed, "verbose": int(not (quiet or as_json))})
        for name in detector or ("egbad", "vae")
    ]
    options = DataOptions(anomaly=str(anomaly))
    data = open_data("digits", options)
    train, origin = training_rows(data, options)
    test, split = test_rows(data, options, origin)
    out.mkdir(parents=True, exist_ok=True)
    silent = quiet or as_json
    if not silent:
        print(
            f"Digits, {data.source.count()} images of 8 x 8 pixels. {split.description}.\n"
            f"{train.count()} images train, {len(split.test)} test, "
            f"{int(split.y_test.sum())} of them anomalous."
        )
    rows: list[tuple[str, list[evaluation.Metrics]]] = []
    files = []
    for model in models:
        model.fit(train).provenance_ = origin
        name = type(model).__name__.lower()
        rows.append((title(model), [measure(model, test, split).metrics]))
        files += _write(model, test, out / f"{name}.oddgan", out / f"{name}-scores.csv")
    for name, scores in evaluation.run_baselines(data.with_samples(model.codec_), split).items():
        rows.append((name, [evaluation.evaluate_scores(split.y_test, scores)]))
    titled_rows = [(baseline_title(name), metrics) for name, metrics in rows]
    compared = {name: metrics[0] for name, metrics in titled_rows}
    for model, model_path in zip(models, files[::2], strict=True):
        report = model_path.with_name(f"{model_path.stem}-report.html")
        write_report(
            model, report, data, "digits", test, split, model=model_path, compared=compared
        )
        files.append(report)
    if as_json:
        results = {name: metrics[0].as_dict() for name, metrics in rows}
        print_json({"split": split.description, "results": results, "written": files})
        return
    Console().print(evaluation.results_table(titled_rows))
    print(f"Written: {', '.join(map(str, files))}")
    print(f"Open {files[-1]} in a browser to see the anomalies and where they are.")
    print(
        "Next:\n"
        f"  oddgan evaluate {files[0]} digits\n"
        "  oddgan fit vae YOUR.csv --out my.oddgan       # rows that are all normal\n"
        "  oddgan score my.oddgan NEW.csv --out scores.csv\n"
        "  oddgan fit egbad FOLDER_OF_IMAGES --out my.oddgan\n"
        "  oddgan datasets; oddgan detectors; oddgan fit --help"
    )


def _write(
    model: detectors.Detector, test: inputs.Source, model_path: Path, scores_path: Path
) -> list[Path]:
    model.save(model_path)
    chunks = (frame_of(model, test, index, scores) for index, scores in model.iter_outputs(test))
    write_table(scores_path, chunks)
    return [model_path, scores_path]
