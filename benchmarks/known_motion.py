"""Makes films of the built-in photographs in which the motion of every pixel is known.

A camera moves over a photograph, zooms, turns; the light changes; a part cut out of one photograph moves over another.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from colorizer.data.sample import built_in_photographs
from colorizer.film.motion import sampled

SIZE = (240, 320)  # of the films: height, width
EDGE = 8  # pixels on both sides of a moving edge that count as its band


@dataclass(frozen=True, kw_only=True)
class Film:
    """A film and its motion, n frames of H x W pixels.

    frames: sRGB (n, H, W, 3) uint8. grey: what the model sees, (n, H, W) uint8. before: for each pixel where its point
    was in the frame before, x and y (n, H, W, 2) float32. seen: whether it was to be seen there, (n, H, W); nothing of
    a first frame was. edges: the band along the edges of what moves over a background, (n, H, W). cuts: the numbers of
    the frames that begin a shot, without the first.
    """

    name: str
    frames: NDArray[np.uint8]
    grey: NDArray[np.uint8]
    before: NDArray[np.float32]
    seen: NDArray[np.bool_]
    edges: NDArray[np.bool_]
    cuts: Sequence[int] = ()


@dataclass(frozen=True, kw_only=True)
class Layer:
    """A photograph, sRGB (h, w, 3) uint8, and what of it is to be seen, (h, w) in [0, 1].

    place: the matrix (2, 3) from a film's x, y to the photograph's, for each frame's number.
    """

    photograph: NDArray[np.uint8]
    place: Callable[[int], NDArray]
    mask: NDArray[np.float32] | None = None


def camera(
    start: tuple[float, float],
    speed: tuple[float, float],
    *,
    zoom: float = 1,
    turn: float = 0,
    shake: float = 0,
    size: tuple[int, int] = SIZE,
) -> Callable[[int], NDArray]:
    """Move a camera over a photograph: the matrix (2, 3) from the film's x, y to the photograph's, for each frame.

    start: the film's middle in the photograph, x, y, in pixels. speed: pixels a frame. zoom: the factor on the scale,
    a frame. turn: degrees a frame. shake: pixels, of a hand that holds the camera.
    """

    def place(number: int) -> NDArray:
        x, y = (at + step * number for at, step in zip(start, speed, strict=True))
        x += shake * (np.sin(1.7 * number) + np.sin(0.9 * number + 1))
        y += shake * (np.sin(1.3 * number + 2) + np.sin(0.7 * number))
        angle = np.deg2rad(turn * number)
        linear = zoom**-number * np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
        middle = np.array([size[1] - 1, size[0] - 1]) / 2
        return np.hstack([linear, (np.array([x, y]) - linear @ middle)[:, None]])

    return place


def make_film(
    name: str,
    layers: Sequence[Layer],
    num_frames: int,
    *,
    light: Callable[[int], float] = lambda number: 1,
    grain: float = 0,
    size: tuple[int, int] = SIZE,
) -> Film:
    """Make a film of layers, the nearest one last.

    light: a factor on the linear light of each frame. grain: the standard deviation of noise in the grey film alone, in
    codes; it has the size of a pixel and is new in each frame.
    """
    height, width = size
    generator = np.random.default_rng(num_frames)
    x, y = np.meshgrid(np.arange(width), np.arange(height))
    here = np.stack([x, y, np.ones_like(x)], axis=-1).astype(np.float64)  # (H, W, 3)
    frames, greys, befores, seens, edges = [], [], [], [], []
    nearest = np.zeros(size, np.uint8)
    for number in range(num_frames):
        picture, nearest_before, nearest = np.zeros((*size, 3)), nearest, np.zeros(size, np.uint8)
        before = np.zeros((*size, 2))
        for index, layer in enumerate(layers):
            matrix = layer.place(number)
            pixels, mask = _seen_of(layer, matrix, size)
            picture += mask[..., None] * (pixels - picture)
            to_before = _inverse(layer.place(number - 1)) @ np.vstack([matrix, [0, 0, 1]])
            before[mask > 0.5] = (here @ to_before.T)[mask > 0.5]
            nearest[mask > 0.5] = index
        lit = _under(light(number), picture)
        grey = np.asarray(cv2.cvtColor(lit, cv2.COLOR_RGB2GRAY), np.float32)
        noise = grain * generator.standard_normal(size)
        there = before.astype(np.float32)
        inside = (there >= 0).all(-1) & (there[..., 0] <= width - 1) & (there[..., 1] <= height - 1)
        was = np.rint(sampled(nearest_before.astype(np.float32), there))
        frames.append(lit)
        greys.append(np.clip(np.rint(grey + noise), 0, 255).astype(np.uint8))
        befores.append(there)
        seens.append(inside & (was == nearest) & (number > 0))
        edges.append(_band(nearest))
    return Film(
        name=name,
        frames=np.stack(frames),
        grey=np.stack(greys),
        before=np.stack(befores),
        seen=np.stack(seens),
        edges=np.stack(edges),
    )


def joined(name: str, films: Sequence[Film]) -> Film:
    """Join films: each begins with a cut."""
    return Film(
        name=name,
        frames=np.concatenate([film.frames for film in films]),
        grey=np.concatenate([film.grey for film in films]),
        before=np.concatenate([film.before for film in films]),
        seen=np.concatenate([film.seen for film in films]),
        edges=np.concatenate([film.edges for film in films]),
        cuts=np.cumsum([len(film.frames) for film in films])[:-1].tolist(),
    )


def blob(center: tuple[float, float], radius: float, shape: tuple[int, ...]) -> NDArray[np.float32]:
    """Cut out a round shape with waves along its edge: a mask (h, w) in [0, 1]."""
    y, x = np.mgrid[: shape[0], : shape[1]]
    angle = np.arctan2(y - center[1], x - center[0])
    distance = np.hypot(y - center[1], x - center[0])
    return np.clip(radius * (1 + 0.12 * np.sin(5 * angle)) - distance + 0.5, 0, 1).astype(np.float32)


def films(num_frames: int = 40) -> Iterator[Film]:
    """Make the films of the benchmark, one after another."""
    photographs = dict(built_in_photographs())
    coffee, china, flower, cat = (
        photographs[name] for name in ("coffee.png", "china.jpg", "flower.jpg", "chelsea.png")
    )
    motorcycle, astronaut = photographs["motorcycle_left.png"], photographs["astronaut.png"]
    pan = camera((200, 200), (3.3, 0.4), shake=0.8)
    yield make_film("pan", [Layer(photograph=coffee, place=pan)], num_frames)
    zoom = camera((330, 250), (0.5, -0.4), zoom=1.012, turn=0.15)
    yield make_film("zoom", [Layer(photograph=motorcycle, place=zoom)], num_frames)
    slow = camera((220, 200), (1.2, 0.3), shake=0.3)
    yield make_film("light", [Layer(photograph=china, place=slow)], num_frames, light=_changing_light)
    yield make_film("grain", [Layer(photograph=flower, place=camera((200, 200), (2.3, 0.3)))], num_frames, grain=6)
    behind = Layer(photograph=china, place=camera((260, 230), (1.1, 0.2)))
    cut_out = blob((290, 190), 60, flower.shape)
    slowly = camera((370, 200), (-2.7, -0.3))
    yield make_film("object", [behind, Layer(photograph=flower, place=slowly, mask=cut_out)], num_frames)
    face = blob((220, 130), 60, cat.shape)
    quickly = camera((330, 150), (-6.2, -0.5), turn=0.8)
    still = Layer(photograph=coffee, place=camera((300, 200), (0.3, 0.2), shake=0.2))
    yield make_film("fast object", [still, Layer(photograph=cat, place=quickly, mask=face)], num_frames)
    shots = [(coffee, (200, 180)), (astronaut, (240, 200)), (china, (300, 220)), (cat, (220, 150)), (china, (250, 240))]
    yield joined(
        "cuts",
        [
            make_film("shot", [Layer(photograph=photograph, place=camera(start, (1.5, 0.3)))], max(4, num_frames // 4))
            for photograph, start in shots
        ],
    )


def _changing_light(number: int) -> float:
    """A light that swings by a third, and a flash in one frame."""
    return (1 + 0.35 * np.sin(number / 4)) * (1.8 if number == 15 else 1)


def _seen_of(layer: Layer, matrix: NDArray, size: tuple[int, int]) -> tuple[NDArray, NDArray]:
    """The layer's pixels (H, W, 3) and its mask (H, W) in a frame."""
    flags = cv2.INTER_CUBIC | cv2.WARP_INVERSE_MAP
    pixels = cv2.warpAffine(layer.photograph, matrix, size[::-1], flags=flags, borderMode=cv2.BORDER_REFLECT_101)
    if layer.mask is None:
        return np.asarray(pixels, np.float64), np.ones(size)
    mask = cv2.warpAffine(layer.mask, matrix, size[::-1], flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP)
    return np.asarray(pixels, np.float64), np.asarray(mask, np.float64)


def _inverse(matrix: NDArray) -> NDArray:
    return np.asarray(cv2.invertAffineTransform(matrix))


def _under(light: float, picture: NDArray) -> NDArray[np.uint8]:
    """A picture (H, W, 3) in [0, 255] under another light, rounded."""
    linear = np.clip(light * (np.clip(picture, 0, 255) / 255) ** 2.2, 0, 1)
    return np.rint(255 * linear ** (1 / 2.2)).astype(np.uint8)


def _band(nearest: NDArray[np.uint8]) -> NDArray[np.bool_]:
    kernel = np.ones((2 * EDGE + 1, 2 * EDGE + 1), np.uint8)
    return np.asarray(cv2.dilate(nearest, kernel) != cv2.erode(nearest, kernel))
