"""``oddgan score``."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import pandas as pd
import typer
from numpy.typing import NDArray

from oddgan import Combination, decisions, inputs, models
from oddgan.detectors import Detector, TableExplanation
from oddgan.estimator import stored_threshold

from ._options import AsJson, Condition, DataArgument, Label, ModelArgument, Pattern, Quiet, SkipBad
from .combining import check_combination
from .data import DataOptions, open_data
from .maps import check_maps, write_maps
from .output import (
    check_path,
    list_skipped,
    messages,
    print_json,
    refuse_overwriting,
    write_images,
    write_table,
)

#: Suffix of the columns of expected values in a table of contributions.
EXPECTED = ":expected"


def score(
    model: ModelArgument,
    data: DataArgument,
    out: Annotated[
        Path | None, typer.Option("--out", "-o", help="CSV or Parquet file; else standard output.")
    ] = None,
    explain: Annotated[
        Path | None,
        typer.Option(
            help="Also write explanations: for tables CSV or Parquet with each column's "
            "contribution and expected value; for images NPY maps (NPZ for several sizes), or a "
            "new folder of pictures."
        ),
    ] = None,
    mask: Annotated[
        Path | None,
        typer.Option(
            help="Also write masks of anomalous pixels (images): NPY or NPZ, true and false."
        ),
    ] = None,
    reconstruct: Annotated[
        Path | None,
        typer.Option(help="Also write reconstructions: CSV or Parquet (tables), NPY (images)."),
    ] = None,
    embed: Annotated[
        Path | None, typer.Option(help="Also write latent vectors: CSV or Parquet.")
    ] = None,
    fdr: Annotated[
        float | None,
        typer.Option(
            help="Flag at this false discovery rate over all samples (Benjamini-Hochberg on the "
            "p-values), not at the model's threshold; this keeps all scores in memory."
        ),
    ] = None,
    proba: Annotated[
        bool,
        typer.Option(
            "--proba", help="Add the probability of an anomaly (run oddgan calibrate first)."
        ),
    ] = False,
    std: Annotated[
        bool,
        typer.Option(
            "--std", help="Also write how much the members of an ensemble disagree (n_members)."
        ),
    ] = False,
    label: Label = None,
    condition: Condition = None,
    pattern: Pattern = None,
    skip_bad: SkipBad = False,
    device: Annotated[str | None, typer.Option(help="auto, cpu or cuda.")] = None,
    quiet: Quiet = False,
    as_json: AsJson = False,
) -> None:
    """Score samples: the anomaly score and p-value of each, and whether it is flagged.

    AnoGAN and ADGAN repeat their search for each of --explain, --reconstruct and --embed, which
    takes as long as scoring.
    """
    if fdr is not None:
        decisions.check_share("fdr", fdr)
    fitted = models.load(model, device=device)
    outputs = {"explain": explain, "reconstruct": reconstruct, "embed": embed}
    check_path(out, (".csv", ".parquet"))
    if isinstance(fitted, Combination):
        check_combination(**outputs, mask=mask, proba=proba, std=std)
    else:
        fitted.verbose = int(not (quiet or as_json))  # detectors that search show progress
        check_proba(fitted, model, proba)
        for output, path in outputs.items():
            check_output(fitted, output, path)
        check_members(fitted, std)
        check_mask(fitted, mask)
    refuse_overwriting((out, mask, *outputs.values()), (model, data))
    options = DataOptions(label, pattern=pattern, skip_bad=skip_bad, condition=condition)
    source = open_data(data, options, fitted.source).source
    n = n_flagged = 0

    def rows() -> Iterator[pd.DataFrame]:
        nonlocal n, n_flagged
        for frame in iter_frames(fitted, source, fdr, proba=proba, std=std):
            n, n_flagged = n + len(frame), n_flagged + int(frame["flagged"].sum())
            yield frame

    if as_json and out is None:
        samples = [sample for frame in rows() for sample in frame.to_dict("records")]
    else:
        samples = None
        write_table(out, rows())
    if n == 0:
        raise ValueError(f"{data} has no samples to score")
    write_outputs(outputs, mask, fitted, source)
    if as_json:
        result = {
            "n": n,
            "flagged": n_flagged,
            "threshold": stored_threshold(fitted.threshold_),
            "fdr": fdr,
        }
        print_json({**result, "out": out, "skipped": source.skipped, "samples": samples})
        return
    list_skipped(source)
    where = f" Scores are in {out}." if out else ""
    rule = f"score above {fitted.threshold_:.6g}" if fdr is None else f"false discovery rate {fdr}"
    messages.print(f"{n_flagged} of {n} samples flagged ({rule}).{where}")


def check_output(fitted: Detector, output: str, path: Path | None) -> None:
    """Refuse an output that the detector lacks or the file cannot hold, before any work is done."""
    images = fitted.codec_.kind == "image"
    if images and output == "explain":
        check_maps(path, None)
    else:
        check_path(path, (".npy",) if images and output != "embed" else (".csv", ".parquet"))
    if path is not None and output in fitted.unavailable:
        reason = fitted.unavailable[output]
        raise ValueError(f"--{output}: {type(fitted).__name__} cannot {output}: {reason}")


def check_mask(fitted: Detector, mask: Path | None) -> None:
    """Refuse masks of tables, and masks that cannot be written."""
    if mask is None:
        return
    if fitted.codec_.kind == "table":
        raise ValueError("--mask: a table has no pixels; --explain is for its columns")
    check_output(fitted, "explain", None)
    check_maps(None, mask)


def check_proba(fitted: Detector, model: Path, proba: bool) -> None:
    """Refuse probabilities of a model that was not calibrated for them."""
    if proba and not hasattr(fitted, "predict_proba"):
        raise ValueError(
            f"{model} has no probabilities, which need labelled samples: run `oddgan calibrate` "
            "first"
        )


def check_members(fitted: Detector, std: bool) -> None:
    """Refuse the members' disagreement for a model without members."""
    if std and not fitted.members_:
        name = type(fitted).__name__
        raise ValueError(f"--std: this {name} has no members: fit it with --set n_members=5")


