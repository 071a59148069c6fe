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
_OF_TRUTH = ("roc", "precision-recall")
#: Samples that a map of a latent space shows at most; others need not be embedded.
_MAPPED = 1000


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
        int | None, typer.Option(help="Of `contributions`: which row, from 0; else the oddest.")
    ] = None,
    time: Annotated[
        str | None,
        typer.Option(
            help="Of `time`: the column with dates or numbers, which is set aside; else the order "
            "of the samples."
        ),
    ] = None,
    theme: Annotated[Literal["light", "dark"], typer.Option(help="For which ground.")] = "light",
    background: Annotated[
        str | None, typer.Option(help='Its colour, "none" for transparent; else the theme\'s.')
    ] = None,
    width: Annotated[
        float | None, typer.Option(min=60, max=400, help="In millimetres; else as the kind needs.")
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
    """Draw a figure of a model, or of what it says of data; see `oddgan.reports`.

    Of labelled data the rows are drawn that `oddgan evaluate` measures on: none that trained.
    """
    check_path(out, (".png", ".svg", ".pdf"))
    refuse_overwriting([out], [model, data] if data else [model])
    if (data is None) != (kind == "training"):
        problem = "needs no data" if data else "needs data: name it after the model"
        raise ValueError(f"plot {kind} {problem}")
    for name, value, its_kind in (("row", row, "contributions"), ("time", time, "time")):
        if value is not None and kind != its_kind:
            raise ValueError(f"--{name} is for plot {its_kind}, not for plot {kind}")
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
        drawn = _opened(fitted, data, options, kind, time)
        figure = drawn.figure(kind, look, row)
        skipped = drawn.source.skipped
    figure.savefig(out)
    if as_json:
        print_json({"kind": kind, "model": model, "data": data, "out": out, "skipped": skipped})
        return
    for name, reason in skipped:
        messages.print(f"Left out {name}: {reason}", markup=False)
    messages.print(f"The figure is in {out}.", markup=False)


def histories(fitted: detectors.Detector) -> Any:
    """Return the history of each member, where it is known, else that of the whole."""
    of_members = [member.history_ for member in fitted.members_]
    return of_members if of_members and all(of_members) else fitted.history_


def _opened(
    fitted: detectors.Detector, data: str, options: DataOptions, kind: Kind, time: str | None
) -> "_Drawn":
    """Open DATA; where the truth is known only the rows that did not train."""
    if time is not None:
        if options.label or options.anomaly or options.normal:
            raise ValueError("plot time sets the column of --time aside: leave out the labels")
        opened = open_data(data, replace(options, label=time), fitted.source)
        return _Drawn(fitted, opened.source, times=opened.source.labels())
    origin = fitted.provenance_
    if kind in _OF_TRUTH or origin.get("data") in (data, _identity(data)):
        options = options.filled_from(origin)
    opened = open_data(data, options, fitted.source)
    if opened.dataset is None:
        return _Drawn(fitted, opened.source)
    source, split = test_rows(opened, options, origin)
    return _Drawn(fitted, source, split.test, split.y_test)


def _identity(data: str) -> str | None:
    """Return what tells a file from others, as models remember theirs."""
    return f"sha256:{digest(Path(data))}" if Path(data).is_file() else None


@dataclass
class _Drawn:
    """What is drawn of: a fitted detector, and samples whose truth or times may be known.

    Attributes
    ----------
    fitted : Detector
    source : inputs.Source
    rows, y : ndarray of shape (n,), or None
        Row numbers, and what is true of these.
    times : ndarray, or None
        By row number.
    """

    fitted: detectors.Detector
    source: inputs.Source
    rows: NDArray[np.int64] | None = None
    y: NDArray[np.int64] | None = None
    times: NDArray[Any] | None = None

    def figure(self, kind: Kind, look: reports.Look, row: int | None) -> reports.Figure:
        """Draw one kind."""
        name, threshold = type(self.fitted).__name__, self.fitted.threshold_
        if kind == "scores":
            if self.truth is None:
                return reports.score_distributions(
                    self.scores, None, threshold, names=("samples", "anomalous"), **look
                )
            odd = self.truth == 1
            return reports.score_distributions(
                self.scores[~odd], self.scores[odd], threshold, **look
            )
        if kind in _OF_TRUTH:
            if self.truth is None:
                raise ValueError(f"plot {kind} needs the truth: give --label, or --anomaly")
            draw = reports.roc_curves if kind == "roc" else reports.precision_recall_curves
            return draw(self.truth, {name: self.scores}, thresholds={name: threshold}, **look)
        if kind == "time":
            times = None if self.times is None else self.times[self.index]
            promised = self.fitted.fitted_params_["target_fpr"]
            return reports.scores_over_time(
                times, self.scores, threshold, target_fpr=promised, **look
            )
        if kind == "latents":
            return self._latents(look)
        return self._gallery(look) if kind == "gallery" else self._contributions(look, row)

    @cached_property
    def _scored(self) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
        chunks = list(self.fitted.iter_outputs(self.source))
        if not chunks:
            raise ValueError("there is no sample to draw")
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
    def truth(self) -> NDArray[np.int64] | None:
        """What is true of them, if that is known."""
        if self.rows is None or self.y is None:
            return None
        return self.y[np.isin(self.rows, self.index)]

    def _only(self, places: NDArray[np.int64]) -> inputs.Source:
        """Return the samples at these places of `index`, in the order of the source."""
        whole = self.source.source if isinstance(self.source, inputs.Subset) else self.source
        n = len(self.source.keep) if isinstance(self.source, inputs.Subset) else whole.count()
        keep = np.zeros(n, dtype=bool)
        keep[self.index[places]] = True
        return inputs.Subset(whole, keep)

    def _asked(self, source: inputs.Source, output: Any) -> list[Any]:
        return [values for _, values in self.fitted.iter_outputs(source, output)]

    def _latents(self, look: reports.Look) -> reports.Figure:
        n = len(self.index)
        places = np.sort(np.random.default_rng(0).permutation(n)[:_MAPPED])
        source, spaces, why = self._only(places), {}, []
        for title, output in (("latents", "embed"), ("discriminator's features", "features")):
            try:
                spaces[title] = np.concatenate(self._asked(source, output))
            except ValueError as error:
                why.append(str(error))
        if not spaces:
            raise ValueError("; ".join(why))
        groups: Any = self.scores[places]
        if self.truth is not None:
            groups = np.where(self.truth[places] == 1, "anomalous", "normal")
            groups = pd.Categorical(groups, ["normal", "anomalous"])
        if n > len(places):
            messages.print(f"{len(places):,} of {n:,} samples are drawn, chosen at random.")
        return reports.latent_map(spaces, groups, **look)

    def _gallery(self, look: reports.Look) -> reports.Figure:
        if self.source.kind != "image":
            raise ValueError("plot gallery is for images; for tables there is plot contributions")
        threshold = self.fitted.threshold_
        picked = reports.pick(self.scores, threshold)
        places = np.sort(np.concatenate(list(picked.values())))
        source = self._only(places)
        images = [image for _, raw in source.chunks(len(places)) for image in raw]
        rebuilt = maps = masks = None
        if "reconstruct" not in self.fitted.unavailable:
            rebuilt = [image for found in self._asked(source, "reconstruct") for image in found]
        if "explain" not in self.fitted.unavailable:
            found = self._asked(source, "explain")
            maps = [one for chunk in found for one in chunk.anomaly_map]
            masks = [one for chunk in found for one in chunk.anomaly_mask]
        return reports.gallery(
            images,
            rebuilt,
            maps,
            self.scores[places],
            threshold=threshold,
            names=list(self.source.sample_names(self.index[places])),
            masks=masks,
            channels=self.fitted.channels,
            **look,
        )

    def _contributions(self, look: reports.Look, row: int | None) -> reports.Figure:
        if self.source.kind != "table":
            raise ValueError("plot contributions is for tables; for images there is plot gallery")
        if row is None:
            place = int(np.argmax(self.scores))
        elif row in self.index:
            place = int(np.flatnonzero(self.index == row)[0])
        else:
            raise ValueError(f"--row {row}: there is no such row among those that are drawn")
        explanation = self._asked(self._only(np.array([place])), "explain")[0]
        expected = explanation.expected
        score, threshold = self.scores[place], self.fitted.threshold_
        side = "above" if score > threshold else "not above"
        return reports.contribution_bars(
            explanation.columns,
            explanation.contributions[0],
            list(explanation.values.iloc[0]),
            None if expected is None else list(expected.iloc[0]),
            title=f"row {self.index[place]}: {score:.4g}, {side} {threshold:.4g}",
            **look,
        )
