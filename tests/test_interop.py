"""Detectors with PyOD's interface."""

import pickle
import subprocess
import sys

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.decomposition import PCA
from sklearn.ensemble import IsolationForest

from oddgan import VAE, Combination, PCAReconstruction, to_pyod
from support.data import quick

ANOMALY = np.array([[9.0, -9.0, 9.0, -9.0]])


@pytest.fixture
def pyod():
    return pytest.importorskip("pyod.models.base", reason="PyOD is not installed")


@pytest.mark.parametrize(
    "detector", [PCAReconstruction(random_state=0), quick(VAE, max_steps=30)], ids=["pca", "vae"]
)
def test_signs_labels_and_threshold_follow_pyod(pyod, detector, table):
    adapter = to_pyod(detector)
    assert isinstance(adapter, pyod.BaseDetector)
    assert adapter.fit(table) is adapter
    fitted = adapter.detector_
    assert fitted is not detector
    assert not hasattr(detector, "threshold_")
    np.testing.assert_array_equal(adapter.decision_scores_, fitted.anomaly_score(table))
    assert adapter.decision_function(ANOMALY) > adapter.decision_function(table).max()
    assert adapter.predict(ANOMALY) == 1
    np.testing.assert_array_equal(adapter.predict(table), fitted.predict(table) == -1)
    np.testing.assert_array_equal(adapter.labels_, adapter.predict(table))
    assert 0 < adapter.labels_.sum() < len(table) / 3
    assert adapter.threshold_ == fitted.threshold_
    assert adapter.contamination == 0.05


def test_probabilities_and_rejection_are_pyods(pyod, table):
    adapter = to_pyod(PCAReconstruction(random_state=0)).fit(table)
    for method in ("linear", "unify"):
        proba = adapter.predict_proba(np.vstack([ANOMALY, table]), method=method)
        assert proba.shape == (301, 2)
        np.testing.assert_allclose(proba.sum(axis=1), 1)
        assert proba[0, 1] == 1
        assert proba[1:, 1].mean() < 0.5
    labels, confidence = adapter.predict(table, return_confidence=True)
    assert set(labels) == {0, 1}
    assert ((confidence >= 0) & (confidence <= 1)).all()
    assert (adapter.predict_with_rejection(ANOMALY, T=5, c_r=0.1) == 1).all()


def test_a_fitted_detector_is_used_as_it_is(pyod, table):
    fitted = PCAReconstruction(random_state=0).fit(table)
    adapter = to_pyod(fitted)
    assert adapter.detector_ is fitted
    np.testing.assert_array_equal(adapter.decision_scores_, fitted.calibration_scores_)
    np.testing.assert_array_equal(adapter.predict(table), fitted.predict(table) == -1)
    assert adapter.predict_proba(ANOMALY)[0, 1] == 1
    assert not hasattr(clone(adapter), "detector_")


def test_parameters_and_pickle(pyod, table):
    adapter = to_pyod(PCAReconstruction(random_state=0)).set_params(detector__target_fpr=0.2)
    assert adapter.contamination == 0.2
    assert clone(adapter).get_params()["detector__target_fpr"] == 0.2
    adapter.fit(table)
    restored = pickle.loads(pickle.dumps(adapter))
    np.testing.assert_array_equal(restored.predict(table), adapter.predict(table))


def test_a_fresh_process_reads_a_pickle(pyod, table, tmp_path):
    path = tmp_path / "adapter.pickle"
    path.write_bytes(pickle.dumps(to_pyod(PCAReconstruction(random_state=0)).fit(table)))
    code = f"import pickle; print(pickle.load(open({str(path)!r}, 'rb')).predict([[9, -9, 9, -9]]))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[1]"


def test_combinations_contain_adapters_and_adapters_wrap_combinations(pyod, table):
    inner = Combination([PCAReconstruction(), IsolationForest()], target_fpr=0.1, random_state=0)
    adapter = to_pyod(inner).fit(table)
    assert adapter.predict(ANOMALY) == 1
    # An adapter is a PyOD detector, and so a member of a combination.
    outer = Combination([to_pyod(PCAReconstruction())], target_fpr=0.1, random_state=0).fit(table)
    assert outer.predict(ANOMALY) == -1


@pytest.mark.parametrize("wrong", [PCA(), PCAReconstruction, None])
def test_other_objects_are_refused(wrong):
    with pytest.raises(TypeError, match="to_pyod takes a detector of OddGAN"):
        to_pyod(wrong)


def test_without_pyod_the_error_says_what_to_install(monkeypatch):
    from oddgan import interop

    interop._adapter.cache_clear()
    monkeypatch.setitem(sys.modules, "pyod.models.base", None)
    with pytest.raises(ImportError, match=r"pip install 'oddgan\[bench\]'"):
        to_pyod(PCAReconstruction())
