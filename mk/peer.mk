# SPDX-License-Identifier: MIT
# Saved domains, to and from Debian's own Xen 4.17 in QEMU. It downloads 100 MB once, into $(O)/xen-peer.
check-xen-peer: all guests
	$(Q)O=$(O) tests/xen-peer/peer.t
.PHONY: check-xen-peer
