"""Where samples are in the spaces that a detector has learnt."""

import numpy as np
import pytest
import torch

from oddgan import MOGAAL, VAE, AdversarialAutoencoder, OddGAN
from support.data import fitted


def test_features_are_the_hidden_layer_of_the_discriminator(table):
    detector = fitted(MOGAAL, "table")
    found = detector.embed(table, space="feature")
    with torch.inference_mode():
        x = detector.codec_.encode(table)
        expected = detector.networks_["discriminator"](x)[1]
    assert found.dtype == np.float64
    np.testing.assert_allclose(found, expected.numpy(), rtol=1e-4, atol=1e-6)


def test_latents_are_what_is_embedded_unless_told_otherwise(images):
    detector = fitted(AdversarialAutoencoder, "image")
    latents = detector.embed(images)
    assert latents.shape == (len(images), 4)
    assert np.array_equal(detector.embed(images, space="latent"), latents)
    assert detector.embed(images, space="feature").shape[1] != 4


def test_features_of_a_population_stand_side_by_side(table):
    population = fitted(MOGAAL, "table", n_members=2)
    found = population.embed(table, space="feature")
    alone = [member.embed(table, space="feature") for member in population.members_]
    np.testing.assert_array_equal(found, np.hstack(alone))
    assert not np.allclose(*alone)


def test_the_recipe_gives_the_latents_of_its_detector_and_has_no_features(images):
    detector = fitted(OddGAN, "image")
    found = detector.embed(images)
    assert np.array_equal(found, detector.detector_.embed(images))
    with pytest.raises(ValueError, match="cannot embed in feature space: it has no discrimin"):
        detector.embed(images, space="feature")


def test_who_has_no_discriminator_says_so(table):
    with pytest.raises(ValueError, match="VAE cannot embed in feature space: it has no discrimin"):
        fitted(VAE, "table").embed(table, space="feature")
    with pytest.raises(ValueError, match="space must be 'latent' or 'feature', not 'pixel'"):
        fitted(VAE, "table").embed(table, space="pixel")
