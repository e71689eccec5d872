// SPDX-License-Identifier: MIT

package pvctl

// #include "callbacks.h"
import "C"

import (
	"context"
	"time"
	"unsafe"
)

// Snapshot is a domain's memory, devices and disks at one moment, on disk until it is deleted.
type Snapshot struct {
	Domain, Name, Description string
	Created                   time.Time
	MemoryBytes, DiskBytes    uint64 // of the file that has its memory; that its disks' files take on the host
	Disks                     uint32
	HasMemory                 bool
}

func snapshot(s *C.struct_pvctl_snapshot_info) Snapshot {
	return Snapshot{C.GoString(&s.domain[0]), C.GoString(&s.name[0]), C.GoString(&s.description[0]), unixTime(s.created_unix_ns),
		uint64(s.memory_bytes), uint64(s.disk_bytes), uint32(s.disks), s.has_memory != 0}
}

// SnapshotDisk is a disk of a snapshot.
type SnapshotDisk struct {
	VDev, Format              string // Format is that of File
	SizeBytes, AllocatedBytes uint64 // as the guest sees it; of File, on the host
	Overlay                   bool   // Disk is based on File; else File is a copy
	File, Disk                string // what the disk was then; what the domain writes, and a revert replaces
}

// SnapshotOptions of a snapshot that is made.
type SnapshotOptions struct {
	Description    string
	Disks          string // the directory for new files of disks; "": beside each image
	NoMemory       bool   // its disks alone
	SuspendTimeout time.Duration
	Say            func(line string) // what became of a disk
}

// SnapshotStats of a snapshot that was made. Bytes are those of its memory and devices.
type SnapshotStats struct {
	Name         string
	Total, Pause time.Duration
	Bytes        uint64
	Rounds       uint32
}

// Snapshot keeps what the domain is now, to go back to, and the domain goes on. Name "": by the time, as the result tells. There is none
// after a failure. opts may be nil.
func (d Domain) Snapshot(ctx context.Context, name string, opts *SnapshotOptions) (stats SnapshotStats, err error) {
	return opts.with(name, func(name *C.char, o *C.struct_pvctl_snapshot_opts, r *C.struct_pvctl_snapshot_stats) error {
		return d.do(ctx, "snapshot", func(n *C.struct_pvctl, id C.uint32_t, e *C.struct_pvctl_error) C.int {
			return C.pvctl_snapshot_create(n, id, name, o, r, e)
		})
	})
}

// SnapshotStopped keeps the disks of a domain that is defined and does not run; nobody can use them meanwhile. ErrBusy: it runs. No node
// needs to. opts may be nil.
func SnapshotStopped(node, domain, name string, opts *SnapshotOptions) (SnapshotStats, error) {
	k, of := optional(node), C.CString(domain)
	defer freeText(k)
	defer freeText(of)
	return opts.with(name, func(name *C.char, o *C.struct_pvctl_snapshot_opts, r *C.struct_pvctl_snapshot_stats) error {
		return named(domain, call("snapshot", func(e *C.struct_pvctl_error) C.int {
			return C.pvctl_snapshot_create_stopped(k, of, name, o, r, e)
		}))
	})
}

// with calls what makes a snapshot.
func (opts *SnapshotOptions) with(name string, f func(name *C.char, o *C.struct_pvctl_snapshot_opts, r *C.struct_pvctl_snapshot_stats) error) (
	stats SnapshotStats, err error) {
	if opts == nil {
		opts = &SnapshotOptions{}
	}
	cell := newCell(&MigrateOptions{Say: opts.Say})
	defer cell.free()
	k, text, disks := optional(name), optional(opts.Description), optional(opts.Disks)
	defer freeText(k)
	defer freeText(text)
	defer freeText(disks)
	o := C.struct_pvctl_snapshot_opts{size: C.sizeof_struct_pvctl_snapshot_opts, description: text, disks: disks,
		no_memory: flag(opts.NoMemory), suspend_timeout_ms: millis(opts.SuspendTimeout), say: (*[0]byte)(C.pvctl_go_say), say_data: cell.data()}
	r := C.struct_pvctl_snapshot_stats{size: C.sizeof_struct_pvctl_snapshot_stats}
	if err = f(k, &o, &r); err == nil {
		stats = SnapshotStats{C.GoString(&r.name[0]), duration(r.total_ns), duration(r.pause_ns), uint64(r.bytes), uint32(r.rounds)}
	}
	return stats, keyed(name, err)
}

// RevertOptions of a domain that goes back to a snapshot.
type RevertOptions struct{ Paused bool }

