/* SPDX-License-Identifier: MIT */
#include "config/schema.h"

#include <string.h>

#define MIB_MAX (1024 * 1024)
#define VCPUS_MAX 32

#define TEXT(n, maxlen, fb, h) { .name = n, .kind = CFG_KIND_STRING, .max = maxlen, .fallback = fb, .help = h }
#define PATH(n, h) { .name = n, .kind = CFG_KIND_PATH, .max = 3000, .help = h }
#define NUMBER(n, lo, hi, fb, h) { .name = n, .kind = CFG_KIND_NUMBER, .min = lo, .max = hi, .fallback = fb, .help = h }
#define CHOICE(n, c, l, fb, h) \
	{ .name = n, .kind = CFG_KIND_CHOICE, .choices = c, .later = l, .fallback = fb, .help = h }
#define ACTION(n, fb, h) \
	CHOICE(n, "destroy restart rename-restart preserve coredump-destroy coredump-restart", "soft-reset", fb, h)
#define LATER(n, k, h) { .name = n, .kind = CFG_KIND_##k, .status = CFG_STATUS_LATER, .help = h }
#define IGNORED(n, h) { .name = n, .kind = CFG_KIND_ANY, .status = CFG_STATUS_IGNORED, .help = h }
/* Changes less than running the guest without it would; only what asks for it is told. */
#define WITHOUT(n, k, h) { .name = n, .kind = CFG_KIND_##k, .status = CFG_STATUS_IGNORED, .help = h }
#define NO_HVM "there are no emulated devices and no firmware: use type=\"pvh\" or \"pv\", which start a kernel directly"
#define HVM(n) IGNORED(n, "for HVM guests only")
#define ARM(n) IGNORED(n, "for Arm only")

