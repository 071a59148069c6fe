"""Protocols: properties of all of them, the papers' counts, and their descriptions."""

import dataclasses
import json

import numpy as np
import pandas as pd
import pytest

from oddgan import datasets
from oddgan.datasets import Dataset, _magnetic_tile
from oddgan.evaluation import Metrics
from oddgan.evaluation.protocols import (
    KDD99,
    PROTOCOLS,
    Contaminated,
    DefectFree,
    Labelled,
    OneClassAnomalous,
    OneClassNormal,
    RandomHalf,
    default_protocol,
    from_dict,
)

pytestmark = pytest.mark.usefixtures("global_random_state_untouched")


@pytest.fixture(scope="module")
def real():
    """Give a function that loads a real data set, or skips."""

    def load(name):
        if not next(i.present for i in datasets.available() if i.name == name):
            pytest.skip(f"the files of {name} are not in the data home {datasets.data_home()}")
        return datasets.load(name, progress=False)

    return load


@pytest.fixture(scope="module")
def kdd(real):
    return real("kddcup99")


def images(official=True):
    """100 images of classes 0 to 4; every fifth row is in the official test part."""
    rng = np.random.default_rng(0)
    train = np.arange(100) % 5 != 0 if official else None
    X = rng.integers(0, 256, (100, 4, 4), dtype=np.uint8)
    return Dataset("toy", "image", X, rng.permutation(100) % 5, train, "")


