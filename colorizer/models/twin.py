"""Colours on the CPU with a model's twin, the same model as ONNX: importing PyTorch takes longer than a photograph.

The twin is made at the first use, checked against PyTorch, and kept in the user's cache folder.
"""

import os
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryDirectory

from platformdirs import user_cache_path

from colorizer.core.digests import file_digest
from colorizer.core.errors import UserError
from colorizer.models.model import Model, load_model, model_of_onnx

_KIND = 1  # of the exporter: a twin of another one is made again
_KEPT = 8  # twins, those that were used last; each is about as large as its model
_CHECKED_ON = 2  # photographs: `python -m colorizer export` takes all that are built in
_CARDS = ("/dev/nvidia0", "/dev/nvidiactl", "/dev/dxg")  # on Linux, and on Linux within Windows


def load_for_photographs(path: Path) -> Model:
    """Load a model to colour photographs: on a GPU with PyTorch if there is an NVIDIA card, else with ONNX Runtime.

    Takes what `load_model` takes. The twin of a .safetensors file is kept under the hash of that file, so whatever
    changes the file makes PyTorch read it again. A twin that is damaged is made again; one that cannot be kept is made
    for this process alone. Raises the errors of `load_model`.
    """
    if path.suffix != ".safetensors" or any(Path(card).exists() for card in _CARDS):
        return load_model(path)
    twin = None
    if path.is_file():
        twin = _folder() / f"{file_digest(path)[:32]}-{_KIND}.onnx"
        with suppress(OSError, UserError):  # there is none yet, or it is damaged
            model = model_of_onnx(twin.read_bytes(), twin)
            os.utime(twin)
            return model

    from colorizer.models.export import to_onnx  # imports PyTorch, which takes seconds

    content, _ = to_onnx(path, _CHECKED_ON)
    if twin:
        with suppress(OSError):  # a cache that cannot be written to, a full disk
            _keep(content, twin)
    return model_of_onnx(content, path)


def _folder() -> Path:
    return user_cache_path("colorizer", appauthor=False) / "twins"


def _keep(content: bytes, twin: Path) -> None:
    twin.parent.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(dir=twin.parent) as temporary:  # several processes may make it at the same time
        partial = Path(temporary) / twin.name
        partial.write_bytes(content)
        partial.replace(twin)
    newest_first = sorted(twin.parent.glob("*.onnx"), key=lambda path: path.stat().st_mtime, reverse=True)
    for old in newest_first[_KEPT:]:
        old.unlink(missing_ok=True)
