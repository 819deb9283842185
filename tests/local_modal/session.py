"""The client's first questions: who, where, which environment."""

from __future__ import annotations

from modal_proto import api_pb2 as pb

from tests.local_modal.rpc import rpc
from tests.local_modal.state import State


class Session:
    """One workspace with one environment, "main"."""

    def __init__(self, state: State) -> None:
        self._state = state

    @rpc("ClientHello")
    async def hello(self, _: object) -> pb.ClientHelloResponse:
        return pb.ClientHelloResponse()

    @rpc("EnvironmentGetOrCreate")
    async def environment(
        self, request: pb.EnvironmentGetOrCreateRequest
    ) -> pb.EnvironmentGetOrCreateResponse:
        version = self._state.options.image_builder_version
        settings = pb.EnvironmentSettings(image_builder_version=version)
        metadata = pb.EnvironmentMetadata(
            name=request.deployment_name or "main", settings=settings
        )
        return pb.EnvironmentGetOrCreateResponse(environment_id="en-1", metadata=metadata)

    @rpc("EnvironmentList")
    async def environments(self, _: object) -> pb.EnvironmentListResponse:
        return pb.EnvironmentListResponse(
            items=[pb.EnvironmentListItem(name="main", default=True)]
        )

    @rpc("WorkspaceNameLookup")
    async def workspace(self, _: object) -> pb.WorkspaceNameLookupResponse:
        return pb.WorkspaceNameLookupResponse(workspace_name="local", username="local")
