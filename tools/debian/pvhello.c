// SPDX-License-Identifier: MIT
/* A module of the user's own, built for the guest's stock kernel: it says so when it is loaded. */
#include <linux/module.h>
#include <linux/utsname.h>

static int __init pvhello_init(void)
{
	pr_info("pvhello: loaded into %s\n", init_uts_ns.name.release);
	return 0;
}

static void __exit pvhello_exit(void)
{
	pr_info("pvhello: unloaded\n");
}

module_init(pvhello_init);
module_exit(pvhello_exit);
MODULE_LICENSE("Dual MIT/GPL");
MODULE_DESCRIPTION("Says hello");