/* A name that ends with `*' stands for all that begin so; the first row that fits counts. */
static const struct cfg_key keys[] = {
	TEXT("name", 127, NULL, "the domain's name; must be given and unique on the node"),
	{ .name = "type", .kind = CFG_KIND_CHOICE, .choices = "pv pvh auto", .later = "hvm", .fallback = "pv", .instead = NO_HVM,
	  .help = "kind of guest: pv; pvh, with page tables of its own, where the node can (pvctl info, virt_caps); auto: pvh where node and "
		  "kernel can, else pv" },
	TEXT("uuid", 36, "random", "identifier of the domain"),
	NUMBER("memory", 1, MIB_MAX, NULL, "memory at the start, in MiB; must be given"),
	NUMBER("maxmem", 1, MIB_MAX, "memory", "most memory the domain may ever have, in MiB"),
	NUMBER("vcpus", 1, VCPUS_MAX, "1", "virtual CPUs at the start"),
	NUMBER("maxvcpus", 1, VCPUS_MAX, "vcpus", "most virtual CPUs the domain may ever have"),
	PATH("kernel", "kernel image: bzImage or ELF, also compressed; without it, bootloader must be given"),
	{ .name = "bootloader", .kind = CFG_KIND_STRING, .max = 255,
	  .help = "pygrub or pvctl: takes kernel and ramdisk from the first disk, in a sandbox" },
	{ .name = "bootloader_args", .kind = CFG_KIND_TEXTS,
	  .help = "pygrub's options, a list or one text: --entry, --kernel, --ramdisk, --args, --offset, --interactive, --quiet" },
	NUMBER("bootloader_restrict", 0, 1, "1", "sandbox for the boot loader; 0 is refused"),
	TEXT("bootloader_user", 32, "nobody", "user that reads the disk in the sandbox, where pvctl runs as root"),
	CHOICE("firmware", "pvgrub64", "pvgrub32 bios uefi", NULL, "pvgrub64: GRUB runs in the domain and starts the kernel of its disk; instead of kernel"),
	PATH("ramdisk", "initial ramdisk"),
	TEXT("cmdline", 1023, NULL, "the kernel's command line; root and extra are not looked at then"),
	TEXT("root", 1023, NULL, "device of the root file system: makes root=VALUE on the command line"),
	TEXT("extra", 1023, NULL, "more for the kernel's command line"),
	ACTION("on_poweroff", "destroy", "what to do when the guest powers off"),
	ACTION("on_reboot", "restart", "what to do when the guest reboots"),
	ACTION("on_crash", "destroy", "what to do when the guest crashes"),
	ACTION("on_watchdog", "destroy", "what to do when the guest's watchdog runs out"),
	NUMBER("restart_limit", 0, 100, "5", "restarts within restart_window after which a domain that keeps crashing is kept, stopped; 0: no limit"),
	NUMBER("restart_window", 1, 86400, "60", "seconds in which restart_limit restarts count"),
	{ .name = "cpus", .kind = CFG_KIND_TEXTS, .fallback = "all",
	  .help = "CPUs of the node that may run the domain: `all', `0-3,^1'; a list has an entry for each vCPU" },
	{ .name = "cpus_soft", .kind = CFG_KIND_TEXTS, .fallback = "all",
	  .help = "CPUs of the node that should run the domain if they can; as cpus" },
	{ .name = "cpuid", .kind = CFG_KIND_TEXTS, .fallback = "host",
	  .help = "what it sees of the node's CPUs: `host,FEATURE=0,...', or a list of `LEAF:ecx=...' with 32 bits each" },
	{ .name = "vif", .kind = CFG_KIND_LIST, .help = "network interfaces, one text each: \"\" has all defaults, \"bridge=NAME\"" },
	{ .name = "disk", .kind = CFG_KIND_LIST, .help = "virtual disks, one text each: \"FILE,raw,xvda,rw\"" },
	{ .name = "p9", .kind = CFG_KIND_LIST, .help = "directories shared with the guest: \"tag=NAME,path=DIR,security_model=none\"" },
	{ .name = "channel", .kind = CFG_KIND_LIST, .help = "named byte streams: \"name=NAME,connection=pty|socket\"" },
	NUMBER("cpu_weight", 1, 65535, "256", "share of CPU time beside other domains"),
	NUMBER("cap", 0, 100 * VCPUS_MAX, "0", "most CPU time, in percent of one CPU; 0 is no limit"),
	NUMBER("max_event_channels", 8, 131071, "1023", "highest event channel the guest may have"),
	NUMBER("max_grant_frames", 1, 16384, "64", "pages of the grant table"),
	NUMBER("max_maptrack_frames", 0, 16384, "1024", "pages that track what the domain has mapped of others"),
	NUMBER("max_grant_version", 1, 2, "2", "newest grant table format"),
	{ .name = "xenstore_quota", .kind = CFG_KIND_LIST, .help = "what it may have in the store, one text each: \"nodes=2000\"" },
	NUMBER("localtime", 0, 1, "0", "1: its clock shows the host's local time at the start, not UTC"),
	NUMBER("rtc_timeoffset", 0, INT32_MAX, "0", "seconds that its clock is ahead of that"),
	NUMBER("nomigrate", 0, 1, "0", "1: it is not saved, moved or copied"),

	{ .name = "builder", .kind = CFG_KIND_CHOICE, .status = CFG_STATUS_OLD, .choices = "generic linux", .later = "hvm",
	  .instead = NO_HVM, .help = "old form of type=\"pv\"" },

	LATER("pci", LIST, "PCI devices given to the guest"),
	LATER("usbctrl", LIST, "USB controllers"),
	LATER("usbdev", LIST, "USB devices given to the guest"),
	LATER("vtpm", LIST, "virtual TPM"),
	LATER("pvcalls", LIST, "system calls for sockets passed to the host"),
	LATER("vdispl", LIST, "virtual displays"),
	LATER("vsnd", LIST, "virtual sound cards"),
	LATER("virtio", LIST, "virtio devices"),
	LATER("ioports", LIST, "I/O ports given to the guest"),
	LATER("iomem", LIST, "I/O memory given to the guest"),
	LATER("irqs", LIST, "interrupts given to the guest"),
	LATER("driver_domain", BOOL, "the guest may serve devices to others"),
	{ .name = "pool", .kind = CFG_KIND_CHOICE, .status = CFG_STATUS_OLD, .choices = "Pool-0",
	  .help = "there is one pool of CPUs" },
	LATER("pvh", BOOL, "old form of type=\"pvh\": write that"),
	LATER("pvshim", BOOL, "PV guest inside a PVH one"),

	WITHOUT("vfb", LIST, "no virtual screen yet: the guest runs without one, its console is pvctl console"),
	WITHOUT("vnc", BOOL, "no virtual screen yet: the guest runs without one, its console is pvctl console"),
	WITHOUT("sdl", BOOL, "no virtual screen yet: the guest runs without one, its console is pvctl console"),
	WITHOUT("vkb", LIST, "no virtual keyboards yet"),
	/* xl takes the number of a mode, too. */
	{ .name = "tsc_mode", .kind = CFG_KIND_STRING, .status = CFG_STATUS_IGNORED, .as_is = "default native 0 2",
	  .help = "the time stamp counter is native" },
	WITHOUT("e820_host", BOOL, "no PCI devices yet"),
	WITHOUT("nestedhvm", BOOL, "for HVM guests only"),
	IGNORED("vncautopass", "no virtual screen yet"),
	IGNORED("vnclisten", "no virtual screen yet"),
	IGNORED("vncdisplay", "no virtual screen yet"),
	IGNORED("vncunused", "no virtual screen yet"),
	IGNORED("vncpasswd", "no virtual screen yet"),
	IGNORED("keymap", "no virtual screen yet"),
	IGNORED("display", "no virtual screen yet"),
	IGNORED("xauthority", "no virtual screen yet"),
	IGNORED("opengl", "no virtual screen yet"),
	IGNORED("pci_permissive", "no PCI devices yet"),
	IGNORED("pci_seize", "no PCI devices yet"),
	IGNORED("pci_msitranslate", "no PCI devices yet"),
	IGNORED("pci_power_mgmt", "no PCI devices yet"),
	IGNORED("passthrough", "no PCI devices yet"),
	IGNORED("period", "the scheduler has no such parameter"),
	IGNORED("slice", "the scheduler has no such parameter"),
	IGNORED("latency", "the scheduler has no such parameter"),
	IGNORED("extratime", "the scheduler has no such parameter"),
	IGNORED("seclabel", "there are no security labels"),
	IGNORED("init_seclabel", "there are no security labels"),
	IGNORED("device_model_*", "there is no device model"),
	IGNORED("dm_restrict", "there is no device model"),
	IGNORED("shadow_memory", "page tables are not shadowed"),
	IGNORED("on_soft_reset", "for HVM guests only"),
	IGNORED("xend_suspend_evtchn_compat", "the guest is asked by the store, always"),
	IGNORED("suspend_cancel", "read from the kernel: it is always so"),
	IGNORED("vmtrace_buf_kb", "no tracing of guests"),
	IGNORED("msr_relaxed", "guests get #GP for unknown MSRs, as from Xen"),
	IGNORED("mca_caps", "machine checks are not shown to guests"),
	IGNORED("xenstore_feature_mask", "the store's features are fixed"),
	IGNORED("pvshim_*", "for PVH guests only"),
	IGNORED("hap", "for HVM and PVH guests only"),
	IGNORED("timer_mode", "for HVM and PVH guests only"),
	IGNORED("vnuma", "for HVM and PVH guests only"),
	IGNORED("oos", "for HVM and PVH guests only"),
	IGNORED("assisted_xapic", "for HVM and PVH guests only"),
	IGNORED("assisted_x2apic", "for HVM and PVH guests only"),
	HVM("boot"), HVM("bios"), HVM("bios_path_override"), HVM("hdtype"), HVM("vga"), HVM("stdvga"),
	HVM("videoram"), HVM("gfx_passthru"), HVM("spice*"), HVM("serial"), HVM("usb"), HVM("usbdevice"),
	HVM("usbversion"), HVM("soundhw"), HVM("acpi*"), HVM("apic"), HVM("hpet"), HVM("pae"), HVM("nx"),
	HVM("viridian"), HVM("altp2m*"), HVM("smbios*"), HVM("ms_vm_genid"), HVM("xen_platform_pci"),
	HVM("vendor_device"), HVM("rdm*"), HVM("mmio_hole"), HVM("stubdomain_*"), HVM("nographic"), HVM("vpt_align"),
	HVM("system_firmware"), HVM("dm_*"), HVM("nestedhvm_*"), HVM("vispice"), HVM("hvm_*"), HVM("vmx*"),
	ARM("gic_version"), ARM("vuart"), ARM("tee"), ARM("ffa*"), ARM("sve"), ARM("arm_sci"), ARM("llc_colors"),
	ARM("nr_spis"), ARM("dtdev"), ARM("device_tree"),
};

