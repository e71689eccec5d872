// SPDX-License-Identifier: MIT

package pvctl_test

import (
	"context"
	"fmt"
	"log"
	"os"
	"path/filepath"
	"strconv"
	"sync/atomic"
	"testing"
	"time"

	"pvctl"
)

// Both nodes are in PVCTL_RUN_DIR, which tests/e2e/86-go.t makes.
const other = "other"

var leaked atomic.Int32

func TestMain(m *testing.M) { os.Exit(testMain(m)) }

func testMain(m *testing.M) int {
	if os.Getenv("O") == "" || os.Getenv("PVCTL_RUN_DIR") == "" {
		fmt.Println("not run by tests/e2e/86-go.t")
		return 1
	}
	pvctl.Leaked = func(string) { leaked.Add(1) }
	for _, name := range []string{"default", other} {
		if err := startNode(name, 768<<20); err != nil {
			log.Print(err)
			return 1
		}
		defer pvctl.StopNode(name, time.Minute)
	}
	return m.Run()
}

func startNode(name string, memoryBytes uint64) error {
	build := os.Getenv("O")
	return pvctl.StartNode(&pvctl.NodeOptions{Name: name, MemoryBytes: memoryBytes, CPUs: 2, Timeout: 2 * time.Minute,
		DaemonPath: filepath.Join(build, "pvctld/pvctld"), HVPath: filepath.Join(build, "xen-like-hv.elf")})
}

// within is a context that ends long after what is waited for should have happened.
func within(t testing.TB) context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), 3*time.Minute)
	t.Cleanup(cancel)
	return ctx
}

func open(t testing.TB, node string) *pvctl.Conn {
	t.Helper()
	c, err := pvctl.Open(within(t), &pvctl.OpenOptions{Node: node})
	must(t, err)
	t.Cleanup(func() { c.Close() })
	return c
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func guest(name string) string { return filepath.Join(os.Getenv("O"), "guests", name+".elf") }

// small is a kernel of a few pages: version powers off at once; save-self waits until it is suspended.
func small(t testing.TB, name, kernel, cmdline string) *pvctl.Config {
	t.Helper()
	c, err := pvctl.ConfigFromMap(map[string]any{"name": name, "kernel": guest(kernel), "memory": 8, "cmdline": cmdline})
	must(t, err)
	return c
}

func linux(t testing.TB, name string, more map[string]any) *pvctl.Config {
	t.Helper()
	values := map[string]any{"name": name, "kernel": os.Getenv("KERNEL"), "ramdisk": os.Getenv("RAMDISK"), "memory": 128,
		"cmdline": "console=hvc0 quiet run=insmod+/lib/modules/xen-blkfront.ko"}
	for key, value := range more {
		values[key] = value
	}
	c, err := pvctl.ConfigFromMap(values)
	must(t, err)
	return c
}

// rounds is how often to do what the environment may ask to be done more often.
func rounds(name string, normally int) int {
	if n, err := strconv.Atoi(os.Getenv(name)); err == nil {
		return n
	}
	return normally
}

// until reads events until one is wanted.
func until(t testing.TB, ev *pvctl.Events, what string, wanted func(pvctl.Event) bool) pvctl.Event {
	t.Helper()
	end := time.After(2 * time.Minute)
	for {
		select {
		case e, ok := <-ev.C:
			if !ok {
				t.Fatalf("%s: the events ended: %v", what, ev.Err())
			}
			if wanted(e) {
				return e
			}
		case <-end:
			t.Fatalf("%s: no such event", what)
		}
	}
}
