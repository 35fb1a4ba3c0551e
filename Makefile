# Every target works on a Debian machine with nothing but the base system, git and make: what is missing
# is installed first (as root or with sudo; scripts/install-deps.sh holds the list).  The build itself is CMake's;
# this file only names what people do.

PREFIX ?= /usr/local

.PHONY: help build demo gallery test bench docs web format lint install clean
.DEFAULT_GOAL := help

help: ## this list
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  make %-9s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

build: ## the program, build/release/limpid
	@scripts/install-deps.sh build
	@scripts/build.sh release

demo: ## "Life is short", from word to next-word probabilities; the trace and its figure stay in demo/
	@scripts/demo.sh

gallery: ## draws every figure again: docs/gallery.md and its images
	@scripts/install-deps.sh build
	@scripts/build.sh --quiet release limpid_program
	@scripts/gallery.sh

test: ## builds and runs every test (build/dev)
	@scripts/install-deps.sh build test
	@scripts/build.sh --quiet dev
	@scripts/run_tests.py build/dev

bench: ## this machine's limits, what kernels and training reach of them, the model's held-out loss
	@scripts/install-deps.sh build
	@scripts/build.sh --quiet bench limpid_program bench_train bench_heldout
	@build/bench/limpid bench --quick
	@build/bench/bench_train
	@if [ -d ../shared/data/text ]; then build/bench/bench_heldout; fi

docs: ## pages of the public headers, build/docs/html/index.html (a warning is an error)
	@scripts/install-deps.sh docs
	@mkdir -p build/docs
	@doxygen docs/Doxyfile
	@echo "build/docs/html/index.html"

web: ## builds the explorer's page and the engine in it again: web/dist
	@scripts/install-deps.sh build web
	@scripts/web_module.sh
	@cd web && npm ci --no-audit --no-fund && npm run build

format: ## puts every C++ file into the project's format
	@scripts/install-deps.sh lint
	@scripts/lint.sh --fix-format

lint: ## format and clang-tidy, all files (a file that passed is not checked again until it changes)
	@scripts/install-deps.sh build test lint
	@scripts/lint.sh

install: ## program, library, headers, CMake and pkg-config files into PREFIX (/usr/local)
	@scripts/install-deps.sh build
	@scripts/build.sh --quiet release
	@cmake --install build/release --prefix "$(PREFIX)"

clean: ## removes build/ and demo/
	@rm -rf build demo