// Revert makes the domain what it was then; what it did since is lost. Domain.ID is 0 where it does not run: it did not, and the snapshot
// is of disks alone. opts may be nil.
func (c *Conn) Revert(ctx context.Context, domain, name string, opts *RevertOptions) (Domain, error) {
	if opts == nil {
		opts = &RevertOptions{}
	}
	o := C.struct_pvctl_snapshot_revert_opts{size: C.sizeof_struct_pvctl_snapshot_revert_opts, paused: flag(opts.Paused)}
	k, s := C.CString(domain), C.CString(name)
	defer freeText(k)
	defer freeText(s)
	d, err := c.domainOf(ctx, "revert", func(n *C.struct_pvctl, id *C.uint32_t, e *C.struct_pvctl_error) C.int {
		return C.pvctl_snapshot_revert(n, k, s, &o, id, e)
	})
	return d, named(domain, keyed(name, err))
}

// Snapshots lists those of a domain, by time, and those of all where domain is "". No node needs to run, as for all that follows.
func Snapshots(node, domain string) ([]Snapshot, error) {
	k, of := optional(node), optional(domain)
	defer freeText(k)
	defer freeText(of)
	var list *C.struct_pvctl_snapshot_list
	if err := call("snapshots", func(e *C.struct_pvctl_error) C.int { return C.pvctl_snapshot_list(k, of, &list, e) }); err != nil {
		return nil, named(domain, err)
	}
	defer C.pvctl_snapshot_list_free(list)
	all := make([]Snapshot, 0, int(C.pvctl_snapshot_list_count(list)))
	for i := 0; i < cap(all); i++ {
		all = append(all, snapshot(C.pvctl_snapshot_list_at(list, C.size_t(i))))
	}
	return all, nil
}

// ofSnapshot calls what takes the names of a node, a domain and a snapshot.
func ofSnapshot(node, domain, name string, f func(node, domain, name *C.char, e *C.struct_pvctl_error) C.int) error {
	k, of, s := optional(node), C.CString(domain), C.CString(name)
	defer freeText(k)
	defer freeText(of)
	defer freeText(s)
	err := call("snapshot", func(e *C.struct_pvctl_error) C.int { return f(k, of, s, e) })
	return named(domain, keyed(name, err))
}

// GetSnapshot tells of one. ErrNotFound: there is none.
func GetSnapshot(node, domain, name string) (s Snapshot, err error) {
	r := C.struct_pvctl_snapshot_info{size: C.sizeof_struct_pvctl_snapshot_info}
	err = ofSnapshot(node, domain, name, func(node, domain, name *C.char, e *C.struct_pvctl_error) C.int {
		return C.pvctl_snapshot_get(node, domain, name, &r, e)
	})
	if err == nil {
		s = snapshot(&r)
	}
	return
}

// SnapshotDisks lists its disks.
func SnapshotDisks(node, domain, name string) (disks []SnapshotDisk, err error) {
	s, err := GetSnapshot(node, domain, name)
	for i := C.size_t(0); err == nil && i < C.size_t(s.Disks); i++ {
		r := C.struct_pvctl_snapshot_disk_info{size: C.sizeof_struct_pvctl_snapshot_disk_info}
		err = ofSnapshot(node, domain, name, func(node, domain, name *C.char, e *C.struct_pvctl_error) C.int {
			return C.pvctl_snapshot_get_disk(node, domain, name, i, &r, e)
		})
		disks = append(disks, SnapshotDisk{C.GoString(&r.vdev[0]), C.GoString(&r.format[0]), uint64(r.bytes), uint64(r.allocated_bytes),
			r.overlay != 0, C.GoString(&r.file[0]), C.GoString(&r.disk[0])})
	}
	if err != nil {
		return nil, err
	}
	return
}

// SnapshotConfig is what the domain is after a revert.
func SnapshotConfig(node, domain, name string) (*Config, error) {
	var p *C.struct_pvctl_config
	err := ofSnapshot(node, domain, name, func(node, domain, name *C.char, e *C.struct_pvctl_error) C.int {
		return C.pvctl_snapshot_config(node, domain, name, &p, e)
	})
	if err != nil {
		return nil, err
	}
	return ownConfig(p), nil
}

// VerifySnapshot compares its memory with its checksum, and looks whether its disks are whole. ErrInvalid: something is not what it was.
func VerifySnapshot(node, domain, name string) error {
	return ofSnapshot(node, domain, name, func(node, domain, name *C.char, e *C.struct_pvctl_error) C.int {
		return C.pvctl_snapshot_verify(node, domain, name, e)
	})
}

// DeleteSnapshot: what later snapshots and disks have of it is merged into them. ErrBusy: the disk of a domain that runs is based on it.
// ctx cancels it, and has progress; all is as it was then.
func DeleteSnapshot(ctx context.Context, node, domain, name string) error {
	return alone(ctx, func(progress *[0]byte, data unsafe.Pointer) error {
		o := C.struct_pvctl_snapshot_delete_opts{size: C.sizeof_struct_pvctl_snapshot_delete_opts, progress: progress, progress_data: data}
		return ofSnapshot(node, domain, name, func(node, domain, name *C.char, e *C.struct_pvctl_error) C.int {
			return C.pvctl_snapshot_delete(node, domain, name, &o, e)
		})
	})
}
