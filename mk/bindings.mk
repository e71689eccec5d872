# SPDX-License-Identifier: MIT
# bindings/: what is built sees the installed header and pkg-config's file alone, from a prefix in the build.

BP := $(abspath $(O))/bindings
$(BP)/prefix/lib/pkgconfig/libpvctl.pc: $(LIB_SO) libpvctl/include/libpvctl.h libpvctl/libpvctl.pc.in
	$(Q)mkdir -p $(BP)/prefix/lib/pkgconfig $(BP)/prefix/include && cp libpvctl/include/libpvctl.h $(BP)/prefix/include/ && \
		ln -sfn ../../../libpvctl.so.0 $(BP)/prefix/lib/libpvctl.so.0 && ln -sfn libpvctl.so.0 $(BP)/prefix/lib/libpvctl.so && \
		ln -sfn ../../../libpvctl.a $(BP)/prefix/lib/libpvctl.a && \
		sed -e 's|@PREFIX@|$(BP)/prefix|' -e 's|@LIBDIR@|$(BP)/prefix/lib|' -e 's|@INCLUDEDIR@|$(BP)/prefix/include|' \
		-e 's|@VERSION@|$(VERSION)|' libpvctl/libpvctl.pc.in > $@

# ---- Python ----
# A wheel and an sdist in $(O)/bindings/dist, and what is in the wheel in $(O)/bindings/python, to be imported from there.
# The one that Debian's packages are for, whatever else is on the PATH.
PYTHON ?= $(firstword $(wildcard /usr/bin/python3) python3)
PY_SRC := $(wildcard bindings/python/*.py bindings/python/*.toml bindings/python/README.md bindings/python/pvctl/*)
$(BP)/python/.stamp: $(PY_SRC) $(BP)/prefix/lib/pkgconfig/libpvctl.pc
	$(call say,PYTHON,bindings/python)rm -rf $(BP)/py-src $(BP)/python $(BP)/dist && mkdir -p $(BP)/py-src $(BP)/dist $(BP)/python && \
		cp -r bindings/python/. $(BP)/py-src/ && cd $(BP)/py-src && export PKG_CONFIG_PATH=$(BP)/prefix/lib/pkgconfig && \
		{ $(PYTHON) setup.py -q sdist -d $(BP)/dist bdist_wheel -d $(BP)/dist; } >$(BP)/python.log 2>&1 && \
		cd $(BP)/python && $(PYTHON) -m zipfile -e $(BP)/dist/*.whl . && touch $@ || { cat $(BP)/python.log; exit 1; }
python: $(BP)/python/.stamp
.PHONY: python

