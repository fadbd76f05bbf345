"""Which device and precision are taken."""

import pytest
import torch

from colorizer.core.errors import UserError
from colorizer.networks.devices import choose_device, choose_precision

CPU = torch.device("cpu")


def test_auto_takes_the_precision_that_the_cpu_is_fast_at(monkeypatch):
    for abilities, chosen in (({"avx512_bf16": True}, "bf16"), ({"amx_bf16": True}, "bf16"), ({"avx2": True}, "fp32")):
        monkeypatch.setattr(torch.cpu, "get_capabilities", lambda abilities=abilities: abilities)
        assert choose_precision("auto", CPU) == chosen
        assert choose_precision("fp32", CPU) == "fp32"


def test_asking_for_a_missing_gpu_is_refused(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert choose_device("auto") == CPU
    with pytest.raises(UserError, match=r"the device is cuda but PyTorch finds no GPU"):
        choose_device("cuda")
