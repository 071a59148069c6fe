"""Score components, and how they become one score."""

import copy

import numpy as np
import pytest
import torch

import oddgan
from oddgan import EGBAD
from oddgan.scores import Scale, Score
from support.data import quick, rows_of_fit

COMPONENTS = {"a": torch.tensor([1.0, 3.0]), "b": torch.tensor([10.0, -10.0])}


def test_the_total_is_the_weighted_sum():
    residual = torch.zeros(2, 1)
    assert Score(COMPONENTS, residual).total.tolist() == [11, -7]
    assert Score(COMPONENTS, residual, {"a": 2, "b": 0.5}).total.tolist() == [7, 1]
    # A component without a weight does not count.
    assert Score(COMPONENTS, residual, {"a": 2}).total.tolist() == [2, 6]


def test_a_scale_is_that_of_the_samples_it_was_fitted_to():
    scale = Scale.fit({"a": np.array([0.0, 2.0, 4.0]), "b": np.array([5.0, 5.0, 5.0])})
    scaled = scale.apply(COMPONENTS)
    np.testing.assert_allclose(scaled["a"], np.array([-1, 1]) / np.sqrt(8 / 3), rtol=1e-6)
    np.testing.assert_allclose(scaled["b"], [5, -15])  # constant: only shifted
    with pytest.raises(ValueError, match=r"\['c'\].*fit with the score"):
        scale.apply({"c": COMPONENTS["a"]})


def test_standardised_components_of_the_rows_for_the_scale_have_mean_zero_and_deviation_one(
    table, tmp_path
):
    params = {"score_name": "feature_matching", "weight_disc": 0.3, "calibration_fraction": 0.4}
    detector = quick(EGBAD, combine="standardised", **params).fit(table)
    plain = copy.deepcopy(detector).set_params(combine="paper")
    components = detector.score_components(table)
    for name, values in plain.score_components(table).items():
        np.testing.assert_array_equal(components[name], values)  # these are not standardised
    _, (for_scale,) = rows_of_fit(detector, table)
    assert for_scale.sum() == 18
    by_hand = sum(
        weight * (values - values[for_scale].mean()) / values[for_scale].std()
        for weight, values in (
            (0.7, components["residual"]),
            (0.3, components["feature_matching"]),
        )
    )
    np.testing.assert_allclose(detector.anomaly_score(table), by_hand, rtol=1e-4, atol=1e-5)
    detector.save(tmp_path / "m.oddgan")
    again = oddgan.load(tmp_path / "m.oddgan")
    np.testing.assert_array_equal(again.anomaly_score(table), detector.anomaly_score(table))


def test_a_component_in_large_units_does_not_dominate_a_standardised_sum():
    """As published, ten thousand pixels outweigh a bounded term; standardised, they do not."""
    rng = np.random.default_rng(0)
    scale = Scale.fit({"pixels": rng.normal(1e4, 1e3, 500), "bounded": rng.normal(0.7, 0.01, 500)})
    normal = {"pixels": torch.tensor([11500.0]), "bounded": torch.tensor([0.7])}
    anomalous = {"pixels": torch.tensor([10000.0]), "bounded": torch.tensor([0.8])}
    weights = {"pixels": 0.9, "bounded": 0.1}
    residual = torch.zeros(1, 1)
    assert Score(anomalous, residual, weights).total < Score(normal, residual, weights).total
    totals = [Score(c, residual).combined(scale.apply(c)) for c in (normal, anomalous)]
    assert totals[1] > totals[0]


def test_a_parameter_that_changes_after_the_fit_does_not_get_a_stale_scale(table):
    detector = quick(EGBAD, combine="standardised").fit(table)
    for name, value in {"weight_disc": 0.5, "degree": 2, "combine": "paper"}.items():
        before = getattr(detector, name)
        with pytest.raises(ValueError, match=f"{name} has changed since: fit again"):
            detector.set_params(**{name: value}).anomaly_score(table)
        detector.set_params(**{name: before})
    with pytest.raises(ValueError, match="no scale for the component"):
        detector.set_params(score_name="feature_matching").anomaly_score(table)
    plain = quick(EGBAD).fit(table).set_params(combine="standardised")
    with pytest.raises(ValueError, match="combine has changed since: fit again"):
        plain.anomaly_score(table)


def test_a_scale_of_values_that_are_not_finite_is_refused():
    message = "the component a of a held-out normal sample is not finite"
    with pytest.raises(ValueError, match=message):
        Scale.fit({"a": np.array([1.0, np.inf])})
