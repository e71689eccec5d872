# SPDX-License-Identifier: MIT
# For tests of domains that are copied while they write, sourced behind netlib.sh and lib.sh: a guest that writes block after block to its
# disk, each flushed before its number is told; each has its number in it.
block_guest() {
	net_guest
	cp "$O/demo/modules/xen-blkfront.ko" "$W/root/lib/modules/"
	cat >"$W/root/bin/load" <<-'END'
		#!/bin/sh
		insmod /lib/modules/xen-blkfront.ko
		until [ -b /dev/xvda ]; do sleep 0.1; done
		insmod /lib/modules/xen-netfront.ko 2>/dev/null
		i=0
		while :; do
			yes "block $i" | head -c 4096 >/tmp/b
			dd if=/tmp/b of=/dev/xvda bs=4k seek=$i conv=notrunc,fsync 2>/dev/null || echo "WRITE $i FAILS"
			echo "BLOCK $i mac $(cat /sys/class/net/eth0/address 2>/dev/null)"
			i=$((i + 1))
			sleep 0.05
		done
	END
	chmod 755 "$W/root/bin/load"
	pack_guest
}
is() { [ "$1" = "$2" ] || { echo "$1, not $2"; return 1; }; }
guest() { # NAME DISK [LINE...]: its config file
	local name=$1 disk=$2 f
	shift 2
	f=$(config "$name" "disk=['$disk']" "vif=['link=switch,bridge=lan']" "$@")
	sed -i "s|^cmdline=.*|cmdline=\"console=hvc0 quiet run=sh+/bin/load\"|; s|^ramdisk=.*|ramdisk=\"$W/initrd.gz\"|" "$f"
	echo "$f"
}
last() { console_log "$1" 2>/dev/null | tr -d '\r' | grep -aoE 'BLOCK [0-9]+ ' | tail -n 1 | cut -d' ' -f2; }
first() { console_log "$1" 2>/dev/null | tr -d '\r' | grep -aoE 'BLOCK [0-9]+ ' | head -n 1 | cut -d' ' -f2; }
beyond() { [ "$(last "$1")" -gt "$2" ]; }
goes_on() { eventually 60 beyond "$1" $(($(last "$1") + 5)); }
target() { pvctl block-list "$1" --json | python3 -c 'import json,sys; print(json.load(sys.stdin)["disks"][0]["target"])'; }
node() { pvctl store read "/local/domain/$(pvctl domid "$1")/$2"; }
# What a disk has, also while it is used: a raw one is locked, but can be read.
contents() { # IMAGE FORMAT TO
	if [ "$2" = raw ]; then cp --sparse=always "$1" "$3"; else qemu-img convert -U -f "$2" -O raw "$1" "$3"; fi
}
# Each block that the domain told of is on its disk.
whole() { # IMAGE FORMAT UP-TO
	contents "$1" "$2" "$W/whole.img" && python3 - "$W/whole.img" "$3" <<'END'
import sys
d = open(sys.argv[1], 'rb').read()
n = int(sys.argv[2])
assert n > 0
for i in range(n + 1):
    want = (b'block %d\n' % i * 4096)[:4096]
    assert d[i * 4096:(i + 1) * 4096] == want, (i, d[i * 4096:i * 4096 + 20])
END
}
# How many there are, beginning with the first.
blocks_on() { # IMAGE FORMAT
	contents "$1" "$2" "$W/count.img" && python3 - "$W/count.img" <<'END'
import sys
d = open(sys.argv[1], 'rb').read()
n = 0
while d[n * 4096:(n + 1) * 4096] == (b'block %d\n' % n * 4096)[:4096]:
    n += 1
print(n)
END
}
no_write_fails() { local n; for n; do ! console_has "$n" 'WRITE .* FAILS' || return 1; done; }

# ---- of snapshots ----
SNAPSHOTS=$PVCTL_STATE_DIR/default/snapshots
field() { python3 -c 'import json,sys; d=json.load(sys.stdin); print(eval(sys.argv[1]))' "$1"; }
# What the snapshot's disk has: FILE FORMAT of it
file_of() { pvctl snapshot info --json "$1" "$2" | field 'd["disks"][0]["file"]'; }
format_of() { pvctl snapshot info --json "$1" "$2" | field 'd["disks"][0]["format"]'; }
told() { console_log "$1" | tr -d '\r' | grep -aoE 'BLOCK [0-9]+ ' | cut -d' ' -f2; }
# Back to an earlier moment: behind LINES-BEFORE a number is told that is no more than the one in front of it.
turned() { told "$1" | tail -n "+$2" | awk 'NR > 1 && $1 <= last && $1 > 0 { found = 1 } { last = $1 } END { exit !found }'; }
went_back() { eventually 60 turned "$1" "$2"; } # NAME LINES-BEFORE
lines() { told "$1" | wc -l; }
snapshots() { pvctl snapshot list "$1" --json | field '" ".join(x["name"] for x in d["snapshots"])'; }
