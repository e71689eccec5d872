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
.PHONY: deps deps-check guest demo demo-debian
