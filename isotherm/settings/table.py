"""Settings: one frozen dataclass per program is the table that drives everything about them.

A field made by `setting` carries its key, parser, default and help. From those come the TOML file,
the environment, `--help`, the sample file and the docs, so that they cannot disagree:

    @dataclass(frozen=True, kw_only=True)
    class BridgeSettings:
        topic: str = setting("kafka.topic", text, default="iotmsgs", flag="--topic", help="…")

    load(BridgeSettings, "ISOTHERM_BRIDGE", file=tables, environ=os.environ, flags={"topic": "x"})

A flag beats the environment, which beats the file, which beats the default.

Ours: importing pydantic-settings takes 15 MB, which the agent, with 24 in all, has not.
"""

from __future__ import annotations

import dataclasses
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, TypeVar

from isotherm.errors import SettingsError
from isotherm.settings.parsers import (
    Parser,
    boolean,
    choice,
    duration,
    optional,
    several,
    span,
    text,
    whole,
)

if TYPE_CHECKING:
    from pathlib import Path

__all__ = [
    "REQUIRED",
    "Parser",
    "Row",
    "boolean",
    "choice",
    "duration",
    "line",
    "load",
    "markdown",
    "option",
    "optional",
    "parts",
    "read_file",
    "rows",
    "sample",
    "setting",
    "several",
    "shown",
    "span",
    "text",
    "whole",
]

T = TypeVar("T")

REQUIRED: Final = object()


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One row of the table.

    Attributes:
        name: the field of the settings object.
        key: ``section.key`` in the TOML file.
        parse: see `Parser`.
        default: as a person would write it in TOML; `REQUIRED` where there is none.
        help: one sentence with the unit, for `--help`, the sample file and the docs.
        flag: the command-line flag, or None where only file and environment have it.
        metavar: what stands behind the flag in `--help`.
        many: the flag may be given several times, and the value is a tuple.
    """

    name: str
    key: str
    parse: Parser
    default: object
    help: str
    flag: str | None
    metavar: str | None
    many: bool

    def variable(self, prefix: str) -> str:
        """Its environment variable: ``mqtt.url`` is ISOTHERM_AGENT_MQTT_URL for the agent."""
        return f"{prefix}_{self.key.replace('.', '_')}".upper()


def setting(
    key: str,
    parse: Parser,
    *,
    help: str,  # noqa: A002 the word that click and argparse use
    default: object = REQUIRED,
    flag: str | None = None,
    metavar: str | None = None,
    many: bool = False,
) -> Any:
    """A field of a settings dataclass; see `Row` for the arguments."""
    facts = {
        "key": key,
        "parse": parse,
        "default": default,
        "help": help,
        "flag": flag,
        "metavar": metavar,
        "many": many,
    }
    return dataclasses.field(metadata={"setting": facts})


def parts(classes: Mapping[str, type]) -> Any:
    """A field that holds a settings object of each class, by its name.

    The rows of these classes are rows of the table, as if they stood in it; so a module can bring
    its own. Names, keys and flags must be unique in the whole table.
    """
    return dataclasses.field(metadata={"parts": classes})


def rows(cls: type) -> tuple[Row, ...]:
    """The table of a settings class, in the order of its fields; a section's rows together."""
    found: list[Row] = []
    for field in dataclasses.fields(cls):
        if "setting" in field.metadata:
            found.append(Row(name=field.name, **field.metadata["setting"]))
        for part in field.metadata.get("parts", {}).values():
            found += rows(part)
    # A part may add to a section; TOML allows each only once.
    sections = {row.key.rpartition(".")[0]: None for row in found}
    places = {section: place for place, section in enumerate(sections)}
    return tuple(sorted(found, key=lambda row: places[row.key.rpartition(".")[0]]))


def shown(settings: object) -> Iterator[tuple[Row, Any]]:
    """Each row of a settings object with its value, those of its parts too."""
    found: dict[str, Any] = {}
    _collect(settings, found)
    for row in rows(type(settings)):
        yield row, found[row.name]


def _collect(settings: Any, found: dict[str, Any]) -> None:
    for field in dataclasses.fields(settings):
        if "setting" in field.metadata:
            found[field.name] = getattr(settings, field.name)
        elif "parts" in field.metadata:
            for part in getattr(settings, field.name).values():
                _collect(part, found)


