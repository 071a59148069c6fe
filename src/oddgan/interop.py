"""OddGAN's detectors for the tools of other libraries."""

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
    """Return a detector as PyOD's tools take it.

    Parameters
    ----------
    detector : Detector or Combination
        Fitted or not. ``fit`` of the result fits a copy.

    Returns
    -------
    pyod.models.base.BaseDetector
        With PyOD's signs: ``decision_function`` is our `anomaly_score`, higher is odder, and
        ``predict`` gives 1 for what is flagged and 0 for the rest. ``threshold_`` is ours, the
        conformal one of held-out normal samples for `target_fpr`; there is no guess of a
        contamination, and ``contamination`` is `target_fpr` to those who ask. After ``fit``,
        ``decision_scores_`` and ``labels_`` are those of the training rows; of a detector that
        was fitted before, whose training rows are gone, of its held-out normal samples.
        ``predict_proba`` is PyOD's, of these scores: no calibrated probability.

    Raises
    ------
    ImportError
        PyOD is not installed.
    TypeError
        `detector` is none of ours.

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
    # The class is made when it is first needed, as its base is PyOD's; pickle finds it here.
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
        """A detector of OddGAN with PyOD's interface; made by :func:`to_pyod`.

        Parameters
        ----------
        detector : Detector or Combination
            The detector.

        Attributes
        ----------
        detector_ : Detector or Combination
            The fitted one.
        """

        def __init__(self, detector: Any) -> None:
            self.detector = detector

        @property
        def contamination(self) -> float:
            """The share of normal samples to flag; PyOD's name for it."""
            return float(self.detector.target_fpr)

        def fit(self, X: Any, y: Any = None) -> Self:
            """Fit a copy of the detector on normal samples; y is not used."""
            fitted = clone(self.detector).fit(X)
            self._adopt(fitted, fitted.anomaly_score(X))
            return self

        def decision_function(self, X: Any) -> Floats:
            """Return how odd each sample is, shape (n,); higher is odder."""
            check_is_fitted(self)
            scores: Floats = self.detector_.anomaly_score(X)
            return scores

        def _adopt(self, fitted: Any, scores: Floats) -> None:
            self.detector_ = fitted
            self.decision_scores_ = scores
            self._set_n_classes(None)
            self._process_decision_scores()  # for predict_proba; it guesses a threshold besides
            self.threshold_ = fitted.threshold_
            self.labels_ = (scores > self.threshold_).astype(int)

    PyODDetector.__module__, PyODDetector.__qualname__ = __name__, "PyODDetector"
    return PyODDetector
