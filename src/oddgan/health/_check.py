"""What a check of a fit says."""

from dataclasses import dataclass
from typing import Literal


class HealthWarning(UserWarning):
    """A fit whose scores should not be relied on; the message says why, and what to do."""


@dataclass(frozen=True)
class HealthCheck:
    """One thing that was measured of a fit, and whether it is as it should be.

    Attributes
    ----------
    name : str
        What may be wrong.
    passed : bool
        Whether it is as it should be.
    severity : {"severe", "mild"}
        What it means if not: scores that should not be relied on, or a limit to know about.
    value, limit : float
        What was measured, and beyond what it does not pass.
    measured : str
        Both in words.
    remedy : str
        What to do about it, in one sentence.
    """

    name: str
    passed: bool
    severity: Literal["severe", "mild"]
    value: float
    limit: float
    measured: str
    remedy: str

    def __str__(self) -> str:
        remedy = "" if self.passed else f" {self.remedy}."
        return f"{self.name}: {self.measured}.{remedy}"
