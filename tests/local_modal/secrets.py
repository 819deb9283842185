"""Secrets: those a test gives by name, and those a program makes."""

from __future__ import annotations

from grpclib import GRPCError, Status
from modal_proto import api_pb2 as pb

from tests.local_modal.rpc import not_found, rpc
from tests.local_modal.state import State


class Secrets:
    """The named Secrets are those of the options, which a program may add to."""

    def __init__(self, state: State) -> None:
        self._state = state

    @rpc("SecretGetOrCreate")
    async def get_or_create(
        self, request: pb.SecretGetOrCreateRequest
    ) -> pb.SecretGetOrCreateResponse:
        name = request.deployment_name
        values = self._named(request) if name else dict(request.env_dict)
        secret_id = f"st-{name}" if name else self._state.new_id("st")
        if name:
            self._state.secret_names[name] = secret_id
        self._state.secrets[secret_id] = values
        metadata = pb.SecretMetadata(name=name, keys=sorted(values))
        return pb.SecretGetOrCreateResponse(secret_id=secret_id, metadata=metadata)

    def _named(self, request: pb.SecretGetOrCreateRequest) -> dict[str, str]:
        name, known = request.deployment_name, self._state.options.secrets
        how = request.object_creation_type
        if how == pb.OBJECT_CREATION_TYPE_CREATE_FAIL_IF_EXISTS and name in known:
            raise GRPCError(Status.ALREADY_EXISTS, f"Secret '{name}' already exists")
        if how != pb.OBJECT_CREATION_TYPE_UNSPECIFIED:
            known[name] = dict(request.env_dict)
        elif name not in known:
            raise not_found(f"Secret '{name}'")
        missing = [key for key in request.required_keys if key not in known[name]]
        if missing:
            text = f"Secret '{name}' is missing key(s): {', '.join(missing)}"
            raise GRPCError(Status.NOT_FOUND, text)
        return known[name]
