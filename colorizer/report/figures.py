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
    figure, margins = _sheet(4.5 * panels, left=0.55, right=0.15)
    axes = figure.subplots(1, panels, sharex=True, gridspec_kw={**margins, "wspace": 0.15})
    axes[0].plot(history["epoch"], history["l1_loss"], marker="o", markersize=3, label="without hints")
    if "hint_l1_loss" in history:
        axes[0].plot(history["epoch"], history["hint_l1_loss"], marker="o", markersize=3, label="with hints")
        axes[0].legend()
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
    figure, margins = _sheet(2.6 * len(histograms) + 1.6, left=0.75, right=0.75)
    norm = LogNorm(vmin=1e-5, vmax=1)
    widths = [*[1] * len(histograms), 0.06]
    *panels, scale = figure.subplots(1, len(widths), width_ratios=widths, gridspec_kw={**margins, "wspace": 0.12})
    for axes, (name, counts) in zip(panels, histograms.items(), strict=True):
        share = (counts / counts.sum()).T
        picture = axes.imshow(share, origin="lower", extent=(-110, 110, -110, 110), norm=norm, cmap="viridis")
        axes.set(title=name, xlabel="a*")
        axes.label_outer()
    panels[0].set(ylabel="b*")
    figure.colorbar(picture, cax=scale, label="share of pixels", format="{x:.0e}")
    return figure


def plot_hints(curve: pd.DataFrame) -> Figure:
    """Plot PSNR and AB error against the number of hints, from the table of `hint_curve`."""
    figure, margins = _sheet(9.6, left=0.6, right=0.15)
    axes = figure.subplots(1, 2, gridspec_kw={**margins, "wspace": 0.15})
    counts = curve["count"].unique()
    for panel, (score, title) in zip(axes, {"psnr": "PSNR, dB", "ab_error": "AB error"}.items(), strict=True):
        for method, label in {"model": "model", "levin": "Levin et al. 2004"}.items():
            values = curve.loc[curve["method"] == method, score].to_numpy()
            panel.plot(range(len(counts)), values, marker="o", markersize=3, label=label)
            if method == "model":
                panel.axhline(values[0], color="C0", linestyle="dashed", linewidth=1, label="model without hints")
        panel.set(title=title, xlabel="true hints in each image")
        panel.set_xticks(range(len(counts)), counts)
        panel.grid(alpha=0.3)
    axes[1].set(ylim=(0, None))
    axes[0].legend()
    return figure


def _sheet(width: float, *, left: float, right: float) -> tuple[Figure, dict[str, float]]:
    """An empty figure and the margins of its panels; all in inches, the margins as shares of the figure's size.

    They are fixed, as it takes matplotlib a second to find them.
    """
    height, bottom, top = 3.2, 0.5, 0.3
    margins = {"left": left / width, "right": 1 - right / width, "bottom": bottom / height, "top": 1 - top / height}
    return Figure(figsize=(width, height)), margins


def save_figure(figure: Figure, path: Path) -> None:
    """Write a figure as PNG, without the metadata that would make equal figures differ."""
    with atomic_write(path) as partial:
        figure.savefig(partial, dpi=110, metadata={"Software": None})
