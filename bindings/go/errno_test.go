// SPDX-License-Identifier: MIT

package pvctl_test

import (
	"context"
	"errors"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"pvctl"
)

// The closed set, each by what really causes it.
func TestEachErrno(t *testing.T) {
	ctx, c := within(t), open(t, "")
	d, err := c.Create(ctx, small(t, "errnos", "version", ""), &pvctl.CreateOptions{Paused: true})
	must(t, err)
	defer d.Destroy(ctx)
	large := small(t, "large", "version", "")
	must(t, large.Set("memory", 100000))
	soon, cancel := context.WithCancel(ctx)
	cancelling := pvctl.WithProgress(soon, func(pvctl.Progress) { cancel() })
	for errno, err := range map[syscall.Errno]error{
		pvctl.ErrInvalid:      c.Domain(0).SetVCPUs(ctx, 1),
		pvctl.ErrTooBig:       second(pvctl.ParseConfig(strings.Repeat("#", 1<<20+2), nil)),
		pvctl.ErrNotFound:     second(pvctl.Open(ctx, &pvctl.OpenOptions{Node: "nowhere"})),
		pvctl.ErrNoDomain:     c.Domain(30000).Pause(ctx),
		pvctl.ErrExists:       second(c.Create(ctx, small(t, "errnos", "version", ""), nil)),
		pvctl.ErrBusy:         second(d.Save(ctx, openFile(t, os.DevNull), nil)),
		pvctl.ErrPermission:   othersMayWrite(t),
		pvctl.ErrNoMemory:     second(c.Create(ctx, large, nil)),
		pvctl.ErrNoSpace:      diskFull(ctx, t, c),
		pvctl.ErrIO:           nodeGone(ctx, t),
		pvctl.ErrProtocol:     restoreOf(ctx, c, "no saved domain at all, by its first bytes alone, which are text"),
		pvctl.ErrTimeout:      second(d.Wait(ctx, time.Millisecond)),
		pvctl.ErrCanceled:     second(c.Create(cancelling, small(t, "cancels", "version", ""), nil)),
		pvctl.ErrNotSupported: small(t, "vfb", "version", "").Set("vfb", []string{"vnc=1"}),
	} {
		var e *pvctl.Error
		if !errors.Is(err, errno) || !errors.As(err, &e) || e.Errno != errno || e.Message == "" {
			t.Errorf("%v: %v", errno, err)
		}
	}
}

func openFile(t *testing.T, name string) *os.File {
	f, err := os.OpenFile(name, os.O_WRONLY, 0)
	must(t, err)
	t.Cleanup(func() { f.Close() })
	return f
}

// Another user could put his own node there.
func othersMayWrite(t *testing.T) error {
	dir, own := t.TempDir(), os.Getenv("PVCTL_RUN_DIR")
	must(t, os.Chmod(dir, 0o777))
	must(t, os.Setenv("PVCTL_RUN_DIR", dir))
	defer os.Setenv("PVCTL_RUN_DIR", own)
	return second(pvctl.GetPaths(""))
}

func diskFull(ctx context.Context, t *testing.T, c *pvctl.Conn) error {
	d := ready(t, c, "full")
	defer d.Destroy(ctx)
	return second(d.Save(ctx, openFile(t, "/dev/full"), nil))
}

func nodeGone(ctx context.Context, t *testing.T) error {
	must(t, startNode("ends", 64<<20))
	c := open(t, "ends")
	must(t, pvctl.StopNode("ends", time.Minute))
	return second(c.Host(ctx))
}
