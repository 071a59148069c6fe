"""The base of a method: what an author derives from."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from sklearn.utils.validation import check_is_fitted

from oddgan import inputs

from .base_detector import BaseDetector
from .calibration import calibrate
from .fit import fit_all
from .fitted import Ensemble, Fitted
from .health_checks import check_health, warn
from .hooks import Hooks, ScoreName
from .open_data import open_to_ask, open_to_fit
from .queries import Output, outputs
from .score_name import check_spaces
from .serialization import to_state, with_networks_again, with_weights_only


class Detector(BaseDetector, Hooks):
    """Base of all methods: data in, scores and decisions out.

    A method adds three hooks, `_networks`, `_losses` and `_score` (see :class:`Hooks`), and its
    own parameters as fields.
    """

    def fit(self, X: Any, y: Any = None, *, condition: Any = None, groups: Any = None) -> Self:
        """Learn what normal looks like; see :meth:`BaseDetector.fit`."""
        self._validate_params()
        source, columns = open_to_fit(X, condition, groups, self.channels)
        results = list(fit_all(self, source))
        fitted = calibrate(self, results, columns)
        checks = check_health(self, fitted, results[0]) if self.health else ()
        self.adopt(replace(fitted, health_checks=checks))
        warn(checks, self.verbose, stacklevel=2)
        for result in results:
            for checkpoint in result.checkpoints:
                checkpoint.delete()
        return self

    def adopt(self, fitted: Fitted) -> Self:
        """Become the detector whose fit left `fitted`."""
        self.fitted_ = fitted
        return self

    @property
    def members_(self) -> list[Self]:
        """The members of an ensemble, each as a fitted detector; empty if `n_members` is 1."""
        fitted = self.fitted_
        if len(fitted.members) == 1:
            return []
        params = {**self.get_params(deep=False), "n_members": 1, "checkpoint": None}
        return [type(self)(**params).adopt(fitted.of_member(k)) for k in range(len(fitted.members))]

    def source(self, data: Any, *, condition: Any = None, **options: Any) -> inputs.Source:
        """Open `data` as this fitted detector reads it; see :meth:`BaseDetector.source`."""
        check_is_fitted(self)
        return open_to_ask(self, self.fitted_, data, condition, **options)

    def iter_outputs(
        self, source: inputs.Source, output: Output = "anomaly_score"
    ) -> Iterator[tuple[NDArray[np.int64], Any]]:
        """Yield outputs chunk by chunk; see :meth:`BaseDetector.iter_outputs`."""
        return self.outputs_for(source, output, self.score_name)

    def outputs_for(
        self, source: inputs.Source, output: Output, score: ScoreName
    ) -> Iterator[tuple[NDArray[np.int64], Any]]:
        """Yield outputs chunk by chunk, for another score than `score_name`."""
        check_is_fitted(self)
        return outputs(Ensemble.of(self, self.fitted_, score), source, output)

    def to_state(self) -> tuple[dict[str, Any], dict[str, NDArray[Any]]]:
        """Return what a model file holds; see :meth:`BaseDetector.to_state`."""
        check_is_fitted(self)
        return to_state(self, self.fitted_)

    def _validate_params(self) -> None:
        super()._validate_params()
        check_spaces(self)

    def __getstate__(self) -> dict[str, Any]:
        state: dict[str, Any] = super().__getstate__()
        if "fitted_" not in state:
            return state
        return {**state, "fitted_": with_weights_only(state["fitted_"])}

    def __setstate__(self, state: dict[str, Any]) -> None:
        super().__setstate__(state)
        if "fitted_" in state:
            self.fitted_ = with_networks_again(self, state["fitted_"])
