// SPDX-License-Identifier: MIT

package pvctl_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"pvctl"
)

// stopping is a context that ends as soon as there is progress.
func stopping(ctx context.Context) context.Context {
	soon, cancel := context.WithCancel(ctx)
	return pvctl.WithProgress(soon, func(pvctl.Progress) { cancel() })
}

// deleted waits until the qemu-nbd of a domain that is gone has let go of the disk.
func deleted(ctx context.Context, t *testing.T, domain, name string) {
	t.Helper()
	err := pvctl.DeleteSnapshot(ctx, "", domain, name)
	for errors.Is(err, pvctl.ErrBusy) && ctx.Err() == nil {
		time.Sleep(20 * time.Millisecond)
		err = pvctl.DeleteSnapshot(ctx, "", domain, name)
	}
	must(t, err)
}

func needsImages(t *testing.T) {
	if _, err := exec.LookPath("qemu-img"); err != nil {
		t.Skip("qemu-utils is not installed")
	}
}

func TestSnapshot(t *testing.T) {
	needsImages(t)
	ctx, c := within(t), open(t, "")
	image := filepath.Join(t.TempDir(), "disk.img")
	must(t, os.WriteFile(image, make([]byte, 1<<20), 0o600))
	config := small(t, "snapped", "save-self", "linear asked rounds=9")
	must(t, config.Set("disk", []string{image + ",raw,xvda,rw"}))
	d := readyOf(t, c, config)
	defer d.Destroy(ctx)
	tellable()
	if _, err := d.Snapshot(stopping(ctx), "none", nil); !errors.Is(err, context.Canceled) || !errors.Is(err, pvctl.ErrCanceled) {
		t.Fatal(err)
	}
	if list, err := pvctl.Snapshots("", "snapped"); err != nil || len(list) != 0 {
		t.Errorf("%+v, %v", list, err)
	}
	if info, err := d.Info(ctx); err != nil || info.State == pvctl.Paused || info.State == pvctl.Shutdown {
		t.Fatalf("it does not go on: %+v, %v", info, err)
	}
	told, lines := 0, 0
	tellable()
	stats, err := d.Snapshot(pvctl.WithProgress(ctx, func(pvctl.Progress) { told++ }), "one",
		&pvctl.SnapshotOptions{Description: "of Go", Say: func(string) { lines++ }})
	must(t, err)
	if stats.Name != "one" || stats.Bytes == 0 || stats.Pause > stats.Total || told == 0 || lines == 0 {
		t.Errorf("%+v, %d, %d", stats, told, lines)
	}
	_, err = d.Snapshot(ctx, "one", nil)
	about(t, err, pvctl.ErrExists, fmt.Sprint(d.ID), "one")
	byTime, err := d.Snapshot(ctx, "", &pvctl.SnapshotOptions{NoMemory: true})
	must(t, err)

	one, err := pvctl.GetSnapshot("", "snapped", "one")
	if err != nil || one.Description != "of Go" || !one.HasMemory || one.MemoryBytes != stats.Bytes || one.Disks != 1 || time.Since(one.Created) > time.Hour {
		t.Errorf("%+v, %v", one, err)
	}
	list, err := pvctl.Snapshots("", "")
	if err != nil || len(list) != 2 || list[0] != one || list[1].Name != byTime.Name || list[1].HasMemory {
		t.Errorf("%+v, %v", list, err)
	}
	disks, err := pvctl.SnapshotDisks("", "snapped", "one")
	if err != nil || len(disks) != 1 || disks[0].VDev != "xvda" || disks[0].SizeBytes != 1<<20 || disks[0].File == "" || disks[0].File == disks[0].Disk {
		t.Errorf("%+v, %v", disks, err)
	}
	then, err := pvctl.SnapshotConfig("", "snapped", "one")
	must(t, err)
	if n, err := then.Int("memory"); n != 8 || err != nil {
		t.Error(n, err)
	}
	must(t, pvctl.VerifySnapshot("", "snapped", "one"))
	about(t, pvctl.VerifySnapshot("", "snapped", "two"), pvctl.ErrNotFound, "snapped", "two")
	snapshotReverted(ctx, t, c, d.ID)
	deleted(ctx, t, "snapped", byTime.Name)
	if list, err := pvctl.Snapshots("", "snapped"); err != nil || len(list) != 0 {
		t.Errorf("%+v, %v", list, err)
	}
}

