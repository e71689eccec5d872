// SPDX-License-Identifier: MIT

package pvctl

// #include "callbacks.h"
import "C"

import (
	"context"
	"os"
	"syscall"
	"time"
)

// MigrateEnd is where a domain is after a migration.
type MigrateEnd uint32

const (
	EndThere   MigrateEnd = C.PVCTL_MIGRATE_THERE
	EndHere    MigrateEnd = C.PVCTL_MIGRATE_HERE
	EndStuck   MigrateEnd = C.PVCTL_MIGRATE_STUCK   // here, suspended: it could not be resumed
	EndUnknown MigrateEnd = C.PVCTL_MIGRATE_UNKNOWN // here, suspended: the other side may run it
)

// MigrateOptions of either side.
type MigrateOptions struct {
	Config    *Config
	Paused    bool // receiver: it stays paused
	KeepID    bool // sender: it has the same number there, or does not move
	Say, Step func(line string)
}

// MigrateResult is filled on a failure, too.
type MigrateResult struct {
	End          MigrateEnd
	Rounds       uint32
	Bytes, Pages uint64
	Total, Pause time.Duration
}

// ends are copies of a connection's two directions, which the library closes.
func ends(in, out syscall.Conn) (fds [2]C.int, err error) {
	for i, end := range []syscall.Conn{in, out} {
		var fd int
		err = withFD(end, func(from C.int) (err error) { fd, err = dup(uintptr(from)); return })
		if err != nil {
			if i == 1 {
				syscall.Close(int(fds[0]))
			}
			return
		}
		fds[i] = C.int(fd)
	}
	return
}

func migrateOpts(opts *MigrateOptions, cell cell, p *C.struct_pvctl_config) C.struct_pvctl_migrate_opts {
	return C.struct_pvctl_migrate_opts{size: C.sizeof_struct_pvctl_migrate_opts, config: p, paused: flag(opts.Paused), keep_domid: flag(opts.KeepID),
		say: (*[0]byte)(C.pvctl_go_say), step: (*[0]byte)(C.pvctl_go_step), data: cell.data()}
}

// MigrateSend sends a running domain, live, to whom in and out lead to: files or network connections, which stay the caller's to close.
func (d Domain) MigrateSend(ctx context.Context, in, out syscall.Conn, opts *MigrateOptions) (result MigrateResult, err error) {
	if opts == nil {
		opts = &MigrateOptions{}
	}
	cell := newCell(opts)
	defer cell.free()
	result.End = EndHere
	r := C.struct_pvctl_migrate_result{size: C.sizeof_struct_pvctl_migrate_result, end: C.PVCTL_MIGRATE_HERE}
	err = opts.Config.maybe(func(p *C.struct_pvctl_config) error {
		o := migrateOpts(opts, cell, p)
		return d.do(ctx, "migrate", func(n *C.struct_pvctl, id C.uint32_t, e *C.struct_pvctl_error) C.int {
			fds, err := ends(in, out)
			if err != nil {
				return fillError(e, err)
			}
			return C.pvctl_domain_migrate_send(n, id, fds[0], fds[1], &o, &r, e)
		})
	})
	result = MigrateResult{MigrateEnd(r.end), uint32(r.rounds), uint64(r.bytes), uint64(r.pages), duration(r.total_ns), duration(r.pause_ns)}
	return
}

// MigrateReceive is the other side.
func (c *Conn) MigrateReceive(ctx context.Context, in, out syscall.Conn, opts *MigrateOptions) (d Domain, err error) {
	if opts == nil {
		opts = &MigrateOptions{}
	}
	cell := newCell(opts)
	defer cell.free()
	err = opts.Config.maybe(func(p *C.struct_pvctl_config) error {
		o := migrateOpts(opts, cell, p)
		d, err = c.domainOf(ctx, "receive", func(n *C.struct_pvctl, id *C.uint32_t, e *C.struct_pvctl_error) C.int {
			fds, err := ends(in, out)
			if err != nil {
				return fillError(e, err)
			}
			return C.pvctl_domain_migrate_receive(n, fds[0], fds[1], &o, id, e)
		})
		return err
	})
	return
}

// MigrateTo moves it to another node of this process's. The error is the sender's, or the receiver's where that one failed first.
func (d Domain) MigrateTo(ctx context.Context, to *Conn, opts *MigrateOptions) (there Domain, result MigrateResult, err error) {
	pair, err := syscall.Socketpair(syscall.AF_UNIX, syscall.SOCK_STREAM|syscall.SOCK_CLOEXEC|syscall.SOCK_NONBLOCK, 0)
	if err != nil {
		return there, MigrateResult{End: EndHere}, os.NewSyscallError("socketpair", err)
	}
	a, b := os.NewFile(uintptr(pair[0]), "sender"), os.NewFile(uintptr(pair[1]), "receiver")
	type received struct {
		d   Domain
		err error
	}
	got := make(chan received, 1)
	go func() {
		var r received
		// Once the domain runs there nobody may call it back: the receiver ends when the sender does.
		r.d, r.err = to.MigrateReceive(context.Background(), b, b, &MigrateOptions{Paused: opts != nil && opts.Paused})
		b.Close()
		got <- r
	}()
	result, err = d.MigrateSend(ctx, a, a, opts)
	a.Close()
	r := <-got
	if err == nil {
		err = r.err
	}
	return r.d, result, err
}
