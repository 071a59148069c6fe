"""Specs are checked before anything runs; a task may be a user's own file."""

import numpy as np
import pandas as pd
import pytest
import yaml

from oddgan import bench
from oddgan.bench.cells import run_cell
from oddgan.bench.reading import builtin_specs, spec_from

TASK = {"data": "digits", "protocol": {"name": "one-class-anomalous", "anomaly": [0, 1]}}
METHOD = {"detector": "egbad"}
SPEC = {
    "title": "Digits",
    "headline": "auroc",
    "tasks": [TASK],
    "methods": [METHOD],
    "baselines": [],
    "published": ["egbad-2018"],
    "faults": ["leak"],
    "quick": {"seeds": 1},
}


def spec(changes=None, *, quick=False):
    return spec_from({**SPEC, **(changes or {})}, name="digits", quick=quick)


def task(**changes):
    return {"tasks": [{**TASK, **changes}]}


def method(**changes):
    return {"methods": [{**METHOD, **changes}]}


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"published": "egbad-2018"}, "published is a list of names, not 'egbad-2018'"),
        ({"published": ["egbad"]}, "no published paper is called 'egbad'; .*egbad-2018"),
        ({"headline": []}, r"headline is at least one metric of .*auroc.*, not \[\]"),
        ({"headline": {"auroc": 1}}, "headline is a list of names, not {'auroc': 1}"),
        ({"faults": "leak"}, "faults is a list of names, not 'leak'"),
        ({"baselines": "knn"}, "baselines is a list of names or all, not 'knn'"),
        ({"third_party": "ecod"}, "third_party is a list of names or all, not 'ecod'"),
        ({"peers": ["ecod"]}, "the key 'peers' is called 'third_party' now"),
        ({"quick": {"peers": "all"}}, "the key 'peers' is called 'third_party' now"),
        ({"third_party": ["luck"]}, "no third-party detector is called 'luck'; there are .*ecod"),
        ({"tasks": TASK}, "tasks is a list in which a task is a mapping, not {'data'"),
        ({"tasks": None}, "it has no tasks"),
        ({"params": "epochs"}, "params is a mapping, not 'epochs'"),
        ({"seeds": "3"}, "seeds are a number of at least 1 or a list .*, not '3'"),
        ({"seeds": ["0", "1"]}, r"seeds are .*, not \['0', '1'\]"),
        ({"seeds": [0, -1]}, "seeds are .*-1"),
        ({"seeds": [0, 0]}, "seeds are .*different numbers"),
        ({"seeds": True}, "seeds are .*, not True"),
        ({"limits": {"training": 10}}, "limits has no key 'training'; it may have test, train"),
        ({"limits": {"test": 0}}, "limits: test is a number of rows, at least 1, not 0"),
        (task(limits={"train": 1.5}), "limits: train is a number of rows, .* not 1.5"),
        (method(limits={"train": "many"}), "limits: train is a number of rows, .* not 'many'"),
        (method(limits=100), "limits is a mapping, not 100"),
        (task(data="digit"), "data 'digit' is neither a file .* the data sets are digits, mnist"),
        (task(protocol="kdd99"), "protocol is a mapping, not 'kdd99'"),
        (task(load="size"), "load is a mapping, not 'size'"),
        (method(tasks=["mnist"]), "the tasks of EGBAD name 'mnist'; possible: digits"),
        (method(tasks="digits"), "tasks is a list of names, not 'digits'"),
        (method(faults=["unscaled"]), "the faults of EGBAD name 'unscaled'; possible: leak"),
        (method(faults="leak"), "faults is a list of names, not 'leak'"),
        (method(scores="sigma"), "scores is a list of names, not 'sigma'"),
        (method(scores=[]), "scores of egbad are at least one of sigma"),
        (
            method(scores=["sigma"], published={"feature_matching": "EGBAD FM"}),
            "the published of EGBAD name 'feature_matching'; possible: sigma",
        ),
        (method(grid=["degree"]), "grid is a mapping"),
    ],
)
def test_a_wrong_value_is_named_with_its_key(changes, message):
    with pytest.raises(ValueError, match=message):
        spec(changes)


def test_all_and_empty_are_valid_values():
    assert {m.kind for m in spec({"baselines": "all"}).methods} == {"detector", "baseline"}
    nothing = dict.fromkeys(["baselines", "published", "faults", "params"])
    assert [m.kind for m in spec(nothing).methods] == ["detector"]
    assert spec({"seeds": [3, 1]}).seeds == (3, 1)


