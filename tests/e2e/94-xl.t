#!/bin/bash
# SPDX-License-Identifier: MIT
# What is there for who knows xl, and what is not, by name; the list in other forms.
. "$(dirname "$0")/lib.sh"
ln -s "$PVCTL" "$W/xl"
xl() { "$W/xl" "$@"; }

t "node start" pvctl node start --memory 512
t "create" pvctl create -q -p "$(config web 'memory=72' 'on_crash="preserve"')"
web=$(pvctl domid web)
t "list --format csv" [ "$(pvctl list --format csv -o name,id,state,reason,mem,vcpus web)" = "name,id,state,reason,mem,vcpus
web,$web,paused,,72,1" ]
t "its usual columns" eval "pvctl list --format csv | head -n 1 | grep -qx name,id,mem,vcpus,state,time"
t "list -o" eval "pvctl list -o id,name web | grep -qxE '   *$web web'"
t "list --format json is --json" eval "diff <(pvctl list --format json web) <(pvctl list --json web)"
t "list --format table is list" eval "diff <(pvctl list --format table) <(pvctl list)"
refused "no such format" 2 'none of table, json, csv' pvctl list --format xml
refused "no such column" 2 'none of name, id' pvctl list -o name,colour
t "list -c is xl's: the pool" eval "pvctl list -c web | grep -q 'Pool-0\$'"
t "but before columns" eval "diff <(pvctl list -c id,name web) <(pvctl list -o id,name web) && diff <(pvctl list web -c name,state,mem) <(pvctl list -o name,state,mem web)"
refused "which must be there" 2 'none of name, id' pvctl list -c name,colour

t "cpupool-list" eval "xl cpupool-list | grep -qE '^Pool-0 {13} +[0-9]+ +credit2? +y +2\$'"
t "cpupool-list -c" eval "xl cpupool-list -c | grep -qE '^Pool-0 {13}0(,[0-9]+)*\$'"
t "cpupool-list --json" eval "pvctl cpupool-list --json | grep -q '\"schema\": 1'"
t "config-update" xl config-update web "$(config web 'memory=80' 'on_crash="preserve"')"
t "holds for its next start" eval "pvctl list -l web | grep -q '\"memory\": 80' && pvctl list web | grep -qE ' 72 +1 '"
t "its name stays" eval "xl config-update web '$(config other 'memory=80')' && [ \$(pvctl domid web) = $web ] && pvctl list -l web | grep -q '\"name\": \"web\"'"
refused "a broken one is not taken" 1 'kernel' pvctl config-update web "$(config web)" kernel=/nonexistent

# Every command of xl's is one of ours, or is refused by name, with the reason.
for c in create list destroy shutdown reboot pause unpause console info domid domname help vm-list rename save restore migrate \
	migrate-receive suspend resume dump-core mem-set mem-max vcpu-set vcpu-list vcpu-pin uptime top dmesg block-attach block-detach \
	block-list network-attach network-detach network-list channel-list sysrq config-update claims vncviewer debug-keys set-parameters \
	sched-credit sched-credit2 sched-rtds cpupool-create cpupool-list cpupool-destroy cpupool-rename cpupool-cpu-add cpupool-cpu-remove \
	cpupool-migrate cpupool-numa-split vkb-attach vkb-list vkb-detach vdispl-attach vdispl-list vdispl-detach vsnd-attach vsnd-list \
	vsnd-detach vtpm-attach vtpm-list vtpm-detach usbctrl-attach usbctrl-detach usbdev-attach usbdev-detach usb-list pci-attach \
	pci-detach pci-list pci-assignable-add pci-assignable-remove pci-assignable-list qemu-monitor-command devd xenstore-quota-get \
	xenstore-quota-set trigger button-press cd-insert cd-eject sharing remus getenforce setenforce loadpolicy psr-hwinfo \
	psr-cmt-attach psr-cmt-detach psr-cmt-show psr-cat-set psr-cat-show psr-mba-set psr-mba-show dt-overlay; do
	pvctl "$c" --help >/dev/null 2>"$W/err" && continue
	[ $? -eq 1 ] && head -n 1 "$W/err" | grep -qx 'command not implemented' && grep -qE "^there is no $c: .{10}" "$W/err" || { say "$c"; missing+=" $c"; }
done
t "each command of xl's is there, or is refused by name with a reason" [ -z "$missing" ]
# Each option of each command that is there: "-x" alone, "-x:VALUE" with a value. What follows "!" is refused, with that word.
xl_options() { cat <<'L'
create -h -p --paused -c -F -e -q --quiet -d -n --dryrun -f:x.cfg --defconfig=x.cfg -V --vncviewer -A --vncviewer-autopass --ignore-global-affinity-masks
config-update -h -d -q -f:x.cfg --defconfig=x.cfg
list -l --long -v --verbose -Z --context -c --cpupool -n --numa
destroy -f
shutdown -a --all -w --wait -F
reboot -a --all -w --wait -F
console -t:pv -n:0 --type=pv --num=0
save -c -p -D
restore -p -e -d -F -V --vncviewer -A --vncviewer-autopass
migrate -s:ssh -C:x.cfg -e -p -D --debug --live
migrate-receive -e -d -p -D --debug --live
vcpu-pin -f --force
vcpu-set -i --ignore-host
uptime -s --short
dmesg -c --clear
info -n --numa
block-detach --force
network-detach --force
sched-credit -d:web --domain=web -w:256 --weight=256 -c:0 --cap=0 -s --schedparam -p:Pool-0 --cpupool=Pool-0 -t:1!slice -r:1!rates
sched-credit2 -d:web --domain=web -w:256 --weight=256 -c:0 --cap=0 -s --schedparam -p:Pool-0 --cpupool=Pool-0 -r:1!rates
cpupool-list -c --cpus
top -h
help --long
L
}
option() { # COMMAND OPTION
	local o=${2%%!*} out
	case $o in
	--*) set -- "$1" "$2" "$o" ;;
	*:*) set -- "$1" "$2" "${o%%:*}" "${o#*:}" ;;
	*) set -- "$1" "$2" "$o" ;;
	esac
	case $2 in
	*!*) out=$(xl "$1" "${@:3}" 2>&1) && return 1; printf '%s' "$out" | grep -q -- "${2#*!}" ;;
	*) out=$(xl "$1" "${@:3}" --help 2>&1) && printf '%s' "$out" | grep -q '^Usage: ' ;;
	esac
}
options() {
	local c list o bad=
	while read -r c list; do
		for o in $list; do option "$c" "$o" || bad+=" $c:$o"; done
	done < <(xl_options)
	[ -z "$bad" ] || { echo "$bad"; return 1; }
}
t "each option of these is taken, or refused with a reason" options
t "sched-credit -s is the pool's line alone" eval "xl sched-credit -s | grep -qx 'Cpupool Pool-0: tslice=[0-9]*ms ratelimit=[0-9]*us migration-delay=[0-9]*us'"
# xl's dry runs of attaching say what would be attached, as JSON behind a word.
dry() { # WORD PYTHON-CONDITION COMMAND...
	local word=$1 condition=$2 out
	shift 2
	out=$(xl -N "$@" 2>"$W/err") && [ ! -s "$W/err" ] || { cat "$W/err"; return 1; }
	[ "${out%%"{"*}" = "$word" ] || { printf '%s\n' "$out"; return 1; }
	printf '%s' "${out#"$word"}" | python3 -c "import json, sys
d = json.load(sys.stdin)
assert $condition, d"
}
t "-N block-attach" dry 'disk: ' '(d["pdev_path"], d["vdev"], d["format"], d.get("readwrite")) == ("/no/such", "xvdb", "raw", None)' block-attach web phy:/no/such xvdb r
t "-N network-attach" dry 'vif: ' '(d["mac"], d["bridge"]) == ("00:16:3e:00:00:01", "lan")' network-attach web mac=00:16:3e:00:00:01 bridge=lan
t "-N config-update" dry '' 'd["b_info"]["target_memkb"] == 96 << 10' config-update web "$(config later 'memory=96')"
t "none of them did it" eval "xl block-list web | tail -n +2 | wc -l | grep -qx 0 && xl network-list web | tail -n +2 | wc -l | grep -qx 0 && ! pvctl list -l web | grep -q '\"memory\": 96'"
refused "-N of a device that cannot be" 1 'no vdev' xl -N block-attach web /no/such
refused "-N of no domain" 1 'none is an invalid domain identifier \(rc=-6\)' xl -N network-attach none
t "-N of what cannot is an error" eval "! xl -N destroy web 2>'$W/err' && grep -qx 'command does not implement -N (dryrun) option' '$W/err'"

# What others parse, character by character, from the numbers of --json.
cat >"$W/formats.py" <<'P'
import json, subprocess, sys
xl, ctl = sys.argv[1:3]
def run(*a): return subprocess.run(a, capture_output=True, text=True, check=True).stdout
def rows(*a): return json.loads(run(ctl, *a, "--json"))
def same(got, want, what):
    if got != want:
        print(what, *("got  " + repr(g) + "\nwant " + repr(w) for g, w in zip(got.split("\n"), want.split("\n")) if g != w), sep="\n")
        sys.exit(1)
def name(d): return d["name"] or "(null)"
# CPU times of what does not run stay; domain 0 is none of these.
d = [x for x in rows("list")["domains"] if x["domid"]]
assert d and all(x["paused"] or x["state"] == "shutdown" for x in d)
def letters(x):
    why = {None: "-", "poweroff": "-", "reboot": "r", "suspend": "s", "crash": "c", "watchdog": "w", "soft-reset": "S"}[x["reason"]]
    return ("r" if x["state"] == "running" else "-") + ("b" if x["state"] == "blocked" else "-") + ("p" if x["paused"] else "-") + \
        ("s" if x["state"] == "shutdown" else "-") + why + ("d" if x["state"] == "dying" else "-")
def row(x):
    return "%-40s %5d %5d %5d     %s  %8.1f" % (name(x), x["domid"], (x["memory_bytes"] + x["outstanding_bytes"]) >> 20, x["vcpus_online"], letters(x), x["cpu_ns"] / 1e9)
head = "Name                                        ID   Mem VCPUs\tState\tTime(s)"
def own(text): return "\n".join([text.split("\n")[0]] + [l for l in text.split("\n")[1:] if not l.startswith("Domain-0 ")])
same(own(run(xl, "list")), "\n".join([head] + [row(x) for x in d]) + "\n", "list")
one = d[0]
same(run(xl, "list", name(one)), head + "\n" + row(one) + "\n", "list of one")
same(run(xl, "list", "-c", name(one)), head + "         Cpupool\n" + row(one) + "%16s\n" % "Pool-0", "list -c")
same(own(run(xl, "vm-list")).split("\n", 1)[0], "UUID                                  ID    name", "vm-list")
for x in d:
    assert "%s  %d    %-30s" % (x["uuid"], x["domid"], name(x)) in run(xl, "vm-list").split("\n"), "vm-list"
    same(run(xl, "domid", name(x)), "%d\n" % x["domid"], "domid")
    same(run(xl, "domname", str(x["domid"])), name(x) + "\n", "domname")
v = rows("vcpu-list", name(one))["vcpus"]
def vcpu(x):
    w = ("%5d   %s%s-" % (x["cpu"], "r" if x["running"] else "-", "b" if x["blocked"] else "-")) if x["online"] else "%5s   --p" % "-"
    return "%-32s %5d %5d %s %9.1f %s / %s" % (x["name"], x["domid"], x["vcpu"], w, x["cpu_ns"] / 1e9, x["hard_affinity"], x["soft_affinity"])
same(run(xl, "vcpu-list", name(one)), "%-32s %5s %5s %5s %5s %9s %s\n" % ("Name", "ID", "VCPU", "CPU", "State", "Time(s)", "Affinity (Hard / Soft)") +
     "".join(vcpu(x) + "\n" for x in v), "vcpu-list")
same(run(xl, "list", "-Z", name(one)), head + "   Security Label\n" + row(one) + " %16s\n" % "-", "list -Z")
b = rows("block-list", "disks")["disks"]
assert len(b) == 1 and b[0]["event_channel"] is None, b
same(run(xl, "block-list", "disks"), "%-5s %-3s %-6s %-5s %-6s %-8s %-30s\n" % ("Vdev", "BE", "handle", "state", "evt-ch", "ring-ref", "BE-path") +
     "".join("%-5d %-3d %-6d %-5d %-6d %-8d %-30s\n" % (x["vdev"], 0, x["domid"], x["state"], -1 if x["event_channel"] is None else x["event_channel"],
             -1 if x["ring_ref"] is None else x["ring_ref"], x["backend_path"]) for x in b), "block-list")
n = rows("network-list", "disks")["vifs"]
def number(x): return -1 if x is None else x
assert len(n) == 1 and n[0]["tx_ring_ref"] is None, n
same(run(xl, "network-list", "disks"), "Idx BE Mac Addr.         handle state evt-ch   tx-/rx-ring-ref BE-path                       \n" +
     "".join("%-3d %-2d %-17s %-6d %-5d %-6d %5d/%-11d %-30s\n" % (x["devid"], 0, x["mac"], x["devid"], x["state"], number(x["tx_event_channel"]),
             number(x["tx_ring_ref"]), number(x["rx_ring_ref"]), x["backend_path"]) for x in n), "network-list")
s = [x for x in rows("sched-credit2")["domains"]]
text = run(xl, "sched-credit2").split("\n")
assert text[0].startswith("Cpupool Pool-0: ") and text[1] == "%-33s %4s %6s %4s" % ("Name", "ID", "Weight", "Cap"), text
same("\n".join(text[2:]), "".join("%-33s %4d %6d %4d\n" % (name(x), x["domid"], x["weight"], x["cap"]) for x in s), "sched-credit2")
same(run(xl, "uptime").split("\n")[0], "%-33s %4s %s" % ("Name", "ID", "Uptime"), "uptime")
i = run(xl, "info").rstrip("\n").split("\n")
assert all(len(l) >= 25 and l[23:25] == ": " for l in i), [l for l in i if l[23:25] != ": "]
for k in "host release version machine nr_cpus max_cpu_id nr_nodes cores_per_socket threads_per_core cpu_mhz hw_caps virt_caps total_memory " \
    "free_memory sharing_freed_memory sharing_used_memory outstanding_claims free_cpus xen_major xen_minor xen_extra xen_version xen_caps " \
    "xen_scheduler xen_pagesize platform_params xen_changeset xen_commandline cc_compiler cc_compile_by cc_compile_domain cc_compile_date " \
    "build_id xend_config_format".split():
    assert any(l[:23].rstrip() == k for l in i), k
same(run(xl, "info", "xen_major"), [l for l in i if l.startswith("xen_major ")][0][25:] + "\n", "info FIELD")
l = json.loads(run(xl, "list", "-l", name(one)))
assert l[0]["domid"] == one["domid"] and l[0]["config"]["c_info"]["name"] == name(one) and l[0]["config"]["b_info"]["max_memkb"], "list -l"
P
truncate -s 1M "$W/disk.img"
t "create" xl create -q -p "$(config disks 'memory=72' 'vcpus=1' 'maxvcpus=2' "disk=[\"$W/disk.img,raw,xvda,rw\"]" 'vif=["link=user"]')"
t "what others parse is as xl prints it" python3 "$W/formats.py" "$W/xl" "$PVCTL"

# As quiet as xl.
says() { # OUT ERR COMMAND...: what it prints, exactly
	local out err want_out=$1 want_err=$2
	shift 2
	out=$("$@" 2>"$W/err")
	err=$(cat "$W/err")
	[ "$out" = "$want_out" ] && [ "$err" = "$want_err" ] || { printf 'stdout: %s\nstderr: %s\n' "$out" "$err"; return 1; }
}
f=$(config quiet 'memory=72')
t "create says what it parses" says '' "Parsing config from $f" xl create -p "$f"
quiet=$(pvctl domid quiet)
for c in "unpause quiet" "pause quiet" "rename quiet silent" "rename silent quiet" "mem-max quiet 72" "vcpu-pin quiet all all" "vcpu-pin quiet 0 - 0" \
	"sched-credit2 -d quiet -w 300" "sched-credit -d quiet -c 50" "block-attach quiet $W/other.img,raw,xvdb,r" "block-detach --force quiet xvdb" \
	"sysrq quiet h" "config-update quiet $f" "debug-keys h" "dump-core quiet $W/quiet.core" "set-parameters guest_lines=200" \
	"xenstore-quota-set quiet nodes=900" "destroy quiet"; do
	[ "${c%%-*}" = block ] && truncate -s 1M "$W/other.img"
	# shellcheck disable=SC2086
	t "${c%% *}: not a word" says '' '' xl $c
done
t "limits: the figure for grants, and others" eval "pvctl limits web | grep -qxE 'grant-table-pages +64 +[0-9]+' && pvctl limits web | grep -qxE 'memory-mib +72 +72' && pvctl limits web | grep -qxE 'store-watches +128 +[0-9]+'"
t "xenstore-quota-get" eval "xl xenstore-quota-get web nodes | grep -qxE 'nodes +1000 +1000 +[0-9]+'"
t "of all" eval "[ \$(xl xenstore-quota-get web | wc -l) -eq 11 ]"
t "a quota that was set" eval "xl xenstore-quota-set web nodes=50 watches=4 && xl xenstore-quota-get web nodes | grep -q ' 50 ' && xl xenstore-quota-get web watches | grep -q ' 4 '"
t "0 is the default" eval "xl xenstore-quota-set web nodes=0 && xl xenstore-quota-get web nodes | grep -q '1000 *1000'"
refused "too much" 1 '4 times' xl xenstore-quota-set web nodes=5000
refused "no such quota" 1 'cannot be set' xl xenstore-quota-set web colour=5
refused "none to show" 1 'no quota colour' xl xenstore-quota-get web colour
refused "no number" 2 'QUOTA=NUMBER' xl xenstore-quota-set web nodes=many
refused "of the host" 1 'domain 0' xl xenstore-quota-get 0
t "keys of the clock, of quotas, and against moving" xl create -q -p "$(config keys 'memory=72' 'xenstore_quota=["nodes=50", "watches=7"]' 'rtc_timeoffset=31536000' 'nomigrate=1')"
t "its quotas" eval "xl xenstore-quota-get keys nodes | grep -q ' 50 ' && xl xenstore-quota-get keys watches | grep -q ' 7 '"
clock() { # SECONDS-AHEAD: what its shared page has as the time of its start, of a core
	pvctl dump-core keys "$W/keys.core" && python3 - "$W/keys.core" "$1" <<'P'
import struct, sys, time
m = open(sys.argv[1], "rb").read()
off, (n, names) = struct.unpack_from("<Q", m, 40)[0], struct.unpack_from("<HH", m, 60)
s = [struct.unpack_from("<IIQQQQIIQQ", m, off + i * 64) for i in range(n)]
at = [x[4] for x in s if m[s[names][4] + x[0]:].startswith(b".xen_shared_info\0")][0]
ahead = struct.unpack_from("<I", m, at + 3076)[0] - time.time() - int(sys.argv[2])
assert abs(ahead) < 3600, ahead
P
}
t "its clock is a year ahead" clock 31536000
t "unpause" xl unpause keys
refused "it is not saved" 1 'nomigrate=1' xl save keys "$W/keys.save"
refused "nor moved" 1 'nomigrate=1' xl migrate -s '' keys "$PVCTL migrate-receive"
refused "nor copied" 1 'nomigrate=1' pvctl clone keys other
t "destroy" xl destroy keys
refused "a quota that there is not" 6 'store quota "colour"' xl create -q -p "$(config keys 'memory=72' 'xenstore_quota=["colour=5"]')"
refused "no quota at all" '*' 'QUOTA=NUMBER' xl create -q -p "$(config keys 'memory=72' 'xenstore_quota=["many"]')"
t "nothing is left of them" eval "! pvctl domid keys"
t "localtime" eval "TZ=UTC-5 xl create -q -p '$(config keys 'memory=72' 'localtime=1')' && clock 18000"
t "set-parameters, several in a word" xl set-parameters "serial=1 guest_lines=100" serial=0
refused "one that there is not" 1 'no parameter "colour"' xl set-parameters colour=1
refused "a value that it cannot have" 1 'serial' xl set-parameters serial=2
refused "no number" 2 'NAME=NUMBER' xl set-parameters serial
refused "qemu-monitor-command" 1 'there is no qemu-monitor-command: no domain has a QEMU' xl qemu-monitor-command web info
refused "which is no success" 1 'there is no pci-attach: a node has no host devices' xl pci-attach web 00:01.0

# What Ganeti runs. The other names that pvctl has are links to it, too.
ln -s "$PVCTL" "$W/xentop"
t "xentop" eval "'$W/xentop' -f -b -i 1 | awk 'NR == 1 && (\$1 != \"NAME\" || \$3 != \"CPU(sec)\") { exit 1 } \$1 == \"web\" { n++ } END { exit n != 1 }'"
refused "xentop starts no node" 1 'does not run' env PVCTL_RUN_DIR="$W/none" "$W/xentop" -f -b -i 1
fact() { pvctl node info | sed -nE "s/^($1) +: //p" | tr '\n' ' '; }
qemu=$(fact qemu_pid) size=$(fact 'cpus|memory')
t "debug R, which is short for debug-keys" xl debug R
t "is a reset: no domain is left" eval "! pvctl domid web 2>/dev/null"
t "of another hypervisor" [ "$(fact qemu_pid)" != "$qemu" ]
t "as large" [ "$(fact 'cpus|memory')" = "$size" ]
t "node stop" pvctl node stop --force
done_testing
