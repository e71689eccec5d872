// SPDX-License-Identifier: MIT

package pvctl_test

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"pvctl"
)

func TestLife(t *testing.T) {
	ctx, c := within(t), open(t, "")
	ev, err := c.Events(ctx, pvctl.EventAll)
	must(t, err)
	defer ev.Close()
	until(t, ev, "node-up", func(e pvctl.Event) bool { return e.Type == pvctl.EventNodeUp })
	d, err := c.Create(ctx, small(t, "life", "shutdown", "reason=0"), &pvctl.CreateOptions{Paused: true})
	must(t, err)
	info, err := d.Info(ctx)
	must(t, err)
	if info.Name != "life" || info.State != pvctl.Paused || info.MemoryBytes < 7<<20 || time.Since(info.Created) > time.Hour {
		t.Errorf("%+v", info)
	}
	if found, err := c.Lookup(ctx, "life"); err != nil || found.ID != d.ID {
		t.Errorf("lookup: %v, %v", found, err)
	}
	must(t, d.Rename(ctx, "lives"))
	config, err := d.Config(ctx)
	must(t, err)
	if name, ok, err := config.Text("name"); name != "lives" || !ok || err != nil {
		t.Error(name, ok, err)
	}
	must(t, config.Set("on_poweroff", "preserve"))
	must(t, d.SetConfig(ctx, config))
	list, err := c.Domains(ctx)
	must(t, err)
	if len(list) < 2 || list[0].ID != 0 {
		t.Errorf("%+v", list)
	}
	vcpus, err := d.VCPUs(ctx)
	must(t, err)
	if len(vcpus) != 1 {
		t.Errorf("%+v", vcpus)
	}
	must(t, d.Unpause(ctx))
	if reason, err := d.Wait(ctx, time.Minute); reason != pvctl.ReasonPoweroff || err != nil {
		t.Error(reason, err)
	}
	e := until(t, ev, "shutdown", func(e pvctl.Event) bool { return e.Type == pvctl.EventShutdown })
	if e.Name != "lives" || e.Reason != pvctl.ReasonPoweroff || e.UniqueID != info.UniqueID {
		t.Errorf("%+v", e)
	}
	must(t, d.Destroy(ctx))
	until(t, ev, "destroyed", func(e pvctl.Event) bool { return e.Type == pvctl.EventDestroyed && e.DomainID == d.ID })
	ended, err := c.Ended(ctx, "lives", 0)
	if err != nil || ended.ID != d.ID {
		t.Errorf("%+v, %v", ended, err)
	}
}

func TestNode(t *testing.T) {
	ctx, c := within(t), open(t, "")
	nodes, err := pvctl.Nodes()
	if err != nil || len(nodes) != 2 || !nodes[0].Running || nodes[0].MemoryBytes != 768<<20 {
		t.Errorf("%+v, %v", nodes, err)
	}
	host, err := c.Host(ctx)
	if err != nil || host.CPUs != 2 || len(host.FreeCPU) != 2 || host.TotalBytes == 0 || host.PageSizeBytes != 4096 {
		t.Errorf("%+v, %v", host, err)
	}
	must(t, c.DebugKeys(ctx, "h"))
	if text, err := c.Dmesg(ctx, false); err != nil || !strings.Contains(text, "\n") {
		t.Error(text, err)
	}
	must(t, c.StoreWrite(ctx, "/tool/go", []byte("a\x00b")))
	if value, err := c.StoreRead(ctx, "/tool/go"); string(value) != "a\x00b" || err != nil {
		t.Errorf("%q, %v", value, err)
	}
	must(t, c.StoreRemove(ctx, "/tool/go"))
	if _, err := c.StoreRead(ctx, "/tool/go"); !errors.Is(err, pvctl.ErrNotFound) {
		t.Error(err)
	}
	paths, err := pvctl.GetPaths("")
	if err != nil || paths.RunBase != os.Getenv("PVCTL_RUN_DIR") {
		t.Errorf("%+v, %v", paths, err)
	}
	order, delay := 7, 1500*time.Millisecond
	must(t, pvctl.Define("", small(t, "defined", "version", "")))
	must(t, pvctl.Autostart("", "defined", true, &order, &delay))
	list, err := pvctl.ListDefined("")
	if err != nil || len(list) != 1 || list[0] != (pvctl.Defined{Name: "defined", Autostart: true, Order: 7, Delay: delay}) {
		t.Errorf("%+v, %v", list, err)
	}
	config, err := pvctl.DefinedConfig("", "defined")
	must(t, err)
	if n, err := config.Int("memory"); n != 8 || err != nil {
		t.Error(n, err)
	}
	must(t, pvctl.Undefine("", "defined"))
	if err := pvctl.Undefine("", "defined"); !errors.Is(err, pvctl.ErrNotFound) {
		t.Error(err)
	}
}

