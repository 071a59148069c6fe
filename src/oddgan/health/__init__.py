"""Health of a fit: checks on arrays, each with a measured value and its limit.

- :mod:`._check`: what a check is; checks of rows and columns.
- :mod:`._scores`: checks of the score, on held-out and on corrupted samples.
- :mod:`._networks`: checks of generator, encoder and discriminators.
"""

from ._check import (
    HealthCheck,
    HealthWarning,
    dominating_column,
    few_held_out,
    few_training_rows,
)
from ._networks import (
    SEPARATES,
    collapsed_generator,
    dead_encoder,
    discriminators,
    encoder_apart,
    repeating_generator,
    same_reconstruction,
)
from ._scores import (
    auroc,
    members_disagree,
    mixed,
    noisy,
    overfit,
    score_distinguishes,
    score_rises,
    score_sees_mixtures,
)

__all__ = [
    "SEPARATES",
    "HealthCheck",
    "HealthWarning",
    "auroc",
    "collapsed_generator",
    "dead_encoder",
    "discriminators",
    "dominating_column",
    "encoder_apart",
    "few_held_out",
    "few_training_rows",
    "members_disagree",
    "mixed",
    "noisy",
    "overfit",
    "repeating_generator",
    "same_reconstruction",
    "score_distinguishes",
    "score_rises",
    "score_sees_mixtures",
]
