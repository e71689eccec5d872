# SPDX-License-Identifier: MIT
# Model checking: docs/verification.md. It needs a compiler, and nothing else that the build does not need.

VERIFY := $(O)/verify
VERIFY_CFLAGS := -std=gnu11 -O2 -g $(WARN) -Wno-missing-prototypes -Wno-unused-function -Wno-tsan -Itests/verify/shim -Itests/verify \
	-Ixen-like-hv -I. -D__XEN_TOOLS__ -D__XEN_INTERFACE_VERSION__=0x00040e00 -fno-strict-aliasing -fno-builtin -fno-pie \
	-fno-stack-protector
# The explorer is not watched itself.
VERIFY_WATCHED := -fsanitize=thread
VERIFY_MODELS := page_type roots grants spinlock

VERIFY_HV_page_type := pv/page_type.c pv/page_type_levels.c x86/tlb.c x86/smp.c
VERIFY_HV_roots := $(VERIFY_HV_page_type) pv/root.c pv/root_fast.c pv/pt_entry.c sched/context.c
VERIFY_HV_grants := grant/pin.c grant/map.c grant/unmap.c grant/maptrack.c grant/table.c grant/swap.c grant/setup.c grant/copy.c
VERIFY_HV_spinlock :=
