"""The pages of the detectors are what docs/make_detector_pages.py would write now."""

import ast
import importlib.util
import inspect
import json
import re
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image
from sklearn.metrics import roc_auc_score

from oddgan import EGBAD, PCAReconstruction, all_detectors, evaluation
from oddgan.datasets import Dataset
from oddgan.estimator import parameter

DOCS = Path(__file__).parent.parent / "docs"


def script(path):
    spec = importlib.util.spec_from_file_location(path.stem, path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def maker():
    return script(DOCS / "make_detector_pages.py")


def test_the_pages_are_those_that_would_be_written_now(maker):
    written = {path.name: path.read_text(encoding="utf-8") for path in maker.PAGES.glob("*.md")}
    expected = maker.pages()
    assert written.keys() == expected.keys(), "run: python docs/make_detector_pages.py --pictures"
    for name, text in expected.items():
        assert written[name] == text, f"{name} is stale: run python docs/make_detector_pages.py"


def test_every_detector_has_a_small_picture(maker):
    drawn = {path.stem: path for path in maker.PICTURES.iterdir()}
    assert drawn.keys() == {n for n, cls in all_detectors().items() if "image" in cls.kinds}
    for path in drawn.values():
        assert path.stat().st_size < 60_000
        Image.open(path).verify()


def test_a_docstring_names_the_defaults_of_the_signature(maker, detector_class):
    doc = maker.NumpyDocString(inspect.getdoc(detector_class))
    parameters = inspect.signature(detector_class).parameters
    for entry in doc["Parameters"] + doc["Other Parameters"]:
        _, default, said = entry.type.partition("default=")
        if default:
            names = maker.names(entry)
            values = [parameters[name].default for name in names]
            given = ast.literal_eval(said)
            assert given == (values[0] if len(names) == 1 else tuple(values)), entry.name


def test_the_readme_names_every_detector():
    words = set(re.findall(r"\w+", (DOCS.parent / "README.md").read_text(encoding="utf-8")))
    assert {cls.__name__ for cls in all_detectors().values()} <= words


def page_of(maker, notes, parameters="**options"):
    class New(PCAReconstruction):
        __doc__ = f"""Summary.

        Parameters
        ----------
        {parameters}
            See.

        Notes
        -----
        {notes}
        """
        unavailable = {"explain": "there is nothing to see"}  # noqa: RUF012
        own: int = parameter(default=1, constraint=[int])

    return maker.page("new", New)


def test_what_a_page_needs_is_asked_for(maker):
    use, avoid = "Use it when a. B.", "Do not use it when c."
    both = f"First.\n\n        {use}\n\n        {avoid}"
    with pytest.raises(ValueError, match="New need one paragraph that starts with 'Do not use it"):
        page_of(maker, use)
    with pytest.raises(ValueError, match="own"):
        page_of(maker, both)
    page = page_of(maker, both, "own : int, default=1")
    assert f"## When to use it\n\n{use}\n\n## When not to\n\n{avoid}\n\n## Example" in page
    assert "## Notes\n\nFirst.\n\n##" in page
    assert "It cannot explain: there is nothing to see." in page
    assert "detector.explain" not in page
    assert "--explain" not in page
    assert "- **`own`** (`int`, default `1`)  \n  See." in page


def test_docstrings_become_markdown(maker):
    text = r"""
See :math:`a_1 * b` and :class:`~oddgan.VAE` or :func:`oddgan.load`, ``code_``, `x` [1]_.
With *stress*, E* < 3
- 2 is no list, _x nor x \sim \sigma_1^2 f(\mathcal{E})

- a: x_j
- b:

  .. math::
      a \\
      + b
  and on.

.. math:: c

.. [1] arXiv 1802.06222."""
    assert maker.with_links(maker.markdown(text.splitlines())) == (
        r"""
See $a_1 * b$ and `oddgan.VAE` or `oddgan.load`, `code_`, `x` [1].
With *stress*, E\* \< 3
\- 2 is no list, \_x nor x $\sim$ $\sigma_1^2$ f($\mathcal{E}$)

- a: x_j
- b:

  $$
  \begin{aligned}
  a \\
  + b
  \end{aligned}
  $$

  and on.

$$
c
$$

[1] [arXiv 1802.06222](https://arxiv.org/abs/1802.06222).""".strip("\n")
    )
    with pytest.raises(ValueError, match="warning"):
        maker.markdown([".. warning:: this"])


def test_the_index_has_the_first_sentence(maker):
    assert (
        maker.first_sentence("a table\nof .5 and e.g. (x). More: y") == "a table of .5 and e.g. (x)"
    )


# ---------------------------------------------------------------------- the table of results


@pytest.fixture
def table_of(tmp_path, monkeypatch):
    """Return a function that runs the script of the table on a tiny task."""
    module = script(DOCS / "results" / "detectors_table.py")
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(100, 3)), np.repeat([0, 1], [90, 10])
    X[y == 1] += 3
    dataset = Dataset("tiny", "table", pd.DataFrame(X).add_prefix("x"), y, None, "drawn")
    split = evaluation.Labelled().split(dataset)
    monkeypatch.setattr(module, "TIMED", 0)
    monkeypatch.setattr(module, "TASKS", {"tiny": lambda: (dataset, split)})

    def run(*arguments):
        command = ["script", "--out", str(tmp_path), "--only", "vae", "egbad", "--set", *arguments]
        monkeypatch.setattr(sys, "argv", command)
        module.main()
        return (tmp_path / "table.md").read_text(encoding="utf-8")

    return run, module, dataset, split


