"""What `colorize --like` does: AB error of photographs with and without the colours of a reference.

    python -m benchmarks.reference [MODEL ...] [--photographs FOLDER]

Each photograph gives four pairs of crops that overlap or show the same at another size: one is coloured, the other is
the reference. Unrelated references are crops of other photographs. Photographs: the eight that are built in, and two of
scikit-image that no model of the sample has seen; or those of a folder. The last column counts pairs whose error is
larger by more than 10%.
"""

import argparse
import importlib.util
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from colorizer.core.lab import rgb_to_codes
from colorizer.core.progress import Progress
from colorizer.data.sample import built_in_photographs
from colorizer.models.model import Model
from colorizer.models.registry import MODEL_PATH
from colorizer.models.twin import load_for_photographs
from colorizer.photographs.colorizing import Colorizer
from colorizer.photographs.decoding import read_photograph
from colorizer.photographs.files import find_photographs
from colorizer.photographs.photographs import Photograph
from colorizer.references.descriptors import Describe, load_descriptors
from colorizer.references.like import reference_codes, voting_model
from colorizer.references.voting import References

UNSEEN = ("hubble_deep_field.jpg", "retina.jpg")  # of scikit-image, in colour, and not in the sample
# Top, left, bottom, right, as shares of the sides: what is coloured, and the reference.
PAIRS = (
    ((0, 0, 0.67, 0.67), (0.33, 0.33, 1, 1)),  # a quarter in common
    ((0, 0.33, 0.67, 1), (0.33, 0, 1, 0.67)),  # the same, the other way
    ((0, 0, 1, 0.6), (0, 0.4, 1, 1)),  # a third in common
    ((0.25, 0.25, 0.75, 0.75), (0, 0, 1, 0.6)),  # 0.7 in common, smaller in the reference
)
OTHERS = (1, 3, 5)  # as many photographs further on is an unrelated one


def photographs() -> Iterator[tuple[str, NDArray[np.uint8]]]:
    """The built-in photographs, and then those of scikit-image that are not in the sample: name and sRGB."""
    yield from built_in_photographs()
    spec = importlib.util.find_spec("skimage")
    assert spec
    assert spec.origin
    for name in UNSEEN:
        yield name, np.asarray(Image.open(Path(spec.origin).parent / "data" / name).convert("RGB"))


def crop(pixels: NDArray[np.uint8], shares: tuple[float, float, float, float]) -> Photograph:
    """Cut a crop out of a photograph (H, W, 3)."""
    height, width = pixels.shape[:2]
    top, left, bottom, right = shares
    part = pixels[int(top * height) : int(bottom * height), int(left * width) : int(right * width)]
    return Photograph(pixels=np.ascontiguousarray(part))


def ab_error(model: Model, photograph: Photograph) -> float:
    """Colour a photograph's lightness at its own size, and compare with its colours: AB error."""
    colored = Colorizer(model=model, size=model.info.training_size)(photograph)
    difference = rgb_to_codes(colored.pixels)[..., 1:].astype(float) - rgb_to_codes(photograph.pixels)[..., 1:]
    return float(np.abs(difference).mean())


def liked(model: Model, reference: Photograph, describe: Describe) -> Model:
    """The model, with the colours of a reference."""
    codes = reference_codes(reference, model, model.info.training_size)
    return voting_model(model, References.of([codes], describe))


def compare(
    model: Model, found: dict[str, NDArray[np.uint8]], describe: Describe
) -> Iterator[tuple[str, str, float, float]]:
    """Yield for every pair the photograph, the kind of its reference, and the AB error without and with it."""
    names = list(found)
    alone = {(name, i): crop(found[name], asked) for name in names for i, (asked, _) in enumerate(PAIRS)}
    errors = {key: ab_error(model, photograph) for key, photograph in alone.items()}
    for place, name in enumerate(names):
        related = [(i, name, "related") for i in range(len(PAIRS))]
        unrelated = [(i % len(PAIRS), names[(place + step) % len(names)], "unrelated") for i, step in enumerate(OTHERS)]
        for i, other, kind in related + unrelated:
            with_reference = liked(model, crop(found[other], PAIRS[i][1]), describe)
            yield name, kind, errors[name, i], ab_error(with_reference, alone[name, i])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("models", type=Path, nargs="*", default=[MODEL_PATH], metavar="MODEL")
    parser.add_argument("--photographs", type=Path, metavar="FOLDER")
    options = parser.parse_args()
    if options.photographs:
        found = {path.name: read_photograph(path).rgb for path, _ in find_photographs(options.photographs)}
    else:
        found = dict(photographs())
    describe = load_descriptors()
    print("| model | reference | photograph | pairs | without | with | change | worst pair | worse by 10% |")
    print(f"|---|---|---|{'---:|' * 6}")
    for path in options.models:
        rows = defaultdict(list)
        with Progress("compare", total=len(found) * (len(PAIRS) + len(OTHERS))) as progress:
            for name, kind, without, with_reference in compare(load_for_photographs(path), found, describe):
                rows[kind, name].append((without, with_reference))
                rows[kind, "all"].append((without, with_reference))
                progress.advance(1)
        for (kind, name), pairs in sorted(rows.items()):
            if name != "all" and options.photographs:
                continue
            without, with_reference = np.mean(pairs, axis=0)
            changes = np.array([after / before - 1 for before, after in pairs])
            print(
                f"| {path} | {kind} | {name} | {len(pairs)} | {without:.2f} | {with_reference:.2f} "
                f"| {with_reference / without - 1:+.1%} | {changes.max():+.1%} | {(changes > 0.1).sum()} |",
                flush=True,
            )


if __name__ == "__main__":
    main()
