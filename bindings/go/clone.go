// SPDX-License-Identifier: MIT

package pvctl

// #include "callbacks.h"
import "C"

import (
	"context"
	"time"
)

// CloneOptions of copies of a running domain.
type CloneOptions struct {
	Count          uint32 // 0: 1
	Paused         bool   // they stay paused
	SuspendTimeout time.Duration
	Disks          string // the directory for what each writes; "": beside the image
	Say            func(line string)
}

// CloneStats of a clone. Bytes are held in memory for as long.
type CloneStats struct {
	Total, Pause, Restore time.Duration
	Bytes                 uint64
	Rounds                uint32
}

// Clone makes copies of the domain, which go on from the same moment under other names. opts may be nil. There is none after a failure.
func (d Domain) Clone(ctx context.Context, name string, opts *CloneOptions) (copies []Domain, stats CloneStats, err error) {
	if opts == nil {
		opts = &CloneOptions{}
	}
	count := opts.Count
	if count == 0 {
		count = 1
	}
	if count > 1<<15 {
		return nil, stats, wrong("clone", "%d copies are more than a node has", count)
	}
	cell := newCell(&MigrateOptions{Say: opts.Say})
	defer cell.free()
	k, disks := C.CString(name), optional(opts.Disks)
	defer freeText(k)
	defer freeText(disks)
	o := C.struct_pvctl_clone_opts{size: C.sizeof_struct_pvctl_clone_opts, count: C.uint32_t(count), paused: flag(opts.Paused),
		suspend_timeout_ms: millis(opts.SuspendTimeout), disks: disks, say: (*[0]byte)(C.pvctl_go_say), say_data: cell.data()}
	r := C.struct_pvctl_clone_stats{size: C.sizeof_struct_pvctl_clone_stats}
	ids := make([]C.uint32_t, count)
	err = d.do(ctx, "clone", func(n *C.struct_pvctl, id C.uint32_t, e *C.struct_pvctl_error) C.int {
		return C.pvctl_domain_clone(n, id, k, &o, &ids[0], &r, e)
	})
	if err != nil {
		return nil, stats, err
	}
	for _, id := range ids {
		copies = append(copies, Domain{d.conn, uint32(id)})
	}
	return copies, CloneStats{duration(r.total_ns), duration(r.pause_ns), duration(r.restore_ns), uint64(r.bytes), uint32(r.rounds)}, nil
}
