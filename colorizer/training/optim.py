"""The optimizer of both networks."""

from collections.abc import Iterable

import torch
from torch import Tensor
from torch.optim.adam import adam


class ChannelsLastAdam:
    """Adam that passes weights to PyTorch's fused kernel in memory order, which is faster for channels-last weights.

    `torch.optim.Adam` passes such weights as they are. On a CPU, PyTorch 2.13 then copies all of them in each step, and
    it assumes that a gradient has the memory order of its weight, even if it does not. Here the same kernel, through
    the function `torch.optim.adam.adam`, gets views of weights, gradients and moments in memory order. This makes a
    training step about 5% faster (docs/performance.md).

    `state` holds `step`, `exp_avg` and `exp_avg_sq` of every weight that has had a gradient.
    """

    def __init__(self, weights: Iterable[Tensor], learning_rate: float, betas: tuple[float, float]) -> None:
        self.weights, self.learning_rate, self.betas = list(weights), learning_rate, betas
        self.state: dict[Tensor, dict[str, Tensor]] = {}

    def zero_grad(self) -> None:
        """Forget all gradients."""
        for weight in self.weights:
            weight.grad = None

    @torch.no_grad()
    def step(self) -> None:
        """Update every weight that has a gradient, in place."""
        gradients = [(weight, weight.grad) for weight in self.weights if weight.grad is not None]
        if not gradients:
            return
        for weight, _ in gradients:
            if weight not in self.state:
                step = torch.zeros((), dtype=torch.float32, device=weight.device)
                self.state[weight] = {
                    "step": step,
                    "exp_avg": torch.zeros_like(weight),
                    "exp_avg_sq": torch.zeros_like(weight),
                }
        states = [self.state[weight] for weight, _ in gradients]
        adam(
            [_in_memory_order(weight) for weight, _ in gradients],
            [_in_memory_order(gradient).contiguous() for _, gradient in gradients],
            [_in_memory_order(state["exp_avg"]) for state in states],
            [_in_memory_order(state["exp_avg_sq"]) for state in states],
            [],
            [state["step"] for state in states],
            fused=True,
            amsgrad=False,
            lr=self.learning_rate,
            beta1=self.betas[0],
            beta2=self.betas[1],
            eps=1e-8,
            weight_decay=0.0,
            maximize=False,
        )


def _in_memory_order(tensor: Tensor) -> Tensor:
    """View a convolution's weight (O, I, H, W), channels last, as the contiguous (O, H, W, I)."""
    return tensor.permute(0, 2, 3, 1) if tensor.dim() == 4 else tensor