def test_methods_may_name_what_the_quick_size_leaves_out():
    both = [TASK, {"data": "adbench/pima", "protocol": {"name": "labelled"}}]
    methods = [
        {**METHOD, "tasks": ["adbench/pima"], "faults": ["unscaled"]},
        {**METHOD, "tasks": ["digits"], "faults": ["leak"]},
    ]
    small = {"quick": {"tasks": [TASK], "faults": ["leak"]}}
    changes = {"tasks": both, "methods": methods, "faults": ["leak", "unscaled"], **small}
    assert len(spec(changes).cells()) == 3
    assert {c.task.data for c in spec(changes, quick=True).cells(["leak"])} == {"digits"}


# --------------------------------------------------------------------------- the built-in ones


@pytest.mark.parametrize("name", builtin_specs())
def test_the_quick_size_says_that_it_is_small(name):
    full, quick = (bench.read_spec(name, quick=size) for size in (False, True))
    assert quick.about.startswith("A small version: ") or "A small version of" in quick.about
    assert "small version" not in full.about
    for most in {n for c in quick.cells() for n in c.definition()["task"]["limits"].values()}:
        assert f"{most:,}" in quick.about


@pytest.mark.parametrize("quick", [False, True])
@pytest.mark.parametrize("name", builtin_specs())
def test_only_columns_of_tables_can_be_unscaled(name, quick):
    chosen = bench.read_spec(name, quick=quick)
    unscaled = [c for c in chosen.cells(chosen.faults) if "unscaled" in c.faults]
    assert {c.task.data for c in unscaled} <= {"kddcup99", "arrhythmia"}
    assert bool(unscaled) == (name in ("paper/alad", "paper/egbad-kdd"))


def test_each_seed_draws_other_normal_rows_and_other_contaminating_ones():
    cells = bench.read_spec("contamination").cells()
    splits = [c.task.protocol for c in cells if c.task.title == "cardio 0.05"]
    assert {(p["rate"], p["seed"], p["base"]["seed"]) for p in splits} == {
        (0.05, seed, seed) for seed in range(5)
    }


def test_a_title_means_one_row_on_all_data():
    chosen = bench.read_spec("paper/alad")
    data = {c.task.data for c in chosen.cells() if c.method.title == "ALAD (defaults)"}
    assert data == {"kddcup99", "arrhythmia", "cifar-10"}


# --------------------------------------------------------------------------- a user's own file


@pytest.fixture
def machines(tmp_path, monkeypatch):
    """The current folder, with 200 machines in a CSV file, 20 of which are broken."""
    rng = np.random.default_rng(0)
    broken = np.arange(200) % 10 == 0
    frame = pd.DataFrame(rng.normal(size=(200, 3)), columns=["heat", "speed", "noise"])
    frame["noise"] = frame["heat"] + 0.1 * frame["noise"] + 3 * broken
    frame["state"] = np.where(broken, "broken", "fine")
    (tmp_path / "data").mkdir()
    frame.to_csv(tmp_path / "data" / "machines.csv", index=False)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def machines_task(**load):
    """Return the changes that turn a spec into one for the machines."""
    task = {
        "data": "data/machines.csv",
        "protocol": {"name": "labelled", "anomaly": "broken"},
        "load": load,
    }
    return {"tasks": [task], **method(detector="pcareconstruction")}


def test_a_users_own_file_is_a_task(machines):
    (machines / "mine.yaml").write_text(yaml.safe_dump({**SPEC, **machines_task(label="state")}))
    (cell,) = bench.read_spec("mine.yaml").cells()
    result, scores = run_cell(cell.definition())
    assert (result["statement"]["n_train"], result["statement"]["n_test"]) == (126, 74)
    (row,) = result["rows"]
    # The broken ones are off the line that heat and noise are on.
    assert row["metrics"]["auroc"] > 0.95
    assert [len(values) for values in scores.values()] == [74]


def test_other_content_is_another_cell(machines):
    (before,) = spec(machines_task(label="state")).cells()
    path = machines / "data" / "machines.csv"
    path.write_text(path.read_text() + "0,0,0,fine\n")
    (after,) = spec(machines_task(label="state")).cells()
    assert after.key != before.key
    assert run_cell(after.definition())[0]["statement"]["n_test"] == 75
    with pytest.raises(ValueError, match=r"machines\.csv has changed since"):
        run_cell(before.definition())


@pytest.mark.parametrize(
    ("load", "message"),
    [
        ({}, "data/machines.csv: name the column with the labels by load: {label: ...}"),
        ({"label": "status"}, "no column 'status' to use as label; the columns are .*state"),
        ({"label": "state", "size": 64}, "load of data/machines.csv has no key 'size'"),
    ],
)
def test_a_file_needs_a_label_that_it_has(machines, load, message):
    with pytest.raises(ValueError, match=message):
        spec(machines_task(**load))


def test_a_data_set_by_name_goes_before_a_folder_of_that_name(machines):
    (machines / "digits").mkdir()
    assert all(t.load == {} for t in spec().tasks)
