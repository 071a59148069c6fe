"""``oddgan plot``."""

from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np
import pandas as pd
import typer
from numpy.typing import NDArray

from oddgan import detectors, inputs, reports
from oddgan.bench.data import digest
from oddgan.models import load_detector

from ._options import (
    Anomaly,
    AsJson,
    Condition,
    Label,
    ModelArgument,
    Normal,
    Pattern,
    Quiet,
    SkipBad,
)
from .data import DataOptions, open_data, test_rows
from .output import check_path, messages, print_json, refuse_overwriting

Kind = Literal[
    "training",
    "scores",
    "roc",
    "precision-recall",
    "latents",
    "gallery",
    "contributions",
    "time",
]
_WITH_LABELS = ("roc", "precision-recall")
#: The maximum number of samples in a map of a latent space; only these are embedded.
_MAX_LATENTS = 1000


def plot(
    kind: Annotated[Kind, typer.Argument(help="Which figure.")],
    model: ModelArgument,
    data: Annotated[
        str | None, typer.Argument(help="Data, as for `oddgan score`; `training` needs none.")
    ] = None,
    out: Annotated[
        Path, typer.Option("--out", "-o", help="File to write: .png, .svg or .pdf.")
    ] = Path("figure.png"),
    row: Annotated[
        int | None,
        typer.Option(help="For `contributions`: the row, from 0; by default the most anomalous."),
    ] = None,
    time: Annotated[
        str | None,
        typer.Option(
            help="For `time`: the column with dates or numbers, not an input; by default the "
            "order of the samples."
        ),
    ] = None,
    theme: Annotated[Literal["light", "dark"], typer.Option(help="Colour theme.")] = "light",
    background: Annotated[
        str | None,
        typer.Option(help='Background colour, "none" for transparent; by default the theme\'s.'),
    ] = None,
    width: Annotated[
        float | None,
        typer.Option(min=60, max=400, help="In millimetres; by default that of the kind."),
    ] = None,
    label: Label = None,
    anomaly: Anomaly = None,
    normal: Normal = None,
    condition: Condition = None,
    pattern: Pattern = None,
    skip_bad: SkipBad = False,
    device: Annotated[str | None, typer.Option(help="auto, cpu or cuda.")] = None,
    quiet: Quiet = False,
    as_json: AsJson = False,
) -> None:
    """Plot a model, or its results on data; see `oddgan.reports`.

    For labelled data, the plot shows the rows that `oddgan evaluate` measures: none that trained.
    """
    check_path(out, (".png", ".svg", ".pdf"))
    refuse_overwriting([out], [model, data] if data else [model])
    if (data is None) != (kind == "training"):
        problem = "needs no data" if data else "needs data: name it after the model"
        raise ValueError(f"plot {kind} {problem}")
    for name, value, required_kind in (("row", row, "contributions"), ("time", time, "time")):
        if value is not None and kind != required_kind:
            raise ValueError(f"--{name} is for plot {required_kind}, not for plot {kind}")
    look = reports.Look(theme=theme, background=background)
    if width is not None:
        look["width"] = width
    fitted = load_detector(model, device=device)
    fitted.verbose = int(not (quiet or as_json))
    skipped: list[tuple[str, str]] = []
    if data is None:
        figure = reports.training_curves(histories(fitted), fitted.health_checks_, **look)
    else:
        options = DataOptions(
            label, anomaly, normal, pattern=pattern, skip_bad=skip_bad, condition=condition
        )
        samples = _opened(fitted, data, options, kind, time)
        figure = samples.figure(kind, look, row)
        skipped = samples.source.skipped
    figure.savefig(out)
    if as_json:
        print_json({"kind": kind, "model": model, "data": data, "out": out, "skipped": skipped})
        return
    for name, reason in skipped:
        messages.print(f"Left out {name}: {reason}", markup=False)
    messages.print(f"The figure is in {out}.", markup=False)


def histories(fitted: detectors.Detector) -> Any:
    """Return the history of each member where available, else that of the whole model."""
    member_histories = [member.history_ for member in fitted.members_]
    return member_histories if member_histories and all(member_histories) else fitted.history_


def _opened(
    fitted: detectors.Detector, data: str, options: DataOptions, kind: Kind, time: str | None
) -> "_Samples":
    """Open DATA; if it has labels, only the rows that did not train."""
    if time is not None:
        if options.label or options.anomaly or options.normal:
            raise ValueError("plot time sets the column of --time aside: leave out the labels")
        opened = open_data(data, replace(options, label=time), fitted.source)
        return _Samples(fitted, opened.source, times=opened.source.labels())
    origin = fitted.provenance_
    if kind in _WITH_LABELS or origin.get("data") in (data, _identity(data)):
        options = options.filled_from(origin)
    opened = open_data(data, options, fitted.source)
    if opened.dataset is None:
        return _Samples(fitted, opened.source)
    source, split = test_rows(opened, options, origin)
    return _Samples(fitted, source, split.test, split.y_test)


def _identity(data: str) -> str | None:
    """Return the digest of a file, as models store it."""
    return f"sha256:{digest(Path(data))}" if Path(data).is_file() else None


