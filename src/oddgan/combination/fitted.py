"""The fitted state of a combination."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Self

import numpy as np

from oddgan.estimator import Calibration, Columns

from .members import MatrixCodec, Member, Rows
from .rules import RULES, Floats, Reference


@dataclass(frozen=True, eq=False)
class FittedCombination:
    """The fitted state of a combination.

    Attributes
    ----------
    members : tuple of Member
        The fitted members.
    references : tuple of Reference
        For each member, the held-out scores that give its p-values.
    matrix : MatrixCodec or None
        Encodes rows for members of other libraries.
    rule : str
        How p-values are combined.
    calibration : Calibration
        The held-out statistics and the threshold.
    n_train : int
        Number of training rows.
    columns : Columns
        The columns of the training data.
    provenance : dict
        What the command line stores about the data.
    """

    members: tuple[Member, ...]
    references: tuple[Reference, ...]
    matrix: MatrixCodec | None
    rule: str
    calibration: Calibration
    n_train: int
    columns: Columns
    provenance: dict[str, Any] = field(default_factory=dict)

    def with_provenance(self, provenance: dict[str, Any]) -> Self:
        """Return a copy with this provenance."""
        return replace(self, provenance=provenance)


def statistic(
    members: Sequence[Member], references: Sequence[Reference], rule: str, rows: Rows
) -> Floats:
    """Return `rule` of the members' p-values for each row, shape (n,)."""
    pairs = zip(members, references, strict=True)
    evidence = [reference.evidence(member.scores(rows)) for member, reference in pairs]
    return RULES[rule](np.column_stack(evidence))
