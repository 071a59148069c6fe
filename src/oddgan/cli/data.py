"""DATA on the command line: a data set by name, a file or a folder; and which rows to use."""

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import yaml
from numpy.typing import NDArray

from oddgan import datasets, evaluation, inputs
from oddgan.bench.data import digest

Open = Callable[..., inputs.Source]


@dataclass(frozen=True)
class DataOptions:
    """The options that define how DATA is read and which samples are normal.

    Attributes
    ----------
    label : str or None
        Column (or NPZ key) with the labels; it is not an input of the detector.
    anomaly, normal : str or None
        The anomalous, or the only normal, class.
    train_fraction : float
        Share of the labelled normal rows of a file that may train.
    split_seed : int
        Selects these rows.
    pattern : str or None
        Which files of a folder.
    skip_bad : bool
        Whether to leave out images that cannot be read.
    condition : list of str or None
        Columns, or a file, with the condition of the samples.
    groups : list of str or None
        Columns, or a file, that tell which samples belong together.
    protocol : str or None
        How to split into training and test: a protocol's name, or YAML with its parameters.
    """

    label: str | None = None
    anomaly: str | None = None
    normal: str | None = None
    train_fraction: float = 0.7
    split_seed: int = 0
    pattern: str | None = None
    skip_bad: bool = False
    condition: list[str] | None = None
    groups: list[str] | None = None
    protocol: str | None = None

    @property
    def reading(self) -> dict[str, Any]:
        """What `inputs.open_source` takes."""
        return {"label": self.label, "pattern": self.pattern, "skip_bad": self.skip_bad}

    @property
    def condition_argument(self) -> list[str] | str | None:
        """What `inputs.with_condition` takes."""
        return _one_or_all(self.condition)

    def filled_from(self, origin: Mapping[str, Any]) -> "DataOptions":
        """Return these options, with those that are not set taken from the fit of a model."""
        fit_options = origin.get("how", {})
        names: tuple[str, ...] = ("label", "anomaly", "normal", "pattern")
        if self.anomaly or self.normal:  # a newly named class replaces both
            names = ("label", "pattern")
        missing = {
            n: fit_options[n] for n in names if getattr(self, n) is None and n in fit_options
        }
        return replace(self, **missing)


@dataclass(frozen=True)
class Data:
    """DATA, opened.

    Attributes
    ----------
    source : inputs.Source
        All its samples.
    dataset : datasets.Dataset or None
        Its labels, if it has any; for a file, `X` is empty.
    identity : str
        Identifies the data: the name of a data set, or a digest of the files.
    """

    source: inputs.Source
    dataset: datasets.Dataset | None
    identity: str

    def grouped(self, options: DataOptions) -> "Data":
        """Return the same data with its groups of samples, if it has any."""
        groups: Any = _one_or_all(options.groups)
        if groups is None and self.dataset is not None:
            groups = self.dataset.groups
        if groups is None:
            return self
        return replace(self, source=inputs.with_groups(self.source, groups))

    def subset(self, rows: NDArray[np.int64]) -> inputs.Source:
        """Return the samples with these row numbers."""
        keep = np.zeros(self.source.count(), dtype=bool)
        keep[rows] = True
        return inputs.Subset(self.source, keep)

    def with_samples(self, codec: inputs.Codec) -> datasets.Dataset:
        """Return the data set with its samples in memory, as baselines need them.

        `codec` resizes image files of varying size. The condition of a table's rows becomes
        columns of the table; images are used without their condition.
        """
        if self.dataset is None:
            raise ValueError("baselines need labelled data")
        X = self.dataset.X
        if X.size and self.source.condition_columns:
            return self.dataset  # its table has them
        if not X.size:
            X = self._in_memory(codec)
        condition = self.source.condition(np.arange(len(X)))
        if isinstance(X, pd.DataFrame) and isinstance(condition, pa.Table):
            columns = condition.to_pandas().add_prefix("condition: ").set_axis(X.index)
            X = pd.concat([X, columns], axis=1)
        return replace(self.dataset, X=X)

    def _in_memory(self, codec: inputs.Codec) -> NDArray[Any] | pd.DataFrame:
        raw = inputs.concat([raw for _, raw in self.source.chunks(65536)])
        if len(raw) != self.source.count():
            raise ValueError("baselines need every file: use --no-baselines with --skip-bad")
        if isinstance(raw, pa.Table):
            frame: pd.DataFrame = raw.to_pandas()
            return frame
        if isinstance(raw, list):
            return codec.encode(raw).numpy()
        return pd.DataFrame(raw) if raw.ndim == 2 else raw


def open_samples(data: Any, *, condition: Any = None, **reading: Any) -> inputs.Source:
    """Open samples to train on, with their condition, if any."""
    source = inputs.open_source(data, **reading)
    return source if condition is None else inputs.with_condition(source, condition)


