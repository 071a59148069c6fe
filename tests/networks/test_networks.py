"""Networks: the layers of the published ones, and the same rule at every other size."""

import math

import pytest
import torch
from torch import nn

from oddgan import networks
from oddgan.networks import Dropout, initialise
from oddgan.networks.layers import SameConv2d, halvings

ROLES = ("encoder", "generator", "joint_discriminator")


def build(role, shape, latent_dim=200, *, scheme="normal", seed=0, **options):
    with torch.device("meta"):
        net = getattr(networks, role)(shape, latent_dim, **options)
    initialise(net, scheme, torch.Generator().manual_seed(seed))
    return net


def layers(net):
    """The layers with an effect, in the order of the forward pass, as text."""
    return [
        describe(layer)
        for layer in net.modules()
        if not [*layer.children()] and not isinstance(layer, nn.Flatten | nn.Unflatten)
    ]


def describe(layer):
    if isinstance(layer, nn.Conv2d | nn.ConvTranspose2d):
        kind = "deconv" if isinstance(layer, nn.ConvTranspose2d) else "conv"
        kernel, stride = layer.kernel_size[0], layer.stride[0]
        assert layer.kernel_size == (kernel, kernel)
        assert layer.stride == (stride, stride)
        assert layer.bias is not None
        return f"{kind}{kernel}x{kernel}/{stride} {layer.in_channels} {layer.out_channels}"
    if isinstance(layer, nn.Linear):
        assert layer.bias is not None
        return f"FC {layer.in_features} {layer.out_features}"
    if isinstance(layer, nn.BatchNorm1d | nn.BatchNorm2d):
        # TensorFlow's defaults; its momentum 0.99 is PyTorch's 0.01.
        assert layer.momentum == 0.01
        assert layer.eps == 1e-3
        assert layer.affine
        return f"BN {layer.num_features}"
    if isinstance(layer, nn.LeakyReLU):
        return f"LReLU {layer.negative_slope}"
    if isinstance(layer, Dropout):
        return f"dropout {layer.p}"
    return type(layer).__name__


# ------------------------------------------------------- the published networks, layer by layer

MNIST = {
    "encoder": """
        conv3x3/1 1 32, LReLU 0.1, conv3x3/2 32 64, BN 64, LReLU 0.1,
        conv3x3/2 64 128, BN 128, LReLU 0.1, FC 6272 200""",
    "generator": """
        FC 200 1024, BN 1024, ReLU, FC 1024 6272, BN 6272, ReLU,
        deconv4x4/2 128 64, Crop, BN 64, ReLU, deconv4x4/2 64 1, Crop, Tanh""",
    "joint_discriminator": """
        conv4x4/2 1 64, LReLU 0.1, dropout 0.5, conv4x4/2 64 64, BN 64, LReLU 0.1, dropout 0.5,
        FC 200 512, LReLU 0.1, dropout 0.5, FC 3648 1024, LReLU 0.1, dropout 0.5, FC 1024 1""",
}
KDD99 = {
    "encoder": "FC 121 64, LReLU 0.1, FC 64 32",
    "generator": "FC 32 64, ReLU, FC 64 128, ReLU, FC 128 121",
    "joint_discriminator": """
        FC 121 128, LReLU 0.1, dropout 0.2, FC 32 128, LReLU 0.1, dropout 0.2,
        FC 256 128, LReLU 0.1, dropout 0.2, FC 128 1""",
}


@pytest.mark.parametrize("role", ROLES)
@pytest.mark.parametrize(
    ("table", "shape", "latent_dim"), [(MNIST, (1, 28, 28), 200), (KDD99, (121,), 32)]
)
def test_layers_are_those_of_the_official_code(table, role, shape, latent_dim):
    expected = " ".join(table[role].split()).split(", ")
    assert layers(build(role, shape, latent_dim)) == expected


@pytest.mark.parametrize("role", ROLES)
def test_every_feature_map_of_mnist_has_the_published_size(role):
    net = build(role, (1, 28, 28)).eval()
    sizes = []

    def record(layer, inputs, output):
        sizes.append(tuple(output.shape[1:]))

    for layer in net.modules():
        if isinstance(layer, SameConv2d | nn.ConvTranspose2d):
            layer.register_forward_hook(record)
    x, z = torch.zeros(2, 1, 28, 28), torch.zeros(2, 200)
    net(*{"encoder": (x,), "generator": (z,), "joint_discriminator": (x, z)}[role])
    assert (
        sizes
        == {
            "encoder": [(32, 28, 28), (64, 14, 14), (128, 7, 7)],
            "generator": [(64, 14, 14), (1, 28, 28)],
            "joint_discriminator": [(64, 14, 14), (64, 7, 7)],
        }[role]
    )


# ------------------------------------------------------------------------------ any other size

