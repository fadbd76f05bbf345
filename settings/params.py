"""Types of params.yaml: a section per stage; every key is checked before anything runs."""

import os
import re
import sys
from fractions import Fraction
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from settings.paths import PRETRAINED

SAMPLE_ROOT = Path("data/sample")

Count = Annotated[int, Field(ge=1)]
Width = Annotated[int, Field(ge=1, le=2**16)]
Seed = Annotated[int, Field(ge=0, lt=2**63)]
Share = Annotated[float, Field(ge=0, le=1)]
Chroma = Annotated[float, Field(ge=0, le=180)]
MomentumDecay = Annotated[float, Field(ge=0, lt=1)]


def _count_or_share(value: object) -> object:
    if (type(value) is int and value >= 1) or (type(value) is float and 0 < value < 1):
        return value
    raise ValueError("Input should be a whole number of at least 1, or a share above 0 and below 1")


def _count_share_or_none(value: object) -> object:
    return value if type(value) is int and value == 0 else _count_or_share(value)


Images = Annotated[int | float, BeforeValidator(_count_or_share)]


class Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


def _folder(value: str) -> str:
    if value.startswith("~"):
        raise ValueError("~ is not expanded: write the whole path")
    try:
        os.fsencode(value)
    except UnicodeEncodeError as error:
        raise ValueError(
            f"the encoding of this locale ({sys.getfilesystemencoding()}) lacks a letter: `export PYTHONUTF8=1`"
        ) from error
    return value


class Data(Section):
    root: Annotated[str, Field(min_length=1), AfterValidator(_folder)]


class Sample(Section):
    size: Annotated[int, Field(ge=8, le=128)]
    train: Count
    test: Count
    min_chroma: Chroma
    seed: Seed


class Normalize(Section):
    max_outside_srgb: Share


class Split(Section):
    train: Images
    validation: Annotated[int | float, BeforeValidator(_count_share_or_none)]
    test: Images
    shuffle: bool
    seed: Seed
    min_chroma: Chroma
    drop_duplicates: bool

    @model_validator(mode="after")
    def _some_images_train(self) -> Self:
        if isinstance(self.train, int) and self.validation >= self.train:
            raise ValueError(
                f"validation is {self.validation}, but it is taken from the {self.train} training images: lower it"
            )
        return self

    @model_validator(mode="after")
    def _shares_fit(self) -> Self:
        shares = [part for part in (self.train, self.test) if isinstance(part, float)]
        if len(shares) == 2 and sum(Fraction(str(share)) for share in shares) > 1:
            raise ValueError(
                f"train {self.train} and test {self.test} are shares of all images, together over 1: lower them"
            )
        return self


class Encode(Section):
    cache_features: bool


def _count_or_auto(value: object) -> object:
    if value != "auto" and not (type(value) is int and value >= 1):
        raise ValueError("Input should be auto or a whole number of at least 1")
    return value


class GeneratorParams(Section):
    encoder: Literal["plain", "efficientnet-lite0"]
    encoder_size: Annotated[int, Field(ge=64, le=1024)]
    width: Width
    num_downs: Annotated[int | Literal["auto"], BeforeValidator(_count_or_auto)]
    upsampling: Literal["transposed", "resize"]
    resolution: Literal["full", "half"]
    hints: bool

    @model_validator(mode="after")
    def _encoder_fits(self) -> Self:
        if self.encoder != "plain" and (self.num_downs != "auto" or self.upsampling != "resize"):
            raise ValueError(
                f"num_downs and upsampling are for the encoder plain: with {self.encoder}, set num_downs to auto and "
                "upsampling to resize"
            )
        return self


class DiscriminatorParams(Section):
    width: Width
    num_downs: Count
    conditional: bool
    output: Literal["image", "patch"]


class HintParams(Section):
    none: Share
    whole: Share
    mean_points: Annotated[float, Field(ge=1, allow_inf_nan=False)]
    largest_side: Count

    @model_validator(mode="after")
    def _shares_fit(self) -> Self:
        if self.none + self.whole > 1:
            raise ValueError(f"none {self.none} and whole {self.whole} are shares of all images, together over 1")
        return self


class DecisionParams(Section):
    epoch: Count
    save: bool = True
    learning_rate: Annotated[float, Field(gt=0, allow_inf_nan=False)] | None = None
    stop: bool = False


