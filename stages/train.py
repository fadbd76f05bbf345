"""Train generator and discriminator: a checkpoint and a sample sheet of every epoch, and the best epoch as the model.

Finished epochs are kept in a scratch folder, from which a killed training resumes. The outputs are put in place at the
end.
"""

import sys
from dataclasses import fields, replace
from functools import partial

from colorizer.core.hints import HintSampling
from colorizer.epochs.decision import Decision
from colorizer.epochs.decisions import Decisions
from colorizer.epochs.loop import follow, train_epochs
from colorizer.epochs.publishing import Outputs, publish, refuse_edits, resume_or_clear
from colorizer.epochs.run import Run
from colorizer.epochs.scratch import open_scratch
from colorizer.networks.devices import environment, open_device
from colorizer.networks.encoded_images import open_encoded
from colorizer.networks.pretrained_unet import PretrainedUNet
from colorizer.training.distributed import check_ranks, is_rank, launch, process_group, share_threads
from colorizer.training.gan import GAN, build_gan
from colorizer.training.recipe import Recipe
from colorizer.training.start_model import StartModel, begin_from, open_start_model
from colorizer.training.training_data import TrainingData, open_training_data
from settings import paths
from settings.params import Params, Train
from settings.params_file import read_params, refuse_unwritable, write_params
from settings.unused_arrays import describe_unused_arrays
from stages.runtime.dvc_run import is_cached, starter, stop_if_orphaned
from stages.runtime.entry import run_stage
from stages.runtime.project import project_root
from stages.runtime.provenance import train_params, training_facts

OUTPUTS = Outputs(model=paths.MODEL, checkpoints=paths.CHECKPOINTS, history=paths.HISTORY, samples=paths.SAMPLES)


def train(params: Params) -> None:
    options = params.train
    if not is_rank() and (unused := describe_unused_arrays(params)):
        print(f"train: {unused}")
    device, precision = open_device(options.device, options.precision)
    recipe = Recipe(**options.model_dump(include={field.name for field in fields(Recipe)} - {"hints"}))
    if options.generator.hints:
        recipe = replace(recipe, hints=HintSampling(**options.hints.model_dump()))
    if options.start_from and options.start_learning_rate:
        recipe = replace(recipe, learning_rate=options.start_learning_rate)
    data = open_training_data(paths.LAB_STORE, paths.NORMALIZATION, paths.TRAIN_IMAGES, paths.VALIDATION_IMAGES)
    check_ranks(options.num_processes, device, smallest_batch=recipe.smallest_batch(len(data.images)))
    if options.num_processes > 1 and not is_rank():
        launch(options.num_processes, sys.executable, "-m", "stages.train")
        return
    share_threads(options.num_processes)
    with process_group(device) as group:
        gan = build_gan(
            options.generator.model_dump(),
            options.discriminator.model_dump(),
            recipe,
            image_shape=data.image_shape,
            device=device,
            precision=precision,
            group=group,
        )
        if isinstance(gan.generator, PretrainedUNet):
            encoded = open_encoded(
                paths.ENCODED_IMAGES,
                num_images=len(data.images),
                flip=options.flip,
                num_features=gan.generator.num_features(data.image_shape),
            )
            data = replace(data, encoded=encoded)
        start = open_start_model(paths.START_MODEL, paths.START_NAME, options.start_from)
        if start:
            begin_from(start, gan, data.normalization, image_shape=data.image_shape, encoded=data.encoded is not None)
            if options.l1_pretrain_epochs and group.rank == 0:
                print(
                    f"train: {start.name} may become duller: train.l1_pretrain_epochs is {options.l1_pretrain_epochs}, "
                    "and epochs on L1 alone are for random weights; set it to 0"
                )
        if group.rank == 0:
            lead(gan, data, options, start)
        else:
            follow(gan, data)


def lead(gan: GAN, data: TrainingData, options: Train, start: StartModel | None) -> None:
    """Resume or begin, train what is missing, and put the outputs in place."""
    parent = starter()
    check_parent = partial(stop_if_orphaned, parent)
    machine = environment(gan.device, gan.precision, options.num_processes)
    facts = training_facts(options, machine)
    declared = [Decision(**decision.model_dump()) for decision in options.decisions]
    with open_scratch(project_root() / paths.SCRATCH, facts, started_by=parent) as scratch:
        point, answers = resume_or_clear(scratch, facts, declared, epochs=options.epochs, is_cached=is_cached)
        decisions = Decisions(
            scratch,
            declared,
            answers,
            recipe=gan.recipe,
            monitor=options.monitor,
            ask=options.ask,
            rate_param="train.start_learning_rate" if start and options.start_learning_rate else "train.learning_rate",
            check_parent=check_parent,
        )
        if decisions.asks or decisions.undeclared:
            refuse_unwritable()  # now, rather than after the last epoch
        run = Run(
            data,
            scratch,
            decisions,
            facts,
            point,
            recipe=gan.recipe,
            keep=options.keep,
            monitor=options.monitor,
            sheet_images=options.sheet_images,
            logs=project_root() / paths.LOGS,
            device=gan.device,
            check_parent=check_parent,
            start=start,
        )
        try:
            if gan.group.world_size > 1 or not run.is_complete:  # the other ranks wait for a word in any case
                train_epochs(run, gan)
            now = read_params().train
            refuse_edits(facts | train_params(options), training_facts(now, machine) | train_params(now))
        finally:
            if decisions.undeclared:  # DVC reads the params after the stage: dvc.lock then says what was trained
                write_params({"train.decisions": decisions.as_params()})
                decisions.mark_declared()
        publish(scratch, run.history, decisions, keep=options.keep, monitor=options.monitor, outputs=OUTPUTS)


if __name__ == "__main__":
    run_stage(train)
