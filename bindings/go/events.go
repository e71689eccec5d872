// SPDX-License-Identifier: MIT

package pvctl

// #include "callbacks.h"
import "C"

import (
	"context"
	"os"
	"runtime"
	"strings"
	"syscall"
	"time"
)

// EventType is a bit for each kind of event; a mask has several.
type EventType uint32

const (
	EventCreated         EventType = C.PVCTL_EVENT_CREATED
	EventShutdown        EventType = C.PVCTL_EVENT_SHUTDOWN
	EventDestroyed       EventType = C.PVCTL_EVENT_DESTROYED
	EventPaused          EventType = C.PVCTL_EVENT_PAUSED
	EventUnpaused        EventType = C.PVCTL_EVENT_UNPAUSED
	EventNodeDown        EventType = C.PVCTL_EVENT_NODE_DOWN
	EventKept            EventType = C.PVCTL_EVENT_KEPT // it ended too often, and is not restarted
	EventNodeSlow        EventType = C.PVCTL_EVENT_NODE_SLOW
	EventNodeBack        EventType = C.PVCTL_EVENT_NODE_BACK
	EventRenamed         EventType = C.PVCTL_EVENT_RENAMED         // Detail: its former name
	EventMemory          EventType = C.PVCTL_EVENT_MEMORY          // Value: bytes that it holds
	EventVCPUs           EventType = C.PVCTL_EVENT_VCPUS           // Value: how many are online
	EventDeviceAttached  EventType = C.PVCTL_EVENT_DEVICE_ATTACHED // the guest can use it
	EventDeviceDetached  EventType = C.PVCTL_EVENT_DEVICE_DETACHED
	EventDeviceFailed    EventType = C.PVCTL_EVENT_DEVICE_FAILED // Detail: why
	EventConsole         EventType = C.PVCTL_EVENT_CONSOLE       // its console can be attached
	EventNodeUp          EventType = C.PVCTL_EVENT_NODE_UP       // the snapshot begins
	EventPresent         EventType = C.PVCTL_EVENT_PRESENT       // of the snapshot: a domain that there is
	EventResumed         EventType = C.PVCTL_EVENT_RESUMED
	EventLost            EventType = C.PVCTL_EVENT_LOST // events were dropped: look at the state anew
	EventDaemonRestarted EventType = C.PVCTL_EVENT_DAEMON_RESTARTED
	EventAll             EventType = C.PVCTL_EVENT_ALL
)

var eventNames = []string{"created", "shutdown", "destroyed", "paused", "unpaused", "node-down", "kept", "node-slow", "node-back", "renamed",
	"memory", "vcpus", "device-attached", "device-detached", "device-failed", "console", "node-up", "present", "lost", "resumed",
	"daemon-restarted"}

func (t EventType) String() string {
	var names []string
	for i, name := range eventNames {
		if t&(1<<i) != 0 {
			names = append(names, name)
		}
	}
	return strings.Join(names, "|")
}

// Event is one thing that happened.
type Event struct {
	Type       EventType
	DomainID   uint32
	UniqueID   uint64
	Name       string
	Time       time.Time
	Reason     Reason
	State      RunState
	Value      uint64
	DeviceKind string // "disk", "vif", "p9", "channel"
	Device     string
	Detail     string
}

// Events is a subscription. It does not use its connection any more, which may be used, and closed, meanwhile.
type Events struct {
	// C has each event, and is closed when the context is cancelled, by Close, or when the node is gone.
	C    <-chan Event
	pump *pump
}

// pump is what its goroutine has: not the Events, which could never be collected otherwise.
type pump struct {
	ev    *C.struct_pvctl_events
	file  *os.File
	to    chan Event
	ctx   context.Context
	stop  context.CancelFunc
	ended chan struct{}
	err   error // before ended is closed
}

// buffered is how many events wait in Go; more wait in the socket, and after that there is an EventLost.
const buffered = 256

