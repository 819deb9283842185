"""The same service on Modal: deployed by Modal's own CLI, carried by its own container code."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Self

from comfy_runner.bucket.s3_client import S3Address
from comfy_runner.install import find
from tests.integration.processes import children, command_of
from tests.integration.service import KEY, NODES, ROOT, Service
from tests.local_modal import Container, LocalModal
from tests.waiting import eventually

APP = "e2e"


class ModalStack(Service):
    """An app on the stand-in for Modal's servers, with its files in a real S3 server."""

    report_seconds = 1.0

    def __init__(self, data: Path, address: S3Address, **settings: object) -> None:
        data.mkdir(parents=True, exist_ok=True)
        nodes = data / "test_nodes.yaml"
        nodes.write_text(json.dumps({"test": {"custom_nodes": str(NODES)}}))
        (data / "app.toml").write_text(f'name = "{APP}"\nsnapshot = "cpu"\n')
        environment = {
            **os.environ,
            "APP_FILE": str(data / "app.toml"),
            "COMFYUI_ARGUMENTS": f"--extra-model-paths-config {nodes}",
            "R2_REGION": address.region,
            **_secret(address),
            **{name: str(value) for name, value in settings.items()},
        }
        super().__init__(data, environment)
        self.modal = LocalModal(
            secrets={"comfyui-api-secret": {"API_KEY": KEY}, "comfyui-r2": _secret(address)},
            container_overrides=_this_machine(data),
            heartbeat_interval=1,
            fire_crons_every=5,
            workdir=data / "modal",
        )

    def __enter__(self) -> Self:
        self.modal.__enter__()
        self._environment |= self.modal.env()
        self.deploy()
        return self

    def __exit__(self, *problem: object) -> None:
        self.modal.__exit__(*problem)

    def deploy(self) -> None:
        """Deploy, or deploy again, as `modal deploy modal_app.py` does."""
        self.modal.deploy("modal_app.py", cwd=ROOT, env=self._environment)
        self.url = self.modal.web_url("api").rstrip("/")

    @property
    def records(self) -> list[str]:
        """The options of ``manage.py`` that name this service's records."""
        return ["--app", self._environment["APP_FILE"]]

    def inputs(self) -> list[Path]:
        """Return the input files that lie in the directories of workers."""
        return list(self.data.glob("containers/comfy-*/input/*/*"))

    def worker(self) -> Container:
        """Return a worker container that takes jobs, once there is one."""

        def look() -> Container | None:
            tasks = self.modal.tasks("ComfyRunner")
            return next((each for each in tasks if not (each.stopping or each.exited)), None)

        return eventually(look)

    def comfyui(self) -> int:
        """Return the id of the first worker container's ComfyUI, once it runs."""

        def look() -> int | None:
            running = [self.worker().proc]
            found = [child for process in running if process for child in children(process.pid)]
            return next((pid for pid in found if "main.py" in command_of(pid)), None)

        return eventually(look)


def _secret(address: S3Address) -> dict[str, str]:
    return {
        "R2_ACCESS_KEY_ID": address.access_key_id,
        "R2_SECRET_ACCESS_KEY": address.secret_access_key,
        "R2_ENDPOINT_URL": address.endpoint_url,
        "R2_BUCKET_NAME": address.name,
    }


def _this_machine(data: Path) -> dict[str, str]:
    """Return where this machine has what an image or a volume would, and that it has no GPU."""
    directory = os.environ.get("COMFYUI_DIR")
    installation = find(comfyui_dir=Path(directory) if directory else None)
    return {
        "COMFYUI_DIR": directory or str(installation.checkout.parent),
        "COMFYUI_DEVICE": "cpu",
        "MODELS_DIR": str(data / "models"),
        "DATA_DIR": str(data / "containers"),
    }
