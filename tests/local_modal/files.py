"""What clients upload: blobs, the mounts that are the source of an app, and images never built."""

from __future__ import annotations

import hashlib
import re
import shlex
from collections.abc import AsyncIterator, Iterator

from aiohttp import web
from modal_proto import api_pb2 as pb

from tests.local_modal.records import Image
from tests.local_modal.rpc import rpc
from tests.local_modal.state import State

SUCCESS = pb.GenericResult(status=pb.GenericResult.GENERIC_STATUS_SUCCESS)
# Options of pip and uv that have a value of their own.
WITH_VALUE = frozenset(
    {
        *("--index-url", "--extra-index-url", "--find-links", "--python", "--prerelease"),
        *("--requirement", "--requirements", "--constraint", "-i", "-f", "-r", "-c"),
    }
)


class Files:
    """Content by blob id and by SHA-256."""

    def __init__(self, state: State) -> None:
        self._state = state
        self._mount_names: dict[str, str] = {}

    def routes(self) -> list[web.RouteDef]:
        """Return the URLs that blobs are put to and got from."""
        return [web.put("/blob/{id}", self._put_blob), web.get("/blob/{id}", self._get_blob)]

    async def _put_blob(self, request: web.Request) -> web.Response:
        data = await request.read()
        self._state.blobs[request.match_info["id"]] = data
        digest = hashlib.md5(data, usedforsecurity=False).hexdigest()
        return web.Response(headers={"ETag": f'"{digest}"'})

    async def _get_blob(self, request: web.Request) -> web.Response:
        return web.Response(body=self._state.blobs[request.match_info["id"]])

    @rpc("BlobCreate")
    async def create_blob(self, _: object) -> pb.BlobCreateResponse:
        blob_id = self._state.new_id("bl")
        url = f"{self._state.blob_url}/blob/{blob_id}"
        return pb.BlobCreateResponse(
            blob_id=blob_id,
            upload_url=url,
            blob_ids=[blob_id],
            upload_urls=pb.UploadUrlList(items=[url]),
        )

    @rpc("BlobGet")
    async def get_blob(self, request: pb.BlobGetRequest) -> pb.BlobGetResponse:
        return pb.BlobGetResponse(download_url=f"{self._state.blob_url}/blob/{request.blob_id}")

    @rpc("MountBatchedCheckExistence")
    async def check_existence(
        self, request: pb.MountBatchedCheckExistenceRequest
    ) -> pb.MountBatchedCheckExistenceResponse:
        missing = [each for each in request.sha256_hex_hashes if each not in self._state.files]
        return pb.MountBatchedCheckExistenceResponse(missing_sha256_hex_hashes=missing)

    @rpc("MountPutFile")
    async def put_file(self, request: pb.MountPutFileRequest) -> pb.MountPutFileResponse:
        files, blobs = self._state.files, self._state.blobs
        if request.WhichOneof("data_oneof") == "data_blob_id":
            files[request.sha256_hex] = blobs[request.data_blob_id]
        elif request.WhichOneof("data_oneof") == "data":
            files[request.sha256_hex] = request.data
        return pb.MountPutFileResponse(exists=request.sha256_hex in files)

    @rpc("MountGetOrCreate")
    async def get_or_create_mount(
        self, request: pb.MountGetOrCreateRequest
    ) -> pb.MountGetOrCreateResponse:
        name = request.deployment_name  # only of those that Modal publishes, which we need not
        mount_id = self._mount_names.get(name) or self._state.new_id("mo")
        if name:
            self._mount_names[name] = mount_id
        self._state.mounts[mount_id] = list(request.files)
        return pb.MountGetOrCreateResponse(mount_id=mount_id, handle_metadata=MOUNT_HANDLE)

    @rpc("ImageGetOrCreate")
    async def get_or_create_image(
        self, request: pb.ImageGetOrCreateRequest
    ) -> pb.ImageGetOrCreateResponse:
        images = self._state.images
        known = next((key for key, each in images.items() if each.proto == request.image), None)
        image_id = known or self._state.new_id("im")
        images[image_id] = Image(request.image, request.build_function_id)
        version = request.builder_version or self._state.options.image_builder_version
        return pb.ImageGetOrCreateResponse(
            image_id=image_id,
            result=SUCCESS,
            metadata=pb.ImageMetadata(image_builder_version=version),
        )

    @rpc("ImageJoinStreaming")
    async def join_image(self, _: object) -> AsyncIterator[pb.ImageJoinStreamingResponse]:
        yield pb.ImageJoinStreamingResponse(result=SUCCESS, eof=True)


MOUNT_HANDLE = pb.MountHandleMetadata(content_checksum_sha256_hex="local")


def layers_of(state: State, image_id: str) -> list[str]:
    """Return the Dockerfile lines of an image, those of its bases first."""
    image = state.images.get(image_id)
    if image is None:
        return []
    below = [line for base in image.proto.base_images for line in layers_of(state, base.image_id)]
    return below + list(image.proto.dockerfile_commands)


def shipped_to(state: State, function: pb.Function) -> dict[str, str]:
    """Return the path and SHA-256 of each file of ours that the function's containers have."""
    mounts = [*copied_into(state, function.image_id), *function.mount_ids]
    files = [file for mount_id in mounts for file in state.mounts.get(mount_id, [])]
    return {file.filename: file.sha256_hex for file in files}


def copied_into(state: State, image_id: str) -> list[str]:
    """Return the mounts that the image has as layers, as `copy=True` makes them."""
    image = state.images.get(image_id)
    if image is None:
        return []
    below = [
        each for base in image.proto.base_images for each in copied_into(state, base.image_id)
    ]
    copies = "COPY . /" in image.proto.dockerfile_commands
    return below + ([image.proto.context_mount_id] if copies else [])


def environment_of(state: State, image_id: str) -> dict[str, str]:
    """Return what the image sets in the environment."""
    environment: dict[str, str] = {}
    for line in layers_of(state, image_id):
        if found := re.match(r"\s*ENV\s+(.*)$", line, re.DOTALL):
            for word in shlex.split(found[1]):
                key, _, value = word.partition("=")
                environment[key] = value
    return environment


def packages_of(state: State, image_id: str) -> list[str]:
    """Return the requirements that the image installs with pip or uv, as they are written.

    What a requirements file names is not among them: such files are in the image only.
    """
    lines = layers_of(state, image_id)
    return sorted({each for line in lines for each in packages_installed_by(line)})


def packages_installed_by(line: str) -> Iterator[str]:
    """Yield each requirement in a RUN line of a Dockerfile."""
    if not line.startswith("RUN "):
        return
    for command in re.split(
        r"&&|;|\|\|", line.removeprefix("RUN ").replace("$(", "").replace(")", "")
    ):
        found = re.search(r"\bpip install\b(.*)", command, re.DOTALL)
        yield from requirements_among(shlex.split(found[1]) if found else [])


def requirements_among(words: list[str]) -> Iterator[str]:
    skip = 0
    for word in words:
        if skip:
            # `--python $(command -v python)` has a value of three words.
            skip = skip + 2 if word == "command" else skip - 1
        elif word in WITH_VALUE:
            skip = 1
        elif not word.startswith("-"):
            yield word
