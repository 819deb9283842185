"""Dicts, whose entries lapse when for seven days nobody has read or written them."""

from __future__ import annotations

import math
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass

from grpclib import GRPCError, Status
from modal_proto import api_pb2 as pb

from tests.local_modal.rpc import not_found, rpc
from tests.local_modal.state import State

IDLE_DAYS = 7.0  # after which an entry lapses: docstring of modal.Dict, 1.6.4
LARGEST_VALUE = 100 * 2**20  # bytes: the same


@dataclass
class Entry:
    """A value, and the day of its last use."""

    value: bytes
    used: float


class Dicts:
    """The Dicts by id; the days pass when a test says so.

    `get`, `contains` and `put` of a key are a use of its entry; `keys`, `items` and `len` are
    not, which is the less kind reading of "without read or write".
    """

    def __init__(self, state: State) -> None:
        self._state = state
        self._names: dict[str, str] = {}
        self._created: dict[str, float] = {}
        self._entries: dict[str, dict[bytes, Entry]] = {}
        self._today = 0.0

    def age(self, days: float) -> None:
        """Let days pass; what has lapsed then is gone."""
        self._today += days
        for entries in self._entries.values():
            for key in [k for k, e in entries.items() if self._today - e.used >= IDLE_DAYS]:
                del entries[key]

    @rpc("DictGetOrCreate")
    async def get_or_create(
        self, request: pb.DictGetOrCreateRequest
    ) -> pb.DictGetOrCreateResponse:
        name = request.deployment_name
        dict_id = self._names.get(name)
        if dict_id is None:
            if name and request.object_creation_type == pb.OBJECT_CREATION_TYPE_UNSPECIFIED:
                raise not_found(f"Dict '{name}'")
            dict_id = self._state.new_id("di")
            self._entries[dict_id] = {}
            if name:
                self._names[name], self._created[name] = dict_id, time.time()
        return pb.DictGetOrCreateResponse(dict_id=dict_id, metadata=pb.DictMetadata(name=name))

    @rpc("DictList")
    async def list(self, request: pb.DictListRequest) -> pb.DictListResponse:
        """Return a page of the named Dicts, newest first."""
        before = request.pagination.created_before or math.inf
        names = [name for name in self._names if self._created[name] < before]
        names.sort(key=self._created.__getitem__, reverse=True)
        page = names[: request.pagination.max_objects or len(names)]
        return pb.DictListResponse(dicts=[self._info(name) for name in page])

    def _info(self, name: str) -> pb.DictListResponse.DictInfo:
        created = pb.CreationInfo(created_at=self._created[name], created_by="local")
        return pb.DictListResponse.DictInfo(
            name=name,
            dict_id=self._names[name],
            metadata=pb.DictMetadata(name=name, creation_info=created),
        )

    @rpc("DictGetById")
    async def get_by_id(self, request: pb.DictGetByIdRequest) -> pb.DictGetByIdResponse:
        self._of(request.dict_id)
        return pb.DictGetByIdResponse(dict_id=request.dict_id, metadata=pb.DictMetadata())

    @rpc("DictHeartbeat")
    async def heartbeat(self, request: pb.DictHeartbeatRequest) -> None:
        self._of(request.dict_id)

    @rpc("DictDelete")
    async def delete(self, request: pb.DictDeleteRequest) -> None:
        self._entries.pop(request.dict_id, None)
        self._names = {k: v for k, v in self._names.items() if v != request.dict_id}

    @rpc("DictClear")
    async def clear(self, request: pb.DictClearRequest) -> None:
        self._of(request.dict_id).clear()

    @rpc("DictGet")
    async def get(self, request: pb.DictGetRequest) -> pb.DictGetResponse:
        entry = self._use(request.dict_id, request.key)
        return pb.DictGetResponse(found=entry is not None, value=entry.value if entry else b"")

    @rpc("DictContains")
    async def contains(self, request: pb.DictContainsRequest) -> pb.DictContainsResponse:
        return pb.DictContainsResponse(found=self._use(request.dict_id, request.key) is not None)

    @rpc("DictLen")
    async def length(self, request: pb.DictLenRequest) -> pb.DictLenResponse:
        return pb.DictLenResponse(len=len(self._of(request.dict_id)))

    @rpc("DictUpdate")
    async def update(self, request: pb.DictUpdateRequest) -> pb.DictUpdateResponse:
        entries = self._of(request.dict_id)
        if any(len(each.value) > LARGEST_VALUE for each in request.updates):
            raise GRPCError(Status.RESOURCE_EXHAUSTED, "Dict value exceeds 100 MiB")
        created = False
        for each in request.updates:
            if request.if_not_exists and self._use(request.dict_id, each.key):
                continue
            created = True
            entries[each.key] = Entry(each.value, self._today)
        return pb.DictUpdateResponse(created=created)

    @rpc("DictPop")
    async def pop(self, request: pb.DictPopRequest) -> pb.DictPopResponse:
        entry = self._of(request.dict_id).pop(request.key, None)
        return pb.DictPopResponse(found=entry is not None, value=entry.value if entry else b"")

    @rpc("DictContents")
    async def contents(self, request: pb.DictContentsRequest) -> AsyncIterator[pb.DictEntry]:
        for key, entry in list(self._of(request.dict_id).items()):
            yield pb.DictEntry(
                key=key if request.keys else b"", value=entry.value if request.values else b""
            )

    def _of(self, dict_id: str) -> dict[bytes, Entry]:
        if dict_id not in self._entries:
            raise not_found(f"Dict with id '{dict_id}'")
        return self._entries[dict_id]

    def _use(self, dict_id: str, key: bytes) -> Entry | None:
        entry = self._of(dict_id).get(key)
        if entry is not None:
            entry.used = self._today
        return entry
