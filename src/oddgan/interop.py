"""Adapters of OddGAN's detectors for other libraries."""

from functools import cache
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from sklearn.base import clone
from sklearn.utils.validation import check_is_fitted

from oddgan.combination import Combination
from oddgan.detectors import Detector

Floats = NDArray[np.float64]


def to_pyod(detector: Any) -> Any:
    """Return a detector with PyOD's interface.

    Parameters
    ----------
    detector : Detector or Combination
        Fitted or not. ``fit`` of the result fits a copy.

    Returns
    -------
    pyod.models.base.BaseDetector
        With PyOD's signs: ``decision_function`` is our `anomaly_score`, higher is more anomalous,
        and ``predict`` returns 1 for flagged samples and 0 for the rest. ``threshold_`` is our
        conformal threshold from held-out normal samples for `target_fpr`, not from a guessed
        contamination; ``contamination`` returns `target_fpr`. After ``fit``,
        ``decision_scores_`` and ``labels_`` are those of the training rows; for a detector that
        was already fitted, without its training rows, they are those of its held-out normal
        samples. ``predict_proba`` is PyOD's, from these scores, not a calibrated probability.

    Raises
    ------
    ImportError
        PyOD is not installed.
    TypeError
        `detector` is not an OddGAN detector.

    Examples
    --------
    ``to_pyod(VAE()).fit(X).predict(X)``
    """
    if not isinstance(detector, Detector | Combination):
        raise TypeError(
            "to_pyod takes a detector of OddGAN or a Combination, not "
            f"{detector.__name__ if isinstance(detector, type) else type(detector).__name__}"
        )
    adapter = _adapter()(detector)
    if hasattr(detector, "threshold_"):
        adapter._adopt(detector, detector.calibration_scores_)
    return adapter


def __getattr__(name: str) -> Any:
    # The class is created on first use because its base is PyOD's; pickle finds it here.
    if name == "PyODDetector":
        return _adapter()
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


@cache
def _adapter() -> type:
    try:
        from pyod.models.base import BaseDetector
    except ImportError as error:
        raise ImportError("to_pyod needs PyOD: pip install 'oddgan[bench]'") from error

    class PyODDetector(BaseDetector):  # type: ignore[misc]
        """A detector of OddGAN with PyOD's interface; :func:`to_pyod` creates it.

        Parameters
        ----------
        detector : Detector or Combination
            The detector.

        Attributes
        ----------
        detector_ : Detector or Combination
            The fitted detector.
        """

        def __init__(self, detector: Any) -> None:
            self.detector = detector

        @property
        def contamination(self) -> float:
            """The share of normal samples to flag, under PyOD's name."""
            return float(self.detector.target_fpr)

        def fit(self, X: Any, y: Any = None) -> Self:
            """Fit a copy of the detector on normal samples; y is ignored."""
            fitted = clone(self.detector).fit(X)
            self._adopt(fitted, fitted.anomaly_score(X))
            return self

        def decision_function(self, X: Any) -> Floats:
            """Return the anomaly scores, shape (n,); higher is more anomalous."""
            check_is_fitted(self)
            scores: Floats = self.detector_.anomaly_score(X)
            return scores

        def _adopt(self, fitted: Any, scores: Floats) -> None:
            self.detector_ = fitted
            self.decision_scores_ = scores
            self._set_n_classes(None)
            self._process_decision_scores()  # for predict_proba; it also sets a threshold
            self.threshold_ = fitted.threshold_
            self.labels_ = (scores > self.threshold_).astype(int)

    PyODDetector.__module__, PyODDetector.__qualname__ = __name__, "PyODDetector"
    return PyODDetector
