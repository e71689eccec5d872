// SPDX-License-Identifier: MIT

package pvctl

// #include "callbacks.h"
//
// // All of a list by one call: each has its price.
// static void pvctl_go_domains(const struct pvctl_domain_list *list, const struct pvctl_domain_info **into, size_t n)
// {
// 	for (size_t i = 0; i < n; i++)
// 		into[i] = pvctl_domain_list_at(list, i);
// }
import "C"

import (
	"bytes"
	"context"
	"fmt"
	"strings"
	"time"
	"unsafe"
)

// RunState is what a domain does.
type RunState uint32

const (
	Running  RunState = C.PVCTL_STATE_RUNNING
	Blocked  RunState = C.PVCTL_STATE_BLOCKED
	Paused   RunState = C.PVCTL_STATE_PAUSED
	Shutdown RunState = C.PVCTL_STATE_SHUTDOWN
	Dying    RunState = C.PVCTL_STATE_DYING
)

func (s RunState) String() string {
	return nameOf(int(s), "running", "blocked", "paused", "shutdown", "dying")
}

// Reason is why a domain shut down.
type Reason int32

const (
	ReasonNone      Reason = C.PVCTL_REASON_NONE // it has not, or it was destroyed
	ReasonPoweroff  Reason = C.PVCTL_REASON_POWEROFF
	ReasonReboot    Reason = C.PVCTL_REASON_REBOOT
	ReasonSuspend   Reason = C.PVCTL_REASON_SUSPEND
	ReasonCrash     Reason = C.PVCTL_REASON_CRASH
	ReasonWatchdog  Reason = C.PVCTL_REASON_WATCHDOG
	ReasonSoftReset Reason = C.PVCTL_REASON_SOFT_RESET
)

func (r Reason) String() string {
	return nameOf(int(r)+1, "none", "poweroff", "reboot", "suspend", "crash", "watchdog", "soft-reset")
}

func nameOf(i int, names ...string) string {
	if i >= 0 && i < len(names) {
		return names[i]
	}
	return fmt.Sprint(i)
}

// UUID of a domain.
type UUID [16]byte

func (u UUID) String() string {
	return fmt.Sprintf("%x-%x-%x-%x-%x", u[:4], u[4:6], u[6:8], u[8:10], u[10:])
}

// DomainInfo is what is known of a domain.
type DomainInfo struct {
	ID                                            uint32
	UniqueID                                      uint64 // never given twice by a node
	Name                                          string
	UUID                                          UUID
	State                                         RunState
	Reason                                        Reason
	Crashed, Kept                                 bool
	CPUTime                                       time.Duration
	MemoryBytes, MaxMemoryBytes, OutstandingBytes uint64
	VCPUsOnline, VCPUsMax                         uint32
	Created                                       time.Time
	PVH                                           bool // else PV
}

func domainInfo(d *C.struct_pvctl_domain_info) (info DomainInfo) {
	info.fill(d)
	info.Name = C.GoString(&d.name[0])
	return
}

// fill leaves out the name.
func (info *DomainInfo) fill(d *C.struct_pvctl_domain_info) {
	info.ID, info.UniqueID = uint32(d.domid), uint64(d.unique_id)
	info.UUID = *(*UUID)(unsafe.Pointer(&d.uuid))
	info.State, info.Reason = RunState(d.state), Reason(d.reason)
	info.Crashed, info.Kept = d.flags&(1<<5) != 0, d.flags&(1<<6) != 0
	info.CPUTime = duration(d.cpu_ns)
	info.MemoryBytes, info.MaxMemoryBytes, info.OutstandingBytes = uint64(d.memory_bytes), uint64(d.max_memory_bytes), uint64(d.outstanding_bytes)
	info.VCPUsOnline, info.VCPUsMax = uint32(d.vcpus_online), uint32(d.vcpus_max)
	info.Created = unixTime(d.created_unix_ns)
	info.PVH = d._type == C.PVCTL_TYPE_PVH
}

// Domain is one domain of a connection's node. It is a number, and no handle: the domain may be gone, which is ErrNoDomain.
type Domain struct {
	conn *Conn
	ID   uint32
}

