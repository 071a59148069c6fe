"""The pages of the detectors are what docs/make_detector_pages.py would write now."""

import ast
import importlib.util
import inspect
from pathlib import Path

import pytest
from PIL import Image

from oddgan import EGBAD, all_detectors
from oddgan.detectors import Detector

DOCS = Path(__file__).parent.parent / "docs"


@pytest.fixture(scope="module")
def maker():
    spec = importlib.util.spec_from_file_location("maker", DOCS / "make_detector_pages.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


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
    own = inspect.signature(detector_class).parameters
    shared = inspect.signature(Detector).parameters
    for parameter in doc["Parameters"] + doc["Other Parameters"]:
        _, default, said = parameter.type.partition("default=")
        if default:
            names = maker.names(parameter)
            values = [(shared if n in shared else own)[n].default for n in names]
            given = ast.literal_eval(said)
            assert given == (values[0] if len(names) == 1 else tuple(values)), parameter.name


def page_of(maker, notes, parameters="**options"):
    class New(EGBAD):
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

        def __init__(self, *, own=1, **options):
            super().__init__(**options)
            self.own = own

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
- 2 is no list, _x nor

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
\- 2 is no list, \_x nor

- a: x_j
- b:

  $$
  a \\
  + b
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
