"""Train generator and discriminator: a checkpoint and a sample sheet of every epoch, and the best epoch as the model.

ResumePoint epochs are kept in a scratch folder, from which a killed training resumes. The outputs are put in place
at the end.
"""

import os
from functools import partial

from colorizer.training.distributed import distributed_training, started_by_torchrun
from colorizer.training.scratch import open_scratch
from settings.params import Params
from stages.entry import run_stage, say
from stages.train.decisions import Decisions
from stages.train.dvc_run import project_root, starter, stop_if_orphaned
from stages.train.loop import train_epochs, worker
from stages.train.provenance import training_facts
from stages.train.publishing import publish, refuse_edits, resume_or_clear
from stages.train.run import Run
from stages.train.setup import resolve


def train(params: Params) -> None:
    setup = resolve(params.train)
    options, device = setup.options, setup.device
    processes_of = partial(distributed_training, options.num_processes, device, worker, say=say)
    if started_by_torchrun() and os.environ["RANK"] != "0":
        with processes_of(()) as group:
            worker(group, options, device)
        return
    dvc = starter()
    check_parent = partial(stop_if_orphaned, dvc)
    facts = training_facts(setup)
    with open_scratch(project_root() / "scratch", facts, started_by=dvc, say=say) as scratch:
        finished, answers = resume_or_clear(scratch, options, facts)
        decisions = Decisions(scratch, options, answers, while_waiting=check_parent)
        run = Run(setup, scratch, decisions, facts, finished, check_parent)
        try:
            if started_by_torchrun() or not run.is_complete:  # processes of torchrun wait for a word in any case
                with processes_of((options, device)) as group:
                    group.broadcast(None if run.is_complete else setup.precision)
                    if not run.is_complete:
                        train_epochs(run, group)
            refuse_edits(setup, facts)
        finally:
            decisions.declare()
        publish(scratch, options, run.history, decisions)


if __name__ == "__main__":
    run_stage(train)