// Events subscribes. With EventPresent in the mask a snapshot of the domains comes first. It ends with ctx.
func (c *Conn) Events(ctx context.Context, mask EventType) (*Events, error) {
	var ev *C.struct_pvctl_events
	err := c.do(ctx, "events", func(n *C.struct_pvctl, e *C.struct_pvctl_error) C.int {
		return C.pvctl_events_open(n, C.uint32_t(mask), &ev, e)
	})
	if err != nil {
		return nil, err
	}
	// A descriptor of Go's own, which its poller watches: no thread is kept waiting.
	file, err := pollable(int(C.pvctl_events_fd(ev)), "events")
	if err != nil {
		C.pvctl_events_close(ev)
		return nil, err
	}
	p := &pump{ev: ev, file: file, to: make(chan Event, buffered), ended: make(chan struct{})}
	p.ctx, p.stop = context.WithCancel(ctx)
	go func() {
		<-p.ctx.Done()
		p.file.SetReadDeadline(time.Unix(1, 0))
	}()
	go p.run()
	s := &Events{p.to, p}
	runtime.SetFinalizer(s, func(s *Events) {
		select {
		case <-s.pump.ended:
		default:
			Leaked("a subscription of events")
			s.pump.stop()
		}
	})
	return s, nil
}

// Close ends it; events that were not read are gone.
func (s *Events) Close() error {
	runtime.SetFinalizer(s, nil)
	s.pump.stop()
	<-s.pump.ended
	return nil
}

// Err says why C was closed; nil: it is not yet, or Close did it.
func (s *Events) Err() error {
	select {
	case <-s.pump.ended:
		return s.pump.err
	default:
		return nil
	}
}

func (p *pump) run() {
	raw, err := p.file.SyscallConn()
	if err == nil {
		err = raw.Read(func(uintptr) bool { return p.drain() })
	}
	if err != nil && p.ctx.Err() == nil {
		p.err = err
	}
	p.stop()
	p.file.Close()
	C.pvctl_events_close(p.ev)
	close(p.ended)
	close(p.to)
}

// drain hands on what there is. true: there will be no more.
func (p *pump) drain() bool {
	for p.ctx.Err() == nil {
		var e C.struct_pvctl_error
		r := C.struct_pvctl_event{size: C.sizeof_struct_pvctl_event}
		rc := C.pvctl_events_next(p.ev, &r, &e)
		if rc == 0 {
			return false
		}
		if rc < 0 {
			p.err = failure("events", rc, &e)
			return true
		}
		select {
		case p.to <- event(&r):
		case <-p.ctx.Done():
		}
	}
	return true
}

func event(r *C.struct_pvctl_event) Event {
	return Event{EventType(r._type), uint32(r.domid), uint64(r.unique_id), C.GoString(&r.name[0]), unixTime(r.time_unix_ns), Reason(r.reason),
		RunState(r.state), uint64(r.value), C.GoString(&r.device_kind[0]), C.GoString(&r.device[0]), C.GoString(&r.detail[0])}
}

// pollable is a file of Go's own with a copy of fd.
func pollable(fd int, name string) (*os.File, error) {
	copied, err := dup(uintptr(fd))
	if err != nil {
		return nil, err
	}
	if err := syscall.SetNonblock(copied, true); err != nil {
		syscall.Close(copied)
		return nil, err
	}
	return os.NewFile(uintptr(copied), name), nil
}

func dup(fd uintptr) (int, error) {
	copied, _, errno := syscall.Syscall(syscall.SYS_FCNTL, fd, syscall.F_DUPFD_CLOEXEC, 0)
	if errno != 0 {
		return -1, os.NewSyscallError("fcntl", errno)
	}
	return int(copied), nil
}

// ReplayAll is all of a console's log that is kept.
const ReplayAll = ^uint64(0)

// Console of a domain: an io.ReadWriteCloser with deadlines. Reading ends with io.EOF when the domain is gone.
type Console struct {
	file *os.File
}

// Console attaches to it; first come up to replayBytes of what it said before.
func (d Domain) Console(ctx context.Context, replayBytes uint64) (*Console, error) {
	var fd C.int
	err := d.do(ctx, "console", func(n *C.struct_pvctl, id C.uint32_t, e *C.struct_pvctl_error) C.int {
		return C.pvctl_console_attach(n, id, C.uint64_t(replayBytes), &fd, e)
	})
	if err != nil {
		return nil, err
	}
	defer syscall.Close(int(fd))
	file, err := pollable(int(fd), "console")
	if err != nil {
		return nil, err
	}
	return &Console{file}, nil
}

func (c *Console) Read(p []byte) (int, error)  { return c.file.Read(p) }
func (c *Console) Write(p []byte) (int, error) { return c.file.Write(p) }

// Close lets a Read of another goroutine return.
func (c *Console) Close() error { return c.file.Close() }

// SetDeadline is as of net.Conn.
func (c *Console) SetDeadline(t time.Time) error { return c.file.SetDeadline(t) }

// SetReadDeadline is as of net.Conn.
func (c *Console) SetReadDeadline(t time.Time) error { return c.file.SetReadDeadline(t) }
