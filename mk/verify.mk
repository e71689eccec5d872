# SPDX-License-Identifier: MIT
# Model checking: docs/verification.md. It takes some minutes, and the compiler is all it needs.

verify:
	$(Q)O=$(O) CC=$(CC) tests/verify/run
.PHONY: verify
