# SPDX-License-Identifier: MIT
# pvctl-bootloader: reads a guest's disk in a sandbox, for the library.

BOOT_SRC := $(sort $(wildcard libpvctl/helper/*.c))
BOOT_OBJ := $(BOOT_SRC:%.c=$(O)/%.o)
BOOT_PKGS := ext2fs libarchive libseccomp

all: $(O)/pvctl-bootloader
$(O)/pvctl-bootloader: $(BOOT_OBJ) $(O)/libpvctl.a
	$(call say,LD,$@)$(CC) $(EXTRA_LDFLAGS) -pie -Wl,-z,relro,-z,now -o $@ $^ $(shell pkg-config --libs $(BOOT_PKGS))
bootloader: $(O)/pvctl-bootloader
.PHONY: bootloader
