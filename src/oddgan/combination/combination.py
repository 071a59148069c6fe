"""The estimator that combines detectors of several libraries."""

from collections.abc import Iterator, Sequence
from numbers import Real
from os import PathLike
from typing import Any, ClassVar, Literal, Self

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.utils._param_validation import Interval, StrOptions
from sklearn.utils.metaestimators import _BaseComposition
from sklearn.utils.validation import check_is_fitted

from oddgan import inputs, persistence
from oddgan.estimator import Calibration, Decisions, check_columns, table_columns

from .fitted import FittedCombination, statistic
from .members import READ, MatrixCodec, Member, Rows, family_of, with_names
from .rules import RULES, Floats, Reference
from .serialization import to_state
from .splitting import generator, split_rows, warn_of_few


class Combination(Decisions, _BaseComposition):  # type: ignore[misc]
    """Several detectors as one, with one guarantee on false alarms.

    Any mix of OddGAN's detectors, scikit-learn's (with ``score_samples``, or outlier detectors
    with ``decision_function``) and PyOD's. `fit` holds out rows and fits a copy of each
    member on the others. One half of the held-out rows turns each member's scores into p-values,
    which a rule combines into one statistic. The other half calibrates that statistic: it is the
    anomaly score, and its conformal threshold keeps `target_fpr` however the members depend on
    each other. No row does both: the statistic of a row that gave the p-values is not
    exchangeable with that of a new row, and false alarms could be several times too frequent.

    Parameters
    ----------
    detectors : list of detectors, or of (name, detector)
        The members, unfitted. Names default to the class names in lower case, numbered if they
        repeat. ``name__parameter`` sets a member's parameter.
    rule : {"fisher", "stouffer", "min", "mean", "cauchy"}, default="fisher"
        How p-values p_1 ... p_K are combined; it affects which anomalies are found, not how many
        normal samples are flagged.

        - "fisher": -2 sum log p_k; evidence adds up.
        - "stouffer": sum Phi^-1(1 - p_k) / sqrt(K); adds up too, but very anomalous for one
          member and very normal for another cancel out.
        - "min": -log min p_k (Tippett); one member is enough.
        - "mean": -log of the mean of p_k (Vovk and Wang 2020); a sample must be anomalous for all.
        - "cauchy": the mean of cot(pi p_k) (Liu and Xie 2020); close to "min".
    target_fpr : float, default=0.05
        Target share of flagged normal samples, in (0, 1).
    calibration_fraction : float, default=0.1
        Share of the rows to hold out, in (0, 1); at least 2 rows. Members that are detectors of
        OddGAN also hold out some of their training rows.
    random_state : int, RandomState or None, default=None
        Draws the held-out rows, and a seed for each member without one.

    Attributes
    ----------
    members_ : dict of str to estimator
        The fitted members.
    rule_ : str
        The rule behind the threshold.
    threshold_, offset_ : float
        A sample is flagged if its anomaly score is greater than `threshold_` = -`offset_`.
    calibration_scores_ : ndarray
        Anomaly scores of the second half of the held-out rows, in ascending order.
    n_features_in_, feature_names_in_ : int, ndarray
        For tables, as in scikit-learn.

    Notes
    -----
    Members of other libraries get tables of numbers unchanged. Text, missing values and images
    are encoded as for our detectors: standardised, one-hot, flagged; pixels flattened.

    The guarantee needs scores that do not depend on the batch. PyOD's ECOD and COPOD rank a row
    among the rows of its batch, so with them it holds only approximately.

    References
    ----------
    Vovk and Wang, Combining p-values via averaging, Biometrika 2020, arXiv 1212.4966. Liu and
    Xie, Cauchy combination test, JASA 2020, arXiv 1808.09011. Bates et al., Testing for outliers
    with conformal p-values, Annals of Statistics 2023, arXiv 2104.08279.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.ensemble import IsolationForest
    >>> from oddgan import Combination, PCAReconstruction
    >>> X = np.random.default_rng(0).normal(size=(500, 3)) @ np.ones((3, 4))
    >>> both = Combination([PCAReconstruction(), IsolationForest()], random_state=0).fit(X)
    >>> both.predict([[0, 0, 0, 9]])
    array([-1])
    """

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        "detectors": [list, tuple],
        "rule": [StrOptions(set(RULES))],
        "target_fpr": [Interval(Real, 0, 1, closed="neither")],
        "calibration_fraction": [Interval(Real, 0, 1, closed="neither")],
        "random_state": ["random_state"],
    }

    def __init__(
        self,
        detectors: Sequence[Any],
        *,
        rule: Literal["fisher", "stouffer", "min", "mean", "cauchy"] = "fisher",
        target_fpr: float = 0.05,
        calibration_fraction: float = 0.1,
        random_state: Any = None,
    ) -> None:
        self.detectors = detectors
        self.rule = rule
        self.target_fpr = target_fpr
        self.calibration_fraction = calibration_fraction
        self.random_state = random_state

    @property
    def _pairs(self) -> list[tuple[str, Any]]:
        return with_names(self.detectors)

    @_pairs.setter
    def _pairs(self, pairs: list[tuple[str, Any]]) -> None:
        self.detectors = pairs

    def get_params(self, deep: bool = True) -> dict[str, Any]:
        """Return the parameters, if `deep` with the members by name and their parameters."""
        return dict(self._get_params("_pairs", deep=deep))

    def set_params(self, **params: Any) -> Self:
        """Set parameters, members by name, or a member's parameters as ``name__parameter``."""
        if "detectors" in params:
            self.detectors = params.pop("detectors")
        self._set_params("_pairs", **params)
        return self

    # -------------------------------------------------------------------------------- fit

    def fit(self, X: Any, y: Any = None, *, groups: Any = None) -> Self:
        """Fit all members, and calibrate them and their combination.

        Parameters
        ----------
        X : array, data frame, path or inputs.Source
            Normal samples, as for any detector; at least 5.
        y : None
            Ignored; scikit-learn's convention.
        groups : array, list, frame, column name or names, path, or None
            Which samples belong together, as for any detector (:meth:`Detector.fit`), at least 5
            groups; members that are detectors of OddGAN also hold them out together.

        Raises
        ------
        TypeError
            A member is not a detector; the message names it.
        ValueError
            A parameter, a member or the data is not as described; the message names the culprit.
        """
        self._validate_params()
        pairs = self._pairs
        if not pairs:
            raise ValueError("a combination needs at least one detector")
        self._validate_names([name for name, _ in pairs])
        families = [family_of(name, detector) for name, detector in pairs]
        source = X if isinstance(X, inputs.Source) else inputs.open_source(X)
        if groups is not None:
            source = inputs.with_groups(source, groups)
        columns = table_columns(X, source)
        rng = generator(self.random_state)
        train, first, second = split_rows(source, self.calibration_fraction, rng)
        third_party = any(family != "oddgan" for family in families)
        matrix = MatrixCodec.fit(train) if third_party else None
        rows = Rows(train, matrix)
        members = tuple(Member.fit(name, detector, rows, rng) for name, detector in pairs)
        held_out = Rows(first, matrix)
        references = tuple(Reference.fit(member.scores(held_out)) for member in members)
        scores = np.sort(statistic(members, references, self.rule, Rows(second, matrix)))
        n_train = train.count() - len(train.skipped)
        self.fitted_ = FittedCombination(
            members,
            references,
            matrix,
            self.rule,
            Calibration.of(scores, self.target_fpr),
            n_train,
            columns,
        )
        warn_of_few(len(scores), self.target_fpr)
        return self

    # ------------------------------------------------------------------------------- attributes

    @property
    def members_(self) -> dict[str, Any]:
        """The fitted members by name."""
        return {member.name: member.detector for member in self.fitted_.members}

    @property
    def rule_(self) -> str:
        """The rule behind the threshold."""
        return self.fitted_.rule

    @property
    def codec_(self) -> inputs.Codec:
        """How samples are encoded, for the first member if all are detectors of OddGAN."""
        matrix = self.fitted_.matrix
        codec: inputs.Codec = matrix.codec if matrix else self.fitted_.members[0].detector.codec_
        return codec

    @property
    def n_train_(self) -> int:
        """Number of rows that trained the members."""
        return self.fitted_.n_train

    @property
    def group_columns_(self) -> list[str]:
        """The columns of the training data that define the groups."""
        return list(self.fitted_.columns.groups)

    @property
    def n_features_in_(self) -> int:
        """Number of columns of a table."""
        return self.fitted_.columns.n_features_in

    @property
    def feature_names_in_(self) -> NDArray[Any]:
        """Names of the columns of a table, if it had any."""
        return self.fitted_.columns.feature_names_in

    @property
    def provenance_(self) -> dict[str, Any]:
        """What the command line stored about the data."""
        return self.fitted_.provenance

    @provenance_.setter
    def provenance_(self, provenance: dict[str, Any]) -> None:
        self.fitted_ = self.fitted_.with_provenance(provenance)

    @property
    def _calibration(self) -> Calibration:
        return self.fitted_.calibration

    # -------------------------------------------------------------------------------- outputs

    def anomaly_score(self, X: Any, *, condition: None = None) -> Floats:
        """Return the combined statistic of each sample, shape (n,); higher is more anomalous."""
        return self._statistic(self.source(X, condition=condition))

    def member_scores(self, X: Any) -> pd.DataFrame:
        """Return each member's own conformal p-values, by the first half of the held-out samples.

        Returns
        -------
        DataFrame of shape (n, n_members)
            A column for each member; lower is more anomalous.
        """
        fitted = self.fitted_
        rows = Rows(self.source(X), fitted.matrix)
        pairs = zip(fitted.members, fitted.references, strict=True)
        return pd.DataFrame(
            {member.name: reference.p_value(member.scores(rows)) for member, reference in pairs}
        )

    def source(self, data: Any, *, condition: None = None, **options: Any) -> inputs.Source:
        """Open `data` as this fitted combination reads it; see :meth:`Detector.source`.

        Raises
        ------
        ValueError
            A `condition` was passed, which a combination does not support.
        """
        check_is_fitted(self)
        if condition is not None:
            raise ValueError("a combination of detectors takes no condition")
        if isinstance(data, inputs.Source):
            source = data
        else:
            text_columns = self.codec_.text_columns
            source = inputs.open_source(data, text_columns=text_columns, **options)
        groups = [name for name in self.group_columns_ if name in (source.columns or ())]
        if groups:
            source = inputs.WithoutColumns(source, groups)
        check_columns(self, data, source, beside=bool(groups))
        return source

    def iter_outputs(
        self, source: inputs.Source, output: Literal["anomaly_score"] = "anomaly_score"
    ) -> Iterator[tuple[NDArray[np.int64], Floats]]:
        """Yield row numbers and anomaly scores of a source, all in one chunk.

        Not chunk by chunk: the scores of some PyOD detectors depend on the rest of the batch.
        """
        rows = [index for index, _ in source.chunks(READ)]
        yield np.concatenate([*rows, np.empty(0, np.int64)]), self._statistic(source)

    def save(self, path: PathLike[str] | str) -> None:
        """Write the fitted combination to one file; :func:`oddgan.load` reads it.

        Loading runs no code from the file. Members of PyOD, and those of scikit-learn with
        neighbour trees, cannot be stored.

        Raises
        ------
        ValueError
            A member cannot be stored; the message names it.
        """
        check_is_fitted(self)
        persistence.write(path, *to_state(self.get_params(deep=False), self.fitted_))

    def _statistic(self, source: inputs.Source) -> Floats:
        fitted = self.fitted_
        return statistic(
            fitted.members, fitted.references, fitted.rule, Rows(source, fitted.matrix)
        )
