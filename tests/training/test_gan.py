import copy
import subprocess
import sys
import threading
import tracemalloc
from dataclasses import replace
from functools import partial

import numpy as np
import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from colorizer.core.lab import Normalization
from colorizer.epochs.validation import Validator
from colorizer.networks.discriminator import Discriminator
from colorizer.networks.efficientnet import load_efficientnet_lite0
from colorizer.networks.pretrained_unet import PretrainedUNet
from colorizer.networks.unet import UNet
from colorizer.training.batches import TrainingBatches, to_batch
from colorizer.training.distributed import SINGLE
from colorizer.training.gan import GAN, DivergedError
from colorizer.training.losses import adversarial_loss, l1_loss, swd_loss
from colorizer.training.recipe import Recipe
from tests.conftest import NO_GPU
from tests.support.imports import ROOT
from tests.support.operators import Operators

CPU = torch.device("cpu")
EPOCH = {"learning_rate": 2e-4, "adversarial": True, "first_step": 0}


def gan_for(size, *, learning_rate=2e-4, device=CPU, dtype=torch.float32, precision="fp32", group=SINGLE, **recipe):
    torch.manual_seed(0)
    generator = UNet(width=8, num_downs=3, upsampling="transposed")
    discriminator = Discriminator(width=8, num_downs=3, conditional=False, output="image", image_shape=(size, size))
    return GAN(
        generator.to(dtype),
        discriminator.to(dtype),
        Recipe(**{"learning_rate": learning_rate, "betas": (0.5, 0.999), "l1_weight": 100.0} | recipe),
        device=device,
        precision=precision,
        group=group,
    )


def pretrained_gan(*, encoder_size=64, output="patch", dtype=torch.float32, group=SINGLE, **recipe):
    """On a pretrained encoder, for images of 32 px."""
    torch.manual_seed(0)
    generator = PretrainedUNet(encoder_size=encoder_size, image_size=32, width=8, resolution="half")
    generator.encoder = load_efficientnet_lite0()
    discriminator = Discriminator(width=8, num_downs=2, conditional=True, output=output, image_shape=(16, 16))
    return GAN(
        generator.to(dtype),
        discriminator.to(dtype),
        Recipe(**{"learning_rate": 1e-3, "betas": (0.5, 0.999), "l1_weight": 100.0, "ema_decay": 0.9} | recipe),
        device=CPU,
        group=group,
    )


def batches_of(store, *, batch_size=8, flip=False, seed=0, epoch=1, device=CPU):
    images = np.arange(len(store))
    return TrainingBatches(
        store, images, Normalization(), batch_size=batch_size, flip=flip, seed=seed, epoch=epoch, device=device
    )


def first(batches):
    return next(iter(batches))


def test_at_half_resolution_the_truth_is_the_mean_of_four_pixels(photographs):
    torch.manual_seed(0)
    generator = UNet(width=8, num_downs=3, upsampling="resize", resolution="half")
    discriminator = Discriminator(width=8, num_downs=2, conditional=True, output="image", image_shape=(16, 16))
    recipe = Recipe(learning_rate=1e-3, betas=(0.5, 0.999), l1_weight=100.0)
    gan = GAN(generator, discriminator, recipe, device=CPU)
    lightness, chroma, *_ = batch = first(batches_of(photographs))
    small = chroma.reshape(8, 2, 16, 2, 16, 2).mean(dim=(3, 5))
    expected = l1_loss(copy.deepcopy(generator)(lightness), small).item()
    losses = gan.step(batch, adversarial=True)
    assert losses["l1_loss"].item() == pytest.approx(expected, rel=1e-5)


def test_the_learning_rate_falls_in_equal_steps_in_the_last_epochs():
    falling = Recipe(epochs=5, decay_epochs=3, learning_rate=0.6, betas=(0.5, 0.999), l1_weight=100.0)
    assert [falling.linear_decay(0.6, epoch) for epoch in range(1, 6)] == pytest.approx([0.6, 0.6, 0.45, 0.3, 0.15])
    assert replace(falling, decay_epochs=0).linear_decay(0.6, 5) == 0.6


def test_a_batch_is_normalised_pixels(photographs):
    lightness, chroma, num_images, *_ = to_batch(photographs[[5, 2]], Normalization(), CPU)
    assert num_images == 2
    assert lightness.shape == (2, 1, 32, 32)
    assert chroma.shape == (2, 2, 32, 32)
    assert lightness[1, 0].numpy() == pytest.approx(photographs[2, ..., 0] / 127.5 - 1, abs=1e-6)
    assert chroma[0, 1].numpy() == pytest.approx((photographs[5, ..., 2] - 128.0) / 128, abs=1e-6)


