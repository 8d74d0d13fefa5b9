# The two commands of a fresh machine: `make demo` and `make test`. Both run `make setup` first.

PY       := .venv/bin
NOISE    := $(DEMO_NOISE)
PYTHONS  := codegen models agent iot hil_tests firmware/platform
C_FILES   = $(shell git ls-files 'firmware/**/*.c' 'firmware/**/*.h' 'hil_tests/**/*.c' 'hil_tests/**/*.h' 'models/**/*.c' ':!firmware/generated')

# PlatformIO asks its registry for news otherwise, and waits a minute where there is none.
export PLATFORMIO_DISABLE_UPGRADE_CHECK := true
export PLATFORMIO_SETTING_ENABLE_TELEMETRY := no
export PLATFORMIO_SETTING_CHECK_PLATFORMIO_INTERVAL := 3650
# One thread each: the tests' arrays are small, and a machine with two cores has a bench running.
export OMP_NUM_THREADS ?= 1
export OPENBLAS_NUM_THREADS ?= 1

.PHONY: help setup demo test check bench soak clean lock

help: ## what there is to make
	@awk -F ':.*## ' '/^[a-z]+:.*## /{printf "  make %-8s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: ## install Debian packages, the virtual environment and C sources where missing
	@requirements/setup.sh

demo: setup ## the main job on an emulated headset and a local IoT Core; DEMO_NOISE=FILE for a recording
	@$(PY)/hushkit demo $(if $(NOISE),--noise '$(NOISE)')

test: setup ## all tests
	@$(PY)/pytest -q

check: setup ## static checks: ruff, mypy, generated files, clang-format, cppcheck
	$(PY)/ruff check .
	$(PY)/ruff format --check .
	$(PY)/mypy
	$(PY)/hushkit generate --check
	$(PY)/clang-format --dry-run --Werror $(C_FILES)
	$(PY)/cppcheck --quiet --std=c11 --enable=warning,style,performance,portability --inline-suppr \
	    --suppressions-list=firmware/cppcheck.txt --error-exitcode=1 -Ifirmware/include -Ifirmware/generated/flagship-m7 -Ifirmware/generated/wire firmware/src

bench: setup ## benchmarks with peers side by side

soak: setup ## long runs: minutes of fuzzing, hours of links

clean: ## delete what builds made; the environment stays
	rm -rf build .pio

lock: ## pin the newest versions again, by hash
	$(PY)/python -m pip install --quiet uv
	$(PY)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header \
	    --extra dev pyproject.toml -o requirements/dev.txt
