"""Fréchet distance between the features of coloured and of true photographs: one figure for realism.

It is computed as the FID of the literature is, but with the features of another network, so the two do not compare.
Source: Heusel et al., "GANs Trained by a Two Time-Scale Update Rule" (2017).
"""

import numpy as np
from numpy.typing import NDArray


def frechet_distance(features: NDArray[np.float64], truth: NDArray[np.float64]) -> float:
    """Compute the Fréchet distance of two sets of features (n, d) and (m, d), taken for normal distributions; n, m > 1.

    |mean - mean'|^2 + trace(C + C' - 2 (C C')^0.5) with the covariances C, C': 0 for equal sets. The fewer images, the
    larger it is: compare only distances of equally many.
    """
    difference = features.mean(axis=0) - truth.mean(axis=0)
    covariance, true_covariance = (np.cov(x, rowvar=False) for x in (features, truth))
    # C C' and the symmetric C^0.5 C' C^0.5 have the same eigenvalues.
    values, vectors = np.linalg.eigh(covariance)
    root = (vectors * np.sqrt(np.maximum(values, 0))) @ vectors.T
    trace_of_root = np.sqrt(np.maximum(np.linalg.eigvalsh(root @ true_covariance @ root), 0)).sum()
    distance = difference @ difference + np.trace(covariance) + np.trace(true_covariance) - 2 * trace_of_root
    return float(max(distance, 0.0))
