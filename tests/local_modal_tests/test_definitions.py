"""What a deployment tells Modal, read back from the stand-in."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.local_modal import LocalModal
from tests.local_modal_tests.conftest import APPS, SECRETS

pytestmark = [pytest.mark.live, pytest.mark.slow]


@pytest.fixture
def still(tmp_path: Path) -> LocalModal:
    return LocalModal(secrets=dict(SECRETS), run_containers=False)


def test_the_summary_says_all_that_was_declared(local: LocalModal) -> None:
    summary = local.summary()
    runner, web, tick = (
        summary["classes"]["Runner"],
        summary["functions"]["web"],
        summary["functions"]["tick"],
    )
    assert runner["gpu"] == ["L40S:1", "A100:1"]
    assert (runner["timeout"], runner["startup_timeout"]) == (900, 240)
    assert (runner["max_containers"], runner["scaledown_window"]) == (2, 120)
    assert runner["enable_memory_snapshot"]
    assert runner["experimental_options"] == {"enable_gpu_snapshot": "True"}
    assert runner["volumes"]["/models"]["name"] == "models"
    assert [each["name"] for each in runner["secrets"]] == ["api-keys", None]
    assert web["web"]["type"] == "wsgi_app"
    assert (web["web"]["label"], web["max_concurrent_inputs"]) == ("api", 20)
    assert web["image_env"] == {"COLOUR": "light blue"}
    assert tick["schedule"] == {"cron": {"cron_string": "*/5 * * * *", "timezone": "UTC"}}
    assert tick["source_files"] == ["/root/sample.py"]


def test_the_packages_of_an_image_are_those_of_all_its_layers(local: LocalModal) -> None:
    packages = local.summary()["functions"]["web"]["packages"]
    assert {"flask>=3.1", "limits>=5.0"} <= set(packages)
    assert not any(each.startswith(("-", "/")) for each in packages)


def test_an_image_that_lacks_a_package_is_found_out(tmp_path: Path, still: LocalModal) -> None:
    (tmp_path / "server.py").write_text("import flask, json, limits\n")
    (tmp_path / "late.py").write_text("import werkzeug, urllib3\nimport boto3\n")
    (tmp_path / "lacking.py").write_text(
        "import modal\n"
        "import server\n"
        "from typing import TYPE_CHECKING\n"
        "if TYPE_CHECKING:\n"
        "    import celery\n"
        "image = modal.Image.debian_slim().uv_pip_install('flask', 'requests')\n"
        "app = modal.App('lacking')\n"
        "@app.function(image=image.add_local_python_source('server', 'late'))\n"
        "def f():\n"
        "    import late\n"
    )
    with still as local:
        local.deploy("lacking.py", cwd=tmp_path)
        at_start = [(each.file, each.module) for each in local.missing_packages("f")]
        assert at_start == [("server", "limits")]
        found = [(each.file, each.module) for each in local.missing_packages("f", late=True)]
        assert found == [("late", "boto3"), ("server", "limits")]


@pytest.mark.parametrize("secrets", [{}, {"api-keys": {"OTHER": "x"}}], ids=["secret", "key"])
def test_a_missing_secret_or_key_fails_the_deployment(
    still: LocalModal, secrets: dict[str, dict[str, str]]
) -> None:
    still.secrets = secrets
    with still as local:
        done = local.deploy("sample.py", cwd=APPS, check=False)
        assert done.returncode == 1
        assert "Secret 'api-keys'" in done.stdout + done.stderr


def test_deploying_again_keeps_the_address(still: LocalModal) -> None:
    with still as local:
        local.deploy("sample.py", cwd=APPS)
        url = local.web_url("web")
        local.deploy("sample.py", cwd=APPS)
        assert local.web_url("web") == url


def test_an_app_without_a_file_it_imports_fails_in_the_container(
    tmp_path: Path, fresh: LocalModal
) -> None:
    (tmp_path / "forgotten.py").write_text("")
    (tmp_path / "forgetful.py").write_text(
        "import modal\n"
        "import forgotten\n"
        "app = modal.App('forgetful')\n"
        "@app.function(schedule=modal.Period(hours=1))\n"
        "def f(): pass\n"
    )
    fresh.deploy("forgetful.py", cwd=tmp_path)
    fresh.fire_schedule("f")
    assert "No module named 'forgotten'" in fresh.logs("f")


def test_files_copied_into_the_image_are_in_the_container(
    tmp_path: Path, fresh: LocalModal
) -> None:
    (tmp_path / "note.txt").write_text("copied")
    (tmp_path / "copying.py").write_text(
        "from pathlib import Path\n"
        "import modal\n"
        "image = modal.Image.debian_slim()\n"
        "image = image.add_local_file('note.txt', '/root/note.txt', copy=True)\n"
        "app = modal.App('copying')\n"
        "@app.function(image=image, schedule=modal.Period(hours=1))\n"
        "def f(): print(Path('note.txt').read_text())\n"
    )
    fresh.deploy("copying.py", cwd=tmp_path)
    fresh.fire_schedule("f")
    assert "copied" in fresh.logs("f")
