"""What can be asked of a fitted detector, and what asking leaves alone."""

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from oddgan import EGBAD, MOGAAL, Autoencoder
from oddgan.estimator import QUERIES
from support.data import fitted, make_images


def test_asking_changes_no_parameter_and_answers_in_many_threads(table):
    """Each thread asks for another score; all get what they would get alone."""
    detector = fitted(EGBAD, "table")
    source = detector.source(table)

    def ask(score):
        return np.concatenate([s for _, s in detector.outputs_for(source, "anomaly_score", score)])

    names = EGBAD.scores * 8
    alone = {name: ask(name) for name in EGBAD.scores}
    before = detector.get_params()
    with ThreadPoolExecutor(4) as pool:
        for name, scores in zip(names, pool.map(ask, names), strict=True):
            np.testing.assert_array_equal(scores, alone[name])
    assert detector.get_params() == before


def test_every_output_of_the_table_can_be_asked_for(table):
    detector = fitted(EGBAD, "table", n_members=2)
    source = detector.source(table)
    for output in QUERIES:
        rows = np.concatenate([index for index, _ in detector.iter_outputs(source, output)])
        assert np.array_equal(rows, np.arange(len(table))), output


def test_an_output_that_a_method_cannot_give_is_refused_before_anything_is_read(table):
    detector = fitted(MOGAAL, "table")
    with pytest.raises(ValueError, match="MOGAAL cannot embed: it has no latent space"):
        detector.iter_outputs(detector.source(table), "embed")


def test_the_latent_of_an_image_that_is_cut_is_the_mean_over_its_patches():
    detector = fitted(Autoencoder, "image", patch_size=8, patches_per_image=2)
    X = make_images()[:3]
    codec = detector.codec_
    for image, latent in zip(codec.patched_images(X), detector.embed(X), strict=True):
        ((_, patches),) = image.patches()
        latents = detector._embed(detector.networks_, patches, "l2").detach().numpy()
        assert len(patches) > 1
        np.testing.assert_allclose(latent, latents.mean(0), rtol=1e-4, atol=1e-5)