// Domain by its number; nothing is looked up.
func (c *Conn) Domain(id uint32) Domain { return Domain{c, id} }

// Lookup finds a domain by its name. ErrNoDomain: there is none.
func (c *Conn) Lookup(ctx context.Context, name string) (Domain, error) {
	k := C.CString(name)
	defer freeText(k)
	d, err := c.domainOf(ctx, "lookup", func(n *C.struct_pvctl, id *C.uint32_t, e *C.struct_pvctl_error) C.int {
		return C.pvctl_domain_lookup(n, k, id, e)
	})
	return d, named(name, err)
}

func (c *Conn) domainOf(ctx context.Context, op string, f func(n *C.struct_pvctl, id *C.uint32_t, e *C.struct_pvctl_error) C.int) (Domain, error) {
	var id C.uint32_t
	if err := c.do(ctx, op, func(n *C.struct_pvctl, e *C.struct_pvctl_error) C.int { return f(n, &id, e) }); err != nil {
		return Domain{}, err
	}
	return Domain{c, uint32(id)}, nil
}

// CreateOptions of a new domain.
type CreateOptions struct {
	Paused    bool
	BootEntry string // with a bootloader: this entry of the disk's menu, for this start alone
}

// Create makes a domain and starts it. opts may be nil.
func (c *Conn) Create(ctx context.Context, config *Config, opts *CreateOptions) (d Domain, err error) {
	if opts == nil {
		opts = &CreateOptions{}
	}
	entry := optional(opts.BootEntry)
	defer freeText(entry)
	o := C.struct_pvctl_create_opts{size: C.sizeof_struct_pvctl_create_opts, paused: flag(opts.Paused), boot_entry: entry}
	err = config.use(func(p *C.struct_pvctl_config) error {
		d, err = c.domainOf(ctx, "create", func(n *C.struct_pvctl, id *C.uint32_t, e *C.struct_pvctl_error) C.int {
			return C.pvctl_domain_create(n, p, &o, id, e)
		})
		return ofConfig(p, err)
	})
	return
}

// Domains lists them all, domain 0 first.
func (c *Conn) Domains(ctx context.Context) ([]DomainInfo, error) {
	var list *C.struct_pvctl_domain_list
	err := c.do(ctx, "list", func(n *C.struct_pvctl, e *C.struct_pvctl_error) C.int { return C.pvctl_domain_list(n, &list, e) })
	if err != nil {
		return nil, err
	}
	defer C.pvctl_domain_list_free(list)
	n := int(C.pvctl_domain_list_count(list))
	if n == 0 {
		return nil, nil
	}
	from, all := make([]*C.struct_pvctl_domain_info, n), make([]DomainInfo, n)
	C.pvctl_go_domains(list, &from[0], C.size_t(n))
	// One piece of memory for most of the names, and not one for each.
	var names strings.Builder
	names.Grow(16 * n)
	for i, d := range from {
		all[i].fill(d)
		name, start := (*[len(d.name)]byte)(unsafe.Pointer(&d.name)), names.Len()
		names.Write(name[:bytes.IndexByte(name[:], 0)])
		all[i].Name = names.String()[start:]
	}
	return all, nil
}

// Ended is a domain that is gone, and whose console is kept yet.
type Ended struct {
	ID     uint32
	Reason Reason // ReasonNone: it was destroyed
	Ended  time.Time
	Name   string
}

// Ended is the last one with this name or, where that is "", number. ErrNoDomain: none.
func (c *Conn) Ended(ctx context.Context, name string, id uint32) (ended Ended, err error) {
	k := optional(name)
	defer freeText(k)
	r := C.struct_pvctl_ended{size: C.sizeof_struct_pvctl_ended}
	err = c.do(ctx, "ended", func(n *C.struct_pvctl, e *C.struct_pvctl_error) C.int {
		return C.pvctl_domain_ended(n, k, C.uint32_t(id), &r, e)
	})
	if err == nil {
		ended = Ended{uint32(r.domid), Reason(r.reason), unixTime(r.ended_unix_ns), C.GoString(&r.name[0])}
	}
	if name == "" {
		name = fmt.Sprint(id)
	}
	return ended, named(name, err)
}

