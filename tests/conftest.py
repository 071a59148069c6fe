"""What all tests share."""

import numpy as np
import pytest
import torch

from oddgan import all_detectors
from support.browser import browser, chromium  # noqa: F401 (fixtures)
from support.data import make_images, make_table
from support.measuring import measure_here

pytest.register_assert_rewrite("support.checks")

# Two cores are few: a thread pool in every test process would only get in the way.
torch.set_num_threads(1)


@pytest.fixture(params=all_detectors().values(), ids=lambda cls: cls.__name__)
def detector_class(request):
    """Every detector there is; a new one is tested the moment its file exists."""
    return request.param


table = pytest.fixture(make_table, name="table")
images = pytest.fixture(make_images, name="images")


@pytest.fixture
def measured_here(monkeypatch):
    """Measure the cells of experiments in this process."""
    measure_here(monkeypatch)


@pytest.fixture
def global_random_state_untouched():
    """Fail a test that reads or changes NumPy's global random state."""
    before = np.random.get_state()  # noqa: NPY002 (it is this state that must not move)
    yield
    after = np.random.get_state()  # noqa: NPY002
    assert before[2] == after[2]
    assert (before[1] == after[1]).all()
