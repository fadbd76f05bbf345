"""The flows as deployments: what `make serve` offers to whoever starts runs on a page, by schedule or by the API."""

from typing import Any

from prefect import get_client, serve
from prefect.client.orchestration import SyncPrefectClient
from prefect.client.schemas.actions import DeploymentScheduleCreate
from prefect.exceptions import ObjectNotFound
from prefect.flows import EntrypointType, Flow

from pipeline.flows.colorize_folder import colorize_folder
from pipeline.flows.rebuild import rebuild
from pipeline.flows.refresh import refresh
from pipeline.flows.sweep import sweep

NAME = "workspace"


def serve_deployments() -> None:
    """Carry out runs, each in a process of its own, until interrupted."""
    flows: list[Flow[..., Any]] = [rebuild, sweep, refresh, colorize_folder]
    with get_client(sync_client=True) as client:
        deployments = [_deployment(flow, client) for flow in flows]
    serve(*deployments)


def _deployment(flow: Flow[..., Any], client: SyncPrefectClient) -> Any:
    return flow.to_deployment(
        NAME,
        description=(flow.description or "").split("\n\n")[0],
        schedules=_known_schedules(f"{flow.name}/{NAME}", client),
        entrypoint_type=EntrypointType.MODULE_PATH,
    )


def _known_schedules(deployment: str, client: SyncPrefectClient) -> list[DeploymentScheduleCreate]:
    """Those that somebody made on the pages or by a command: serving anew would otherwise remove them."""
    try:
        known = client.read_deployment_by_name(deployment).schedules
    except ObjectNotFound:
        return []
    names = DeploymentScheduleCreate.model_fields
    return [DeploymentScheduleCreate(**schedule.model_dump(include=set(names))) for schedule in known]
