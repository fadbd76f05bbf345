"""The report's plots. Sheets of photographs are made elsewhere: importing matplotlib takes half a second."""

from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.colors import LogNorm
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from numpy.typing import NDArray

from colorizer.core.files import atomic_write


def plot_history(history: pd.DataFrame) -> Figure:
    """Plot the losses over the epochs and, if there are validation images, the scores that choose the model."""
    scores = [name for name in ("combined_score", "histogram_distance") if f"validation_{name}" in history]
    panels = 3 if scores else 2
    figure = Figure(figsize=(4.5 * panels, 3.2), layout="constrained")
    axes = figure.subplots(1, panels, sharex=True)
    axes[0].plot(history["epoch"], history["l1_loss"], marker="o", markersize=3)
    axes[0].set(title="L1 of normalised chroma", ylim=(0, None))
    for name in ("discriminator_loss", "adversarial_loss"):
        axes[1].plot(history["epoch"], history[name], marker="o", markersize=3, label=name.replace("_", " "))
    axes[1].set(title="binary cross-entropy")
    axes[1].legend()
    for name in scores:
        label = name.replace("_", " ")
        axes[2].plot(history["epoch"], history[f"validation_{name}"], marker="o", markersize=3, label=label)
    if scores:
        axes[2].set(title="validation images", ylim=(0, None))
        axes[2].legend()
    for panel in axes:
        panel.set(xlabel="epoch")
        panel.grid(alpha=0.3)
        panel.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
    return figure


def plot_histograms(histograms: dict[str, NDArray[np.float64]]) -> Figure:
    """Plot pooled AB histograms (22, 22), by name, beside each other on one logarithmic scale."""
    figure = Figure(figsize=(3.2 * len(histograms) + 0.8, 3.2), layout="constrained")
    norm = LogNorm(vmin=1e-5, vmax=1)
    for axes, (name, counts) in zip(figure.subplots(1, len(histograms)), histograms.items(), strict=True):
        share = (counts / counts.sum()).T
        picture = axes.imshow(share, origin="lower", extent=(-110, 110, -110, 110), norm=norm, cmap="viridis")
        axes.set(title=name, xlabel="a*", ylabel="b*")
    figure.colorbar(picture, label="share of pixels")
    return figure


def save_figure(figure: Figure, path: Path) -> None:
    """Write a figure as PNG, without the metadata that would make equal figures differ."""
    with atomic_write(path) as partial:
        figure.savefig(partial, dpi=110, metadata={"Software": None})