func TestConfig(t *testing.T) {
	_, err := pvctl.ParseConfig("name = \"x\"\nmemory = \"much\"\n", &pvctl.ParseOptions{File: "x.cfg"})
	var parse *pvctl.ParseError
	var lib *pvctl.Error
	if !errors.As(err, &parse) || !errors.As(err, &lib) || !errors.Is(err, pvctl.ErrInvalid) {
		t.Fatal(err)
	}
	if m := parse.First(); m.File != "x.cfg" || m.Line != 2 || m.Column == 0 || m.SourceLine == "" {
		t.Errorf("%+v", m)
	}
	var said []pvctl.Message
	c, err := pvctl.ParseConfig("name = 'x'\nmemory = 8\nvif = ['link=user', 'link=switch,bridge=lan']\nmemroy = 9\n", &pvctl.ParseOptions{Messages: &said})
	must(t, err)
	if len(said) == 0 || said[0].Line != 4 {
		t.Errorf("%+v", said)
	}
	if vifs, err := c.List("vif"); err != nil || len(vifs) != 2 || vifs[1] != "link=switch,bridge=lan" {
		t.Error(vifs, err)
	}
	json, err := c.JSON()
	must(t, err)
	again, err := pvctl.ConfigFromJSON(json)
	must(t, err)
	if n, err := again.Int("memory"); n != 8 || err != nil {
		t.Error(n, err)
	}
	if _, ok, err := again.Text("kernel"); ok || err != nil {
		t.Error(ok, err)
	}
	xml, err := small(t, "xml", "version", "").XML(nil)
	must(t, err)
	if again, err = pvctl.ConfigFromXML(xml, nil); err != nil {
		t.Fatal(err)
	}
	if name, ok, err := again.Text("name"); name != "xml" || !ok || err != nil {
		t.Error(name, ok, err)
	}
	if _, err = pvctl.ConfigFromXML("<domain type='xen'>\n<memory>many</memory>", &pvctl.ParseOptions{File: "x.xml"}); !errors.As(err, &parse) || !errors.Is(err, pvctl.ErrInvalid) {
		t.Error(err)
	}
	for key, value := range map[string]any{"memory": -1, "nonsense": 1, "vcpus": 1.5, "name": uint64(1) << 63} {
		if err := c.Set(key, value); err == nil || !strings.Contains(err.Error(), key) {
			t.Errorf("%s: %v", key, err)
		}
	}
	if err := c.Check(nil); !errors.Is(err, pvctl.ErrInvalid) && !errors.Is(err, pvctl.ErrNotFound) {
		t.Error(err)
	}
	disk, err := pvctl.ParseDisk("/dev/null,raw,xvdb,ro")
	if err != nil || disk.Name != "xvdb" || !disk.ReadOnly || disk.Target != "/dev/null" {
		t.Errorf("%+v, %v", disk, err)
	}
	vif, err := pvctl.ParseVIF("mac=00:16:3e:01:02:03,link=user")
	if err != nil || vif.MAC.String() != "00:16:3e:01:02:03" || vif.Link != "user" || vif.DevID != -1 {
		t.Errorf("%+v, %v", vif, err)
	}
	if mask, err := pvctl.ParseCPUs("0-3,^1"); mask != 0xd || err != nil {
		t.Error(mask, err)
	}
}

