"""The one public estimator that all detectors share: it wires the rooms together."""

import warnings
from collections.abc import Iterator
from os import PathLike
from typing import Any, Self, cast

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.base import OutlierMixin
from sklearn.utils.validation import check_is_fitted, validate_data
from torch import Tensor

from oddgan import decisions, inputs, persistence
from oddgan.scores import Scale, Score

from ._fitting import fit_networks
from ._method import Method
from ._scoring import Compute, Question, answers, as_floats, as_frame, finite, joined
from ._state import dump

Floats = NDArray[np.float64]


class Detector(OutlierMixin, Method):  # type: ignore[misc]
    """Base of all detectors: data in, scores and decisions out.

    A detector adds three hooks: `_networks`, `_losses` and `_score` (see :class:`Method`).
    """

    def fit(self, X: Any, y: Any = None) -> Self:
        """Learn what normal looks like.

        Parameters
        ----------
        X : array, data frame, path or inputs.Source
            Normal samples: a table of shape (n, d), images of shape (n, h, w), (n, c, h, w) or
            (n, h, w, c), a pandas or Polars frame, a CSV, Parquet, NPY or NPZ file, or a folder
            of images. At least 3 samples.
        y : None
            Not used; scikit-learn's convention.

        Returns
        -------
        self
            The fitted detector.

        Raises
        ------
        ValueError
            A parameter or the data is not as described; the message names the culprit.
        TrainingError
            A loss became NaN or a discriminator collapsed.
        """
        self._validate_params()
        fitted = fit_networks(self, self._open(X, reset=True))
        self.codec_ = fitted.codec
        self.networks_ = fitted.networks
        self.history_ = fitted.history
        self.provenance_: dict[str, Any] = {}
        self.part_scale_ = None
        if self.combine == "standardised":
            parts = self._all(fitted.held_out, "score_parts")
            self.part_scale_ = Scale.of({name: parts[name].to_numpy() for name in parts})
        self.calibration_scores_ = np.sort(self._all(fitted.held_out, "anomaly_score"))
        self.threshold_ = decisions.conformal_threshold(self.calibration_scores_, self.target_fpr)
        self.offset_ = -self.threshold_
        self._warn_of_few_held_out()
        if fitted.checkpoint:
            fitted.checkpoint.delete()
        return self

    def _warn_of_few_held_out(self) -> None:
        n = len(self.calibration_scores_)
        needed = decisions.smallest_sample(self.target_fpr)
        if n < needed:
            warnings.warn(
                f"only {n} held-out sample(s): new normal samples are flagged with "
                f"probability 1/{n + 1}, not target_fpr={self.target_fpr}, which takes "
                f"{needed}; give more rows or a larger calibration_fraction",
                stacklevel=3,
            )

    # -------------------------------------------------------------------------------- answers

    def anomaly_score(self, X: Any) -> Floats:
        """Return how odd each sample is, shape (n,); higher is odder.

        Parameters
        ----------
        X : as in `fit`, or an iterator of such chunks
            Samples. Files and iterators are read in chunks.
        """
        return cast("Floats", self._answer(X, "anomaly_score"))

    def score_parts(self, X: Any) -> dict[str, Floats]:
        """Return the terms that the anomaly score is made of, by name, each of shape (n,).

        They are as in the paper, unweighted, whatever `combine` is.
        """
        return {name: values.to_numpy() for name, values in self._answer(X, "score_parts").items()}

    def score_samples(self, X: Any) -> Floats:
        """Return minus `anomaly_score`, scikit-learn's sign: lower is odder; shape (n,)."""
        return -self.anomaly_score(X)

    def decision_function(self, X: Any) -> Floats:
        """Return ``score_samples(X) - offset_``, shape (n,); negative is flagged."""
        return self.score_samples(X) - self.offset_

    def predict(self, X: Any) -> NDArray[np.int64]:
        """Return -1 for samples that are flagged and +1 for the others, shape (n,)."""
        return np.where(self.decision_function(X) < 0, -1, 1)

    def p_value(self, X: Any) -> Floats:
        """Return the conformal p-values, shape (n,).

        The probability that a normal sample is at least as odd, by the held-out samples; its
        smallest value 1 / (n_held_out + 1) means "odder than all of them".
        """
        return decisions.conformal_p_values(self.anomaly_score(X), self.calibration_scores_)

    def explain(self, X: Any) -> Floats:
        """Return how much each column or pixel contributes to the residual, at least 0.

        Returns
        -------
        ndarray
            (n, n_features_in_) for tables, with the parts of one original column (categories,
            missing) added up; (n, h, w) for images, with the channels added up.
        """
        return cast("Floats", self._answer(X, "explain"))

    def reconstruct(self, X: Any) -> Any:
        """Return the nearest normal counterpart of each sample, in the form of the training data.

        Arrays and files give an array or a frame of the same columns and units; image files of
        varying size give an array of the size that the networks work at.
        """
        return self._answer(X, "reconstruct")

    def embed(self, X: Any) -> Floats:
        """Return the latent vectors, shape (n, latent_dim)."""
        return cast("Floats", self._answer(X, "embed"))

    def source(self, data: Any, **how: Any) -> inputs.Source:
        """Open `data` as this fitted detector reads it.

        Parameters
        ----------
        data : as in `fit`
            What to read.
        **how
            `label`, `pattern` and `skip_bad` of :func:`oddgan.inputs.open_source`.
        """
        check_is_fitted(self)
        texts = getattr(self.codec_, "text_columns", ())
        return inputs.open_source(data, channels=self.channels, text_columns=texts, **how)

    def answer_chunks(
        self, source: inputs.Source, question: Question = "anomaly_score"
    ) -> Iterator[tuple[NDArray[np.int64], Any]]:
        """Yield (row numbers, answers) of a source chunk by chunk, in constant memory.

        Parameters
        ----------
        source : inputs.Source
            Samples, for example from :meth:`source`.
        question : {"anomaly_score", "score_parts", "explain", "reconstruct", "embed"}
            The method whose answers are wanted.
        """
        if question in self.unavailable:
            raise ValueError(
                f"{type(self).__name__} cannot {question}: {self.unavailable[question]}"
            )
        nets, codec = self.networks_, self.codec_
        compute: Compute = {
            "anomaly_score": lambda x: {"": finite(self._total(self._score(nets, x)))},
            "score_parts": lambda x: self._score(nets, x).parts,
            "explain": lambda x: {"": self._score(nets, x).residual},
            "reconstruct": lambda x: {"": self._reconstruct(nets, x)},
            "embed": lambda x: {"": self._embed(nets, x)},
        }[question]
        convert = {
            "score_parts": as_frame,
            "explain": lambda found: codec.per_column(found[""]),
            "reconstruct": lambda found: codec.decode(found[""]),
        }.get(question, lambda found: as_floats(found[""]))
        return answers(nets, codec, source, compute, convert)

    # --------------------------------------------------------------------------------- inside

    def _total(self, score: Score) -> Tensor:
        if self.part_scale_ is None:
            return score.total
        return score.combined(self.part_scale_.apply(score.parts))

    def _open(self, X: Any, *, reset: bool) -> inputs.Source:
        if isinstance(X, inputs.Source):
            source = X
        elif reset:
            source = inputs.open_source(X, channels=self.channels)
        else:
            source = self.source(X)
        if not reset and source.kind != self.codec_.kind:
            raise ValueError(
                f"{type(self).__name__} was fitted on a kind of data called "
                f"{self.codec_.kind!r} but is given the kind {source.kind!r}"
            )
        if source.kind == "table":
            self._check_columns(X, source, reset)
        return source

    def _check_columns(self, X: Any, source: inputs.Source, reset: bool) -> None:
        """Let scikit-learn note, or check, number and names of the columns."""
        if isinstance(X, str | PathLike | inputs.Source):
            if not reset:
                return  # the columns of files are found by name, in any order
            X = (
                pd.DataFrame(columns=source.columns)
                if source.columns
                else next(source.chunks(1))[1]
            )
        validate_data(self, X, reset=reset, skip_check_array=True)

    def _answer(self, X: Any, question: Question) -> Any:
        check_is_fitted(self)
        if isinstance(X, Iterator):
            return joined([self._answer(chunk, question) for chunk in X])
        return self._all(self._open(X, reset=False), question)

    def _all(self, source: inputs.Source, question: Question) -> Any:
        """Ask about every sample of `source`; fit and all answers come through here."""
        return joined([values for _, values in self.answer_chunks(source, question)])

    # --------------------------------------------------------------------------------- saving

    def save(self, path: persistence.PathLike) -> None:
        """Write the fitted detector to one file; :func:`oddgan.load` reads it.

        The file is in safetensors format: weights, what was learnt of the inputs, the held-out
        scores and the parameters. No code is stored, and none is run on loading.
        """
        check_is_fitted(self)
        persistence.write(path, *dump(self))