def table(n=200, **columns):
    """Give a table labelled 0 and 1, with 20 anomalies far off in column a."""
    rng = np.random.default_rng(1)
    y = (np.arange(n) % (n // 20) == 0).astype(int)
    X = pd.DataFrame({"a": rng.normal(size=n) + 8 * y, "b": rng.normal(size=n), **columns})
    return Dataset("mine", "table", X, y, None, "")


def tiles():
    """20 parts of 3 images each in mixed order; the first image of 5 parts has a defect."""
    groups = np.random.default_rng(2).permutation(np.repeat(np.arange(20), 3))
    first = np.isin(np.arange(60), np.unique(groups, return_index=True)[1])
    y = np.where(first & (groups < 5), "crack", "free")
    X = np.zeros((60, 4, 4), np.uint8)
    return Dataset("tiles", "image", X, y, None, "", masks=X > 0, groups=groups)


EXAMPLES = [
    (OneClassAnomalous(3), images()),
    (OneClassAnomalous(3, pooled=False), images()),
    (OneClassNormal(3), images()),
    (OneClassNormal(3), images(official=False)),
    (OneClassNormal(3, pooled=True), images()),
    (Labelled(), table()),
    (Labelled(tested_anomalies="drawn"), table()),
    (RandomHalf(0.15), table()),
    (DefectFree(), tiles()),
    (Contaminated(Labelled(), 0.05), table()),
    (Contaminated(OneClassNormal(3), 0.2), images()),
    (Contaminated(DefectFree(), 0.05), tiles()),
    (
        KDD99(),
        Dataset("kddcup99", "table", table().X, np.array(["normal.", "smurf."] * 100), None, ""),
    ),
]


@pytest.mark.parametrize(("protocol", "data"), EXAMPLES)
def test_every_protocol_splits_cleanly(protocol, data):
    split = protocol.split(data)
    assert not set(split.train) & set(split.test)
    assert len(split.train) > 0
    assert set(split.y_test) == {0, 1}
    assert split.y_test.shape == split.test.shape
    for rows in (split.train, split.test):
        assert (np.diff(rows) > 0).all()
    # What trains has only classes that are normal in the test, except what contaminates it.
    anomalous_classes = set(data.y[split.test][split.y_test == 1])
    clean = np.setdiff1d(split.train, split.contaminating)
    assert not anomalous_classes & set(data.y[clean])
    assert set(data.y[split.contaminating]) <= anomalous_classes
    assert len(split.train) - len(clean) == len(split.contaminating)
    assert (len(split.contaminating) > 0) == isinstance(protocol, Contaminated)
    if isinstance(protocol, DefectFree | Contaminated) and data.groups is not None:
        assert not set(data.groups[split.train]) & set(data.groups[split.test])
    assert protocol.metric in Metrics.__dataclass_fields__
    for clause in (split.anomalous, split.training, split.testing):
        assert clause in split.description
        assert not clause.endswith(".")
    again = from_dict(json.loads(json.dumps(protocol.to_dict())))
    assert again == protocol
    np.testing.assert_array_equal(again.split(data).train, split.train)
    np.testing.assert_array_equal(again.split(data).test, split.test)


def test_every_protocol_has_an_example():
    assert {type(protocol) for protocol, _ in EXAMPLES} == set(PROTOCOLS.values())


@pytest.mark.parametrize(
    ("build", "data"),
    [
        (lambda seed: OneClassAnomalous(3, seed=seed), images()),
        (lambda seed: OneClassNormal(3, seed=seed), images(official=False)),
        (lambda seed: OneClassNormal(3, pooled=True, seed=seed), images()),
        (lambda seed: Labelled(seed=seed), table()),
        (lambda seed: Labelled(tested_anomalies="drawn", seed=seed), table()),
        (lambda seed: RandomHalf(0.15, seed=seed), table()),
        (lambda seed: DefectFree(seed=seed), tiles()),
        (lambda seed: Contaminated(Labelled(), 0.05, seed=seed), table()),
        (lambda seed: KDD99(seed=seed), EXAMPLES[-1][1]),
    ],
)
def test_another_seed_is_another_split(build, data):
    first, other = build(1).split(data), build(2).split(data)
    assert set(first.train) != set(other.train)


def test_pooled_counts():
    split = OneClassAnomalous(3).split(images())
    # 80 normal rows: 64 train, 16 test with the 20 anomalous ones.
    assert (len(split.train), len(split.test), split.y_test.sum()) == (64, 36, 20)


def test_official_split_keeps_its_parts():
    data = images()
    split = OneClassAnomalous(3, pooled=False).split(data)
    assert data.train[split.train].all()
    np.testing.assert_array_equal(split.test, np.flatnonzero(~data.train))
    np.testing.assert_array_equal(split.y_test, data.y[split.test] == 3)
    with pytest.raises(ValueError, match="toy has no official split"):
        OneClassAnomalous(3, pooled=False).split(images(official=False))


def test_one_class_normal_counts():
    data = images()
    split = OneClassNormal(3).split(data)
    np.testing.assert_array_equal(split.train, np.flatnonzero(data.train & (data.y == 3)))
    np.testing.assert_array_equal(split.y_test, data.y[split.test] != 3)
    pooled = OneClassNormal(3, pooled=True).split(data)
    for split in (pooled, OneClassNormal(3).split(images(official=False))):
        assert (len(split.train), len(split.test), split.y_test.sum()) == (16, 84, 80)


def test_labelled_counts():
    split = Labelled().split(table())
    assert (len(split.train), len(split.test), split.y_test.sum()) == (126, 74, 20)
    # A stratified 30 % of all 200 rows: 54 normal and 6 anomalous ones.
    split = Labelled(tested_anomalies="drawn").split(table())
    assert (len(split.train), len(split.test), split.y_test.sum()) == (126, 60, 6)


def test_a_random_half_tests_whole():
    data = table()
    split = RandomHalf(0.15).split(data)
    # Anomalies of the half that trains are in neither part.
    assert len(split.test) == 100
    assert len(split.train) == 100 - (20 - split.y_test.sum())
    assert split.flag_rate == 0.15
    assert "15 % of it is flagged" in split.description


def test_parts_stay_on_one_side():
    data = tiles()
    split = DefectFree(test_fraction=0.2).split(data)
    parts = set(data.groups[split.test])
    # The 5 with a defect and 3 of the 15 without, all with their 3 images.
    assert parts > set(range(5))
    assert (len(parts), len(split.test), split.y_test.sum()) == (8, 24, 5)
    assert len(split.train) == 36
    with pytest.raises(ValueError, match="toy does not say which images show the same part"):
        DefectFree("0").split(images())


def test_contamination_is_as_asked():
    data = table()
    base = Labelled().split(data)
    # 126 normal rows and 14 anomalies are 10 % anomalies.
    split = Contaminated(Labelled(), 0.1).split(data)
    assert (len(split.train), len(split.contaminating)) == (140, 14)
    assert data.y[split.train].mean() == 0.1
    np.testing.assert_array_equal(np.setdiff1d(split.train, split.contaminating), base.train)
    np.testing.assert_array_equal(split.test, np.setdiff1d(base.test, split.contaminating))
    np.testing.assert_array_equal(split.y_test, data.y[split.test])
    assert "14 anomalies of the test part, 10 % of the training rows" in split.training
    less = Contaminated(Labelled(), 0.05).split(data).contaminating
    assert set(less) < set(split.contaminating)
    assert len(less) == 7
    np.testing.assert_array_equal(Contaminated(Labelled(), 0.0).split(data).test, base.test)


def test_contamination_takes_whole_parts():
    data = tiles()
    split = Contaminated(DefectFree(), 0.05).split(data)
    # 2 of 38 rows: two defective images train, the 4 free images of their parts are left out.
    assert (len(split.train), len(split.test), split.y_test.sum()) == (38, 18, 3)
    assert not set(data.groups[split.train]) & set(data.groups[split.test])


def test_contamination_with_too_few_anomalies_is_refused():
    data = table()
    with pytest.raises(ValueError, match=r"20 of the 20 anomalies .* 0 anomalous and 54 normal"):
        Contaminated(Labelled(), 20 / 146).split(data)
    with pytest.raises(ValueError, match=r"126 normal training rows is 126 anomalies; .* the 20"):
        Contaminated(Labelled(), 0.5).split(data)
    with pytest.raises(ValueError, match="is 0 anomalies; it must be at least 1"):
        Contaminated(Labelled(), 0.001).split(data)


def test_contamination_takes_its_base_as_an_object_or_a_mapping():
    protocol = Contaminated(KDD99(), 0.1)
    assert Contaminated({"name": "kdd99"}, 0.1) == protocol
    assert protocol.metric == KDD99.metric == "f1_at_rate"
    for base in (protocol, "kdd99"):
        with pytest.raises(ValueError, match=r"protocol contaminated: base is .*, not another"):
            Contaminated(base, 0.1)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"name": "dagmm", "flag_rate": 0}, "flag_rate is 0; it must be above 0"),
        ({"name": "dagmm", "flag_rate": 15}, "flag_rate is 15"),
        ({"name": "labelled", "tested_anomalies": "half"}, "'half'; it must be 'all' or 'drawn'"),
        ({"name": "contaminated", "base": {"name": "kdd99"}, "rate": 1}, r"rate is 1; .*\[0, 1\)"),
        ({"name": "contaminated", "base": {"name": "kdd"}, "rate": 0}, "'kdd'; there are"),
    ],
)
def test_a_parameter_out_of_range_is_named(values, message):
    with pytest.raises(ValueError, match=message):
        from_dict(values)