def test_every_image_comes_once_in_an_order_of_seed_and_epoch():
    store = np.arange(50, dtype=np.uint8)[:, None, None, None] * np.ones((2, 2, 3), np.uint8)

    def order(**options):
        codes = [(lightness[:, 0, 0, 0] + 1) * 127.5 for lightness, *_ in batches_of(store, **options)]
        return torch.cat(codes).round().int().tolist()

    assert sorted(order()) == list(range(50))
    assert order() == order(batch_size=7)
    assert len({tuple(order(seed=seed, epoch=epoch)) for seed in (0, 1) for epoch in (1, 2)}) == 4


def test_flipping_mirrors_half_of_the_images_with_their_colours(photographs):
    plain = first(batches_of(photographs, batch_size=64))
    lightness, chroma, *_ = first(batches_of(photographs, batch_size=64, flip=True))
    mirrored = [torch.equal(image, original.flip(-1)) for image, original in zip(lightness, plain[0], strict=True)]
    assert 16 < sum(mirrored) < 48
    for index, is_mirrored in enumerate(mirrored):
        assert torch.equal(chroma[index], plain[1][index].flip(-1) if is_mirrored else plain[1][index])


def test_the_average_forgets_the_start_and_then_moves_slowly(photographs):
    gan = gan_for(32, ema_decay=0.25)
    weight, mean = (next(network.parameters()) for network in (gan.generator, gan.ema.module))
    expected = weight.detach().clone()
    for decay in (1 / 10, 2 / 11, 0.25, 0.25):  # (1 + step) / (10 + step), at most 0.25
        gan.step(first(batches_of(photographs)), adversarial=False)
        expected = decay * expected + (1 - decay) * weight.detach()
        torch.testing.assert_close(mean, expected)
    assert not mean.requires_grad


def test_the_swd_weight_pulls_the_generator_towards_the_true_colours(photographs):
    def train(swd_weight):
        gan = gan_for(32, learning_rate=1e-3, l1_weight=1.0, swd_weight=swd_weight)
        for _ in range(20):
            batch = first(batches_of(photographs))
            losses = gan.step(batch, adversarial=True)
        return losses, swd_loss(gan.generator(batch.lightness), batch.chroma).item()

    without, far = train(0.0)
    losses, near = train(100.0)
    assert "swd_loss" not in without
    assert losses["swd_loss"] > 0
    assert near < 0.8 * far


def test_the_step_follows_the_recipe(photographs):
    gan = gan_for(32)
    batch = first(batches_of(photographs))
    before = copy.deepcopy(gan)
    losses = gan.step(batch, adversarial=True)

    lightness, chroma, *_ = batch
    generated = before.generator(lightness)
    assert losses["l1_loss"].item() == pytest.approx(l1_loss(generated, chroma).item(), rel=1e-5)
    # The generator is judged by the discriminator after its update.
    loss_g_gan = adversarial_loss(gan.discriminator(lightness, generated))
    assert losses["adversarial_loss"].item() == pytest.approx(loss_g_gan.item(), rel=1e-4)
    expected = torch.autograd.grad(loss_g_gan + 100 * l1_loss(generated, chroma), list(before.generator.parameters()))
    for gradient, weight in zip(expected, gan.generator.parameters(), strict=True):
        torch.testing.assert_close(weight.grad, gradient, rtol=1e-3, atol=1e-5)


@pytest.mark.parametrize(("adversarial", "passes"), [(True, (1, 3)), (False, (1, 0))])
def test_a_step_costs_no_more_than_it_needs(photographs, adversarial, passes):
    """Passes forward are counted, and operations: each way back costs as much as the way forward.

    The discriminator goes back to its weights for real and generated chroma, but not for the generator's sake.
    """
    gan, batch = gan_for(32), first(batches_of(photographs))
    lightness, chroma, *_ = batch
    operations = []
    for network, inputs in ((gan.generator, (lightness,)), (gan.discriminator, (lightness, chroma))):
        with FlopCounterMode(display=False) as forward, torch.no_grad():
            network(*inputs)
        operations.append(forward.get_total_flops())
    calls = {"generator": 0, "discriminator": 0}

    def count(name, module, *_):
        calls[name] += 1

    for name in calls:
        getattr(gan, name).register_forward_hook(partial(count, name))
    with FlopCounterMode(display=False) as step:
        gan.step(batch, adversarial=adversarial)
    assert tuple(calls.values()) == passes
    needed = 3 * operations[0] + (8 * operations[1] if adversarial else 0)
    assert 0.9 * needed < step.get_total_flops() <= needed


