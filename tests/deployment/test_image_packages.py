"""That every image installs what the code in its containers imports."""

from __future__ import annotations

import pytest

from tests.deployment.conftest import Deploy
from tests.local_modal import LocalModal

pytestmark = pytest.mark.live


def test_each_container_can_import_all_that_its_code_ever_does(
    server: LocalModal, deployed: Deploy
) -> None:
    app = deployed("apps/default.toml")
    names = {**app["functions"], **app["classes"]}
    missing = {name: server.missing_packages(name, late=True) for name in names}
    assert {name: found for name, found in missing.items() if found} == {}
