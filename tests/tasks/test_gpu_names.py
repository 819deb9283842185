from __future__ import annotations

import pytest

from tasks.gpu_names import gpu_of


@pytest.mark.parametrize(
    ("device", "ordered", "found"),
    [
        ("cuda:0 NVIDIA L40S : cudaMallocAsync", ["L40S"], "L40S"),
        ("cuda:0 NVIDIA L4 : native", ["L40S", "L4"], "L4"),
        ("cuda:0 Tesla T4 : native", ["T4"], "T4"),
        ("cuda:0 NVIDIA A10G : native", ["A10"], "A10"),
        ("cuda:0 NVIDIA A100-SXM4-40GB : native", ["A100"], "A100"),
        ("cuda:0 NVIDIA A100-SXM4-80GB : native", ["A100-80GB"], "A100-80GB"),
        ("cuda:0 NVIDIA A100-SXM4-80GB : native", ["A100"], "A100"),
        ("cuda:0 NVIDIA A100-SXM4-80GB : native", ["A100-40GB"], "A100-80GB"),
        ("cuda:0 NVIDIA H100 80GB HBM3 : native", ["H100:2", "H100"], "H100:2"),
        ("cuda:0 NVIDIA H100 80GB HBM3 : native", ["H100!"], "H100!"),
        ("cuda:0 NVIDIA H200 : native", ["H100"], "H100"),
        ("cuda:0 NVIDIA H200 : native", ["H200", "H100"], "H200"),
        ("cuda:0 NVIDIA B200 : native", ["B200+"], "B200+"),
        ("cuda:0 NVIDIA L4 : native", ["H100"], "L4"),
        ("NVIDIA RTX PRO 6000 Blackwell Server Edition", ["RTX-PRO-6000"], "RTX-PRO-6000"),
        ("cpu", ["L40S"], None),
    ],
)
def test_a_device_is_of_the_type_that_was_ordered(
    device: str, ordered: list[str], found: str | None
) -> None:
    assert gpu_of(device, ordered) == found
