/* SPDX-License-Identifier: MIT */
/* The innocent neighbour: its memory stays as it is, and its tables work. */
#include "fuzz.h"

#define PAGES 512u
static uint64_t memory[PAGES][512] page_aligned;
static uint64_t offered[2][512] page_aligned;
static uint64_t table[512] page_aligned;

static uint64_t word(unsigned int page, unsigned int i, uint64_t turn)
{
	return (page * 512ul + i + 1) * 0x9e3779b97f4a7c15ul ^ turn;
}

static bool look(uint64_t turn)
{
	unsigned int page, i;

	for (page = 0; page < PAGES; page++)
		for (i = 0; i < 512; i++)
			if (memory[page][i] != word(page, i, turn)) {
				test_failed("word %u of page %u is %#lx, not %#lx", i, page, memory[page][i],
					    word(page, i, turn));
				return false;
			}
	for (i = 0; i < 512; i++)
		if (offered[0][i] != (i ? i : NEIGHBOUR_WORD)) {
			test_failed("word %u of the page granted read-only is %#lx", i, offered[0][i]);
			return false;
		}
	return true;
}

static void fill(uint64_t turn)
{
	unsigned int page, i;

	for (page = 0; page < PAGES; page++)
		for (i = 0; i < 512; i++)
			memory[page][i] = word(page, i, turn);
}

static void use_tables(void)
{
	struct mmuext_op op = { .cmd = MMUEXT_PIN_L1_TABLE, .arg1.mfn = va_to_mfn(table) };
	unsigned int i;

	for (i = 0; i < 100; i++) {
		op.cmd = MMUEXT_PIN_L1_TABLE;
		EXPECT(hc_mmuext_op(&op, 1, NULL, DOMID_SELF), 0);
		op.cmd = MMUEXT_UNPIN_TABLE;
		EXPECT(hc_mmuext_op(&op, 1, NULL, DOMID_SELF), 0);
	}
}

void neighbour(unsigned long seconds)
{
	uint64_t turn = 0, end = now_ns() + seconds * 1000000000ul;
	unsigned int i;

	grant_init();
	for (i = 0; i < 512; i++)
		offered[0][i] = i ? i : NEIGHBOUR_WORD;
	offered[1][0] = NEIGHBOUR_WORD;
	grant_offer(FIRST_REF, peer_id, va_to_mfn(offered[0]), GTF_permit_access | GTF_readonly);
	grant_offer(FIRST_REF + 1, peer_id, va_to_mfn(offered[1]), GTF_permit_access);
	EXPECT(map_page(table, va_to_ma(table) | PTE_RO), 0);
	printk("neighbour: ready\n");
	do {
		fill(++turn);
		use_tables();
		/* Not all of the machine's time: the fuzzer shall have some. */
		hc_sched_op(SCHEDOP_poll, &(struct sched_poll){ .timeout = now_ns() + 100000000 });
	} while (look(turn) && now_ns() < end);
	printk("neighbour: %lu turns\n", turn);
	test_end();
}
