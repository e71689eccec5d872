/* SPDX-License-Identifier: MIT */
/* `pvctl debug-keys`: what the hypervisor knows, to its log. */
#include "control/private.h"
#include "hvm/hvm.h"
#include "mm/page_alloc.h"
#include "sched/sched.h"

static void dump_vcpu(struct vcpu *v)
{
	printk("    v%u: cpu%u%s flags %x pause %u rip %#lx run %ld ms affinity %#lx\n", v->vcpu_id, v->processor,
	       v->sched.runstate == RUNSTATE_running ? " running" : "", v->pause_flags, v->pause_count, v->regs.rip,
	       (long)(vcpu_run_time(v) / 1000000), v->sched.hard_affinity);
}

static void dump_domains(void)
{
	struct domain *d;
	struct vcpu *v;
	unsigned int i;

	spin_lock(&domlist_lock);
	for (d = domain_first(); d != NULL; d = d->next) {
		printk("d%u: refs %u dying %u paused %u shut down %u(%u) pages %lu/%lu hv pages %lu\n", d->domid,
		       d->refcnt, d->is_dying, d->pause_count, d->is_shut_down, d->shutdown_code, d->tot_pages,
		       d->max_pages, d->xenheap_pages);
		if (d->relinquish_state != 0 || is_host_domain(d))
			continue;
		for_each_vcpu(d, v, i)
			dump_vcpu(v);
	}
	spin_unlock(&domlist_lock);
}

static void dump_cpus(void)
{
	unsigned int cpu;

	for_each_online_cpu(cpu)
		printk("cpu%u: idle %ld ms\n", cpu, (long)(vcpu_run_time(per_cpu(idle_vcpu, cpu)) / 1000000));
	dump_domains();
}

static void dump_memory(void)
{
	printk("memory: %lu pages free, %lu claimed\n", free_pages_total(), claimed_pages_total());
}

void debug_key(char key)
{
	printk("key '%c'\n", key >= ' ' && key <= '~' ? key : '?');
	switch (key) {
	case 'q':
		dump_domains();
		break;
	case 'l':
		longest_show();
		break;
	case 'r':
		dump_cpus();
		break;
	case 'm':
		dump_memory();
		break;
	case 'v':
		hvm_show_exits();
		break;
	case 't':
		audit_all();
		break;
	default:
		printk("keys: h this, l longest times (debug build), m memory, q domains, r CPUs, t tables and counts (stops all domains), v exits of PVH guests\n");
	}
}
