"""The one public estimator that all detectors share: it wires the rooms together."""

from collections.abc import Iterator
from typing import Any, Literal, Self, cast, overload

import numpy as np
from numpy.typing import NDArray
from sklearn.base import OutlierMixin
from sklearn.utils.validation import check_is_fitted
from torch import Tensor

from oddgan import inputs, persistence
from oddgan.scores import Scale, Score

from .decisions import Decisions
from .encoding import Encoding
from .ensemble import answers as answers_of_members
from .ensemble import networks_of, new_members, scores_left_out
from .explain import explanations, learn_pixel_threshold
from .explanation import ImageExplanation, TableExplanation
from .fit import FitResult, TrainedMember, fit_networks
from .health_checks import Health, examine, warn
from .holdout import readable
from .hooks import Method
from .inference import Query, joined
from .open_data import open_to_answer, open_to_fit
from .score_names import check_spaces
from .serialization import dump, rebuilt, versions
from .shared_components import answers_of_one, learn, learn_places, refuse_changes

Floats = NDArray[np.float64]


class Detector(OutlierMixin, Decisions, Health, Method):  # type: ignore[misc]
    """Base of all detectors: data in, scores and decisions out.

    A detector adds three hooks: `_networks`, `_losses` and `_score` (see :class:`Method`).
    """

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
            What is known of each sample and decides what is normal for it, such as the season of a
            consumption: a sample can be odd for its context, though common overall. One value or
            one row of values for each, (n,) or (n, k), with numbers as continuous and text,
            booleans and pandas' categories as categories; or names of columns of X; or a CSV or
            Parquet file, for image files with a column ``sample`` naming them.
        groups : array, list, frame, column name or names, path, or None
            Which samples belong together and are held out together, in the same forms, such as
            images of one part; at least 3 groups. Else others of its part train where an image is
            held out, and of images of new parts more than `target_fpr` is flagged.

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
        fitted = fit_networks(self, open_to_fit(self, X, condition, groups))
        self.codec_ = fitted.encoding.samples
        self.condition_codec_ = fitted.encoding.context
        self.fitted_params_ = self.get_params(deep=False)
        self.history_ = fitted.history
        self.n_train_, self.crossed_ = readable(fitted.split.train), fitted.split.crossed
        self.versions_ = versions()
        self.provenance_: dict[str, Any] = {}
        self.__dict__.pop("proba_calibration_", None)  # it was of the networks before
        self.members_: list[Self] = []
        self._assemble(fitted) if fitted.members[1:] else self._learn(fitted.members[0])
        self._warn_of_few_held_out()
        learn_pixel_threshold(self, fitted.split, fitted.seed)
        self.health_checks_ = examine(self, fitted) if self.health else ()
        warn(self.health_checks_, self.verbose, stacklevel=2)
        for checkpoint in fitted.checkpoints:
            checkpoint.delete()
        return self

    def _learn(self, trained: TrainedMember) -> None:
        """Learn what the trained networks make of normal samples."""
        self.networks_ = trained.networks
        self.part_scale_ = self.place_scale_ = None
        self.parts_ = learn(self, trained.references, trained.held_out_samples)
        if self.combine == "standardised" and not self.parts_:
            parts = self._all(trained.held_out_samples, "score_components")
            self.part_scale_ = Scale.fit({name: parts[name].to_numpy() for name in parts})
        self.place_scale_ = learn_places(self, trained.some)
        self._calibrate(self._all(inputs.one_of_each_group(trained.held_out), "anomaly_score"))

    def _assemble(self, fitted: FitResult) -> None:
        """Become a population: each member learns by itself, then all score what they left out."""
        self.members_ = new_members(self, len(fitted.members))
        for member, trained in zip(self.members_, fitted.members, strict=True):
            member.n_train_, member.history_ = trained.n_train, trained.history
            member._learn(trained)
        self.networks_ = networks_of(self.members_)
        self.part_scale_ = self.parts_ = self.place_scale_ = None
        self._calibrate(scores_left_out(self, fitted.split))

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
        """Return how odd each sample is, shape (n,); higher is odder.

        Of a population (`n_members`) it is the mean over its members.

        Parameters
        ----------
        X : as in `fit`, or an iterator of such chunks
            Samples. Files and iterators are read in chunks.
        condition : as in `fit`
            The context of these samples, if the detector was fitted with one. Columns that were
            named in `fit` are found in X by themselves. All other answers take it too.
        return_std : bool, default=False
            Whether to return also how much the members of a population disagree on each sample:
            the standard deviation of their scores, shape (n,).

        Raises
        ------
        ValueError
            `return_std` is asked where there are no members, or the data is not as described.
        """
        if not return_std:
            return cast("Floats", self._answer(X, condition, "anomaly_score"))
        scores = self._answer(X, condition, "member_scores")
        return scores.mean(1), scores.std(1)

    def score_components(self, X: Any, *, condition: Any = None) -> dict[str, Floats]:
        """Return the terms that the anomaly score is made of, by name, each of shape (n,).

        They are as in the paper, unweighted, whatever `combine` is. Shared parts are as they were
        measured, before they are brought to one scale.
        """
        parts = self._answer(X, condition, "score_components")
        return {name: values.to_numpy() for name, values in parts.items()}

    def score_samples(self, X: Any, *, condition: Any = None) -> Floats:
        """Return minus `anomaly_score`, scikit-learn's sign: lower is odder; shape (n,)."""
        return -self.anomaly_score(X, condition=condition)

    def decision_function(self, X: Any, *, condition: Any = None) -> Floats:
        """Return ``score_samples(X) - offset_``, shape (n,); negative is flagged."""
        return -self._comparable_scores(X, condition) - self.offset_

    def predict(self, X: Any, *, condition: Any = None) -> NDArray[np.int64]:
        """Return -1 for samples that are flagged and +1 for the others, shape (n,)."""
        return np.where(self.decision_function(X, condition=condition) < 0, -1, 1)

    def explain(self, X: Any, *, condition: Any = None) -> TableExplanation | ImageExplanation:
        """Return what makes each sample odd, and where.

        For tables how much each column contributes, and what was expected there; for images the
        anomaly maps. ``np.asarray`` gives these, (n, n_features_in_) or (n, h, w), at least 0.
        """
        return cast("TableExplanation | ImageExplanation", self._answer(X, condition, "explain"))

    def reconstruct(self, X: Any, *, condition: Any = None) -> Any:
        """Return the nearest normal counterpart of each sample, in the form of the training data.

        Arrays and files give an array or a frame of the same columns and units; image files of
        varying size give an array of the size that the networks work at.
        """
        return self._answer(X, condition, "reconstruct")

    def embed(
        self, X: Any, *, condition: Any = None, space: Literal["latent", "feature"] = "latent"
    ) -> Floats:
        """Return the latent vectors, shape (n, latent_dim), or those of `space` "feature".

        These are the last hidden layer of the discriminator; a detector without one refuses with
        a ValueError. Of a population those of all members side by side, shape (n, n_members * k).
        """
        if space not in ("latent", "feature"):
            raise ValueError(f"space must be 'latent' or 'feature', not {space!r}")
        question: Query = "embed" if space == "latent" else "features"
        return cast("Floats", self._answer(X, condition, question))

    def source(self, data: Any, *, condition: Any = None, **how: Any) -> inputs.Source:
        """Open `data` as this fitted detector reads it.

        Parameters
        ----------
        data : as in `fit`
            What to read.
        condition : as in `fit`
            The known context of the samples.
        **how
            `label`, `pattern` and `skip_bad` of :func:`oddgan.inputs.open_source`.
        """
        check_is_fitted(self)
        return open_to_answer(self, data, condition, **how)

    def answer_chunks(
        self, source: inputs.Source, question: Query = "anomaly_score"
    ) -> Iterator[tuple[NDArray[np.int64], Any]]:
        """Yield (row numbers, answers) of a source chunk by chunk, in constant memory.

        Parameters
        ----------
        source : inputs.Source
            Samples, for example from :meth:`source`.
        question : {"anomaly_score", "score_components", "explain", "reconstruct", "embed",
        "features"}
            The method whose answers are wanted ("features" are embed's of the discriminator); of a
            population also "member_scores": calibrated, shape (n, n_members).
        """
        if why := self.unavailable.get(question):
            raise ValueError(f"{type(self).__name__} cannot {question}: {why}")
        if question == "explain":
            return explanations(self, source)
        if self.members_:
            return answers_of_members(self, source, question)
        return answers_of_one(self, source, question)

    # --------------------------------------------------------------------------------- inside

    def _validate_params(self) -> None:
        super()._validate_params()
        check_spaces(self)

    def _total(self, score: Score) -> Tensor:
        if self.part_scale_ is None and self.combine == "paper":
            return score.total
        refuse_changes(self, "combine='standardised' has the scale", "combine")
        if not self.part_scale_:
            raise ValueError(
                "combine='standardised' has no scale for the parts of this score: fit with it"
            )
        return score.combined(self.part_scale_.apply(score.components))

    @property
    def _encoding(self) -> Encoding:
        return Encoding(self.codec_, self.condition_codec_)

    def _answer(self, X: Any, condition: Any, question: Query) -> Any:
        check_is_fitted(self)
        if isinstance(X, Iterator):
            if condition is not None:
                raise ValueError(
                    "chunks have their condition in columns of their own: give chunks that are "
                    "frames, or ask chunk by chunk"
                )
            return joined([self._answer(chunk, None, question) for chunk in X])
        return self._all(self.source(X, condition=condition), question)

    def _all(self, source: inputs.Source, question: Query) -> Any:
        """Ask about every sample of `source`; fit and all answers come through here."""
        return joined([values for _, values in self.answer_chunks(source, question)])

    def save(self, path: persistence.PathLike) -> None:
        """Write the fitted detector to one safetensors file; :func:`oddgan.load` reads it.

        No code is stored, and none is run on loading.
        """
        persistence.write(path, *self.stored())

    def stored(self) -> tuple[dict[str, Any], dict[str, NDArray[Any]]]:
        """Return what a model file holds of it: a header for JSON, and arrays by name."""
        check_is_fitted(self)
        return dump(self)

    def __getstate__(self) -> dict[str, Any]:
        # Of the networks only the weights: modules with spectral norm refuse to be pickled.
        state: dict[str, Any] = super().__getstate__()
        if "networks_" not in state:
            return state
        own = {} if self.members_ else self.networks_  # members bring theirs
        return {**state, "networks_": {role: net.state_dict() for role, net in own.items()}}

    def __setstate__(self, state: dict[str, Any]) -> None:
        super().__setstate__(state)
        if state.get("members_"):
            self.networks_ = networks_of(self.members_)
        elif "networks_" in state:
            self.networks_ = rebuilt(self, state["networks_"].__getitem__)
