"""The sections of a detector's docstring that are the same for all detectors."""

from textwrap import indent

from .parameters import Parameter
from .shared_parameters import SharedParameters

_SCORE = """
score_name : str or sequence of str
    Beside a method's own scores: the name of a component that all detectors share, or of several
    components and own scores, where a name that is there twice counts twice; or "local", which is
    ("residual_relative", "latent_density", "latent_knn"), or "local_and_input", which is
    ("residual_relative", "latent_density", "latent_knn", "residual_relative", "input_density",
    "input_knn"). A component is a measure in a space, SPACE_MEASURE. The spaces are

    - "latent": the latent vectors, each direction divided by its standard deviation;
    - "residual": x minus its reconstruction;
    - "feature": the last hidden layer of the discriminator, where there is one;
    - "input": the encoded sample itself, an image averaged over squares to at most 16 pixels
      along its longer side; no network has a part in it.

    The measures compare with training rows (see `n_references`):

    - "mahalanobis" (of latent, residual, feature): the distance from their mean in units of
      their covariance, shrunk after Ledoit and Wolf; for at most 1,024 numbers;
    - "knn" (of latent, feature, input): the mean distance to the 5 nearest, for images 20;
    - "density" (of latent, feature, input): the mean distance to the 20 nearest, divided by
      the mean that each of these has to its own 20 nearest;
    - "relative" (of residual): the mean square of the residual, divided by the mean that the
      20 nearest in the latent space have; anomalous if small, too: easier than its neighbours;
    - "critic" (of latent, feature, input): the critic of :class:`RetrievalCritic`, trained in
      that space for at most as many steps as the detector.

    Each component is scaled by the held-out rows, (component - median) / (interquartile range /
    1.349), a distance after taking log(component + 0.001 median); the score is their mean. After
    `fit` a `score_name` that names some of the fitted components needs no other fit for
    `anomaly_score`; decisions (`predict`, `p_value` ...) go by the score of the fit.
"""
_ATTRIBUTES = """
networks_ : dict of str to torch.nn.Module
    The trained networks by role, in evaluation mode; those of an ensemble by member and role, as
    in "0/encoder".
members_ : list of detectors
    The members of an ensemble, each a fitted detector; empty if `n_members` is 1.
threshold_ : float
    Samples with a greater `anomaly_score` are flagged.
pixel_threshold_ : float or None
    Pixels with a greater value in `anomaly_map` are flagged; None for tables.
offset_ : float
    Minus `threshold_`: ``decision_function = score_samples - offset_``.
calibration_scores_ : ndarray of shape (n_held_out,)
    Anomaly scores of the held-out normal samples, sorted; of groups one sample of each.
health_ : tuple of oddgan.health.HealthCheck
    What is wrong with the fit, with the remedy: a score that noise does not raise, a collapsed
    generator, a discriminator that answers a constant, one column that decides everything, too few
    rows. Empty if nothing was found; `health_report` says it in words. A `HealthWarning` warns
    about what is severe.
proba_calibration_ : oddgan.decisions.ProbaCalibration
    After `calibrate_proba`: the method, how many labelled samples of each class, and the
    prevalence that `predict_proba` is for.
history_ : list of dict
    Mean losses in the course of training, with the training step ("step"); for an ensemble the
    mean over its members, and ``members_[k].history_`` for one of them.
n_train_ : int
    Number of rows that trained; those of `calibration_scores_` did not, unless `cross_fitted_`.
    Image files that were skipped do not count. Each of `members_` has its own number.
cross_fitted_ : bool
    Whether each training row was held out too, by some of the members (see `n_members`).
n_features_in_ : int
    Number of columns of a table (tables only).
feature_names_in_ : ndarray of shape (n_features_in_,)
    Names of the columns, where they were given and all are strings.
"""


def other_sections(cls: type[SharedParameters]) -> str:
    """Return the sections that follow a detector's own, indented as its docstring is."""
    shared = {name: cls.parameters[name] for name in SharedParameters.parameters}
    sections = [
        _section("Other Parameters", _SCORE.strip("\n"), *_entries(shared)),
        _section("Attributes", _ATTRIBUTES.strip("\n")),
    ]
    return "\n" + indent("\n\n".join(sections), "    ", lambda line: bool(line.strip())) + "\n"


def _section(title: str, *entries: str) -> str:
    return "\n".join([title, "-" * len(title), *entries])


def _entries(parameters: dict[str, Parameter]) -> list[str]:
    return [parameter.described(name) for name, parameter in parameters.items()]
