# SPDX-License-Identifier: Apache-2.0
# The front door; CMake and Ninja do the work. `make` leaves build/weir, `make help` names the rest.
JOBS ?= $(shell nproc)
# A node that scripts/bootstrap.sh fetches (perhaps only in this very call) comes before the machine's own, which is then too old.
export PATH := $(CURDIR)/build/node/node_modules/node/bin:$(PATH)

all: bootstrap ## build/weir (without pages unless `make ui` was run)
	@cmake --preset release >/dev/null && ninja -C build -j $(JOBS) weir
bootstrap: ; @scripts/bootstrap.sh build run
run: ## install what is missing, build, serve the weather example (with the bundled sample API where there is no internet)
	@$(MAKE) --no-print-directory ui all && build/weir serve examples/weather/weather.yaml
test: ## install what is missing, build, run every test, count them
	@scripts/bootstrap.sh build run test ui && scripts/test.sh
check: bootstrap ## units, corpora and house rules of the everyday (asan) build
	@cmake --preset asan >/dev/null && ninja -C build/asan -j $(JOBS) && ctest --test-dir build/asan --output-on-failure -j $(JOBS) -L '^(unit|fuzz-corpus|house)$$'
asan: check
tsan: bootstrap ## units under the thread sanitizer
	@cmake --preset tsan >/dev/null && ninja -C build/tsan -j $(JOBS) && ctest --test-dir build/tsan --output-on-failure -j $(JOBS) -L '^unit$$'
fuzz: ## fuzz targets into build/fuzz (clang)
	@scripts/bootstrap.sh build bench && cmake --preset fuzz >/dev/null && ninja -C build/fuzz -j $(JOBS)
bench: all ## CPU an item, items a second and memory, beside wrk, curl and undici
	@scripts/bootstrap.sh bench ui && python3 bench/run.py $(BENCH)
fmt: ## clang-format over src, tests, fuzz and bench
	@scripts/bootstrap.sh lint && find src tests fuzz bench -name '*.[ch]' -not -path '*/node_modules/*' -print0 | xargs -0 clang-format -i
lint: all ## layers, longest, clang-tidy
	@scripts/bootstrap.sh lint && scripts/layers.sh && scripts/longest.sh && find src -name '*.c' -print0 | xargs -0 clang-tidy -p build --quiet
ui: ## the pages: ui/dist, embedded by the next build
	@scripts/bootstrap.sh ui && npm --prefix ui run --silent build
docs: all ## generated reference pages
	@build/weir schema component > docs/reference/component.schema.json
	@python3 tests/scenario/call/run.py --table > docs/reference/faults.md
clean: ; rm -rf build ui/dist
help: ## this list
	@grep -hE '^[a-z]+:.*## ' Makefile | sed -E 's/^([a-z]+):.*## /\1\t/' | expand -t 10
.PHONY: all bootstrap run test check asan tsan fuzz bench fmt lint ui docs clean help
