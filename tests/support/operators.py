"""Counts the operators that PyTorch carries out, forward and back: a guard of speed that no busy machine disturbs."""

from collections import Counter

from torch.utils._python_dispatch import TorchDispatchMode


class Operators(TorchDispatchMode):
    """Counts operators by their names, as in `with Operators() as operators: ...`."""

    def __init__(self):
        super().__init__()
        self.count = Counter()

    def __torch_dispatch__(self, operator, types, args=(), kwargs=None):
        self.count[operator.overloadpacket.__name__] += 1
        return operator(*args, **(kwargs or {}))
