"""Several detectors as one on the command line, named as ``vae+isolationforest``."""

from collections.abc import Mapping
from typing import Any

from sklearn.base import BaseEstimator, clone
from sklearn.covariance import EllipticEnvelope
from sklearn.ensemble import IsolationForest
from sklearn.neighbors import LocalOutlierFactor
from sklearn.svm import OneClassSVM

from oddgan import Combination, detectors

#: scikit-learn's detectors by name, with settings that a model file can hold.
FOREIGN: dict[str, BaseEstimator] = {
    "ellipticenvelope": EllipticEnvelope(),
    "isolationforest": IsolationForest(),
    "localoutlierfactor": LocalOutlierFactor(novelty=True, algorithm="brute"),
    "oneclasssvm": OneClassSVM(),
}


def make_combination(text: str, params: Mapping[str, Any]) -> Combination:
    """Return the combination of the detectors that `text` names, with plus signs between them.

    Parameters
    ----------
    text : str
        Names of detectors of OddGAN or of `FOREIGN`, in any case.
    params : mapping of str to Any
        Parameters of the combination, and of members as ``name__parameter``. Device and verbosity
        apply to all members of OddGAN, and each of these has its own checkpoint.

    Raises
    ------
    ValueError
        The detector or parameter does not exist; the message lists the valid names.
    """
    combination = Combination([_member(name.strip().lower()) for name in text.split("+")])
    remaining = dict(params)
    shared = {name: remaining.pop(name) for name in ("device", "verbose")}
    checkpoint = remaining.pop("checkpoint")
    for name, member in combination.get_params().items():
        if isinstance(member, detectors.Detector):
            member.set_params(**shared, checkpoint=f"{checkpoint}.{name}")
    allowed = combination.get_params().keys()
    for name in remaining:
        if name not in allowed:
            parameters = sorted(combination.get_params(deep=False).keys() - {"detectors"})
            raise ValueError(
                f"{text} has no parameter {name!r}; it has {', '.join(parameters)} and those of "
                "each member, as NAME__PARAMETER"
            )
    return combination.set_params(**remaining)


def check_combination(**options: Any) -> None:
    """Refuse options that a combination does not support."""
    for name, value in options.items():
        if value:
            raise ValueError(f"--{name} is for a single detector, not for a combination")


def _member(name: str) -> BaseEstimator:
    classes = detectors.all_detectors()
    name = "oddgan" if name == "auto" else name
    if name in classes:
        return classes[name]()
    if name not in FOREIGN:
        raise ValueError(
            f"no detector is called {name!r}; a combination can have {', '.join(classes)} and "
            f"scikit-learn's {', '.join(FOREIGN)}"
        )
    member: BaseEstimator = clone(FOREIGN[name])
    return member
