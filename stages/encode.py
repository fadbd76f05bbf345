"""Compute once what a frozen encoder sees in the training images, so that no epoch has to."""

import numpy as np

from colorizer.core.errors import UserError
from colorizer.core.normalization_file import read_normalization
from colorizer.core.progress import Progress
from colorizer.core.store import open_store, read_image_numbers, write_store
from settings.params import Params
from settings.paths import ENCODED_IMAGES, LAB_STORE, NORMALIZATION, TRAIN_IMAGES
from stages.runtime.entry import run_stage


def encode(params: Params) -> None:
    options = params.train
    if options.generator.encoder == "plain" or options.encoder_learning_rate or not params.encode.cache_features:
        write_store(ENCODED_IMAGES, [], (0, 0), np.float16)
        print("encode: no features to keep: the encoder learns, or encode.cache_features is false")
        return
    from colorizer.networks.devices import open_device  # PyTorch takes seconds to import
    from colorizer.networks.encoded_images import encode_images
    from colorizer.networks.generator import build_generator
    from colorizer.networks.pretrained_unet import PretrainedUNet

    store, images = open_store(LAB_STORE), read_image_numbers(TRAIN_IMAGES)
    device, precision = open_device(options.device, options.precision)
    image_shape = store.shape[1], store.shape[2]
    generator = build_generator(image_shape, **options.generator.model_dump())
    assert isinstance(generator, PretrainedUNet)
    shape = len(images) * (2 if options.flip else 1), generator.num_features(image_shape)
    with Progress("encode", total=shape[0]) as progress:
        chunks = encode_images(
            generator,
            store,
            images,
            read_normalization(NORMALIZATION),
            flip=options.flip,
            device=device,
            precision=precision,
            on_images=progress.advance,
        )
        try:
            write_store(ENCODED_IMAGES, chunks, shape, np.float16)
        except UserError as error:
            raise UserError(f"{error}, or set encode.cache_features to false, which takes longer") from error
    print(f"encode: {shape[1]} features of each of {shape[0]} images, {shape[0] * shape[1] * 2 / 1e9:.2f} GB")


if __name__ == "__main__":
    run_stage(encode)
