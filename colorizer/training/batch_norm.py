"""Batch normalization over the whole batch of all ranks: SyncBatchNorm, with a version of our own for CPUs."""

from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

from colorizer.training.distributed import ProcessGroup


def synchronize_batch_norm(network: nn.Module, group: ProcessGroup, device: torch.device) -> None:
    """Convert every batch norm of the network, in place, to use the statistics of the whole batch over all ranks.

    On a GPU this is torch.nn.SyncBatchNorm, which does not work on a CPU.
    """
    if device.type == "cuda":
        nn.SyncBatchNorm.convert_sync_batchnorm(network)
        return
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.__class__ = _SyncBatchNorm2d
            module.group = group  # type: ignore[assignment]


class _SyncBatchNorm2d(nn.BatchNorm2d):
    """BatchNorm2d over a batch that the ranks hold in parts, for CPUs."""

    group: ProcessGroup

    def forward(self, x: Tensor) -> Tensor:
        if not self.training:
            return super().forward(x)
        assert self.momentum is not None
        assert self.running_mean is not None
        assert self.running_var is not None
        normalized, mean, variance, count = _Normalize.apply(x, self.weight, self.bias, self.eps, self.group)
        with torch.no_grad():
            self.num_batches_tracked.add_(1)  # type: ignore[union-attr]
            self.running_mean.lerp_(mean, self.momentum)
            self.running_var.lerp_(variance * count / (count - 1).clamp(min=1), self.momentum)
        return normalized


class _Normalize(torch.autograd.Function):
    """x (n, C, H, W) of any floating dtype -> normalised x; mean (C,), variance (C,) and count () of all parts."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, bias: Tensor, eps: float, group: ProcessGroup) -> tuple:
        # The statistics of this part, then those of all parts together: count, sum and sum of squares.
        # running statistics, passed for their dtype alone: else a CPU rounds the result to that of x
        unused = torch.zeros_like(weight), torch.ones_like(weight)
        mean, variance = (own.double() for own in torch.batch_norm_update_stats(x, *unused, 0.0))
        square = variance + mean.square()
        count = torch.full_like(mean, x.numel() / x.shape[1])
        count, mean, square = group.all_reduce(torch.stack([count, mean * count, square * count]))
        mean = mean / count
        variance = (square / count - mean.square()).clamp_(min=0)
        mean, variance, count = mean.to(weight), variance.to(weight), count[0].to(weight)
        normalized, *_ = torch.native_batch_norm(x, weight, bias, mean, variance, False, 0.0, eps)
        ctx.save_for_backward(x, weight, mean, variance, count)
        ctx.eps, ctx.group = eps, group
        ctx.mark_non_differentiable(mean, variance, count)
        return normalized, mean, variance, count

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor, *_: None) -> tuple:
        x, weight, mean, variance, count = ctx.saved_tensors
        _, of_weight, of_bias = torch.ops.aten.native_batch_norm_backward(
            gradient, x, weight, mean, variance, None, None, False, ctx.eps, [False, True, True]
        )
        total_weight, total_bias = ctx.group.all_reduce(torch.stack([of_weight, of_bias]))
        # scale * gradient treats the statistics as constants; slope * x + offset is the gradient through them.
        scale = weight * (variance + ctx.eps).rsqrt()
        slope = -scale * total_weight / count * (variance + ctx.eps).rsqrt()
        offset = -scale * total_bias / count - slope * mean
        scale, slope, offset = (factor.view(1, -1, 1, 1).to(x.dtype) for factor in (scale, slope, offset))
        return torch.addcmul(offset, x, slope).addcmul_(gradient, scale), of_weight, of_bias, None, None
