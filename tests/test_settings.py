"""Settings: what is accepted, and what an operator reads when something is not."""

from __future__ import annotations

import dataclasses
import os
import subprocess
import sys
from pathlib import Path

import pytest

import settings
from settings import SETTINGS, Settings, SettingsError

ROOT = Path(settings.__file__).parent.parent

R2 = {
    "R2_ACCESS_KEY_ID": "id",
    "R2_SECRET_ACCESS_KEY": "hush",
    "R2_ENDPOINT_URL": "https://account.r2.cloudflarestorage.com/",
    "R2_BUCKET_NAME": "outputs",
}


def refused(**environ: str) -> str:
    with pytest.raises(SettingsError) as caught:
        Settings.from_environment(environ)
    return str(caught.value)


def test_an_empty_environment_gives_the_defaults() -> None:
    found = Settings.from_environment({})
    assert found == Settings()
    assert (found.r2_url_ttl_seconds, found.queued_timeout_seconds) == (86400, 360)
    assert (found.max_active_jobs_per_user, found.gpu_config) == (5, "L40S")
    assert (found.data_dir, found.host, found.port) == (Path(".data"), "127.0.0.1", 8000)


def test_values_are_read_with_their_types() -> None:
    found = Settings.from_environment(
        {
            "PORT": " 9000 ",
            "DATA_DIR": "/var/jobs",
            "COMFYUI_DEVICE": "gpu",
            "PUBLIC_URL": "https://api.example.com/comfy/",
            "COMFYUI_ARGUMENTS": '--novram --listen "a b"',
            "GPU_CONFIG": "H100:2",
        }
    )
    assert found.port == 9000
    assert found.data_dir == Path("/var/jobs")
    assert found.comfyui_device == "gpu"
    assert found.public_url == "https://api.example.com/comfy"
    assert found.comfyui_arguments == '--novram --listen "a b"'
    assert found.gpu_config == "H100:2"


def test_networks_are_read_one_by_one_and_written_as_they_were() -> None:
    found = Settings.from_environment({"OUTBOUND_ALLOW": "10.1.0.0/16, fd00::/8"})
    assert found.outbound_allow == ("10.1.0.0/16", "fd00::/8")
    (setting,) = (each for each in SETTINGS if each.name == "OUTBOUND_ALLOW")
    assert setting.show(found) == "10.1.0.0/16,fd00::/8"


def test_what_is_no_network_is_refused_with_an_example() -> None:
    said = refused(OUTBOUND_ALLOW="10.1.0.0/99")
    assert said.startswith("OUTBOUND_ALLOW=10.1.0.0/99: must be networks such as")


def test_a_home_directory_is_expanded() -> None:
    found = Settings.from_environment({"DATA_DIR": "~/jobs"})
    assert found.data_dir == Path.home() / "jobs"


def test_a_blank_variable_is_as_good_as_none() -> None:
    assert Settings.from_environment({"PORT": "", "API_KEY": "  "}) == Settings()


def test_every_default_passes_its_own_rule() -> None:
    texts = {s.name: s.written(s.default) for s in SETTINGS if s.written(s.default)}
    assert Settings.from_environment(texts) == Settings()


def test_a_bad_number_names_variable_value_and_remedy() -> None:
    assert refused(R2_URL_TTL_SECONDS="0") == (
        "R2_URL_TTL_SECONDS=0: must be a whole number of seconds from 1 to 604800; "
        "remove it to use the default 86400"
    )


