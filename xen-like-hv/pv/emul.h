/* SPDX-License-Identifier: MIT */
/* Instructions that a guest may not execute itself. */
#ifndef PV_EMUL_H
#define PV_EMUL_H
#include "pv/trap.h"

/* A decoded instruction; only forms that privileged instructions have. */
struct pv_insn {
	uint8_t bytes[15], fetched;
	uint8_t length;
	bool cs64;          /* fetched from a 64-bit code segment */
	bool opsize16;      /* 0x66 */
	bool addr32;        /* 0x67 */
	bool rep, lock;
	uint8_t seg;        /* segment override prefix, 0: none */
	uint8_t rex;        /* 0: none */
	uint16_t opcode;    /* 0x0fxx for two-byte opcodes */
	bool has_modrm;
	uint8_t modrm, reg, rm; /* reg and rm with REX's bits */
	bool mem;           /* rm is memory, at ea */
	uint64_t ea;
	uint8_t imm8;
};

/* 0, or -EFAULT (*fault: the address that could not be read), or -EINVAL: not one of these. */
int pv_decode(const struct cpu_user_regs *regs, struct pv_insn *in);
/* As pv_decode, the prefixes and the opcode alone. */
int pv_decode_opcode(const struct cpu_user_regs *regs, struct pv_insn *in);
uint64_t *pv_reg(struct cpu_user_regs *regs, unsigned int nr); /* 0 rax .. 15 r15 */
bool pv_insn_is_int(const struct cpu_user_regs *regs, uint8_t *vector);
bool pv_cs_is_64(uint16_t cs);

/* far.c. Boot, before a root is made. */
void pv_far_init(void);
/* A page fault taken by a guest: true if the instruction was to be done, or refused, here. */
bool pv_far_fault(struct cpu_user_regs *regs, uint32_t error_code);
/* What may be told the guest of the error code in regs, of a fault about a selector. */
uint32_t pv_far_error_code(const struct cpu_user_regs *regs);

/* emul_io.c. Virtual IOPL lets current use in, out, cli and sti. */
bool pv_iopl_allows(const struct vcpu *v);
/* in and out. true: done, rip not yet advanced. */
bool pv_emulate_io(struct cpu_user_regs *regs, const struct pv_insn *in);
/* The plainest forms for a guest kernel, all done here. */
bool pv_emulate_io_short(struct cpu_user_regs *regs);
#endif
