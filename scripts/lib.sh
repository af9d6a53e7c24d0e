# What the scripts share; sourced, not run. Uses only what a minimal Debian has.
# shellcheck shell=bash
set -euo pipefail

ROOT="$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")/.." && pwd)"
VENV="${ISOTHERM_VENV:-$ROOT/.venv}"

say() { printf '[%s] %s\n' "$(basename -- "$0")" "$*" >&2; }

fail() { # CODE SENTENCE
    say "$2"
    exit "$1"
}

# The first Python that is new enough.
find_python() {
    local name
    for name in python3 python3.14 python3.13 python3.12 python3.11; do
        if "$name" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
            command -v "$name"
            return
        fi
    done
    fail 3 'Python 3.11 or newer is needed: sudo apt-get install -y python3 python3-venv'
}

# Debian packages that are missing: by apt where it may, else the one line to type.
install_packages() { # PYTHON KIND
    local missing sudo=()
    missing="$(cd -- "$ROOT" && "$1" -m deploy.local.services.packages "$2")"
    [[ -n $missing ]] || return 0
    local line="sudo apt-get install -y ${missing//$'\n'/ }"
    command -v apt-get >/dev/null || fail 3 "please install what Debian calls: ${missing//$'\n'/ }"
    if ((EUID != 0)); then
        command -v sudo >/dev/null || fail 3 "please run as root: ${line#sudo }"
        if ! sudo -n true 2>/dev/null; then
            [[ -t 0 && -t 2 ]] || fail 3 "please run: $line"
            say "sudo may ask for your password for: $line"
        fi
        sudo=(sudo)
    fi
    say "installing ${missing//$'\n'/ }"
    local apt=(env DEBIAN_FRONTEND=noninteractive apt-get -q -o Dpkg::Use-Pty=0)
    # Without recommendations: they would bring fonts and a desktop's libraries.
    # shellcheck disable=SC2086 one word for each package
    if ! { "${sudo[@]}" "${apt[@]}" update &&
        "${sudo[@]}" "${apt[@]}" install -y --no-install-recommends $missing; } >&2; then
        fail 3 "that failed; please run: $line"
    fi
}

# The virtual environment with the project as it lies here, brought up to date when
# pyproject.toml has changed. KIND is `all`, `dev` (the same and the tools for tests) or `lowest`
# (as `dev`, with the oldest version of each package that pyproject.toml allows).
install_project() { # PYTHON KIND
    local stamp sum
    stamp="$VENV/.isotherm-$2"
    sum="$("$1" -V) $ROOT $(sha256sum <"$ROOT/pyproject.toml")"
    if [[ -f $stamp && $(<"$stamp") == "$sum" ]]; then
        return
    fi
    if ! "$VENV/bin/python" -m pip --version >/dev/null 2>&1; then
        say "making the virtual environment $VENV"
        "$1" -m venv "$VENV" >&2 || fail 3 "$VENV cannot be made; is python3-venv installed?"
    fi
    local pip=("$VENV/bin/python" -m pip --disable-pip-version-check --quiet)
    local wanted=(--editable "$ROOT[all]")
    if [[ $2 != all ]]; then
        wanted+=(--group "$ROOT/pyproject.toml:dev")
    fi
    # The pip of Debian 12 knows no dependency groups, and builds PySpark in a deprecated way.
    "${pip[@]}" install --upgrade 'pip>=25.1' >&2 || fail 3 'pip could not be updated'
    if [[ $2 == lowest ]]; then
        find_lowest "$VENV/lowest.txt"
        wanted+=(--constraint "$VENV/lowest.txt")
    fi
    say 'installing Python packages; the first time takes minutes, since PySpark is large'
    "${pip[@]}" install "${wanted[@]}" >&2 || fail 3 'the Python packages could not be installed'
    printf '%s' "$sum" >"$stamp"
}

# Writes for pip which versions are the oldest that pyproject.toml allows; the tools for tests are
# as new as they come, and so is what only other packages ask for.
find_lowest() { # FILE
    "$VENV/bin/python" -m pip --disable-pip-version-check --quiet install 'uv>=0.7,<1' >&2 ||
        fail 3 'uv, which finds the lowest versions, could not be installed'
    "$VENV/bin/uv" pip compile --quiet --resolution lowest-direct --all-extras --no-header \
        --python "$VENV/bin/python" --output-file "$1" "$ROOT/pyproject.toml" >&2 ||
        fail 3 'uv found no versions that fit together'
}

# For tests of the alerting rules. Unpacked and not installed, since Debian's package would start
# a Prometheus; a machine whose package lists were deleted gets them again.
fetch_promtool() {
    local fetch=("$VENV/bin/python" -m tests.support.promtool) sudo=()
    "${fetch[@]}" >/dev/null 2>&1 && return
    ((EUID == 0)) || sudo=(sudo -n)
    say 'fetching promtool, once'
    "${sudo[@]}" apt-get -q update >&2 || say 'the package lists could not be updated'
    "${fetch[@]}" >/dev/null || exit
}

# All that a script needs; at most one script of this checkout installs at a time.
bootstrap() { # KIND [programs]
    local python lock
    python="$(find_python)"
    exec {lock}<"$ROOT"
    flock "$lock"
    [[ ${2-} != programs ]] || install_packages "$python" "${1/lowest/dev}"
    install_project "$python" "$1"
    exec {lock}<&-
}