# What a split says, and fewer of its rows.


def test_a_statement_says_what_the_split_is():
    protocol = Labelled()
    split = protocol.split(table())
    assert json.loads(json.dumps(split.statement(protocol))) == {
        "anomalous": "rows labelled 1 are anomalous",
        "training": "70 % of the normal rows train",
        "testing": "all other rows test",
        "n_train": 126,
        "n_test": 74,
        "prevalence": 20 / 74,
        "metric": "auroc",
    }


def test_limits_keep_the_share_of_anomalies():
    data = table()
    full = Contaminated(Labelled(), 0.1).split(data)
    split = full.limited(train=50, test=20, seed=3)
    assert (len(split.train), len(split.contaminating), len(split.test)) == (50, 5, 20)
    assert set(split.train) < set(full.train)
    assert set(split.test) < set(full.test)
    assert set(split.contaminating) == set(split.train) & set(full.contaminating)
    # 6 anomalies among 60 rows.
    assert split.y_test.sum() == 2
    np.testing.assert_array_equal(split.y_test, data.y[split.test])
    assert (np.diff(split.test) > 0).all()
    assert split.training == f"{full.training} (50 of 140 training rows, drawn by seed 3)"
    assert split.testing == f"{full.testing} (20 of 60 test rows, drawn by seed 3)"
    assert set(full.limited(test=20, seed=4).test) != set(split.test)
    np.testing.assert_array_equal(full.limited(50, 20, 3).test, split.test)


def test_limits_keep_both_kinds_and_leave_small_parts():
    full = Labelled().split(table())
    few = full.limited(test=2)
    assert sorted(few.y_test) == [0, 1]
    np.testing.assert_array_equal(few.train, full.train)
    assert few.training == full.training
    assert full.limited(126, 74).description == full.description
    with pytest.raises(ValueError, match="1 test rows is too low: it must be at least 2"):
        full.limited(test=1)
    with pytest.raises(ValueError, match="0 training rows is too low: it must be at least 1"):
        full.limited(train=0)


def test_an_empty_part_is_refused():
    data = Dataset("one", "image", np.zeros((4, 2, 2)), np.array([0, 0, 0, 0]), None, "")
    with pytest.raises(ValueError, match="0 rows to train on"):
        OneClassAnomalous(0).split(data)
    with pytest.raises(ValueError, match="0 anomalous rows to test on"):
        OneClassNormal(0).split(data)
    with pytest.raises(ValueError, match="0 normal and 20 anomalous"):
        Labelled(train_fraction=1.0).split(table())
    with pytest.raises(ValueError, match=r"labelled: 1.0 of 200 rows with 20 anomalies cannot"):
        Labelled(train_fraction=1.0, tested_anomalies="drawn").split(table())


