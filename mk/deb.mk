# SPDX-License-Identifier: MIT
# make deb: the Debian packages, in $(O)/deb, from the files that git knows, as they are now.

DEB := $(O)/deb
deb:
	$(Q)command -v dh >/dev/null || { echo "make deb: install debhelper, chrpath and what 'apt-get build-dep ./' names" >&2; exit 1; }
	$(Q)rm -rf $(DEB) && mkdir -p $(DEB)/pvctl-$(VERSION)
	$(Q)git -c safe.directory='*' ls-files -z | tar --null --ignore-failed-read -cf - -T - | tar -C $(DEB)/pvctl-$(VERSION) -xf -
	$(Q)cd $(DEB)/pvctl-$(VERSION) && env -u MAKEFLAGS -u MAKELEVEL -u MAKEOVERRIDES -u O dpkg-buildpackage -b -us -uc >../build.log 2>&1 || { tail -n 30 ../build.log; exit 1; }
	$(Q)rm -rf $(DEB)/pvctl-$(VERSION) && ls $(DEB)/*.deb

# On clean roots of both releases, as root: make deb-check RELEASES=bookworm
RELEASES ?= bookworm trixie
deb-check: deps-check
	$(Q)tests/release/deb $(RELEASES)
.PHONY: deb deb-check
