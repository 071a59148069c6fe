"""Published numbers: whole, and marked where arithmetic contradicts them; the built-in specs."""

from importlib import resources
from pathlib import Path

import numpy as np
import pytest
import yaml
from sklearn.metrics import auc, precision_recall_curve

from oddgan import all_detectors, datasets
from oddgan.bench.reading import read_spec
from oddgan.evaluation import PROTOCOLS, from_dict
from oddgan.evaluation.metrics import METRICS
from oddgan.evaluation.published import (
    PROVENANCES,
    Published,
    auprc_is_possible,
    f1_is_possible,
    follows_fixed_rate,
    lowest_auprc,
    mean_is_possible,
    papers,
    published,
)

ALL = published()
RATE = ("precision_at_rate", "recall_at_rate", "f1_at_rate")


def record(values, metrics=RATE, **facts):
    """Give a record with four decimals."""
    fields = {"data": "kddcup99", "protocol": "kdd99", "cls": None, "decimals": 4, **facts}
    return Published(
        paper="egbad-2018",
        table="",
        method="",
        provenance="read",
        metrics=dict(zip(metrics, values, strict=True)),
        **fields,
    )


def test_every_record_is_whole():
    assert {r.paper for r in ALL} <= papers().keys()
    for paper, facts in papers().items():
        assert facts["cite"]
        # What has no numbers says why.
        assert facts.get("note") or published([paper]), paper
    for r in ALL:
        assert r.provenance in PROVENANCES, r
        assert (r.confidence is None) or r.confidence in ("high", "medium", "low"), r
        assert r.provenance != "recalled" or r.confidence, r
        assert r.provenance != "quoted" or r.via, r
        assert r.provenance != "impossible" or r.note, r
        assert r.metrics, r
        assert r.metrics.keys() <= METRICS.keys(), r
        assert r.sd.keys() <= r.metrics.keys(), r
        assert all(0 <= v <= 1 for v in (*r.metrics.values(), *r.sd.values())), r
        assert all(v == round(v, r.decimals) for v in r.metrics.values()), r
        one_class = (r.protocol or "").startswith("one-class")
        assert not one_class or (r.cls is None) == (r.over is not None), r
        assert r.protocol is None or r.protocol in PROTOCOLS, r


def test_what_was_copied_or_run_by_others_is_not_the_papers_own():
    assert not [r for r in ALL if r.own and "copied from" in r.note.lower()]
    others = {r.paper for r in ALL if not any(s.own for s in published([r.paper]))}
    assert {p for p in papers() if p.endswith(("-issues", "-reproduction"))} <= others
    assert not {"egbad-2018", "engan-2019", "alad-2018", "dagmm-2018"} & others
    assert {r.own for r in ALL if r.method == "EGBAD sigma"} == {True}


def test_parameters_are_those_of_the_protocol():
    for r in ALL:
        parameter = {"one-class-anomalous": "anomaly", "one-class-normal": "normal"}.get(r.protocol)
        of_class = {parameter: 0} if parameter else {}
        if r.params:  # from_dict refuses what the protocol does not have
            assert (
                r.params.items()
                <= from_dict({"name": r.protocol, **of_class, **r.params}).to_dict().items()
            )


def test_no_number_is_duplicated():
    keys = [(r.paper, r.table, r.data, r.cls, r.method, m) for r in ALL for m in r.metrics]
    assert len(keys) == len(set(keys))


def test_exactly_the_impossible_numbers_are_marked():
    checks = (f1_is_possible, auprc_is_possible, mean_is_possible)
    impossible = [r for r in ALL if not all(check(r) for check in checks)]
    assert impossible == [r for r in ALL if r.provenance == "impossible"]
    names = {(r.method, r.cls) for r in impossible}
    assert {("AnoGAN FM", None), ("VAE", 1), ("VAE", 7), ("VAE", 9)} <= names


def test_exactly_the_numbers_that_break_the_fixed_rate_are_noted():
    violations = [r for r in ALL if not follows_fixed_rate(r)]
    assert violations == [r for r in ALL if " % rule" in r.note]
    assert {"EGBAD FM", "EGBAD sigma", "OC-SVM"} <= {r.method for r in violations}


def test_f1_of_means_is_at_most_the_harmonic_mean():
    assert f1_is_possible(record([0.5, 0.75, 0.6]))
    assert f1_is_possible(record([0.5, 0.75, 0.55]))  # a mean over runs that differ
    assert f1_is_possible(record([0.7457, 0.8523, 0.7955]))  # .79546 before rounding
    assert not f1_is_possible(record([0.5, 0.75, 0.6002]))
    assert f1_is_possible(record([0.9], ["f1_at_rate"]))


def test_recall_over_precision_is_the_flagged_share_over_the_prevalence():
    # 20 % of 247,011 rows flagged, of which 45,000 are among the 48,629 anomalies.
    precision, recall = 45_000 / 49_403, 45_000 / 48_629
    rounded = [round(precision, 4), round(recall, 4), 0.9]
    assert follows_fixed_rate(record(rounded))
    # A quarter more, or less, of the rows.
    assert not follows_fixed_rate(record([precision / 1.25, recall, 0.9]))
    assert not follows_fixed_rate(record([precision, recall * 0.75, 0.9]))
    assert follows_fixed_rate(record([precision / 1.25, recall, 0.9], data="another"))


@pytest.mark.parametrize("prevalence", [0.1, 0.388, 0.9])
def test_lowest_auprc_is_that_of_the_worst_order(prevalence):
    n = 20_000
    y = np.arange(n) < prevalence * n
    precision, recall, _ = precision_recall_curve(y, np.arange(n))
    assert lowest_auprc(prevalence) == pytest.approx(auc(recall, precision), abs=1e-3)