def _start_model(value: str | None) -> str | None:
    if value is None or re.fullmatch(r"generator[@#].+", value):
        return value
    if PRETRAINED not in Path(value).parents or ".." in Path(value).parts:
        raise ValueError(
            f"write generator@VERSION, generator#STAGE, null, or a file in {PRETRAINED}/, which DVC watches: copy the "
            "model there"
        )
    return value


class Train(Section):
    seed: Seed
    start_from: Annotated[str | None, AfterValidator(_start_model)]
    start_learning_rate: Annotated[float, Field(gt=0, allow_inf_nan=False)] | None
    device: Literal["auto", "cpu", "cuda"]
    num_processes: Count
    precision: Literal["auto", "fp32", "bf16"]
    epochs: Count
    l1_pretrain_epochs: Annotated[int, Field(ge=0)]
    batch_size: Count
    learning_rate: Annotated[float, Field(gt=0, allow_inf_nan=False)]
    encoder_learning_rate: Annotated[float, Field(ge=0, allow_inf_nan=False)]
    decay_epochs: Annotated[int, Field(ge=0)]
    betas: Annotated[tuple[MomentumDecay, MomentumDecay], Field(strict=False)]
    l1_weight: Annotated[float, Field(ge=0, allow_inf_nan=False)]
    swd_weight: Annotated[float, Field(ge=0, allow_inf_nan=False)]
    ema_decay: Annotated[float, Field(ge=0, lt=1)]
    flip: bool
    generator: GeneratorParams
    hints: HintParams
    discriminator: DiscriminatorParams
    keep: Annotated[str, Field(pattern=r"^(all|(last|every) [1-9][0-9]*)$")]
    monitor: Literal["combined_score", "ab_error"]
    sheet_images: Count
    ask: bool
    decisions: Annotated[tuple[DecisionParams, ...], Field(strict=False)]

    @model_validator(mode="after")
    def _epochs_fit(self) -> Self:
        if self.l1_pretrain_epochs > self.epochs:
            raise ValueError(
                f"l1_pretrain_epochs is {self.l1_pretrain_epochs} but there are only {self.epochs} epochs: "
                "lower l1_pretrain_epochs"
            )
        if self.decay_epochs > self.epochs:
            raise ValueError(
                f"decay_epochs is {self.decay_epochs} but there are only {self.epochs} epochs: lower decay_epochs"
            )
        if self.l1_pretrain_epochs and not self.l1_weight:
            raise ValueError(
                "l1_pretrain_epochs without an l1_weight would learn nothing: set l1_weight above 0, or "
                "l1_pretrain_epochs to 0"
            )
        return self

    @model_validator(mode="after")
    def _encoder_has_weights(self) -> Self:
        if self.encoder_learning_rate and self.generator.encoder == "plain":
            raise ValueError(
                "encoder_learning_rate is that of a pretrained encoder, but the generator's encoder is plain: set it "
                "to 0, or generator.encoder to efficientnet-lite0"
            )
        return self

    @model_validator(mode="after")
    def _decisions_are_in_order(self) -> Self:
        epochs = [decision.epoch for decision in self.decisions]
        if epochs != sorted(set(epochs)):
            raise ValueError(f"decisions are about the epochs {epochs}: give at most one for each epoch, in order")
        if epochs and epochs[-1] > self.epochs:
            raise ValueError(f"a decision is about epoch {epochs[-1]} but there are only {self.epochs}: remove it")
        if any(decision.stop for decision in self.decisions[:-1]):
            raise ValueError("decisions follow one with stop: true: remove them")
        return self


class Evaluate(Section):
    batch_size: Count
    sheet_images: Count


class Params(Section):
    data: Data
    sample: Sample
    normalize: Normalize
    split: Split
    encode: Encode
    train: Train
    evaluate: Evaluate

    @model_validator(mode="after")
    def _sample_keeps_its_split(self) -> Self:
        split = self.split
        as_cut = split.train == self.sample.train and 1 <= split.test <= self.sample.test
        if self.uses_sample and (not as_cut or split.shuffle or split.min_chroma or split.drop_duplicates):
            raise ValueError(
                "this split would mix training and test crops of the built-in sample, which overlap among themselves: "
                f"set split.train to {self.sample.train} (sample.train), split.test to at most {self.sample.test} "
                "(sample.test), split.shuffle and split.drop_duplicates to false, split.min_chroma to 0"
            )
        return self

    @property
    def uses_sample(self) -> bool:
        return os.path.realpath(self.data.root) == os.path.realpath(SAMPLE_ROOT)