// Of disks alone, of a domain that does not run: a revert does not start it.
func TestSnapshotStopped(t *testing.T) {
	needsImages(t)
	ctx, c := within(t), open(t, "")
	image := filepath.Join(t.TempDir(), "disk.img")
	must(t, os.WriteFile(image, make([]byte, 1<<20), 0o600))
	config := small(t, "stopped", "save-self", "linear asked rounds=9")
	must(t, config.Set("disk", []string{image + ",raw,xvda,rw"}))
	_, err := pvctl.SnapshotStopped("", "stopped", "one", nil)
	about(t, err, pvctl.ErrNotFound, "stopped", "one")
	must(t, pvctl.Define("", config))
	lines := 0
	stats, err := pvctl.SnapshotStopped("", "stopped", "one", &pvctl.SnapshotOptions{Say: func(string) { lines++ }})
	if err != nil || stats.Name != "one" || lines == 0 {
		t.Fatalf("%+v, %v, %d", stats, err, lines)
	}
	one, err := pvctl.GetSnapshot("", "stopped", "one")
	if err != nil || one.HasMemory || one.Disks != 1 {
		t.Errorf("%+v, %v", one, err)
	}
	back, err := c.Revert(ctx, "stopped", "one", nil)
	if err != nil || back.ID != 0 {
		t.Errorf("%+v, %v", back, err)
	}
	config, err = pvctl.DefinedConfig("", "stopped")
	must(t, err)
	d := readyOf(t, c, config)
	_, err = pvctl.SnapshotStopped("", "stopped", "two", nil)
	about(t, err, pvctl.ErrBusy, "stopped", "two")
	must(t, d.Destroy(ctx))
	deleted(ctx, t, "stopped", "one")
	must(t, pvctl.Undefine("", "stopped"))
}

func snapshotReverted(ctx context.Context, t *testing.T, c *pvctl.Conn, was uint32) {
	t.Helper()
	_, err := c.Revert(ctx, "snapped", "two", nil)
	about(t, err, pvctl.ErrNotFound, "snapped", "two")
	back, err := c.Revert(ctx, "snapped", "one", &pvctl.RevertOptions{Paused: true})
	must(t, err)
	defer back.Destroy(ctx)
	if info, err := back.Info(ctx); err != nil || back.ID == was || info.Name != "snapped" || info.State != pvctl.Paused {
		t.Errorf("%+v, %v", info, err)
	}
	console, err := back.Console(ctx, pvctl.ReplayAll)
	must(t, err)
	defer console.Close()
	must(t, console.SetReadDeadline(time.Now().Add(2*time.Minute)))
	must(t, back.Unpause(ctx))
	says(t, console, "BACK")
	must(t, back.Destroy(ctx))
	cancelled, cancel := context.WithCancel(ctx)
	cancel()
	if err := pvctl.DeleteSnapshot(cancelled, "", "snapped", "one"); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	deleted(ctx, t, "snapped", "one")
	_, err = pvctl.GetSnapshot("", "snapped", "one")
	about(t, err, pvctl.ErrNotFound, "snapped", "one")
}

func TestFlatten(t *testing.T) {
	needsImages(t)
	ctx := within(t)
	from := filepath.Join(t.TempDir(), "from.qcow2")
	must(t, exec.Command("qemu-img", "create", "-q", "-f", "qcow2", from, "4M").Run())
	must(t, exec.Command("qemu-io", "-f", "qcow2", "-c", "write -P 5 0 1M", from).Run())
	overlay := func(name string) string {
		t.Helper()
		must(t, pvctl.CopyImage(ctx, from, from+name, &pvctl.CopyOptions{Format: "qcow2", Overlay: true}))
		if image, err := pvctl.GetImage(from+name, "qcow2"); err != nil || image.Base != from {
			t.Errorf("%+v, %v", image, err)
		}
		return from + name
	}
	whole := func(path string) {
		t.Helper()
		must(t, exec.Command("qemu-io", "-f", "qcow2", "-c", "read -P 5 0 1M", path).Run())
	}
	// It may have been all done when that was asked: nothing is lost either way.
	stopped := overlay(".stopped")
	if err := pvctl.FlattenImage(stopping(ctx), stopped); !errors.Is(err, context.Canceled) || !errors.Is(err, pvctl.ErrCanceled) {
		t.Error(err)
	}
	whole(stopped)
	flat, told := overlay(".flat"), 0
	must(t, pvctl.FlattenImage(pvctl.WithProgress(ctx, func(pvctl.Progress) { told++ }), flat))
	if image, err := pvctl.GetImage(flat, "qcow2"); err != nil || image.Base != "" || told == 0 {
		t.Errorf("%+v, %v, %d", image, err, told)
	}
	must(t, os.Remove(from))
	whole(flat)
	about(t, pvctl.FlattenImage(ctx, from), pvctl.ErrNotFound, "", from)
}

func TestDumpCore(t *testing.T) {
	ctx, c := within(t), open(t, "")
	d, err := c.Create(ctx, small(t, "dumped", "version", ""), &pvctl.CreateOptions{Paused: true})
	must(t, err)
	defer d.Destroy(ctx)
	file, err := os.Create(filepath.Join(t.TempDir(), "core"))
	must(t, err)
	defer file.Close()
	tellable()
	if err := d.DumpCore(stopping(ctx), file, nil); !errors.Is(err, context.Canceled) || !errors.Is(err, pvctl.ErrCanceled) {
		t.Error(err)
	}
	must(t, file.Truncate(0))
	_, err = file.Seek(0, 0)
	must(t, err)
	var last pvctl.Progress
	tellable()
	must(t, d.DumpCore(pvctl.WithProgress(ctx, func(p pvctl.Progress) { last = p }), file, nil))
	core, err := os.ReadFile(file.Name())
	must(t, err)
	if !bytes.HasPrefix(core, []byte("\x7fELF")) || len(core) < 7<<20 || last.What != "core" {
		t.Errorf("%d bytes, %+v", len(core), last)
	}
	if info, err := d.Info(ctx); err != nil || info.State != pvctl.Paused {
		t.Errorf("%+v, %v", info, err)
	}
	about(t, d.DumpCore(ctx, openFile(t, "/dev/full"), nil), pvctl.ErrNoSpace, fmt.Sprint(d.ID), "")
}

