"""What `python -m colorizer colorize` does with a film, or with a folder that holds the frames of one."""

import shutil
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING

from colorizer.console import make_folder, say
from colorizer.core.errors import UserError
from colorizer.models.registry import find_model
from colorizer.photographs.files import Format
from colorizer.video.files import OUT_SUFFIXES, is_film

if TYPE_CHECKING:
    from colorizer.core.progress import Progress
    from colorizer.photographs.colorizing import Colorizer
    from colorizer.video.plan import Plan, Segment

_FRAMES_PER_SECOND = 24.0  # of a folder of frames
_CODECS = {".webm": "libvpx-vp9"}  # unless another one is given; elsewhere libx264, which everything plays

CODEC_HELP = "film: libx264 (.webm: libvpx-vp9) unless given, libx265, libsvtav1, libvpx-vp9, ffv1 (lossless)"
QUALITY_HELP = "film: constant rate factor of the codec; smaller is better and larger"
FRAMES_HELP = "the folder given holds the frames of a film: smooth their colours; a film made of them has this rate"


@dataclass(frozen=True, kw_only=True)
class FilmOptions:
    """The options of the command as they were given, None where they were not."""

    out: Path
    model: str
    size: int | None
    strength: float
    format: Format | None
    codec: str | None
    quality: int | None
    frames_per_second: float | None
    segment: int | None
    force: bool


def film_among(inputs: list[Path], out: Path, frames_per_second: float | None) -> Path | None:
    """Return the film among the inputs, or the folder of its frames; None if all are photographs.

    A folder holds frames if `out` has the name of a film, or if their rate is given. Raises UserError when a film is
    not the only input.
    """
    films = [path for path in inputs if is_film(path)]
    if not films and (frames_per_second is not None or is_film(out)):
        films = [path for path in inputs if path.is_dir()]
        if not films:
            raise UserError(f"{inputs[0]} is neither a film nor a folder of frames, of which a film could be made")
    if films and len(inputs) > 1:
        raise UserError(f"{films[0]} is a film: colour one film at a time, and photographs apart")
    return films[0] if films else None


def refuse_film_options(given: Path, **options: object) -> None:
    """Raise UserError when one of these options, which only films have, is given with photographs."""
    for name, value in options.items():
        if value is not None:
            raise UserError(f"--{name} {value} is for films: {given} is none")


def refuse_photograph_options(film: Path, **options: object) -> None:
    """Raise UserError when one of these options, which only photographs have, is given with a film."""
    for name, value in options.items():
        if value:
            raise UserError(f"--{name} is for photographs, and {film} is a film")


def color_film(film: Path, options: FilmOptions) -> None:
    """Colour a film segment by segment, and join the segments; go on where an earlier run has ended.

    With `options.segment`, colour that one alone. Exit code 1 when something in the film could not be read.
    """
    if film.is_dir() and not is_film(options.out):
        _color_pictures(film, options)
    else:
        _color_film(film, options)


def _color_film(film: Path, options: FilmOptions) -> None:
    from colorizer.film.segments import color_segment, encoding_for, open_source
    from colorizer.video.codecs import find_codec
    from colorizer.video.joining import check_container, join
    from colorizer.video.parts import Parts, keep_plan

    out = options.out
    _refuse_bad_out(film, options)
    codec = options.codec or _CODECS.get(out.suffix.lower(), "libx264")
    find_codec(codec, options.quality)
    make_folder(out.parent)
    source = open_source(film, out, options.frames_per_second or _FRAMES_PER_SECOND)
    plan = source.plan
    encoding = encoding_for(plan, codec, options.quality)
    original = None if film.is_dir() else film
    left_out = check_container(out, encoding, original)
    colorizer = _colorizer(options)
    keep_plan(out, plan)
    settings = {**asdict(encoding), "model": colorizer.model.identity, "size": colorizer.size}
    parts = Parts(out, plan.fingerprint, {**settings, "strength": colorizer.strength})
    wanted = parts.missing(plan, options.segment)
    with _progress(wanted) as progress:
        for segment in wanted:
            try:
                color_segment(source, segment, colorizer, encoding, parts.path(segment), progress.advance)
            except UserError as error:
                whole = len(plan.segments) - len(parts.missing(plan))
                raise UserError(f"{error}; {whole} of {len(plan.segments)} segments are kept") from error
    if options.segment is not None:
        say(f"segment {options.segment} of {len(plan.segments)} in {parts.folder}")
        return
    num_frames, num_damaged = parts.count(plan)
    num_damaged_sound = join(out, [parts.path(segment) for segment in plan.segments], encoding, original)
    shutil.rmtree(parts.folder)
    told = [f"{num_frames} frames coloured in {out}"]
    if encoding.size != plan.size:
        told.append(f"{encoding.size[1]} x {encoding.size[0]} px, because {encoding.codec} needs even sides")
    told += [f"left out: {what}" for what in left_out]
    losses = _losses(film, plan, num_damaged, num_damaged_sound)
    say("; ".join(told + losses))
    if losses:
        sys.exit(1)


