"""The served models: files, names and descriptions."""

import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any, cast

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from oddgan import detectors, inputs
from oddgan.estimator import stored_threshold
from oddgan.models import load_detector

from . import deadline
from .samples import Samples

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")


class Model:
    """A fitted detector under the name that requests use.

    Attributes
    ----------
    name : str
    detector : Detector
    kind : {"table", "image"}
    columns : dict of str to bool
        The columns that rows need, in training order, those of the condition last; and whether each
        holds text.
    """

    def __init__(self, name: str, detector: detectors.Detector) -> None:
        self.name, self.detector = name, detector
        self.kind = detector.codec_.kind
        #: For OddGAN, the detector that its recipe chose.
        self._inner = cast("Any", getattr(detector, "detector_", detector))
        detector.set_params(verbose=0)  # no progress bars
        self._inner.set_params(verbose=0)
        deadline.watch(detector.networks_)
        codec, condition = detector.codec_, detector.condition_codec_
        self.columns = _texts(codec) if self.kind == "table" else {}
        self._conditions = _texts(condition) if condition else {}
        if duplicates := self.columns.keys() & self._conditions.keys():
            raise ValueError(
                f"model {name}: the column {min(duplicates)!r} is in both its samples and their "
                "condition, so rows cannot tell them apart; fit it with other names to serve it"
            )
        self.columns |= self._conditions if self.kind == "table" else {}

    @property
    def text_columns(self) -> list[str]:
        """The columns of a CSV file to read as text, even if they look like numbers."""
        return [name for name, text in self.columns.items() if text]

    @property
    def condition_columns(self) -> dict[str, bool]:
        """The columns of the condition, and whether each holds text."""
        return self._conditions

    def can(self, output: str) -> bool:
        """Tell whether the detector has an output, for example "explain"."""
        return output not in self._inner.unavailable

    @property
    def searches(self) -> bool:
        """Whether each output needs a search, which takes hundreds of times as long."""
        return bool(self._inner._searches)

    def split(self, table: pa.Table) -> Samples:
        """Return rows as samples; a condition that was not in the training table is separated."""
        if not self._conditions or self.detector.condition_columns_:
            return Samples(table)
        if missing := [name for name in self._conditions if name not in table.column_names]:
            raise ValueError(f"column {missing[0]!r} is missing: it is the condition of the rows")
        names = list(self._conditions)
        return Samples(table.drop_columns(names), conditions=table.select(names))

    def open(self, samples: Samples) -> inputs.Source:
        """Return samples as the detector reads them."""
        return self.detector.source(samples, condition=samples.conditions)

    def check(self, samples: Samples) -> None:
        """Refuse samples that the detector cannot read, before they are batched with others.

        Raises
        ------
        ValueError
            The message names the column and the row, or the image.
        """
        source = self.open(samples)
        if type(self.detector.codec_) is inputs.ImageCodec:
            # One pixel shows the number type of an image; the rest takes as long as scoring.
            pixels = [image[:1, :1] for image in samples.raw]
            self.detector.codec_.encode(pixels, samples.names)
            return
        for rows, raw in source.chunks(16384):
            self.detector.codec_.encode(raw, rows)
            if self.detector.condition_codec_ is not None:
                self.detector.condition_codec_.encode(source.condition(rows), rows)

    def scores(self, samples: Samples) -> NDArray[np.float64]:
        """Return the anomaly scores, shape (n,)."""
        chunks = self.detector.iter_outputs(self.open(samples), "anomaly_score")
        return np.concatenate([scores for _, scores in chunks])

    def describe(self) -> dict[str, Any]:
        """Return the entry of this model in `GET /v1/models`."""
        detector = self.detector
        fields = {"name": self.name, "detector": type(detector).__name__, "kind": self.kind}
        return fields | {
            "threshold": stored_threshold(detector.threshold_),
            "target_fpr": detector.fitted_params_["target_fpr"],
            "n_held_out": len(detector.calibration_scores_),
            "has_p_values": True,
            "has_probabilities": hasattr(detector, "proba_calibration_"),
            "explains": self.can("explain"),
            "columns": self._described_columns(detector.codec_) if self.kind == "table" else None,
            "condition": self._described_columns(detector.condition_codec_),
            "image": self._described_image() if self.kind == "image" else None,
        }

    def _described_columns(self, codec: inputs.Codec | None) -> list[dict[str, str]] | None:
        if codec is None:
            return None
        return [{"name": str(column.name), "kind": column.kind} for column in codec.columns]

    def _described_image(self) -> dict[str, int | bool]:
        codec = self.detector.codec_
        channels, height, width = codec.shape
        cut = isinstance(codec, inputs.PatchCodec)
        return {"height": height, "width": width, "channels": channels, "cut": cut}


def _texts(codec: inputs.Codec) -> dict[str, bool]:
    return {column.name: column.name in codec.text_columns for column in codec.columns}


def open_models(specs: Iterable[str], device: str | None = None) -> dict[str, Model]:
    """Load model files, each named by its file or as ``NAME=PATH``.

    Parameters
    ----------
    specs : iterable of str
        Paths of model files.
    device : {"auto", "cpu", "cuda"} or None
        Where to score (see :func:`oddgan.load`).

    Raises
    ------
    ValueError
        Two models have the same name, a name is not valid in a URL, or a file is not a model.
    FileNotFoundError
        A file does not exist.
    """
    paths: dict[str, str] = {}
    for text in specs:
        name, path = parse_spec(text)
        if name in paths:
            raise ValueError(
                f"two models are called {name!r}, {paths[name]} and {path}: "
                "name one of them as NAME=PATH"
            )
        paths[name] = path
    return {name: Model(name, load_detector(path, device=device)) for name, path in paths.items()}


def parse_spec(text: str) -> tuple[str, str]:
    """Return name and path of ``PATH`` or ``NAME=PATH``.

    A text that is an existing path is taken as a path, even with an equals sign.
    """
    name, equals, path = text.partition("=")
    if not equals or Path(text).exists():
        name, path = Path(text).stem, text
    if not _NAME.fullmatch(name):
        raise ValueError(
            f"{name!r} cannot be a model's name, which is up to 64 letters, digits, '.', '_' and "
            "'-': name the model as NAME=PATH"
        )
    return name, path
