"""ALAD's networks: the layers of the official code, and the same rule at other sizes."""

import math

import pytest
import torch
from torch import nn
from torch.nn.utils import parametrize

from oddgan.networks import Dropout, initialise
from oddgan.networks.architectures import pairs

NETWORKS = {
    "encoder": lambda shape, latent, **o: pairs.encoder(shape, latent, **o),
    "xz": lambda shape, latent, **o: pairs.joint_discriminator(shape, latent, **o),
    "xx": lambda shape, latent, **o: pairs.sample_discriminator(shape, **o),
    "zz": lambda shape, latent, **o: pairs.latent_discriminator(shape, latent, **o),
}


def build(body, shape, latent_dim, *, width, spectral_norm=False, scheme="xavier"):
    with torch.device("meta"):
        net = NETWORKS[body](shape, latent_dim, width=width, spectral_norm=spectral_norm)
    initialise(net, scheme, torch.Generator().manual_seed(0))
    return net


def describe(layer):
    """The layer as text; an s is for spectral norm."""
    s = "s" if parametrize.is_parametrized(layer) else ""
    if isinstance(layer, nn.Conv2d):
        size = f"{layer.kernel_size[0]}x{layer.kernel_size[1]}/{layer.stride[0]}"
        assert layer.stride[0] == layer.stride[1]
        return f"{s}conv{size} {layer.in_channels} {layer.out_channels}"
    if isinstance(layer, nn.Linear):
        return f"{s}FC {layer.in_features} {layer.out_features}"
    if isinstance(layer, nn.BatchNorm1d | nn.BatchNorm2d):
        assert (layer.momentum, layer.eps) == (0.01, 1e-3)  # TensorFlow's defaults
        return f"BN {layer.num_features}"
    if isinstance(layer, nn.LeakyReLU):
        return f"LReLU {layer.negative_slope}"
    return f"dropout {layer.p}" if isinstance(layer, Dropout) else None


KDD99 = {
    "encoder": "FC 121 64, LReLU 0.2, FC 64 32",
    "xz": """FC 121 128, BN 128, LReLU 0.2, FC 32 128, LReLU 0.2, dropout 0.5,
        FC 256 128, LReLU 0.2, dropout 0.5, FC 128 1""",
    "xx": "FC 242 128, LReLU 0.2, dropout 0.2, FC 128 1",
    "zz": "FC 64 32, LReLU 0.2, dropout 0.2, FC 32 1",
}
CIFAR10 = {
    "encoder": """sconv4x4/2 3 128, BN 128, LReLU 0.2, sconv4x4/2 128 256, BN 256, LReLU 0.2,
        sconv4x4/2 256 512, BN 512, LReLU 0.2, FC 8192 100""",
    "xz": """sconv4x4/2 3 128, LReLU 0.2, sconv4x4/2 128 256, BN 256, LReLU 0.2,
        sconv4x4/2 256 512, BN 512, LReLU 0.2, sFC 100 512, LReLU 0.2, dropout 0.2,
        sFC 512 512, LReLU 0.2, dropout 0.2, sFC 8704 1024, LReLU 0.2, dropout 0.2, FC 1024 1""",
    "xx": """sconv5x5/2 6 64, LReLU 0.2, dropout 0.2, sconv5x5/2 64 128, LReLU 0.2, dropout 0.2,
        FC 8192 1""",
    "zz": """sFC 200 64, LReLU 0.2, dropout 0.2, sFC 64 32, LReLU 0.2, dropout 0.2, FC 32 1""",
}


@pytest.mark.parametrize("body", NETWORKS)
@pytest.mark.parametrize(
    ("expected", "shape", "latent_dim", "width", "spectral_norm"),
    [(KDD99, (121,), 32, 64, False), (CIFAR10, (3, 32, 32), 100, 128, True)],
    ids=["KDD99", "CIFAR10"],
)
def test_layers_are_those_of_the_official_code(
    body, expected, shape, latent_dim, width, spectral_norm
):
    with torch.device("meta"):
        net = NETWORKS[body](shape, latent_dim, width=width, spectral_norm=spectral_norm)
    texts = [text for layer in net.modules() if (text := describe(layer))]
    assert texts == " ".join(expected[body].split()).split(", ")


@pytest.mark.parametrize("spectral_norm", [False, True])
@pytest.mark.parametrize("shape", [(1,), (5,), (1, 8, 10), (2, 13, 31), (1, 3, 3), (3, 40, 8)])
def test_output_shapes(shape, spectral_norm):
    x, y, z, w = torch.rand(3, *shape), torch.rand(3, *shape), torch.randn(3, 6), torch.randn(3, 6)
    options = {"width": 4, "spectral_norm": spectral_norm}
    assert build("encoder", shape, 6, **options).eval()(x).shape == (3, 6)
    for body, pair in {"xz": (x, z), "xx": (x, y), "zz": (z, w)}.items():
        net = build(body, shape, 6, **options).eval()
        logit, features = net(*pair)
        assert logit.shape == (3,)
        assert features.shape == (3, net.logit.in_features)
        assert torch.equal(net.logit(features)[:, 0], logit)
        for changed in ((pair[0] + 1, pair[1]), (pair[0], pair[1] + 1)):  # it sees both
            assert not torch.equal(net(*changed)[0], logit)


@pytest.mark.parametrize("body", ["encoder", "xz"])
def test_every_weight_of_a_layer_without_bias_is_drawn(body, monkeypatch):
    """Fresh memory is often zero by chance: here it is NaN before the weights are drawn."""
    to_empty = nn.Module.to_empty

    def to_nan(self, **options):
        to_empty(self, **options)
        for tensor in (*self.parameters(), *self.buffers()):
            tensor.data.fill_(math.nan if tensor.is_floating_point() else -1)
        return self

    monkeypatch.setattr(nn.Module, "to_empty", to_nan)
    net = build(body, (1, 16, 16), 4, width=8, spectral_norm=True, scheme="normal")
    assert any(layer.bias is None for layer in net.modules() if isinstance(layer, nn.Conv2d))
    for name, tensor in net.state_dict().items():
        assert torch.isfinite(tensor).all(), name


def test_training_brings_the_largest_singular_value_to_one():
    net = build("encoder", (6,), 4, width=8, spectral_norm=True)
    for _ in range(50):
        net(torch.zeros(2, 6))
    net.eval()
    vector = net[0].parametrizations.weight[0]._u.clone()
    assert torch.linalg.svdvals(net[0].weight.detach())[0] == pytest.approx(1, abs=1e-3)
    net(torch.randn(2, 6))
    assert torch.equal(net[0].parametrizations.weight[0]._u, vector)
