# SPDX-License-Identifier: MIT
# bindings/: what is built sees the installed header and pkg-config's file alone, from a prefix in the build.

BP := $(abspath $(O))/bindings
$(BP)/prefix/lib/pkgconfig/libpvctl.pc: $(LIB_SO) libpvctl/include/libpvctl.h libpvctl/libpvctl.pc.in
	$(Q)mkdir -p $(BP)/prefix/lib/pkgconfig $(BP)/prefix/include && cp libpvctl/include/libpvctl.h $(BP)/prefix/include/ && \
		ln -sfn ../../../libpvctl.so.0 $(BP)/prefix/lib/libpvctl.so.0 && ln -sfn libpvctl.so.0 $(BP)/prefix/lib/libpvctl.so && \
		ln -sfn ../../../libpvctl.a $(BP)/prefix/lib/libpvctl.a && \
		$(call pc,$(BP)/prefix,$(BP)/prefix/lib,$(BP)/prefix/include) > $@
bindings-prefix: $(BP)/prefix/lib/pkgconfig/libpvctl.pc
.PHONY: bindings-prefix

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

# ---- Packages: what is installed below DESTDIR, as Debian has it ----
# The wheel is what Python imports; sources of Go and Rust are where their compilers look for those of packages.
PY_DIR ?= $(PREFIX)/lib/python3/dist-packages
GO_DIR ?= $(PREFIX)/share/gocode/src/pvctl
CARGO_DIR ?= $(PREFIX)/share/cargo/registry
GO_FILES := $(filter-out %_test.go,$(wildcard bindings/go/*.go)) $(wildcard bindings/go/go.mod bindings/go/*.h bindings/go/README.md bindings/go/examples/*/*.go)
CRATE_FILES = $(shell cd bindings/rust/$(1) && find Cargo.toml build.rs src examples benches -name '*.rs' -o -name Cargo.toml 2>/dev/null)
# A path to another crate is the tree's alone. No checksum is of a crate from a registry: cargo compares none.
install_crate = for f in $(call CRATE_FILES,$(1)); do \
	$(INSTALL) -D -m 644 bindings/rust/$(1)/$$f $(DESTDIR)$(CARGO_DIR)/$(1)-$(VERSION)/$$f || exit 1; done && \
	sed -i 's|path = "[^"]*", ||' $(DESTDIR)$(CARGO_DIR)/$(1)-$(VERSION)/Cargo.toml && \
	echo '{"files":{}}' > $(DESTDIR)$(CARGO_DIR)/$(1)-$(VERSION)/.cargo-checksum.json

install-python: $(BP)/python/.stamp
	$(Q)$(INSTALL) -d $(DESTDIR)$(PY_DIR) && cp -r $(BP)/python/pvctl $(BP)/python/pvctl-*.dist-info $(DESTDIR)$(PY_DIR)/ && \
		rm $(DESTDIR)$(PY_DIR)/pvctl-*.dist-info/RECORD
install-go:
	$(Q)for f in $(GO_FILES); do $(INSTALL) -D -m 644 $$f $(DESTDIR)$(GO_DIR)/$${f#bindings/go/} || exit 1; done
install-rust:
	$(Q)$(call install_crate,pvctl-sys)
	$(Q)$(call install_crate,pvctl)
install-bindings: install-python install-go install-rust
.PHONY: install-python install-go install-rust install-bindings