func TestLimits(t *testing.T) {
	ctx, c := within(t), open(t, "")
	d, err := c.Create(ctx, small(t, "limited", "version", ""), &pvctl.CreateOptions{Paused: true})
	must(t, err)
	defer d.Destroy(ctx)
	if g, err := d.Grants(ctx); err != nil || g.MaxPages == 0 || g.Pages > g.MaxPages {
		t.Errorf("%+v, %v", g, err)
	}
	nodes := func() pvctl.StoreQuota {
		t.Helper()
		all, err := d.StoreQuotas(ctx)
		must(t, err)
		for _, q := range all {
			if q.Name == "nodes" {
				return q
			}
		}
		t.Fatalf("%+v", all)
		return pvctl.StoreQuota{}
	}
	was := nodes()
	if was.Limit != was.Default || was.Used <= 0 {
		t.Errorf("%+v", was)
	}
	must(t, d.SetStoreQuota(ctx, "nodes", was.Limit-1))
	if now := nodes(); now.Limit != was.Limit-1 || now.Default != was.Default {
		t.Errorf("%+v", now)
	}
	must(t, d.SetStoreQuota(ctx, "nodes", 0))
	if now := nodes(); now.Limit != was.Default {
		t.Errorf("%+v", now)
	}
	about(t, d.SetStoreQuota(ctx, "noodles", 1), pvctl.ErrInvalid, fmt.Sprint(d.ID), "noodles")
	_, err = c.Domain(30000).StoreQuotas(ctx)
	about(t, err, pvctl.ErrNoDomain, "30000", "")
	must(t, c.SetParameter(ctx, "guest_lines", 100))
	about(t, c.SetParameter(ctx, "nonsense", 1), pvctl.ErrNotFound, "", "nonsense")
}

// about: what a failure is, and what it is about.
func about(t *testing.T, err, want error, domain, key string) {
	t.Helper()
	var e *pvctl.Error
	if !errors.Is(err, want) || !errors.As(err, &e) || e.Domain != domain || e.Key != key || e.Message == "" {
		t.Errorf("%+v, wanted %v of domain %q, key %q", err, want, domain, key)
	}
}

// What the message says is there for a program, too.
func TestErrorsAreAboutSomething(t *testing.T) {
	ctx, c := within(t), open(t, "")
	gone, config := c.Domain(30000), small(t, "about", "none", "")
	about(t, gone.Pause(ctx), pvctl.ErrNoDomain, "30000", "")
	about(t, gone.SetMemoryTarget(ctx, 1<<20), pvctl.ErrNoDomain, "30000", "memory")
	about(t, gone.DetachDisk(ctx, "xvdb", nil), pvctl.ErrNoDomain, "30000", "xvdb")
	about(t, second(gone.Config(ctx)), pvctl.ErrNoDomain, "30000", "")
	about(t, second(c.Lookup(ctx, "nobody")), pvctl.ErrNoDomain, "nobody", "")
	about(t, second(c.Ended(ctx, "", 30000)), pvctl.ErrNoDomain, "30000", "")
	about(t, second(c.Create(ctx, config, nil)), pvctl.ErrNotFound, "about", "")
	about(t, config.Check(nil), pvctl.ErrNotFound, "about", "")
	about(t, c.CheckConfig(ctx, config), pvctl.ErrNotFound, "about", "")
	about(t, config.Set("memory", -1), pvctl.ErrInvalid, "", "memory")
	about(t, second(config.Int("maxmem")), pvctl.ErrNotFound, "", "maxmem")
	about(t, second(pvctl.ConfigFromMap(map[string]any{"nonsense": 1})), pvctl.ErrNotFound, "", "nonsense")
	about(t, second(pvctl.ParseConfig("name = 'x'\n vcpus = 'several'\n", nil)), pvctl.ErrInvalid, "", "vcpus")
	about(t, second(c.StoreRead(ctx, "/tool/none")), pvctl.ErrNotFound, "", "/tool/none")
	about(t, second(pvctl.GetTemplate("none")), pvctl.ErrNotFound, "", "none")
	about(t, second(pvctl.GetImage("/no/such.img", "")), pvctl.ErrNotFound, "", "/no/such.img")
	about(t, second(pvctl.ParseCPUs("many")), pvctl.ErrInvalid, "", "cpus")
	about(t, second(pvctl.ParseDisk("")), pvctl.ErrInvalid, "", "disk")
	about(t, pvctl.Undefine("", "nobody"), pvctl.ErrNotFound, "nobody", "")
}