def _color_pictures(folder: Path, options: FilmOptions) -> None:
    """Colour the frames in a folder, smoothed, into another folder; those of segments that are whole stay."""
    from colorizer.film.segments import color_pictures, picture_paths
    from colorizer.film.smoothing import ChromaSmoother
    from colorizer.video.folder import FolderSource

    out, file_format = options.out, options.format or "png"
    refuse_film_options(out, codec=options.codec, quality=options.quality)
    if out.exists() and out.samefile(folder):
        raise UserError(f"{out} is both input and output: choose another folder with --out")
    source = FolderSource(folder, Fraction(1), ChromaSmoother.MEMORY)
    plan = source.plan
    segments = plan.segments if options.segment is None else [plan.segment(options.segment)]
    targets = {segment.number: picture_paths(source, segment, out, file_format) for segment in segments}
    wanted = [
        segment
        for segment in segments
        if options.force or not all(target.exists() for target in targets[segment.number])
    ]
    make_folder(out)
    colorizer = _colorizer(options)
    with _progress(wanted) as progress:
        for segment in wanted:
            color_pictures(source, segment, colorizer, targets[segment.number], file_format, progress.advance)
    told = [f"{sum(segment.num_frames for segment in wanted)} frames coloured in {out}"]
    if left := sum(segment.num_frames for segment in segments if segment not in wanted):
        told.append(f"{left} left as they were (--force colours them again)")
    say("; ".join(told))


def _progress(segments: "Sequence[Segment]") -> "Progress":
    from colorizer.core.progress import Progress

    return Progress("colorize", total=sum(segment.num_frames for segment in segments), unit="frames")


def _colorizer(options: FilmOptions) -> "Colorizer":
    from colorizer.models.twin import load_for_photographs
    from colorizer.photographs.colorizing import Colorizer

    loaded = load_for_photographs(find_model(Path.cwd(), options.model))
    return Colorizer(model=loaded, size=options.size or loaded.info.training_size, strength=options.strength)


def _refuse_bad_out(film: Path, options: FilmOptions) -> None:
    out = options.out
    if not film.exists():
        raise UserError(f"{film} does not exist")
    if options.frames_per_second is not None and not film.is_dir():
        raise UserError(f"--frames-per-second is for a folder of frames: {film} keeps the rate that it has")
    if options.format is not None:
        raise UserError(f"--format {options.format} is for photographs: --codec says how a film is written")
    if out.suffix.lower() not in OUT_SUFFIXES or out.is_dir():
        raise UserError(f"--out {out}: of a film a film is made; its name has to end in {', '.join(OUT_SUFFIXES)}")
    if out.exists() and out.samefile(film):
        raise UserError(f"{out} is both input and output: choose another name with --out")
    if out.exists() and not options.force:
        raise UserError(f"{out} exists: --force replaces it")


def _losses(film: Path, plan: "Plan", num_damaged: int, num_damaged_sound: int) -> list[str]:
    """What of the film could not be read, in words."""
    told = []
    if num_damaged:
        told.append(f"{num_damaged} frames of {film} are damaged and left out")
    if num_damaged_sound:
        told.append(f"{num_damaged_sound} packets of its audio or subtitles are damaged and left out")
    if plan.breaks_off:
        readable, promised = map(_clock, plan.breaks_off)
        told.append(f"{film} breaks off at {readable} of {promised}: give a whole copy of it to colour the rest")
    return told


def _clock(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes // 60}:{minutes % 60:02}:{rest:02}"
