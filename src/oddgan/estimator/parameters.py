"""Parameters of an estimator: each is stated once, as a field of its class.

A field says the name, the type, the default and what values are allowed::

    class EGBAD(Detector):
        degree: int = parameter(default=1, constraint=[Options(Integral, {1, 2})])
        ema_decay: float = 0.999  # an inherited parameter with another default

The constructor, its signature, scikit-learn's validation and ``help`` follow from the fields.
The parameters stay flat, not nested by kind of input: ``EGBAD(patch_size=16)``, ``--set
patch_size=16`` and ``GridSearchCV`` then need one name each, and ``__`` keeps scikit-learn's
meaning, a parameter of an inner estimator.
"""

import inspect
import types
import warnings
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import (
    TYPE_CHECKING,
    Any,
    ClassVar,
    Literal,
    Self,
    Union,
    dataclass_transform,
    get_args,
    get_origin,
)

from sklearn.base import BaseEstimator

#: Names of parameters in the last release, by which they can still be given.
RENAMED = {
    "score": "score_name",
    "by_place": "normalize_by_location",
    "level_images": "illumination_correction",
    "patch_score": "patch_aggregation",
}
#: Values in the last release that have another name now.
RENAMED_VALUES = {("scaling", "two_view"): "standard+rank", ("augment", "warp"): "affine"}


@dataclass(frozen=True)
class Parameter:
    """What a field of a class says about a parameter.

    Attributes
    ----------
    default : object
        Its default.
    constraint : list
        What values are allowed, as scikit-learn's ``_parameter_constraints`` state it.
    text : str
        Its description. The parameters of one detector are described in its docstring instead.
    type_text : str, optional
        Its type in words; None derives it from the annotation.
    annotation : object
        The annotation of the field.
    """

    default: Any
    constraint: Any
    text: str = ""
    type_text: str | None = None
    annotation: Any = Any

    def with_default(self, default: Any, annotation: Any) -> "Parameter":
        """Return the same with another default, which is then allowed."""
        constraint = self.constraint
        if default is None and isinstance(constraint, list) and None not in constraint:
            constraint = [*constraint, None]
        return replace(self, default=default, annotation=annotation, constraint=constraint)

    def described(self, name: str) -> str:
        """Return the entry of a numpydoc section."""
        what = self.type_text or type_in_words(self.annotation)
        head = f"{name} : {what}, default={_repr(self.default)}"
        lines = inspect.cleandoc(self.text).splitlines()
        return "\n".join([head, *(f"    {line}" if line else "" for line in lines)])


def parameter(
    *, default: Any, constraint: Any, text: str = "", type_text: str | None = None
) -> Any:
    """State a parameter, as the value of a field of a :class:`Parametrised` class."""
    return Parameter(default, constraint, text, type_text)


