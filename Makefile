# Every command installs what it needs first, and does nothing slow the second time. JOBS=N limits the cores used.
.DEFAULT_GOAL := help
.PHONY: help setup build run test bench format lint interop sanitize soak clean
JOBS ?= $(shell nproc)
export JOBS

help: ## show this list
	@sed -n 's/^\([a-z]*\):.*## \(.*\)/\1 \2/p' Makefile | while read -r name what; do printf 'make %-10s%s\n' "$$name" "$$what"; done

setup: ## install what is missing: Debian packages, the engine, price data, test clients
	@tools/setup

build: setup ## build the program: build/observatory
	@cmake --preset release --log-level=NOTICE
	@cmake --build --preset release --target observatory -j$(JOBS)

run: build ## start it on this machine, data in ./observatory-data
	@build/observatory serve

test: ## build everything, run every suite, end with `N passed, N failed`
	@tools/setup || { echo '0 passed, 1 failed'; exit 1; }
	@python3 tools/run_tests.py

bench: setup ## build and run every benchmark
	@cmake --preset release --log-level=NOTICE
	@cmake --build --preset release -j$(JOBS)
	@for program in build/src/*/*_bench; do echo "== $$program"; "$$program" || exit 1; done
	@if [ -x bench/run ]; then bench/run; fi

format: setup ## rewrite C++ and Python the way the lint wants them
	@python3 tools/lint.py --fix format python

lint: build ## check format, Python, and C++ for bugs
	@python3 tools/lint.py

interop: build ## run every real client of the matrix (installs them first; long)
	@tests/interop/run

sanitize: setup ## every unit test under the address, undefined behaviour and thread sanitizers (long)
	@python3 tools/run_tests.py sanitize

soak: build ## kill it 500 times at the worst moments and look for every span (long)
	@OBS_CRASH_ROUNDS=500 build/venv/bin/python -m pytest -s -o timeout=0 tests/system/test_crash.py

clean: ## remove what was built; installed tools and the engine stay
	@rm -rf build/CMakeCache.txt build/CMakeFiles build/src build/bench build/tests build/build.ninja build/.ninja_* \
	  build/observatory build/asan build/tsan build/debug build/test-results build/clang-tidy
