"""PatchDiscriminator: its opponents, its loss, and where it sees a defect."""

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from oddgan import PatchDiscriminator
from oddgan.detectors.patch_discriminator import crops, place_loss
from oddgan.networks import Noise, use_generator
from oddgan.networks.architectures.patch import PatchDiscriminator as Body
from oddgan.networks.architectures.patch import standardised
from oddgan.networks.architectures.pseudo import PseudoAnomalies
from support.data import Known, call_hook


def maker(seed=0):
    made = PseudoAnomalies()
    use_generator(made, torch.Generator().manual_seed(seed))
    return made


def test_the_loss_by_hand():
    logit = torch.tensor([0.0, np.log(3), -np.log(3)]).view(1, 1, 3)  # p = 1/2, 1/4, 3/4
    mask = torch.tensor([1.0, 0.0, 0.5]).view(1, 1, 3)
    entropies = -np.log([0.5, 0.75, 0.75 * 0.25])
    entropies[2] /= 2
    weights = 0.3 + 0.7 * np.array([1 / 2, 1 / 4, 1 / 4]) ** 2
    dice = 1 - (2 * (1 / 2 + 3 / 8) + 1) / (1.5 + 1.5 + 1)
    by_hand = 3 * (weights * entropies).mean() + dice
    assert float(place_loss(logit, mask)) == pytest.approx(by_hand, rel=1e-5)


@pytest.mark.parametrize("shape", [(1, 24, 24), (3, 16, 20)])
def test_something_foreign_is_in_its_place_and_nowhere_else(shape):
    x = torch.rand(400, *shape, generator=torch.Generator().manual_seed(1))
    made, mask = maker()(x)
    assert torch.isfinite(made).all()
    assert torch.isin(mask, torch.tensor([0.0, 1.0])).all()
    near = F.max_pool2d(mask, 3, 1, 1).expand_as(x) > 0  # where a soft edge ends
    assert torch.equal(made[~near], x[~near])
    inside = mask.expand_as(x) > 0
    assert (made != x)[inside].float().mean() > 0.98
    share = mask.flatten(1).mean(1)
    assert (share > 0).float().mean() > 0.8
    assert 0.05 < float(share.mean()) < 0.4
    assert not torch.equal(maker(1)(x)[1], mask)


def test_brightness_and_contrast_of_an_exposure_do_not_count():
    x = torch.rand(5, 1, 12, 12, generator=torch.Generator().manual_seed(0)) * 1.4 - 0.7
    plain, flat = standardised(x), standardised(torch.full((1, 1, 12, 12), 0.4))
    assert plain.flatten(1).median(1).values.abs().max() == 0
    assert plain.abs().max() <= 1
    torch.testing.assert_close(standardised(x + 0.3), plain, atol=1e-5, rtol=0)
    torch.testing.assert_close(standardised(2 * x), plain, atol=0.1, rtol=0)
    assert not flat.any()


def test_crops_are_windows_of_their_own_images_some_of_them_mirrored():
    uniform = Noise("uniform")
    uniform.generator = torch.Generator().manual_seed(0)
    images = torch.arange(40 * 2 * 6 * 9.0).reshape(40, 2, 6, 9)
    cut = crops(images, 7, uniform)
    assert cut.shape == (40, 2, 6, 7)
    left = torch.minimum(cut[..., 0], cut[..., -1]) - images[..., 0]
    assert torch.equal(left, left[:, :1, :1].expand_as(left))  # one window for all rows
    assert set(left[:, 0, 0].tolist()) == {0, 1, 2}
    steps = cut.diff(dim=3)
    mirrored = (steps == -1).flatten(1).all(1)
    assert ((steps == 1).flatten(1).all(1) | mirrored).all()
    assert 10 < int(mirrored.sum()) < 30


def test_the_candidate_that_looks_most_normal_in_its_place_is_taken():
    """A D that reads how odd a place is from the image itself; candidates of known oddness."""
    D = Known(lambda x: (-F.avg_pool2d(x, 2).squeeze(1), None))
    mask = torch.zeros(4, 1, 8, 8)
    mask[:, :, 2:6, 2:6] = 1
    levels = torch.tensor([[3.0, 1.0, 2.0, 0.5], [1.0, 2.0, 4.0, 0.1], [2.0, 3.0, 1.0, 0.9]])
    nothing = torch.zeros_like(mask[:1])
    candidates = iter(
        (level.view(-1, 1, 1, 1) * mask, torch.cat([mask[:3], nothing if i == 1 else mask[:1]]))
        for i, level in enumerate(levels)
    )
    detector = PatchDiscriminator(n_candidates=3)
    made, masks = detector._hardest(
        D, lambda x: next(candidates), torch.zeros(5, 1, 8, 8), 1
    )  # the first image stays clean
    # The fourth candidate of the second draw has no place: it is no opponent.
    assert made.amax((1, 2, 3)).tolist() == pytest.approx([1.0, 1.0, 1.0, 0.5])
    assert masks.shape == (4, 4, 4)
    assert masks.sum((1, 2)).tolist() == [4, 4, 4, 4]


def test_a_logit_for_every_place_of_an_image_of_any_size():
    body = Body((1, 8, 8), width=4).eval()
    for h, w in [(8, 10), (33, 17), (64, 64)]:
        logit, features = body(torch.zeros(2, 1, h, w))
        assert logit.shape == (2, -(-h // 2), -(-w // 2))
        assert features.shape == (2, 4, *logit.shape[1:])


def test_the_map_shows_the_places_and_the_scores_are_its_top_and_its_mean():
    detector = PatchDiscriminator()
    odd = torch.full((2, 8, 10), 0.1)
    odd[1, 2, 6] = 0.9
    D = Known(lambda x: (-torch.logit(odd), None))
    x = torch.zeros(2, 3, 16, 20)
    score = call_hook(detector, "_score", {"discriminator": D}, x)
    assert score.residual.shape == x.shape
    maps = score.residual.sum(1)
    torch.testing.assert_close(maps[0], torch.full((16, 20), 0.1))
    inside = maps[1, 4:6, 12:14]  # the pixels of that place
    assert inside.min() > maps[1].flatten().sort().values[-5]
    torch.testing.assert_close(score.components["top"], torch.tensor([0.1, 0.9]))  # 1 of 80 places
    torch.testing.assert_close(score.components["mean"], torch.tensor([0.1, 0.11]))
    torch.testing.assert_close(score.total, score.components["top"])
