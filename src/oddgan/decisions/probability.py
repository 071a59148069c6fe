"""Probabilities of being an anomaly, where some samples are labelled."""

import warnings
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import expit, logit
from sklearn.isotonic import IsotonicRegression
from sklearn.linear_model import LogisticRegression

from .conformal import check_share
from .costs import checked_labels

ProbaMethod = Literal["sigmoid", "isotonic"]

_FEW = 10  # of a class
_FEW_FOR_ISOTONIC = 1000  # in all: Niculescu-Mizil and Caruana 2005

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class ProbaCalibration:
    """How scores become probabilities; made by `proba_calibration`.

    Attributes
    ----------
    method : {"sigmoid", "isotonic"}
        How they were calibrated.
    n_normal, n_anomalous : int
        How many labelled samples of each class they rest on.
    prevalence : float
        Share of anomalies among the samples that the probabilities are meant for.
    center, scale : float
        A score s enters as u = arcsinh((s - center) / scale).
    slope, intercept : float
        Of the log-odds over u, by "sigmoid"; the slope is at least 0.
    knots, log_odds : tuple of float
        Log-odds at these values of u, neither ever falling, by "isotonic": interpolated between
        knots, constant beyond.
    """

    method: ProbaMethod
    n_normal: int
    n_anomalous: int
    prevalence: float
    center: float
    scale: float
    slope: float = 0.0
    intercept: float = 0.0
    knots: tuple[float, ...] = ()
    log_odds: tuple[float, ...] = ()

    def probability(self, scores: ArrayLike) -> Floats:
        """Return the probability that each sample is an anomaly, shape (n,).

        It never falls as the score rises.
        """
        u = _compressed(np.asarray(scores, dtype=np.float64), self.center, self.scale)
        if self.method == "sigmoid":
            return np.asarray(expit(self.slope * u + self.intercept))
        return np.asarray(expit(np.interp(u, self.knots, self.log_odds)))


def proba_calibration(
    y: ArrayLike,
    scores: ArrayLike,
    *,
    method: ProbaMethod = "sigmoid",
    prevalence: float | None = None,
    normal_scores: ArrayLike | None = None,
) -> ProbaCalibration:
    """Learn from labelled scores how probable an anomaly is at each score.

    "sigmoid" is Platt's (1999): the log-odds are linear in the score, or rather in u =
    arcsinh((score - median) / scale) with median and interquartile range / 1.349 of normal scores,
    which is linear among these and grows as the logarithm beyond, as scores of anomalies may be
    thousands of times those of normal samples. "isotonic" (Zadrozny and Elkan 2002) fits any rising
    step curve; it takes about 1,000 labelled samples before it beats the sigmoid
    (Niculescu-Mizil and Caruana 2005).

    Both are fitted to Platt's targets, (n_anomalous + 1) / (n_anomalous + 2) and
    1 / (n_normal + 2), in place of 1 and 0: no probability is then a certainty that so few labels
    could not support, and classes that do not overlap do no harm.

    Parameters
    ----------
    y : array-like of shape (n,)
        1 for anomalies, 0 for normal samples; both must occur. The samples should be none that
        trained: those score lower than new ones.
    scores : array-like of shape (n,)
        Anomaly scores, higher is odder.
    method : {"sigmoid", "isotonic"}, default="sigmoid"
        See above.
    prevalence : float, optional
        Share of anomalies, in (0, 1), where the probabilities are to be used; by default that of
        `y`, which is seldom the same. The log-odds are shifted by the difference of the two
        log-odds (Elkan 2001, theorem 2; Saerens et al. 2002, equation 4), which is right where
        anomalies look alike in both places, and so do normal samples.
    normal_scores : array-like, optional
        Scores of normal samples that median and scale are taken of; by default the labelled ones.

    Returns
    -------
    ProbaCalibration

    Raises
    ------
    ValueError
        An argument is not as described.

    References
    ----------
    J. Platt. Probabilistic outputs for support vector machines. Advances in Large Margin
    Classifiers, 1999.
    B. Zadrozny, C. Elkan. Transforming classifier scores into accurate multiclass probability
    estimates. KDD 2002.
    A. Niculescu-Mizil, R. Caruana. Predicting good probabilities with supervised learning. ICML
    2005.
    C. Elkan. The foundations of cost-sensitive learning. IJCAI 2001.
    M. Saerens, P. Latinne, C. Decaestecker. Adjusting the outputs of a classifier to new a priori
    probabilities. Neural Computation 14, 2002.

    Examples
    --------
    >>> import numpy as np
    >>> rng = np.random.default_rng(0)
    >>> y = np.arange(400) % 4 == 0
    >>> scores = rng.normal(np.where(y, 3, 0))
    >>> for prevalence in (None, 0.01):
    ...     calibration = proba_calibration(y, scores, prevalence=prevalence)
    ...     print(calibration.probability([0, 2, 4]).round(2))
    [0.   0.62 0.98]
    [0.   0.05 0.56]
    """
    check_method(method)
    anomalous = checked_labels(y)
    found = np.asarray(scores, dtype=np.float64)
    if found.shape != anomalous.shape:
        raise ValueError(f"y holds {len(anomalous)} labels, but there are {len(found)} scores")
    if not np.isfinite(found).all():
        raise ValueError(f"score {int(np.argmin(np.isfinite(found)))} is not finite")
    share = float(anomalous.mean())
    used_at = share if prevalence is None else prevalence
    check_share("prevalence", used_at)
    shift = float(logit(used_at) - logit(share))
    n_anomalous = int(anomalous.sum())
    n_normal = len(anomalous) - n_anomalous
    _warn_of_few(method, n_normal, n_anomalous)
    targets = np.where(anomalous, (n_anomalous + 1) / (n_anomalous + 2), 1 / (n_normal + 2))
    center, scale = _unit(found[~anomalous] if normal_scores is None else normal_scores)
    u = _compressed(found, center, scale)
    learnt = (method, n_normal, n_anomalous, used_at, center, scale)
    if method == "sigmoid":
        slope, intercept = _line(u, targets)
        _warn_if_flat(slope <= 0)
        if slope <= 0:
            return ProbaCalibration(*learnt, intercept=float(logit(used_at)))
        return ProbaCalibration(*learnt, slope=slope, intercept=intercept + shift)
    curve = IsotonicRegression(out_of_bounds="clip").fit(u, targets)
    levels = logit(curve.y_thresholds_)
    _warn_if_flat(bool(levels[0] == levels[-1]))
    return ProbaCalibration(
        *learnt,
        knots=tuple(curve.X_thresholds_.tolist()),
        log_odds=tuple((levels + shift).tolist()),
    )


