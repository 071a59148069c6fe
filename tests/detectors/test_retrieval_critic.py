"""The retrieval critic: its features, corruptions and critics by hand, and what it answers."""

import numpy as np
import pandas as pd
import pytest
import torch
from scipy.spatial.distance import cdist
from scipy.special import ndtri
from sklearn.metrics import roc_auc_score

from oddgan import RetrievalCritic
from oddgan.networks import Columns, CorruptionPool, MonotoneCritics, Neighbourhood, condition_on
from oddgan.networks.retrieval.corruption import corrupt
from oddgan.networks.retrieval.neighbourhood import NEIGHBOURS, RATIOS
from support.data import Known, fitted, make_table, quick


def neighbourhood(rows, blocks, context=None, scaled=True):
    """Return references of all `rows`, kept in their order."""
    rows = torch.as_tensor(rows, dtype=torch.float32)
    condition_dim = 0 if context is None else context.shape[1]
    found = Neighbourhood(Columns(blocks), condition_dim, 1000, scaled=scaled)
    found.draw(torch.Generator())
    with condition_on(context):
        found.fill([(rows, torch.linspace(0, 0.9, len(rows)))])
    return found


@pytest.fixture
def rows():
    return np.random.default_rng(0).normal(size=(60, 3)).astype(np.float32)


def ranks(x, rows):
    middle = ((rows[None] < x[:, None]).sum(1) + (rows[None] <= x[:, None]).sum(1) + 1) / 2
    outside = np.maximum(x - rows.max(0), 0) - np.maximum(rows.min(0) - x, 0)
    return ndtri(middle / (len(rows) + 1)) + outside / rows.std(0)


# ------------------------------------------------------------------------------------- features


@pytest.mark.parametrize("left_out", [False, True])
def test_the_features_of_neighbours_are_those_computed_by_hand(rows, left_out):
    x = rows[:7] + (0 if left_out else 0.3)
    x[6, 0] += 0 if left_out else 9  # far outside the range
    own = torch.arange(7) if left_out else None
    found = neighbourhood(rows, [("gaussian", 3)])
    expected = []
    r, s = rows.astype(float), ranks(rows, rows)
    for a, b in (
        (x, r),
        (ranks(x, rows), s),
        (np.hstack([x, ranks(x, rows)]) / 2**0.5, np.hstack([r, s]) / 2**0.5),
    ):
        theirs = np.sort(cdist(b, b), axis=1)[:, 1:]  # without their own row
        floor = 0.01 * theirs[:, :5].mean() + 1e-9
        distances = cdist(a, b)
        if left_out:
            distances[np.arange(7), np.arange(7)] = np.inf
        order = distances.argsort(1)
        near = np.take_along_axis(distances, order, 1)
        expected += [np.log(near[:, k - 1] + floor) for k in NEIGHBOURS]
        for k in RATIOS:
            mean = theirs[:, k - 1][order[:, :k]].mean(1)
            expected.append(np.log(near[:, :k].mean(1) + floor) - np.log(mean + floor))
    standardised, nearest = found(torch.as_tensor(x, dtype=torch.float32), leave_out=own)
    features = standardised * found.scale[1] + found.scale[0]
    np.testing.assert_allclose(features[:, :27], np.transpose(expected), rtol=1e-3, atol=1e-3)
    np.testing.assert_array_equal(nearest, order[:, :20])


