"""The U-net: Skip-GANomaly's layers, the same rule at other sizes, and its skip connections."""

import pytest
import torch
from torch import nn

from oddgan import networks
from oddgan.networks import UNet, initialise

SIZES = [
    (1, 8, 8),
    (3, 9, 9),
    (1, 8, 10),
    (2, 13, 31),
    (3, 32, 32),
    (1, 8, 256),
    (1,),
    (5,),
    (300,),
]


def build(shape, latent_dim=6, *, width=4, scheme="xavier", seed=0):
    with torch.device("meta"):
        net = networks.u_net(shape, latent_dim, width=width)
    initialise(net, scheme, torch.Generator().manual_seed(seed))
    return net


def text(layer):
    if isinstance(layer, nn.Conv2d | nn.ConvTranspose2d):
        kind = "deconv" if isinstance(layer, nn.ConvTranspose2d) else "conv"
        bias = "+b" if layer.bias is not None else ""
        kernel, stride = layer.kernel_size[0], layer.stride[0]
        return f"{kind}{kernel}/{stride}{bias} {layer.in_channels} {layer.out_channels}"
    if isinstance(layer, nn.Linear):
        bias = "+b" if layer.bias is not None else ""
        return f"FC{bias} {layer.in_features} {layer.out_features}"
    return {nn.LeakyReLU: "LReLU", nn.BatchNorm2d: "BN"}.get(type(layer), type(layer).__name__)


def layers(block):
    inner = [layer for layer in block.modules() if not [*layer.children()]]
    return ", ".join(text(layer) for layer in inner)


def test_layers_are_those_of_the_official_code_at_32_pixels():
    net = build((3, 32, 32), 512, width=64)
    assert [layers(block) for block in net.down] == [
        "conv4/2 3 64, LReLU",
        "conv4/2 64 128, BN, LReLU",
        "conv4/2 128 256, BN, LReLU",
        "conv4/2 256 512, BN, LReLU",
        "Flatten, FC 2048 512",
    ]
    assert [layers(block) for block in net.up] == [
        "ReLU, FC 512 2048, Unflatten, BN",
        "ReLU, deconv4/2 1024 256, Crop, BN",
        "ReLU, deconv4/2 512 128, Crop, BN",
        "ReLU, deconv4/2 256 64, Crop, BN",
        "ReLU, deconv4/2+b 128 3, Crop, Tanh",
    ]


def test_the_dense_layer_is_a_convolution_of_two_by_two_pixels():
    """The official code has conv4x4/2 with padding 1 there, of which only four weights matter."""
    x = torch.randn(3, 5, 2, 2)
    conv = nn.Conv2d(5, 7, 4, stride=2, padding=1, bias=False)
    back = nn.ConvTranspose2d(7, 5, 4, stride=2, padding=1, bias=False)
    z = conv(x)
    dense = x.flatten(1) @ conv.weight[:, :, 1:3, 1:3].flatten(1).T
    torch.testing.assert_close(z.flatten(1), dense)
    torch.testing.assert_close(
        back(z), (dense @ back.weight[:, :, 1:3, 1:3].flatten(1)).view(3, 5, 2, 2)
    )


def test_a_table_gets_a_dense_u_net_with_skips_from_both_hidden_layers():
    net = build((121,), 32, width=64)
    assert [layers(block) for block in net.down] == [
        "FC+b 121 64, LReLU",
        "FC+b 64 32, LReLU",
        "FC+b 32 32",
    ]
    assert [layers(block) for block in net.up] == [
        "ReLU, FC+b 32 32",
        "ReLU, FC+b 64 64",
        "ReLU, FC+b 128 121",
    ]


@pytest.mark.parametrize("shape", SIZES, ids=str)
def test_outputs_have_the_shape_of_the_input_and_of_the_latent(shape):
    x = torch.rand(2, *shape)
    y, z = build(shape).eval()(x)
    assert y.shape == x.shape
    assert z.shape == (2, 6)
    if len(shape) == 3:
        assert y.abs().max() <= 1  # tanh


@pytest.mark.parametrize("shape", [(1, 13, 18), (5,)], ids=str)
def test_every_input_matters_and_every_output_varies(shape):
    x = torch.randn(16, *shape, requires_grad=True)
    y, z = build(shape, width=8)(x)
    z.square().sum().backward(retain_graph=True)
    assert (x.grad.abs().sum(0) > 0).all()
    assert (y.std(0) > 0).all()


class Times(nn.Module):
    def __init__(self, factor):
        super().__init__()
        self.factor = factor

    def forward(self, x):
        return self.factor * x


class Columns(nn.Module):
    """The first column, the skip, plus ten times the second."""

    def forward(self, x):
        assert x.shape[1] == 2
        return x[:, :1] + 10 * x[:, 1:]


def test_each_up_layer_sees_the_down_layer_at_its_level_and_none_sees_the_input():
    net = UNet([Times(2.0), Times(3.0), Times(5.0)], [Times(7.0), Columns(), Columns()])
    y, z = net(torch.tensor([[1.0]]))
    assert z.item() == 30  # 2 * 3 * 5
    assert y.item() == 2 + 10 * (6 + 10 * 7 * 30)


def test_the_skips_bypass_the_narrow_layer():
    net = build((1, 8, 8), 1, width=8).eval()
    for weight in net.down[-1].parameters():
        nn.init.zeros_(weight)
    y, z = net(torch.randn(4, 1, 8, 8))
    assert (z == 0).all()
    assert (y.std(0) > 0).all()
