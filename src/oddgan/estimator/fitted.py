"""What a fit leaves: one object, made in one place, saved, copied and adopted as a whole."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from torch import nn

from oddgan.decisions import ProbaCalibration
from oddgan.health import HealthCheck
from oddgan.scores import FittedComponents, LocationScale, MapScale, RobustScale, Scale

from .encoding import Encoding
from .hooks import Hooks, ScoreName
from .score_name import component_names

Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class FittedMember:
    """What a fit leaves of one member, or of a detector without an ensemble.

    Attributes
    ----------
    networks : mapping of str to nn.Module
        The trained networks by role, in evaluation mode.
    history : list of dict
        Its mean losses in the course of training.
    n_train : int
        How many rows trained it.
    components : FittedComponents or None
        What the shared components of its score know of normal samples.
    component_scale : Scale or None
        The scale of its score components, with ``combine="standardised"``.
    location_scale : LocationScale, MapScale or None
        The scale of scores by their location in an image.
    calibration_scores : ndarray of shape (n,)
        Its scores of the held-out samples, sorted.
    threshold : float
        The threshold that these give.
    scale_scores : ndarray of shape (m,)
        Its scores of the rows that set its scale in an ensemble, sorted.
    """

    networks: Mapping[str, nn.Module]
    history: list[dict[str, float]]
    n_train: int
    components: FittedComponents | None = None
    component_scale: Scale | None = None
    location_scale: LocationScale | MapScale | None = None
    calibration_scores: Floats = field(default_factory=lambda: np.empty(0))
    threshold: float = np.nan
    scale_scores: Floats = field(default_factory=lambda: np.empty(0))


@dataclass(frozen=True)
class Columns:
    """The columns of the training data, as far as they are known by name or number.

    Attributes
    ----------
    n_features : int or None
        Number of columns of a table.
    names : tuple of str
        Their names, if all are strings.
    condition, groups : tuple of str
        The columns that are the condition, or say which samples belong together.
    """

    n_features: int | None = None
    names: tuple[str, ...] = ()
    condition: tuple[str, ...] = ()
    groups: tuple[str, ...] = ()

    @property
    def n_features_in(self) -> int:
        """The number of columns, as scikit-learn's attribute: there for tables only."""
        if self.n_features is None:
            raise AttributeError("n_features_in_ is for tables")
        return self.n_features

    @property
    def feature_names_in(self) -> NDArray[Any]:
        """The names, as scikit-learn's attribute: there for columns with names only."""
        if not self.names:
            raise AttributeError("feature_names_in_ is for tables whose columns have names")
        return np.array(self.names, dtype=object)


@dataclass(frozen=True, eq=False)
class Fitted:
    """Everything a fit leaves.

    Attributes
    ----------
    params : mapping of str to object
        The parameters of the fit; `set_params` may have changed the detector's since.
    encoding : Encoding
        The codecs.
    columns : Columns
        The columns of the training data.
    members : tuple of FittedMember
        One where there is no ensemble.
    calibration_scores : ndarray of shape (n_held_out,)
        Anomaly scores of held-out normal samples, sorted; of a cross-fitted detector those of all
        samples, each by a fit that held it out.
    threshold : float
        Samples with a greater score are flagged.
    history : list of dict
        Mean losses in the course of training, over all members.
    n_train : int
        How many rows trained.
    versions : mapping of str to str
        Versions of the software that decide what a fit becomes.
    cross_fitted : bool
        Whether further fits, each on other rows, scored the rows that trained this one.
    held_out_scores : ndarray of shape (m,)
        Those of `calibration_scores` that are this fit's own.
    pixel_threshold : float or None
        Pixels with a greater value in an anomaly map are flagged; None for tables.
    health_checks : tuple of HealthCheck
        What was checked of the fit.
    provenance : dict
        What the command line notes about the data.
    proba_calibration : ProbaCalibration or None
        What `calibrate_proba` left.
    """

    params: Mapping[str, Any]
    encoding: Encoding
    columns: Columns
    members: tuple[FittedMember, ...]
    calibration_scores: Floats
    threshold: float
    history: list[dict[str, float]]
    n_train: int
    versions: Mapping[str, str]
    cross_fitted: bool = False
    held_out_scores: Floats = field(default_factory=lambda: np.empty(0))
    pixel_threshold: float | None = None
    health_checks: tuple[HealthCheck, ...] = ()
    provenance: dict[str, Any] = field(default_factory=dict)
    proba_calibration: ProbaCalibration | None = None

    def of_member(self, k: int) -> Self:
        """Return what a detector would have that is member `k` alone."""
        member = self.members[k]
        return replace(
            self,
            params={**self.params, "n_members": 1, "checkpoint": None},
            members=(member,),
            calibration_scores=member.calibration_scores,
            threshold=member.threshold,
            history=member.history,
            n_train=member.n_train,
            cross_fitted=False,
            held_out_scores=member.calibration_scores,
            health_checks=(),
            provenance={},
            proba_calibration=None,
        )


@dataclass(frozen=True)
class Model:
    """A trained member as it is asked: a method, what its training left, and the score asked for.

    Attributes
    ----------
    method : Hooks
        Hooks and parameters of the method. Asking reads them and never changes them.
    encoding : Encoding
        How samples become tensors.
    member : FittedMember
        What training left.
    params : mapping of str to object
        The parameters of the fit.
    score : str or sequence of str
        The score that is asked for.
    """

    method: Hooks
    encoding: Encoding
    member: FittedMember
    params: Mapping[str, Any]
    score: ScoreName

    @property
    def networks(self) -> Mapping[str, nn.Module]:
        """The networks by role."""
        return self.member.networks

    @property
    def components(self) -> tuple[str, ...]:
        """The components that the score names; none if it is one of the method's own scores."""
        return component_names(self.method, self.score)

    @property
    def own_score(self) -> str:
        """The score if it is one of the method's own, else the method's default."""
        own_scores = self.method.scores
        return str(self.score) if self.score in own_scores else own_scores[0]


@dataclass(frozen=True)
class Ensemble:
    """The members of a fitted detector as they are asked; one where there is no ensemble.

    Attributes
    ----------
    models : tuple of Model
        The members.
    scale : RobustScale or None
        The scale of each member's score, by rows that it did not train on; None for one member.
    pixel_threshold : float or None
        The threshold of pixels, once it is known.
    """

    models: tuple[Model, ...]
    scale: RobustScale | None
    pixel_threshold: float | None

    @classmethod
    def of(cls, method: Hooks, fitted: Fitted, score: ScoreName | None = None) -> Self:
        """Return the members of `fitted`, to be asked for `score`, by default the method's."""
        name = method.score_name if score is None else score
        models = tuple(
            Model(method, fitted.encoding, member, fitted.params, name) for member in fitted.members
        )
        scale = member_scale(fitted.members) if len(models) > 1 else None
        return cls(models, scale, fitted.pixel_threshold)

    @property
    def method(self) -> Hooks:
        """The method of all members."""
        return self.models[0].method

    @property
    def encoding(self) -> Encoding:
        """The codecs of all members."""
        return self.models[0].encoding


def member_scale(members: tuple[FittedMember, ...]) -> RobustScale:
    """Return the scale of each member's scores, by rows that set no threshold."""
    return RobustScale.fit({str(k): m.scale_scores for k, m in enumerate(members)}, ())
