"""Loads trained models, from the pipeline's own files or from their exports to ONNX."""

import hashlib
import json
import shlex
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import numpy as np
from numpy.typing import NDArray

from colorizer.core.digests import fingerprint
from colorizer.core.errors import UserError
from colorizer.core.hints import no_hints
from colorizer.core.lab import Lightness, Normalization

if TYPE_CHECKING:
    from colorizer.networks.devices import PrecisionOrAuto  # imports PyTorch, which takes seconds
    from colorizer.networks.generator import Generator

ONNX_METADATA = "colorizer"  # the key under which an ONNX file holds its `ModelInfo`, and the digest of its bytes
NO_DIGEST = "0" * 64  # placeholder for the digest while it is computed


@dataclass(frozen=True, kw_only=True)
class ModelInfo:
    """What its users have to know about a model.

    side_multiple: both sides of its input are multiples of it. training_size: the shorter side of the images that it
    was trained on, in pixels. lightness_is: what the codes of L are made of. epoch: the one that it was saved after.
    takes_hints: whether it takes colours that are known at some pixels.
    """

    side_multiple: int
    training_size: int
    lightness_is: Lightness
    epoch: int
    takes_hints: bool = False


class Predictor(Protocol):
    """What a model colours images with."""

    def __call__(self, lightness: NDArray[np.uint8], *, hints: NDArray[np.uint8] | None = None) -> NDArray[np.float32]:
        """Turn codes of L (N, H, W) into codes of A, B (N, H, W, 2).

        H and W are multiples of `ModelInfo.side_multiple`. `hints` (N, H, W, 3) as in `colorizer.core.hints` are for
        models that take them.
        """


@dataclass(frozen=True, kw_only=True)
class Model:
    """A trained model, ready to colour.

    identity: the fingerprint of the training, and the epoch. It does not depend on the file's name: the chosen epoch,
    its checkpoint, its export and its registered version share it.
    """

    predict: Predictor
    info: ModelInfo
    identity: str


def load_model(path: Path, device: str = "auto", precision: "PrecisionOrAuto" = "auto") -> Model:
    """Load a model from a .safetensors file of the pipeline, or from an .onnx file exported from one.

    `device` (auto, cpu or cuda) and `precision` (auto is bf16 where the device is fast at it) are for the former; ONNX
    runs on the CPU in fp32, without importing PyTorch. Raises UserError when the file is missing, damaged or of another
    kind.
    """
    if path.suffix == ".onnx":
        return _load_onnx(path)
    if path.suffix == ".safetensors":
        return _load_safetensors(path, device, precision)
    raise UserError(f"{path} is not a model: expected a .safetensors file of the pipeline or an .onnx export of one")


def model_info(generator: "Generator", metadata: dict) -> ModelInfo:
    """Build the `ModelInfo` of a generator and the metadata of its file."""
    # Older files have no image_shape. They were trained on about this size, with the largest possible num_downs.
    image_shape = metadata.get("image_shape", [2 * generator.side_multiple])
    return ModelInfo(
        side_multiple=generator.side_multiple,
        training_size=min(image_shape),
        lightness_is=Normalization(**metadata["normalization"]).lightness_is,
        epoch=metadata["epoch"],
        takes_hints=generator.takes_hints,
    )


def _load_safetensors(path: Path, device: str, precision: "PrecisionOrAuto") -> Model:
    from colorizer.networks.checkpoints import generate_chroma, load_generator  # PyTorch takes seconds to import
    from colorizer.networks.devices import choose_device, choose_precision

    chosen = choose_device(device)
    generator, normalization, metadata = load_generator(path, chosen)
    return Model(
        predict=partial(
            generate_chroma,
            generator,
            normalization,
            device=chosen,
            precision=choose_precision(precision, chosen),
        ),
        info=model_info(generator, metadata),
        identity=_identity(metadata["training"], metadata["epoch"]),
    )


def _identity(training: dict, epoch: int) -> str:
    return f"{fingerprint(training)}/{epoch}"


def _load_onnx(path: Path) -> Model:
    if not path.is_file():
        command = f"python -m colorizer export --onnx {shlex.quote(str(path))}"
        raise UserError(f"{path} is missing: make it with `{command}`")
    return model_of_onnx(path.read_bytes(), path)


def model_of_onnx(content: bytes, path: Path) -> Model:
    """Load a model from the content of an .onnx file that `python -m colorizer export` made.

    Raises UserError, which names `path`, when it is damaged or of another kind.
    """
    import onnxruntime
    from onnxruntime.capi import onnxruntime_pybind11_state as errors

    try:
        options = onnxruntime.SessionOptions()
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        session = onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])
        about = json.loads(session.get_modelmeta().custom_metadata_map[ONNX_METADATA])
        info, digest = ModelInfo(**about["facts"]), str(about["sha256"])
        identity = _identity(about["training"], info.epoch)
    except (
        errors.Fail,
        errors.InvalidArgument,
        errors.InvalidGraph,
        errors.InvalidProtobuf,
        errors.NotImplemented,
        errors.RuntimeException,
    ) as error:
        raise UserError(f"{path} is damaged or not an ONNX file: export it again") from error
    except (KeyError, TypeError, ValueError) as error:
        raise UserError(f"{path} is an ONNX file, but not one that `python -m colorizer export` made") from error

    if hashlib.sha256(content.replace(digest.encode(), NO_DIGEST.encode())).hexdigest() != digest:
        raise UserError(f"{path} is damaged (its checksum does not match its contents): export it again")

    def predict(lightness: NDArray[np.uint8], *, hints: NDArray[np.uint8] | None = None) -> NDArray[np.float32]:
        inputs = {"lightness": lightness[:, None].astype(np.float32)}
        if info.takes_hints:
            known = no_hints(lightness.shape) if hints is None else hints
            inputs["hints"] = np.moveaxis(known, -1, 1).astype(np.float32)
        try:
            [chroma] = session.run(None, inputs)
        except (errors.Fail, errors.RuntimeException) as error:
            raise RuntimeError(str(error)) from error  # as PyTorch's are
        return np.moveaxis(chroma, 1, -1)

    return Model(predict=predict, info=info, identity=identity)
