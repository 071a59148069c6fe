"""Write docs/detectors: a page for each detector, from its class alone, and the index.

    python docs/make_detector_pages.py                      # the pages
    python docs/make_detector_pages.py --pictures           # and all their pictures
    python docs/make_detector_pages.py --pictures egbad vae # and these

A picture shows what the example of its page computes: the very code of the page is run.
"""

import argparse
import contextlib
import inspect
import os
import re
import tempfile
from collections.abc import Iterable, Mapping
from pathlib import Path
from string import Template
from textwrap import indent
from typing import Any

from numpydoc.docscrape import NumpyDocString, Parameter

from oddgan import all_detectors
from oddgan.detectors import Detector
from oddgan.estimator import Hooks

DOCS = Path(__file__).resolve().parent
PAGES, PICTURES = DOCS / "detectors", DOCS / "images" / "detectors"
HEAD = (
    "<!-- Written by docs/make_detector_pages.py: edit the docstring of the class instead. -->\n\n"
)
KINDS = {"table": "tables", "image": "images"}
USE, AVOID = "Use it when", "Do not use it when"

EXAMPLE = Template('''\
import numpy as np

from oddgan import $cls

rng = np.random.default_rng(0)
y, x = np.mgrid[:12, :12]
cy, cx, r = rng.uniform([5, 5, 3.2], [6, 6, 4.2], (406, 3)).T[..., None, None]
rings = 255 * np.exp(-((np.hypot(y - cy, x - cx) - r) ** 2)) + rng.normal(0, 4, (406, 12, 12))
rings = rings.clip(0, 255).astype(np.uint8)
good, new = rings[:400], rings[400:]
new[3, 4:8, 6:] = 0
new[4, 5:7] = 255
new[5, 3:9, 3:9] = 255
what = ["normal", "normal", "normal", "gap", "bar", "filled"]

small = {"latent_dim": 8, "width": 16, "max_steps": 300, "batch_size": 32, "learning_rate": 1e-3}
detector = $cls(**small, random_state=0).fit(good)
scores, flags = detector.anomaly_score(new), detector.predict(new) == -1
for name, score, p, flag in zip(what, scores, detector.p_value(new), flags):
    print(f"{name:8} score {score:8.4g}  p {p:.3f}  {'flagged' if flag else ''}")
${more}
np.save("good.npy", good)
np.save("new.npy", new)
''')  # fmt: skip
MORE = {
    "reconstruct": "counterparts = detector.reconstruct(new)  # the nearest normal rings\n",
    "explain": "maps = detector.explain(new)  # how much each pixel contributes\n",
}
COMMANDS = Template("""\
oddgan fit $name good.npy --out rings.oddgan --set latent_dim=8 --set width=16 \\
  --set max_steps=300 --set batch_size=32 --set learning_rate=1e-3
oddgan score rings.oddgan new.npy --out scores.csv$more
cat scores.csv
""")


def main() -> None:
    """Write what the command line asks for."""
    parser = argparse.ArgumentParser(description="Write docs/detectors from the detectors.")
    parser.add_argument("--pictures", nargs="*", metavar="NAME", help="draw all, or these")
    asked = parser.parse_args().pictures
    found = all_detectors()
    written = pages()
    for old in set(PAGES.glob("*.md")) - {PAGES / name for name in written}:
        old.unlink()
    for name, text in written.items():
        (PAGES / name).write_text(text, encoding="utf-8")
    for name in [] if asked is None else asked or found:
        draw(name, found[name])


def pages() -> dict[str, str]:
    """Return the text of every file in docs/detectors by its name."""
    found = all_detectors()
    texts = {f"{name}.md": page(name, cls) for name, cls in found.items()}
    return {"README.md": index(found), "shared.md": shared(), **texts}


# ------------------------------------------------------------------------------------ the pages


def index(found: Mapping[str, type[Detector]]) -> str:
    """Return the page that lists all detectors."""
    lines = [
        f"{HEAD}# Detectors\n",
        "The parameters that all of them take are on [one page](shared.md).\n",
        "| detector | inputs | scores (default first) | use it when | reference |",
        "|---|---|---|---|---|",
    ]
    for name, cls in found.items():
        when = first_sentence(when_to_use(cls)[0].removeprefix(USE).strip())
        cells = [
            f"[{cls.__name__}]({name}.md)",
            inputs_of(cls),
            ", ".join(f"`{score}`" for score in cls.scores),
            when,
            with_links(cls.reference),
        ]
        lines.append(f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in cells)} |")
    return "\n".join(lines) + "\n"


