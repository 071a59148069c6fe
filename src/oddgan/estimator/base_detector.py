"""What every detector of OddGAN can do: scores and decisions, explanations, model files."""

import warnings
from abc import abstractmethod
from collections.abc import Iterator
from typing import Any, Literal, Self, cast, overload

import numpy as np
from numpy.typing import NDArray
from sklearn.utils.validation import check_is_fitted

from oddgan import inputs, persistence

from .decisions import Calibration, Floats, Probabilities
from .documentation import other_sections
from .explanation import ImageExplanation, TableExplanation
from .fitted_attributes import FittedAttributes
from .hooks import MethodInfo
from .inference import concatenate
from .queries import Output
from .shared_components import differ


class BaseDetector(FittedAttributes, Probabilities, MethodInfo):
    """What every detector can do: scores and decisions, explanations, model files."""

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        if cls.__doc__ and "Other Parameters\n" not in cls.__doc__:
            cls.__doc__ = cls.__doc__.rstrip() + "\n" + other_sections(cls)

    @abstractmethod
    def fit(self, X: Any, y: Any = None, *, condition: Any = None, groups: Any = None) -> Self:
        """Learn what normal looks like.

        Parameters
        ----------
        X : array, data frame, path or inputs.Source
            Normal samples: a table of shape (n, d), images of shape (n, h, w), (n, c, h, w) or
            (n, h, w, c), a pandas or Polars frame, a CSV, Parquet, NPY or NPZ file, or a folder
            of images. At least 3 samples.
        y : None
            Not used; scikit-learn's convention.
        condition : array, list, frame, column name or names, path, or None
            What is known of each sample and decides what is normal for it, such as the season of
            a consumption: a sample can be anomalous for its condition, though common overall. One
            value or one row of values for each sample, (n,) or (n, k), with numbers as continuous
            and text, booleans and pandas' categories as categories; or names of columns of X; or
            a CSV or Parquet file, for image files with a column ``sample`` that names them.
        groups : array, list, frame, column name or names, path, or None
            Which samples belong together, such as images of one part, in the same forms; at least
            3 groups. A group is held out as a whole. Without it other samples of a held-out part
            train, and of images of new parts more than `target_fpr` is flagged.

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

    @abstractmethod
    def source(self, data: Any, *, condition: Any = None, **options: Any) -> inputs.Source:
        """Open `data` as this fitted detector reads it.

        Parameters
        ----------
        data : as in `fit`
            What to read.
        condition : as in `fit`
            The condition of the samples.
        **options
            `label`, `pattern` and `skip_bad` of :func:`oddgan.inputs.open_source`.
        """

    @abstractmethod
    def iter_outputs(
        self, source: inputs.Source, output: Output = "anomaly_score"
    ) -> Iterator[tuple[NDArray[np.int64], Any]]:
        """Yield (row numbers, outputs) of a source chunk by chunk, in constant memory.

        Parameters
        ----------
        source : inputs.Source
            Samples, for example from :meth:`source`.
        output : {"anomaly_score", "score_components", "explain", "reconstruct", "embed", \
"features"}
            The method whose outputs are wanted ("features" are embed's of the discriminator); of
            an ensemble also "member_scores": calibrated, shape (n, n_members).
        """

    @abstractmethod
    def to_state(self) -> tuple[dict[str, Any], dict[str, NDArray[Any]]]:
        """Return what a model file holds: a header for JSON, and arrays by name."""

    # -------------------------------------------------------------------------------- answers

    @overload
    def anomaly_score(
        self, X: Any, *, condition: Any = None, return_std: Literal[False] = False
    ) -> Floats: ...

    @overload
    def anomaly_score(
        self, X: Any, *, condition: Any = None, return_std: Literal[True]
    ) -> tuple[Floats, Floats]: ...

    def anomaly_score(
        self, X: Any, *, condition: Any = None, return_std: bool = False
    ) -> Floats | tuple[Floats, Floats]:
        """Return the anomaly score of each sample, shape (n,); higher is more anomalous.

        For an ensemble (`n_members`) it is the mean over its members.

        Parameters
        ----------
        X : as in `fit`, or an iterator of such chunks
            Samples. Files and iterators are read in chunks.
        condition : as in `fit`
            The condition of these samples, if the detector was fitted with one. Columns that were
            named in `fit` are found in X by themselves. All other answers take it too.
        return_std : bool, default=False
            Whether to return also how much the members of an ensemble disagree on each sample: the
            standard deviation of their scores, shape (n,).

        Raises
        ------
        ValueError
            `return_std` is asked where there are no members, or the data is not as described.
        """
        if not return_std:
            return cast("Floats", self._ask(X, condition, "anomaly_score"))
        scores = self._ask(X, condition, "member_scores")
        return scores.mean(1), scores.std(1)

    def score_components(self, X: Any, *, condition: Any = None) -> dict[str, Floats]:
        """Return the components that the anomaly score is made of, by name, each of shape (n,).

        They are as in the paper, unweighted, whatever `combine` is. Shared components are as they
        were measured, before they are brought to one scale.
        """
        components = self._ask(X, condition, "score_components")
        return {name: values.to_numpy() for name, values in components.items()}

    def score_parts(self, X: Any, *, condition: Any = None) -> dict[str, Floats]:
        """Return `score_components`, under its old name."""
        _warn_of_old_name("score_parts()", "score_components()")
        return self.score_components(X, condition=condition)

    def explain(self, X: Any, *, condition: Any = None) -> TableExplanation | ImageExplanation:
        """Return what makes each sample anomalous, and where.

        For tables how much each column contributes, and what was expected there; for images the
        anomaly maps. ``np.asarray`` gives these, (n, n_features_in_) or (n, h, w), at least 0.
        """
        return cast("TableExplanation | ImageExplanation", self._ask(X, condition, "explain"))

    def reconstruct(self, X: Any, *, condition: Any = None) -> Any:
        """Return the nearest normal reconstruction of each sample, in the form of training data.

        Arrays and files give an array or a frame of the same columns and units; image files of
        varying size give an array of the size that the networks work at.
        """
        return self._ask(X, condition, "reconstruct")

    def embed(
        self, X: Any, *, condition: Any = None, space: Literal["latent", "feature"] = "latent"
    ) -> Floats:
        """Return the latent vectors, shape (n, latent_dim), or those of `space` "feature".

        Features are the last hidden layer of the discriminator; a detector without one refuses
        with a ValueError. For an ensemble the vectors of all members are concatenated, shape
        (n, n_members * k).
        """
        if space not in ("latent", "feature"):
            raise ValueError(f"space must be 'latent' or 'feature', not {space!r}")
        output: Output = "embed" if space == "latent" else "features"
        return cast("Floats", self._ask(X, condition, output))

    def answer_chunks(
        self, source: inputs.Source, question: Any = "anomaly_score"
    ) -> Iterator[tuple[NDArray[np.int64], Any]]:
        """Return `iter_outputs`, under its old name."""
        _warn_of_old_name("answer_chunks(question=)", "iter_outputs(output=)")
        return self.iter_outputs(
            source, "score_components" if question == "score_parts" else question
        )

    def save(self, path: persistence.PathLike) -> None:
        """Write the fitted detector to one safetensors file; :func:`oddgan.load` reads it.

        The file holds no code, and loading runs none.
        """
        persistence.write(path, *self.to_state())

    # --------------------------------------------------------------------------------- inside

    @property
    def _calibration(self) -> Calibration:
        fitted = self.fitted_
        return Calibration(
            fitted.calibration_scores,
            fitted.threshold,
            fitted.params["target_fpr"],
            fitted.held_out_scores,
        )

    def _decision_scores(self, X: Any, condition: Any) -> Floats:
        check_is_fitted(self)
        now, before = self.score_name, self.fitted_params_["score_name"]
        if differ(now, before):
            raise ValueError(
                f"the threshold and the held-out scores are those of score_name={before!r}, and "
                f"score_name is {now!r} now: fit again to decide by it"
            )
        return self.anomaly_score(X, condition=condition)

    def _ask(self, X: Any, condition: Any, output: Output) -> Any:
        check_is_fitted(self)
        if isinstance(X, Iterator):
            if condition is not None:
                raise ValueError(
                    "chunks have their condition in columns of their own: give chunks that are "
                    "frames, or ask chunk by chunk"
                )
            return concatenate([self._ask(chunk, None, output) for chunk in X])
        pairs = list(self.iter_outputs(self.source(X, condition=condition), output))
        return concatenate([answers for _, answers in pairs])


def _warn_of_old_name(old: str, new: str) -> None:
    warnings.warn(
        f"{old} is called {new} now; the old name goes away in the next release",
        FutureWarning,
        stacklevel=3,
    )
