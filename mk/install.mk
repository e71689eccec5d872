# SPDX-License-Identifier: MIT
# make install PREFIX=/usr/local DESTDIR=: the programs find what belongs to them beside themselves, so that a
# prefix may be moved. LIBDIR, MANDIR and so on may be set.

BINDIR ?= $(PREFIX)/bin
LIBDIR ?= $(PREFIX)/lib
LIBEXECDIR ?= $(PREFIX)/libexec/pvctl
INCLUDEDIR ?= $(PREFIX)/include
MANDIR ?= $(PREFIX)/share/man
DOCDIR ?= $(PREFIX)/share/doc/pvctl
SYSTEMDDIR ?= $(PREFIX)/lib/systemd
COMPLETIONDIR ?= $(PREFIX)/share/bash-completion/completions
ZSHDIR ?= $(PREFIX)/share/zsh/site-functions
FISHDIR ?= $(PREFIX)/share/fish/vendor_completions.d
INSTALL ?= install

INSTALL_MAN := $(wildcard man/*.[1-8])
INSTALL_DOC := $(wildcard README.md CHANGES.md LICENSE)
INSTALL_EXAMPLES := $(wildcard config/examples/*.cfg examples/*.c)
D = $(DESTDIR)

install: all
	$(Q)$(INSTALL) -d $(D)$(BINDIR) $(D)$(LIBDIR)/pkgconfig $(D)$(LIBEXECDIR) $(D)$(INCLUDEDIR) $(D)$(DOCDIR)/examples $(D)$(COMPLETIONDIR)
	$(Q)$(INSTALL) -m 755 $(O)/pvctl/pvctl $(D)$(BINDIR)/pvctl
	$(Q)$(INSTALL) -m 755 $(O)/pvctld/pvctld $(D)$(LIBEXECDIR)/pvctld
	$(Q)$(INSTALL) -m 755 $(O)/pvctl-bootloader $(D)$(LIBEXECDIR)/pvctl-bootloader
	$(Q)$(INSTALL) -m 755 $(O)/pvctl-usernet $(D)$(LIBEXECDIR)/pvctl-usernet
	$(Q)$(INSTALL) -m 755 $(O)/pvctl-jail $(D)$(LIBEXECDIR)/pvctl-jail
	$(Q)$(INSTALL) -m 644 $(O)/pvctl-jail.so $(D)$(LIBEXECDIR)/pvctl-jail.so
	$(Q)$(INSTALL) -m 755 $(O)/pvctl-p9 $(D)$(LIBEXECDIR)/pvctl-p9
	$(Q)$(INSTALL) -m 644 $(O)/pvctl-p9-jail.so $(D)$(LIBEXECDIR)/pvctl-p9-jail.so
	$(Q)$(INSTALL) -m 644 $(O)/xen-like-hv.elf $(D)$(LIBEXECDIR)/xen-like-hv.elf
	$(Q)$(INSTALL) -m 755 $(LIB_SO) $(D)$(LIBDIR)/libpvctl.so.0
	$(Q)ln -sfn libpvctl.so.0 $(D)$(LIBDIR)/libpvctl.so
	$(Q)$(INSTALL) -m 644 $(O)/libpvctl.a $(D)$(LIBDIR)/libpvctl.a
	$(Q)$(INSTALL) -m 644 libpvctl/include/libpvctl.h $(D)$(INCLUDEDIR)/libpvctl.h
	$(Q)$(call pc,$(PREFIX),$(LIBDIR),$(INCLUDEDIR)) > $(D)$(LIBDIR)/pkgconfig/libpvctl.pc
	$(Q)for f in $(INSTALL_MAN); do s=$(D)$(MANDIR)/man$${f##*.}; \
		$(INSTALL) -d $$s && $(INSTALL) -m 644 $$f $$s || exit 1; done
	$(Q)for u in system:multi-user.target user:default.target; do $(INSTALL) -d $(D)$(SYSTEMDDIR)/$${u%%:*} && \
		sed -e 's|@BINDIR@|$(BINDIR)|' -e "s|@TARGET@|$${u#*:}|" config/systemd/pvctl@.service.in \
		> $(D)$(SYSTEMDDIR)/$${u%%:*}/pvctl@.service || exit 1; done
	$(Q)$(INSTALL) -d $(D)$(ZSHDIR) $(D)$(FISHDIR)
	$(Q)for c in bash:$(COMPLETIONDIR)/pvctl zsh:$(ZSHDIR)/_pvctl fish:$(FISHDIR)/pvctl.fish; do \
		$(O)/pvctl/pvctl completion $${c%%:*} > $(D)$${c#*:} || exit 1; done
	$(Q)$(INSTALL) -m 644 $(INSTALL_DOC) $(D)$(DOCDIR)
	$(Q)$(INSTALL) -m 644 $(INSTALL_EXAMPLES) $(D)$(DOCDIR)/examples

# Directories that others may use, too, stay.
uninstall:
	$(Q)rm -f $(D)$(BINDIR)/pvctl $(D)$(LIBDIR)/libpvctl.so.0 $(D)$(LIBDIR)/libpvctl.so $(D)$(LIBDIR)/libpvctl.a \
		$(D)$(INCLUDEDIR)/libpvctl.h $(D)$(LIBDIR)/pkgconfig/libpvctl.pc $(D)$(COMPLETIONDIR)/pvctl $(D)$(ZSHDIR)/_pvctl $(D)$(FISHDIR)/pvctl.fish \
		$(foreach f,$(INSTALL_MAN),$(D)$(MANDIR)/man$(patsubst .%,%,$(suffix $(f)))/$(notdir $(f)))
	$(Q)rm -f $(D)$(SYSTEMDDIR)/system/pvctl@.service $(D)$(SYSTEMDDIR)/user/pvctl@.service
	$(Q)rm -f $(addprefix $(D)$(LIBEXECDIR)/,pvctld pvctl-bootloader pvctl-usernet pvctl-jail pvctl-jail.so pvctl-p9 pvctl-p9-jail.so xen-like-hv.elf)
	$(Q)rm -f $(addprefix $(D)$(DOCDIR)/,$(INSTALL_DOC)) $(addprefix $(D)$(DOCDIR)/examples/,$(notdir $(INSTALL_EXAMPLES)))
	-$(Q)rmdir $(D)$(LIBEXECDIR) $(D)$(DOCDIR)/examples $(D)$(DOCDIR) 2>/dev/null || true
.PHONY: install uninstall
