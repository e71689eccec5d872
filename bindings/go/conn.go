// SPDX-License-Identifier: MIT

// Package pvctl creates, runs and inspects paravirtualized domains.
//
// A [Conn] is a connection to a node and may be used by any number of goroutines: a lock of its own lets one call through at a time.
// What shall run at once needs connections of its own. Each call takes a context.Context: what is done by a cancelled one is to wait
// for that lock, and to build, boot, save, restore or move a domain. Calls that the library cannot interrupt end at their timeouts.
//
// Handles are closed by Close; one that is forgotten is closed by the garbage collector, which tells [Leaked].
package pvctl

// #include "callbacks.h"
import "C"

import (
	"context"
	"log"
	"runtime"
	"time"
	"unsafe"
)

// Leaked is told of each handle with a file descriptor that the garbage collector had to close. Set it before the first call.
var Leaked = func(what string) { log.Printf("pvctl: %s was not closed", what) }

// Version is that of the library.
func Version() string { return C.GoString(C.pvctl_version()) }

// LogLevel is how grave a line of the library's log is.
type LogLevel int

const (
	LogError LogLevel = iota
	LogWarning
	LogInfo
	LogDebug
)

// Progress is how far a long operation is. Total is 0 where that is not known.
type Progress struct {
	What        string
	Done, Total uint64
}

type progressKey struct{}

// WithProgress lets f be told, up to ten times a second, how far calls with this context are. It must not use the connection.
func WithProgress(ctx context.Context, f func(Progress)) context.Context {
	return context.WithValue(ctx, progressKey{}, f)
}

// OpenOptions: the zero value is the default node, in silence.
type OpenOptions struct {
	Node string
	Log  func(level LogLevel, message string)
}

// state is what the callbacks of a connection see. It is no Conn, which could never be collected otherwise.
type state struct {
	ctx context.Context
	log func(LogLevel, string)
}

// Conn is a connection to a node.
type Conn struct {
	lock  chan struct{}
	p     *C.struct_pvctl // under lock; nil: closed
	state *state
	cell  cell
	node  string
}

// Open connects to a node that runs. ErrNotFound: it does not. opts may be nil.
func Open(ctx context.Context, opts *OpenOptions) (*Conn, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if opts == nil {
		opts = &OpenOptions{}
	}
	c := &Conn{lock: make(chan struct{}, 1), state: &state{log: opts.Log}, node: opts.Node}
	c.cell = newCell(c.state)
	node := optional(opts.Node)
	defer freeText(node)
	o := C.struct_pvctl_open_opts{size: C.sizeof_struct_pvctl_open_opts, node: node, progress_data: c.cell.data(), log_data: c.cell.data()}
	o.progress = (*[0]byte)(C.pvctl_go_progress)
	if opts.Log != nil {
		o.log = (*[0]byte)(C.pvctl_go_log)
	}
	if err := call("open", func(e *C.struct_pvctl_error) C.int { return C.pvctl_open(&o, &c.p, e) }); err != nil {
		c.cell.free()
		return nil, err
	}
	runtime.SetFinalizer(c, func(c *Conn) {
		Leaked("a connection to a node")
		c.Close()
	})
	return c, nil
}

// Close ends the connection, after a call that is under way. A second time it does nothing.
func (c *Conn) Close() error {
	c.lock <- struct{}{}
	defer func() { <-c.lock }()
	if c.p == nil {
		return nil
	}
	runtime.SetFinalizer(c, nil)
	C.pvctl_close(c.p)
	c.p = nil
	c.cell.free()
	return nil
}

// do runs one call of the library under the connection's lock.
func (c *Conn) do(ctx context.Context, op string, f func(p *C.struct_pvctl, e *C.struct_pvctl_error) C.int) error {
	select {
	case c.lock <- struct{}{}:
	case <-ctx.Done():
		return ctx.Err()
	}
	defer func() { <-c.lock }()
	if c.p == nil {
		return ErrClosed
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	var e C.struct_pvctl_error
	c.state.ctx = ctx
	defer func() { c.state.ctx = nil }()
	// Go's monitor thread takes the processor from a goroutine that has run for 10 ms whenever it finds it in C: then each short call
	// wakes threads. A new turn is not yet 10 ms old.
	runtime.Gosched()
	rc := f(c.p, &e)
	runtime.KeepAlive(c)
	if rc >= 0 {
		return nil
	}
	err := failure(op, rc, &e)
	if err.Errno == ErrCanceled {
		err.cause = ctx.Err()
	}
	return err
}

// optional is NULL for "".
func optional(s string) *C.char {
	if s == "" {
		return nil
	}
	return C.CString(s)
}

func freeText(s *C.char) { C.free(unsafe.Pointer(s)) }

// taken is a text that C gave us.
func taken(s *C.char) string {
	defer C.pvctl_free(unsafe.Pointer(s))
	return C.GoString(s)
}

func flag(b bool) C.uint32_t {
	if b {
		return 1
	}
	return 0
}

// millis is never 0, which is the library's default, unless d is; nor too large.
func millis(d time.Duration) C.uint32_t {
	ms := (d + time.Millisecond - 1) / time.Millisecond
	switch {
	case ms < 0:
		return 1
	case ms > 1<<31:
		return 1 << 31
	}
	return C.uint32_t(ms)
}

// unixTime is the zero Time for 0.
func unixTime(ns C.uint64_t) time.Time {
	if ns == 0 {
		return time.Time{}
	}
	return time.Unix(0, int64(ns))
}

func duration(ns C.uint64_t) time.Duration { return time.Duration(ns) }