def shared() -> str:
    """Return the page of the parameters and attributes that all detectors share."""
    doc = NumpyDocString(inspect.getdoc(Detector) or "")
    signature = inspect.signature(Detector)
    return "\n".join(
        [
            f"{HEAD}# What all detectors share\n",
            "## Parameters\n",
            "A detector whose default is another one says so on its page.\n",
            *(item(p, signature) for p in doc["Other Parameters"]),
            "\n## After `fit`\n",
            *(item(p) for p in doc["Attributes"]),
            "",
        ]
    )


def page(name: str, cls: type[Detector]) -> str:
    """Return the page of one detector."""
    doc = NumpyDocString(inspect.getdoc(cls) or "")
    use, avoid = when_to_use(cls)
    kept = [p for p in paragraphs(doc["Notes"]) if p not in (use, avoid)]
    facts = [f"Reference: {with_links(cls.reference)}.", f"Inputs: {inputs_of(cls)}."]
    facts += [f"It cannot {what}: {why}." for what, why in cls.unavailable.items()]
    sections = [
        HEAD + f"# {cls.__name__}",
        markdown(doc["Summary"]),
        "  \n".join(facts),
        markdown(doc["Extended Summary"]),
        "## When to use it",
        markdown([use]),
        "## When not to",
        markdown([avoid]),
        example(name, cls),
        "## Parameters",
        parameters(doc, cls),
        settings(cls),
        "## Notes" if kept else "",
        markdown("\n\n".join(kept).splitlines()),
        "## References",
        with_links(markdown(doc["References"])),
    ]
    return "\n\n".join(section for section in sections if section) + "\n"


def example(name: str, cls: type[Detector]) -> str:
    """Return the example of a page: in Python with its picture, and on the command line."""
    table = "\n".join(NumpyDocString(inspect.getdoc(cls) or "")["Examples"])
    on_table = f"```pycon\n{table}\n```"
    if "image" not in cls.kinds:
        return f"## Example\n\n{on_table}"
    maps = "" if "explain" in cls.unavailable else " --explain maps.npy"
    return f"""\
## Example

Rings of varying place and size train; three of the six new ones are damaged. Small networks and
few rounds keep it quick. The gap is hardest for a residual: it leaves less to reconstruct, not
more.

```python
{example_code(cls)}```

![The six rings and what the detector makes of them](../images/detectors/{name}.png)

*Top: new rings with their scores, red where flagged. {rows_below(cls)}*

The same on the command line, with the files that the example wrote:

```bash
{COMMANDS.substitute(name=name, more=maps)}```

On a table:

{on_table}"""


def example_code(cls: type[Detector]) -> str:
    """Return the Python code of the example."""
    more = "".join(line for question, line in MORE.items() if question not in cls.unavailable)
    return EXAMPLE.substitute(cls=cls.__name__, more=more)


def rows_below(cls: type[Detector]) -> str:
    """Say what the rows of the picture are, below the first."""
    rows = {"reconstruct": "what `reconstruct` gives", "explain": "the map of `explain`"}
    said = [words for question, words in rows.items() if question not in cls.unavailable]
    return f"Below: {', then '.join(said)}." if said else ""


def parameters(doc: NumpyDocString, cls: type[Detector]) -> str:
    """Return the list of a detector's own parameters; none may be left out of its docstring."""
    signature = inspect.signature(cls)
    described = [p for p in doc["Parameters"] if not p.name.startswith("*")]
    own = [n for n in signature.parameters if n not in inspect.signature(Detector).parameters]
    if missing := set(own) - {name for p in described for name in names(p)}:
        raise ValueError(f"{cls.__name__}: the docstring does not say what {missing} are")
    rest = [p for p in doc["Parameters"] if p.name.startswith("*")]
    said = " ".join(line for p in rest for line in p.desc).removeprefix("See Other Parameters.")
    line = f"- the [shared parameters](shared.md){':' if said else ''}{markdown([said])}"
    return "\n".join([*(item(p, signature) for p in described), line])