SIZES = [
    (1, 8, 8),
    (3, 9, 9),
    (1, 7, 8),
    (1, 8, 10),
    (2, 13, 31),
    (1, 15, 8),
    (3, 32, 32),
    (1, 40, 8),
    (1, 33, 57),
    (4, 64, 64),
    (1, 101, 99),
    (1, 8, 256),
    (1, 255, 17),
    (3, 256, 256),
    (1,),
    (5,),
    (300,),
]


@pytest.mark.parametrize("shape", SIZES, ids=str)
def test_output_shapes(shape):
    x, z = torch.rand(2, *shape), torch.randn(2, 6)
    assert build("encoder", shape, 6, width=4).eval()(x).shape == (2, 6)
    y = build("generator", shape, 6, width=4).eval()(z)
    assert y.shape == x.shape
    discriminator = build("joint_discriminator", shape, 6, width=4).eval()
    logit, features = discriminator(x, z)
    assert logit.shape == (2,)
    assert features.shape == (2, discriminator.logit.in_features)
    assert all(torch.isfinite(out).all() for out in (y, logit, features))


@pytest.mark.parametrize(
    ("size", "expected"),
    [
        ((28, 28), [(28, 28), (14, 14), (7, 7)]),
        ((32, 32), [(32, 32), (16, 16), (8, 8), (4, 4)]),
        ((8, 40), [(8, 40), (4, 20), (4, 10), (4, 5)]),
        ((9, 7), [(9, 7), (5, 7)]),
    ],
)
def test_sides_longer_than_seven_are_halved(size, expected):
    assert halvings(*size, 7) == expected


def test_channels_double_up_to_eight_times_the_first():
    net = build("encoder", (1, 256, 256), 5, width=4)
    out = [layer.out_channels for layer in net if isinstance(layer, nn.Conv2d)]
    assert out == [2, 4, 8, 16, 32, 32, 32]


def test_every_pixel_reaches_the_encoder_and_comes_from_the_generator():
    """No row or column of an odd size is lost by stride, padding or cropping."""
    shape = (1, 13, 18)
    x = torch.randn(4, *shape, requires_grad=True)
    build("encoder", shape, 6, width=4)(x).square().sum().backward()
    assert (x.grad.abs().sum(0) > 0).all()
    y = build("generator", shape, 6, width=4, scheme="xavier")(torch.randn(8, 6))
    assert (y.std(0) > 0).all()


def test_the_range_of_the_generator():
    z = 100 * torch.randn(50, 4)
    images = build("generator", (1, 8, 8), 4, scheme="xavier")(z)
    assert images.abs().max() <= 1  # tanh
    assert build("generator", (6,), 4, scheme="xavier")(z).abs().max() > 1  # no bounds
    y = build("generator", (6,), 4, scheme="xavier", output=nn.Sigmoid())(z)
    assert 0 <= y.min() < y.max() <= 1


# ---------------------------------------------------------------------------- single layers