def test_default_protocols():
    assert default_protocol(EXAMPLES[-1][1], seed=7) == KDD99()
    assert default_protocol(images(), anomaly=3, seed=7) == OneClassAnomalous(3, seed=7)
    assert default_protocol(images(), normal="3", seed=7) == OneClassNormal("3", seed=7)
    assert default_protocol(table(), seed=7) == Labelled(seed=7)
    assert default_protocol(EXAMPLES[-1][1], anomaly="smurf.") == Labelled("smurf.")
    assert default_protocol(tiles(), normal="free", seed=7) == DefectFree("free", seed=7)
    arrhythmia, tile = (
        dataclasses.replace(data, name=name)
        for data, name in ((table(), "arrhythmia"), (tiles(), "magnetic-tile"))
    )
    assert default_protocol(arrhythmia, seed=7) == RandomHalf(0.15, seed=7)
    assert default_protocol(tile, seed=7) == DefectFree(seed=7)
    with pytest.raises(ValueError, match="not both"):
        default_protocol(images(), anomaly=1, normal=2)
    with pytest.raises(ValueError, match=r"toy does not say what is anomalous.*0, 1, 2, 3, 4"):
        default_protocol(images())
    for side in ("anomaly", "normal"):
        with pytest.raises(ValueError, match="toy has no class 'cat'; its classes are 0, 1, 2"):
            default_protocol(images(), **{side: "cat"})


def test_from_dict_names_what_is_wrong():
    with pytest.raises(ValueError, match="'kdd'; there are one-class-anomalous, one-class-normal"):
        from_dict({"name": "kdd"})
    with pytest.raises(ValueError, match=r"protocol kdd99: .*'speed'"):
        from_dict({"name": "kdd99", "speed": 1})
    with pytest.raises(ValueError, match=r"protocol one-class-normal: .*'normal'"):
        from_dict({"name": "one-class-normal"})


@pytest.mark.realdata
def test_kdd_protocol_has_the_papers_counts(kdd):
    split = KDD99().split(kdd)
    assert len(split.train) == 198_361
    assert len(split.test) == 247_011
    assert (split.y_test == 0).sum() == 198_382
    assert split.y_test.sum() == 48_629
    assert split.flag_rate == 0.2
    assert not kdd.is_class("normal.")[split.train].any()
    assert not set(split.train) & set(split.test)


@pytest.mark.realdata
def test_mnist_protocol_has_the_papers_prevalence(real):
    mnist = real("mnist")
    for digit, prevalence in ((1, 0.388), (4, 0.351), (5, 0.331), (7, 0.368), (9, 0.356)):
        split = OneClassAnomalous(digit).split(mnist)
        assert split.y_test.mean() == pytest.approx(prevalence, abs=5e-4)
        assert len(split.train) == int((mnist.y != digit).sum() * 0.8)


@pytest.mark.realdata
def test_limits_of_kdd_say_what_was_drawn(kdd):
    split = KDD99().split(kdd).limited(train=10_000, test=5_000)
    assert "10,000 of 198,361 training rows, drawn by seed 0" in split.training
    assert "5,000 of 247,011 test rows, drawn by seed 0" in split.testing
    # 48,629 of 247,011 test rows are anomalies.
    assert split.y_test.sum() == 984


@pytest.mark.realdata
def test_thyroid_halves(real):
    thyroid = real("adbench/thyroid")
    split = RandomHalf(0.025).split(thyroid)
    n_anomalies = int(split.y_test.sum())
    # 3,772 rows with 93 anomalies: the half that trains loses those of its own.
    assert len(split.test) == 1_886
    assert len(split.train) == 1_886 - (93 - n_anomalies)
    assert 30 < n_anomalies < 63
    assert default_protocol(thyroid) == Labelled()


@pytest.mark.realdata
def test_no_tile_is_on_both_sides(real, monkeypatch):
    blank = np.zeros((2, 2), np.uint8), np.zeros((2, 2), bool)
    monkeypatch.setattr(_magnetic_tile, "read_tile", lambda *_: blank)  # pixels do not matter here
    tile = real("magnetic-tile")
    split = default_protocol(tile).split(tile)
    assert not set(tile.groups[split.train]) & set(tile.groups[split.test])
    assert (tile.y[split.train] == "free").all()
    assert split.y_test.sum() == 392
    # Every image is in one of the parts.
    assert len(split.train) + len(split.test) == 1_344
