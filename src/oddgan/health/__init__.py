"""Health of a fit: what was measured, arrays in, and whether it is as it should be."""

from ._check import HealthCheck, HealthWarning
from ._corruption import mixed, noisy
from ._networks import (
    SEPARATES,
    collapsed_generator,
    dead_encoder,
    discriminators,
    encoder_apart,
    repeating_generator,
    same_reconstruction,
)
from ._rows import dominating_column, few_held_out, few_training_rows
from ._scores import (
    auroc,
    members_disagree,
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