func TestErrors(t *testing.T) {
	ctx, c := within(t), open(t, "")
	gone := c.Domain(30000)
	for _, test := range []struct {
		what string
		err  error
		want error
	}{
		{"no node", second(pvctl.Open(ctx, &pvctl.OpenOptions{Node: "nowhere"})), pvctl.ErrNotFound},
		{"as a file that is not there", second(pvctl.Open(ctx, &pvctl.OpenOptions{Node: "nowhere"})), fs.ErrNotExist},
		{"node runs already", pvctl.StartNode(&pvctl.NodeOptions{Name: other}), pvctl.ErrExists},
		{"destroy", gone.Destroy(ctx), pvctl.ErrNoDomain},
		{"info", second(gone.Info(ctx)), pvctl.ErrNoDomain},
		{"console", second(gone.Console(ctx, 0)), pvctl.ErrNoDomain},
		{"host", c.Domain(0).SetVCPUs(ctx, 1), pvctl.ErrInvalid},
		{"lookup", second(c.Lookup(ctx, "nobody")), pvctl.ErrNoDomain},
		{"no kernel", second(c.Create(ctx, small(t, "x", "none", ""), nil)), pvctl.ErrNotFound},
		{"no template", second(pvctl.GetTemplate("none")), pvctl.ErrNotFound},
		{"no disk", second(pvctl.BootOf("/nonexistent", nil)), pvctl.ErrNotFound},
		{"nothing saved", restoreOf(ctx, c, "no saved domain at all, by its first bytes alone, which are text"), pvctl.ErrProtocol},
		{"timeout", waitShort(ctx, t, c), pvctl.ErrTimeout},
	} {
		var e *pvctl.Error
		if !errors.Is(test.err, test.want) || !errors.As(test.err, &e) || e.Message == "" || e.Op == "" {
			t.Errorf("%s: %v, wanted %v", test.what, test.err, test.want)
		}
	}
	cancelled, cancel := context.WithCancel(ctx)
	cancel()
	if _, err := c.Host(cancelled); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	d, err := c.Create(ctx, small(t, "twice", "version", ""), &pvctl.CreateOptions{Paused: true})
	must(t, err)
	defer d.Destroy(ctx)
	if _, err := c.Create(ctx, small(t, "twice", "version", ""), nil); !errors.Is(err, pvctl.ErrExists) {
		t.Error(err)
	}
	if err := d.DestroyUnique(ctx, 1<<60); !errors.Is(err, pvctl.ErrNoDomain) {
		t.Error(err)
	}
}

func second[T any](_ T, err error) error { return err }

func restoreOf(ctx context.Context, c *pvctl.Conn, text string) error {
	_, _, err := c.Restore(ctx, strings.NewReader(text), nil)
	return err
}

func waitShort(ctx context.Context, t *testing.T, c *pvctl.Conn) error {
	d, err := c.Create(ctx, small(t, "waits", "version", ""), &pvctl.CreateOptions{Paused: true})
	must(t, err)
	defer d.Destroy(ctx)
	_, err = d.Wait(ctx, time.Millisecond)
	return err
}

