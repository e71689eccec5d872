/* SPDX-License-Identifier: MIT */
/*
 * Far transfers of guests, where the CPU must not do them.
 *
 * QEMU's TCG before 9.1 makes the stack accesses of lret, iret and lcall in ring
 * 3 as the supervisor: a process of a guest could read and write all of RAM.
 * What it does can be told from what the hypervisor does, though. With SMAP, an
 * access "of the supervisor" to a user's page is refused at CPL 3 whatever AC
 * says, and allowed at CPL 0 with AC set. So (pvctld says on the command line
 * that it is such a QEMU):
 *
 *   - SMAP is on: a far transfer that uses the guest's own stack faults;
 *   - pages with descriptors that ring 3 may load are user's pages (desc_pte): one
 *     that uses the hypervisor's memory as its stack has read two words that
 *     nobody is told, and faults at the descriptor; lcall looks there before it
 *     pushes. The hypervisor's own descriptors are elsewhere (x86/desc.h), as the
 *     CPU reads those at CPL 3 when it takes an exception, and refuses ring 3;
 *   - the hypervisor loads such descriptors with AC set: segment registers, and
 *     all that its iretq to ring 3 names.
 *
 * What faulted is done here: far transfers, loads of segment registers, and
 * instructions that look at descriptors. An error code may be what was read as a
 * selector; pv_far_error_code() keeps it back.
 */
#include "domain/uaccess.h"
#include "lib/cmdline.h"
#include "lib/errno.h"
#include "pv/bounce.h"
#include "pv/emul.h"
#include "pv/mmu_private.h"
#include "x86/extable.h"
#include "x86/processor.h"
#include "x86/smap.h"

#define RIGHTS_P (1u << 15)
#define RIGHTS_S (1u << 12)
#define RIGHTS_CODE (1u << 11)
#define RIGHTS_W (1u << 9)
#define GP_IDT 2u
#define FAR_FRAME 64u /* no far transfer reads more of its stack */

void pv_far_init(void)
{
	if (!cmdline_flag("far-as-supervisor"))
		return;
	if (cpu_features.smap)
		desc_pte |= PTE_U;
	else
		printk("without SMAP on this emulator, guests can read and write all memory\n");
}

/* A selector's number has these two bits clear in an error code; one of an IDT entry has not. */
uint32_t pv_far_error_code(const struct cpu_user_regs *regs)
{
	bool secret = (desc_pte & PTE_U) && !(regs->error_code & GP_IDT) && !guest_range_ok(regs->rsp, FAR_FRAME);

	return secret ? 0 : regs->error_code;
}

/* lar and the like, as in ring 3. false: no such descriptor, or not for ring 3. */
#define LOOK(insn, sel, val) ({ \
	uint32_t s_ = (sel) | 3u; \
	uint8_t ok_ = 0; \
	__asm__ volatile(SMAP_OPEN \
			 "1:	" insn "\n" \
			 "	setz %1\n" \
			 "2:	" SMAP_CLOSE \
			 EXTABLE(1b, 2b) \
			 : "+r"(val), "+q"(ok_) : "r"(s_) : "cc"); \
	ok_ != 0; })

static uint32_t rights_of(uint16_t sel)
{
	uint32_t rights = 0;

	return LOOK("lar %2, %0", sel, rights) ? rights : 0;
}

/* The exit's iretq has the last word. */
static bool code_is_fit(uint16_t sel)
{
	const uint32_t want = RIGHTS_P | RIGHTS_S | RIGHTS_CODE;

	return (sel & 3) == 3 && (rights_of(sel) & want) == want;
}

static bool stack_is_fit(uint16_t sel)
{
	const uint32_t want = RIGHTS_P | RIGHTS_S | RIGHTS_W;

	return (sel & 3) == 3 && (rights_of(sel) & (want | RIGHTS_CODE)) == want;
}

static void bad_selector(uint16_t sel)
{
	pv_inject_trap(TRAP_gp_fault, sel & 0xfffc, true);
}

/* As the CPU tells a guest that reads or writes where it may not. */
static bool copy_in(void *dst, uint64_t at, unsigned int n)
{
	unsigned long left = copy_from_guest_raw(dst, at, n);

	if (left)
		pv_inject_page_fault(at + n - left, guest_range_ok(at, n) ? 0 : PFEC_present);
	return !left;
}

static bool copy_out(uint64_t at, const void *src, unsigned int n)
{
	unsigned long left = copy_to_guest_raw(at, src, n);

	if (left)
		pv_inject_page_fault(at + n - left, PFEC_write | (guest_range_ok(at, n) ? 0 : PFEC_present));
	return !left;
}

static uint64_t word(const uint8_t *b, unsigned int i, unsigned int size)
{
	uint64_t w = 0;

	memcpy(&w, b + i * size, size);
	return w;
}

