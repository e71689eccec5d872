// SPDX-License-Identifier: MIT

package pvctl

// #include "callbacks.h"
import "C"

import (
	"context"
	"time"
	"unsafe"
)

// NodeOptions of a node that is started: zero values are the library's defaults.
type NodeOptions struct {
	Name                                    string
	MemoryBytes                             uint64
	CPUs                                    uint32
	Accel                                   string // "auto", "kvm", "tcg"
	ICount                                  bool
	HVPath, HVCmdline, DaemonPath, QEMUPath string
	Timeout, SlowAfter                      time.Duration
	Overcommit, NoAutostart                 bool
	Limits                                  string
}

// NodeInfo is what is known of a node.
type NodeInfo struct {
	Name                               string
	Running                            bool // false: only left-over state
	PID, QEMUPID, SpawnerPID           uint32
	MemoryBytes                        uint64
	CPUs                               uint32
	Accel                              string
	StoreSocket, StateDir              string
	Uptime                             time.Duration
	Domains                            uint32
	Overcommit                         bool
	BackedBytes, QEMUResidentBytes     uint64
	HostAvailableBytes                 uint64 // 0: unknown
	Silent                             time.Duration
	QEMUConfinement, DaemonConfinement string
	DaemonRestarts                     uint32
	DaemonRestarted                    time.Time // zero: never
}

// StartNode starts one and returns when it serves. ErrExists: it runs already. opts may be nil.
func StartNode(opts *NodeOptions) error {
	if opts == nil {
		opts = &NodeOptions{}
	}
	o := C.struct_pvctl_node_start_opts{size: C.sizeof_struct_pvctl_node_start_opts, memory_bytes: C.uint64_t(opts.MemoryBytes),
		cpus: C.uint32_t(opts.CPUs), icount: flag(opts.ICount), timeout_ms: millis(opts.Timeout), slow_after_ms: millis(opts.SlowAfter),
		overcommit: flag(opts.Overcommit), no_autostart: flag(opts.NoAutostart)}
	for to, s := range map[**C.char]string{&o.name: opts.Name, &o.accel: opts.Accel, &o.hv_path: opts.HVPath, &o.hv_cmdline: opts.HVCmdline,
		&o.daemon_path: opts.DaemonPath, &o.qemu_path: opts.QEMUPath, &o.limits: opts.Limits} {
		*to = optional(s)
		defer freeText(*to)
	}
	return call("node start", func(e *C.struct_pvctl_error) C.int { return C.pvctl_node_start(&o, e) })
}

// RestartDaemon lets another daemon take over while the domains run on. Timeout 0: 30 s.
func RestartDaemon(node string, timeout time.Duration) error {
	name := optional(node)
	defer freeText(name)
	return call("node restart", func(e *C.struct_pvctl_error) C.int { return C.pvctl_node_restart_daemon(name, millis(timeout), e) })
}

// StopNode ends it, and its domains at once. Timeout 0: 30 s.
func StopNode(node string, timeout time.Duration) error {
	name := optional(node)
	defer freeText(name)
	return call("node stop", func(e *C.struct_pvctl_error) C.int { return C.pvctl_node_stop(name, millis(timeout), e) })
}

func nodeInfo(n *C.struct_pvctl_node_info) NodeInfo {
	return NodeInfo{Name: C.GoString(&n.name[0]), Running: n.running != 0, PID: uint32(n.pid), QEMUPID: uint32(n.qemu_pid),
		SpawnerPID: uint32(n.spawner_pid), MemoryBytes: uint64(n.memory_bytes), CPUs: uint32(n.cpus), Accel: C.GoString(&n.accel[0]),
		StoreSocket: C.GoString(&n.store_socket[0]), StateDir: C.GoString(&n.state_dir[0]), Uptime: duration(n.uptime_ns),
		Domains: uint32(n.domains), Overcommit: n.overcommit != 0, BackedBytes: uint64(n.backed_bytes),
		QEMUResidentBytes: uint64(n.qemu_resident_bytes), HostAvailableBytes: uint64(n.host_available_bytes), Silent: duration(n.silent_ns),
		QEMUConfinement: C.GoString(&n.qemu_confinement[0]), DaemonConfinement: C.GoString(&n.daemon_confinement[0]),
		DaemonRestarts: uint32(n.daemon_restarts), DaemonRestarted: unixTime(n.daemon_restarted_unix_ns)}
}

// GetNode tells of one node. "" is the default one.
func GetNode(node string) (info NodeInfo, err error) {
	name := optional(node)
	defer freeText(name)
	n := C.struct_pvctl_node_info{size: C.sizeof_struct_pvctl_node_info}
	if err = call("node", func(e *C.struct_pvctl_error) C.int { return C.pvctl_node_get(name, &n, e) }); err == nil {
		info = nodeInfo(&n)
	}
	return
}