@pytest.mark.parametrize(
    "text", ["0", "604801", "1.5", "1_0", "ten", "٣", "1e3", "-1", "9" * 5000]
)
def test_what_is_not_a_whole_number_in_range_is_refused(text: str) -> None:
    assert "from 1 to 604800" in refused(R2_URL_TTL_SECONDS=text)


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("PUBLIC_URL", "example.com"),
        ("PUBLIC_URL", "ftp://example.com"),
        ("PUBLIC_URL", "https://"),
        ("PUBLIC_URL", "http://[::1"),
        ("PUBLIC_URL", "http://host:99999"),
        ("PUBLIC_URL", "https://user:secret@example.com"),
        ("COMFYUI_API_URL", "https://example.com/?a=b"),
        ("R2_URL_TTL_SECONDS", "604801"),
        ("QUEUED_TIMEOUT_SECONDS", "0"),
        ("MAX_ACTIVE_JOBS_PER_USER", "0"),
        ("GPU_CONFIG", "L40S:9"),
        ("GPU_MAX_CONTAINERS", "0"),
        ("GPU_MIN_CONTAINERS", "-1"),
        ("GPU_SCALEDOWN_WINDOW_SECONDS", "1201"),
        ("API_MAX_CONTAINERS", "0"),
        ("PORT", "65536"),
        ("HOST", "http://127.0.0.1"),
        ("WORKERS", "0"),
        ("COMFYUI_DEVICE", "tpu"),
        ("COMFYUI_VERSION", "latest"),
        ("COMFYUI_ARGUMENTS", '--name "open'),
        ("API_KEY", "two words"),
        ("API_KEY", "chavé"),
    ],
)
def test_a_bad_value_is_one_line_that_begins_with_its_name(name: str, text: str) -> None:
    message = refused(**{name: text})
    assert message.startswith(f"{name}=")
    assert "must be" in message
    assert "; remove it to " in message
    assert "\n" not in message


def test_all_bad_values_are_told_at_once() -> None:
    lines = refused(PORT="x", WORKERS="0", GPU_MIN_CONTAINERS="3").splitlines()
    assert [line.partition("=")[0] for line in lines] == ["PORT", "WORKERS", "GPU_MIN_CONTAINERS"]


@pytest.mark.parametrize("pool", ["GPU", "API"])
def test_more_containers_kept_warm_than_allowed_are_refused(pool: str) -> None:
    environ = {f"{pool}_MIN_CONTAINERS": "4", f"{pool}_MAX_CONTAINERS": "3"}
    message = refused(**environ)
    assert f"{pool}_MIN_CONTAINERS=4: must not exceed {pool}_MAX_CONTAINERS=3" in message
    equal = environ | {f"{pool}_MAX_CONTAINERS": "4"}
    assert Settings.from_environment(equal)


@pytest.mark.parametrize("missing", R2)
def test_half_configured_r2_names_what_is_missing(missing: str) -> None:
    message = refused(**{name: text for name, text in R2.items() if name != missing})
    assert f"{missing} missing" in message
    assert "hush" not in message
    assert message.count("\n") == 0


def test_a_whole_r2_is_accepted() -> None:
    found = Settings.from_environment(R2)
    assert found.r2_endpoint_url == "https://account.r2.cloudflarestorage.com"
    assert found.r2_secret_access_key == "hush"


def test_secrets_are_shown_nowhere() -> None:
    secret = {s.name: "hush-hush" for s in SETTINGS if s.secret}
    assert set(secret) == {
        "API_KEY",
        "HF_TOKEN",
        "R2_ACCESS_KEY_ID",
        "R2_SECRET_ACCESS_KEY",
        "COMFYUI_API_KEY",
        "WEBHOOK_SECRET",
    }
    secret["WEBHOOK_SECRET"] = "whsec_" + "hush" * 8
    found = Settings.from_environment(R2 | secret)
    assert "hush" not in repr(found)
    assert [s.show(found) for s in SETTINGS if s.secret] == ["set"] * 6
    assert "hush" not in refused(API_KEY="hush hush")


def test_what_is_not_set_is_shown_as_such() -> None:
    shown = {setting.name: setting.show(Settings()) for setting in SETTINGS}
    assert (shown["API_KEY"], shown["PUBLIC_URL"], shown["PORT"]) == ("not set", "not set", "8000")


