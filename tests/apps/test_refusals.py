"""App files that are refused: each problem with its place, its value and the remedy."""

from __future__ import annotations

from pathlib import Path

import pytest

import apps
from apps import AppError

COMMIT = "0123456789abcdef0123456789abcdef01234567"


def problems(directory: Path, text: str) -> tuple[str, ...]:
    file = directory / "mine.toml"
    file.write_text(text, encoding="utf-8")
    with pytest.raises(AppError) as caught:
        apps.load(file)
    assert str(caught.value).startswith(f"{file} has {len(caught.value.problems)} problem")
    return caught.value.problems


def model(**values: str) -> str:
    kept = {"folder": "vae", "file": "a.safetensors", "repo": "o/r"} | values
    lines = [f'{key} = "{value}"' for key, value in kept.items() if value]
    return "\n".join(["[[models]]", *lines, ""])


def node(url: str, commit: str = COMMIT) -> str:
    return f'[[custom_nodes]]\nurl = "{url}"\ncommit = "{commit}"\n'


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ('gpus = ["L4"]', 'gpus: is not known here; did you mean "gpu"?'),
        ("zzz = 1", "zzz = 1: is not known here; there are name, comfyui_version, gpu"),
        ('gpu = ["L4OS"]', 'gpu[0] = "L4OS": names a GPU that Modal does not have; did you mean'),
        ('gpu = ["A10:8"]', 'gpu[0] = "A10:8": asks for more than the 4 A10'),
        ('gpu = ["H100:9"]', 'gpu[0] = "H100:9": must be a GPU type of Modal'),
        ('gpu = "L4"', 'gpu = "L4": must be a list, as in ["..."]'),
        ("gpu = []", "gpu = []: must name at least one GPU"),
        ('gpu = ["L4", "l4"]', 'gpu[1]: "L4" is named twice'),
        ('allowed_gpus = ["L4", "K80"]', 'allowed_gpus[1] = "K80": names a GPU'),
        ('comfyui_version = "latest"', 'comfyui_version = "latest": must be a released version'),
        ('volume = "my volume"', 'volume = "my volume": must be 1 to 64 letters'),
        ('snapshot = "on"', 'snapshot = "on": must be "off", "cpu" or "gpu"'),
        ("snapshot = true", 'snapshot = true: must be "off", "cpu" or "gpu"'),
        ('snapshot = "gpu"\ngpu = ["H100:2"]', 'snapshot = "gpu": Modal cannot snapshot'),
        ("cpu_jobs = 1", "cpu_jobs = 1: must be true or false"),
        ('warm_up = "../x"', 'warm_up = "../x": must be the name of a workflow'),
        ('warm = ["vae/x"]', 'warm[0] = "vae/x": must be folder/file of a model above'),
        ("limits = 3", "limits = 3: must be a table"),
        ("models = [3]", "models[0] = 3: must be a table"),
        ("[limits]\ngpu_max = 3", 'limits.gpu_max = 3: is not known here; did you mean "gpu_max_'),
        ("[limits]\ngpu_max_containers = 0", "limits.gpu_max_containers = 0: must be a whole"),
        ('[limits]\napi_min_containers = "1"', 'limits.api_min_containers = "1": must be a whole'),
        ("[limits]\ngpu_scaledown_window_seconds = 1", "limits.gpu_scaledown_window_seconds = 1:"),
        ("[limits]\ngpu_min_containers = 3", "limits.gpu_min_containers = 3: must not exceed"),
        ("[timeouts]\njob_seconds = 90000", "timeouts.job_seconds = 90000: must be a whole"),
        ("[timeouts]\njob_seconds = true", "timeouts.job_seconds = true: must be a whole"),
        ("[prices]\nL40 = 1.0", "prices.L40 = 1.0: is neither a GPU type of Modal, in capitals,"),
        ("[prices]\nL4 = 2", "prices.L4 = 2: must be US dollars per second"),
        ("[prices]\nL4 = nan", "prices.L4 = NaN: must be US dollars per second"),
        ('[secrets]\napi = ""', 'secrets.api = "": must be 1 to 64 letters'),
    ],
)
def test_a_wrong_value_is_named_with_its_place(tmp_path: Path, line: str, said: str) -> None:
    (found,) = problems(tmp_path, f'name = "mine"\n{line}\n')
    assert found.startswith(said)


