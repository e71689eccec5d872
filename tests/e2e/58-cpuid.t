#!/bin/bash
# SPDX-License-Identifier: MIT
# cpuid=: a Linux guest has not what the key takes away, after a reboot, a save, a move and as a copy neither; what cannot be had is refused by name.
. "$(dirname "$0")/lib.sh"
mkdir -p "$W/root/bin"
cp "$O/tests/linux/cpuidprobe" "$W/root/bin/"
cat >"$W/root/look" <<'E2'
#!/bin/sh
n=0
while :; do
	n=$((n + 1))
	echo "FLAGS $(grep -m 1 ^flags /proc/cpuinfo) "
	cpuidprobe
	echo "DONE $n"
	sleep 1
done
E2
chmod 755 "$W/root/look"
pack_guest
RAMDISK=$W/initrd.gz
RUN='cmdline="console=hvc0 quiet run=/look+&"'

text() { console_log "$1" | tr -d '\r'; }
looks() { text "$1" | grep -c '^DONE'; }
more_than() { [ "$(looks "$1")" -gt "$2" ]; }
# Waits for a look that began after this.
look() { local n; n=$(looks "$1"); eventually 90 more_than "$1" $((n + 1)); }
flag() { text "$1" | grep '^FLAGS' | tail -n 1 | grep -q " $2 "; }
# reg DOMAIN LEAF REGISTER, in hexadecimal
reg() { text "$1" | sed -n "s/^cpuid $2 .*$3=\([0-9a-f]*\).*/\1/p" | tail -n 1; }
bit() { local v; v=$(reg "$1" "$2" "$3"); [ -n "$v" ] && [ $((0x$v >> $4 & 1)) -eq 1 ]; }
no_bit() { local v; v=$(reg "$1" "$2" "$3"); [ -n "$v" ] && [ $((0x$v >> $4 & 1)) -eq 0 ]; }

t "node start" pvctl node start --memory 768 --cpus 2
t "a domain without the key" pvctl create -q "$(config all "$RUN")"
t "it looks" look all
for f in aes avx2 sse4_2 avx xsave; do t "it has $f" flag all $f; done
t "aes in leaf 1" bit all 1.0 ecx 25
t "avx2 in leaf 7" bit all 7.0 ebx 5
t "it goes" pvctl destroy all

less() { # less WHAT [DOMAIN]: what must be so wherever it has been
	local d=${2:-less}
	t "$1: it looks" look "$d"
	for f in aes avx2 sse4_2 avx; do t "$1: no $f" eval "! flag $d $f"; done
	t "$1: sse2 is there" flag "$d" sse2
	t "$1: no aes in leaf 1" no_bit "$d" 1.0 ecx 25
	t "$1: no sse4.2 in leaf 1" no_bit "$d" 1.0 ecx 20
	t "$1: no avx2 in leaf 7" no_bit "$d" 7.0 ebx 5
	t "$1: nor avx, which needs sse4.2" no_bit "$d" 1.0 ecx 28
	t "$1: nor its part of XSAVE's state" no_bit "$d" d.0 eax 2
	t "$1: family 6, model 0x2a" eval "[ \$((0x\$(reg $d 1.0 eax) & 0xfff0ff0)) -eq $((0x206a0 & 0xfff0ff0)) ]"
}
KEY='cpuid="host,aes=0,sse4_2=0,avx2=0,family=6,model=0x2a,xsave=k"'
t "a domain with it" pvctl create -q "$(config less "$RUN" "$KEY")"
less "at first"
t "list -l has it" eval "pvctl list -l less | grep -q '\"cpuid\": \"host,aes=0,sse4_2=0,avx2=0,family=6,model=0x2a,xsave=k\"'"
n=$(looks less)
t "reboot" pvctl reboot less
t "it is back" eventually 90 eval "text less | grep '^DONE' | tail -n +$((n + 1)) | grep -qx 'DONE 1'"
less "rebooted"
t "save" pvctl save less "$W/less.save"
t "restore" pvctl restore "$W/less.save"
less "restored"
t "clone" pvctl clone less copy
less "copied" copy
t "it goes" pvctl destroy copy
mkdir -p "$W/b" "$W/bs"
on_b() { PVCTL_RUN_DIR=$W/b PVCTL_STATE_DIR=$W/bs "$@"; }
trap 'on_b pvctl node stop --force >/dev/null 2>&1; cleanup' EXIT
t "another node" on_b pvctl node start --memory 256
t "migrate" pvctl migrate -s '' less "PVCTL_RUN_DIR=$W/b PVCTL_STATE_DIR=$W/bs $PVCTL migrate-receive"
on_b less "moved"
t "it goes" on_b pvctl destroy less

say "the form that is a list"
t "a domain with it" pvctl create -q "$(config list "$RUN" 'cpuid=["1:ecx=xxxxxx0xxxxxxxxxxxxxxxxxxxxxxxxx,eax=xxxxxxxxxxxxxxxxxxxxxxxxxxxx0101","7,0:ebx=xxxxxxxxxxxxxxxxxxxxxxxxxx0xxxxx"]')"
t "it looks" look list
t "no aes" eval "! flag list aes"
t "no avx2" eval "! flag list avx2"
t "but avx" flag list avx
t "stepping 5" eval '[ $((0x$(reg list 1.0 eax) & 15)) -eq 5 ]'
t "it goes" pvctl destroy list

say "what is refused, before anything is done"
for c in 'aess=0:"aess" is no feature.*did you mean "aes"' 'aes=2:aes=2: one of 0, 1, x, k, s' 'aes:not FEATURE=VALUE' \
	'model=256:from 0 to 255' 'localapicid=1:localapicid cannot be set'; do
	refused "${c%%:*}" '*' "${c#*:}" pvctl config check "$(config bad "cpuid=\"host,${c%%:*}\"")"
done
refused "another word than host" '*' 'begins with "host,"' pvctl config check "$(config bad 'cpuid="guest,aes=0"')"
refused "31 bits" '*' '32 characters' pvctl config check "$(config bad 'cpuid=["1:ecx=xxxxxx0xxxxxxxxxxxxxxxxxxxxxxxx"]')"
refused "no register" '*' 'eax=, ebx=, ecx= or edx=' pvctl config check "$(config bad 'cpuid=["1:efx=xxxxxx0xxxxxxxxxxxxxxxxxxxxxxxxx"]')"
refused "a feature that no guest has" '*' 'vmx is to be 1, but' pvctl create -q "$(config bad 'cpuid="host,vmx=1"')"
refused "the same in a list" '*' 'vmx is to be 1, but' pvctl create -q "$(config bad 'cpuid=["1:ecx=xxxxxxxxxxxxxxxxxxxxxxxxxx1xxxxx"]')"
refused "a bit without a name" '*' 'bit 31 of leaf 0x14.s eax is to be 1' pvctl create -q "$(config bad 'cpuid=["0x14:eax=1xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"]')"
refused "another vendor" '*' "leaf 0x0's ebx" pvctl create -q "$(config bad 'cpuid=["0:ebx=00000000000000000000000000000000"]')"
t "nothing is left of them" eval "! pvctl domid bad && ! pvctl list | grep -q bad"
done_testing