func TestClosed(t *testing.T) {
	ctx := within(t)
	c := open(t, "")
	config := small(t, "closed", "version", "")
	ev, err := c.Events(ctx, pvctl.EventAll)
	must(t, err)
	d := c.Domain(1)
	must(t, c.Close())
	must(t, c.Close())
	// The events are of their own.
	until(t, ev, "node-up", func(e pvctl.Event) bool { return e.Type == pvctl.EventNodeUp })
	must(t, ev.Close())
	must(t, ev.Close())
	if _, err := c.Domains(ctx); err != pvctl.ErrClosed {
		t.Error(err)
	}
	if err := d.Pause(ctx); err != pvctl.ErrClosed {
		t.Error(err)
	}
	if err := (pvctl.Domain{}).Pause(ctx); err != pvctl.ErrClosed {
		t.Error(err)
	}
	must(t, config.Close())
	must(t, config.Close())
	if err := config.Set("name", "x"); err != pvctl.ErrClosed {
		t.Error(err)
	}
	if _, err := open(t, "").Create(ctx, config, nil); err != pvctl.ErrClosed {
		t.Error(err)
	}
	before := leaked.Load()
	func() {
		forgotten, err := pvctl.Open(ctx, nil)
		must(t, err)
		_, err = forgotten.Host(ctx)
		must(t, err)
	}()
	for end := time.Now().Add(time.Minute); leaked.Load() == before; runtime.GC() {
		if time.Now().After(end) {
			t.Fatal("nobody was told of a connection that was forgotten")
		}
		time.Sleep(time.Millisecond)
	}
}

func TestEventsUnderLoad(t *testing.T) {
	ctx, c, reader := within(t), open(t, ""), open(t, "")
	n := rounds("EVENTS", 200)
	ev, err := reader.Events(ctx, pvctl.EventCreated|pvctl.EventDestroyed|pvctl.EventLost)
	must(t, err)
	defer ev.Close()
	go func() {
		config := small(t, "load", "version", "")
		for i := 0; i < n; i++ {
			d, err := c.Create(ctx, config, &pvctl.CreateOptions{Paused: true})
			if err == nil {
				err = d.Destroy(ctx)
			}
			if err != nil {
				t.Errorf("round %d: %v", i, err)
				ev.Close()
				return
			}
		}
	}()
	created := map[uint64]bool{}
	for destroyed := 0; destroyed < n; {
		e := until(t, ev, "all of them", func(e pvctl.Event) bool { return e.Name == "load" || e.Type == pvctl.EventLost })
		switch {
		case e.Type == pvctl.EventCreated && !created[e.UniqueID]:
			created[e.UniqueID] = true
		case e.Type == pvctl.EventDestroyed && created[e.UniqueID]:
			destroyed++
		default:
			t.Fatalf("%+v", e)
		}
	}
	if len(created) != n {
		t.Errorf("%d of %d", len(created), n)
	}
}

func TestThreads(t *testing.T) {
	ctx := within(t)
	shared := open(t, "")
	var all sync.WaitGroup
	for i := 0; i < 8; i++ {
		name := fmt.Sprintf("thread%d", i)
		all.Add(1)
		go func() {
			defer all.Done()
			if err := oneThread(ctx, name, shared); err != nil {
				t.Errorf("%s: %v", name, err)
			}
		}()
	}
	all.Wait()
}

func oneThread(ctx context.Context, name string, shared *pvctl.Conn) error {
	own, err := pvctl.Open(ctx, nil)
	if err != nil {
		return err
	}
	defer own.Close()
	config, err := pvctl.ConfigFromMap(map[string]any{"name": name, "kernel": guest("version"), "memory": 8})
	if err != nil {
		return err
	}
	for i := 0; i < 3; i++ {
		d, err := own.Create(ctx, config, &pvctl.CreateOptions{Paused: true})
		if err != nil {
			return err
		}
		if found, err := shared.Lookup(ctx, name); err != nil || found.ID != d.ID {
			return fmt.Errorf("%v, %w", found, err)
		}
		if err := d.Destroy(ctx); err != nil {
			return err
		}
	}
	return nil
}

// says waits until the console has said so.
func says(t *testing.T, console io.Reader, text string) {
	t.Helper()
	var all bytes.Buffer
	for r := bufio.NewReader(console); !strings.Contains(all.String(), text); {
		b, err := r.ReadByte()
		if err != nil {
			t.Fatalf("no %q in %q: %v", text, all.String(), err)
		}
		all.WriteByte(b)
	}
}