def check_method(method: str) -> None:
    """Refuse what is no method of calibration."""
    known = get_args(ProbaMethod)
    if method not in known:
        raise ValueError(f"method must be {' or '.join(known)}, got {method!r}")


def _line(u: Floats, targets: Floats) -> tuple[float, float]:
    """Return slope and intercept of the log-odds with the least cross-entropy."""
    if np.ptp(u) == 0:
        return 0.0, 0.0
    # A target t is one sample of class 1 with weight t and one of class 0 with weight 1 - t.
    classes = np.repeat([1, 0], len(u))
    weights = np.concatenate([targets, 1 - targets])
    model = LogisticRegression(C=np.inf, solver="newton-cholesky", tol=1e-8)
    model.fit(np.concatenate([u, u])[:, None], classes, sample_weight=weights)
    return float(model.coef_[0, 0]), float(model.intercept_[0])


def _unit(normal_scores: ArrayLike) -> tuple[float, float]:
    """Return center and scale of normal scores."""
    normal = np.asarray(normal_scores, dtype=np.float64)
    low, middle, high = np.percentile(normal, [25, 50, 75])
    scale = (high - low) / 1.349 or normal.std() or 1.0
    return float(middle), float(scale)


def _compressed(scores: Floats, center: float, scale: float) -> Floats:
    return np.asarray(np.arcsinh((scores - center) / scale))


def _warn_of_few(method: str, n_normal: int, n_anomalous: int) -> None:
    for n, kind in ((n_normal, "normal"), (n_anomalous, "anomalous")):
        if n < _FEW:
            _warn(f"the probabilities rest on only {n} {kind} sample(s): take them as rough")
    if method == "isotonic" and n_normal + n_anomalous < _FEW_FOR_ISOTONIC:
        _warn(
            f"isotonic calibration on {n_normal + n_anomalous} samples follows their accidents; "
            f'below {_FEW_FOR_ISOTONIC} samples method="sigmoid" is the better choice'
        )


def _warn_if_flat(flat: bool) -> None:
    if flat:
        _warn(
            "the labelled anomalies do not score higher than the normal samples: every sample is "
            "given the same probability"
        )


def _warn(message: str) -> None:
    warnings.warn(message, UserWarning, stacklevel=4)
