#!/bin/bash
# SPDX-License-Identifier: MIT
# Directories of the host in a stock Linux guest. Debian's cloud kernel has no 9p: this is the generic one.
. "$(dirname "$0")/lib.sh"

DIR=${P9_GUEST:-$O/demo/9p}
why=
[ -s "$DIR/vmlinuz" ] && [ -s "$DIR/modules/9pnet_xen.ko" ] || why="no kernel with 9p over Xen: make p9-guest"
command -v diod >/dev/null || [ -x /usr/sbin/diod ] || why="package diod is not installed"
[ -n "$why" ] || why=$("$O/pvctl-p9" --check "$W" 2>&1)
if [ -n "$why" ]; then
	skip "shared directories" "$why"
	done_testing
	exit
fi
KERNEL=$DIR/vmlinuz
mkdir -p "$W/root/lib/modules" "$W/a" "$W/b" "$W/secret"
cp "$DIR"/modules/*.ko "$W/root/lib/modules"
cat >"$W/root/load" <<'END'
#!/bin/sh
for m in netfs fscache 9pnet 9pnet_xen 9p; do [ -e /lib/modules/$m.ko ] && insmod /lib/modules/$m.ko; done
mkdir -p /a /b
for t in a b; do mount -t 9p -o trans=xen,version=9p2000.L,${1:-msize=65536} $t /$t; done
mount | grep -c 'type 9p'
END
chmod 755 "$W/root/load"
(cat "$RAMDISK"; cd "$W/root" && find . | cpio -o -H newc --quiet -R 0:0 | gzip -1) >"$W/initrd.gz"
RAMDISK=$W/initrd.gz
cat >"$W/guest.py" <<'END'
import os, subprocess, sys, time
pvctl, name, command, wait = sys.argv[1], sys.argv[2], sys.argv[3], float(sys.argv[4])
mark = "%d" % time.monotonic_ns()
p = subprocess.Popen([pvctl, "console", "--replay", "0", name], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
time.sleep(0.3)
p.stdin.write(('echo begin-"%s"; %s; echo end-"%s"\n' % (mark, command, mark)).encode())
p.stdin.flush()
os.set_blocking(p.stdout.fileno(), False)
got, until = "", time.time() + wait
while "end-" + mark not in got and time.time() < until:
    time.sleep(0.05)
    got += (p.stdout.read() or b"").decode(errors="replace").replace("\r", "")
p.kill()
lines = got.split("\n")
if "begin-" + mark in lines:
    for line in lines[lines.index("begin-" + mark) + 1:]:
        if line.startswith("end-" + mark): sys.exit(0)
        print(line)
sys.exit(1)
END
# guest NAME COMMAND: on its console, for at most WAIT seconds of a quiet machine; what it printed
guest() { python3 "$W/guest.py" "$PVCTL" "$1" "$2" "$((${WAIT:-60} * 6))"; }
# Those of this node, by the shared directory that is their mount; its name begins at the root of its file system.
jailed() { local p n=0; for p in $(pgrep -x diod); do grep -q "$W/[ab] /share " "/proc/$p/mountinfo" 2>/dev/null && n=$((n + 1)); done; [ $n -eq "$1" ]; }
pid_of_share() { local p; for p in $(pgrep -x diod); do grep -q "$W/$1 /share " "/proc/$p/mountinfo" 2>/dev/null && echo "$p"; done; }

echo "from the host" >"$W/a/hello"
echo "for nobody" >"$W/secret/key"
ln -s /etc/passwd "$W/a/passwd"
ln -s ../secret/key "$W/a/key"
ln -s "$W/secret" "$W/a/dir"
head -c 20M /dev/urandom >"$W/a/big"
echo "read only" >"$W/b/file"

refused "a directory that is not there" '*' 'No such file' pvctl create -q "$(config x "p9=[\"tag=a,path=$W/none,security_model=none\"]")"
refused "a file" '*' 'not a directory' pvctl create -q "$(config x "p9=[\"tag=a,path=$W/a/hello,security_model=none\"]")"
refused "another security model" '*' 'must be none' pvctl create -q "$(config x "p9=[\"tag=a,path=$W/a,security_model=mapped\"]")"
refused "a limit of xen_9pfsd" '*' 'not supported' pvctl create -q "$(config x "p9=[\"tag=a,path=$W/a,security_model=none,max-files=5\"]")"
refused "a tag twice" '*' 'two have the tag' pvctl create -q "$(config x "p9=[\"tag=a,path=$W/a,security_model=none\",\"tag=a,path=$W/b,security_model=none\"]")"
t "create with two shares" pvctl create -q "$(config p9 "p9=[\"tag=a,path=$W/a,security_model=none\",\"tag=b,path=$W/b,security_model=none,readonly=1\"]" 'on_reboot="restart"' 'memory=256')"
eventually 180 console_has p9 'guest-init: up' || not_ok "the guest is up"
t "no server before somebody mounts" jailed 0
t "both are mounted" [ "$(WAIT=30 guest p9 '/load')" = 2 ]
t "a server for each" jailed 2
pid=$(pid_of_share a)
t "which has no capabilities" grep -q '^CapEff:.*0000000000000000' "/proc/$pid/status"
t "a system call filter" grep -q '^Seccomp:.*2' "/proc/$pid/status"
t "and two mounts in its world" [ "$(wc -l <"/proc/$pid/mountinfo")" -eq 2 ]
t "the guest reads" [ "$(WAIT=10 guest p9 'cat /a/hello')" = "from the host" ]
WAIT=10 guest p9 'echo from the guest >/a/new; mkdir /a/d; mv /a/new /a/d/moved; sync' >/dev/null
t "the host sees what it wrote" grep -qx "from the guest" "$W/a/d/moved"
t "links out of the share show the guest's own files" eval "! WAIT=10 guest p9 'cat /a/passwd /a/key /a/dir/key' | grep -q 'root:x\|for nobody'"
t "nor is there anything above the share" eval "! WAIT=10 guest p9 'cat /a/../secret/key /a/../../etc/passwd; ls -a /a/..' | grep -q 'root:x\|for nobody'"
umount_above='umount /a; mount -t 9p -o trans=xen,version=9p2000.L,aname=/.. a /a && ls -A /a; umount /a; mount -t 9p -o trans=xen,version=9p2000.L,aname=/d a /a && cat /a/moved'
WAIT=15 guest p9 "$umount_above" >"$W/out"
t "nor by its name: of it, a directory below" grep -qx "from the guest" "$W/out"
t "and above it nothing of the host's" eval "! grep -qE 'secret|initrd|usr|proc' '$W/out'"
WAIT=10 guest p9 'umount /a; /load' >/dev/null
t "a read-only share cannot be written" eval "WAIT=10 guest p9 'echo x >/b/file; cat /b/file' | grep -q 'read only' && [ \"\$(cat $W/b/file)\" = 'read only' ]"
sum() { md5sum <"$1" | cut -d' ' -f1; }
t "20 MiB to the guest" [ "$(WAIT=120 guest p9 'md5sum </a/big')" = "$(sum "$W/a/big")  -" ]
WAIT=120 guest p9 'head -c 20971520 /dev/urandom >/a/back; md5sum </a/back >/a/back.sum; sync; echo done' >/dev/null
t "20 MiB from it" [ "$(sum "$W/a/back")  -" = "$(cat "$W/a/back.sum")" ]

kill -9 "$(pid_of_share a)"
t "the server killed: errors for the guest" eval "WAIT=20 guest p9 'cat /a/hello 2>&1' | grep -qiE 'i/o error|input/output'"
t "not for the other share" [ "$(WAIT=10 guest p9 'cat /b/file')" = "read only" ]
t "the daemon lives" pvctl list
t "mounted again it works" [ "$(WAIT=20 guest p9 'umount /a; mount -t 9p -o trans=xen,version=9p2000.L a /a; cat /a/hello')" = "from the host" ]
t "a thousand files" [ "$(WAIT=90 guest p9 'mkdir /a/many; i=0; while [ $i -lt 1000 ]; do echo $i >/a/many/$i; i=$((i+1)); done; ls /a/many | wc -l')" = 1000 ]

id=$(pvctl domid p9)
t "reboot" pvctl reboot p9
if eventually 180 eval "i=\$(pvctl domid p9) && [ \$i != $id ] && [ \$(console_log p9 | grep -c 'guest-init: up') -ge 2 ]"; then ok "it is up again"; else not_ok "it is up again"; fi
t "without servers of before" jailed 0
t "mounted after it" [ "$(WAIT=40 guest p9 '/load >/dev/null; cat /a/hello')" = "from the host" ]
WAIT=2 guest p9 'while :; do cat /a/big; done >/dev/null 2>&1 &' >/dev/null
t "destroyed while it reads" pvctl destroy p9
t "no server is left" eventually 5 jailed 0
t "nothing of it is left in the store" eval "! pvctl store read /local/domain/0/backend/9pfs/$((id + 1)) 2>/dev/null"
t "node stop" pvctl node stop
done_testing