def test_bf16_learns_as_fp32_does(photographs):
    curves = []
    for precision in ("fp32", "bf16"):
        gan = gan_for(32, learning_rate=1e-3, precision=precision)
        losses = [
            gan.step(batch, adversarial=True)["l1_loss"].item()
            for epoch in range(1, 9)
            for batch in batches_of(photographs, epoch=epoch)
        ]
        curves.append(np.array(losses).reshape(8, -1).mean(axis=1))
        assert all(weight.dtype == torch.float32 for weight in gan.generator.state_dict().values() if weight.dim())
    assert curves[0][-1] < 0.8 * curves[0][0]
    assert curves[1] == pytest.approx(curves[0], rel=0.1)
    assert curves[1].mean() == pytest.approx(curves[0].mean(), rel=0.02)
    assert (curves[1] != curves[0]).any()  # another precision it was


def test_reading_touches_the_images_of_a_batch_alone_and_is_one_batch_ahead(photographs):
    class Counted:
        """A store that counts the images that are read, and tells when the second batch is asked for."""

        read, second = 0, threading.Event()

        def __getitem__(self, rows):
            if self.read:
                self.second.set()
            self.read += len(rows)
            return photographs[rows]

    store = Counted()
    batches = iter(
        TrainingBatches(store, np.arange(64), Normalization(), batch_size=8, flip=True, seed=0, epoch=1, device=CPU)
    )
    next(batches)
    assert store.second.wait(timeout=30)  # while the first is in use
    assert store.read == 16
    assert len(list(batches)) == 7
    assert store.read == 64


def test_memory_of_an_epoch_is_the_order_of_its_images():
    """Three columns of 8 bytes an image at most, whatever an image weighs: nothing else grows with their number."""
    images = np.arange(100_000)
    store = np.broadcast_to(np.uint8(0), (len(images), 32, 32, 3))
    tracemalloc.start()
    first(TrainingBatches(store, images, Normalization(), batch_size=8, flip=True, seed=0, epoch=1, device=CPU))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 26 * len(images)


def test_training_starts_without_the_compiler():
    """Importing it takes more than a second of every start."""
    script = (
        "import sys, torch; from tests.training.test_gan import *; "
        "batch = to_batch(np.zeros((2, 32, 32, 3), np.uint8), Normalization(), CPU); "
        "gan_for(32).step(batch, adversarial=True); "
        "sys.exit('torch._dynamo' in sys.modules)"
    )
    subprocess.run([sys.executable, "-c", script], cwd=ROOT, check=True)


@pytest.mark.parametrize(
    ("make", "most"),
    [
        # five convolutions besides are matrix products;
        # casts: weights and inputs to bf16, gradients back
        (
            partial(gan_for, 32, precision="bf16"),
            {"convolution": 15, "convolution_backward": 15, "_to_copy": 45, "copy_": 0},
        ),
        # 48 convolutions of the frozen encoder, which have no gradients, and none of its 96 tensors is averaged;
        # copies: two edges in each of three blurs
        (
            partial(pretrained_gan, swd_weight=1.0),
            {"convolution": 66, "convolution_backward": 18, "constant_pad_nd": 5, "copy_": 6},
        ),
    ],
)
def test_a_step_has_no_operators_to_spare(photographs, make, most):
    """Counts instead of seconds: on a busy machine, too, nobody adds a cast or a copy unnoticed."""
    gan, batch = make(), first(batches_of(photographs))
    gan.generator.train()
    gan.discriminator.train()
    gan.step(batch, adversarial=True)
    with Operators() as operators:
        gan.step(batch, adversarial=True)
    assert {name: operators.count[name] for name in most} == most
    averaging = {name: operators.count[name] for name in ("lerp_", "_foreach_lerp_")}
    assert averaging == {"lerp_": 0, "_foreach_lerp_": 1 if gan.recipe.ema_decay else 0}
    assert sum(operators.count.values()) < 380


SLOW_IF_SCATTERED = [  # two to eight times as slow
    "native_batch_norm",
    "native_batch_norm_backward",
    "leaky_relu_backward",
    "threshold_backward",
    "upsample_bilinear2d_backward",
    "convolution_backward",
]


@pytest.mark.parametrize("are_kept", [False, True])
def test_no_operator_gets_scattered_features(photographs, are_kept):
    """Those of a frozen encoder that were kept lie side by side in the rows of a table."""
    gan, batch = pretrained_gan(encoder_size=56, output="image"), first(batches_of(photographs))
    if are_kept:
        batch = batch._replace(encoded=gan.generator.encode(batch.lightness).detach())
    with Operators() as operators:
        gan.step(batch, adversarial=True)
    assert all(operators.count[name] for name in SLOW_IF_SCATTERED)
    assert {name: operators.scattered[name] for name in SLOW_IF_SCATTERED} == dict.fromkeys(SLOW_IF_SCATTERED, 0)


