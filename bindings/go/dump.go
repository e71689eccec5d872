// SPDX-License-Identifier: MIT

package pvctl

// #include "callbacks.h"
import "C"

import (
	"context"
	"os"
)

// DumpThen is what becomes of a domain whose core was dumped.
type DumpThen uint32

const (
	DumpNothing DumpThen = C.PVCTL_DUMP_NOTHING // it goes on
	DumpCrash   DumpThen = C.PVCTL_DUMP_CRASH   // it ends, as if it had crashed
	DumpReset   DumpThen = C.PVCTL_DUMP_RESET   // it ends, as if it rebooted
)

// DumpOptions: the zero value lets the domain stand still meanwhile, and go on.
type DumpOptions struct {
	Live bool // it runs meanwhile, and what is written is of no one moment
	Then DumpThen
}

// DumpCore writes registers and memory, whatever the guest's kernel does, to a file from where it stands: an ELF core for crash(8). ctx
// cancels it, and has progress, in pages. opts may be nil.
func (d Domain) DumpCore(ctx context.Context, file *os.File, opts *DumpOptions) error {
	if opts == nil {
		opts = &DumpOptions{}
	}
	o := C.struct_pvctl_dump_opts{size: C.sizeof_struct_pvctl_dump_opts, live: flag(opts.Live), then: C.uint32_t(opts.Then)}
	return withFD(file, func(fd C.int) error {
		return d.do(ctx, "dump core", func(n *C.struct_pvctl, id C.uint32_t, e *C.struct_pvctl_error) C.int {
			return C.pvctl_domain_dump_core(n, id, fd, &o, e)
		})
	})
}
