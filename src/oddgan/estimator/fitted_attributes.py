"""The attributes of a fitted detector, as scikit-learn names them: views of what the fit left."""

import warnings
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from numpy.typing import NDArray
from torch import nn

from oddgan import decisions, inputs
from oddgan.health import HealthCheck

from .fitted import Fitted


class FittedAttributes:
    """The attributes of a fitted detector; each reads `fitted_`, the one object of a fit."""

    fitted_: Fitted

    @property
    def networks_(self) -> dict[str, nn.Module]:
        """The networks by role; those of an ensemble by "member/role"."""
        members = self.fitted_.members
        if len(members) == 1:
            return dict(members[0].networks)
        return {
            f"{k}/{role}": net
            for k, member in enumerate(members)
            for role, net in member.networks.items()
        }

    @property
    def codec_(self) -> inputs.Codec:
        """The codec of the samples."""
        return self.fitted_.encoding.samples

    @property
    def condition_codec_(self) -> inputs.TableCodec | None:
        """The codec of the condition, if the detector is conditional."""
        return self.fitted_.encoding.condition

    @property
    def condition_columns_(self) -> list[str]:
        """The columns of the training data that are the condition."""
        return list(self.fitted_.columns.condition)

    @property
    def group_columns_(self) -> list[str]:
        """The columns of the training data that say which samples belong together."""
        return list(self.fitted_.columns.groups)

    @property
    def n_features_in_(self) -> int:
        """Number of columns of a table."""
        return self.fitted_.columns.n_features_in

    @property
    def feature_names_in_(self) -> NDArray[Any]:
        """Names of the columns of a table, where they were given."""
        return self.fitted_.columns.feature_names_in

    @property
    def fitted_params_(self) -> Mapping[str, Any]:
        """The parameters of the fit."""
        return self.fitted_.params

    @property
    def history_(self) -> list[dict[str, float]]:
        """Mean losses in the course of training."""
        return self.fitted_.history

    @property
    def n_train_(self) -> int:
        """Number of rows that trained."""
        return self.fitted_.n_train

    @property
    def cross_fitted_(self) -> bool:
        """Whether each training row was held out too, by some of the members."""
        return self.fitted_.cross_fitted

    @property
    def crossed_(self) -> bool:
        """The old name of `cross_fitted_`."""
        warnings.warn(
            "crossed_ is called cross_fitted_ now; the old name goes away in the next release",
            FutureWarning,
            stacklevel=2,
        )
        return self.cross_fitted_

    @property
    def pixel_threshold_(self) -> float | None:
        """Pixels with a greater value in an anomaly map are flagged; None for tables."""
        return self.fitted_.pixel_threshold

    @property
    def versions_(self) -> Mapping[str, str]:
        """The software that the fit ran on."""
        return self.fitted_.versions

    @property
    def provenance_(self) -> dict[str, Any]:
        """What the command line noted about the data."""
        return self.fitted_.provenance

    @provenance_.setter
    def provenance_(self, provenance: dict[str, Any]) -> None:
        self.fitted_ = replace(self.fitted_, provenance=provenance)

    @property
    def health_checks_(self) -> tuple[HealthCheck, ...]:
        """What was checked of the fit; empty if `health` was False."""
        return self.fitted_.health_checks

    @property
    def health_(self) -> tuple[HealthCheck, ...]:
        """What is wrong with the fit; empty if nothing was found or `health` was False."""
        return tuple(check for check in self.health_checks_ if not check.passed)

    def health_report(self) -> str:
        """Return what was checked of the fit, in words: one line each, what is wrong first."""
        if not self.health_checks_:
            return "The health of this fit was not checked (health=False)."
        wrong_first = sorted(self.health_checks_, key=lambda check: check.passed)
        return "\n".join(
            f"{'passed' if check.passed else check.severity}: {check}" for check in wrong_first
        )

    @property
    def proba_calibration_(self) -> decisions.ProbaCalibration:
        """What `calibrate_proba` learned."""
        calibration = self.fitted_.proba_calibration
        if calibration is None:
            raise AttributeError("proba_calibration_ is there after calibrate_proba")
        return calibration

    def _keep_probabilities(self, calibration: decisions.ProbaCalibration) -> None:
        self.fitted_ = replace(self.fitted_, proba_calibration=calibration)
