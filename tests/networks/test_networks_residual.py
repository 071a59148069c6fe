"""Residual networks: the layers of f-AnoGAN's code, and the same rule at other sizes."""

import pytest
import torch
from torch import nn

from oddgan import networks
from oddgan.networks import initialise
from oddgan.networks.architectures.residual import ChannelScaledNorm, Residual, dense_critic


def build(role, shape, latent_dim=128, *, width, meta=False):
    with torch.device("meta"):
        if role == "critic":
            net = networks.critic(shape, width=width)
        else:
            net = getattr(networks, role)(shape, latent_dim, width=width, family="residual")
    if not meta:
        initialise(net, "xavier", torch.Generator().manual_seed(0))
    return net


def describe(layer):
    if isinstance(layer, nn.Conv2d):
        assert layer.stride == (1, 1)
        k = layer.kernel_size[0]
        assert layer.kernel_size == (k, k)
        assert layer.padding == (k // 2, k // 2)
        return f"conv{k}x{k} {layer.in_channels} {layer.out_channels}"
    if isinstance(layer, nn.Linear):
        return f"FC {layer.in_features} {layer.out_features}"
    if isinstance(layer, nn.BatchNorm2d):
        assert (layer.momentum, layer.eps) == (0.01, 1e-3)  # TensorFlow's defaults
        return f"BN {layer.num_features}"
    if isinstance(layer, ChannelScaledNorm):
        return f"LN {layer.num_channels}"
    return {nn.ReLU: "ReLU", nn.AvgPool2d: "mean", nn.Upsample: "repeat", nn.Tanh: "tanh"}.get(
        type(layer)
    )


def down(norm, last, out):
    return f"""{norm} {last}, ReLU, conv3x3 {last} {last}, {norm} {last}, ReLU,
        conv3x3 {last} {out}, mean, mean, conv1x1 {last} {out}"""


def up(last, out):
    return f"""BN {last}, ReLU, repeat, conv3x3 {last} {out}, BN {out}, ReLU,
        conv3x3 {out} {out}, conv1x1 {last} {out}, repeat"""


CHANNELS = [(64, 128), (128, 256), (256, 512), (512, 512)]
OCT = {
    "generator": [
        "FC 128 8192",
        *(up(*pair) for pair in [(512, 512), (512, 256), (256, 128), (128, 64)]),
        "BN 64, ReLU, conv3x3 64 1, tanh",
    ],
    "critic": ["conv3x3 1 64", *(down("LN", *pair) for pair in CHANNELS), "FC 8192 1"],
    "encoder": ["conv3x3 1 64", *(down("BN", *pair) for pair in CHANNELS), "FC 8192 128"],
}


@pytest.mark.parametrize("role", OCT)
def test_layers_are_those_of_the_official_code(role):
    net = build(role, (1, 64, 64), width=128, meta=True)
    texts = [text for layer in net.modules() if (text := describe(layer))]
    assert texts == " ".join(", ".join(OCT[role]).split()).split(", ")


@pytest.mark.parametrize("shape", [(1, 8, 10), (2, 13, 31), (3, 5, 40), (1, 3, 4), (1, 28, 28)])
def test_output_shapes(shape):
    x, z = torch.rand(2, *shape), torch.randn(2, 6)
    assert build("encoder", shape, 6, width=4).eval()(x).shape == (2, 6)
    assert build("generator", shape, 6, width=4).eval()(z).shape == x.shape
    logit, features = build("critic", shape, width=4)(x)
    assert logit.shape == (2,)
    assert features.ndim == 2


def test_every_pixel_counts():
    """No row or column of an odd size is lost by pooling or cropping."""
    shape = (1, 13, 18)
    x = torch.randn(4, *shape, requires_grad=True)
    build("critic", shape, width=4)(x)[0].sum().backward()
    assert (x.grad.abs().sum(0) > 0).all()
    y = build("generator", shape, 6, width=4)(torch.randn(8, 6))
    assert (y.std(0) > 0).all()


def test_a_block_is_branch_plus_shortcut():
    block = Residual(nn.Linear(2, 2), nn.Linear(2, 2))
    x = torch.randn(3, 2)
    assert torch.equal(block(x), block.branch(x) + block.shortcut(x))


def test_the_norm_is_over_a_whole_sample_with_a_scale_for_each_channel():
    """A critic's gradient penalty is computed for each sample."""
    norm = ChannelScaledNorm(2)
    with torch.no_grad():
        norm.weight.copy_(torch.tensor([2.0, 3.0]))
        norm.bias.copy_(torch.tensor([0.5, -0.5]))
    x = torch.randn(3, 2, 4, 5)
    flat = x.flatten(1)
    mean, var = flat.mean(1).view(-1, 1, 1, 1), flat.var(1, correction=0).view(-1, 1, 1, 1)
    standard = (x - mean) / (var + 1e-5).sqrt()
    expected = standard * torch.tensor([2.0, 3.0])[:, None, None]
    expected = expected + torch.tensor([0.5, -0.5])[:, None, None]
    torch.testing.assert_close(norm(x), expected)


@pytest.mark.parametrize("shape", [(5,), (1, 8, 8)])
def test_a_critic_mixes_no_samples_and_is_not_random(shape):
    critic = build("critic", shape, width=8)
    assert critic.training
    x = torch.randn(6, *shape)
    logit = critic(x)[0]
    torch.testing.assert_close(critic(x[2:3])[0], logit[2:3])
    assert torch.equal(critic(x)[0], logit)


@pytest.mark.parametrize("shape", [(5,), (1, 13, 18)])
def test_every_weight_of_a_critic_moves_the_difference_of_two_outputs(shape):
    """The gradient of a bias that the difference cancels would only be rounding error."""
    critic = build("critic", shape, width=8).double()
    a, b = torch.randn(8, *shape, dtype=torch.double), torch.randn(8, *shape, dtype=torch.double)
    difference = critic(a)[0].mean() - critic(b)[0].mean()
    gradients = torch.autograd.grad(difference, list(critic.parameters()))
    assert min(gradient.abs().max() for gradient in gradients) > 1e-9


def test_every_weight_of_a_generator_moves_its_output():
    """The gradient of a bias that batch norm cancels would only be rounding error."""
    net = build("generator", (1, 13, 18), 6, width=8).double()
    y = net(torch.randn(8, 6, dtype=torch.double))
    target = torch.randn(y.shape, dtype=torch.double)
    gradients = torch.autograd.grad((y * target).sum(), list(net.parameters()))
    assert min(gradient.abs().max() for gradient in gradients) > 1e-9


def test_the_critic_of_a_table_has_no_dropout():
    layers = [type(layer).__name__ for layer in dense_critic(7, width=8).trunk]
    assert layers == ["Linear", "LeakyReLU"] * 3
