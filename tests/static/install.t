#!/bin/bash
# SPDX-License-Identifier: MIT
# make install into a directory of its own: what is there works from there, and make uninstall leaves nothing.
. "$(dirname "$0")/lib.sh"
T=$(mktemp -d "${TMPDIR:-/tmp}/pvctl-install.XXXXXX")
P=/opt/pv root=$T/root
unset PVCTL_LIBEXEC_DIR LD_LIBRARY_PATH PVCTL_NODE
pvctl() { "$root$P/bin/pvctl" "$@"; }
cleanup() {
	PVCTL_RUN_DIR=$T/run PVCTL_STATE_DIR=$T/state pvctl node stop --force >/dev/null 2>&1
	rm -rf "$T"
}
trap cleanup EXIT

t "make install" make --no-print-directory O="$O" PREFIX=$P DESTDIR="$root" install
# Without it the rest says nothing more.
[ $bad -eq 0 ] || { echo "1..$n"; exit 1; }
for f in bin/pvctl libexec/pvctl/pvctld libexec/pvctl/xen-like-hv.elf libexec/pvctl/pvctl-bootloader \
	libexec/pvctl/pvctl-usernet libexec/pvctl/pvctl-jail libexec/pvctl/pvctl-jail.so libexec/pvctl/pvctl-p9 libexec/pvctl/pvctl-p9-jail.so lib/libpvctl.so.0 lib/libpvctl.so lib/libpvctl.a \
	include/libpvctl.h lib/pkgconfig/libpvctl.pc share/man/man1/pvctl.1 share/man/man5/pvctl.cfg.5 \
	share/bash-completion/completions/pvctl share/zsh/site-functions/_pvctl share/fish/vendor_completions.d/pvctl.fish share/doc/pvctl/examples/hello.cfg \
	lib/systemd/system/pvctl@.service lib/systemd/user/pvctl@.service share/doc/pvctl/examples/debian.cfg share/doc/pvctl/examples/supervisor.c; do
	[ -e "$root$P/$f" ] || { t "$f is installed" false; }
done
if command -v systemd-analyze >/dev/null; then
	# What it says of the programs' places is this directory's: they are not at their prefix.
	t "the unit is sound" eval "! SYSTEMD_UNIT_PATH='$root$P/lib/systemd/system:' systemd-analyze verify --man=no '$root$P/lib/systemd/system/pvctl@default.service' 2>&1 | grep pvctl | grep -v 'is not executable\|Failed to create'"
fi
t "the unit calls what is installed" eval "[ \$(grep -cE '^Exec(Start|Stop)=$P/bin/pvctl node' '$root$P/lib/systemd/system/pvctl@.service') -eq 2 ]"
t "no text names the build tree" eval "! grep -rlF '$PWD/' '$root' --include='*.pc' --include='*.[1358]' --include='*.h'"
cat >"$T/list.c" <<'C'
#include <libpvctl.h>
#include <stdio.h>
#include <string.h>

int main(void)
{
	struct pvctl_error err = { 0 };
	struct pvctl_config *c;
	char *text;

	if (pvctl_config_new(&c, &err) || pvctl_config_set_str(c, "name", "web1", &err) ||
	    pvctl_config_set_int(c, "memory", 256, &err) || pvctl_config_to_json(c, &text, &err)) {
		fprintf(stderr, "%s\n", err.msg);
		return 1;
	}
	printf("%s %s\n", pvctl_version(), text);
	pvctl_free(text);
	pvctl_config_free(c);
	return 0;
}
C
export PKG_CONFIG_PATH=$root$P/lib/pkgconfig PKG_CONFIG_SYSROOT_DIR=$root
if command -v pkg-config >/dev/null; then
	# shellcheck disable=SC2046
	t "a program builds with pkg-config" ${CC:-gcc} -Wall -Wextra -Werror -o "$T/list" "$T/list.c" $(pkg-config --cflags --libs libpvctl)
	t "and runs" eval "LD_LIBRARY_PATH='$root$P/lib' '$T/list' | grep -q '\"memory\":256'"
	# shellcheck disable=SC2046
	t "and links the archive" ${CC:-gcc} -o "$T/static" "$T/list.c" $(pkg-config --cflags libpvctl) "$root$P/lib/libpvctl.a" \
		$(PKG_CONFIG_SYSROOT_DIR='' pkg-config --static --libs-only-l libpvctl | sed 's/-lpvctl//')
	t "and runs" "$T/static"
fi
t "pvctl version" eval "pvctl version | grep -q '^libpvctl '"
t "pvctl needs no library but the installed one" eval "ldd '$root$P/bin/pvctl' | grep -q '$root$P/.*libpvctl.so.0'"
export PVCTL_RUN_DIR=$T/run PVCTL_STATE_DIR=$T/state XDG_CACHE_HOME=$T/cache
t "the completion is sound" bash -n "$root$P/share/bash-completion/completions/pvctl"
if command -v qemu-system-x86_64 >/dev/null; then
	t "a node starts from there" pvctl node start --memory 64
	t "with the installed daemon" eval "pvctl node info --json | python3 -c 'import json,sys,os; d=json.load(sys.stdin)
n=d.get(\"nodes\",[d])[0] if isinstance(d,dict) else d[0]
print(os.readlink(\"/proc/%d/exe\" % n[\"pid\"]))' | grep -qF '$root$P/libexec/pvctl/pvctld'"
	t "and stops" pvctl node stop
	t "and leaves nothing" eval "[ -z \"\$(ls -A '$PVCTL_RUN_DIR')\" ]"
else
	skip "a node starts from there" "qemu-system-x86_64 is not installed"
fi
t "make uninstall" make --no-print-directory O="$O" PREFIX=$P DESTDIR="$root" uninstall
t "no file is left" eval "[ -z \"\$(find '$root' ! -type d)\" ]"
done_testing