const struct cfg_key *cfg_key_at(size_t i)
{
	return i < sizeof(keys) / sizeof(keys[0]) ? &keys[i] : NULL;
}

static bool name_fits(const char *pattern, const char *name)
{
	size_t len = strlen(pattern);

	if (pattern[len - 1] == '*')
		return !strncmp(pattern, name, len - 1);
	return !strcmp(pattern, name);
}

const struct cfg_key *cfg_key_find(const char *name)
{
	const struct cfg_key *key;

	for (size_t i = 0; (key = cfg_key_at(i)); i++)
		if (name_fits(key->name, name))
			return key;
	return NULL;
}

const char *cfg_kind_name(enum cfg_kind kind)
{
	static const char *const names[] = {
		"text", "path", "choice", "number", "0 or 1", "list", "text or list", "-"
	};

	return names[kind];
}

const char *cfg_status_name(enum cfg_status status)
{
	static const char *const names[] = { "supported", "later", "ignored", "old" };

	return names[status];
}

/* xl takes an empty text for them as if they were not there. */
bool cfg_may_be_empty(const struct cfg_key *key)
{
	return key->kind == CFG_KIND_LIST || !strcmp(key->name, "ramdisk") || !strncmp(key->name, "cpus", 4) ||
	       !strcmp(key->name, "cpuid");
}