func TestLinux(t *testing.T) {
	if os.Getenv("RAMDISK") == "" {
		t.Skip("there is no module for the guest's kernel")
	}
	ctx, c := within(t), open(t, "")
	ev, err := c.Events(ctx, pvctl.EventAll)
	must(t, err)
	defer ev.Close()
	d, err := c.Create(ctx, linux(t, "linux", map[string]any{"maxmem": 192, "vcpus": 1, "maxvcpus": 2, "vif": []string{"link=switch,bridge=lan"}}), nil)
	must(t, err)
	defer d.Destroy(ctx)
	console, err := d.Console(ctx, pvctl.ReplayAll)
	must(t, err)
	defer console.Close()
	must(t, console.SetDeadline(time.Now().Add(3*time.Minute)))
	says(t, console, "guest-init: up")
	_, err = console.Write([]byte("echo it''s $((6 * 7))\n"))
	must(t, err)
	says(t, console, "its 42")

	image := filepath.Join(t.TempDir(), "disk.img")
	must(t, os.WriteFile(image, nil, 0o600))
	must(t, os.Truncate(image, 4<<20))
	must(t, d.AttachDisk(ctx, image+",raw,xvdb,rw"))
	until(t, ev, "the disk", func(e pvctl.Event) bool { return e.Type == pvctl.EventDeviceAttached && e.Device == "xvdb" })
	disks, err := d.Disks(ctx)
	if err != nil || len(disks) != 1 || disks[0].Name != "xvdb" || disks[0].SizeBytes != 4<<20 || disks[0].State != 4 {
		t.Errorf("%+v, %v", disks, err)
	}
	if size, err := d.ResizeDisk(ctx, "xvdb", 8<<20); size != 8<<20 || err != nil {
		t.Error(size, err)
	}
	must(t, d.DetachDisk(ctx, "xvdb", &pvctl.DetachOptions{Timeout: time.Minute}))
	if disks, err = d.Disks(ctx); err != nil || len(disks) != 0 {
		t.Errorf("%+v, %v", disks, err)
	}
	must(t, d.AttachVIF(ctx, "link=switch,bridge=lan,mac=00:16:3e:00:00:09"))
	vifs, err := d.VIFs(ctx)
	if err != nil || len(vifs) != 2 || vifs[1].MAC.String() != "00:16:3e:00:00:09" {
		t.Errorf("%+v, %v", vifs, err)
	}
	must(t, d.DetachVIF(ctx, "00:16:3e:00:00:09", &pvctl.DetachOptions{Force: true, Timeout: time.Minute}))
	if channels, err := d.Channels(ctx); err != nil || len(channels) != 0 {
		t.Errorf("%+v, %v", channels, err)
	}

	must(t, d.SetMemoryTarget(ctx, 112<<20))
	must(t, d.WaitMemory(ctx, 112<<20, time.Minute))
	must(t, d.SetMemoryMax(ctx, 120<<20))
	must(t, d.SetVCPUs(ctx, 2))
	until(t, ev, "two vCPUs", func(e pvctl.Event) bool { return e.Type == pvctl.EventVCPUs && e.Value == 2 })
	mask := uint64(1)
	must(t, d.SetAffinity(ctx, 1, &mask, nil))
	vcpus, err := d.VCPUs(ctx)
	if err != nil || len(vcpus) != 2 || vcpus[1].HardAffinity != 1 {
		t.Errorf("%+v, %v", vcpus, err)
	}
	must(t, d.SetSched(ctx, 512, -1))
	if s, err := d.Sched(ctx); s.Weight != 512 || err != nil {
		t.Error(s, err)
	}
	must(t, d.SysRq(ctx, 'h'))
	must(t, d.Suspend(ctx, time.Minute))
	must(t, d.KeepSuspended(ctx))
	must(t, d.ReleaseDisks(ctx))
	must(t, d.Resume(ctx))
	must(t, d.Request(ctx, "poweroff"))
	if reason, err := d.Wait(ctx, 2*time.Minute); reason != pvctl.ReasonPoweroff || err != nil {
		t.Error(reason, err)
	}
	if _, err := io.Copy(io.Discard, console); err != nil {
		t.Error(err)
	}
}

