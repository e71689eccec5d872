// SPDX-License-Identifier: MIT

package pvctl

// #include "callbacks.h"
import "C"

import (
	"context"
	"io"
	"os"
	"sync"
	"syscall"
	"time"
)

// Leave is what becomes of a domain that was saved.
type Leave uint32

const (
	LeaveDestroyed Leave = C.PVCTL_SAVE_DESTROY
	LeavePaused    Leave = C.PVCTL_SAVE_PAUSED
	LeaveRunning   Leave = C.PVCTL_SAVE_RUNNING
	LeaveSuspended Leave = C.PVCTL_SAVE_SUSPENDED
)

// SaveOptions: the zero value is not live, and the domain is destroyed.
type SaveOptions struct {
	Live           bool
	Leave          Leave
	Compress       bool
	SuspendTimeout time.Duration // 0: 60 s
	Config         *Config       // saved instead of the domain's own
	Written        func() error  // all has been written; nil when that is safe
	MaxRounds      uint32
	KeepID         bool // it is restored with the number that it has, or not at all, but with a configuration of its own
}

// SaveStats of a save.
type SaveStats struct {
	Bytes, Pages, ZeroPages uint64
	Total, Pause            time.Duration
	Rounds                  uint32
}

// withFD gives f a descriptor for file. It stays as it is: Go's pipes and sockets do not block, which lets the library look at the context.
func withFD(file syscall.Conn, f func(fd C.int) error) error {
	raw, err := file.SyscallConn()
	if err != nil {
		return err
	}
	var inner error
	if err = raw.Control(func(fd uintptr) { inner = f(C.int(fd)) }); err != nil {
		return err
	}
	return inner
}

// Save writes the domain to w, which is best a *os.File; what else goes through a pipe. Whatever goes wrong, the domain goes on.
func (d Domain) Save(ctx context.Context, w io.Writer, opts *SaveOptions) (stats SaveStats, err error) {
	if opts == nil {
		opts = &SaveOptions{}
	}
	if file, ok := w.(*os.File); ok {
		err = withFD(file, func(fd C.int) (err error) { stats, err = d.save(ctx, fd, opts); return })
		return
	}
	var pipe [2]int
	if err = syscall.Pipe2(pipe[:], syscall.O_CLOEXEC|syscall.O_NONBLOCK); err != nil {
		return stats, os.NewSyscallError("pipe", err)
	}
	copied := make(chan error, 1)
	go func() {
		from := os.NewFile(uintptr(pipe[0]), "saved")
		_, err := io.Copy(w, from)
		from.Close()
		copied <- err
	}()
	var once sync.Once
	var werr error
	finish := func() error {
		once.Do(func() {
			syscall.Close(pipe[1])
			werr = <-copied
		})
		return werr
	}
	// The domain ends only when all of it is where it was to go.
	own := *opts
	own.Written = func() error {
		if err := finish(); err != nil || opts.Written == nil {
			return err
		}
		return opts.Written()
	}
	stats, err = d.save(ctx, C.int(pipe[1]), &own)
	if e := finish(); e != nil {
		err = e
	}
	return
}

func (d Domain) save(ctx context.Context, fd C.int, opts *SaveOptions) (stats SaveStats, err error) {
	cell := newCell(opts.Written)
	defer cell.free()
	o := C.struct_pvctl_save_opts{size: C.sizeof_struct_pvctl_save_opts, live: flag(opts.Live), leave: C.uint32_t(opts.Leave),
		compress: flag(opts.Compress), suspend_timeout_ms: millis(opts.SuspendTimeout), max_rounds: C.uint32_t(opts.MaxRounds),
		keep_domid: flag(opts.KeepID)}
	if opts.Written != nil {
		o.written, o.written_data = (*[0]byte)(C.pvctl_go_written), cell.data()
	}
	r := C.struct_pvctl_save_stats{size: C.sizeof_struct_pvctl_save_stats}
	err = opts.Config.maybe(func(p *C.struct_pvctl_config) error {
		o.config = p
		return d.do(ctx, "save", func(n *C.struct_pvctl, id C.uint32_t, e *C.struct_pvctl_error) C.int {
			return C.pvctl_domain_save(n, id, fd, &o, &r, e)
		})
	})
	if err == nil {
		stats = SaveStats{uint64(r.bytes), uint64(r.pages), uint64(r.zero_pages), duration(r.total_ns), duration(r.pause_ns), uint32(r.rounds)}
	}
	return
}

// RestoreOptions of a domain that was saved.
type RestoreOptions struct {
	Paused bool
	Name   string                   // "": as it is saved
	Config *Config                  // instead of the saved one
	Ready  func(domid uint32) error // all of it is there but its devices
}

// RestoreStats of a restore.
type RestoreStats struct {
	Bytes, Pages uint64
	Total        time.Duration
}

// Restore makes a domain of what was saved. Where r is no *os.File, more may have been read from it than the domain took.
func (c *Conn) Restore(ctx context.Context, r io.Reader, opts *RestoreOptions) (d Domain, stats RestoreStats, err error) {
	if opts == nil {
		opts = &RestoreOptions{}
	}
	file, ok := r.(*os.File)
	if !ok {
		from, to, err := os.Pipe()
		if err != nil {
			return d, stats, err
		}
		go func() {
			io.Copy(to, r)
			to.Close()
		}()
		defer from.Close()
		file = from
	}
	err = withFD(file, func(fd C.int) (err error) { d, stats, err = c.restore(ctx, fd, opts); return })
	return
}

func (c *Conn) restore(ctx context.Context, fd C.int, opts *RestoreOptions) (d Domain, stats RestoreStats, err error) {
	cell := newCell(opts.Ready)
	defer cell.free()
	name := optional(opts.Name)
	defer freeText(name)
	o := C.struct_pvctl_restore_opts{size: C.sizeof_struct_pvctl_restore_opts, paused: flag(opts.Paused), name: name}
	if opts.Ready != nil {
		o.ready, o.ready_data = (*[0]byte)(C.pvctl_go_ready), cell.data()
	}
	r := C.struct_pvctl_restore_stats{size: C.sizeof_struct_pvctl_restore_stats}
	err = opts.Config.maybe(func(p *C.struct_pvctl_config) error {
		d, err = c.domainOf(ctx, "restore", func(n *C.struct_pvctl, id *C.uint32_t, e *C.struct_pvctl_error) C.int {
			return C.pvctl_domain_restore(n, fd, p, &o, id, &r, e)
		})
		return err
	})
	if err == nil {
		stats = RestoreStats{uint64(r.bytes), uint64(r.pages), duration(r.total_ns)}
	}
	return d, stats, named(opts.Name, err)
}
