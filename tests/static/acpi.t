#!/bin/bash
# SPDX-License-Identifier: MIT
# The ACPI tables of a PVH domain, as ACPICA's compiler reads them.
. "$(dirname "$0")/lib.sh"
if ! command -v iasl >/dev/null; then
	skip "the ACPI tables of a PVH domain" "there is no iasl (package acpica-tools)"
	done_testing
fi
bin=$PWD/$O/san/tests/unit/lib/test_pvh
case $O in /*) bin=$O/san/tests/unit/lib/test_pvh ;; esac
d=$(mktemp -d) || exit 1
trap 'rm -rf "$d"' EXIT
cd "$d" || exit 1

# What it reads is written again in its own language, and that compiled: no error, no warning, and the same bytes.
same() {
	iasl -d "$1.aml" >"$1.out" 2>&1 && ! grep -iE 'error|warning|invalid|incorrect|unknown|could not' "$1.out" "$1.dsl" || { cat "$1.out"; return 1; }
	iasl -p "$1_again" "$1.dsl" >"$1.out" 2>&1 && grep -q '0 Errors, 0 Warnings' "$1.out" || { cat "$1.out"; return 1; }
	# The compiler puts its own name and version there, at 28 to 35, and a sum over them at 9.
	cmp <(without "$1.aml") <(without "$1_again.aml")
}
without() { head -c 9 "$1"; tail -c +11 "$1" | head -c 18; tail -c +37 "$1"; }
for v in 1 2 32; do
	t "tables for $v vCPUs are written" "$bin" --acpi . $v
	for i in facp apic dsdt xsdt; do t "$i of $v vCPUs" same $i; done
	t "$v processors" [ "$(grep -c 'Processor Enabled : 1' apic.dsl)" = $v ]
	t "the hardware is reduced" grep -q 'Hardware Reduced (V5) : 1' facp.dsl
done
done_testing