// do is Conn.do for one domain.
func (d Domain) do(ctx context.Context, op string, f func(n *C.struct_pvctl, id C.uint32_t, e *C.struct_pvctl_error) C.int) error {
	if d.conn == nil {
		return ErrClosed
	}
	return d.about(d.conn.do(ctx, op, func(n *C.struct_pvctl, e *C.struct_pvctl_error) C.int { return f(n, C.uint32_t(d.ID), e) }))
}

func (d Domain) about(err error) error {
	if err == nil {
		return nil
	}
	return named(fmt.Sprint(d.ID), err)
}

// Destroy ends it at once, whichever has the number.
func (d Domain) Destroy(ctx context.Context) error { return d.DestroyUnique(ctx, 0) }

// DestroyUnique ends it if it still is the one with this DomainInfo.UniqueID.
func (d Domain) DestroyUnique(ctx context.Context, uniqueID uint64) error {
	o := C.struct_pvctl_destroy_opts{size: C.sizeof_struct_pvctl_destroy_opts, unique_id: C.uint64_t(uniqueID)}
	return d.do(ctx, "destroy", func(n *C.struct_pvctl, id C.uint32_t, e *C.struct_pvctl_error) C.int {
		return C.pvctl_domain_destroy(n, id, &o, e)
	})
}

// Pause stops its vCPUs.
func (d Domain) Pause(ctx context.Context) error {
	return d.do(ctx, "pause", func(n *C.struct_pvctl, id C.uint32_t, e *C.struct_pvctl_error) C.int {
		return C.pvctl_domain_pause(n, id, e)
	})
}

// Unpause lets them run.
func (d Domain) Unpause(ctx context.Context) error {
	return d.do(ctx, "unpause", func(n *C.struct_pvctl, id C.uint32_t, e *C.struct_pvctl_error) C.int {
		return C.pvctl_domain_unpause(n, id, e)
	})
}

// Suspend lets the guest let go of its devices and stand still. The connection holds it: closed before KeepSuspended, the domain goes on.
// Timeout 0: 60 s.
func (d Domain) Suspend(ctx context.Context, timeout time.Duration) error {
	return d.do(ctx, "suspend", func(n *C.struct_pvctl, id C.uint32_t, e *C.struct_pvctl_error) C.int {
		return C.pvctl_domain_suspend(n, id, millis(timeout), e)
	})
}

// KeepSuspended lets it stay so until somebody resumes or destroys it.
func (d Domain) KeepSuspended(ctx context.Context) error {
	return d.do(ctx, "suspend", func(n *C.struct_pvctl, id C.uint32_t, e *C.struct_pvctl_error) C.int {
		return C.pvctl_domain_keep_suspended(n, id, e)
	})
}

// ReleaseDisks of a suspended domain: another node may open them.
func (d Domain) ReleaseDisks(ctx context.Context) error {
	return d.do(ctx, "release disks", func(n *C.struct_pvctl, id C.uint32_t, e *C.struct_pvctl_error) C.int {
		return C.pvctl_domain_release_disks(n, id, e)
	})
}

// Resume lets a suspended domain go on.
func (d Domain) Resume(ctx context.Context) error {
	return d.do(ctx, "resume", func(n *C.struct_pvctl, id C.uint32_t, e *C.struct_pvctl_error) C.int {
		return C.pvctl_domain_resume(n, id, e)
	})
}

// Request asks the guest: "poweroff", "reboot", "halt", "suspend". It returns when it was asked.
func (d Domain) Request(ctx context.Context, what string) error {
	k := C.CString(what)
	defer freeText(k)
	return keyed(what, d.do(ctx, what, func(n *C.struct_pvctl, id C.uint32_t, e *C.struct_pvctl_error) C.int {
		return C.pvctl_domain_request(n, id, k, e)
	}))
}

// Wait until it has shut down, or is gone (ReasonNone). Timeout 0: for ever.
func (d Domain) Wait(ctx context.Context, timeout time.Duration) (Reason, error) {
	var reason C.int32_t
	err := d.do(ctx, "wait", func(n *C.struct_pvctl, id C.uint32_t, e *C.struct_pvctl_error) C.int {
		return C.pvctl_domain_wait(n, id, millis(timeout), &reason, e)
	})
	if err != nil {
		return ReasonNone, err
	}
	return Reason(reason), nil
}