@pytest.mark.parametrize(
    ("size", "kernel", "stride", "before", "after"),
    [
        # TensorFlow: out = ceil(size / stride), total = (out - 1) stride + kernel - size,
        # and the extra pixel goes to the end.
        (4, 3, 2, 0, 1),
        (5, 3, 2, 1, 1),
        (4, 4, 2, 1, 1),
        (5, 4, 2, 1, 2),
        (5, 3, 1, 1, 1),
        (5, 4, 1, 1, 2),
        (6, 2, 3, 0, 0),  # stride beyond the kernel: never a negative padding
    ],
)
def test_same_padding_is_that_of_tensorflow(size, kernel, stride, before, after):
    conv = SameConv2d(1, 1, (kernel, 1), stride=(stride, 1), bias=False)
    nn.init.constant_(conv.weight, 1)
    x = torch.arange(1.0, size + 1)
    padded = [0.0] * before + x.tolist() + [0.0] * after
    expected = [sum(padded[i * stride : i * stride + kernel]) for i in range(-(-size // stride))]
    assert conv(x.view(1, 1, size, 1)).flatten().tolist() == expected
    transposed = SameConv2d(1, 1, (1, kernel), stride=(1, stride), bias=False)
    nn.init.constant_(transposed.weight, 1)
    assert transposed(x.view(1, 1, 1, size)).flatten().tolist() == expected


def test_dropout_draws_from_its_generator_and_not_from_the_global_state():
    layer = Dropout(0.25)
    x = torch.ones(1000)
    networks.use_generator(nn.Sequential(layer), torch.Generator().manual_seed(3))
    before = torch.get_rng_state()
    first = layer(x)
    assert torch.equal(torch.get_rng_state(), before)
    torch.manual_seed(99)
    layer.generator.manual_seed(3)
    assert torch.equal(layer(x), first)
    assert not torch.equal(layer(x), first)
    torch.testing.assert_close(first.unique(), torch.tensor([0, 1 / 0.75]))
    assert 0.2 < (first == 0).float().mean() < 0.3


def test_dropout_is_the_identity_in_evaluation_mode_and_at_zero():
    x = torch.randn(50)
    assert Dropout(0.5).eval()(x) is x
    assert Dropout(0.0)(x) is x


def test_the_joint_discriminator_sees_both_of_a_pair():
    for shape in ((5,), (1, 8, 8)):
        net = build("joint_discriminator", shape, 3, width=4, scheme="xavier").eval()
        x, z = torch.randn(1, *shape), torch.randn(1, 3)
        logit, features = net(x, z)
        assert torch.equal(net.logit(features)[:, 0], logit)
        assert not torch.equal(net(x + 1, z)[0], logit)
        assert not torch.equal(net(x, z + 1)[0], logit)


# ---------------------------------------------------------------------------------- first weights


def weights(net):
    return [layer.weight for layer in net.modules() if isinstance(layer, nn.Linear | nn.Conv2d)] + [
        layer.weight for layer in net.modules() if isinstance(layer, nn.ConvTranspose2d)
    ]


@pytest.mark.parametrize("role", ROLES)
def test_dcgan_weights_have_a_deviation_of_002(role):
    for weight in weights(build(role, (1, 28, 28))):
        n = weight.numel()
        # Five standard errors of a deviation and of a mean.
        assert abs(weight.std() - 0.02) < 5 * 0.02 / math.sqrt(2 * n)
        assert abs(weight.mean()) < 5 * 0.02 / math.sqrt(n)


@pytest.mark.parametrize("role", ROLES)
def test_xavier_weights_fill_their_bounds(role):
    for layer in build(role, (121,), 32, scheme="xavier").modules():
        if isinstance(layer, nn.Linear):
            bound = math.sqrt(6 / (layer.in_features + layer.out_features))
            assert 0.9 * bound < layer.weight.abs().max() <= bound


@pytest.mark.parametrize("scheme", ["normal", "dcgan", "xavier"])
@pytest.mark.parametrize("role", ROLES)
@pytest.mark.parametrize("shape", [(1, 28, 28), (121,)], ids=str)
def test_the_generator_determines_every_number_of_a_network(role, shape, scheme):
    """Biases are zero and normalisation starts near the identity."""
    net = build(role, shape, scheme=scheme, width=8)
    for layer in net.modules():
        if getattr(layer, "bias", None) is not None:
            assert (layer.bias == 0).all()
        if isinstance(layer, nn.BatchNorm1d | nn.BatchNorm2d):
            spread = 0.02 if scheme == "dcgan" else 0
            assert layer.weight.mean().item() == pytest.approx(1, abs=spread)
            assert layer.weight.std().item() == pytest.approx(spread, rel=0.6)
            assert (layer.running_mean == 0).all()
            assert (layer.running_var == 1).all()
            assert layer.num_batches_tracked == 0
    again, other = (build(role, shape, scheme=scheme, width=8, seed=s).state_dict() for s in (0, 1))
    for name, tensor in net.state_dict().items():
        assert torch.equal(tensor, again[name])
    assert any(not torch.equal(tensor, other[name]) for name, tensor in net.state_dict().items())


@pytest.mark.parametrize("role", ROLES)
def test_every_weight_is_initialised(role, monkeypatch):
    """Fresh memory is often zero by chance: here it is NaN before the weights are drawn."""
    to_empty = nn.Module.to_empty

    def to_nan(self, **options):
        to_empty(self, **options)
        for tensor in (*self.parameters(), *self.buffers()):
            tensor.data.fill_(math.nan if tensor.is_floating_point() else -1)
        return self

    monkeypatch.setattr(nn.Module, "to_empty", to_nan)
    for shape in ((1, 28, 28), (121,)):
        for name, tensor in build(role, shape, width=8).state_dict().items():
            assert torch.isfinite(tensor).all(), name
            assert (tensor >= 0).all() or tensor.is_floating_point()


def test_the_global_random_state_is_untouched():
    before = torch.get_rng_state()
    for role in ROLES:
        build(role, (1, 28, 28), width=8)
        build(role, (121,), 32)
    assert torch.equal(torch.get_rng_state(), before)


def test_a_layer_without_a_rule_is_refused():
    for layer in (nn.LSTM(2, 2), nn.Embedding(3, 2), nn.GroupNorm(2, 4)):
        with pytest.raises(TypeError, match=f"layer {type(layer).__name__}"):
            initialise(nn.Sequential(nn.Linear(2, 2), layer), "dcgan", torch.Generator())


def test_a_layer_may_have_its_own_rule():
    class Fixed(nn.Module):
        def __init__(self):
            super().__init__()
            self.value = nn.Parameter(torch.empty(3))

        def draw(self, generator):
            nn.init.normal_(self.value, generator=generator)

    net = nn.Sequential(Fixed())
    initialise(net, "dcgan", torch.Generator().manual_seed(1))
    assert torch.equal(net[0].value, torch.randn(3, generator=torch.Generator().manual_seed(1)))
