# SPDX-License-Identifier: MIT
# Model checking: see docs/verification.md.

VERIFY := $(O)/verify
VERIFY_CFLAGS := -std=gnu11 -O2 -g $(WARN) -Wno-missing-prototypes -Wno-unused-function -Itests/verify/shim -Itests/verify -Ixen-like-hv -I. \
	-D__XEN_TOOLS__ -D__XEN_INTERFACE_VERSION__=0x00040e00 -fno-strict-aliasing -fno-builtin -fno-pie -fno-stack-protector
