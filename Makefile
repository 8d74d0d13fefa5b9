# The two commands of a fresh machine: `make demo` and `make test`. Both run `make setup` first.

PY       := .venv/bin
NOISE    := $(DEMO_NOISE)
DATA     := ../shared/data
CORPUS    = $(if $(wildcard $(DATA)/noise57/manifest.csv),--corpus $(DATA)/noise57)
TEACHER   = $(if $(wildcard $(DATA)/teacher/yamnet.tflite),--teacher $(DATA)/teacher/yamnet.tflite)
SPECS    := flagship-m7 compact-m4 balanced-m33 helium-m55
C_FILES   = $(shell git ls-files 'firmware/**/*.c' 'firmware/**/*.h' 'hil_tests/**/*.c' 'hil_tests/**/*.h' 'models/**/*.c' ':!firmware/generated')

# PlatformIO asks its registry for news otherwise, and waits a minute where there is none.
export PLATFORMIO_DISABLE_UPGRADE_CHECK := true
export PLATFORMIO_SETTING_ENABLE_TELEMETRY := no
export PLATFORMIO_SETTING_CHECK_PLATFORMIO_INTERVAL := 3650
.PHONY: help setup demo test check bench soak models clean lock

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

bench: setup ## benchmarks with peers side by side, and every headset in the loop; results in build/bench
	@mkdir -p build/bench
	$(PY)/python -m hushkit_hil.controllerbench --peers --json build/bench/controllers.json --markdown build/bench/controllers.md
	$(PY)/python iot/benchmarks/shadow_load.py --seconds 3 --json build/bench/shadow_load.json
	$(PY)/hushkit kernels validate
	$(PY)/hushkit kernels bench --json build/bench/kernels.json --html build/bench/kernels.html
	for spec in $(SPECS); do \
	    $(PY)/hushkit bench $$spec --json build/bench/$$spec.json --html build/bench/$$spec.html || exit 1; done

soak: setup ## long runs: ten minutes of audio on every headset, a million samples through every kernel, a million mutated networks, random graphs
	@mkdir -p build/soak
	$(PY)/python -m hushkit_hil.networkbench.fuzz 1000000
	$(PY)/python -m hushkit_hil.networkbench.soak 20000
	$(PY)/hushkit kernels bench --samples 1000000 --signals noise,speech,full_scale --json build/soak/kernels.json
	for spec in $(SPECS); do \
	    $(PY)/hushkit bench $$spec --seconds 600 --json build/soak/$$spec.json || exit 1; done

models: setup ## train both classifiers from scratch, up to an hour; DATA=FOLDER with noise57/ and teacher/
	@$(PY)/python -c 'import flatbuffers, onnx, torch' 2>/dev/null || \
	    $(PY)/python -m pip install --quiet --constraint requirements/train.txt torch onnx flatbuffers
	$(PY)/hushkit model train --model noise57-mcu $(CORPUS) $(TEACHER) -o models/artifacts
	$(PY)/hushkit model train --model noise57-edge --epochs 40 --rehearsal-epochs 5 $(CORPUS) $(TEACHER) -o models/artifacts

clean: ## delete what builds made; the environment stays
	rm -rf build .pio

lock: ## pin the newest versions again, by hash
	$(PY)/python -m pip install --quiet uv
	$(PY)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header \
	    --extra dev pyproject.toml -o requirements/dev.txt
