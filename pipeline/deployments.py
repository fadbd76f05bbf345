"""The flows as deployments: what `make serve` offers to whoever starts runs on a page, by schedule or by the API."""

from typing import Any

from prefect import serve
from prefect.flows import EntrypointType, Flow

from pipeline.rebuild import rebuild
from pipeline.refresh import refresh
from pipeline.sweep import sweep

NAME = "workspace"


def serve_deployments() -> None:
    """Carry out runs, each in a process of its own, until interrupted."""
    flows: list[Flow[..., Any]] = [rebuild, sweep, refresh]
    serve(*(_deployment(flow) for flow in flows))


def _deployment(flow: Flow[..., Any]) -> Any:
    return flow.to_deployment(
        NAME,
        description=(flow.description or "").split("\n\n")[0],
        entrypoint_type=EntrypointType.MODULE_PATH,
    )