def iter_frames(
    fitted: Detector | Combination,
    source: inputs.Source,
    fdr: float | None,
    *,
    proba: bool,
    std: bool,
) -> Iterator[pd.DataFrame]:
    """Yield the result rows of the samples: chunk by chunk, or with `fdr` after all are scored."""
    chunks: Iterator[tuple[NDArray[np.int64], Any]]
    if isinstance(fitted, Combination):
        chunks = fitted.iter_outputs(source)
    else:
        chunks = fitted.iter_outputs(source, "member_scores" if std else "anomaly_score")
    frames = (frame_of(fitted, source, *chunk, proba=proba) for chunk in chunks)
    if fdr is None:
        yield from frames
        return
    if tables := list(frames):
        table = pd.concat(tables, ignore_index=True)
        n_held_out = len(fitted.calibration_scores_)
        flagged = decisions.discoveries(table["p_value"], fdr, n_held_out=n_held_out)
        yield table.assign(flagged=flagged)


def frame_of(
    fitted: Any, source: inputs.Source, index: Any, scores: Any, *, proba: bool = False
) -> pd.DataFrame:
    """Return a row for each sample: its name or number, score, p-value, and the decision.

    Scores of members, shape (n, n_members), also give their standard deviation.
    """
    deviations = {}
    if scores.ndim == 2:
        scores, deviations = scores.mean(1), {"std": scores.std(1)}
    p_values = decisions.conformal_p_values(scores, fitted.calibration_scores_)
    probabilities = {"probability": fitted.proba_calibration_.probability(scores)} if proba else {}
    return pd.DataFrame(
        {
            "sample": source.sample_names(index),
            "anomaly_score": scores,
            **deviations,
            "p_value": p_values,
            **probabilities,
            "flagged": scores > fitted.threshold_,
        }
    )


def write_outputs(
    outputs: Mapping[str, Path | None], mask: Path | None, fitted: Detector, source: inputs.Source
) -> None:
    """Write the requested outputs other than scores."""
    if isinstance(fitted.codec_, inputs.ImageCodec):
        outputs = dict(outputs)
        write_maps(outputs.pop("explain"), mask, fitted, source)
    for output, path in outputs.items():
        if path is not None:
            write_output(path, fitted, source, output)


def write_output(path: Path, fitted: Detector, source: inputs.Source, output: Any) -> None:
    """Write one output of the detector for every sample, chunk by chunk."""
    chunks = (values for _, values in fitted.iter_outputs(source, output))
    if path.suffix == ".npy":
        write_images(path, chunks, source.count() - len(source.skipped))
        return
    write_table(path, (_frame(fitted, values, output) for values in chunks))


def _frame(fitted: Detector, values: Any, output: str) -> pd.DataFrame:
    if isinstance(values, pd.DataFrame):
        return values
    if output == "embed":
        return pd.DataFrame(values, columns=[f"z{i}" for i in range(values.shape[1])])
    names = [str(column.name) for column in fitted.codec_.columns]
    frame = pd.DataFrame(np.asarray(values), columns=names)
    if isinstance(values, TableExplanation) and values.expected is not None:
        expected = values.expected.add_suffix(EXPECTED)
        order = [name for pair in zip(names, expected.columns, strict=True) for name in pair]
        return pd.concat([frame, expected], axis=1)[order]
    return frame
