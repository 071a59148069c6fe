"""Probabilities of being an anomaly, calibrated on labelled samples."""

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
_FEW_FOR_ISOTONIC = 1000  # in total: Niculescu-Mizil and Caruana 2005

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class ProbaCalibration:
    """The map from scores to probabilities, fitted by `proba_calibration`.

    Attributes
    ----------
    method : {"sigmoid", "isotonic"}
        Method of calibration.
    n_normal, n_anomalous : int
        Number of labelled samples of each class.
    prevalence : float
        Share of anomalies that the probabilities assume.
    center, scale : float
        A score s is transformed to u = arcsinh((s - center) / scale).
    slope, intercept : float
        For "sigmoid": the log-odds are slope * u + intercept; the slope is at least 0.
    knots, log_odds : tuple of float
        For "isotonic": non-decreasing log-odds at these values of u, interpolated between knots
        and constant beyond.
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

        It never decreases with the score.
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
    """Fit the probability of an anomaly as a function of the score to labelled scores.

    "sigmoid" is Platt's (1999): the log-odds are linear in u = arcsinh((score - median) / scale)
    with median and interquartile range / 1.349 of normal scores. This is linear near normal scores
    and logarithmic beyond, since anomalies may score thousands of times higher than normal
    samples. "isotonic" (Zadrozny and Elkan 2002) fits any non-decreasing step function; it needs
    about 1,000 labelled samples to be better than the sigmoid (Niculescu-Mizil and Caruana 2005).

    Both are fitted to Platt's targets, (n_anomalous + 1) / (n_anomalous + 2) and
    1 / (n_normal + 2), instead of 1 and 0: few labels then cannot give a probability of 0 or 1,
    and classes may be separable.

    Parameters
    ----------
    y : array-like of shape (n,)
        1 for anomalies, 0 for normal samples; both must occur. Do not use training samples, which
        score lower than new ones.
    scores : array-like of shape (n,)
        Anomaly scores, higher is more anomalous.
    method : {"sigmoid", "isotonic"}, default="sigmoid"
        See above.
    prevalence : float, optional
        Share of anomalies, in (0, 1), where the probabilities will be used; by default that of
        `y`, which is seldom the same. The log-odds are shifted by the difference of the two prior
        log-odds (Elkan 2001, theorem 2; Saerens et al. 2002, equation 4); this assumes that the
        distributions within each class are the same.
    normal_scores : array-like, optional
        Scores of normal samples for median and scale; by default the labelled ones.

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
    is_anomaly = checked_labels(y)
    values = np.asarray(scores, dtype=np.float64)
    if values.shape != is_anomaly.shape:
        raise ValueError(f"y has {len(is_anomaly)} labels, but there are {len(values)} scores")
    if not np.isfinite(values).all():
        raise ValueError(f"score {int(np.argmin(np.isfinite(values)))} is not finite")
    share = float(is_anomaly.mean())
    target_share = share if prevalence is None else prevalence
    check_share("prevalence", target_share)
    shift = float(logit(target_share) - logit(share))
    n_anomalous = int(is_anomaly.sum())
    n_normal = len(is_anomaly) - n_anomalous
    _warn_if_few(method, n_normal, n_anomalous)
    targets = np.where(is_anomaly, (n_anomalous + 1) / (n_anomalous + 2), 1 / (n_normal + 2))
    center, scale = _unit(values[~is_anomaly] if normal_scores is None else normal_scores)
    u = _compressed(values, center, scale)
    common = (method, n_normal, n_anomalous, target_share, center, scale)
    if method == "sigmoid":
        slope, intercept = _line(u, targets)
        _warn_if_flat(slope <= 0)
        if slope <= 0:
            return ProbaCalibration(*common, intercept=float(logit(target_share)))
        return ProbaCalibration(*common, slope=slope, intercept=intercept + shift)
    curve = IsotonicRegression(out_of_bounds="clip").fit(u, targets)
    log_odds = logit(curve.y_thresholds_)
    _warn_if_flat(bool(log_odds[0] == log_odds[-1]))
    return ProbaCalibration(
        *common,
        knots=tuple(curve.X_thresholds_.tolist()),
        log_odds=tuple((log_odds + shift).tolist()),
    )


def check_method(method: str) -> None:
    """Raise ValueError unless `method` is a calibration method."""
    methods = get_args(ProbaMethod)
    if method not in methods:
        raise ValueError(f"method must be {' or '.join(methods)}, got {method!r}")


def _line(u: Floats, targets: Floats) -> tuple[float, float]:
    """Return the slope and intercept of the log-odds that minimise the cross-entropy."""
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


def _warn_if_few(method: str, n_normal: int, n_anomalous: int) -> None:
    for n, kind in ((n_normal, "normal"), (n_anomalous, "anomalous")):
        if n < _FEW:
            _warn(f"the probabilities rest on only {n} {kind} sample(s): they are rough estimates")
    if method == "isotonic" and n_normal + n_anomalous < _FEW_FOR_ISOTONIC:
        _warn(
            f"isotonic calibration on {n_normal + n_anomalous} samples overfits; below "
            f'{_FEW_FOR_ISOTONIC} samples method="sigmoid" is the better choice'
        )


def _warn_if_flat(flat: bool) -> None:
    if flat:
        _warn(
            "the labelled anomalies do not score higher than the normal samples: every sample gets "
            "the same probability"
        )


def _warn(message: str) -> None:
    warnings.warn(message, UserWarning, stacklevel=4)
