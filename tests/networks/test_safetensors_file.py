import json
import re

import pytest
import torch
from safetensors.torch import load_file, save_file

from colorizer.networks.safetensors_file import DamagedFileError, read_tensors, write_tensors

TENSORS = {
    "weight": torch.arange(24.0).reshape(2, 3, 4).transpose(0, 1),
    "step": torch.tensor(7.0),
    "count": torch.tensor(3),
    "half": torch.ones(3, dtype=torch.bfloat16),
    "empty": torch.zeros(0, 4),
}
METADATA = {"epoch": 3, "loss": 0.1 + 0.2, "name": "Süß"}


def test_what_was_written_is_read(tmp_path):
    write_tensors(tmp_path / "a" / "file.safetensors", TENSORS, METADATA)
    tensors, metadata = read_tensors(tmp_path / "a" / "file.safetensors")
    assert metadata == METADATA
    assert all(
        torch.equal(tensors[name], tensor) and tensors[name].dtype == tensor.dtype for name, tensor in TENSORS.items()
    )
    write_tensors(tmp_path / "b.safetensors", tensors, metadata)
    assert (tmp_path / "b.safetensors").read_bytes() == (tmp_path / "a" / "file.safetensors").read_bytes()


@pytest.mark.parametrize("damage", ["truncated", "a flipped bit", "other metadata", "a tensor more", "text", "gone"])
def test_damage_is_recognised_and_named(tmp_path, damage):
    path = tmp_path / "file.safetensors"
    write_tensors(path, TENSORS, METADATA)
    content = bytearray(path.read_bytes())
    if damage == "truncated":
        path.write_bytes(content[:-1])
    elif damage == "a flipped bit":
        content[-30] ^= 1
        path.write_bytes(content)
    elif damage == "other metadata":
        path.write_bytes(content.replace(rb"\"epoch\": 3", rb"\"epoch\": 4"))
    elif damage == "a tensor more":
        header = json.loads(content[8 : 8 + int.from_bytes(content[:8], "little")])["__metadata__"]
        save_file(load_file(path) | {"more": torch.zeros(1)}, path, header)
    elif damage == "text":
        path.write_text("not tensors", encoding="utf-8")
    else:
        path.unlink()
    with pytest.raises(DamagedFileError, match=rf"{re.escape(str(path))} is damaged or not of this project"):
        read_tensors(path)


def test_a_pickle_is_never_loaded(tmp_path):
    path = tmp_path / "file.safetensors"
    torch.save({"weight": torch.zeros(3)}, path)
    with pytest.raises(DamagedFileError):
        read_tensors(path)
