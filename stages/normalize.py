"""Measure the pixels, refuse a wrong encoding, and fix the map from codes to [-1, 1]."""

import json

from colorizer.core.files import write_columns, write_text
from colorizer.core.store import iterate_store, open_store
from colorizer.data.pixel_statistics import check_encoding, measure, to_document
from settings.params import Params
from settings.paths import AB_HISTOGRAM, LAB_STORE, NORMALIZATION
from stages.runtime.entry import run_stage


def normalize(params: Params) -> None:
    statistics = measure(iterate_store(open_store(LAB_STORE)))
    check_encoding(statistics, max_outside_srgb=params.normalize.max_outside_srgb)
    document = to_document(statistics)
    write_text(NORMALIZATION, json.dumps(document, indent=2) + "\n")
    a, b = statistics.ab_counts.nonzero()
    histogram = {"a_code": a, "b_code": b, "pixels": statistics.ab_counts[a, b]}
    write_columns(AB_HISTOGRAM, histogram)
    verdict = {"L*": "as with true L*", "luma": "L is luma, or some images are paired with the wrong colours"}
    print(f"normalize: {statistics.outside_srgb:.2%} of the pixels outside sRGB: {verdict[statistics.lightness_is]}")


if __name__ == "__main__":
    run_stage(normalize)