// Nodes lists those of this user.
func Nodes() ([]NodeInfo, error) {
	var list *C.struct_pvctl_node_list
	if err := call("nodes", func(e *C.struct_pvctl_error) C.int { return C.pvctl_node_list(&list, e) }); err != nil {
		return nil, err
	}
	defer C.pvctl_node_list_free(list)
	all := make([]NodeInfo, 0, int(C.pvctl_node_list_count(list)))
	for i := 0; i < cap(all); i++ {
		all = append(all, nodeInfo(C.pvctl_node_list_at(list, C.size_t(i))))
	}
	return all, nil
}

// Paths is where a node has its things, whether it runs or not.
type Paths struct{ RunBase, RunDir, StateDir, CacheDir, Daemon, Hypervisor string }

// GetPaths of a node.
func GetPaths(node string) (paths Paths, err error) {
	name := optional(node)
	defer freeText(name)
	p := C.struct_pvctl_paths{size: C.sizeof_struct_pvctl_paths}
	if err = call("paths", func(e *C.struct_pvctl_error) C.int { return C.pvctl_paths_get(name, &p, e) }); err == nil {
		paths = Paths{C.GoString(&p.run_base[0]), C.GoString(&p.run_dir[0]), C.GoString(&p.state_dir[0]), C.GoString(&p.cache_dir[0]),
			C.GoString(&p.daemon[0]), C.GoString(&p.hypervisor[0])}
	}
	return
}

// Defined is a domain that a node knows while it does not run.
type Defined struct {
	Name      string
	Autostart bool
	Order     uint32
	Delay     time.Duration
}

// Define keeps a configuration under its name.
func Define(node string, config *Config) error {
	name := optional(node)
	defer freeText(name)
	return config.use(func(p *C.struct_pvctl_config) error {
		return ofConfig(p, call("define", func(e *C.struct_pvctl_error) C.int { return C.pvctl_defined_set(name, p, e) }))
	})
}

// Undefine forgets it. ErrNotFound: it is not defined.
func Undefine(node, domain string) error {
	n, d := optional(node), C.CString(domain)
	defer freeText(n)
	defer freeText(d)
	return named(domain, call("undefine", func(e *C.struct_pvctl_error) C.int { return C.pvctl_defined_remove(n, d, e) }))
}

// DefinedConfig is what was defined.
func DefinedConfig(node, domain string) (*Config, error) {
	n, d := optional(node), C.CString(domain)
	defer freeText(n)
	defer freeText(d)
	var p *C.struct_pvctl_config
	if err := call("defined", func(e *C.struct_pvctl_error) C.int { return C.pvctl_defined_get(n, d, &p, e) }); err != nil {
		return nil, named(domain, err)
	}
	return ownConfig(p), nil
}

// Autostart says whether it starts with its node, and when: nil leaves order or delay as it is.
func Autostart(node, domain string, on bool, order *int, delay *time.Duration) error {
	n, d := optional(node), C.CString(domain)
	defer freeText(n)
	defer freeText(d)
	o := C.struct_pvctl_autostart_opts{size: C.sizeof_struct_pvctl_autostart_opts, autostart: flag(on), order: -1, delay_ms: -1}
	if order != nil {
		if *order < 0 || *order > 1<<30 {
			return named(domain, wrong("autostart", "an order is 0 to 9999, not %d", *order))
		}
		o.order = C.int32_t(*order)
	}
	if delay != nil {
		if *delay < 0 || *delay > 24*time.Hour {
			return named(domain, wrong("autostart", "a delay is at most an hour, not %v", *delay))
		}
		o.delay_ms = C.int32_t(*delay / time.Millisecond)
	}
	return named(domain, call("autostart", func(e *C.struct_pvctl_error) C.int { return C.pvctl_defined_autostart(n, d, &o, e) }))
}

// ListDefined is in the order in which they start.
func ListDefined(node string) ([]Defined, error) {
	name := optional(node)
	defer freeText(name)
	var list *C.struct_pvctl_defined_list
	if err := call("defined", func(e *C.struct_pvctl_error) C.int { return C.pvctl_defined_list(name, &list, e) }); err != nil {
		return nil, err
	}
	defer C.pvctl_defined_list_free(list)
	all := make([]Defined, 0, int(C.pvctl_defined_list_count(list)))
	for i := 0; i < cap(all); i++ {
		d := C.pvctl_defined_list_at(list, C.size_t(i))
		all = append(all, Defined{C.GoString(&d.name[0]), d.autostart != 0, uint32(d.order), time.Duration(d.delay_ms) * time.Millisecond})
	}
	return all, nil
}

// Host is the machine that the domains see, and its hypervisor.
type Host struct {
	HVVersion, HVExtra, HVCapabilities, HVCompiler, HVDate, HVChangeset, HVCommandline string
	HVMajor, HVMinor, PageSizeBytes                                                    uint32
	VirtStart                                                                          uint64
	CPUs, MaxCPUID, NUMANodes, CoresPerSocket, ThreadsPerCore, CPUKHz                  uint32
	TotalBytes, FreeBytes, OutstandingBytes, ScrubBytes, ReclaimableBytes              uint64
	HWCap                                                                              [8]uint32
	FreeCPU                                                                            []time.Duration // of each CPU
	Scheduler                                                                          string
	PVH                                                                                bool // it can run such domains
}

