"""The metadata of this project's safetensors files: models, and states that a training resumes from."""

import json
from pathlib import Path
from typing import Any

from safetensors import safe_open

# One key of safetensors metadata: several would be written in an arbitrary order, and equal contents be unequal bytes.
METADATA_KEY = "colorizer"


def read_metadata(path: Path) -> dict[str, Any]:
    """Read what `write_tensors` wrote beside the tensors, from the file's header: at once, and without PyTorch.

    The checksum, which is of tensors and metadata, is not compared; `read_tensors` does. Raises FileNotFoundError, and
    SafetensorError for a file of another kind.
    """
    with safe_open(path, framework="numpy") as file:
        return json.loads(file.metadata()[METADATA_KEY])["metadata"]
