"""What the environment changes in an app, and the JSON that its containers read."""

from __future__ import annotations

import json
import string
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

import apps
from apps import App, AppError, CustomNode, Limits, Model, Secrets, Timeouts
from settings import SETTINGS, Settings

WORDS = st.text(string.ascii_letters + string.digits + "-_.", min_size=1, max_size=20)
ANY_TEXT = st.text(max_size=20)
COUNTS = st.integers(0, 1000)
MODELS = st.builds(
    Model,
    folder=WORDS,
    file=ANY_TEXT,
    repo=st.none() | ANY_TEXT,
    revision=st.none() | WORDS,
    url=st.none() | ANY_TEXT,
    sha256=st.none() | WORDS,
)
NODES = st.builds(CustomNode, url=ANY_TEXT, commit=WORDS, pip=st.lists(WORDS).map(tuple))
APPS = st.builds(
    App,
    name=WORDS,
    comfyui_version=WORDS,
    gpu=st.lists(WORDS, min_size=1, max_size=3).map(tuple),
    allowed_gpus=st.lists(WORDS, max_size=3).map(tuple),
    models=st.lists(MODELS, max_size=3).map(tuple),
    custom_nodes=st.lists(NODES, max_size=3).map(tuple),
    volume=WORDS,
    snapshot=st.sampled_from(["off", "cpu", "gpu"]),
    limits=st.builds(Limits, gpu_max_containers=COUNTS, api_min_containers=COUNTS),
    timeouts=st.builds(Timeouts, job_seconds=COUNTS, start_seconds=COUNTS),
    warm=st.lists(ANY_TEXT, max_size=3).map(tuple),
    warm_up=st.none() | ANY_TEXT,
    cpu_jobs=st.booleans(),
    prices=st.dictionaries(WORDS, st.floats(0, 1), max_size=3),
    secrets=st.builds(Secrets, api=WORDS, r2=WORDS),
)


@given(APPS)
def test_an_app_comes_back_from_its_json_as_it_was(app: App) -> None:
    again = App.from_json(app.to_json())
    assert again == app
    assert hash(again) == hash(app)


@pytest.mark.parametrize("text", ["", "{", "[]", "3", "{}", '{"name": "a", "x": 1}'])
def test_json_that_is_no_app_is_refused_with_the_remedy(text: str) -> None:
    with pytest.raises(AppError, match="deploy again"):
        App.from_json(text)


def test_json_with_a_table_of_another_version_is_refused() -> None:
    document = json.loads(apps.load().to_json())
    document["limits"]["gpu_more_containers"] = 3
    with pytest.raises(AppError, match="gpu_more_containers"):
        App.from_json(json.dumps(document))


def test_an_empty_environment_changes_nothing() -> None:
    app = replace(apps.load(), gpu=("H100", "H200"), limits=Limits(gpu_max_containers=7))
    assert app.with_environment({}) == app
    assert app.with_environment(dict.fromkeys(apps.OVERRIDES, "  ")) == app


def test_what_the_environment_sets_wins_over_the_file() -> None:
    found = apps.load().with_environment(
        {
            "GPU_CONFIG": "h100:2",
            "COMFYUI_VERSION": "0.4.1",
            "JOB_TIMEOUT_SECONDS": "1200",
            "GPU_MAX_CONTAINERS": "5",
            "GPU_MIN_CONTAINERS": "1",
            "GPU_BUFFER_CONTAINERS": "2",
            "GPU_SCALEDOWN_WINDOW_SECONDS": "300",
            "API_MAX_CONTAINERS": "4",
            "API_MIN_CONTAINERS": "3",
            "PORT": "nonsense that is not this function's business",
        }
    )
    assert (found.gpu, found.comfyui_version) == (("H100:2",), "0.4.1")
    assert found.timeouts.job_seconds == 1200
    assert found.limits == Limits(
        gpu_max_containers=5,
        gpu_min_containers=1,
        gpu_buffer_containers=2,
        gpu_scaledown_window_seconds=300,
        api_max_containers=4,
        api_min_containers=3,
    )


def test_every_override_is_a_setting_with_the_same_default() -> None:
    document = json.loads(App(name="mine").to_json())
    known = {each.name: each.default for each in SETTINGS}
    for name, place in apps.OVERRIDES.items():
        found = document
        for key in place:
            found = found[key]
        assert found == ([known[name]] if name == "GPU_CONFIG" else known[name]), name


@pytest.mark.parametrize(
    ("environ", "said"),
    [
        ({"GPU_CONFIG": "L4OS"}, "GPU_CONFIG=L4OS: names a GPU that Modal does not have"),
        ({"GPU_CONFIG": "A10:8"}, "GPU_CONFIG=A10:8: asks for more than the 4 A10"),
        ({"GPU_MAX_CONTAINERS": "many"}, "GPU_MAX_CONTAINERS=many: must be a whole number"),
        ({"GPU_MAX_CONTAINERS": "0"}, "GPU_MAX_CONTAINERS=0: must be a whole number"),
        ({"GPU_MIN_CONTAINERS": "3"}, "limits.gpu_min_containers = 3: must not exceed"),
        ({"JOB_TIMEOUT_SECONDS": "86400"}, "JOB_TIMEOUT_SECONDS=86400: must be a whole number"),
        ({"COMFYUI_VERSION": "main"}, "COMFYUI_VERSION=main: must be a released version"),
    ],
)
def test_a_wrong_variable_is_named_with_its_value(environ: dict[str, str], said: str) -> None:
    with pytest.raises(AppError) as caught:
        apps.load().with_environment(environ)
    (found,) = caught.value.problems
    assert found.startswith(said)


def test_a_gpu_from_the_environment_is_held_to_the_snapshot_too(tmp_path: Path) -> None:
    file = tmp_path / "mine.toml"
    file.write_text('name = "mine"\nsnapshot = "gpu"\n')
    with pytest.raises(AppError, match='take "cpu", or one GPU'):
        apps.load(file).with_environment({"GPU_CONFIG": "H100:2"})


def test_settings_take_the_app_file_from_the_environment() -> None:
    assert Settings.from_environment({"APP_FILE": "x.toml"}).app_file == Path("x.toml")
