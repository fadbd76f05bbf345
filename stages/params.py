"""params.yaml, typed: a section per stage, every key checked before anything runs."""

from difflib import get_close_matches
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, model_validator
from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from colorizer.errors import UserError

PARAMS_FILE = Path("params.yaml")
SAMPLE_ROOT = Path("data/sample")

Count = Annotated[int, Field(ge=1)]
Seed = Annotated[int, Field(ge=0, lt=2**63)]
Share = Annotated[float, Field(ge=0, le=1)]
Chroma = Annotated[float, Field(ge=0, le=180)]
MomentumDecay = Annotated[float, Field(ge=0, lt=1)]


class Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


def _without_home(value: str) -> str:
    if value.startswith("~"):
        raise ValueError("~ is not expanded: write the whole path")
    return value


class Data(Section):
    root: Annotated[str, Field(min_length=1), AfterValidator(_without_home)]


class Sample(Section):
    size: Annotated[int, Field(ge=8, le=128)]
    train: Count
    test: Count
    min_chroma: Chroma
    seed: Seed


class Normalize(Section):
    max_outside_srgb: Share


class Split(Section):
    train: Count
    test: Count
    shuffle: bool
    seed: Seed
    min_chroma: Chroma
    drop_duplicates: bool


def _count_or_auto(value: object) -> object:
    if value != "auto" and not (type(value) is int and value >= 1):
        raise ValueError("Input should be auto or a whole number of at least 1")
    return value


class GeneratorParams(Section):
    width: Count
    halvings: Annotated[int | Literal["auto"], BeforeValidator(_count_or_auto)]
    upsampling: Literal["transposed", "resize"]


class DiscriminatorParams(Section):
    width: Count
    halvings: Count
    sees: Literal["ab", "lab"]
    judges: Literal["image", "patches"]


class Train(Section):
    seed: Seed
    device: Literal["auto", "cpu", "cuda"]
    epochs: Count
    l1_epochs: Annotated[int, Field(ge=0)]
    batch_size: Count
    learning_rate: Annotated[float, Field(gt=0, allow_inf_nan=False)]
    betas: Annotated[tuple[MomentumDecay, MomentumDecay], Field(strict=False)]
    l1_weight: Annotated[float, Field(ge=0, allow_inf_nan=False)]
    ema_decay: Annotated[float, Field(ge=0, lt=1)]
    flip: bool
    generator: GeneratorParams
    discriminator: DiscriminatorParams
    sheet_images: Count

    @model_validator(mode="after")
    def _l1_epochs_fit(self) -> Self:
        if self.l1_epochs > self.epochs:
            raise ValueError(f"l1_epochs is {self.l1_epochs} but there are only {self.epochs} epochs: lower l1_epochs")
        if self.l1_epochs and not self.l1_weight:
            raise ValueError("l1_epochs without an l1_weight would learn nothing: set l1_weight, or l1_epochs to 0")
        return self


class Evaluate(Section):
    batch_size: Count
    sheet_images: Count


class Params(Section):
    data: Data
    sample: Sample
    normalize: Normalize
    split: Split
    train: Train
    evaluate: Evaluate

    @model_validator(mode="after")
    def _sample_keeps_its_split(self) -> Self:
        split = self.split
        as_cut = split.train == self.sample.train and split.test <= self.sample.test
        if self.uses_sample and (not as_cut or split.shuffle or split.min_chroma or split.drop_duplicates):
            raise ValueError(
                "this split would mix training and test crops of the built-in sample, which overlap among themselves: "
                f"set split.train to {self.sample.train} (sample.train), split.test to at most {self.sample.test} "
                "(sample.test), split.shuffle and split.drop_duplicates to false, split.min_chroma to 0"
            )
        return self

    @property
    def uses_sample(self) -> bool:
        return Path(self.data.root).resolve() == SAMPLE_ROOT.resolve()


def read_params(path: Path = PARAMS_FILE) -> Params:
    """Read and check the whole file; raises UserError naming the key and the fix."""
    try:
        content = YAML(typ="safe").load(path)
    except FileNotFoundError as error:
        raise UserError(
            f"{path} is missing: run from the project's folder, or take a preset (cp presets/sample.yaml {path})"
        ) from error
    except YAMLError as error:
        raise UserError(f"{path} is not valid YAML: {' '.join(str(error).split())}") from error
    try:
        return Params.model_validate(content)
    except ValidationError as error:
        raise UserError(f"{path}: " + "; ".join(_explain(problem) for problem in error.errors())) from error


def _explain(problem) -> str:
    keys = [str(key) for key in problem["loc"]]
    name = ".".join(keys) or "the file"
    if problem["type"] == "model_type":
        return f"{name} should hold `key: value` lines: see presets/"
    if problem["type"] == "extra_forbidden":
        section: type[BaseModel] = Params
        for key in keys[:-1]:
            section = section.model_fields[key].annotation  # type: ignore[assignment]
        close = get_close_matches(keys[-1], section.model_fields, n=1)
        return f"{name} is not a known key: " + (f"did you mean {close[0]}?" if close else "remove it")
    if problem["type"] == "missing":
        return f"{name} is missing: add it (presets/ show every key)"
    message = problem["msg"].removeprefix("Value error, ")
    seen = "" if isinstance(problem["input"], dict | BaseModel) else f" (it is {problem['input']!r})"
    return f"{name}: {message}{seen}" if keys else message