def open_data(text: str, options: DataOptions, opener: Open = open_samples) -> Data:
    """Open DATA: the name of a data set wins over a file of that name (write ``./name``)."""
    names = [info.name for info in datasets.available()]
    if text in names:
        if options.label or options.pattern:
            raise ValueError(f"{text} is a data set with its own labels: leave out --label")
        named = datasets.load(text)
        return Data(opener(named.X, condition=options.condition_argument), named, text)
    path = Path(text)
    if not path.exists():
        raise ValueError(
            f"{text} is neither a file, nor a folder, nor one of the data sets {', '.join(names)}"
        )
    source = opener(path, condition=options.condition_argument, **options.reading)
    labels = source.labels()
    if path.is_dir() and (options.anomaly or options.normal):
        labels = np.array([Path(name).parts[0] for name in source.names or []])
    if labels is None and (options.anomaly or options.normal):
        raise ValueError(f"{text} has no labels: say with --label which column holds them")
    dataset: datasets.Dataset | None = None
    if labels is not None and np.shape(labels) != (source.count(),):
        raise ValueError(f"{text}: {source.count()} samples but labels of shape {np.shape(labels)}")
    if labels is not None:
        empty = np.empty((len(labels), 0), dtype=np.float32)
        dataset = datasets.Dataset(path.name, source.kind, empty, labels, None, f"file {path.name}")
    identity = f"sha256:{digest(path, source.names)}"
    return Data(source, dataset, identity)


def training_rows(data: Data, options: DataOptions) -> tuple[inputs.Source, dict[str, Any]]:
    """Return the training samples, and their provenance for the model to store."""
    origin: dict[str, Any] = {"data": data.identity, "how": asdict(options)}
    if data.dataset is None:
        if options.protocol:
            raise ValueError("--protocol needs labelled data: say with --label which column")
        return data.source, origin
    if (
        options.train_fraction == 1
        and options.label
        and options.normal is None
        and not options.protocol
    ):
        anomalous = data.dataset.is_class(1 if options.anomaly is None else options.anomaly)
        return data.subset(np.flatnonzero(~anomalous)), origin
    protocol = _protocol(data.dataset, options)
    split = protocol.split(data.dataset)
    origin |= {"protocol": protocol.to_dict(), "description": split.description}
    return data.subset(split.train), origin


def test_rows(
    data: Data, options: DataOptions, origin: dict[str, Any]
) -> tuple[inputs.Source, evaluation.Split]:
    """Return the labelled samples to evaluate on: none that the model was trained on."""
    if data.dataset is None:
        raise ValueError("an evaluation needs labels: give --label, or --anomaly for a folder")
    if origin.get("data") == data.identity:
        for name in ("label", "anomaly", "normal"):
            if getattr(options, name) != origin["how"][name]:
                raise ValueError(
                    f"the model was fitted on this data with --{name} {origin['how'][name]}, "
                    f"not {getattr(options, name)}"
                )
        if "protocol" not in origin:
            raise ValueError("the model was trained on all normal samples of this data")
        split = evaluation.from_dict(origin["protocol"]).split(data.dataset)
        return data.subset(split.test), split
    all_rows = np.arange(len(data.dataset))
    if options.normal is not None:
        y = ~data.dataset.is_class(options.normal)
    else:
        y = data.dataset.is_class(1 if options.anomaly is None else options.anomaly)
    testing = "every row tests; the model was fitted on other files"
    return data.source, evaluation.Split(all_rows[:0], all_rows, y.astype(np.int64), None, testing)


def _one_or_all(names: list[str] | None) -> list[str] | str | None:
    """Return the value of a repeatable option: one column or file, or several columns."""
    return names[0] if names and len(names) == 1 else names


def _protocol(dataset: datasets.Dataset, options: DataOptions) -> evaluation.Protocol:
    if options.protocol:
        return _named_protocol(options.protocol, options)
    by_label = options.label is not None and options.normal is None
    if options.train_fraction != DataOptions.train_fraction and not by_label:
        raise ValueError("--train-fraction is for tables with --label; here the protocol sets it")
    if by_label:
        anomaly = 1 if options.anomaly is None else options.anomaly
        return evaluation.Labelled(anomaly, options.train_fraction, options.split_seed)
    return evaluation.default_protocol(dataset, options.anomaly, options.normal, options.split_seed)


def _named_protocol(text: str, options: DataOptions) -> evaluation.Protocol:
    try:
        parsed = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise ValueError(f"--protocol {text!r} is not YAML: {error}") from error
    if not isinstance(parsed, str | dict):
        raise ValueError(f"--protocol takes a name or '{{name: ..., ...}}', not {text!r}")
    flags = {
        "anomaly": options.anomaly,
        "normal": options.normal,
        "seed": options.split_seed or None,
    }
    values = {name: value for name, value in flags.items() if value is not None}
    return evaluation.from_dict(values | ({"name": parsed} if isinstance(parsed, str) else parsed))
