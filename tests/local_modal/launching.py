"""The process of a container: Modal's own entry point, with the files that the app has shipped."""

from __future__ import annotations

import asyncio
import hashlib
import json
import os
import sys
import uuid
from pathlib import Path, PurePosixPath

from modal_proto import api_pb2 as pb

from tests.local_modal.files import environment_of, shipped_to
from tests.local_modal.handles import layout_of
from tests.local_modal.records import Container, Function
from tests.local_modal.rpc import TASK_HEADER
from tests.local_modal.state import State

# A test run that is killed leaves no containers (1 is PR_SET_PDEATHSIG), and a container hears
# Ctrl-C where a shell has started the tests in the background, deaf to it.
SHIM = (
    "import ctypes, os, signal, sys\n"
    "signal.signal(signal.SIGINT, signal.SIG_DFL)\n"
    "ctypes.CDLL(None).prctl(1, signal.SIGKILL)\n"
    "if os.getppid() != int(sys.argv[1]): os._exit(1)\n"
    "os.execv(sys.argv[2], sys.argv[2:])\n"
)
PASSED_ON = ("PATH", "HOME", "LANG", "TMPDIR")


class CannotStart(Exception):
    """The container cannot even be begun, which Modal tries again and again."""


async def launch(state: State, task: Container) -> asyncio.subprocess.Process:
    """Start the container's process.

    Raises:
        CannotStart: a Volume would cover files, which Modal refuses.
    """
    root = root_of(state, task.fn)
    refuse_covering(state, task.fn, root)
    if state.options.mount_volumes:
        link_volumes(state, task.fn)
    arguments = task.dir / "args.bin"
    arguments.write_bytes(arguments_of(state, task).SerializeToString())
    with (task.dir / "container.log").open("wb") as log:
        return await asyncio.create_subprocess_exec(
            *(sys.executable, "-I", "-S", "-c", SHIM, str(os.getpid()), sys.executable),
            *state.options.container_python_args,
            *("-m", "modal._container_entrypoint"),
            cwd=root / "root",
            env=environment(state, task, root),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=log,
            stderr=asyncio.subprocess.STDOUT,
            start_new_session=True,
        )


def root_of(state: State, function: Function) -> Path:
    """Write the app's source, as far as it was shipped, to a directory that stands for "/"."""
    files = shipped_to(state, function.proto)
    digest = hashlib.sha256(repr(sorted(files.items())).encode())
    root = state.directory / "rootfs" / digest.hexdigest()[:16]
    if not root.exists():
        (root / "root").mkdir(parents=True)
        for name, sha in files.items():
            path = root / name.lstrip("/")
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(state.files[sha])
    return root


def refuse_covering(state: State, function: Function, root: Path) -> None:
    """Refuse to mount a Volume over files, as Modal does when the container starts."""
    occupied = [PurePosixPath(each) for each in state.options.occupied]
    for mount in function.proto.volume_mounts:
        path = PurePosixPath(mount.mount_path)
        inside = root / mount.mount_path.lstrip("/")
        shipped = inside.is_dir() and any(inside.iterdir())
        if shipped or any(each.is_relative_to(path) for each in occupied):
            raise CannotStart(f'cannot mount volume on non-empty path: "{path}"')


def link_volumes(state: State, function: Function) -> None:
    """Make each mount path a link to the Volume's directory; `ControlPlane.stop` removes them."""
    for mount in function.proto.volume_mounts:
        link, target = Path(mount.mount_path), state.volumes[mount.volume_id].dir
        target = target / mount.sub_path.lstrip("/")
        target.mkdir(parents=True, exist_ok=True)
        if link.is_symlink() and link.readlink() == target:
            continue
        if link.is_symlink() or link.exists():
            raise CannotStart(f"{link} is taken on this machine; mount the Volume elsewhere")
        link.parent.mkdir(parents=True, exist_ok=True)
        link.symlink_to(target)
        state.links.append(link)


def arguments_of(state: State, task: Container) -> pb.ContainerArguments:
    """Return what Modal's entry point is told of its container."""
    function = task.fn
    definition = pb.Function()
    definition.CopyFrom(function.proto)
    definition.is_checkpointing_function = definition.checkpointing_enabled
    layout = layout_of(state, state.apps[function.app_id])
    if definition.function_name not in layout.function_ids:  # the app is not published yet
        layout.function_ids[definition.function_name] = function.base_id or function.id
    return pb.ContainerArguments(
        task_id=task.id,
        function_id=function.id,
        app_id=function.app_id,
        function_def=definition,
        serialized_params=function.serialized_params,
        environment_name="main",
        checkpoint_id=f"ch-{uuid.uuid4()}" if definition.checkpointing_enabled else "",
        app_layout=layout,
    )


def environment(state: State, task: Container, root: Path) -> dict[str, str]:
    """Return the container's environment: the image's, the Secrets, and Modal's own."""
    options, proto = state.options, task.fn.proto
    made = {key: os.environ[key] for key in PASSED_ON if key in os.environ}
    made |= environment_of(state, proto.image_id)
    made |= options.container_env
    for secret_id in proto.secret_ids:
        made |= state.secrets[secret_id]
    made |= options.container_overrides
    made |= {
        "MODAL_SERVER_URL": state.grpc_url,
        "MODAL_TASK_ID": task.id,
        "MODAL_IS_REMOTE": "1",
        "MODAL_ENVIRONMENT": "main",
        "MODAL_REGION": "local",
        "MODAL_CLOUD_PROVIDER": "CLOUD_PROVIDER_LOCAL",
        "MODAL_IMAGE_ID": proto.image_id,
        "MODAL_CONTAINER_ARGUMENTS_PATH": str(task.dir / "args.bin"),
        "MODAL_OVERRIDE_HEADERS": f"{TASK_HEADER}:{task.id}",
        "MODAL_HEARTBEAT_INTERVAL": str(options.heartbeat_interval),
        "MODAL_LOGLEVEL": options.container_loglevel,
        "PYTHONPATH": os.pathsep.join([str(root / "root"), *options.container_pythonpath]),
        "PYTHONUNBUFFERED": "1",
        "LOCAL_MODAL_VOLUMES": json.dumps(
            {
                each.mount_path: str(state.volumes[each.volume_id].dir)
                for each in proto.volume_mounts
            }
        ),
    }
    if proto.checkpointing_enabled:
        made["MODAL_ENABLE_SNAP_RESTORE"] = "1"
        made["MODAL_RESTORE_STATE_PATH"] = str(task.dir / "restore-state.json")
    return made