// ready is a domain that waits to be suspended.
func ready(t *testing.T, c *pvctl.Conn, name string) pvctl.Domain {
	t.Helper()
	return readyOf(t, c, small(t, name, "save-self", "linear asked rounds=9"))
}

func readyOf(t *testing.T, c *pvctl.Conn, config *pvctl.Config) pvctl.Domain {
	t.Helper()
	d, err := c.Create(within(t), config, nil)
	must(t, err)
	console, err := d.Console(within(t), pvctl.ReplayAll)
	must(t, err)
	defer console.Close()
	must(t, console.SetReadDeadline(time.Now().Add(2*time.Minute)))
	says(t, console, "READY 1")
	return d
}

// tellable: what was told less than a tenth of a second before is not told again.
func tellable() { time.Sleep(150 * time.Millisecond) }

func TestSave(t *testing.T) {
	ctx, c := within(t), open(t, "")
	d := ready(t, c, "saved")
	var told []pvctl.Progress
	ctx = pvctl.WithProgress(ctx, func(p pvctl.Progress) { told = append(told, p) })

	soon, cancel := context.WithCancel(ctx)
	stop := pvctl.WithProgress(soon, func(pvctl.Progress) { cancel() })
	tellable()
	_, err := d.Save(stop, io.Discard, &pvctl.SaveOptions{Live: true})
	var e *pvctl.Error
	if !errors.Is(err, context.Canceled) || !errors.Is(err, pvctl.ErrCanceled) || !errors.As(err, &e) {
		t.Fatal(err)
	}
	if info, err := d.Info(ctx); err != nil || info.State == pvctl.Paused || info.State == pvctl.Shutdown {
		t.Fatalf("it does not go on: %+v, %v", info, err)
	}
	refused := errors.New("refused")
	if _, err = d.Save(ctx, io.Discard, &pvctl.SaveOptions{Written: func() error { return refused }}); err == nil || !strings.Contains(err.Error(), "refused") {
		t.Fatal(err)
	}
	var saved bytes.Buffer
	tellable()
	stats, err := d.Save(ctx, &saved, &pvctl.SaveOptions{Live: true, KeepID: true})
	id := d.ID
	must(t, err)
	if stats.Bytes != uint64(saved.Len()) || stats.Pages < 2000 || len(told) == 0 || told[len(told)-1].What != "save" {
		t.Errorf("%+v, %d, %+v", stats, saved.Len(), told)
	}
	if _, err := c.Lookup(ctx, "saved"); !errors.Is(err, pvctl.ErrNoDomain) {
		t.Error(err)
	}
	// Half of it, and no end: only the context ends that.
	from, to, err := os.Pipe()
	must(t, err)
	defer from.Close()
	defer to.Close()
	half := saved.Bytes()[:saved.Len()/2]
	go to.Write(half)
	soon, cancel = context.WithCancel(ctx)
	go func() { time.Sleep(300 * time.Millisecond); cancel() }()
	if _, _, err = c.Restore(soon, from, nil); !errors.Is(err, context.Canceled) {
		t.Fatal(err)
	}
	if list, err := c.Domains(ctx); err != nil || len(list) != 1 {
		t.Errorf("something is left: %+v, %v", list, err)
	}
	file := filepath.Join(t.TempDir(), "saved")
	must(t, os.WriteFile(file, saved.Bytes(), 0o600))
	f, err := os.Open(file)
	must(t, err)
	defer f.Close()
	asked := uint32(0)
	d, restored, err := c.Restore(ctx, f, &pvctl.RestoreOptions{Name: "restored", Ready: func(id uint32) error { asked = id; return nil }})
	must(t, err)
	defer d.Destroy(ctx)
	if asked != d.ID || d.ID != id || restored.Bytes != stats.Bytes {
		t.Errorf("%d, %d, %d, %+v", asked, d.ID, id, restored)
	}
	console, err := d.Console(ctx, pvctl.ReplayAll)
	must(t, err)
	defer console.Close()
	must(t, console.SetReadDeadline(time.Now().Add(time.Minute)))
	says(t, console, "BACK")
}