@dataclass
class _Samples:
    """What is plotted: a fitted detector, and samples that may have labels or times.

    Attributes
    ----------
    fitted : Detector
    source : inputs.Source
    rows, y : ndarray of shape (n,), or None
        Row numbers, and their labels.
    times : ndarray, or None
        By row number.
    """

    fitted: detectors.Detector
    source: inputs.Source
    rows: NDArray[np.int64] | None = None
    y: NDArray[np.int64] | None = None
    times: NDArray[Any] | None = None

    def figure(self, kind: Kind, look: reports.Look, row: int | None) -> reports.Figure:
        """Draw a figure of this kind."""
        name, threshold = type(self.fitted).__name__, self.fitted.threshold_
        if kind == "scores":
            if self.labels is None:
                return reports.score_distributions(
                    self.scores, None, threshold, names=("samples", "anomalous"), **look
                )
            anomalous = self.labels == 1
            return reports.score_distributions(
                self.scores[~anomalous], self.scores[anomalous], threshold, **look
            )
        if kind in _WITH_LABELS:
            if self.labels is None:
                raise ValueError(f"plot {kind} needs labels: give --label, or --anomaly")
            draw = reports.roc_curves if kind == "roc" else reports.precision_recall_curves
            return draw(self.labels, {name: self.scores}, thresholds={name: threshold}, **look)
        if kind == "time":
            times = None if self.times is None else self.times[self.index]
            target_fpr = self.fitted.fitted_params_["target_fpr"]
            return reports.scores_over_time(
                times, self.scores, threshold, target_fpr=target_fpr, **look
            )
        if kind == "latents":
            return self._latents(look)
        return self._gallery(look) if kind == "gallery" else self._contributions(look, row)

    @cached_property
    def _scored(self) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
        chunks = list(self.fitted.iter_outputs(self.source))
        if not chunks:
            raise ValueError("the data has no samples to plot")
        index, scores = zip(*chunks, strict=True)
        return np.concatenate(index), np.concatenate(scores)

    @property
    def index(self) -> NDArray[np.int64]:
        """Row numbers of the samples that could be read."""
        return self._scored[0]

    @property
    def scores(self) -> NDArray[np.float64]:
        """Their anomaly scores."""
        return self._scored[1]

    @property
    def labels(self) -> NDArray[np.int64] | None:
        """Their labels, if known."""
        if self.rows is None or self.y is None:
            return None
        return self.y[np.isin(self.rows, self.index)]

    def _subset(self, positions: NDArray[np.int64]) -> inputs.Source:
        """Return the samples at these positions of `index`, in the order of the source."""
        source = self.source.source if isinstance(self.source, inputs.Subset) else self.source
        n = len(self.source.keep) if isinstance(self.source, inputs.Subset) else source.count()
        keep = np.zeros(n, dtype=bool)
        keep[self.index[positions]] = True
        return inputs.Subset(source, keep)

    def _output(self, source: inputs.Source, output: Any) -> list[Any]:
        return [values for _, values in self.fitted.iter_outputs(source, output)]

    def _latents(self, look: reports.Look) -> reports.Figure:
        n = len(self.index)
        positions = np.sort(np.random.default_rng(0).permutation(n)[:_MAX_LATENTS])
        source, spaces, reasons = self._subset(positions), {}, []
        for title, output in (("latents", "embed"), ("discriminator's features", "features")):
            try:
                spaces[title] = np.concatenate(self._output(source, output))
            except ValueError as error:
                reasons.append(str(error))
        if not spaces:
            raise ValueError("; ".join(reasons))
        groups: Any = self.scores[positions]
        if self.labels is not None:
            groups = np.where(self.labels[positions] == 1, "anomalous", "normal")
            groups = pd.Categorical(groups, ["normal", "anomalous"])
        if n > len(positions):
            messages.print(f"{len(positions):,} of {n:,} samples are shown, chosen at random.")
        return reports.latent_map(spaces, groups, **look)

    def _gallery(self, look: reports.Look) -> reports.Figure:
        if self.source.kind != "image":
            raise ValueError("plot gallery is for images; for tables there is plot contributions")
        threshold = self.fitted.threshold_
        selection = reports.pick(self.scores, threshold)
        positions = np.sort(np.concatenate(list(selection.values())))
        source = self._subset(positions)
        images = [image for _, raw in source.chunks(len(positions)) for image in raw]
        reconstructions = maps = masks = None
        if "reconstruct" not in self.fitted.unavailable:
            reconstructions = [
                image for chunk in self._output(source, "reconstruct") for image in chunk
            ]
        if "explain" not in self.fitted.unavailable:
            explanations = self._output(source, "explain")
            maps = [pixels for chunk in explanations for pixels in chunk.anomaly_map]
            masks = [pixels for chunk in explanations for pixels in chunk.anomaly_mask]
        return reports.gallery(
            images,
            reconstructions,
            maps,
            self.scores[positions],
            threshold=threshold,
            names=list(self.source.sample_names(self.index[positions])),
            masks=masks,
            channels=self.fitted.channels,
            **look,
        )

    def _contributions(self, look: reports.Look, row: int | None) -> reports.Figure:
        if self.source.kind != "table":
            raise ValueError("plot contributions is for tables; for images there is plot gallery")
        if row is None:
            position = int(np.argmax(self.scores))
        elif row in self.index:
            position = int(np.flatnonzero(self.index == row)[0])
        else:
            raise ValueError(f"--row {row}: there is no such row among the plotted ones")
        explanation = self._output(self._subset(np.array([position])), "explain")[0]
        expected = explanation.expected
        score, threshold = self.scores[position], self.fitted.threshold_
        side = "above" if score > threshold else "not above"
        return reports.contribution_bars(
            explanation.columns,
            explanation.contributions[0],
            list(explanation.values.iloc[0]),
            None if expected is None else list(expected.iloc[0]),
            title=f"row {self.index[position]}: {score:.4g}, {side} {threshold:.4g}",
            **look,
        )
