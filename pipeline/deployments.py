"""The flows as deployments: what `make serve` offers to whoever starts runs on a page, by schedule or by the API."""

import os
import shlex
import tempfile
from pathlib import Path
from typing import Any

from prefect import get_client, serve
from prefect.client.orchestration import SyncPrefectClient
from prefect.client.schemas.actions import DeploymentScheduleCreate
from prefect.client.schemas.responses import DeploymentResponse
from prefect.exceptions import ObjectNotFound
from prefect.flows import EntrypointType, Flow
from prefect.types.names import BANNED_CHARACTERS

from colorizer.core.errors import UserError
from pipeline.flows.colorize_film import colorize_film
from pipeline.flows.colorize_folder import colorize_folder
from pipeline.flows.rebuild import rebuild
from pipeline.flows.refresh import refresh
from pipeline.flows.sweep import sweep
from pipeline.process.flow_run import WORKSPACE, workspace_tag
from pipeline.process.server import HOME


def serve_deployments(folder: Path, name: str | None) -> None:
    """Carry out runs in the workspace in `folder`, each in a process of its own, until interrupted.

    The deployments are named after the folder if `name` is None. Raises UserError when another workspace has that name.
    """
    flows: list[Flow[..., Any]] = [rebuild, sweep, refresh, colorize_folder, colorize_film]
    name = name or folder.name.translate(dict.fromkeys(map(ord, BANNED_CHARACTERS), "-"))
    with get_client(sync_client=True) as client:
        deployments = [_deployment(flow, name, folder, client) for flow in flows]
    with tempfile.TemporaryDirectory() as own:
        tempfile.tempdir = own  # Prefect's folder in the common one belongs to whoever on this machine came first
        serve(*deployments)


def _deployment(flow: Flow[..., Any], name: str, folder: Path, client: SyncPrefectClient) -> Any:
    known = _known(f"{flow.name}/{name}", client)
    if known:
        refuse_other_workspace(known, flow.name, folder)
    return flow.to_deployment(
        name,
        description=(flow.description or "").split("\n\n")[0],
        tags=[workspace_tag(folder)],
        schedules=_schedules(known) if known else [],
        entrypoint_type=EntrypointType.MODULE_PATH,
    )


def _known(deployment: str, client: SyncPrefectClient) -> DeploymentResponse | None:
    try:
        return client.read_deployment_by_name(deployment)
    except ObjectNotFound:
        return None


def refuse_other_workspace(known: DeploymentResponse, flow: str, folder: Path) -> None:
    """Raise UserError when the deployment is another workspace's, unless that has gone from its place.

    A server's files in this workspace know others only if the workspace is a copy.
    """
    if os.environ.get("PREFECT_HOME") == str(folder / HOME):
        return
    own = workspace_tag(folder)
    machine = own.removesuffix(str(folder.resolve()))
    for tag in known.tags:
        has_gone = tag.startswith(machine) and not Path(tag.removeprefix(machine)).exists()
        if tag.startswith(WORKSPACE) and tag != own and not has_gone:
            raise UserError(
                f"on this server the name {known.name} belongs to {tag}: choose another for this workspace, "
                "`python -m pipeline serve --name NAME`, or free it: "
                f"`prefect deployment delete {shlex.quote(f'{flow}/{known.name}')}`"
            )


def _schedules(known: DeploymentResponse) -> list[DeploymentScheduleCreate]:
    """Those that somebody made on the pages or by a command: serving anew would otherwise remove them."""
    names = DeploymentScheduleCreate.model_fields
    return [DeploymentScheduleCreate(**schedule.model_dump(include=set(names))) for schedule in known.schedules]
