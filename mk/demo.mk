# SPDX-License-Identifier: MIT
DEMO := $(O)/demo

deps:
	$(Q)tools/install-deps build
deps-check:
	$(Q)tools/install-deps check
guest: ; $(Q)tools/fetch-guest $(DEMO)

# A second make, because what the rules find out with pkg-config needs the packages.
demo: deps
	$(Q)$(MAKE) --no-print-directory all guest O=$(O)
	$(Q)O=$(O) tools/demo

demo-debian:
	$(Q)tools/install-deps debian
	$(Q)$(MAKE) --no-print-directory all O=$(O)
	$(Q)O=$(O) tools/demo-debian

# A clean root of the other supported release, as root: make check-release RELEASE=trixie WHAT="make check".
RELEASE ?= $(shell . /etc/os-release && [ "$$VERSION_CODENAME" = trixie ] && echo bookworm || echo trixie)
WHAT ?= make demo
check-release: deps-check
	$(Q)tests/release/run "$(RELEASE)" "$(WHAT)"
.PHONY: deps deps-check guest demo demo-debian check-release