// Host tells of the node's machine.
func (c *Conn) Host(ctx context.Context) (host Host, err error) {
	h := C.struct_pvctl_host_info{size: C.sizeof_struct_pvctl_host_info}
	err = c.do(ctx, "host", func(n *C.struct_pvctl, e *C.struct_pvctl_error) C.int { return C.pvctl_host_get(n, &h, e) })
	if err != nil {
		return
	}
	host = Host{HVVersion: C.GoString(&h.hv_version[0]), HVExtra: C.GoString(&h.hv_extra[0]), HVCapabilities: C.GoString(&h.hv_caps[0]),
		HVCompiler: C.GoString(&h.hv_compiler[0]), HVDate: C.GoString(&h.hv_date[0]), HVChangeset: C.GoString(&h.hv_changeset[0]),
		HVCommandline: C.GoString(&h.hv_commandline[0]), HVMajor: uint32(h.hv_major), HVMinor: uint32(h.hv_minor),
		PageSizeBytes: uint32(h.page_size), VirtStart: uint64(h.virt_start), CPUs: uint32(h.cpus), MaxCPUID: uint32(h.max_cpu_id),
		NUMANodes: uint32(h.nodes), CoresPerSocket: uint32(h.cores_per_socket), ThreadsPerCore: uint32(h.threads_per_core),
		CPUKHz: uint32(h.cpu_khz), TotalBytes: uint64(h.total_bytes), FreeBytes: uint64(h.free_bytes),
		OutstandingBytes: uint64(h.outstanding_bytes), ScrubBytes: uint64(h.scrub_bytes), ReclaimableBytes: uint64(h.reclaimable_bytes),
		Scheduler: C.GoString(&h.scheduler[0]),
		PVH:       h.virt_caps&(C.PVCTL_VIRT_HVM|C.PVCTL_VIRT_HAP) == C.PVCTL_VIRT_HVM|C.PVCTL_VIRT_HAP}
	for i, word := range h.hw_cap {
		host.HWCap[i] = uint32(word)
	}
	for i := 0; i < len(h.free_cpu_ns) && i < int(h.cpus); i++ {
		host.FreeCPU = append(host.FreeCPU, duration(h.free_cpu_ns[i]))
	}
	return
}

// Dmesg is the hypervisor's log so far.
func (c *Conn) Dmesg(ctx context.Context, clear bool) (text string, err error) {
	var s *C.char
	err = c.do(ctx, "dmesg", func(n *C.struct_pvctl, e *C.struct_pvctl_error) C.int {
		return C.pvctl_host_dmesg(n, C.int(flag(clear)), &s, e)
	})
	if err == nil {
		text = taken(s)
	}
	return
}

// DebugKeys lets the hypervisor say things in its log; "h" lists the letters.
func (c *Conn) DebugKeys(ctx context.Context, keys string) error {
	k := C.CString(keys)
	defer freeText(k)
	return keyed(keys, c.do(ctx, "debug-keys", func(n *C.struct_pvctl, e *C.struct_pvctl_error) C.int { return C.pvctl_host_debug_keys(n, k, e) }))
}

// SetParameter changes one of the hypervisor's, while the node runs: "serial", "guest_lines". ErrNotFound: there is no such.
func (c *Conn) SetParameter(ctx context.Context, name string, value uint32) error {
	k := C.CString(name)
	defer freeText(k)
	return keyed(name, c.do(ctx, "set-parameters", func(n *C.struct_pvctl, e *C.struct_pvctl_error) C.int {
		return C.pvctl_host_set_parameter(n, k, C.uint32_t(value), e)
	}))
}

// StoreRead reads a value of the store.
func (c *Conn) StoreRead(ctx context.Context, path string) (value []byte, err error) {
	k := C.CString(path)
	defer freeText(k)
	var s *C.char
	var size C.size_t
	err = c.do(ctx, "store read", func(n *C.struct_pvctl, e *C.struct_pvctl_error) C.int { return C.pvctl_store_read(n, k, &s, &size, e) })
	if err == nil {
		defer C.pvctl_free(unsafe.Pointer(s))
		value = C.GoBytes(unsafe.Pointer(s), C.int(size))
	}
	return value, keyed(path, err)
}

// StoreWrite writes one.
func (c *Conn) StoreWrite(ctx context.Context, path string, value []byte) error {
	k, v := C.CString(path), C.CBytes(value)
	defer freeText(k)
	defer C.free(v)
	return keyed(path, c.do(ctx, "store write", func(n *C.struct_pvctl, e *C.struct_pvctl_error) C.int {
		return C.pvctl_store_write(n, k, v, C.size_t(len(value)), e)
	}))
}

// StoreRemove removes a path and what is below it.
func (c *Conn) StoreRemove(ctx context.Context, path string) error {
	k := C.CString(path)
	defer freeText(k)
	return keyed(path, c.do(ctx, "store rm", func(n *C.struct_pvctl, e *C.struct_pvctl_error) C.int { return C.pvctl_store_rm(n, k, e) }))
}
