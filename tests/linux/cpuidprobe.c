/* SPDX-License-Identifier: MIT */
/*
 * What a domain's CPUID is, as the hypervisor answers it behind the public
 * "emulate" prefix: the kernel's /proc/cpuinfo is of its boot, this is of now.
 * Each line a register: "LEAF.SUBLEAF eax=... ebx=... ecx=... edx=...".
 */
#include <stdint.h>
#include <stdio.h>

static void xen_cpuid(uint32_t leaf, uint32_t sub, uint32_t r[4])
{
	__asm__ volatile(".byte " "0x0f,0x0b,0x78,0x65,0x6e" "; cpuid"
	                 : "=a"(r[0]), "=b"(r[1]), "=c"(r[2]), "=d"(r[3]) : "a"(leaf), "c"(sub));
}

int main(void)
{
	static const uint32_t leaves[][2] = { { 0, 0 }, { 1, 0 }, { 7, 0 }, { 0xd, 0 }, { 0xd, 2 }, { 0x80000001, 0 } };
	uint32_t r[4];

	for (unsigned int i = 0; i < sizeof(leaves) / sizeof(leaves[0]); i++) {
		xen_cpuid(leaves[i][0], leaves[i][1], r);
		printf("cpuid %x.%x eax=%08x ebx=%08x ecx=%08x edx=%08x\n", leaves[i][0], leaves[i][1], r[0], r[1], r[2], r[3]);
	}
	fflush(stdout);
	return 0;
}