def settings(cls: type[Detector]) -> str:
    """Return the defaults that are the method's own, and its presets."""
    kinds = [kind for kind in KINDS if kind in cls.kinds]
    lines = []
    if issubclass(cls, Hooks):  # OddGAN leaves these to its recipes
        rows = [["", *(KINDS[kind] for kind in kinds)], ["---"] * (len(kinds) + 1)]
        tables = {"latent_dim": cls._latent_dims, "learning_rate": cls._learning_rates}
        rows += [[f"`{n}=None` is", *(f"{v[kind]:g}" for kind in kinds)] for n, v in tables.items()]
        lines.append("\n".join(f"| {' | '.join(row)} |" for row in rows))
    if defaults := cls.changed_defaults():
        lines.append(f"Shared parameters with another default: {in_code(defaults)}.")
    if cls.presets:
        lines.append(f"Presets, for `{cls.__name__}.from_preset(NAME)` and `--preset NAME`:")
        lines.append("\n".join(f"- `{n}`: {in_code(values)}" for n, values in cls.presets.items()))
    return "\n\n".join(lines)


def when_to_use(cls: type[Detector]) -> tuple[str, str]:
    """Return the two paragraphs of the notes that say when to use a detector and when not."""
    notes = paragraphs(NumpyDocString(inspect.getdoc(cls) or "")["Notes"])
    found = []
    for start in (USE, AVOID):
        matching = [text for text in notes if text.startswith(start)]
        if len(matching) != 1:
            raise ValueError(
                f"the Notes of {cls.__name__} need one paragraph that starts with {start!r}; "
                f"there are {len(matching)}"
            )
        found += matching
    return found[0], found[1]


def inputs_of(cls: type[Detector]) -> str:
    """Return the kinds of samples that a detector takes, in words."""
    return " and ".join(said for kind, said in KINDS.items() if kind in cls.kinds)


def in_code(values: Mapping[str, Any]) -> str:
    """Return parameters as a list of assignments."""
    return ", ".join(f"`{name}={written(value)}`" for name, value in values.items())


def written(value: Any) -> str:
    """Return a value as it is written in Python, with double quotes."""
    return f'"{value}"' if isinstance(value, str) else repr(value)


def names(parameter: Parameter) -> list[str]:
    """Return the names that share one description."""
    return parameter.name.split(", ")


def item(parameter: Parameter, signature: inspect.Signature | None = None) -> str:
    """Return a parameter or an attribute as an item of a list."""
    kind = f"`{parameter.type.partition(', default')[0]}`"
    defaults = (
        [
            written(signature.parameters[n].default)
            for n in names(parameter)
            if n in signature.parameters  # each detector has a `score`, and its own default
        ]
        if signature
        else []
    )
    default = f", default `{', '.join(defaults)}`" if defaults else ""
    text = indent(markdown(parameter.desc), "  ")
    return f"- **`{parameter.name}`** ({kind}{default})  \n{text}"


# --------------------------------------------------------------- from docstrings to Markdown

_MATH = re.compile(r"^( *)\.\. math:: *(.*)\n((?:\n|\1 +.*\n)*)", re.MULTILINE)
_ROLE = re.compile(r":([\w:]+):`~?([^`]+)`")
# What stays as it is: displayed formulas, code, formulas, emphasis.
_KEPT = re.compile(r"(\$\$.*?\$\$|`[^`]+`|\$[^$]+\$|\*\*\S.*?\S\*\*|\*\S[^*]*\S\*)", re.DOTALL)
# What Markdown would read as its own; and TeX in the midst of text, such as \sigma^2.
_SPECIAL = re.compile(
    r"(?<!\w)_|_(?!\w)|[*<~]|(?P<tex>\\[A-Za-z]+(\{[^{}]*\})*([_^](\w|\{[^{}]*\}))*)"
)
# What would begin a list within a paragraph, where in a docstring it is a sign or a number.
_BULLET = re.compile(r"^( *)([-+*]|\d+[.)])(?= )", re.MULTILINE)
_ARXIV = re.compile(r"arXiv:? ?(\d{4}\.\d{4,5})")


