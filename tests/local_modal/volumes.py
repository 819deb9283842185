"""Volumes, each a directory on this machine."""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import AsyncIterator
from pathlib import Path

from aiohttp import web
from grpclib import GRPCError, Status
from modal_proto import api_pb2 as pb

from tests.local_modal.records import Volume
from tests.local_modal.rpc import not_found, rpc
from tests.local_modal.state import State

BLOCK = 8 * 2**20  # bytes in which the client reads and writes a file


class Volumes:
    """Reading, writing, listing; a commit and a reload are counted and change nothing."""

    def __init__(self, state: State) -> None:
        self._state = state
        self._blocks: dict[bytes, bytes] = {}

    def routes(self) -> list[web.RouteDef]:
        """Return the URLs of the blocks of files."""
        return [
            web.put("/block/{sha}", self._put_block),
            web.get("/volume/{volume}/{block}/{path:.*}", self._get_block),
        ]

    async def _put_block(self, request: web.Request) -> web.Response:
        data = await request.read()
        self._blocks[hashlib.sha256(data).digest()] = data
        return web.Response(body=b"ok")

    async def _get_block(self, request: web.Request) -> web.Response:
        known = request.match_info
        with self._path(known["volume"], known["path"]).open("rb") as file:
            file.seek(int(known["block"]) * BLOCK)
            return web.Response(body=file.read(BLOCK))

    @rpc("VolumeGetOrCreate")
    async def get_or_create(
        self, request: pb.VolumeGetOrCreateRequest
    ) -> pb.VolumeGetOrCreateResponse:
        volume = self._state.volumes.get(
            self._state.volume_names.get(request.deployment_name, "")
        ) or self._create(request)
        if request.object_creation_type == pb.OBJECT_CREATION_TYPE_CREATE_FAIL_IF_EXISTS:
            raise GRPCError(Status.ALREADY_EXISTS, f"Volume '{volume.name}' already exists")
        return pb.VolumeGetOrCreateResponse(
            volume_id=volume.id, version=volume.version, metadata=metadata_of(volume)
        )

    def _create(self, request: pb.VolumeGetOrCreateRequest) -> Volume:
        name, options = request.deployment_name, self._state.options
        create = request.object_creation_type != pb.OBJECT_CREATION_TYPE_UNSPECIFIED
        if name and not create and name not in options.existing_volumes:
            raise not_found(f"Volume '{name}'")
        volume_id = self._state.new_id("vo")
        directory = self._state.directory / "volumes" / (name or volume_id)
        directory.mkdir(parents=True, exist_ok=True)
        version = request.version or options.default_volume_version
        volume = Volume(volume_id, name, directory, version)
        self._state.volumes[volume_id] = volume
        if name:
            self._state.volume_names[name] = volume_id
        return volume

    @rpc("VolumeGetById")
    async def get_by_id(self, request: pb.VolumeGetByIdRequest) -> pb.VolumeGetByIdResponse:
        volume = self._of(request.volume_id)
        return pb.VolumeGetByIdResponse(volume_id=volume.id, metadata=metadata_of(volume))

    @rpc("VolumeHeartbeat")
    async def heartbeat(self, request: pb.VolumeHeartbeatRequest) -> None:
        self._of(request.volume_id)

    @rpc("VolumeCommit")
    async def commit(self, request: pb.VolumeCommitRequest) -> pb.VolumeCommitResponse:
        self._state.volume_commits[request.volume_id] += 1
        return pb.VolumeCommitResponse(skip_reload=False)

    @rpc("VolumeReload")
    async def reload(self, request: pb.VolumeReloadRequest) -> None:
        self._state.volume_reloads[request.volume_id] += 1

    @rpc("VolumeListFiles")
    async def list_v1(
        self, request: pb.VolumeListFilesRequest
    ) -> AsyncIterator[pb.VolumeListFilesResponse]:
        entries = self._list(request.volume_id, request.path, request.recursive)
        yield pb.VolumeListFilesResponse(entries=entries)

    @rpc("VolumeListFiles2")
    async def list_v2(
        self, request: pb.VolumeListFiles2Request
    ) -> AsyncIterator[pb.VolumeListFiles2Response]:
        entries = self._list(request.volume_id, request.path, request.recursive)
        yield pb.VolumeListFiles2Response(entries=entries)

    def _list(self, volume_id: str, path: str, recursive: bool) -> list[pb.FileEntry]:
        root, base = self._path(volume_id, path), self._of(volume_id).dir.resolve()
        if not root.exists():
            raise GRPCError(Status.NOT_FOUND, f"No such file or directory: {path}")
        if root.is_file():
            return [entry_of(root, base)]
        found = root.rglob("*") if recursive else root.iterdir()
        return [entry_of(each, base) for each in sorted(found)]

    @rpc("VolumeGetFile2")
    async def get_file(self, request: pb.VolumeGetFile2Request) -> pb.VolumeGetFile2Response:
        file = self._path(request.volume_id, request.path)
        if not file.is_file():
            raise GRPCError(Status.NOT_FOUND, f"File not found: {request.path}")
        size = file.stat().st_size
        length = request.len or size - request.start
        name = file.relative_to(self._of(request.volume_id).dir.resolve())
        base = f"{self._state.blob_url}/volume/{request.volume_id}"
        urls = [f"{base}/{block}/{name}" for block in range(-(-length // BLOCK))]
        return pb.VolumeGetFile2Response(get_urls=urls, size=size, start=request.start, len=length)

    @rpc("VolumeRemoveFile")
    async def remove_v1(self, request: pb.VolumeRemoveFileRequest) -> None:
        self._remove(request.volume_id, request.path, request.recursive)

    @rpc("VolumeRemoveFile2")
    async def remove_v2(self, request: pb.VolumeRemoveFile2Request) -> None:
        self._remove(request.volume_id, request.path, request.recursive)

    def _remove(self, volume_id: str, path: str, recursive: bool) -> None:
        file = self._path(volume_id, path)
        if not file.exists():
            raise GRPCError(Status.NOT_FOUND, f"No such file: {path}")
        if file.is_dir() and not recursive:
            raise GRPCError(Status.INVALID_ARGUMENT, "is a directory")
        if file.is_dir():
            shutil.rmtree(file)
        else:
            file.unlink()

    @rpc("VolumePutFiles")
    async def put_v1(self, request: pb.VolumePutFilesRequest) -> None:
        keep = request.disallow_overwrite_existing_files
        for each in request.files:
            data = self._state.files[each.sha256_hex]
            self._write(request.volume_id, each.filename, data, keep=keep)

    @rpc("VolumePutFiles2")
    async def put_v2(self, request: pb.VolumePutFiles2Request) -> pb.VolumePutFiles2Response:
        missing = [
            pb.VolumePutFiles2Response.MissingBlock(
                file_index=i,
                block_index=j,
                put_url=f"{self._state.blob_url}/block/{block.contents_sha256.hex()}",
            )
            for i, file in enumerate(request.files)
            for j, block in enumerate(file.blocks)
            if block.contents_sha256 not in self._blocks
        ]
        keep = request.disallow_overwrite_existing_files
        for each in request.files if not missing else ():
            data = b"".join(self._blocks[block.contents_sha256] for block in each.blocks)
            self._write(request.volume_id, each.path, data[: each.size], keep=keep)
        return pb.VolumePutFiles2Response(missing_blocks=missing)

    def _write(self, volume_id: str, path: str, data: bytes, *, keep: bool) -> None:
        file = self._path(volume_id, path)
        if keep and file.exists():
            raise GRPCError(Status.ALREADY_EXISTS, f"{path}: already exists")
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(data)

    def _of(self, volume_id: str) -> Volume:
        if volume_id not in self._state.volumes:
            raise not_found(f"Volume with id '{volume_id}'")
        return self._state.volumes[volume_id]

    def _path(self, volume_id: str, path: str) -> Path:
        base = self._of(volume_id).dir.resolve()
        file = (base / path.lstrip("/")).resolve()
        if not file.is_relative_to(base):
            raise GRPCError(Status.INVALID_ARGUMENT, f"{path} leads out of the volume")
        return file


def metadata_of(volume: Volume) -> pb.VolumeMetadata:
    """Return what the client is told of a Volume."""
    return pb.VolumeMetadata(name=volume.name, version=volume.version)


def entry_of(path: Path, base: Path) -> pb.FileEntry:
    """Describe a file or directory in a listing."""
    kind = pb.FileEntry.DIRECTORY if path.is_dir() else pb.FileEntry.FILE
    facts = path.stat()
    return pb.FileEntry(
        path=str(path.relative_to(base)),
        type=kind,
        mtime=int(facts.st_mtime),
        size=0 if path.is_dir() else facts.st_size,
    )
