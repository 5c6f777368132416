# SPDX-License-Identifier: Apache-2.0
# Short names for the everyday commands. Each builds in its own folder below build/ and installs what
# the machine lacks first (scripts/install-deps); the work is done by meson and by scripts/.
#
#   make              build                       make run          build, take data, scan, a fleet of one
#   make check        every quick test            make check-slow   the tests that take minutes
#     T='room[/name] ..' only these               make lint         clang-tidy, cppcheck, -fanalyzer, shellcheck
#     SAN=asan|tsan     under sanitizers          make cover        line coverage per room
#   make fuzz         libFuzzer over every        make bench        measure; one JSON line each
#     TIME=60           target, seconds each      make static       one static binary
#   make package-plugin DATA=DIR  the package for aws:configurePackage, into a server's data folder
#   make update T=... rewrite expected files      make install      DESTDIR= PREFIX=/usr/local

PREFIX ?= /usr/local
SAN ?=
T ?=
TIME ?= 60
BUILD = build/release

DATA ?=

.PHONY: package-plugin all run check check-slow lint bench fuzz install update cover static clean deps-build deps-test deps-lint

all: deps-build
	scripts/build $(BUILD)

deps-build deps-test deps-lint:
	@scripts/install-deps --check --quiet $(@:deps-%=%) || scripts/install-deps $(@:deps-%=%)

run: deps-build
	scripts/run $(BUILD)

check: deps-test
	scripts/check --san "$(SAN)" --only "$(T)"

check-slow: deps-test
	scripts/check --slow --san "$(SAN)" --only "$(T)"

update: deps-test
	scripts/check --update --only "$(T)"

cover: deps-test
	scripts/cover

lint: deps-lint
	scripts/lint

fuzz: deps-test
	scripts/fuzz --time "$(TIME)" --only "$(T)"

bench: deps-build
	scripts/bench

static: deps-build
	scripts/build build/static -Dstatic=true
	@ls -l build/static/src/cmd/sonde

install: deps-build
	scripts/build build/install --prefix "$(PREFIX)" -Dbuildtype=release -Doptimization=2
	meson install -C build/install --no-rebuild --strip $(if $(DESTDIR),--destdir "$(abspath $(DESTDIR))")

package-plugin: deps-build
	scripts/package-plugin --data "$(DATA)"

clean:
	rm -rf build