def test_the_rarity_of_columns_is_that_computed_by_hand(rows):
    rows[:, 2] = rows[:, 2] > 1
    found = neighbourhood(rows, [("gaussian", 2), ("bernoulli", 1)])
    x = np.array([[0.2, -0.1, 1.0], [9.0, 0.3, 0.0]], dtype=np.float32)
    n = len(rows)
    by_column = []
    for j in range(2):
        quartiles = np.sort(rows[:, j])[[round(q * (n - 1)) for q in (0.25, 0.5, 0.75)]]
        sd = rows[:, j].std()
        width = 3**0.5 * 0.9 * min(sd, (quartiles[2] - quartiles[0]) / 1.349) * n**-0.2
        near = (abs(x[:, j, None] - rows[:, j]) <= width).sum(1)
        cauchy = 0.212 / (1 + ((x[:, j] - quartiles[1]) / sd) ** 2 / 9)
        by_column.append(-np.log((near * sd / (2 * width) + cauchy) / (n + 2)))
    by_column.append(-np.log(((rows[:, 2] == x[:, 2:]).sum(1) + 1) / (n + 2)))
    standardised, _ = found(torch.from_numpy(x))
    features = standardised * found.scale[1] + found.scale[0]
    np.testing.assert_allclose(features[:, 27], np.sum(by_column, 0), rtol=1e-3)
    np.testing.assert_allclose(features[:, 28], np.max(by_column, 0), rtol=1e-3)


def test_the_rarity_of_a_reference_does_not_count_itself():
    """Two values five times each and one that is unique: 4 or 0 others of 10."""
    x = torch.tensor([0.0] * 5 + [1.0] * 5 + [9.0])[:, None]
    found = neighbourhood(x, [("bernoulli", 1)])
    features = found.of_references() * found.scale[1] + found.scale[0]
    expected = [-np.log((others + 1) / 12) for others in [4] * 10 + [0]]
    np.testing.assert_allclose(features[:, 27], expected, rtol=1e-4)


def test_features_of_references_are_standardised_and_leave_the_own_row_out(rows):
    found = neighbourhood(np.repeat(rows, 2, axis=0), [("gaussian", 3)])  # each has a copy
    features = found.of_references()
    np.testing.assert_allclose(features.mean(0), 0, atol=1e-4)
    first = features * found.scale[1] + found.scale[0]
    np.testing.assert_allclose(first[:, 0], found.floor[0].log(), rtol=1e-4)  # the copy, at 0
    assert (first[:, 1] > found.floor[0].log() + 1).all()


def test_the_core_and_the_distance_from_it_are_those_computed_by_hand(rows):
    """51 of 60 rows, by the distance to the 12th nearest; then that to the 5th of the core."""
    found = neighbourhood(rows, [("gaussian", 3)])
    both = np.hstack([rows, ranks(rows, rows)])
    reach = np.sort(cdist(both, both), axis=1)[:, 12]  # the first is the row itself
    core = rows[np.sort(reach.argsort()[:51])].astype(float)
    np.testing.assert_allclose(found.references[found.core.kept[:60]], core)
    x = np.concatenate([rows[:4], 3 * rows[4:8]])
    far = np.log(np.sort(cdist(x, core), axis=1)[:, 4] + float(found.floor[0]))
    expected = (far - float(found.scale[0, 3])) / float(found.scale[1, 3])
    np.testing.assert_allclose(found.from_core(torch.from_numpy(x)), expected, rtol=1e-3)


def test_with_a_context_all_references_are_the_core(rows):
    """A rare context would else have no row in it, and all of its samples be odd."""
    context = torch.eye(2)[(torch.arange(60) < 5).long()]
    found = neighbourhood(rows, [("gaussian", 3)], context)
    assert found.core.kept.sum() == 60


def test_anomalies_that_lie_together_in_training_are_told_by_the_core():
    rng = np.random.default_rng(0)
    normal, odd = rng.normal(size=(500, 3)), 4 + 0.2 * rng.normal(size=(60, 3))
    detector = quick(RetrievalCritic).fit(np.concatenate([normal[:300], odd[:30]]))
    x, y = np.concatenate([normal[300:], odd[30:]]), np.arange(230) >= 200
    reached = {
        score: roc_auc_score(y, detector.set_params(score_name=score).anomaly_score(x))
        for score in ("critic_and_distance", "guarded")
    }
    assert reached["critic_and_distance"] < 0.5
    assert reached["guarded"] > 0.9


def test_a_category_of_two_is_a_boolean_seen_from_both_sides(rows):
    member = (rows[:, :1] > 0.4).astype(np.float32)
    boolean = neighbourhood(np.hstack([member, rows[:, 1:]]), [("bernoulli", 1), ("gaussian", 2)])
    category = neighbourhood(
        np.hstack([member, 1 - member, rows[:, 1:]]), [("categorical", 2), ("gaussian", 2)]
    )
    torch.testing.assert_close(category.of_references(), boolean.of_references())


