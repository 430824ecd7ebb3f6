# SPDX-License-Identifier: Apache-2.0
# Two commands are enough: `make demo` and `make test`. Each installs the Debian packages it needs (root or sudo).

BUILD := build/release
JOBS ?= $(shell nproc)

.PHONY: help deps build test demo bench check format clean

help: ## this list
	@grep -hE '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 10

deps: ## install the packages that build and tests need
	@sh scripts/install-deps.sh

build: deps ## build everything into build/release/bin
	@cmake --preset release > build-configure.log 2>&1 || { cat build-configure.log; exit 1; }
	@rm -f build-configure.log
	cmake --build $(BUILD) -j $(JOBS)

test: build ## build and run every test
	ctest --test-dir $(BUILD) --output-on-failure --no-tests=error
	@sh scripts/count-tests.sh $(BUILD)

demo: build ## a pipeline from events to an alert and a query, on a broker of its own
	@sh scripts/demo.sh $(BUILD)/bin

bench: build ## the figures of bench/README.md
	@sh bench/run.sh $(BUILD)

check: ## format, layers and tidy, as CI runs them
	@sh scripts/check-format.sh
	@sh scripts/check-layers.sh
	@sh scripts/check-tidy.sh $(BUILD)

format: ## format every source
	@git ls-files '*.cpp' '*.hpp' | xargs clang-format -i

clean: ## remove the build
	rm -rf build
