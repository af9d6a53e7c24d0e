"""The Kafka connector for spark-submit: jars that Spark fetched before, else its name.

``--packages`` resolves the connector anew at every start, which takes two seconds and the network
although all is there. Ivy's own record of that version says which jars it needs beside Spark's.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from pathlib import Path

_GROUP: Final = "org.apache.spark"
_NAME: Final = "spark-sql-kafka-0-10_2.13"
_FOLDER: Final = ".ivy2.5.2"
"""Of Spark 4, under the person's home, unless spark.jars.ivy says otherwise."""

_NEEDED: Final = (
    (_GROUP, "spark-token-provider-kafka-0-10_2.13"),
    ("org.apache.kafka", "kafka-clients"),
    ("org.apache.commons", "commons-pool2"),
)
"""What of its dependencies PySpark does not ship."""


def connector_options(version: str, home: Path | None) -> tuple[str, ...]:
    """The options of spark-submit that bring the connector.

    Args:
        version: PySpark's.
        home: the person's home folder, where Spark keeps what it fetched; None where unknown.
    """
    jars = None if home is None else _fetched(home / _FOLDER, version)
    if jars is None:
        return ("--packages", f"{_GROUP}:{_NAME}:{version}")
    return ("--jars", ",".join(map(str, jars)))


def _fetched(folder: Path, version: str) -> list[Path] | None:
    record = folder / "cache" / _GROUP / _NAME / f"ivy-{version}.xml"
    try:
        text = record.read_text(encoding="utf-8")
    except (OSError, ValueError):
        return None
    jars = [_jar(folder, _GROUP, _NAME, version)]
    for group, name in _NEEDED:
        entry = rf'<dependency org="{group}" name="{re.escape(name)}" rev="([^"]+)"'
        found = re.search(entry, text)
        if found is None:
            return None
        jars.append(_jar(folder, group, name, found[1]))
    # A comma would be read as the next jar.
    whole = all(jar.is_file() for jar in jars) and "," not in str(folder)
    return jars if whole else None


def _jar(folder: Path, group: str, name: str, version: str) -> Path:
    return folder / "jars" / f"{group}_{name}-{version}.jar"
