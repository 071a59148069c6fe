"""The estimator: what all detectors share, its files in the order of a fit.

What an author implements, and what a user sets
    `hooks` (networks, losses, score), `parameters` (each stated once, as a field of a class),
    `shared_parameters` (those that every detector takes), `score_name` (what a score stands for).
From data to trained networks
    `open_data` opens the samples, `holdout` decides which rows train, `encoding` turns them into
    tensors, `training_terms` adds what all methods may train with, `fit` builds and trains the
    networks, `training_rows` feeds them (whole, cut into patches, or streamed), `ensemble` trains
    members as one.
From trained networks to a fitted detector
    `calibration` makes the one object that a fit leaves, `fitted.Fitted`: it fits the
    `shared_components` of the score and the `location_scale`, and sets the thresholds.
    `health_checks` looks whether the fit is sound.
Asking a fitted detector
    `queries` is the table of what can be asked, and the loop that answers; `inference` runs the
    networks, `contributions` and `explain` say what is anomalous about a sample (`explanation` is
    the result), `latent_search` finds latents for methods without an encoder.
The public classes
    `decisions` (the interface that every kind of detector has: scores, flags, p-values,
    probabilities), `fitted_attributes`, `base_detector` (what every detector can do), `detector`
    (the base of a method), `documentation` (the sections that all docstrings share),
    `serialization` (model files).

A method imports everything from here::

    from oddgan.estimator import Detector, NetworkSpec, parameter
"""

from .base_detector import BaseDetector
from .decisions import Calibration, Decisions
from .detector import Detector
from .explanation import ImageExplanation, TableExplanation
from .fitted import Columns, Fitted
from .hooks import Hooks, Networks, NetworkSpec, ScoreName
from .latent_search import nearest, search, search_latents, without_gradients
from .open_data import check_columns, table_columns
from .parameters import RENAMED, Parameter, parameter, renamed
from .queries import QUERIES, Output
from .score_name import parse_score_name, score_to_fit
from .serialization import (
    below,
    from_state,
    restored_params,
    restored_threshold,
    storable,
    stored_threshold,
)
from .shared_parameters import SharedParameters, as_published

__all__ = [
    "QUERIES",
    "RENAMED",
    "BaseDetector",
    "Calibration",
    "Columns",
    "Decisions",
    "Detector",
    "Fitted",
    "Hooks",
    "ImageExplanation",
    "NetworkSpec",
    "Networks",
    "Output",
    "Parameter",
    "ScoreName",
    "SharedParameters",
    "TableExplanation",
    "as_published",
    "below",
    "check_columns",
    "from_state",
    "nearest",
    "parameter",
    "parse_score_name",
    "renamed",
    "restored_params",
    "restored_threshold",
    "score_to_fit",
    "search",
    "search_latents",
    "storable",
    "stored_threshold",
    "table_columns",
    "without_gradients",
]
