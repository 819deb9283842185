"""The app files that come with the project, and what a file may leave out."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import apps
import workflows
from apps import App
from settings import Settings
from settings.env_file import read_env_file

ROOT = Path(apps.__file__).parent.parent


@pytest.fixture(params=apps.names())
def app(request: pytest.FixtureRequest) -> App:
    return apps.load(ROOT / "apps" / f"{request.param}.toml")


def written(path: Path, text: str) -> Path:
    path.write_text(text, encoding="utf-8")
    return path


def test_there_are_apps_for_anything_for_images_and_for_video() -> None:
    assert apps.names() == ("default", "image", "video")
    names = [apps.load(ROOT / "apps" / f"{name}.toml").name for name in apps.names()]
    assert names == ["comfyui-saas", "comfyui-image", "comfyui-video"]


def test_the_default_app_runs_on_an_l40s_on_the_usual_volume() -> None:
    found = apps.load()
    assert (found.gpu, found.volume) == (("L40S",), "comfyui-models-cache")
    assert (found.secrets.api, found.secrets.r2) == ("comfyui-api-secret", "comfyui-r2")
    assert (found.limits.gpu_max_containers, found.limits.gpu_min_containers) == (2, 0)


def test_what_the_default_file_spells_out_is_what_leaving_it_out_means(tmp_path: Path) -> None:
    spelled = apps.load()
    bare = apps.load(written(tmp_path / "bare.toml", f'name = "{spelled.name}"'))
    assert bare == App.from_document({**vars(bare), "prices": {}} | shape(bare))
    assert bare.with_environment({}) == bare
    assert {**vars(spelled), "prices": {}} == vars(bare)


def shape(app: App) -> dict[str, object]:
    return {name: vars(getattr(app, name)) for name in ("limits", "timeouts", "secrets")}


def test_every_model_that_comes_with_the_project_is_pinned(app: App) -> None:
    for model in app.models:
        assert model.pinned, model
        assert model.repo is not None
        assert re.fullmatch(r"[0-9a-f]{40}", model.revision or ""), model


def test_every_gpu_that_an_app_may_use_has_a_price(app: App) -> None:
    for gpu in (*app.gpu, *app.allowed_gpus, "CPU"):
        assert app.price_of(gpu), gpu


def test_a_named_warm_up_is_a_workflow_kept_here(app: App) -> None:
    assert app.warm_up is None or app.warm_up in workflows.names()


def test_the_prices_are_the_same_in_every_file() -> None:
    found = [apps.load(ROOT / "apps" / f"{name}.toml").prices for name in apps.names()]
    assert all(prices == found[0] for prices in found)


def test_the_setting_names_the_default_app(tmp_path: Path) -> None:
    assert ROOT / Settings().app_file == apps.DEFAULT
    assert "APP_FILE" not in read_env_file(written(tmp_path / ".env", "API_KEY=k"))


def test_a_model_keeps_only_the_last_part_of_its_path_in_the_repository(tmp_path: Path) -> None:
    text = f"""
        name = "mine"
        [[models]]
        folder = "vae"
        repo = "owner/repository"
        file = "split_files/vae/a.safetensors"
        [[models]]
        folder = "loras/styles"
        url = "https://files.example.com/b?download=1"
        file = "b.safetensors"
        sha256 = "{"AB" * 32}"
    """
    near, far = apps.load(written(tmp_path / "mine.toml", text)).models
    assert (near.path, near.revision, near.pinned) == ("vae/a.safetensors", "main", False)
    assert (far.path, far.revision, far.pinned) == ("loras/styles/b.safetensors", None, True)
    assert far.sha256 == "ab" * 32


def test_a_custom_node_is_named_for_its_repository(tmp_path: Path) -> None:
    commit = "0123456789abcdef0123456789abcdef01234567"
    text = f"""
        name = "mine"
        [[custom_nodes]]
        url = "https://github.com/kijai/ComfyUI-WanVideoWrapper.git"
        commit = "{commit}"
        pip = ["sageattention==1.0.6"]
    """
    (node,) = apps.load(written(tmp_path / "mine.toml", text)).custom_nodes
    assert (node.name, node.commit) == ("ComfyUI-WanVideoWrapper", commit)
    assert node.pip == ("sageattention==1.0.6",)


def test_gpus_may_be_written_in_small_letters_and_several_have_several_prices(
    tmp_path: Path,
) -> None:
    text = 'name = "mine"\ngpu = ["h100!:2", "l4"]\n[prices]\nH100 = 0.001\n'
    found = apps.load(written(tmp_path / "mine.toml", text))
    assert found.gpu == ("H100!:2", "L4")
    assert (found.price_of("H100!:2"), found.price_of("L4")) == (0.002, None)