def read_file(path: Path) -> dict[str, Any]:
    """The tables of a TOML file.

    Raises:
        SettingsError: the file cannot be read, or is not TOML.
    """
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise SettingsError("--config", str(path), f"cannot be read: {error.strerror}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise SettingsError("--config", str(path), f"is not valid TOML: {error}") from error
    except RecursionError:
        raise SettingsError("--config", str(path), "is nested too deep") from None


def load(
    cls: type[T],
    prefix: str,
    *,
    file: Mapping[str, Any] | None = None,
    environ: Mapping[str, str] | None = None,
    flags: Mapping[str, Any] | None = None,
    where: str = "",
    **more: Any,
) -> T:
    """Make a settings object out of flags, environment, file and defaults, in that order.

    Args:
        cls: a dataclass whose fields were made by `setting` or `parts`.
        prefix: of the environment variables, such as ``ISOTHERM_BRIDGE``.
        file: the tables of the TOML file; unknown keys are errors.
        environ: usually `os.environ`; unknown variables with the prefix are errors.
        flags: values by field name; None and an empty tuple mean "not given".
        where: a prefix for keys in messages, such as ``probe[2].``.
        more: fields of `cls` that are not made by `setting`.

    Raises:
        SettingsError: names the key, the value and the fix.
    """
    table = rows(cls)
    given: dict[str, tuple[str, Any]] = {}
    _from_file(table, file or {}, where, given)
    _from_environment(table, prefix, environ or {}, given)
    for row in table:
        value = (flags or {}).get(row.name)
        if value is not None and value != ():
            given[row.name] = (row.flag or row.key, value)
    values = {row.name: _value(row, where, given.get(row.name)) for row in table}
    return _made(cls, values, more)


def sample(cls: type, *, title: str) -> str:
    """A commented TOML file with every key at its default.

    A section is written once, wherever its rows stand in the table: TOML refuses a second one. Keys
    without a section come first, since below a section they would belong to it.
    """
    sections: dict[str, list[Row]] = {"": []}
    for row in rows(cls):
        sections.setdefault(row.key.rpartition(".")[0], []).append(row)
    lines = [f"# {title}"]
    for section, table in sections.items():
        if table:
            lines += ["", f"[{section}]"] if section else [""]
        for row in table:
            lines += [f"# {row.help}", line(row)]
    return "\n".join(lines) + "\n"


def line(row: Row) -> str:
    """A row in a TOML file, at its default; a comment where it has none."""
    _, _, key = row.key.rpartition(".")
    if row.default is REQUIRED or row.default is None:
        return f"# {key} ="
    return f"{key} = {_toml(row.default)}"


def markdown(cls: type, prefix: str) -> str:
    """The table for the docs."""
    lines = ["| key | flag | environment | default | meaning |", "|---|---|---|---|---|"]
    for row in rows(cls):
        if row.default is REQUIRED:
            default = "required"
        else:
            default = "" if row.default is None else f"`{_toml(row.default)}`"
        flag = f"`{row.flag}`" if row.flag else ""
        cells = [f"`{row.key}`", flag, f"`{row.variable(prefix)}`", default, row.help]
        lines.append("| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |")
    return "\n".join(lines) + "\n"


def option(row: Row, prefix: str) -> tuple[tuple[str, str], dict[str, Any]]:
    """What `click.option(*names, **keywords)` takes for a row that has a flag.

    The value stays text: `load` parses all sources alike, so that errors read alike.
    """
    assert row.flag is not None
    default = "" if row.default in (REQUIRED, None, ()) else f"  [default: {_plain(row.default)}]"
    keywords: dict[str, Any] = {
        "help": f"{row.help} [{row.variable(prefix)}]{default}",
        "default": None,
        "metavar": row.metavar,
        "multiple": row.many,
    }
    return (row.flag, row.name), keywords


def _made(cls: type[T], values: Mapping[str, Any], more: Mapping[str, Any]) -> T:
    own: dict[str, Any] = {}
    for field in dataclasses.fields(cls):  # type: ignore[arg-type]  # T is a dataclass
        if "setting" in field.metadata:
            own[field.name] = values[field.name]
        elif "parts" in field.metadata:
            classes: Mapping[str, type] = field.metadata["parts"]
            own[field.name] = {name: _made(part, values, {}) for name, part in classes.items()}
    return cls(**own, **more)


def _value(row: Row, where: str, given: tuple[str, Any] | None) -> Any:
    source, value = given or (where + row.key, row.default)
    if value is REQUIRED:
        raise SettingsError(source, None, f"is required. {row.help}")
    try:
        return row.parse(value)
    except ValueError as error:
        raise SettingsError(source, value, str(error)) from error


def _from_file(
    table: Iterable[Row], file: Mapping[str, Any], where: str, given: dict[str, tuple[str, Any]]
) -> None:
    by_key = {row.key: row for row in table}
    sections = {key.rpartition(".")[0] for key in by_key}
    for name, content in file.items():
        pairs = {name: content}
        if isinstance(content, Mapping) and name not in by_key and (content or name in sections):
            pairs = {f"{name}.{key}": value for key, value in content.items()}
        for key, value in pairs.items():
            if key not in by_key:
                raise SettingsError(where + key, value, _unknown(key, by_key))
            given[by_key[key].name] = (where + key, value)


def _from_environment(
    table: Iterable[Row],
    prefix: str,
    environ: Mapping[str, str],
    given: dict[str, tuple[str, Any]],
) -> None:
    by_variable = {row.variable(prefix): row for row in table}
    for variable, value in environ.items():
        if variable.startswith(f"{prefix}_"):
            if variable not in by_variable:
                raise SettingsError(variable, value, _unknown(variable, by_variable))
            given[by_variable[variable].name] = (variable, value)


def _unknown(key: str, known: Iterable[str]) -> str:
    import difflib  # noqa: PLC0415 only for a mistake

    near = difflib.get_close_matches(key, list(known), n=1)
    return f"is not a setting; did you mean {near[0]}?" if near else "is not a setting; remove it"


def _toml(value: object) -> str:
    match value:
        case bool():
            return "true" if value else "false"
        case str():
            return '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'
        case list() | tuple():
            return "[" + ", ".join(_toml(item) for item in value) + "]"
        case _:
            return str(value)


def _plain(value: object) -> str:
    return ", ".join(map(str, value)) if isinstance(value, list | tuple) else str(value)