def test_a_category_weighs_as_a_standardised_number_does():
    slots = np.eye(4, dtype=np.float32)[np.random.default_rng(0).integers(4, size=4000)]
    factor = Columns([("categorical", 4)]).factors(torch.from_numpy(slots))
    scaled = slots * factor.numpy()
    apart = ((scaled - scaled[np.random.default_rng(1).permutation(4000)]) ** 2).sum(1)
    assert apart.mean() == pytest.approx(2, rel=0.05)


def test_references_are_the_rows_with_the_least_keys_of_all_chunks():
    rows = torch.arange(3000.0)[:, None]
    keys = torch.rand(3000, generator=torch.Generator().manual_seed(0))
    found = Neighbourhood(Columns([("gaussian", 1)]), 0, 1000, scaled=True)
    found.draw(torch.Generator())
    found.fill(zip(rows.split(700), keys.split(700), strict=True))
    assert torch.equal(found.references, rows[keys.argsort()[:1000]])
    wide = Neighbourhood(Columns([("gaussian", 1000)]), 0, 10_000, scaled=True)
    assert wide.rows.shape == (2000, 1000)


def test_references_are_drawn_from_the_training_rows(table):
    detector = quick(RetrievalCritic, n_references=50).fit(table)
    kept = detector.networks_["references"].references
    encoded = detector.codec_.encode(table)
    place = [int((encoded == row).all(1).nonzero()) for row in kept]
    assert len(set(place)) == 50
    assert place != sorted(place)


# ------------------------------------------------------------------------------- corrupted rows


def test_corrupted_rows_are_made_of_real_values_and_grow_odder_with_the_scale(rows):
    slots = np.eye(3, dtype=np.float32)[np.random.default_rng(0).integers(3, size=60)]
    found = neighbourhood(np.hstack([rows, slots]), [("gaussian", 3), ("categorical", 3)])
    y, own, scale = corrupt(found, 3000, torch.Generator().manual_seed(0))
    assert (y[:, 3:].sum(1) == 1).all()  # a category changes as a whole
    assert set(y[:, 3:].unique().tolist()) == {0.0, 1.0}
    for j in range(3):
        inside = (y[:, j] >= rows[:, j].min()) & (y[:, j] <= rows[:, j].max())
        assert np.isin(y[inside, j], rows[:, j]).all()
        assert (~inside).any()
    moved = (y - found.rows[own]).abs()
    small, large = moved[scale < 0.2].mean(0), moved[scale > 0.8].mean(0)
    assert (large > 1.5 * small).all()
    unchanged = (moved[:, :3] == 0).float().mean(0)  # the subsets of columns
    assert ((unchanged > 0.1) & (unchanged < 0.5)).all()


def test_a_bank_is_repeated_from_its_seed_and_offers_candidates_of_about_the_same_scale(rows):
    found = neighbourhood(rows, [("gaussian", 3)])
    bank = CorruptionPool()
    bank.noise.generator = torch.Generator().manual_seed(3)
    bank.begin()
    normal, corrupted, candidates, scales = bank(found, 500)
    assert normal.shape == corrupted.shape == (500, 29)
    assert candidates.shape == (500, 4, 29)
    assert (scales[:, 1:].max(1).values - scales[:, 1:].min(1).values).max() < 0.08
    assert scales[:, 0].min() < 0.05
    assert scales[:, 0].max() > 0.95
    first = bank.corrupted.clone()
    bank.clear()
    bank(found, 1)
    assert torch.equal(bank.corrupted, first)
    bank.begin()
    bank(found, 1)
    assert not torch.equal(bank.corrupted, first)


# --------------------------------------------------------------------------------------- critics


@pytest.fixture
def critics():
    found = MonotoneCritics(2, 5, 3)
    found.draw(torch.Generator().manual_seed(0))
    with torch.no_grad():
        found.linear[0] -= 3
        found.inner[1] -= 5
    return found


