"""Train generator and discriminator: a checkpoint and a sample sheet of every epoch, and the best epoch as the model.

ResumePoint epochs are kept in a scratch folder, from which a killed training resumes. The outputs are put in place
at the end.
"""

import sys
from functools import partial

from colorizer.epochs.scratch import open_scratch
from colorizer.training.distributed import ProcessGroup, is_rank, launch, process_group
from settings.params import Params
from stages.entry import run_stage
from stages.train.decisions import Decisions
from stages.train.dvc_run import project_root, starter, stop_if_orphaned
from stages.train.loop import follow, train_epochs
from stages.train.provenance import training_facts
from stages.train.publishing import publish, refuse_edits, resume_or_clear
from stages.train.run import Run
from stages.train.setup import Setup, resolve


def train(params: Params) -> None:
    setup = resolve(params.train)
    if setup.options.num_processes > 1 and not is_rank():
        launch(setup.options.num_processes, sys.executable, "-m", "stages.train")
        return
    with process_group(setup.device) as group:
        if group.rank == 0:
            lead(setup, group)
        else:
            follow(setup, group)


def lead(setup: Setup, group: ProcessGroup) -> None:
    """Resume or begin, train what is missing, and put the outputs in place."""
    parent = starter()
    check_parent = partial(stop_if_orphaned, parent)
    facts = training_facts(setup)
    with open_scratch(project_root() / "scratch", facts, started_by=parent) as scratch:
        resume_point, answers = resume_or_clear(scratch, setup.options, facts)
        decisions = Decisions(scratch, setup.options, answers, while_waiting=check_parent)
        run = Run(setup, scratch, decisions, facts, resume_point, check_parent)
        try:
            if group.world_size > 1 or not run.is_complete:  # the other ranks wait for a word in any case
                train_epochs(run, group)
            refuse_edits(setup, facts)
        finally:
            decisions.declare()
        publish(scratch, setup.options, run.history, decisions)


if __name__ == "__main__":
    run_stage(train)
