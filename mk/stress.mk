# SPDX-License-Identifier: MIT
# The example guest's ramdisk with tests/stress/ in it. Linux unpacks concatenated archives one after the other.
ST := $(O)/stress

$(ST)/pvstress: tests/stress/pvstress.c
	$(call say,CC,$<)mkdir -p $(@D) && $(CC) -std=gnu11 -O2 -g0 -static $(WARN) -D_GNU_SOURCE -o $@ $< && strip $@
$(ST)/initrd.gz: $(ST)/pvstress tests/stress/run | guest
	$(call say,CPIO,$@)rm -rf $(ST)/root && mkdir -p $(ST)/root/bin && cp $(ST)/pvstress $(ST)/root/bin/ && \
		cp tests/stress/run $(ST)/root/bin/stress-run && \
		(cd $(ST)/root && find . | LC_ALL=C sort | cpio -o -H newc --quiet -R 0:0) | gzip -9n | cat $(DEMO)/initrd.gz - > $@
stress: $(ST)/initrd.gz
.PHONY: stress
