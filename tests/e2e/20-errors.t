#!/bin/bash
# SPDX-License-Identifier: MIT
# Bad input: a clear message, a non-zero exit, nothing left over.
. "$(dirname "$0")/lib.sh"

refused "list without a node says how to start one" 1 'pvctl node start' pvctl list
t "node start" pvctl node start --memory 1024
t "a domain to warm up" warm_up
free0=$(free_pages)
same_free() { eventually 5 eval "[ \"\$(free_pages)\" = '$free0' ]"; }
# The hypervisor may keep one empty heap page of each of its 7 sizes; eight domains that lost a page each show.
nearly_same_free() { eventually 5 eval "[ \$(free_pages) -ge $((free0 - 7 * 4096)) ]"; }
no_domains() { [ "$(pvctl list | wc -l)" -le 2 ]; }

head -c 300000 "$KERNEL" >"$W/short"
: >"$W/empty"
head -c 2000000 /dev/urandom >"$W/noise"
cp "$KERNEL" "$W/corrupt"
printf 'garbage in the middle of the payload' | dd of="$W/corrupt" bs=1 seek=3000000 conv=notrunc status=none
mkdir "$W/dir"
truncate -s 3G "$W/huge"
# shellcheck disable=SC2016
for k in short empty noise corrupt dir huge; do
	sed "s|^kernel=.*|kernel=\"$W/$k\"|" "$(config "k-$k")" >"$W/k.cfg"
	refused "a kernel that is: $k" '*' "$k|kernel" pvctl create -q -p "$W/k.cfg"
done
refused "a kernel that is missing" 3 'no-such-kernel' pvctl create -q -p "$(config missing 'kernel="/no-such-kernel"')"
refused "a kernel that is no PV kernel" '*' 'busybox|Xen|PV|note' pvctl create -q -p "$(config nopv "kernel=\"$O/demo/busybox\"")"
refused "a ramdisk that is missing" '*' 'no-such-ramdisk' pvctl create -q -p "$(config rd 'ramdisk="/no-such-ramdisk"')"
refused "a ramdisk larger than the domain" '*' 'ramdisk|memory' pvctl create -q -p "$(config rdbig "ramdisk=\"$W/huge\"")"
refused "more memory than the node has" '*' 'memory' pvctl create -q -p "$(config mem 'memory=100000')"
refused "too little memory for the kernel" '*' 'memory' pvctl create -q -p "$(config tiny 'memory=8')"
refused "0 vCPUs" '*' 'vcpus' pvctl create -q -p "$(config v0 'vcpus=0')"
refused "10,000 vCPUs" '*' 'vcpus' pvctl create -q -p "$(config v1 'vcpus=10000')"
refused "no name" '*' 'name' pvctl create -q -p <(sed /^name/d "$(config noname)")
refused "a config that is a directory" '*' 'dir' pvctl create -q -p "$W/dir"
refused "a config that is binary" '*' 'noise|line' pvctl create -q -p "$W/noise"
refused "a config that is not there" '*' 'nothing-here' pvctl create -q -p "$W/nothing-here"
refused "a misspelt key names the right one" '*' 'memory' pvctl create -q --strict -p "$(config typo 'memroy=64')"
refused "an error has file, line and a caret" '*' 'bad.cfg:9:.*|\^' pvctl create -q -p "$(config bad 'vcpus = = 2')"
refused "an unknown domain" '*' 'invalid domain identifier \(rc=-6\)' pvctl destroy nobody
refused "an unknown command" '*' 'command not implemented' pvctl frobnicate
refused "a key of xl's that is not supported yet" '*' 'not supported' pvctl create -q -p "$(config pci 'pci=["01:00.0"]')"
t "what a guest runs as well without is left out" pvctl config check "$(config vfb 'vfb=["vnc=1"]' 'localtime=1')"
refused "and said" '*' 'vfb: not used' pvctl config check --strict "$(config vfb 'vfb=["vnc=1"]')"
truncate -s 1M "$W/cd.iso"
t "xl's old words for a cdrom, and a tilde in a name" pvctl config check "$(config a~b "disk=[\"file:$W/cd.iso,ioemu:xvdb:cdrom,r\"]")"
for c in psr-hwinfo pci-assignable-add; do
	refused "a command of xl's that is not here: $c" '*' "there is no $c: it|there is no $c: a node" pvctl $c x y
done

t "one domain" pvctl create -q -p "$(config twin)"
refused "a name that is taken" '*' 'twin' pvctl create -q -p "$(config twin)"
t "destroy it" pvctl destroy twin
refused "config check misses a script, as create does" '*' 'script "/etc/xen/scripts/block-none"' pvctl config check "$(config x 'disk=["script=block-none,vdev=xvda,target=a:b"]')"
refused "and goes on to what else is missing" '*' 'warning: vif: the host has no bridge "none0"' pvctl config check \
	"$(config x 'disk=["script=block-none,vdev=xvda,target=a:b"]' 'vif=["bridge=none0"]')"
refused "errors too" '*' 'error: vif: script "/nonexistent" cannot be run' pvctl config check \
	"$(config x 'disk=["script=block-none,vdev=xvda,target=a:b"]' 'vif=["script=/nonexistent,bridge=lo"]')"
t "config check warns of a bridge as create does, with what else there is" eval "pvctl config check \"$(config x 'vif=["bridge=xenbr77"]')\" 2>&1 | grep -q 'no bridge \"xenbr77\".*link=user'"
if command -v qemu-img >/dev/null; then
	qemu-img create -q -f qcow2 "$W/k.qcow2" 8M
	refused "a disk with nothing to boot says what was looked for" '*' 'no file system that can be read .ext2' pvctl config check <(printf '%s\n' 'name="x"' 'memory=64' 'bootloader="pygrub"' "disk=[\"$W/k.qcow2,qcow2,xvda\"]")
else
	skip "a disk that is not read here" "qemu-img is not installed"
fi
t "no domain is left of all this" no_domains
t "no memory is, either" same_free

# Half-built: the client dies in the middle of a create.
for i in 1 2 3 4 5 6 7 8; do
	"$PVCTL" create -q -p "$(config "half$i")" >/dev/null 2>&1 &
	pid=$!
	sleep "0.0$((i * 9 % 10))"
	kill -9 $pid 2>/dev/null
	wait $pid 2>/dev/null
done
sleep 0.5
for i in 1 2 3 4 5 6 7 8; do pvctl destroy "half$i" 2>/dev/null; done
if eventually 10 no_domains; then ok "clients killed while they create leave nothing"; else not_ok "clients killed while they create leave nothing"; pvctl list; fi
t "nor do they leak memory" nearly_same_free

# A client that sends rubbish to the control socket.
python3 - "$PVCTL_RUN_DIR/default/control.sock" <<'P'
import os, socket, sys
for data in (b"", b"\0", os.urandom(4096), b"\2\0\0\0\xff\xff\xff\xff" + b"\0" * 64, b"\2\0\0\0\x10\0\0\0" + b"\0" * 8):
    s = socket.socket(socket.AF_UNIX); s.connect(sys.argv[1])
    try:
        s.sendall(data); s.settimeout(0.2); s.recv(100)
    except OSError:
        pass
    s.close()
P
t "the daemon survives rubbish on its socket" pvctl list
t "the socket is its owner's only" eval "[ \"\$(stat -c %a '$PVCTL_RUN_DIR/default')\" = 700 ]"
t "node stop" pvctl node stop
done_testing
