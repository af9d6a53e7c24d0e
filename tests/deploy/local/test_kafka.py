from __future__ import annotations

from deploy.local.services.kafka import cluster_id


def test_a_cluster_id_never_reads_as_a_flag() -> None:
    drawn = [b"\xf8" + bytes(15), b"\xfb" + bytes(15), b"\x01" * 16]
    assert cluster_id(lambda: drawn.pop(0)) == "AQEBAQEBAQEBAQEBAQEBAQ"
    assert not drawn
    assert len(cluster_id()) == 22
