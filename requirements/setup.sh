#!/usr/bin/env bash
# Installs what `make demo`, `make test`, `make check` and `make bench` need: Debian packages, a virtual environment in
# .venv, and the C sources the firmware builds on in .deps. Says what it does; a second run changes nothing.
set -euo pipefail
cd "$(dirname "$0")/.."

python=${PYTHON:-python3}
say() { printf 'setup: %s\n' "$*"; }

# Debian package for each command or file that has to be there.
missing=()
want() { # want PACKAGE TEST...
    local package=$1
    shift
    "$@" >/dev/null 2>&1 || missing+=("$package")
}
want gcc command -v gcc
want libc6-dev test -e /usr/include/stdio.h
want gcc-arm-none-eabi command -v arm-none-eabi-gcc
want libnewlib-arm-none-eabi test -d /usr/lib/arm-none-eabi/newlib
want gdb-multiarch command -v gdb-multiarch
want qemu-system-arm command -v qemu-system-arm
want mosquitto test -x /usr/sbin/mosquitto
want "$python" command -v "$python"
want python3-venv "$python" -c 'import ensurepip, venv'
want python3-dev "$python" -c 'import pathlib, sysconfig; pathlib.Path(sysconfig.get_path("include"), "Python.h").stat()'

if ((${#missing[@]})); then
    as_root=()
    if ((EUID != 0)); then
        as_root=(sudo)
        command -v sudo >/dev/null || {
            echo "setup: found no root rights and no sudo; as root, run: apt-get install ${missing[*]}" >&2
            exit 2
        }
    fi
    command -v apt-get >/dev/null || {
        echo "setup: expected a Debian machine with apt-get; install by hand: ${missing[*]}" >&2
        exit 2
    }
    say "installing Debian packages: ${missing[*]}"
    "${as_root[@]}" apt-get update -qq
    DEBIAN_FRONTEND=noninteractive "${as_root[@]}" apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null
    if [[ " ${missing[*]} " == *" mosquitto "* ]] && command -v systemctl >/dev/null; then
        "${as_root[@]}" systemctl disable --now mosquitto >/dev/null 2>&1 || true # Hushkit starts its own
    fi
fi

version=$("$python" -c 'import sys; print("%d.%d" % sys.version_info[:2])')
"$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' || {
    echo "setup: found Python $version, expected 3.11 or later; name another one with PYTHON=... make setup" >&2
    exit 2
}

stamp=.venv/.installed
wanted=$(cat requirements/*.txt pyproject.toml requirements/setup.sh | sha256sum | cut -d' ' -f1)
if [[ ! -e $stamp || $(<"$stamp") != "$wanted" ]]; then
    say "installing Python $version packages into .venv (some minutes the first time)"
    [[ -x .venv/bin/python ]] || "$python" -m venv .venv
    .venv/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/dev.txt
    .venv/bin/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
    printf '%s\n' "$wanted" >"$stamp"
fi

.venv/bin/python -m hushkit.sources
say "ready: .venv/bin/hushkit --help"
