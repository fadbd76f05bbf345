"""Counts the operators that PyTorch carries out, forward and back: a guard of speed that no busy machine disturbs."""

from collections import Counter

import torch
from torch.utils._python_dispatch import TorchDispatchMode


class Operators(TorchDispatchMode):
    """Counts operators by their names, as in `with Operators() as operators: ...`.

    `count` has all but views, which compute nothing; `scattered` those of them that got feature maps which do not lie
    in dense memory, channels last.
    """

    def __init__(self):
        super().__init__()
        self.count, self.scattered = Counter(), Counter()

    def __torch_dispatch__(self, operator, types, args=(), kwargs=None):
        if not any(result.alias_info and not result.alias_info.is_write for result in operator._schema.returns):
            name = operator.overloadpacket.__name__
            self.count[name] += 1
            maps = [arg for arg in args if isinstance(arg, torch.Tensor) and arg.dim() == 4]
            self.scattered[name] += any(not map_.is_contiguous(memory_format=torch.channels_last) for map_ in maps)
        return operator(*args, **(kwargs or {}))
