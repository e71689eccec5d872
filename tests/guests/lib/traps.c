/* SPDX-License-Identifier: MIT */
/* The virtual IDT, and catching of traps that a test provokes. */
#include "guest.h"

struct caught caught;
struct jmpbuf trap_jmp;
volatile bool trap_catching;
volatile uint32_t event_count;
void (*event_hook)(void);
static bool in_trap;

void trap_entry(struct regs *regs);

void trap_entry(struct regs *regs)
{
	if (regs->vector == VEC_EVENT) {
		my_vcpu_info()->evtchn_upcall_pending = 0;
		event_count++;
		if (event_hook)
			event_hook();
		return;
	}
	if (regs->rsp >= (uint64_t)secondary_stack && regs->rsp < (uint64_t)(secondary_stack + 1024) && secondary_fixup) {
		regs->rip = secondary_fixup;
		return;
	}
	if (trap_catching) {
		trap_catching = false;
		caught.vector = regs->vector;
		caught.error_code = regs->error_code;
		caught.rip = regs->rip;
		caught.cs = regs->cs;
		caught.cr2 = my_vcpu_info()->arch.cr2;
		caught.regs = *regs;
		guest_longjmp(&trap_jmp);
	}
	if (in_trap) { /* by the report of the first: no console */
		char line[120];
		int n = snprintf(line, sizeof(line), "TEST RESULT: ERROR %s: trap %lu at %#lx cr2 %#lx in a trap\n", test_name,
				 regs->vector, regs->rip, my_vcpu_info()->arch.cr2);

		hc_console_io(CONSOLEIO_write, n, line);
		hc_sched_op(SCHEDOP_shutdown, &(struct sched_shutdown){ .reason = SHUTDOWN_crash });
	}
	in_trap = true;
	test_error("unexpected trap %lu error %#lx at %#lx cr2 %#lx", regs->vector, regs->error_code, regs->rip,
		   my_vcpu_info()->arch.cr2);
	test_end();
}

static long register_callback(uint16_t type, void *entry)
{
	struct callback_register cb = { .type = type, .address = (unsigned long)entry };

	return hc_callback_op(CALLBACKOP_register, &cb);
}

void trap_setup(uint8_t int80_dpl)
{
	static struct trap_info table[257];
	unsigned int v;

	for (v = 0; v < 256; v++) {
		table[v].vector = v;
		table[v].cs = FLAT_KERNEL_CS;
		table[v].address = (unsigned long)trap_stubs + 16ul * v;
		/* DPL 3 where a kernel would: breakpoint, overflow; 0x80 as asked for; 0x41 the kernel alone. */
		table[v].flags = v == 3 || v == 4 ? 3 : v == 0x80 ? int80_dpl : v == 0x41 ? 1 : 0;
	}
	if (hc_set_trap_table(table) != 0 || register_callback(CALLBACKTYPE_event, event_callback) != 0 ||
	    register_callback(CALLBACKTYPE_failsafe, failsafe_callback) != 0 ||
	    register_callback(CALLBACKTYPE_syscall, syscall_callback) != 0)
		test_error("traps cannot be set up");
}