func TestMigrate(t *testing.T) {
	ctx, here, there := within(t), open(t, ""), open(t, other)
	d := ready(t, here, "moves")
	copies, _, err := d.Clone(ctx, "copied", &pvctl.CloneOptions{Paused: true})
	must(t, err)
	if info, err := copies[0].Info(ctx); err != nil || info.Name != "copied" {
		t.Errorf("%+v, %v", info, err)
	}
	must(t, copies[0].Destroy(ctx))
	soon, cancel := context.WithCancel(ctx)
	stop := pvctl.WithProgress(soon, func(pvctl.Progress) { cancel() })
	_, result, err := d.MigrateTo(stop, there, nil)
	if !errors.Is(err, context.Canceled) || result.End != pvctl.EndHere {
		t.Fatalf("%v, %+v", err, result)
	}
	if info, err := d.Info(ctx); err != nil || info.Name != "moves" || info.State == pvctl.Shutdown {
		t.Fatalf("it does not go on: %+v, %v", info, err)
	}
	told, lines := 0, 0
	moved, result, err := d.MigrateTo(pvctl.WithProgress(ctx, func(pvctl.Progress) { told++ }), there,
		&pvctl.MigrateOptions{Say: func(string) { lines++ }})
	must(t, err)
	defer moved.Destroy(ctx)
	if result.End != pvctl.EndThere || result.Bytes == 0 || told == 0 || lines == 0 {
		t.Errorf("%+v, %d, %d", result, told, lines)
	}
	if info, err := moved.Info(ctx); err != nil || info.Name != "moves" {
		t.Errorf("%+v, %v", info, err)
	}
	if _, err := here.Lookup(ctx, "moves"); !errors.Is(err, pvctl.ErrNoDomain) {
		t.Error(err)
	}
}

// A create that is cancelled leaves nothing, and takes no memory.
func TestCreateCancelled(t *testing.T) {
	ctx, c := within(t), open(t, "")
	soon, cancel := context.WithCancel(ctx)
	config := linux(t, "cancelled", map[string]any{"ramdisk": os.Getenv("KERNEL")})
	_, err := c.Create(pvctl.WithProgress(soon, func(pvctl.Progress) { cancel() }), config, nil)
	if !errors.Is(err, context.Canceled) || !errors.Is(err, pvctl.ErrCanceled) {
		t.Fatal(err)
	}
	if _, err := c.Lookup(ctx, "cancelled"); !errors.Is(err, pvctl.ErrNoDomain) {
		t.Error(err)
	}
}