def test_l1_pretrain_epochs_leave_the_discriminator_alone(photographs):
    gan = gan_for(32)
    before = copy.deepcopy(gan.discriminator.state_dict())
    losses = gan.step(first(batches_of(photographs)), adversarial=False)
    assert set(losses) == {"l1_loss"}
    assert all(torch.equal(value, before[name]) for name, value in gan.discriminator.state_dict().items())


def test_a_frozen_encoder_stays_as_it_was_published(photographs):
    gan, published = pretrained_gan(), load_efficientnet_lite0().state_dict()
    before = copy.deepcopy(gan.generator.state_dict())
    gan.step(first(batches_of(photographs)), adversarial=True)
    for network in (gan.generator, gan.ema.module):
        assert all(torch.equal(weight, published[name]) for name, weight in network.encoder.state_dict().items())
    assert all(weight.grad is None for weight in gan.generator.encoder.parameters())
    assert not gan.encoder_optimizer.state
    after = gan.generator.state_dict()
    changed = {name.split(".")[0] for name in after if not torch.equal(after[name], before[name])}
    assert changed == {"normalize", "edges", "decoder", "upsample", "to_chroma"}


def test_a_pretrained_encoder_learns_at_its_own_rate(photographs):
    gan, published = pretrained_gan(encoder_learning_rate=1e-3), load_efficientnet_lite0().state_dict()
    gan.fit(batches_of(photographs[:8]), learning_rate=gan.recipe.learning_rate / 2, adversarial=False, first_step=0)
    steps = [
        (weight - published[name]).abs().max().item() for name, weight in gan.generator.encoder.state_dict().items()
    ]
    assert max(steps) == pytest.approx(5e-4, rel=0.01)  # Adam's first step is the rate
    assert min(steps) > 0


def test_a_generator_with_a_pretrained_encoder_learns_colours(photographs):
    gan = pretrained_gan()
    losses = [
        gan.fit(batches_of(photographs, epoch=epoch), learning_rate=1e-3, adversarial=epoch > 6, first_step=0)
        for epoch in range(1, 9)
    ]
    assert losses[-1]["l1_loss"] < 0.8 * losses[0]["l1_loss"]
    batch = first(batches_of(photographs))
    expected = copy.deepcopy(gan).step(batch, adversarial=False)["l1_loss"].item()
    gan.precision = "bf16"
    assert gan.step(batch, adversarial=False)["l1_loss"].item() == pytest.approx(expected, rel=0.02)


def test_one_batch_can_be_learned_by_heart(photographs):
    gan = gan_for(32, learning_rate=2e-3)
    batch = to_batch(photographs[:4], Normalization(), CPU)
    losses = [gan.step(batch, adversarial=True)["l1_loss"].item() for _ in range(150)]
    assert losses[-1] < losses[0] / 4


def test_a_last_batch_of_one_image_works_and_counts_as_one(photographs):
    store, counts = photographs[:9], []
    gan = gan_for(32)
    means = gan.fit(
        batches_of(store, batch_size=8),
        **EPOCH,
        on_batch=lambda count, losses: counts.append((count, losses["l1_loss"].item())),
    )
    assert [count for count, _ in counts] == [8, 1]
    assert means["l1_loss"] == pytest.approx(sum(count * loss for count, loss in counts) / 9, rel=1e-6)


def test_training_repeats_to_the_bit(photographs):
    weights = []
    for _ in range(2):
        gan = gan_for(32)
        gan.fit(batches_of(photographs), **EPOCH)
        weights.append(gan.generator.state_dict())
    assert all(torch.equal(weights[0][name], weights[1][name]) for name in weights[0])


def test_divergence_is_reported(photographs):
    gan = gan_for(32)
    with torch.no_grad():
        next(gan.generator.parameters()).fill_(torch.nan)
    with pytest.raises(DivergedError, match="training diverged: l1_loss nan"):
        gan.fit(batches_of(photographs), **EPOCH | {"adversarial": False})

    def predict(lightness):
        return np.full((*lightness.shape, 2), np.nan, np.float32)

    validator = Validator(
        store=photographs, images=np.arange(4), batch_size=4, on_step=lambda: None, pooled_features=None
    )
    with pytest.raises(DivergedError, match="the output is not finite"):
        validator(predict)


@pytest.mark.skipif(not torch.cuda.is_available(), reason=NO_GPU)
def test_a_gpu_computes_the_same_step(photographs):
    losses = []
    for device in (CPU, torch.device("cuda")):
        batch = first(batches_of(photographs, device=device))
        losses.append(gan_for(32, device=device).step(batch, adversarial=True))
    for name, loss in losses[0].items():
        assert losses[1][name].item() == pytest.approx(loss.item(), rel=1e-2)