static unsigned int operand_size(const struct pv_insn *in) { return in->rex & 8 ? 8 : in->opsize16 ? 2 : 4; }

static uint64_t stack_pointer(const struct cpu_user_regs *regs, const struct pv_insn *in)
{
	return in->cs64 ? regs->rsp : (uint32_t)regs->rsp;
}

static void far_return(struct cpu_user_regs *regs, const struct pv_insn *in)
{
	bool iret = in->opcode == 0xcf, with_stack = iret && in->cs64;
	unsigned int size = operand_size(in), n = with_stack ? 5 : iret ? 3 : 2;
	uint64_t sp = stack_pointer(regs, in), mask = size == 2 ? FLAGS_GUEST & 0xffff : FLAGS_GUEST;
	uint16_t imm = 0, cs, ss;
	uint8_t b[40];

	if (in->opcode == 0xca && !copy_in(&imm, regs->rip + in->length, sizeof(imm)))
		return;
	if (!copy_in(b, sp, n * size))
		return;
	cs = (uint16_t)word(b, 1, size);
	ss = with_stack ? (uint16_t)word(b, 4, size) : regs->ss;
	if (!code_is_fit(cs)) {
		bad_selector(cs);
		return;
	}
	if (with_stack && !stack_is_fit(ss)) {
		bad_selector(ss);
		return;
	}
	regs->rip = word(b, 0, size);
	regs->cs = cs;
	regs->ss = ss;
	regs->rsp = with_stack ? word(b, 3, size) : sp + n * size + imm;
	if (iret)
		regs->rflags = (regs->rflags & ~mask) | (word(b, 2, size) & mask) | FLAGS_IF | 2;
}

/* lcall and ljmp. In 32-bit code the pointer may be part of the instruction. */
static void far_call(struct cpu_user_regs *regs, const struct pv_insn *in, uint64_t ea)
{
	bool direct = in->opcode != 0xff, call = direct ? in->opcode == 0x9a : (in->reg & 7) == 3;
	unsigned int size = operand_size(in);
	uint64_t sp = stack_pointer(regs, in) - 2 * size, next = regs->rip + in->length, cs = regs->cs;
	uint8_t b[10], frame[16];
	uint16_t sel = 0;

	if (direct) {
		ea = next;
		next += size + 2;
	}
	if (!copy_in(b, ea, size + 2))
		return;
	memcpy(&sel, b + size, 2);
	if (!code_is_fit(sel)) {
		bad_selector(sel);
		return;
	}
	if (call) {
		memcpy(frame, &next, size);
		memcpy(frame + size, &cs, size);
		if (!copy_out(sp, frame, 2 * size))
			return;
		regs->rsp = sp;
	}
	regs->rip = word(b, 0, size);
	regs->cs = sel;
}

static bool load_now(unsigned int sreg, uint32_t sel)
{
	uint8_t ok = 1;

#define LOAD(name) \
	__asm__ volatile(SMAP_OPEN \
			 "1:	mov %1, %%" name "\n" \
			 "2:	" SMAP_CLOSE \
			 "	.pushsection .fixup, \"ax\", @progbits\n" \
			 "3:	movb $0, %0\n" \
			 "	jmp 2b\n" \
			 "	.popsection\n" \
			 EXTABLE(1b, 3b) : "+q"(ok) : "r"(sel) : "memory")
	switch (sreg) {
	case 0: LOAD("es"); break;
	case 3: LOAD("ds"); break;
	case 4: LOAD("fs"); break;
	case 5: LOAD("gs"); break;
	default: ok = 0;
	}
	return ok;
}

/* 2 is ss, which the exit loads. */
static bool load_segment(struct cpu_user_regs *regs, unsigned int sreg, uint16_t sel)
{
	bool null = !(sel & 0xfffc);

	if (sreg == 2 ? !stack_is_fit(sel) : !null && !rights_of(sel)) {
		bad_selector(sel);
		return false;
	}
	if (sreg == 2)
		regs->ss = sel;
	else if (!load_now(sreg, sel)) {
		bad_selector(sel);
		return false;
	}
	return true;
}

static bool read_rm16(struct cpu_user_regs *regs, const struct pv_insn *in, uint64_t ea, uint16_t *val)
{
	if (in->mem)
		return copy_in(val, ea, sizeof(*val));
	*val = (uint16_t)*pv_reg(regs, in->rm);
	return true;
}

static void put_reg(struct cpu_user_regs *regs, const struct pv_insn *in, unsigned int nr, uint64_t val)
{
	uint64_t *r = pv_reg(regs, nr);

	if (operand_size(in) == 2)
		*r = (*r & ~0xffffUL) | (uint16_t)val;
	else
		*r = val;
}

