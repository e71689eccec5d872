#!/bin/bash
# SPDX-License-Identifier: MIT
# Man pages name every command, option, key and library call; what is public is what the map says.
. "$(dirname "$0")/lib.sh"
exported() { nm -D --defined-only "$O/libpvctl.so.0" | sed -n 's/.* [TB] \(pvctl_[a-z_]*\).*/\1/p' | sort; }
declared() { grep -oE 'pvctl_[a-z_]+\(' libpvctl/include/libpvctl.h | tr -d '(' | sort -u; }
same() { diff <(exported) <(declared); }
header_alone() { # each of the hypervisor's headers compiles by itself
	local h rc=0
	for h in xen-like-hv/*/*.h; do
		case $h in */asm_offsets.h) continue ;; esac
		echo "#include \"${h#xen-like-hv/}\"" | ${CC:-gcc} -std=gnu11 -ffreestanding -nostdinc -isystem "$(${CC:-gcc} -print-file-name=include)" \
			-isystem "$O/hvinc" -Ixen-like-hv -I"$O/xen-like-hv" -D__XEN_TOOLS__ -D__XEN_INTERFACE_VERSION__=0x00040e00 -fPIE \
			-mgeneral-regs-only -Wall -Werror -fsyntax-only -x c - || { echo "$h"; rc=1; }
	done
	return $rc
}
public() { echo '#include <libpvctl.h>' | "$@" -Ilibpvctl/include -pedantic -Wall -Wextra -Werror -fsyntax-only -; }
t "man pages" man/check.sh "$O/pvctl/pvctl" "$O/san/tests/cfgdump"
t "libpvctl.so exports what libpvctl.h declares" same
t "headers of the hypervisor stand alone" header_alone
for std in c99 c11 c17; do t "libpvctl.h is $std" public ${CC:-gcc} -std=$std -x c; done
if command -v g++ >/dev/null; then
	for std in c++11 c++14 c++17 c++20; do t "libpvctl.h is $std" public g++ -std=$std -x c++; done
fi
t "pvctl and config include nothing of the library's inside" eval '! grep -rnE "#include \"(libpvctl/src|pvctld|xen-like-hv)" pvctl config'
t "libpvctl includes nothing of the daemon's" eval '! grep -rnE "#include \"pvctld" libpvctl'
done_testing
