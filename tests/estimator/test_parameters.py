"""Parameters are stated once, as fields: constructor, checks and documentation follow."""

import inspect

import pytest
from sklearn.exceptions import NotFittedError
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline

from oddgan import EGBAD, VAE
from oddgan.estimator import SharedParameters, parameter
from support.data import quick


class Own(VAE):
    """One parameter of its own, and another default.

    Parameters
    ----------
    own : int, default=3
        Any number.
    """

    own: int = parameter(default=3, constraint=[int])
    width: int | None = 9


def test_a_field_is_a_parameter_with_its_default_and_its_check(table):
    assert Own().get_params() == VAE(width=9).get_params() | {"own": 3}
    assert next(iter(inspect.signature(Own).parameters)) == "own"
    with pytest.raises(ValueError, match="The 'own' parameter of Own must be an instance of 'int'"):
        Own(own="x").fit(table)
    assert Own.changed_defaults() == {"width": 9}
    assert VAE().width is None


def test_the_documentation_has_every_shared_parameter_with_the_default_of_the_class():
    for name in SharedParameters.parameters:
        assert f"    {name} : " in EGBAD.__doc__
    assert "    ema_decay : float, default=0.999" in EGBAD.__doc__
    assert "    width : int or None, default=9" in Own.__doc__


def test_an_unknown_parameter_is_refused_by_its_name():
    with pytest.raises(TypeError, match=r"VAE\(\) got an unexpected keyword argument 'epoch'"):
        VAE(epoch=3)
    with pytest.raises(ValueError, match="Invalid parameter 'epoch'"):
        VAE().set_params(epoch=3)


def test_a_class_states_its_parameters_as_fields():
    with pytest.raises(TypeError, match="New defines __init__: state its parameters as fields"):

        class New(VAE):
            def __init__(self, width=3):
                super().__init__(width=width)


def test_scikit_learn_says_that_a_search_needs_a_metric(table):
    """`score` was a parameter, which scikit-learn took for its method of that name."""
    with pytest.raises(AttributeError, match="score"):
        make_pipeline(quick(VAE, max_steps=2)).fit(table).score(table)
    with pytest.raises(TypeError, match=r"If no scoring is specified.*'score' method"):
        GridSearchCV(quick(VAE, max_steps=2), {"width": [4, 8]}).fit(table)


def test_an_unfitted_detector_says_so(table):
    for ask in (VAE().anomaly_score, VAE().p_value, VAE().explain):
        with pytest.raises(NotFittedError):
            ask(table)
    with pytest.raises(AttributeError):
        _ = VAE().threshold_
