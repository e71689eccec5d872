/* SPDX-License-Identifier: MIT */
/* pvstub: the smallest useful 64-bit Xen PV guest (a few KiB, no Linux).
 * It prints one line on its PV console, measures a few hypercalls against the
 * shared-info wall of time, and then blocks for ever.  With it the price of the
 * hypervisor + toolstack can be seen without the price of booting Linux, and
 * 64 MiB domains are possible (Debian's kernel image alone ends at 62 MiB).
 * flood=console, store or events on the command line: it does that without end (flood=nothing: it spins).
 */
typedef unsigned long u64; typedef unsigned int u32; typedef unsigned char u8;
#define BASE 0xffffffff80000000ul
extern char hypercall_page[];
__asm__(
".section .note.Xen,\"a\",@note\n"
".macro NOTE t s:vararg\n .align 4\n .long 4, 3f-2f, \\t\n .asciz \"Xen\"\n2: \\s\n3: .align 4\n.endm\n"
"NOTE 6 .asciz \"pvstub\"\n"			/* GUEST_OS */
"NOTE 5 .asciz \"xen-3.0\"\n"			/* XEN_VERSION */
"NOTE 8 .asciz \"generic\"\n"			/* LOADER */
"NOTE 3 .quad 0xffffffff80000000\n"		/* VIRT_BASE */
"NOTE 4 .quad 0xffffffff80000000\n"		/* PADDR_OFFSET (phdr paddr == vaddr) */
"NOTE 1 .quad _start\n"				/* ENTRY */
"NOTE 2 .quad hypercall_page\n"			/* HYPERCALL_PAGE */
"NOTE 9 .asciz \"yes\"\n"			/* PAE_MODE */
"NOTE 10 .asciz \"!writable_page_tables|pae_pgdir_above_4gb\"\n"	/* FEATURES */
"NOTE 13 .quad 1, 1\n"				/* L1_MFN_VALID */
".text\n.globl _start\n_start: cld\n lea stack_top(%rip),%rsp\n mov %rsi,%rdi\n call main\n1: jmp 1b\n"
".section .hcall,\"ax\"\n.balign 4096\n.globl hypercall_page\nhypercall_page: .skip 4096\n"
".bss\n.balign 4096\n.skip 16384\nstack_top:\n.text\n");