/* lar, lsl, verr, verw. */
static bool look_at(struct cpu_user_regs *regs, const struct pv_insn *in, uint64_t ea)
{
	uint32_t val = 0;
	uint16_t sel;
	bool ok;

	if (!read_rm16(regs, in, ea, &sel))
		return false;
	if (in->opcode == 0x0f02)
		ok = LOOK("lar %2, %0", sel, val);
	else if (in->opcode == 0x0f03)
		ok = LOOK("lsl %2, %0", sel, val);
	else if ((in->reg & 7) == 4)
		ok = LOOK("verr %w2", sel, val);
	else
		ok = LOOK("verw %w2", sel, val);
	if (ok && in->opcode != 0x0f00)
		put_reg(regs, in, in->reg, val);
	regs->rflags = (regs->rflags & ~0x40UL) | (ok ? 0x40 : 0);
	return true;
}

static unsigned int popped_segment(uint16_t opcode)
{
	return opcode == 0x07 ? 0 : opcode == 0x17 ? 2 : opcode == 0x1f ? 3 : opcode == 0x0fa1 ? 4 : 5;
}

static bool pop_segment(struct cpu_user_regs *regs, const struct pv_insn *in)
{
	unsigned int size = in->opsize16 ? 2 : in->cs64 ? 8 : 4;
	uint64_t sp = stack_pointer(regs, in);
	uint8_t b[8];

	if (!copy_in(b, sp, size) || !load_segment(regs, popped_segment(in->opcode), (uint16_t)word(b, 0, 2)))
		return false;
	regs->rsp = sp + size;
	return true;
}

/* lss, lfs, lgs. */
static bool load_far_pointer(struct cpu_user_regs *regs, const struct pv_insn *in, uint64_t ea)
{
	unsigned int size = operand_size(in);
	uint8_t b[10];
	uint16_t sel;

	if (!copy_in(b, ea, size + 2))
		return false;
	memcpy(&sel, b + size, 2);
	if (!load_segment(regs, in->opcode & 7, sel))
		return false;
	put_reg(regs, in, in->reg, word(b, 0, size));
	return true;
}

/* Those that go on with the next instruction: true if it is done. */
static bool plain(struct cpu_user_regs *regs, const struct pv_insn *in, uint64_t ea)
{
	uint16_t sel;

	switch (in->opcode) {
	case 0x8e:
		return (in->reg & 7) != 1 && (in->reg & 7) < 6 && read_rm16(regs, in, ea, &sel) &&
		       load_segment(regs, in->reg & 7, sel);
	case 0x0f00: case 0x0f02: case 0x0f03:
		return look_at(regs, in, ea);
	case 0x07: case 0x17: case 0x1f: case 0x0fa1: case 0x0fa9:
		return pop_segment(regs, in);
	default:
		return load_far_pointer(regs, in, ea);
	}
}

static bool is_one_of_those(const struct pv_insn *in)
{
	switch (in->opcode) {
	case 0xca: case 0xcb: case 0xcf:
	case 0x0f02: case 0x0f03: case 0x0fa1: case 0x0fa9:
		return true;
	case 0x07: case 0x17: case 0x1f: case 0x9a: case 0xea:
		return !in->cs64;
	case 0x8e:
		return (in->reg & 7) != 1 && (in->reg & 7) < 6;
	case 0xff:
		return in->mem && ((in->reg & 7) == 3 || (in->reg & 7) == 5);
	case 0x0f00:
		return (in->reg & 7) == 4 || (in->reg & 7) == 5;
	case 0x0fb2: case 0x0fb4: case 0x0fb5:
		return in->mem;
	}
	return false;
}

static uint64_t effective_address(const struct pv_insn *in)
{
	if (in->seg == 0x64)
		return in->ea + cpu_get_fs_base();
	return in->seg == 0x65 ? in->ea + cpu_get_gs_base() : in->ea;
}

bool pv_far_fault(struct cpu_user_regs *regs, uint32_t error_code)
{
	struct pv_insn in;
	uint64_t ea;

	if (likely(!(desc_pte & PTE_U) || (error_code & (PFEC_user | PFEC_present)) != PFEC_present))
		return false;
	if (pv_decode(regs, &in) != 0 || in.lock || !is_one_of_those(&in)) {
		pv_inject_trap(TRAP_gp_fault, 0, true);
		return true;
	}
	ea = effective_address(&in);
	regs->entry_vector = 0;
	if (in.opcode == 0xca || in.opcode == 0xcb || in.opcode == 0xcf)
		far_return(regs, &in);
	else if (in.opcode == 0xff || in.opcode == 0x9a || in.opcode == 0xea)
		far_call(regs, &in, ea);
	else if (plain(regs, &in, ea))
		regs->rip += in.length;
	return true;
}
