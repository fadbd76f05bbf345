"""Exports the generator to an ONNX file that needs nothing of this project, and checks it against PyTorch."""

import hashlib
import json
import logging
import warnings
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import onnx
import torch
from torch import Tensor, nn

from colorizer.core.errors import UserError
from colorizer.core.files import atomic_write
from colorizer.core.lab import Normalization
from colorizer.data.sample import built_in_photographs
from colorizer.models.model import NO_DIGEST, ONNX_METADATA, Model, load_model, model_info
from colorizer.networks.checkpoints import load_generator
from colorizer.networks.generator import Generator
from colorizer.photographs.colorizing import Colorizer
from colorizer.photographs.photographs import Photograph

LARGEST_DIFFERENCE = 1e-4  # of normalised chroma
_OPSET = 18
_USE = (
    "Input `lightness`: float32 (N, 1, H, W), {codes} of the photograph, from 0 to 255; H and W multiples of "
    "{info.side_multiple}. Output `chroma`: float32 (N, 2, H, W), a* + 128 and b* + 128. The network was trained on "
    "images whose shorter side has {info.training_size} px: make the photograph about that small, enlarge the chroma, "
    "and join it with the photograph's own L*."
)
_CODES = {"L*": "L* x 255/100", "luma": "the grey value (BT.601)"}


@dataclass(frozen=True, kw_only=True)
class Check:
    """The largest difference of normalised chroma between the export and PyTorch, and on how many photographs."""

    difference: float
    num_photographs: int


class _CodesToCodes(nn.Module):
    """The generator between its normalisation: codes of L (N, 1, H, W) float -> codes of A, B (N, 2, H, W)."""

    def __init__(self, generator: Generator, normalization: Normalization) -> None:
        super().__init__()
        self.generator, self.normalization = generator, normalization

    def forward(self, lightness: Tensor) -> Tensor:
        return self.normalization.chroma_codes(self.generator(self.normalization.lightness(lightness)))


def export_onnx(model: Path, out: Path) -> Check:
    """Write a generator as ONNX with dynamic batch and size, normalisation included.

    The file says in its description how to use it, and in its metadata what `load_model` has to know. `out` appears
    once ONNX Runtime gives what PyTorch gives on the built-in photographs. Raises UserError when the model cannot be
    read, RuntimeError when they differ by more than LARGEST_DIFFERENCE.
    """
    if model.suffix == ".onnx":
        raise UserError(f"{model} is an export already: export a .safetensors file of the pipeline")
    generator, normalization, metadata = load_generator(model, torch.device("cpu"))
    info = model_info(generator, metadata)
    exported = _trace(_CodesToCodes(generator, normalization).eval(), info.side_multiple)
    exported.doc_string = _USE.format(codes=_CODES[info.lightness_is], info=info)
    entry = exported.metadata_props.add()
    entry.key = ONNX_METADATA
    about = {"facts": asdict(info), "scores": metadata["scores"], "training": metadata["training"]}
    entry.value = json.dumps(about | {"sha256": NO_DIGEST}, sort_keys=True)
    content = exported.SerializeToString(deterministic=True)
    with atomic_write(out) as partial:
        partial.write_bytes(content.replace(NO_DIGEST.encode(), hashlib.sha256(content).hexdigest().encode()))
        check = _compare(load_model(partial), load_model(model, "cpu", "fp32"), normalization)
        if not check.difference <= LARGEST_DIFFERENCE:
            raise RuntimeError(f"ONNX Runtime differs from PyTorch by {check.difference:.1e} of normalised chroma")
    return check


def _trace(network: nn.Module, side_multiple: int) -> onnx.ModelProto:
    height, width = (torch.export.Dim(name, min=1, max=2**10) * side_multiple for name in ("rows", "columns"))
    logging.getLogger("torch.onnx").setLevel(logging.ERROR)  # it tells whoever has no torchvision
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of the exporter's own code
        program = torch.onnx.export(
            network,
            (torch.zeros(2, 1, 2 * side_multiple, 3 * side_multiple),),
            input_names=["lightness"],
            output_names=["chroma"],
            dynamic_shapes={"lightness": {0: torch.export.Dim("batch"), 2: height, 3: width}},
            opset_version=_OPSET,
            dynamo=True,
            verbose=False,
        )
    assert program is not None
    document = program.model_proto
    for node in document.graph.node:
        del node.metadata_props[:]  # in whose folders the code was
        node.doc_string = ""
    return document


def _compare(exported: Model, original: Model, normalization: Normalization) -> Check:
    """On the built-in photographs, at the size of the training and at twice that, alone and as a batch."""
    photographs = [Photograph(pixels=pixels) for _, pixels in built_in_photographs()]
    largest = 0.0
    for size in (exported.info.training_size, 2 * exported.info.training_size):
        inputs = [Colorizer(model=original, size=size).network_input(photograph) for photograph in photographs]
        batches = [codes[None] for codes in inputs] + [np.stack([inputs[0], inputs[0][::-1, ::-1]])]
        for batch in batches:
            difference = np.abs(exported.predict(batch) - original.predict(batch)).max()
            largest = max(largest, float(difference) / normalization.chroma_scale)
    return Check(difference=largest, num_photographs=len(photographs))