// Info of it.
func (d Domain) Info(ctx context.Context) (info DomainInfo, err error) {
	r := C.struct_pvctl_domain_info{size: C.sizeof_struct_pvctl_domain_info}
	err = d.do(ctx, "domain", func(n *C.struct_pvctl, id C.uint32_t, e *C.struct_pvctl_error) C.int {
		return C.pvctl_domain_get(n, id, &r, e)
	})
	if err == nil {
		info = domainInfo(&r)
	}
	return
}

// Config it has.
func (d Domain) Config(ctx context.Context) (*Config, error) {
	if d.conn == nil {
		return nil, ErrClosed
	}
	config, err := d.conn.configOf(ctx, "config", func(n *C.struct_pvctl, ret **C.struct_pvctl_config, e *C.struct_pvctl_error) C.int {
		return C.pvctl_domain_config(n, C.uint32_t(d.ID), ret, e)
	})
	return config, d.about(err)
}

// SetConfig is what it will be from its next restart on.
func (d Domain) SetConfig(ctx context.Context, config *Config) error {
	return config.use(func(p *C.struct_pvctl_config) error {
		return d.do(ctx, "set config", func(n *C.struct_pvctl, id C.uint32_t, e *C.struct_pvctl_error) C.int {
			return C.pvctl_domain_set_config(n, id, p, e)
		})
	})
}

// Rename it.
func (d Domain) Rename(ctx context.Context, name string) error {
	k := C.CString(name)
	defer freeText(k)
	return d.do(ctx, "rename", func(n *C.struct_pvctl, id C.uint32_t, e *C.struct_pvctl_error) C.int {
		return C.pvctl_domain_rename(n, id, k, e)
	})
}

// VCPU is one of its virtual CPUs. Affinities have a bit for each CPU of the node.
type VCPU struct {
	Number                     uint32
	Online, Blocked, Running   bool
	CPU                        uint32 // where it runs, or ran last
	CPUTime                    time.Duration
	HardAffinity, SoftAffinity uint64
}

// VCPUs lists them.
func (d Domain) VCPUs(ctx context.Context) ([]VCPU, error) {
	var list *C.struct_pvctl_vcpu_list
	err := d.do(ctx, "vcpus", func(n *C.struct_pvctl, id C.uint32_t, e *C.struct_pvctl_error) C.int {
		return C.pvctl_vcpu_list(n, id, &list, e)
	})
	if err != nil {
		return nil, err
	}
	defer C.pvctl_vcpu_list_free(list)
	all := make([]VCPU, 0, int(C.pvctl_vcpu_list_count(list)))
	for i := 0; i < cap(all); i++ {
		v := C.pvctl_vcpu_list_at(list, C.size_t(i))
		all = append(all, VCPU{uint32(v.vcpu), v.online != 0, v.blocked != 0, v.running != 0, uint32(v.cpu), duration(v.cpu_ns),
			uint64(v.hard_affinity), uint64(v.soft_affinity)})
	}
	return all, nil
}

// SetMemoryTarget asks the guest to have so much memory and limits it to that.
func (d Domain) SetMemoryTarget(ctx context.Context, bytes uint64) error {
	return keyed("memory", d.do(ctx, "memory target", func(n *C.struct_pvctl, id C.uint32_t, e *C.struct_pvctl_error) C.int {
		return C.pvctl_domain_set_memory_target(n, id, C.uint64_t(bytes), e)
	}))
}

// waitStep is how long a wait may be deaf to its context.
const waitStep = 200 * time.Millisecond

