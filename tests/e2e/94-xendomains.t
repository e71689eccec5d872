#!/bin/bash
# SPDX-License-Identifier: MIT
# Debian's own scripts around xl, unmodified but for where they look: xen-init-list, xen-init-name and the xendomains that calls them.
. "$(dirname "$0")/lib.sh"

# The package is not installed, as it would be Xen's: its four scripts are taken out.
P=$O/cache/xendomains
fetch() {
	[ ! -x "$P/xendomains" ] || return 0
	(cd "$W" && apt-get download xen-utils-common && dpkg-deb -x xen-utils-common_*.deb x) >"$W/apt.log" 2>&1 && mkdir -p "$P" &&
		cp "$W"/x/usr/lib/xen-common/bin/xen-init-{list,name} "$W/x/usr/sbin/xen" "$W/x/etc/init.d/xendomains" "$P"
}
fetch || { skip "xen-init-list, xen-init-name, xendomains" "package xen-utils-common cannot be had: $(tail -n 1 "$W/apt.log")"; done_testing; }

mkdir "$W/bin" "$W/auto"
ln -s "$PVCTL" "$W/bin/xl"
cp "$P/xen" "$W/bin/xen"
export PATH=$W/bin:$PATH
# What is Debian's init system's, and what Xen's Linux has in /proc.
{
	printf '%s\n' '#!/bin/bash' 'log_action_begin_msg() { echo "$*"; }' 'log_action_msg() { echo "$*"; }' 'log_action_cont_msg() { :; }' \
		'log_action_end_msg() { echo "end $*"; }'
	sed -e '/^\. \/lib\//d' -e "s|/usr/lib/xen-common/bin|$P|" -e 's|/proc/xen/privcmd|/dev/null|' -e "s|/etc/default/xendomains|$W/default|g" "$P/xendomains"
} >"$W/xendomains"
printf '%s\n' "XENDOMAINS_SAVE=$W/save" 'XENDOMAINS_RESTORE=true' "XENDOMAINS_AUTO=$W/auto" 'XENDOMAINS_STOP_MAXWAIT=60' >"$W/default"
printf '%s\n' 'name="self"' "kernel=\"$O/guests/save-self.elf\"" 'memory=8' 'cmdline="asked rounds=4"' >"$W/auto/10-first"
domains() { python3 "$P/xen-init-list"; }
xendomains() { bash "$W/xendomains" "$1" >"$W/out" 2>&1; local rc=$?; cat "$W/out"; [ $rc = 0 ] && ! grep '^end [1-9]' "$W/out"; }

t "node start" pvctl node start --memory 512
t "xen-init-list of a node without domains" [ "$(domains)" = "" ]
t "xen-init-name" [ "$(python3 "$P/xen-init-name" "$W/auto/10-first")" = self ]
t "xendomains start" xendomains start
t "xen-init-list has it" [ "$(domains)" = "$(pvctl domid self) self" ]
t "it runs" eventually 20 console_has self 'READY 1'
t "xendomains start again" eval "xendomains start && grep -q 'self already running' '$W/out'"
t "xendomains stop" xendomains stop
t "it is gone, and saved" eval "[ -z \"\$(domains)\" ] && [ -s '$W/save/self' ]"
t "xendomains start" xendomains start
t "it goes on, and is not started anew" eval "eventually 20 console_has self 'BACK 1 elsewhere' && [ ! -e '$W/save/self' ] && [ \$(domains | wc -l) = 1 ]"
sed -i 's/^XENDOMAINS_SAVE.*/XENDOMAINS_SAVE=/' "$W/default"
printf '%s\n' 'name="quick"' "kernel=\"$O/guests/shutdown.elf\"" 'memory=4' 'cmdline="reason=0"' >"$W/auto/20-second"
t "a list with one that ends by itself" eval "xendomains start && eventually 20 eval '! pvctl domid quick'"
done_testing
