"""One interface for detectors of three libraries: fit, and anomaly scores."""

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Literal, Self

import numpy as np
from numpy.typing import NDArray
from sklearn.base import clone, is_outlier_detector
from sklearn.pipeline import _name_estimators

from oddgan import inputs
from oddgan.detectors import BaseDetector

Floats = NDArray[np.float64]
Family = Literal["oddgan", "pyod", "sklearn"]
#: Samples per chunk.
READ = 4096


def with_names(detectors: Any) -> list[tuple[str, Any]]:
    """Return (name, detector) pairs; without names, the classes' names in lower case."""
    entries = list(detectors) if isinstance(detectors, list | tuple) else []
    if entries and all(isinstance(d, tuple) and len(d) == 2 for d in entries):
        return entries
    return list(_name_estimators(entries))


def family_of(name: str, detector: Any) -> Family:
    """Return the library whose conventions a detector follows.

    Raises
    ------
    TypeError
        It is not a detector.
    ValueError
        It can only score the rows that it was fitted on.
    """
    cls = detector if isinstance(detector, type) else type(detector)
    if isinstance(detector, type):
        raise TypeError(f"member {name!r} is a class: give an instance, {cls.__name__}()")
    if isinstance(detector, BaseDetector):
        return "oddgan"
    # By name, to avoid importing PyOD; first, because its detectors look like scikit-learn's.
    bases = {(base.__module__.partition(".")[0], base.__name__) for base in cls.__mro__}
    if ("pyod", "BaseDetector") in bases:
        return "pyod"
    scores = hasattr(detector, "score_samples")
    if not hasattr(detector, "fit") or not (scores or is_outlier_detector(detector)):
        raise TypeError(
            f"member {name!r} is of type {cls.__name__}, which is not an outlier detector: it "
            "needs fit and score_samples, or decision_function of a scikit-learn or PyOD detector"
        )
    if not (scores or hasattr(detector, "decision_function")):
        raise ValueError(
            f"member {name!r} ({cls.__name__}) cannot score new samples; "
            "LocalOutlierFactor can with novelty=True"
        )
    return "sklearn"


class Rows:
    """Samples, and lazily their matrix for members that only accept one."""

    def __init__(self, source: inputs.Source, codec: "MatrixCodec | None") -> None:
        self.source = source
        self._codec = codec
        self._matrix: NDArray[Any] | None = None

    @property
    def matrix(self) -> NDArray[Any]:
        """The samples as rows of numbers, (n, d)."""
        if self._matrix is None:
            assert self._codec
            self._matrix = self._codec.encode(self.source)
        return self._matrix


@dataclass(frozen=True)
class MatrixCodec:
    """Encodes samples as rows of numbers for detectors of other libraries.

    Attributes
    ----------
    codec : inputs.Codec
        The encoding of our detectors.
    plain : bool
        Whether the samples are numbers without gaps, which stay unchanged.
    """

    codec: inputs.Codec
    plain: bool

    @classmethod
    def fit(cls, source: inputs.Source) -> Self:
        """Fit the codec on training rows."""
        rows, raw = _read(source)
        codec = inputs.fit_codec(raw, rows=source.sample_names(rows))
        columns = codec.columns if isinstance(codec, inputs.TableCodec) else ()
        plain = bool(columns) and not codec.text_columns
        return cls(codec, plain and not any(column.missing for column in columns))

    def encode(self, source: inputs.Source) -> NDArray[Any]:
        """Return one row of numbers for each sample."""
        rows, raw = _read(source)
        encoded = self.codec.encode(raw, source.sample_names(rows))  # also checks the columns
        if not self.plain:
            return encoded.flatten(1).numpy()
        if isinstance(raw, np.ndarray):
            return raw
        columns = [raw.column(c.name).to_numpy() for c in self.codec.columns]  # type: ignore[union-attr]
        return np.column_stack(columns).astype(np.float64)


def _read(source: inputs.Source) -> tuple[NDArray[np.int64], inputs.Raw]:
    chunks = list(source.chunks(READ))
    raw = inputs.concat([raw for _, raw in chunks])  # refuses an empty list
    return np.concatenate([rows for rows, _ in chunks]), raw


@dataclass(frozen=True)
class Member:
    """A fitted detector.

    Attributes
    ----------
    name : str
        Its name in messages and columns.
    detector : estimator
        The detector.
    family : {"oddgan", "pyod", "sklearn"}
        The library whose conventions it follows.
    """

    name: str
    detector: Any
    family: Family

    @classmethod
    def fit(cls, name: str, detector: Any, rows: Rows, seeds: np.random.Generator) -> Self:
        """Fit a copy of a detector, with a drawn seed if it has none."""
        member = cls(name, _seeded(clone(detector), seeds), family_of(name, detector))
        with _naming(name), warnings.catch_warnings():
            # The warning is about the member's own threshold, which is not used.
            warnings.filterwarnings("ignore", "only .* held-out sample", UserWarning)
            member.detector.fit(rows.source if member.family == "oddgan" else rows.matrix)
        return member

    def scores(self, rows: Rows) -> Floats:
        """Return anomaly scores, shape (n,); higher is more anomalous."""
        with _naming(self.name):
            scores = np.asarray(self._scores(rows), dtype=np.float64).ravel()
            bad = np.count_nonzero(~np.isfinite(scores))
            if bad:
                raise ValueError(f"{bad} of {len(scores)} scores are NaN or infinite")
        return scores

    def _scores(self, rows: Rows) -> Any:
        if self.family == "oddgan":
            return self.detector.anomaly_score(rows.source)
        if self.family == "pyod":
            return self.detector.decision_function(rows.matrix)
        if hasattr(self.detector, "score_samples"):
            return -self.detector.score_samples(rows.matrix)
        return -self.detector.decision_function(rows.matrix)


def _seeded(detector: Any, seeds: np.random.Generator) -> Any:
    """Set a seed for every random_state that is None, so nothing draws from global state."""
    params = detector.get_params(deep=True)
    unseeded = sorted(k for k, v in params.items() if v is None and k.endswith("random_state"))
    return detector.set_params(**{name: int(seeds.integers(2**31)) for name in unseeded})


@contextmanager
def _naming(name: str) -> Iterator[None]:
    """Name the member in messages about bad input."""
    try:
        yield
    except ValueError as error:
        raise ValueError(f"member {name!r}: {error}") from error
