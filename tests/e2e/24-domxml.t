#!/bin/bash
# SPDX-License-Identifier: MIT
# libvirt's XML, read and written: tests/domxml/NAME.xml makes NAME.cfg, and that NAME.out.xml; bad-NAME.xml is refused and says NAME.says.
# No node is needed.
. "$(dirname "$0")/lib.sh"
D=tests/domxml
for cfg in "$D"/*.cfg; do
	f=${cfg%.cfg}
	t "$(basename "$f"): to a config" eval "diff '$cfg' <(pvctl domxml-to-native '$f.xml' 2>/dev/null)"
	t "and back to XML" eval "diff '$f.out.xml' <(pvctl domxml-from-native '$cfg')"
	t "which is the same config" eval "diff '$cfg' <(pvctl domxml-to-native '$f.out.xml')"
	t "and config convert has it, too" eval "diff '$cfg' <(pvctl config convert --to cfg '$f.xml' 2>/dev/null) && diff '$f.out.xml' <(pvctl config convert --to xml '$cfg')"
done
for bad in "$D"/bad-*.xml; do
	says=$(sed 's/[][\\.*^$(){}?+|]/\\&/g' "${bad%.xml}.says")
	refused "$(basename "$bad" .xml)" 1 "$says" pvctl domxml-to-native "$bad"
done
t "what is not known is named" eval "[ \$(pvctl domxml-to-native '$D/bootloader.xml' 2>&1 >/dev/null | grep -c 'warning: <\(video\|input\)> in <devices> is not known') -eq 2 ]"
t "what has no word there is named" eval "pvctl domxml-from-native '$(config other 'cap=50')' 2>&1 >/dev/null | grep -q 'warning: cap: '"
head -c 1048577 /dev/zero | tr '\0' ' ' >"$W/long.xml"
refused "more than 1 MiB" 1 '1 MiB' pvctl domxml-to-native "$W/long.xml"
head -c 1000 /dev/urandom >"$W/noise.xml"
refused "noise" 1 '.' pvctl domxml-to-native "$W/noise.xml"
if command -v strace >/dev/null; then
	t "nothing is opened but the file" eval "! strace -f -e trace=openat,socket,connect '$PVCTL' domxml-to-native '$D/bad-doctype.xml' 2>&1 | grep -E 'passwd|socket'"
else
	skip "nothing is opened but the file" "no strace"
fi
done_testing