// WaitMemory waits until it has come to that, to within 1 MiB. Timeout 0: it looks once.
func (d Domain) WaitMemory(ctx context.Context, bytes uint64, timeout time.Duration) error {
	for end := time.Now().Add(timeout); ; {
		left := time.Until(end)
		step := left
		if step > waitStep {
			step = waitStep
		}
		if step < 0 {
			step = 0
		}
		err := d.do(ctx, "memory", func(n *C.struct_pvctl, id C.uint32_t, e *C.struct_pvctl_error) C.int {
			return C.pvctl_domain_wait_memory(n, id, C.uint64_t(bytes), millis(step), e)
		})
		if e, ok := err.(*Error); !ok || e.Errno != ErrTimeout || left <= waitStep {
			return keyed("memory", err)
		}
	}
}

// SetMemoryMax is the limit alone.
func (d Domain) SetMemoryMax(ctx context.Context, bytes uint64) error {
	return keyed("maxmem", d.do(ctx, "memory max", func(n *C.struct_pvctl, id C.uint32_t, e *C.struct_pvctl_error) C.int {
		return C.pvctl_domain_set_memory_max(n, id, C.uint64_t(bytes), e)
	}))
}

// SetVCPUs asks the guest to use vCPUs 0 to count - 1.
func (d Domain) SetVCPUs(ctx context.Context, count uint32) error {
	return keyed("vcpus", d.do(ctx, "vcpus", func(n *C.struct_pvctl, id C.uint32_t, e *C.struct_pvctl_error) C.int {
		return C.pvctl_domain_set_vcpus(n, id, C.uint32_t(count), e)
	}))
}

// SetAffinity says where a vCPU may run (hard) and should run (soft); nil: as it is.
func (d Domain) SetAffinity(ctx context.Context, vcpu uint32, hard, soft *uint64) error {
	return keyed("cpus", d.do(ctx, "affinity", func(n *C.struct_pvctl, id C.uint32_t, e *C.struct_pvctl_error) C.int {
		return C.pvctl_vcpu_set_affinity(n, id, C.uint32_t(vcpu), (*C.uint64_t)(hard), (*C.uint64_t)(soft), e)
	}))
}

// ParseCPUs reads "all", "0-3,^1", "node:0" as a mask.
func ParseCPUs(text string) (mask uint64, err error) {
	k := C.CString(text)
	defer freeText(k)
	var m C.uint64_t
	err = call("cpus", func(e *C.struct_pvctl_error) C.int { return C.pvctl_cpus_parse(k, &m, e) })
	return uint64(m), keyed("cpus", err)
}

// Sched is its share of the CPUs. Cap is in percent of one CPU; 0: none.
type Sched struct{ Weight, CapPercent uint32 }

// Sched of it.
func (d Domain) Sched(ctx context.Context) (Sched, error) {
	var weight, limit C.uint32_t
	err := d.do(ctx, "sched", func(n *C.struct_pvctl, id C.uint32_t, e *C.struct_pvctl_error) C.int {
		return C.pvctl_domain_get_sched(n, id, &weight, &limit, e)
	})
	return Sched{uint32(weight), uint32(limit)}, err
}

// Grants are the pages that its grant table has grown to, and the most that it may have.
type Grants struct{ Pages, MaxPages uint32 }

// Grants of it.
func (d Domain) Grants(ctx context.Context) (Grants, error) {
	var pages, most C.uint32_t
	err := d.do(ctx, "grants", func(n *C.struct_pvctl, id C.uint32_t, e *C.struct_pvctl_error) C.int {
		return C.pvctl_domain_get_grants(n, id, &pages, &most, e)
	})
	return Grants{uint32(pages), uint32(most)}, err
}

// SetSched changes it; -1 leaves a number as it is.
func (d Domain) SetSched(ctx context.Context, weight, capPercent int32) error {
	return keyed("cpu_weight", d.do(ctx, "sched", func(n *C.struct_pvctl, id C.uint32_t, e *C.struct_pvctl_error) C.int {
		return C.pvctl_domain_set_sched(n, id, C.int32_t(weight), C.int32_t(capPercent), e)
	}))
}

// SysRq is a magic letter for the guest's kernel.
func (d Domain) SysRq(ctx context.Context, letter byte) error {
	return keyed(string(rune(letter)), d.do(ctx, "sysrq", func(n *C.struct_pvctl, id C.uint32_t, e *C.struct_pvctl_error) C.int {
		return C.pvctl_domain_sysrq(n, id, C.char(letter), e)
	}))
}
