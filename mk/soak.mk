# SPDX-License-Identifier: MIT
# make soak: the test guests on the delay build for as long as you like.

SOAK_SECONDS ?= 3600
soak: all guests hv-delays
	$(Q)O=$(O) tests/soak/soak $(SOAK_SECONDS)
.PHONY: soak