def test_the_table_has_what_was_measured(table_of, tmp_path):
    run, _, dataset, split = table_of
    text = run("max_steps=3", "min_steps=1")
    detector = EGBAD(max_steps=3, min_steps=1, random_state=0).fit(dataset.X.iloc[split.train])
    auroc = roc_auc_score(split.y_test, detector.anomaly_score(dataset.X.iloc[split.test]))
    measured = json.loads((tmp_path / "tiny-egbad.json").read_text())
    assert measured["auroc"] == auroc
    assert (
        f"## AUROC\n\n|  | tiny |\n| --- | ---: |\n| EGBAD | {auroc:.3f} |".replace("0.", ".")
        in text
    )
    assert "| isolation forest |" in text
    assert "| *prevalence* | .270 |" in text
    assert "| EGBAD | 1.00 |" in text
    assert "Failed" not in text


def test_a_stopped_run_goes_on_and_failures_are_told(table_of, tmp_path):
    run, _, _, _ = table_of
    text = run("max_steps=-1")
    assert "| EGBAD | failed |" in text
    assert "- vae on tiny: InvalidParameterError" in text
    text = run("max_steps=3", "min_steps=1")
    assert "failed" not in text
    before = {path: path.read_bytes() for path in tmp_path.glob("*.json")}
    (tmp_path / "tiny-vae.json").unlink()
    run("max_steps=3", "min_steps=1")
    after = {path: path.read_bytes() for path in tmp_path.glob("*.json")}
    assert [p.name for p in before if after[p] != before[p]] == ["tiny-vae.json"]
    run("max_steps=4", "min_steps=1")
    assert json.loads((tmp_path / "tiny-egbad.json").read_text())["parameters"]["max_steps"] == 4


def test_fewer_rows_and_times_of_another_run_are_marked(table_of):
    _, module, _, split = table_of
    some = module.capped(split, 5)
    assert len(some.test) == len(some.y_test) == 5
    assert (
        dict(zip(split.test, split.y_test, strict=True)).items()
        >= dict(zip(some.test, some.y_test, strict=True)).items()
    )
    read = {
        "egbad": {"n": 9, "auroc": 0.5, "s": 2.0, "run": "a"},
        "vae": {"n": 9, "auroc": 1.0, "s": 3.0, "run": "b"},
        "adgan": {"n": 5, "auroc": 0.25, "s": 1.0, "run": "a"},
        "anogan": {"error": "x"},
    }
    figures = [module.figure(read, name, "auroc") for name in (*read, "other")]
    assert figures == [".500", "1.000", ".250†", "failed", "–"]
    assert [module.ratio(read, name, "s") for name in read] == ["1.00", "1.50‡", "0.50", "–"]