static inline long hc(int n, u64 a, u64 b)
{
	long r; u64 t = (u64)hypercall_page + n * 32;
	__asm__ volatile("call *%[t]" : "=a"(r), "+D"(a), "+S"(b) : [t] "r"(t) : "rcx", "r11", "r8", "r9", "r10", "rdx", "memory");
	return r;
}
struct si { char magic[32]; u64 nr_pages, shared_info; u32 flags; u32 pad; u64 store_mfn; u32 store_evtchn, p2; u64 con_mfn; u32 con_evtchn, p3; u64 pt_base, nr_pt, mfn_list, mod_start, mod_len; char cmd[1024]; };
static volatile u8 *ring; static u32 port;
#define R32(o) (*(volatile u32 *)(ring + (o)))
static void puts_(const char *s)
{
	u32 p = R32(3084);
	while (*s) { while (p - R32(3080) >= 2048) ; ring[1024 + (p++ & 2047)] = *s++; }
	__asm__ volatile("" ::: "memory"); R32(3084) = p;
	u32 e = port; hc(32, 4, (u64)&e);		/* event_channel_op(EVTCHNOP_send) */
}
static void num(const char *k, u64 v, const char *u)
{
	char b[24], o[96], *p = b + 23, *q = o; *p = 0;
	do *--p = '0' + v % 10; while (v /= 10);
	while (*k) *q++ = *k++;
	*q++ = ' '; while (*p) *q++ = *p++;
	*q++ = ' '; while (*u) *q++ = *u++;
	*q++ = '\r'; *q++ = '\n'; *q = 0; puts_(o);
}
static void flood_console(void)
{
	for (;;) puts_("abcdefghijklmnopqrstuvwxyzabcdefghijklmnopqrstuvwxyzabcdefghijklmnopqrstuvwxyz\r\n");
}
static void flood_events(void)
{
	u32 e = port;
	for (;;) hc(32, 4, (u64)&e);
}
/* Makes a path of many components and removes it, again and again; what is answered is not looked at. */
static volatile u8 *xs; static u32 xs_port;
#define X32(o) (*(volatile u32 *)(xs + (o)))
static void xs_put(const void *p, u32 n)
{
	const u8 *b = p; u32 e = xs_port;
	for (u32 at = X32(2052); n; X32(2052) = at, hc(32, 4, (u64)&e)) {
		while (at - X32(2048) >= 1024) { X32(2056) = X32(2060); hc(29, 0, 0); }
		while (n && at - X32(2048) < 1024) { xs[at++ & 1023] = *b++; n--; }
		__asm__ volatile("" ::: "memory");
	}
	X32(2056) = X32(2060);
}
static void flood_store(void)
{
	struct { u32 type, req, tx, len; char path[64]; } w = { 11, 0, 0, 53, "data/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a" },
		rm = { 13, 0, 0, 7, "data/a" };
	for (;;) { xs_put(&w, 16 + 53); xs_put(&rm, 16 + 7); }
}
static u64 rdtsc(void) { u32 a, d; __asm__ volatile("rdtsc" : "=a"(a), "=d"(d)); return (u64)d << 32 | a; }
void main(struct si *s)
{
	u64 *p2m = (u64 *)s->mfn_list, i;
	for (i = 0; i < s->nr_pages; i++) if (p2m[i] == s->con_mfn) break;
	ring = (u8 *)(BASE + i * 4096); port = s->con_evtchn;
	for (i = 0; i < s->nr_pages; i++) if (p2m[i] == s->store_mfn) break;
	xs = (u8 *)(BASE + i * 4096); xs_port = s->store_evtchn;
	puts_("PVSTUB-UP\r\n");
	for (char *f = s->cmd; *f; f++) if (f[0] == 'f' && f[1] == 'l' && f[5] == '=')
		switch (f[6]) { case 'c': flood_console(); case 's': flood_store(); case 'e': flood_events(); case 'n': for (;;) ; }
	char *c = s->cmd; int bench = 0;
	for (; *c; c++) if (c[0] == 'b' && c[1] == 'e' && c[2] == 'n' && c[3] == 'c' && c[4] == 'h') bench = 1;
	if (bench) {		/* with tsc_mode="default" under TCG the guest TSC ticks are 1 ns */
		for (int r = 0; r < 9; r++) {
			u64 n, t;
			t = rdtsc(); for (n = 0; n < 1000; n++) rdtsc(); num("S stub_rdtsc", (rdtsc() - t) / 1000, "tsc");
			t = rdtsc(); for (n = 0; n < 20000; n++) hc(17, 0, 0); num("S stub_hc_xen_version", (rdtsc() - t) / 20000, "tsc");
			t = rdtsc(); for (n = 0; n < 20000; n++) hc(29, 0, 0); num("S stub_hc_sched_yield", (rdtsc() - t) / 20000, "tsc");
			t = rdtsc(); for (n = 0; n < 20000; n++) hc(63, 0, 0); num("S stub_hc_enosys", (rdtsc() - t) / 20000, "tsc");
			struct { u64 ptr, val; } mu; /* MMU_NORMAL_PT_UPDATE is covered by the Linux numbers */ (void)mu;
			t = rdtsc(); for (n = 0; n < 5000; n++) { struct { u32 cmd, pad; u64 mfn, v; } op = { 6, 0, 0, 0 }; op.cmd = 6; 
				__asm__ volatile("" ::: "memory");
				u64 a = (u64)&op, cnt = 1; long r2; u64 tt = (u64)hypercall_page + 26 * 32;
				register u64 r10 __asm__("r10") = 0x7ff0; u64 d = 0;
				__asm__ volatile("call *%[t]" : "=a"(r2), "+D"(a), "+S"(cnt), "+d"(d), "+r"(r10) : [t] "r"(tt) : "rcx", "r11", "r8", "r9", "memory"); }
			num("S stub_hc_mmuext_tlb_flush_local", (rdtsc() - t) / 5000, "tsc");
		}
		puts_("PVSTUB-BENCH-DONE\r\n");
	}
	struct { u64 ports; u32 n, pad; u64 timeout; } poll = { 0, 0, 0, 0 };
	for (;;) hc(29, 3, (u64)&poll);			/* sched_op(SCHEDOP_poll), no ports: block */
}