func TestTemplate(t *testing.T) {
	ctx, c := within(t), open(t, "")
	image := filepath.Join(t.TempDir(), "disk.img")
	must(t, os.WriteFile(image, make([]byte, 1<<20), 0o600))
	from := small(t, "origin", "version", "")
	must(t, from.Set("disk", []string{image + ",raw,xvda,rw"}))
	must(t, c.MakeTemplate(ctx, "gone", from, &pvctl.TemplateOptions{Description: "of Go"}))
	must(t, c.VerifyTemplate(ctx, "gone"))
	list, err := pvctl.Templates()
	if err != nil || len(list) != 1 || list[0].Description != "of Go" || list[0].Disks != 1 {
		t.Errorf("%+v, %v", list, err)
	}
	dir := t.TempDir()
	must(t, c.ExportTemplate(ctx, "gone", dir))
	must(t, pvctl.DeleteTemplate("gone"))
	must(t, c.ImportTemplate(ctx, filepath.Join(dir, "gone"), "here"))
	if _, err := pvctl.TemplateConfig("here"); err != nil {
		t.Error(err)
	}
	over, err := pvctl.ConfigFromMap(map[string]any{"name": "ofit"})
	must(t, err)
	d, err := c.CreateFromTemplate(ctx, "here", over, &pvctl.FromTemplateOptions{Paused: true})
	must(t, err)
	must(t, d.Destroy(ctx))
	if _, err := c.Reinstall(ctx, "ofit", ""); err != nil {
		t.Error(err)
	}
	must(t, pvctl.Undefine("", "ofit"))
	must(t, pvctl.RemoveTemplateDisks("ofit"))
	must(t, pvctl.DeleteTemplate("here"))
}

func TestImage(t *testing.T) {
	ctx := within(t)
	from := filepath.Join(t.TempDir(), "from.img")
	must(t, os.WriteFile(from, make([]byte, 1<<20), 0o600))
	must(t, pvctl.ResizeImage(from, "", 2<<20, false))
	must(t, pvctl.CopyImage(ctx, from, from+".copy", nil))
	image, err := pvctl.GetImage(from+".copy", "")
	if err != nil || image.SizeBytes != 2<<20 || image.IsDevice {
		t.Errorf("%+v, %v", image, err)
	}
	if err := pvctl.CopyImage(ctx, from, from+".copy", nil); !errors.Is(err, pvctl.ErrExists) {
		t.Error(err)
	}
}

func fds(t *testing.T) int {
	list, err := os.ReadDir("/proc/self/fd")
	must(t, err)
	return len(list)
}

func residentBytes(t *testing.T) int {
	data, err := os.ReadFile("/proc/self/statm")
	must(t, err)
	pages, err := strconv.Atoi(strings.Fields(string(data))[1])
	must(t, err)
	return pages * os.Getpagesize()
}

func TestLeaks(t *testing.T) {
	ctx, c := within(t), open(t, "")
	d, err := c.Create(ctx, small(t, "leaks", "version", ""), &pvctl.CreateOptions{Paused: true})
	must(t, err)
	defer d.Destroy(ctx)
	n := rounds("ROUNDS", 200)
	round := func() {
		own, err := pvctl.Open(ctx, &pvctl.OpenOptions{Log: func(pvctl.LogLevel, string) {}})
		must(t, err)
		ev, err := own.Events(ctx, pvctl.EventAll)
		must(t, err)
		console, err := own.Domain(d.ID).Console(ctx, 0)
		must(t, err)
		config, err := own.Domain(d.ID).Config(ctx)
		must(t, err)
		_, err = own.Domains(ctx)
		must(t, err)
		_, err = own.Domain(d.ID).StoreQuotas(ctx)
		must(t, err)
		_, err = pvctl.Snapshots("", "")
		must(t, err)
		if _, err = pvctl.GetSnapshot("", "leaks", "none"); err == nil {
			t.Fatal("no error")
		}
		_, err = pvctl.ParseConfig("memory = 'much'", nil)
		if err == nil {
			t.Fatal("no error")
		}
		for _, h := range []io.Closer{config, console, ev, own} {
			must(t, h.Close())
		}
	}
	for i := 0; i < n; i++ {
		round()
	}
	runtime.GC()
	had, held := fds(t), residentBytes(t)
	for i := 0; i < n; i++ {
		round()
	}
	runtime.GC()
	if now := fds(t); now != had {
		t.Errorf("%d descriptors, then %d", had, now)
	}
	// A connection alone has more than 1 KiB; the rest is the collector's.
	if now := residentBytes(t); now > held+16<<20+n*512 {
		t.Errorf("%d bytes, then %d", held, now)
	}
}
