"""From what a user gives to the source that a detector reads: samples and their condition."""

import warnings
from collections.abc import Sequence
from os import PathLike
from typing import Any

import pandas as pd
from sklearn.base import BaseEstimator
from sklearn.utils.validation import validate_data

from oddgan import inputs

from .fitted import Columns, Fitted


def open_to_fit(
    X: Any, condition: Any, groups: Any, channels: Any
) -> tuple[inputs.Source, Columns]:
    """Open training data; return the source and what is known of its columns."""
    source = X if isinstance(X, inputs.Source) else inputs.open_source(X, channels=channels)
    if condition is not None:
        source = inputs.with_condition(source, condition)
    if groups is not None:
        source = inputs.with_groups(source, groups)
    _warn_of_row_numbers(source.columns or ())
    return source, table_columns(X, source)


def table_columns(X: Any, source: inputs.Source) -> Columns:
    """Return what scikit-learn would note of the columns of a source."""
    condition, groups = tuple(source.condition_columns), tuple(source.group_columns)
    if source.kind != "table":
        return Columns(condition=condition, groups=groups)
    notes: Any = BaseEstimator()  # scikit-learn notes columns on an estimator
    like_chunk = isinstance(X, str | PathLike | inputs.Source) or condition or groups
    validate_data(notes, _like(source) if like_chunk else X, reset=True, skip_check_array=True)
    names = tuple(getattr(notes, "feature_names_in_", ()))
    return Columns(notes.n_features_in_, names, condition, groups)


def _like(source: inputs.Source) -> Any:
    """Return something that has the columns of a source, for scikit-learn to look at."""
    return pd.DataFrame(columns=source.columns) if source.columns else next(source.chunks(1))[1]


def _warn_of_row_numbers(columns: Sequence[str]) -> None:
    """Warn about a column that looks like the index of a frame that went through a CSV file."""
    for name in columns:
        if name == "" or name.startswith("Unnamed: "):
            warnings.warn(
                f"the column {name!r} has no name of its own: if it is the index of a data frame, "
                "it only numbers the rows, and is learned like any other; leave it out "
                "(index=False when pandas writes the file)",
                stacklevel=4,
            )


def open_to_ask(
    detector: Any, fitted: Fitted, X: Any, condition: Any, **options: Any
) -> inputs.Source:
    """Open data as a fitted detector reads it, and check that it is of the same kind.

    Parameters
    ----------
    detector : estimator
        For scikit-learn's check of columns, and for messages.
    fitted : Fitted
        What its fit left.
    X, condition
        The samples and their condition, as in `fit`.
    **options
        Of :func:`oddgan.inputs.open_source`.
    """
    samples, columns, name = fitted.encoding.samples, fitted.columns, type(detector).__name__
    source: inputs.Source = X
    if not isinstance(X, inputs.Source):
        texts = _text_columns(fitted)
        source = inputs.open_source(X, channels=detector.channels, text_columns=texts, **options)
    if source.kind != samples.kind:
        raise ValueError(
            f"{name} was fitted on a kind of data called {samples.kind!r} but is given the kind "
            f"{source.kind!r}"
        )
    source = _with_condition(name, fitted, source, condition)
    groups = [column for column in columns.groups if column in (source.columns or ())]
    if groups:
        source = inputs.WithoutColumns(source, groups)  # as they were known in training
    check_columns(detector, X, source, beside=bool(groups))
    return source


def check_columns(detector: Any, X: Any, source: inputs.Source, *, beside: bool = False) -> None:
    """Let scikit-learn check number and names of the columns of a table.

    Those of files are found by name, in any order. `beside` says that X has further columns.
    """
    if source.kind != "table" or isinstance(X, str | PathLike | inputs.Source):
        return
    beside = beside or bool(source.condition_columns or source.group_columns)
    validate_data(detector, _like(source) if beside else X, reset=False, skip_check_array=True)


def _with_condition(
    name: str, fitted: Fitted, source: inputs.Source, condition: Any
) -> inputs.Source:
    """Return `source` with its condition, if the detector was fitted with one."""
    codec, columns = fitted.encoding.condition, list(fitted.columns.condition)
    if codec is None:
        if condition is not None or source.has_condition:
            raise ValueError(f"this {name} was fitted without a condition, but is given one")
        return source
    if source.has_condition:
        return source
    if condition is None and columns and set(columns) <= set(source.columns or ()):
        condition = columns
    if condition is None:
        what = f" ({', '.join(columns)})" if columns else ""
        raise ValueError(f"this {name} was fitted with a condition{what}: give it for new samples")
    return inputs.with_condition(source, condition, like=codec)


def _text_columns(fitted: Fitted) -> list[str]:
    """Return the columns that held text in training: of samples, and of a condition beside them."""
    samples, condition = fitted.encoding.samples, fitted.encoding.condition
    names = {column.name for column in samples.columns}
    beside = [n for n in condition.text_columns if n not in names] if condition else []
    return [*samples.text_columns, *beside]
