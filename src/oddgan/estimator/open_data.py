"""From what a user gives to the source that a detector reads: samples and their known context."""

import warnings
from collections.abc import Sequence
from os import PathLike
from typing import TYPE_CHECKING, Any

import pandas as pd
from sklearn.utils.validation import validate_data

from oddgan import inputs

if TYPE_CHECKING:
    from .detector import Detector


def open_to_fit(detector: "Detector", X: Any, condition: Any, groups: Any) -> inputs.Source:
    """Open training data, and note its columns and which of them are no part of the samples."""
    source = (
        X if isinstance(X, inputs.Source) else inputs.open_source(X, channels=detector.channels)
    )
    if condition is not None:
        source = inputs.with_condition(source, condition)
    if groups is not None:
        source = inputs.with_groups(source, groups)
    detector.condition_columns_ = source.condition_columns
    detector.group_columns_ = source.group_columns
    _check_columns(detector, X, source, reset=True)
    _warn_of_row_numbers(source.columns or ())
    return source


def _warn_of_row_numbers(columns: Sequence[str]) -> None:
    """Say so if a column looks as if it were the index of a frame that went through a CSV file."""
    for name in columns:
        if name == "" or name.startswith("Unnamed: "):
            warnings.warn(
                f"the column {name!r} has no name of its own: if it is the index of a data frame, "
                "it only numbers the rows, and is learnt like any other; leave it out "
                "(index=False when pandas writes the file)",
                stacklevel=4,
            )


def open_to_answer(detector: "Detector", X: Any, condition: Any, **how: Any) -> inputs.Source:
    """Open data as a fitted detector reads it, and check that it is of the same kind."""
    source: inputs.Source = X
    if not isinstance(X, inputs.Source):
        texts = _text_columns(detector)
        source = inputs.open_source(X, channels=detector.channels, text_columns=texts, **how)
    name = type(detector).__name__
    if source.kind != detector.codec_.kind:
        raise ValueError(
            f"{name} was fitted on a kind of data called {detector.codec_.kind!r} but is given "
            f"the kind {source.kind!r}"
        )
    if detector.condition_codec_ is None:
        if condition is not None or source.has_condition:
            raise ValueError(f"this {name} was fitted without a condition, but is given one")
    elif not source.has_condition:
        columns = detector.condition_columns_
        if condition is None and columns and set(columns) <= set(source.columns or ()):
            condition = columns
        if condition is None:
            of = f" ({', '.join(columns)})" if columns else ""
            raise ValueError(
                f"this {name} was fitted with a condition{of}: give it for new samples"
            )
        source = inputs.with_condition(source, condition, like=detector.condition_codec_)
    if also := [name for name in detector.group_columns_ if name in (source.columns or ())]:
        source = inputs.WithoutColumns(source, also)  # as they were known in training
    _check_columns(detector, X, source, reset=False, without=also)
    return source


def _text_columns(detector: "Detector") -> list[str]:
    """Return the columns that held text in training: of samples, and of a context beside them."""
    samples, context = detector.codec_, detector.condition_codec_
    known = {column.name for column in samples.columns}
    beside = [name for name in context.text_columns if name not in known] if context else []
    return [*samples.text_columns, *beside]


def _check_columns(
    detector: "Detector",
    X: Any,
    source: inputs.Source,
    *,
    reset: bool,
    without: Sequence[str] = (),
) -> None:
    """Let scikit-learn note, or check, number and names of the columns of a table."""
    if source.kind != "table":
        for name in ("n_features_in_", "feature_names_in_"):
            if reset and hasattr(detector, name):  # of an earlier fit on a table
                delattr(detector, name)
        return
    if isinstance(X, str | PathLike | inputs.Source) or (
        source.condition_columns or source.group_columns or without
    ):
        if not reset and isinstance(X, str | PathLike | inputs.Source):
            return  # the columns of files are found by name, in any order
        X = pd.DataFrame(columns=source.columns) if source.columns else next(source.chunks(1))[1]
    validate_data(detector, X, reset=reset, skip_check_array=True)