@pytest.mark.parametrize(
    "name",
    ["", "Mine", "my_app", "my.app", "-mine", "mine-", "my--app", "9lives", "a" * 41, "mine\n"],
)
def test_a_name_that_makes_no_address_is_refused(tmp_path: Path, name: str) -> None:
    (found,) = problems(tmp_path, f"name = {name!r}".replace("'", '"'))
    assert found.endswith(
        "because it stands in the address https://<workspace>--<name>-api.modal.run"
    )


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"folder": ""}, "models[0].folder: is missing; give the folder inside models/"),
        ({"folder": "../vae"}, 'models[0].folder = "../vae": must be a folder inside'),
        ({"folder": "/vae"}, 'models[0].folder = "/vae": must be a folder inside'),
        ({"file": "../a"}, "models[0].file"),
        ({"file": "x/../a"}, "models[0].file"),
        ({"file": "x\\\\a"}, "models[0].file"),
        ({"file": ".a"}, "models[0].file"),
        ({"repo": "r"}, 'models[0].repo = "r": must be a repository on Hugging Face'),
        ({"repo": "https://huggingface.co/o/r"}, "models[0].repo"),
        ({"repo": ""}, "models[0]: must have either repo"),
        ({"url": "https://h/a"}, "models[0]: must have either repo"),
        ({"repo": "", "url": "http://h/a"}, "models[0].url"),
        ({"repo": "", "url": "https://u:p@h/a"}, "models[0].url"),
        ({"repo": "", "url": "https://h/a", "revision": "main"}, 'models[0].revision = "main"'),
        ({"repo": "", "url": "https://h/a", "file": "b/a"}, 'models[0].file = "b/a": must be a'),
        ({"revision": "a..b"}, 'models[0].revision = "a..b": must be a commit, a tag'),
        ({"sha256": "abc"}, 'models[0].sha256 = "abc": must be the 64 hexadecimal digits'),
        ({"key": "abc"}, 'models[0].key = "abc": is not known here'),
        ({"sha": "abc"}, 'models[0].sha = "abc": is not known here; did you mean "sha256"?'),
    ],
)
def test_a_wrong_model_is_named_with_its_place(
    tmp_path: Path, values: dict[str, str], said: str
) -> None:
    (found,) = problems(tmp_path, f'name = "mine"\n{model(**values)}')
    assert found.startswith(said)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (node("http://h/o/r"), 'custom_nodes[0].url = "http://h/o/r": must be the https://'),
        (node("https://h/o/r;reboot"), "custom_nodes[0].url"),
        (node("https://h/o/../r"), "custom_nodes[0].url"),
        (node("https://h/o/r", "main"), 'custom_nodes[0].commit = "main": must be a whole commit'),
        (node("https://h/o/r", COMMIT[:7]), "custom_nodes[0].commit"),
        (node("https://h/o/r") + 'pip = ["a>=1"]', 'custom_nodes[0].pip[0] = "a>=1": must be a'),
        (node("https://h/o/r") + 'pip = ["--pre a==1"]', "custom_nodes[0].pip[0]"),
        (node("https://h/o/r") + node("https://h/p/R.git"), 'custom_nodes[1]: "r" has the folder'),
        (node("https://h/o/memory_snapshot_helper"), "custom_nodes[0].url"),
    ],
)
def test_a_wrong_custom_node_is_named_with_its_place(tmp_path: Path, text: str, said: str) -> None:
    (found,) = problems(tmp_path, f'name = "mine"\n{text}')
    assert found.startswith(said)


def test_two_models_in_one_place_are_refused(tmp_path: Path) -> None:
    text = 'name = "mine"\n' + model() + model(file="sub/a.safetensors", repo="o/other")
    assert problems(tmp_path, text) == (
        'models[1]: "vae/a.safetensors" lies where an earlier one does; remove one of them',
    )


def test_everything_that_is_wrong_is_told_at_once(tmp_path: Path) -> None:
    text = f"""
        gpu = ["L4OS"]
        colour = "red"
        warm = ["vae/none"]
        [limits]
        gpu_min_containers = 9
        {model()}{model(folder="..")}{model(file="b", sha256="1")}
    """
    found = problems(tmp_path, text)
    places = [each.split(" ")[0].split(":")[0] for each in found]
    assert sorted(places) == sorted(
        [
            *("name", "gpu[0]", "colour", "warm[0]", "limits.gpu_min_containers"),
            *("models[1].folder", "models[2].sha256"),
        ]
    )


def test_a_bound_that_cannot_be_read_is_not_compared_with_the_other(tmp_path: Path) -> None:
    text = 'name = "mine"\n[limits]\ngpu_min_containers = 5\ngpu_max_containers = "many"\n'
    (found,) = problems(tmp_path, text)
    assert found.startswith('limits.gpu_max_containers = "many"')


def test_a_file_that_is_not_toml_is_refused_with_the_line(tmp_path: Path) -> None:
    (found,) = problems(tmp_path, 'name = "mine"\ngpu = [}')
    assert "not TOML" in found
    assert "line 2" in found


def test_a_missing_file_is_refused_with_those_that_there_are(tmp_path: Path) -> None:
    with pytest.raises(AppError, match=r"there are apps/default\.toml, apps/image\.toml"):
        apps.load(tmp_path / "none.toml")
    with pytest.raises(AppError, match="cannot be read"):
        apps.load(tmp_path)
