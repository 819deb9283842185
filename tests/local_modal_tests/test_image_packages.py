"""What an image installs, read from the lines that would build it."""

from __future__ import annotations

import pytest

from tests.local_modal.files import packages_installed_by
from tests.local_modal.image_imports import distributions_of


@pytest.mark.parametrize(
    ("line", "packages"),
    [
        ("RUN python -m pip install 'flask>=3.1' limits==5.0 --index-url https://x/simple", 2),
        ("RUN /.uv/uv pip install --python $(command -v python) --compile-bytecode av", 1),
        ("RUN git clone https://x /root/c && pip install -r /root/c/requirements.txt", 0),
        ("RUN pip install a b && pip install c", 3),
        ("RUN apt-get install -y git", 0),
        ("ENV A=pip install b", 0),
    ],
)
def test_only_requirements_count_as_packages(line: str, packages: int) -> None:
    assert len(list(packages_installed_by(line))) == packages


def test_a_package_brings_what_it_requires_and_an_extra_only_if_asked() -> None:
    assert {"flask", "werkzeug", "markupsafe"} <= distributions_of(["Flask>=3.1"])
    assert "asgiref" not in distributions_of(["flask"])
    assert "marshmallow" not in distributions_of(["apispec"])
    assert "marshmallow" in distributions_of(["apispec[marshmallow]>=6.9"])


def test_a_package_that_is_not_installed_here_counts_by_its_name() -> None:
    assert distributions_of(["no-such_thing==1"]) == {"no-such-thing"}