def test_the_table_lists_every_attribute_with_its_help() -> None:
    assert [s.attribute for s in SETTINGS] == [f.name for f in dataclasses.fields(Settings)]
    assert all(setting.help and setting.type for setting in SETTINGS)
    counted = [s for s in SETTINGS if s.type == "whole number" and s.name != "PORT"]
    assert all(setting.unit for setting in counted)


def test_settings_are_frozen_and_copied_with_changes() -> None:
    found = Settings()
    with pytest.raises(dataclasses.FrozenInstanceError):
        found.port = 1  # type: ignore[misc]  # that it cannot be set is what we test
    assert found.replace(port=1).port == 1
    assert dataclasses.replace(found, port=2).port == 2


def test_an_env_file_is_read_in_all_its_forms(tmp_path: Path) -> None:
    file = tmp_path / ".env"
    file.write_text(
        "\ufeff# a comment\n\n"
        "A=plain # why\nexport B = spaced out \nC='single # kept'\nD=\"double\" # why\n"
        "E=\nF=a#b\nG=x=y\nH=''\nI=#nothing\n",
        encoding="utf-8",
    )
    assert settings.read_env_file(file) == {
        "A": "plain",
        "B": "spaced out",
        "C": "single # kept",
        "D": "double",
        "E": "",
        "F": "a#b",
        "G": "x=y",
        "H": "",
        "I": "",
    }


def test_lines_that_cannot_be_read_are_named(tmp_path: Path) -> None:
    file = tmp_path / ".env"
    file.write_text("A=1\nnonsense\nB='open\n9=x\n", encoding="utf-8")
    with pytest.raises(SettingsError) as caught:
        settings.read_env_file(file)
    assert [p.partition(":")[0] for p in caught.value.problems] == [
        f"{file}, line {number}" for number in (2, 3, 4)
    ]


def test_an_env_file_in_another_encoding_is_named(tmp_path: Path) -> None:
    file = tmp_path / ".env"
    file.write_bytes(b"A=\xff\xfe\n")
    with pytest.raises(SettingsError, match="cannot be read as UTF-8"):
        settings.read_env_file(file)


def loaded(directory: Path, **environ: str) -> str:
    """Return the port and host that a process started in `directory` loads."""
    code = "import settings; s = settings.load(); print(s.port, s.host)"
    kept = {name: os.environ[name] for name in ("PATH", "LD_LIBRARY_PATH") if name in os.environ}
    command = [sys.executable, "-c", code]
    return subprocess.run(
        command,
        cwd=directory,
        env=kept | {"PYTHONPATH": str(ROOT)} | environ,
        capture_output=True,
        text=True,
        check=True,
        timeout=30,
    ).stdout.strip()


def test_the_environment_wins_over_the_env_file(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("PORT=9000\nHOST=0.0.0.0\n", encoding="utf-8")
    assert loaded(tmp_path, PORT="9001") == "9001 0.0.0.0"


def test_without_an_env_file_the_environment_is_enough(tmp_path: Path) -> None:
    assert loaded(tmp_path, PORT="9001") == "9001 127.0.0.1"


def test_the_example_file_is_the_table() -> None:
    kept = (ROOT / ".env.example").read_text(encoding="utf-8")
    remedy = "python -c \"import settings; print(settings.example(), end='')\" > .env.example"
    assert kept == settings.example(), f"make it anew: {remedy}"


def test_the_example_file_can_be_uncommented_whole(tmp_path: Path) -> None:
    file = tmp_path / ".env"
    lines = settings.example().splitlines()
    names = tuple(f"# {setting.name}=" for setting in SETTINGS)
    file.write_text("\n".join(x.removeprefix("# ") for x in lines if x.startswith(names)), "utf-8")
    read = settings.read_env_file(file)
    assert list(read) == [setting.name for setting in SETTINGS]
    assert Settings.from_environment(read) == Settings()
