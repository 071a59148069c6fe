"""Which published numbers match an experiment's tasks, and what is known about each."""

from dataclasses import replace

import pytest

from oddgan.bench.describe import describe
from oddgan.bench.reading import read_spec
from oddgan.bench.spec import Method, Spec, Task

NAMES = ["airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck"]


def task(data, cls=None, **protocol):
    """Give a task; the class is the anomalous or the normal one."""
    key = {"one-class-anomalous": "anomaly", "one-class-normal": "normal"}.get(protocol["name"])
    values = {**protocol, **({key: cls} if key else {})}
    return Task(title=data if cls is None else f"{data} {cls}", data=data, protocol=values)


def records(tasks, paper, *, size="full", **method):
    """Return the published records for tasks on which one detector runs."""
    spec = Spec(
        name="small",
        title="Small",
        about="",
        size=size,
        headline=("auroc",),
        tasks=tuple(tasks),
        methods=(Method(title="Ours", kind="detector", name="egbad", **method),),
        seeds=(0,),
        published=(paper,),
    )
    cells = spec.cells()
    return describe(spec, cells, [None] * len(cells), ()).published


def one_class(data, classes, **protocol):
    return [task(data, c, name="one-class-normal", **protocol) for c in classes]


def test_a_record_has_all_that_is_known_about_it():
    matches = records([task("kddcup99", name="kdd99")], "egbad-2018", published={"": "EGBAD sigma"})
    ours = {r["metric"]: r for r in matches if r["row"] == "Ours"}
    assert ours.keys() == {"precision_at_rate", "recall_at_rate", "f1_at_rate"}
    f1 = ours["f1_at_rate"]
    assert (f1["task"], f1["data"], f1["value"], f1["sd"]) == (
        "kddcup99",
        "kddcup99",
        0.9372,
        0.044,
    )
    assert (f1["decimals"], f1["over"], f1["whole"], f1["own"]) == (4, None, False, True)
    assert (f1["provenance"], f1["via"]) == ("quoted", "issue 7 of the official repository")
    assert f1["source_note"].startswith("The released code trains on unscaled KDD99 columns")
    recalled = next(r for r in matches if r["method"] == "AnoGAN sigma")
    assert (recalled["row"], recalled["confidence"]) == (None, "medium")


@pytest.mark.parametrize("pooled", [True, False])
def test_only_the_papers_pooling_matches(pooled):
    # ALAD pools CIFAR-10's two parts, Deep SVDD's numbers are of the official ones.
    tasks = one_class("cifar-10", NAMES, pooled=pooled)
    assert bool(records(tasks, "alad-2018")) == pooled
    assert bool(records(tasks, "deep-svdd-2018")) == (not pooled)
    # What a protocol does unless told otherwise counts too.
    assert records(one_class("cifar-10", NAMES), "alad-2018") == ()


@pytest.mark.parametrize(("flag_rate", "n"), [(0.15, 10 * 3), (0.2, 0)])
def test_only_the_papers_flagged_share_matches(flag_rate, n):
    matches = records([task("arrhythmia", name="dagmm", flag_rate=flag_rate)], "dagmm-2018")
    assert len(matches) == n


def test_classes_match_by_number_and_by_name():
    by_name = records(one_class("cifar-10", ["cat", "truck"]), "deep-svdd-2018")
    by_number = records(one_class("cifar-10", [3, 9]), "deep-svdd-2018")
    expected = {"cat": 0.545, "truck": 0.665}
    assert {r["task"]: r["value"] for r in by_name if r["task"]} == {
        f"cifar-10 {name}": value for name, value in expected.items()
    }
    assert [r["value"] for r in by_number if r["task"]] == list(expected.values())
    digits = records(one_class("mnist", ["3"]), "deep-svdd-2018")
    assert [r["value"] for r in digits if r["task"]] == [0.887]


def test_a_mean_is_whole_if_the_tasks_are_its_classes_and_nothing_else():
    def means(tasks, **options):
        matches = records(tasks, "deep-svdd-2018", **options)
        return {(r["data"], r["over"]): r["whole"] for r in matches if r["task"] is None}

    digits, photographs = one_class("mnist", range(10)), one_class("cifar-10", NAMES)
    assert means(digits) == {("mnist", 10): True}
    assert means(digits, size="quick") == {("mnist", 10): True}
    assert means(digits[:2]) == {("mnist", 10): False}
    assert means([*digits, *photographs]) == {("mnist", 10): False, ("cifar-10", 10): False}
    # Ten tasks that are not ten classes.
    duplicate = replace(digits[0], title="mnist 0 again")
    assert means([*digits[:9], duplicate]) == {("mnist", 10): False}


def test_values_are_whole_if_the_tasks_are_the_classes_of_the_printed_table():
    def is_whole(classes):
        tasks = [task("mnist", c, name="one-class-anomalous") for c in classes]
        matches = records(tasks, "egbad-2018")
        return {r["whole"] for r in matches if r["method"] == "EGBAD sigma"}

    # EGBAD's figure was quoted for five digits.
    assert is_whole([1, 4, 5, 7, 9]) == {True}
    assert is_whole(range(10)) == {False}
    assert is_whole([1, 4]) == {False}


@pytest.mark.parametrize(
    "name",
    [
        "paper/alad",
        "paper/anogan-one-class",
        "paper/dagmm",
        "paper/egbad-kdd",
        "paper/egbad-mnist",
        "paper/ganomaly",
    ],
)
@pytest.mark.parametrize("quick", [False, True])
def test_every_name_that_a_built_in_spec_gives_finds_its_numbers(name, quick):
    spec = read_spec(name, quick=quick)
    numbers = describe(spec, [], [], ()).published
    names = {n for m in spec.methods for n in m.published.values()}
    assert names == {
        r["method"]
        for r in numbers
        if r["row"] in {m.row(s) for m in spec.methods for s in m.published}
    }


def test_the_same_data_under_another_protocol_have_other_numbers():
    assert records([task("mnist", 1, name="one-class-anomalous")], "egbad-2018")
    assert not records([task("mnist", 1, name="one-class-normal", pooled=True)], "egbad-2018")