def markdown(lines: Iterable[str]) -> str:
    """Turn the reStructuredText of a docstring into Markdown.

    Raises
    ------
    ValueError
        There is a directive that is not known here.
    """
    text = _MATH.sub(_displayed, "\n".join(lines) + "\n").strip("\n")
    text = re.sub(r"^\.\. \[(\w+)\]", r"[\1]", text, flags=re.MULTILINE).replace("]_", "]")
    if unknown := re.search(r"^ *\.\. .*", text, re.MULTILINE):
        raise ValueError(f"this cannot be turned into Markdown: {unknown[0]}")
    text = text.replace("``", "`")
    text = _ROLE.sub(lambda m: f"${m[2]}$" if m[1] == "math" else f"`{m[2]}`", text)
    text = "\n\n".join(_without_bullets(paragraph) for paragraph in text.split("\n\n"))
    parts = _KEPT.split(text)
    parts[::2] = [_SPECIAL.sub(_escaped, part) for part in parts[::2]]
    return "".join(parts)


def _escaped(found: re.Match[str]) -> str:
    return f"${found[0]}$" if found["tex"] else f"\\{found[0]}"


def _without_bullets(paragraph: str) -> str:
    if _BULLET.match(paragraph) or paragraph.lstrip().startswith("$$"):
        return paragraph
    return _BULLET.sub(lambda m: m[1] + re.sub(r"(?=\W$)", r"\\", m[2]), paragraph)


def _displayed(found: re.Match[str]) -> str:
    margin, first, more = found.groups()
    lines = [line.strip() for line in (first, *more.splitlines()) if line.strip()]
    if any(line.endswith(r"\\") for line in lines):  # as Sphinx does
        lines = [r"\begin{aligned}", *lines, r"\end{aligned}"]
    return "\n".join(margin + line for line in ("$$", *lines, "$$")) + "\n\n"


def paragraphs(lines: Iterable[str]) -> list[str]:
    """Return the paragraphs of a docstring's section."""
    return [text.strip("\n") for text in re.split(r"\n\s*\n", "\n".join(lines)) if text.strip()]


def first_sentence(text: str) -> str:
    """Return the first sentence, on one line and in Markdown, without its full stop."""
    return markdown([re.split(r"\.(?: (?=[A-Z])|$)|[:;] ", " ".join(text.split()))[0]])


def with_links(text: str) -> str:
    """Link what is on arXiv."""
    return _ARXIV.sub(r"[\g<0>](https://arxiv.org/abs/\1)", text)


# --------------------------------------------------------------------------------- pictures


def draw(name: str, cls: type[Detector]) -> None:
    """Run the example of a page, if it is one of images, and draw what it computed."""
    if "image" not in cls.kinds:
        return
    import matplotlib as mpl

    mpl.use("Agg")
    import matplotlib.pyplot as plt

    found = run(example_code(cls))
    residual = found.get("maps")
    rows = {"input": (found["new"], "gray", 255)}
    if "counterparts" in found:
        rows["counterpart"] = (found["counterparts"], "gray", 255)
    if residual is not None:
        rows["map"] = (residual, "magma", residual.max())
    figure, axes = plt.subplots(
        len(rows), 6, figsize=(7.2, 1.4 * len(rows)), squeeze=False, layout="constrained"
    )
    for line, (title, (tiles, colours, top)) in zip(axes, rows.items(), strict=True):
        for axis, tile in zip(line, tiles, strict=True):
            axis.imshow(tile, cmap=colours, vmin=0, vmax=top)
            axis.set(xticks=[], yticks=[])
        line[0].set_ylabel(title)
    for axis, kind, score, flag in zip(
        axes[0], found["what"], found["scores"], found["flags"], strict=True
    ):
        axis.set_title(kind, fontsize=10)
        axis.set_xlabel(f"{score:.4g}", color="red" if flag else "black")
    PICTURES.mkdir(parents=True, exist_ok=True)
    figure.savefig(PICTURES / f"{name}.png", dpi=80, metadata={"Software": None})
    plt.close(figure)


def run(code: str) -> dict[str, Any]:
    """Run a code block in a folder of its own and return its variables."""
    variables: dict[str, Any] = {}
    with tempfile.TemporaryDirectory() as folder, contextlib.chdir(folder):
        exec(compile(code, "example", "exec"), variables)
    return variables


if __name__ == "__main__":
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    main()