@dataclass_transform(kw_only_default=True, field_specifiers=(parameter,))
class Parametrised(BaseEstimator):  # type: ignore[misc]
    """An estimator whose fields are its parameters; the constructor only stores them.

    A subclass gives many inherited parameters another default at once as
    ``class OddGAN(BaseDetector, defaults={...})``.
    """

    #: All parameters by name: those of the class first, then the inherited ones.
    parameters: ClassVar[Mapping[str, Parameter]] = {}

    def __init_subclass__(cls, *, defaults: Mapping[str, Any] | None = None, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        for name, value in (defaults or {}).items():
            setattr(cls, name, value)
        if "__init__" in vars(cls):
            raise TypeError(
                f"{cls.__name__} defines __init__: state its parameters as fields of the class "
                "instead, name: type = parameter(default=..., constraint=[...])"
            )
        cls.parameters = _parameters_of(cls)
        cls._parameter_constraints = {n: p.constraint for n, p in cls.parameters.items()}
        cls.__init__ = _constructor(cls.parameters)  # type: ignore[method-assign]

    def set_params(self, **params: Any) -> Self:
        """Set parameters by name; see scikit-learn."""
        super().set_params(**renamed(params, stacklevel=3))
        return self

    if not TYPE_CHECKING:  # for a type checker any attribute would exist

        def __getattr__(self, name: str) -> Any:
            new = RENAMED.get(name)
            # `score` is scikit-learn's name of a method, which a detector does not have.
            if new in self.parameters and name != "score":
                _warn_renamed(name, new, stacklevel=2)
                return getattr(self, new)
            return object.__getattribute__(self, name)  # raises what it raised before


def renamed(params: Mapping[str, Any], stacklevel: int | None = None) -> dict[str, Any]:
    """Return parameters under today's names.

    Parameters
    ----------
    params : mapping of str to object
        Parameters, perhaps with names or values of the last release.
    stacklevel : int, optional
        Where a warning about such a name points to; None does not warn.
    """
    current = {}
    for name, value in params.items():
        new = RENAMED.get(name, name)
        if new in params and new != name:
            raise TypeError(f"{name} is the old name of {new}: give {new} alone")
        if new != name and stacklevel:
            _warn_renamed(name, new, stacklevel + 1)
        new_value = RENAMED_VALUES.get((new, value), value) if isinstance(value, str) else value
        if new_value is not value and stacklevel:
            _warn_renamed(f"{new}={value!r}", f"{new}={new_value!r}", stacklevel + 1)
        current[new] = new_value
    return current


def _warn_renamed(old: str, new: Any, stacklevel: int) -> None:
    warnings.warn(
        f"{old} is called {new} now; the old name goes away in the next release",
        FutureWarning,
        stacklevel=stacklevel + 1,
    )


def _parameters_of(cls: type) -> dict[str, Parameter]:
    """Collect the fields of a class and its bases; the value of an inherited field is a default."""
    annotations = inspect.get_annotations(cls)
    inherited: dict[str, Parameter] = {}
    for base in reversed(cls.__mro__[1:]):
        inherited |= getattr(base, "parameters", {}) if "parameters" in vars(base) else {}
    stated = {}
    for name, value in list(vars(cls).items()):
        if isinstance(value, Parameter):
            stated[name] = replace(value, annotation=annotations.get(name, Any))
            setattr(cls, name, value.default)
        elif name in inherited and not callable(value) and not isinstance(value, property):
            annotation = annotations.get(name, inherited[name].annotation)
            inherited[name] = inherited[name].with_default(value, annotation)
    # `score_name` leads: it says what the other parameters of a method are for.
    first = {n: p for n, p in stated.items() if n == "score_name"}
    return {**first, **stated, **{n: p for n, p in inherited.items() if n not in stated}}


def _constructor(parameters: Mapping[str, Parameter]) -> Any:
    """Make an ``__init__`` that stores these parameters, with their signature."""

    def __init__(self: Any, **params: Any) -> None:  # noqa: N807
        params = renamed(params, stacklevel=3)
        for name in params:
            if name not in parameters:
                raise TypeError(
                    f"{type(self).__name__}() got an unexpected keyword argument {name!r}; "
                    f"help({type(self).__name__}) lists its parameters"
                )
        for name, field in parameters.items():
            setattr(self, name, params.get(name, field.default))

    positional, keyword = inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY
    __init__.__signature__ = inspect.Signature(  # type: ignore[attr-defined]
        [
            inspect.Parameter("self", positional),
            *(
                inspect.Parameter(name, keyword, default=field.default, annotation=field.annotation)
                for name, field in parameters.items()
            ),
        ],
        return_annotation=None,
    )
    return __init__


def type_in_words(annotation: Any) -> str:
    """Return a type as numpydoc says it: ``int or None``, ``{"a", "b"}``, ``(int, int)``."""
    origin, arguments = get_origin(annotation), get_args(annotation)
    if origin in (Union, types.UnionType):
        return ", ".join(map(type_in_words, arguments[:-1])) + f" or {type_in_words(arguments[-1])}"
    if origin is Literal:
        return "{" + ", ".join(map(_repr, arguments)) + "}"
    if origin is tuple:
        return "(" + ", ".join(map(type_in_words, arguments)) + ")"
    if annotation in (None, type(None)):
        return "None"
    return getattr(annotation, "__name__", str(annotation))


def _repr(value: Any) -> str:
    return f'"{value}"' if isinstance(value, str) else repr(value)