def test_auprc_is_held_against_its_prevalence():
    assert not auprc_is_possible(record([0.2], ["auprc"], prevalence=0.388))
    assert auprc_is_possible(record([0.2256], ["auprc"], prevalence=0.388))
    assert auprc_is_possible(record([0.2], ["auprc"]))


@pytest.mark.parametrize(("data", "mean"), [("mnist", 0.913), ("cifar-10", 0.618)])
def test_anogan_means_are_those_of_their_classes(data, mean):
    rows = published(["deep-svdd-2018"], data=data, protocol="one-class-normal", metric="auroc")
    *classes, last = [r.metrics["auroc"] for r in rows]
    assert len(classes) == rows[-1].over == 10
    assert last == mean == round(float(np.mean(classes)), 3)


def test_selection():
    (sigma,) = (r for r in published(["egbad-2018"], "kddcup99") if r.method == "EGBAD sigma")
    assert sigma.metrics == {
        "precision_at_rate": 0.92,
        "recall_at_rate": 0.9582,
        "f1_at_rate": 0.9372,
    }
    assert sigma.sd["f1_at_rate"] == 0.044
    assert sigma.cite.startswith("Zenati")
    assert {r.cls for r in published(["egbad-2018"], "mnist", cls="5")} == {5}
    assert published(["egbad-2018"], "mnist", metric="auroc") == []
    assert {r.baseline for r in published(["dagmm-2018"]) if r.method == "OC-SVM"} == {"ocsvm"}
    with pytest.raises(ValueError, match="no published paper is called 'egbad'"):
        published(["egbad"])


# Built-in specs, without running anything.

SPECS = resources.files("oddgan.bench") / "specs"
NAMES = (
    "adbench",
    "contamination",
    "images/contamination",
    "images/fashion-normal",
    "images/magnetic-tile",
    "images/mnist-anomalous",
    "images/mnist-normal",
    "industrial",
    "oddgan-kdd99",
    "oddgan-tables",
    "paper/alad",
    "paper/anogan-one-class",
    "paper/dagmm",
    "paper/egbad-kdd",
    "paper/egbad-mnist",
    "paper/ganomaly",
    "paper/survey",
)


def sizes(name):
    """Give a spec's two sizes, read as plain YAML."""
    spec = yaml.safe_load((SPECS / f"{name}.yaml").read_text(encoding="utf-8"))
    quick = spec.pop("quick")
    return {"full": spec, "quick": {**spec, **quick}}


def cells(spec):
    """Give each method of a spec on each task that it is run on."""
    for task in spec["tasks"]:
        for method in spec["methods"]:
            if task["data"] in method.get("tasks", [task["data"]]):
                yield task, method


def published_names(method):
    """Give the published names of a method, by its score."""
    names = method.get("published", {})
    return {None: names} if isinstance(names, str) else names


@pytest.fixture(params=NAMES)
def spec(request):
    """Give the two sizes of every built-in spec."""
    return sizes(request.param)


def test_all_specs_are_tested():
    root = Path(str(SPECS))
    assert sorted(p.relative_to(root).with_suffix("").as_posix() for p in root.rglob("*.yaml")) == [
        *NAMES
    ]


@pytest.mark.parametrize("quick", [False, True])
@pytest.mark.parametrize("name", NAMES)
def test_a_spec_can_be_read(name, quick):
    # Reading builds every detector with its parameters and knows all other names.
    spec = read_spec(name, quick=quick)
    assert spec.about
    assert {task.data for task in spec.tasks} <= {info.name for info in datasets.available()}
    for method in spec.methods:
        assert set(method.faults or ()) <= set(spec.faults)
        assert set(method.tasks or ()) <= {task.data for task in spec.tasks}
    for cell in spec.cells():
        if cell.method.kind == "detector":
            settings = all_detectors()[cell.method.name](**cell.method.params)
            # 0 is the untrained control, and None leaves it to a recipe or to the epochs.
            assert not settings.max_steps or settings.min_steps <= settings.max_steps


@pytest.mark.parametrize("size", ["full", "quick"])
def test_published_numbers_of_a_spec_belong_to_its_tasks(spec, size):
    spec = spec[size]
    papers_of_spec = spec.get("published", [])
    assert set(papers_of_spec) <= papers().keys()
    assert papers_of_spec or not any(map(published_names, spec["methods"]))
    for method in spec["methods"]:
        scores = method.get("scores", all_detectors()[method["detector"]].scores)
        for score, name in published_names(method).items():
            assert score is None or score in scores
            matches = [
                record
                for task, class_of_task in cells(spec)
                if class_of_task is method
                for record in published(papers_of_spec, task["data"], task["protocol"]["name"])
                if record.method == name and record.metrics.keys() & set(spec["headline"])
            ]
            assert matches, name


def test_classes_of_published_numbers_are_those_of_the_specs():
    classes = {
        (t["data"], t["protocol"]["name"], c)
        for name in NAMES
        for t in sizes(name)["full"]["tasks"]
        for key in ("anomaly", "normal")
        for c in t["protocol"].get(key, [])
    }
    data = {d for d, _, _ in classes}
    missing = {
        (r.data, r.protocol, r.cls) for r in ALL if r.cls is not None and r.data in data
    } - classes
    assert not missing


def test_quick_is_smaller(spec):
    full, quick = spec["full"], spec["quick"]
    n = {size: len(list(cells(s))) * s["seeds"] for size, s in spec.items()}
    assert n["quick"] < n["full"]
    assert quick["seeds"] == 2
    assert quick.get("params") or all(task["params"] for task in quick["tasks"])
    assert {t["data"] for t in quick["tasks"]} <= {t["data"] for t in full["tasks"]}
