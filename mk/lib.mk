# SPDX-License-Identifier: MIT
# libpvctl: the library. Hidden by default; libpvctl/libpvctl.map names what is public.

LIB_SRC := $(sort $(wildcard libpvctl/src/*/*.c))
# The language of config files is pure code of its own; the command line has it, too.
LIB_OBJ := $(LIB_SRC:%.c=$(O)/%.o) $(patsubst %.c,$(O)/%.o,$(sort $(wildcard config/*.c)))
LIB_PKGS := libxml-2.0 yajl uuid zlib liblzma libzstd liblz4 nettle
LIB_CFLAGS := $(USER_CFLAGS) $(shell pkg-config --cflags libxml-2.0) -Ilibpvctl/include -Ilibpvctl/src -I. -Ixen-like-hv -D__XEN_TOOLS__ -D__XEN_INTERFACE_VERSION__=0x00040e00
LIB_LIBS = $(shell pkg-config --libs $(LIB_PKGS)) -lbz2 -llzo2
# The shared library loads this one when it is used (libpvctl/src/xml/libxml2.h): the name that is in it.
LIB_SO_LIBS = $(shell pkg-config --libs $(filter-out libxml-2.0,$(LIB_PKGS))) -lbz2 -llzo2
LIBXML2_SO = $(shell objdump -p $$($(CC) -print-file-name=libxml2.so) | sed -n 's/^ *SONAME *//p')
LIB_SO := $(O)/libpvctl.so.0

all: $(LIB_SO) $(O)/libpvctl.a

$(O)/libpvctl/%.o: libpvctl/%.c
	$(call say,CC,$<)mkdir -p $(@D) && $(CC) $(LIB_CFLAGS) -MMD -MP -c -o $@ $<

# For the daemon and the tests, which use internal layers too.
$(O)/libpvctl.a: $(LIB_OBJ)
	$(call say,AR,$@)rm -f $@ && ar rcs $@ $^

# The mock transport is for the tests, which link the archive.
LIB_SO_OBJ := $(patsubst %/libxml2.o,%/libxml2-so.o,$(filter-out %/mock.o %/mock_hv.o %/mock_pvh.o %/mock_services.o,$(LIB_OBJ)))
$(O)/libpvctl/src/xml/libxml2-so.o: libpvctl/src/xml/libxml2.c
	$(call say,CC,$@)mkdir -p $(@D) && $(CC) $(LIB_CFLAGS) -DLIBXML2_SO='"$(or $(LIBXML2_SO),$(error the name in libxml2.so cannot be read))"' -MMD -MP -c -o $@ $<
$(LIB_SO): $(LIB_SO_OBJ) libpvctl/libpvctl.map
	$(call say,LD,$@)$(CC) -shared $(EXTRA_LDFLAGS) -Wl,-soname,libpvctl.so.0 -Wl,--version-script=libpvctl/libpvctl.map \
		-Wl,-z,now -Wl,--no-undefined -o $@ $(LIB_SO_OBJ) $(LIB_SO_LIBS) && ln -sfn libpvctl.so.0 $(O)/libpvctl.so
lib: $(LIB_SO) $(O)/libpvctl.a
.PHONY: lib

# Yajl's archive has a name of its own.
PC_YAJL := $(if $(filter /%,$(shell $(CC) -print-file-name=libyajl_s.a)),-lyajl_s,-lyajl)
# pkg-config's file, for a prefix, a directory of libraries and one of headers.
pc = sed -e 's|@PREFIX@|$(1)|' -e 's|@LIBDIR@|$(2)|' -e 's|@INCLUDEDIR@|$(3)|' -e 's|@VERSION@|$(VERSION)|' -e 's|@YAJL@|$(PC_YAJL)|' libpvctl/libpvctl.pc.in
