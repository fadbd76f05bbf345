"""Exports the generator to an ONNX file that needs nothing of this project, and checks it against PyTorch."""

import hashlib
import io
import json
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from functools import partial
from itertools import islice
from pathlib import Path

import cv2
import numpy as np
import onnx
import torch
from torch import Tensor, nn

from colorizer.core.errors import UserError
from colorizer.core.files import atomic_write
from colorizer.core.hints import PLANES, no_hints, reveal
from colorizer.core.lab import Normalization, rgb_to_codes
from colorizer.data.sample import PHOTOGRAPHS, built_in_photographs
from colorizer.models.model import NO_DIGEST, ONNX_METADATA, Model, ModelInfo, Predictor, model_info, model_of_onnx
from colorizer.networks.checkpoints import generate_chroma, load_generator
from colorizer.networks.generator import Generator
from colorizer.networks.layers import normalized_hints

LARGEST_DIFFERENCE = 1e-4  # of normalised chroma
_OPSET = 18
_USE = (
    "Input `lightness`: float32 (N, 1, H, W), {codes} of the photograph, from 0 to 255; H and W multiples of "
    "{info.side_multiple}. Output `chroma`: float32 (N, 2, H, W), a* + 128 and b* + 128. The network was trained on "
    "images whose shorter side has {info.training_size} px: make the photograph about that small, enlarge the chroma, "
    "and join it with the photograph's own L*."
)
_USE_OF_HINTS = (
    " Input `hints`: float32 (N, 3, H, W), a* + 128, b* + 128 and 1 where the colour is known, 0, 0, 0 elsewhere."
)
_CODES = {"L*": "L* x 255/100", "luma": "the grey value (BT.601)"}


@dataclass(frozen=True, kw_only=True)
class Check:
    """The largest difference of normalised chroma between the export and PyTorch, and on how many photographs."""

    difference: float
    num_photographs: int


class _CodesToCodes(nn.Module):
    """The generator between its normalisation: codes of L (N, 1, H, W) float -> codes of A, B (N, 2, H, W).

    A generator that takes hints gets their planes (N, 3, H, W) float as well.
    """

    def __init__(self, generator: Generator, normalization: Normalization) -> None:
        super().__init__()
        self.generator, self.normalization = generator, normalization

    def forward(self, lightness: Tensor, *hints: Tensor) -> Tensor:
        known = [normalized_hints(planes, self.normalization) for planes in hints]
        return self.normalization.chroma_codes(self.generator(self.normalization.lightness(lightness), *known))


def export_onnx(model: Path, out: Path) -> Check:
    """Write a generator as ONNX with dynamic batch and size, normalisation included.

    The file says in its description how to use it, and in its metadata what `load_model` has to know. `out` appears
    once ONNX Runtime gives what PyTorch gives on the built-in photographs. Raises UserError when the model cannot be
    read, RuntimeError when they differ by more than LARGEST_DIFFERENCE.
    """
    if model.suffix == ".onnx":
        raise UserError(f"{model} is an export already: export a .safetensors file of the pipeline")
    content, check = to_onnx(model)
    with atomic_write(out) as temporary:
        temporary.write_bytes(content)
    return check


@contextmanager
def _one_thread() -> Iterator[None]:
    """PyTorch's threads wait for each other, on a busy machine ten times as long as so small a network computes."""
    num_threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(num_threads)


@_one_thread()
def to_onnx(model: Path, num_photographs: int = len(PHOTOGRAPHS)) -> tuple[bytes, Check]:
    """Make the content of the file that `export_onnx` writes, compared with PyTorch on some built-in photographs.

    Raises the errors of `export_onnx`.
    """
    generator, normalization, metadata = load_generator(model, torch.device("cpu"))
    info = model_info(generator, metadata)
    exported = _trace(_CodesToCodes(generator, normalization).eval(), info)
    exported.doc_string = _USE.format(codes=_CODES[info.lightness_is], info=info)
    if info.takes_hints:
        exported.doc_string += _USE_OF_HINTS
    entry = exported.metadata_props.add()
    entry.key = ONNX_METADATA
    about = {"facts": asdict(info), "scores": metadata["scores"], "training": metadata["training"]}
    entry.value = json.dumps(about | {"sha256": NO_DIGEST}, sort_keys=True)
    content = exported.SerializeToString(deterministic=True)
    content = content.replace(NO_DIGEST.encode(), hashlib.sha256(content).hexdigest().encode())
    original = partial(generate_chroma, generator, normalization, device=torch.device("cpu"))
    check = _compare(model_of_onnx(content, model), original, normalization, num_photographs)
    if not check.difference <= LARGEST_DIFFERENCE:
        raise RuntimeError(f"ONNX Runtime differs from PyTorch by {check.difference:.1e} of normalised chroma")
    return content, check


def _trace(network: nn.Module, info: ModelInfo) -> onnx.ModelProto:
    """Export by TorchScript, as PyTorch did it first: what it has instead takes 40 times as long.

    Its successor (`dynamo=True`) keeps the sides of the image as symbols and proves with SymPy, three times over, what
    the sides of every layer are.
    """
    content = io.BytesIO()
    planes = {"lightness": 1, "hints": PLANES} if info.takes_hints else {"lightness": 1}
    sides = {0: "batch", 2: "height", 3: "width"}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of its age, and of Python's numbers in the networks, which `_compare` tries
        torch.onnx.export(
            network,
            tuple(torch.zeros(2, count, 2 * info.side_multiple, 3 * info.side_multiple) for count in planes.values()),
            content,  # type: ignore[arg-type]
            input_names=list(planes),
            output_names=["chroma"],
            dynamic_axes=dict.fromkeys((*planes, "chroma"), sides),
            opset_version=_OPSET,
            dynamo=False,
        )
    document = onnx.load_from_string(content.getvalue())
    for node in document.graph.node:
        node.doc_string = ""  # in whose folders the code was
    return document


def _compare(exported: Model, original: Predictor, normalization: Normalization, num_photographs: int) -> Check:
    """On the first built-in photographs, at the size of the training and at twice that, alone and as a batch.

    A model that takes hints gets one on each photograph.
    """
    multiple, largest = exported.info.side_multiple, 0.0
    for size in (exported.info.training_size, 2 * exported.info.training_size):
        inputs = []
        for _, pixels in islice(built_in_photographs(), num_photographs):
            sides = (max(1, round(size * side / min(pixels.shape[:2]) / multiple)) for side in pixels.shape[1::-1])
            small = cv2.resize(pixels, [side * multiple for side in sides], interpolation=cv2.INTER_AREA)
            inputs.append(rgb_to_codes(np.asarray(small, np.uint8)))
        batches = [codes[None] for codes in inputs] + [np.stack([inputs[0], inputs[0][::-1, ::-1]])]
        for batch in batches:
            lightness, hints = batch[..., 0], None
            if exported.info.takes_hints:
                hints = no_hints(lightness.shape)
                for planes, codes in zip(hints, batch, strict=True):
                    reveal(planes, codes, codes.shape[0] // 3, codes.shape[1] // 3, 2)
            difference = np.abs(exported.predict(lightness, hints=hints) - original(lightness, hints=hints)).max()
            largest = max(largest, float(difference) / normalization.chroma_scale)
    return Check(difference=largest, num_photographs=num_photographs)
