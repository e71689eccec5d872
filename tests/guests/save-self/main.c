/* SPDX-License-Identifier: MIT */
/*
 * A kernel that suspends itself, for tests/e2e/65-save.t: it says READY n, and behind the hypercall looks whether all is as it
 * was: memory, its list of frames, page tables, traps, registers. Words on the command line: "linear" (the list is found by a
 * virtual address, else by frames of frames), "rounds=N" (a digit; how often), "asked" (it waits until it is asked to, each time),
 * "grants" (it has its grant table mapped all the time).
 */
#include "xenbus.h"

const char test_name[] = "save-self";

static uint64_t list_list[512] page_aligned, list_of[512] page_aligned;
static uint64_t pattern[8][512] page_aligned;
static uint64_t read_only[512] page_aligned, zeroes[512] page_aligned;

static uint64_t *frames(void)
{
	return (uint64_t *)start_info->mfn_list;
}

static bool has_word(const char *word)
{
	const char *s = (const char *)start_info->cmd_line;

	for (; *s; s++)
		if (!strncmp(s, word, strlen(word)))
			return true;
	return false;
}

static unsigned int rounds(void)
{
	const char *s = (const char *)start_info->cmd_line;

	for (; *s; s++)
		if (!strncmp(s, "rounds=", 7) && s[7] >= '1' && s[7] <= '9')
			return (unsigned int)(s[7] - '0');
	return 1;
}

static void tell_list(bool linear)
{
	unsigned long i, n = (start_info->nr_pages + 511) / 512;

	for (i = 0; i < n && i < 512; i++)
		list_of[i] = va_to_mfn((uint8_t *)start_info->mfn_list + i * PAGE_SIZE);
	list_list[0] = va_to_mfn(list_of);
	shared.info.arch.max_pfn = start_info->nr_pages;
	shared.info.arch.pfn_to_mfn_frame_list_list = linear ? ~0ul : va_to_mfn(list_list);
	shared.info.arch.p2m_vaddr = linear ? start_info->mfn_list : 0;
	shared.info.arch.p2m_cr3 = linear ? l4_mfn() << PAGE_SHIFT : 0;
}

static void fill(void)
{
	unsigned int i, j;

	for (i = 0; i < ARRAY_SIZE(pattern); i++)
		for (j = 0; j < 512; j++)
			pattern[i][j] = (uint64_t)i << 32 | j | 0xa5ul << 56;
	for (j = 0; j < 512; j++)
		read_only[j] = ~(uint64_t)j;
	EXPECT(map_page(read_only, va_to_ma(read_only) | PTE_RO), 0);
}

static void check(void)
{
	struct mmu_update u = { 0 };
	unsigned long pfn;
	unsigned int i, j;

	for (i = 0; i < ARRAY_SIZE(pattern); i++)
		for (j = 0; j < 512; j++)
			if (pattern[i][j] != ((uint64_t)i << 32 | j | 0xa5ul << 56)) {
				test_failed("page %u has another word %u: %lx", i, j, pattern[i][j]);
				j = 512;
			}
	for (j = 0; j < 512; j++)
		CHECK(read_only[j] == ~(uint64_t)j && !zeroes[j], "word %u of the read-only or the empty page is another", j);
	for (pfn = 0; pfn < start_info->nr_pages; pfn++)
		if (mfn_to_pfn(frames()[pfn]) != pfn) {
			test_failed("pfn %lx is frame %lx, which is pfn %lx", pfn, frames()[pfn], mfn_to_pfn(frames()[pfn]));
			break;
		}
	EXPECT_TRAP(14, WRITE_ONCE(read_only[0], 1));
	u.ptr = va_to_ma(pte_of(pattern[0], 1)) | MMU_NORMAL_PT_UPDATE;
	u.val = va_to_ma(pattern[0]) | PTE_RW;
	EXPECT(hc_mmu_update(&u, 1, NULL, DOMID_SELF), 0);
	CHECK(start_info->store_mfn != start_info->console.domU.mfn && mfn_to_pfn(start_info->store_mfn) < start_info->nr_pages,
	      "the store's page is not ours");
}

/* All that a called function may not change, and one of the vector registers. */
static long shut_down(uint64_t start_info_mfn)
{
	static const uint64_t vector[2] = { 0x0123456789abcdef, 0xfedcba9876543210 };
	struct sched_shutdown bye = { .reason = SHUTDOWN_suspend };
	uint64_t r[4] = { 0 }, x[2] = { 0 };
	register uint64_t rbx __asm__("rbx") = 0x1111, r12 __asm__("r12") = 0x2222, r13 __asm__("r13") = 0x3333, r15 __asm__("r15") = 0x4444;
	long ret;

	__asm__ volatile("movups %7, %%xmm7\n"
			 "syscall\n"
			 "movups %%xmm7, %6\n"
			 : "=a"(ret), "+r"(rbx), "+r"(r12), "+r"(r13), "+r"(r15), "+d"(start_info_mfn), "=m"(x)
			 : "m"(vector), "0"((long)__HYPERVISOR_sched_op), "D"((long)SCHEDOP_shutdown), "S"(&bye)
			 : "rcx", "r11", "memory");
	r[0] = rbx, r[1] = r12, r[2] = r13, r[3] = r15;
	CHECK(r[0] == 0x1111 && r[1] == 0x2222 && r[2] == 0x3333 && r[3] == 0x4444, "registers: %lx %lx %lx %lx", r[0], r[1], r[2], r[3]);
	CHECK(x[0] == vector[0] && x[1] == vector[1], "xmm7 is %lx %lx", x[0], x[1]);
	return ret;
}

static long suspend(void)
{
	/* The page behind the mapped one. */
	uint64_t own = va_to_mfn(&shared) << PAGE_SHIFT, mfn = va_to_mfn(start_info);
	long ret;

	start_info->store_mfn = mfn_to_pfn(start_info->store_mfn);
	start_info->console.domU.mfn = mfn_to_pfn(start_info->console.domU.mfn);
	EXPECT(map_page(&shared, own | PTE_RW), 0);
	ret = shut_down(mfn);
	if (ret == 1) {
		/* Nobody has written them anew. */
		start_info->store_mfn = frames()[start_info->store_mfn];
		start_info->console.domU.mfn = frames()[start_info->console.domU.mfn];
	}
	EXPECT(map_page(&shared, start_info->shared_info | PTE_RW), 0);
	return ret;
}

/* As a kernel does: the word is taken away, so that the tools know that it was seen. */
static void wait_asked(void)
{
	char word[16];
	unsigned int naps;

	for (naps = 0; naps < 600000; naps++) {
		if (!xs_read("control/shutdown", word, sizeof(word)) && !strncmp(word, "suspend", 8)) {
			EXPECT(xs_write("control/shutdown", ""), 0);
			return;
		}
		nap();
	}
	test_error("nobody asked");
}

void test_main(void)
{
	bool linear = has_word("linear");
	unsigned int i, n = rounds();
	char line[40];
	long ret;

	/* It maps the grant table, which is not the domain's own memory: then it cannot be saved. */
	if (has_word("grants"))
		xenbus_setup();
	fill();
	for (i = 1; i <= n; i++) {
		tell_list(linear);
		snprintf(line, sizeof(line), "READY %u\n", i);
		console_write(line, strlen(line));
		if (has_word("asked"))
			wait_asked();
		ret = suspend();
		CHECK(ret == 0 || ret == 1, "suspending gave %ld", ret);
		snprintf(line, sizeof(line), "BACK %u %s\n", i, ret ? "here" : "elsewhere");
		console_write(line, strlen(line));
		check();
	}
}