def test_a_critic_never_falls_when_a_feature_grows(critics):
    x = torch.randn(40, 5, generator=torch.Generator().manual_seed(1)).requires_grad_()
    for f in critics(x).unbind(1):
        (slope,) = torch.autograd.grad(f.sum(), x, retain_graph=True)
        assert (slope > 0).all()


def test_critics_and_their_loss_by_hand(critics):
    x = torch.randn(6, 5, generator=torch.Generator().manual_seed(1))
    scale = torch.tensor([-1.0, 0.0, 0.1, 0.125, 0.6, 0.99])
    f = critics(x)
    positive = [np.log1p(np.exp(w.detach().double().numpy())) for w in critics.parameters()]
    losses = []
    for j in range(2):
        a, w, v = (positive[i][j] for i in (0, 1, 3))
        bias = critics.bias[j].detach().numpy()
        expected = x.numpy() @ a[0] + np.tanh(x.numpy() @ w + bias) @ v[0]
        np.testing.assert_allclose(f[:, j].detach(), expected, rtol=1e-5)
        for t, least in zip(critics.thresholds[j].tolist(), np.arange(8) / 8, strict=True):
            p = 1 / (1 + np.exp(t - expected))
            losses.append(-np.log(np.where(scale.numpy() >= least, p, 1 - p)).mean())
    np.testing.assert_allclose(critics.loss(f, scale).item(), np.mean(losses), rtol=1e-5)


