# SPDX-License-Identifier: MIT
# make bench: tests/bench/bench.py on what these rules build.

B := $(O)/bench
# A line for each run; keep it elsewhere to see what a change costs over builds.
BENCH_HISTORY ?= $(O)/bench-history.jsonl
$(B)/pvbench: tests/bench/pvbench.c
	$(call say,CC,$<)mkdir -p $(@D) && $(CC) -O2 -g0 -static -pthread -w -o $@ $< && strip $@
$(B)/pvstub: tests/bench/pvstub.c tests/bench/pvstub.lds
	$(call say,CC,$<)mkdir -p $(@D) && $(CC) -O2 -g0 -w -ffreestanding -fno-pic -mcmodel=kernel -mno-red-zone -mno-sse \
		-fno-stack-protector -fcf-protection=none -fno-asynchronous-unwind-tables -c -o $@.o $< && \
		ld -nostdlib -T tests/bench/pvstub.lds -z max-page-size=4096 --build-id=none --no-warn-rwx-segments -o $@ $@.o
$(B)/initrd.gz: $(B)/pvbench tests/bench/init | guest
	$(call say,CPIO,$@)rm -rf $(B)/root && mkdir -p $(B)/root/bin $(B)/root/proc $(B)/root/sys $(B)/root/dev $(B)/root/tmp && \
		cp $(DEMO)/busybox $(B)/pvbench $(B)/root/bin/ && cp -r $(DEMO)/modules $(B)/root/ && cp tests/bench/init $(B)/root/init && chmod 755 $(B)/root/init && \
		(cd $(B)/root && find . | LC_ALL=C sort | cpio -o -H newc --quiet -R 0:0) | gzip -9n > $@

bench: all guest guests hv-debug e2e-tools $(B)/initrd.gz $(B)/pvstub
	$(Q)tests/bench/bench.py --out $(O) --history $(BENCH_HISTORY) $(BENCH_ARGS)
	$(Q)tests/bench/longest.py --out $(O)
	$(Q)$(MAKE) --no-print-directory O=$(O) bench-pictures
# Of the last run, and, from two runs on, of the last ten. gnuplot draws them.
bench-pictures:
	$(Q)tests/bench/draw.py run $(O)/bench.json $(O)/bench.svg || test ! -x /usr/bin/gnuplot
	$(Q)test $$(wc -l < $(BENCH_HISTORY)) -lt 2 || tests/bench/draw.py history $(BENCH_HISTORY) $(O)/bench-history.svg || test ! -x /usr/bin/gnuplot
# The longest times alone: it takes half a minute.
bench-longest: all guests hv-debug
	$(Q)tests/bench/longest.py --out $(O)
.PHONY: bench bench-longest bench-pictures
