"""The flow that rebuilds beside the workspace when data or code changed, and promotes the model if it is better."""

import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

from prefect import flow
from prefect.artifacts import create_table_artifact
from prefect.events import emit_event
from prefect.states import Completed, State
from prefect.task_runners import ThreadPoolTaskRunner
from pydantic import Field

from colorizer.core.errors import UserError
from colorizer.models.commands import git
from colorizer.models.registry import MODEL, Version
from pipeline.flows.artifacts import publish_stage_table
from pipeline.flows.rebuild import conclude
from pipeline.process.children import Children
from pipeline.process.commands import run_command, run_dvc
from pipeline.process.flow_run import end_in_one_line, end_without_server, holding
from pipeline.workspace.fine_tuning import begin_from_promoted, take_up_last_refresh
from pipeline.workspace.plan import read_plan
from pipeline.workspace.promotion import STAGE, Criterion, judge, promote, promoted
from pipeline.workspace.raw_arrays import read_dvc_file, refuse_unversioned_arrays
from pipeline.workspace.remote import pull_data, push_data, refuse_missing_remote
from pipeline.workspace.repository import Clone, fetch_published, publish_refs, refuse_changes, resolve
from pipeline.workspace.stage_runs import Build, run_stages
from pipeline.workspace.workspaces import share_cache, share_logs
from settings import paths
from settings.params_file import PARAMS_FILE, read_params

FOLDER = Path("scratch/refresh")
_TEACH_NOTHING = ("start", "evaluate")  # stages of which a change alone is no reason to fine-tune
_PROMOTED = Path("scratch/promoted.safetensors")
_SCORES = Path("scratch/scores.json")


@flow(task_runner=ThreadPoolTaskRunner(max_workers=4))  # type: ignore[arg-type]
def refresh(
    branch: str = "refresh",
    follow: str = "HEAD",
    criterion: Criterion = "combined_score",
    margin: float = 0.0,
    publish: bool = False,
    from_promoted: bool = False,
    epochs: Annotated[int, Field(ge=1)] | None = None,
) -> State:
    """Fetch new data and code, rebuild in a clone, and promote the new model only if it is better.

    The workspace and the branch in it are left alone: the clone is in scratch/refresh/, its commits go to a branch of
    their own. The event `colorizer.model.promoted` or `colorizer.model.kept` tells the outcome.

    Args:
        branch: the branch that gets params.yaml, dvc.lock and metrics.json of every refresh
        follow: what to build: a branch, tag or commit; `origin/main` is fetched first, HEAD is what is checked out here
        criterion: the score on the test images that decides
        margin: by how much the new model has to be better
        publish: send data to the DVC remote, then branch and tags to the git remote `origin`
        from_promoted: fine-tune the promoted model, where data, code or epochs changed, in place of training anew
        epochs: how many epochs to fine-tune; those of params.yaml when left out
    """
    folder = Path.cwd()
    try:
        if epochs and not from_promoted:
            raise UserError("epochs is for from_promoted: to train another number of epochs, set train.epochs")
        with holding(FOLDER) as children:
            refuse_changes(folder)
            if publish:
                fetch_published(folder, branch)
            clone = Clone(folder, FOLDER / branch.replace("/", "-"), branch)
            commit = resolve(folder, follow)
            clone.check_out(commit)
            clone.restore(commit, str(PARAMS_FILE))  # the last refresh may have fine-tuned
            share_cache(folder, clone.path, is_repository=True)
            share_logs(folder, clone.path)
            current = promoted(clone.path)
            last_epochs = None
            if from_promoted:
                if current is None:
                    raise UserError("there is no promoted model to fine-tune yet: refresh once without --from-promoted")
                epochs = epochs or read_params(clone.path / PARAMS_FILE).train.epochs
                last_epochs = take_up_last_refresh(clone)
            if publish:
                refuse_missing_remote(clone.path)
            _bring_data(folder, clone.path, children)
            plan = read_plan(clone.path, children)
            learns = any(stage.reason for stage in plan if stage.name not in _TEACH_NOTHING)
            if from_promoted and current and epochs and (learns or last_epochs not in (None, epochs)):
                begin_from_promoted(clone, commit, current, epochs)
                plan = read_plan(clone.path, children)
            states = run_stages(Build(clone.path, children), plan)
            end = conclude(states)
            end_without_server()
            publish_stage_table(states)
            if not end.is_completed():
                return end
            if current and clone.last and not clone.differs("dvc.lock"):
                end = Completed(name="Unchanged", message=f"nothing changed; {current.name} stays promoted")
                if publish:
                    push_data(clone.path, children, of_tags=True)
            else:
                end = _decide(clone, children, current, criterion, margin, publish)
            if publish:
                publish_refs(folder, branch, *(f"{MODEL}{sign}*" for sign in "@#"))
    except UserError as error:
        return end_in_one_line(error)
    return end


def _decide(
    clone: Clone, children: Children, current: Version | None, criterion: Criterion, margin: float, publish: bool
) -> State:
    """Score both models, commit, push data, promote the new model if it is better, hand over, report."""
    scores = _score(clone.path, children, current)
    better, verdict = judge(criterion, margin, current, scores)
    clone.commit(f"Refresh: {verdict}")
    push_data(clone.path, children, of_tags=publish)
    version, tags = promote(clone.path, verdict) if better else (current.name if current else "nothing", [])
    clone.hand_over(*tags)
    _tell(better, version, verdict, scores)
    return Completed(name="Promoted" if better else "Kept", message=f"{verdict}; {version} is promoted")


def _bring_data(folder: Path, copy: Path, children: Children) -> None:
    """Get everything that DVC's remote or cache has, and newer versions of what was imported from elsewhere."""
    pull_data(copy, children)
    tracked = git(copy, "ls-files", "-z", "*.dvc").split("\0")
    if imports := [name for name in tracked if name and read_dvc_file(copy / name).get("frozen")]:
        run_dvc(children, copy, "update", *imports)
    refuse_unversioned_arrays(folder, copy)


def _score(copy: Path, children: Children, current: Version | None) -> dict[str, dict[str, float]]:
    """Score the new and the promoted model with the code and the test images of the clone."""
    models = {"new": paths.MODEL}
    if current:
        version = [".", str(paths.MODEL), "--rev", current.commit]
        run_dvc(children, copy, "get", *version, "--force", "--out", str(_PROMOTED))
        models["promoted"] = _PROMOTED
    params = read_params(copy / PARAMS_FILE)
    options = {
        "out": _SCORES,
        "device": params.train.device,
        "precision": params.train.precision,
        "batch-size": params.evaluate.batch_size,
    }
    command = [sys.executable, "-m", "colorizer", "score", *map(str, models.values())]
    run_command(children, copy, "score", command + [f"--{name}={value}" for name, value in options.items()])
    scores = json.loads((copy / _SCORES).read_text(encoding="utf-8"))
    return {name: scores[str(path)] for name, path in models.items()}


def _tell(better: bool, version: str, verdict: str, scores: Mapping[str, Mapping[str, float]]) -> None:
    """Report the comparison as an artifact and the outcome as an event."""
    rows: list[dict[str, Any]] = [
        {"metric": name} | {model: scores[model][name] for model in scores} for name in scores["new"]
    ]
    create_table_artifact(rows, key="comparison", description=verdict)
    emit_event(
        event=f"colorizer.model.{'promoted' if better else 'kept'}",
        resource={"prefect.resource.id": f"colorizer.model.{MODEL}", "prefect.resource.name": MODEL},
        payload={"version": version, "stage": STAGE, "verdict": verdict, "scores": dict(scores)},
    )