def test_critics_are_put_on_the_scale_of_normal_rows(critics):
    x = torch.randn(300, 5, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        critics.learn_scale(x)
        f = critics(x)
        np.testing.assert_allclose(
            critics.standardised(x), ((f - f.mean(0)) / f.std(0, correction=0)).mean(1), atol=1e-5
        )


def test_the_adversary_offers_the_candidate_that_looks_cleanest():
    """f is the first feature: the least of the candidates, with its own scale."""
    asked = []

    class Critic(Known):
        def loss(self, f, scale):
            asked.append((f[:, 0].tolist(), scale.tolist()))
            return f.sum()

    candidates = torch.tensor([[3.0, 1.0, 2.0, 4.0], [5.0, 8.0, 7.0, 6.0]])[..., None]
    scales = torch.tensor([[0.9, 0.1, 0.2, 0.3, 0.4], [0.8, 0.5, 0.6, 0.7, 0.75]])
    drawn = torch.zeros(2, 1), torch.full((2, 1), 10.0), candidates, scales
    nets = {
        "references": None,
        "bank": Known(lambda references, n: drawn),
        "critic": Critic(lambda x: x.expand(-1, 3)),
    }
    (loss,) = RetrievalCritic()._losses(nets, torch.zeros(2, 4), torch.zeros(2, 1))
    ((f, scale),) = asked
    assert f == [0, 0, 10, 10, 1, 5]
    assert scale == pytest.approx([-1, -1, 0.9, 0.8, 0.2, 0.5])
    assert loss.updates == ("critic",)


# --------------------------------------------------------------------------------------- answers


def test_the_scores_are_what_they_are_said_to_be(table):
    detector = fitted(RetrievalCritic, "table")
    new = np.concatenate([table[:5] + 0.2, 3 * table[5:9]])
    x = detector.codec_.encode(new)
    features, _ = detector.networks_["references"](x)
    critic, near, far, rare, guard = detector.score_components(new).values()
    with torch.no_grad():
        np.testing.assert_allclose(
            critic, detector.networks_["critic"].standardised(features), rtol=1e-4
        )
    np.testing.assert_allclose(near, features[:, :27].mean(1), rtol=1e-4)
    np.testing.assert_allclose(far, features[:, 3], rtol=1e-4)
    np.testing.assert_allclose(rare, features[:, 27], rtol=1e-4)
    core = detector.networks_["references"].from_core(x).numpy()
    np.testing.assert_allclose(guard, np.maximum(core - critic - far, 0), atol=1e-4)
    detector.set_params(score_name="critic_and_distance")
    np.testing.assert_allclose(detector.anomaly_score(new), critic + far, 1e-4)
    detector.set_params(score_name="guarded")
    greater = np.maximum(critic + far, core)
    assert 0 < (greater > critic + far).mean() < 1
    np.testing.assert_allclose(detector.anomaly_score(new), greater, 1e-4)
    detector.set_params(score_name="critic_and_density")
    np.testing.assert_allclose(detector.anomaly_score(new), critic + far + rare / 3, 1e-4)


def test_an_explanation_adds_up_to_the_distance_and_names_the_odd_column(table):
    detector = fitted(RetrievalCritic, "table")
    references = detector.networks_["references"]
    odd = table[:20].copy()
    odd[:, 2] += 5 * table[:, 2].std()
    x = detector.codec_.encode(odd)
    shares = detector.explain(odd).contributions
    assert (shares.argmax(1) == 2).mean() > 0.9
    both = np.hstack([x, references.normal_scores(x)]) / 2**0.5
    known = references.references
    theirs = np.hstack([known, references.ranks[: len(known)]]) / 2**0.5
    nearest = np.sort(cdist(both, theirs), axis=1)[:, :5]
    np.testing.assert_allclose(shares.sum(1), (nearest**2).mean(1), rtol=1e-3)


def test_the_counterpart_is_a_training_row(table):
    detector = fitted(RetrievalCritic, "table")
    known = detector.codec_.decode(detector.networks_["references"].references)
    found = detector.reconstruct(table)
    assert (cdist(found, known).min(1) < 1e-6).all()
    assert (np.abs(found - table).max(1) > 1e-3).all()  # of a training row it is another one


def test_a_counterpart_of_categories_is_one_of_them():
    rng = np.random.default_rng(0)
    frame = pd.DataFrame({"city": rng.choice(["Oslo", "Rome"], 80), "size": rng.normal(size=80)})
    frame.loc[frame["city"] == "Rome", "size"] += 9
    detector = quick(RetrievalCritic, max_steps=100).fit(frame)
    assert list(detector.reconstruct(frame.head(30))["city"]) == list(frame["city"][:30])
    swapped = frame.assign(city=frame["city"].map({"Oslo": "Rome", "Rome": "Oslo"}))
    odd = np.arange(160) >= 80
    assert roc_auc_score(odd, detector.anomaly_score(pd.concat([frame, swapped]))) > 0.99


def test_what_is_common_overall_is_odd_for_its_context():
    rng = np.random.default_rng(0)

    def draw(n):
        winter = rng.random(n) < 0.5
        return np.where(winter, 8.0, 2.0)[:, None] + rng.normal(0, 0.5, (n, 4)), winter

    (X, winter), (new, now) = draw(400), draw(200)
    odd = np.arange(200) >= 100
    detector = quick(RetrievalCritic).fit(X, condition=winter)
    scores = detector.anomaly_score(new, condition=np.where(odd, ~now, now))
    assert roc_auc_score(odd, scores) > 0.99


@pytest.mark.parametrize("rows", [3, 4, 23])
def test_a_handful_of_rows_is_enough(rows):
    with pytest.warns(UserWarning, match="held-out"):
        detector = quick(RetrievalCritic).fit(make_table()[:rows])
    scores = detector.anomaly_score(np.concatenate([make_table()[:rows], np.full((1, 4), 99.0)]))
    assert np.isfinite(scores).all()
    assert scores.argmax() == rows
    assert abs(scores).max() < 1e4


def test_columns_of_a_latent_space_are_standardised(rows):
    plain = neighbourhood(rows, [("gaussian", 3)], scaled=False).of_references()
    moved = neighbourhood(rows * [1, 10, 100] + 5, [("gaussian", 3)], scaled=False)
    torch.testing.assert_close(moved.of_references(), plain, rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize("n", [3, 4, 5])
def test_few_images_are_enough(n):
    images = np.random.default_rng(0).random((n, 8, 8))
    detector = quick(RetrievalCritic, max_steps=2).fit(images)
    assert np.isfinite(detector.anomaly_score(images)).all()
