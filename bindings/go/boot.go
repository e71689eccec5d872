// SPDX-License-Identifier: MIT

package pvctl

// #include "callbacks.h"
import "C"

import (
	"os"
	"time"
)

// BootOptions say what of a disk is looked at.
type BootOptions struct {
	Entry           string // a number, an id, a title; "": what boots by itself
	Timeout         time.Duration
	ListOnly        bool
	Kernel, Ramdisk string // paths on the disk
	OffsetBytes     uint64
	User, Format    string
}

// BootEntry of a menu.
type BootEntry struct{ Title, ID, Kernel, Ramdisk, Cmdline string }

// Boot is what a disk would boot. Kernel and Ramdisk are memory files, or nil; Close closes them.
type Boot struct {
	Entries         []BootEntry
	Default         uint32
	Chosen          int32 // -1: ListOnly
	Partition       uint32
	ConfigFile      string
	Kernel, Ramdisk *os.File
	Wait            time.Duration // how long the menu waits; negative: for ever
}

// BootOf reads a disk. opts may be nil.
func BootOf(disk string, opts *BootOptions) (*Boot, error) {
	k := C.CString(disk)
	defer freeText(k)
	return boot(opts, func(o *C.struct_pvctl_boot_opts, ret **C.struct_pvctl_boot, e *C.struct_pvctl_error) C.int {
		return C.pvctl_boot_open(k, o, ret, e)
	})
}

// BootOfConfig reads the first disk of a configuration with a bootloader.
func BootOfConfig(config *Config, opts *BootOptions) (b *Boot, err error) {
	err = config.use(func(p *C.struct_pvctl_config) error {
		b, err = boot(opts, func(o *C.struct_pvctl_boot_opts, ret **C.struct_pvctl_boot, e *C.struct_pvctl_error) C.int {
			return C.pvctl_boot_open_config(p, o, ret, e)
		})
		return err
	})
	return
}

func boot(opts *BootOptions, open func(o *C.struct_pvctl_boot_opts, ret **C.struct_pvctl_boot, e *C.struct_pvctl_error) C.int) (*Boot, error) {
	if opts == nil {
		opts = &BootOptions{}
	}
	o := C.struct_pvctl_boot_opts{size: C.sizeof_struct_pvctl_boot_opts, timeout_ms: millis(opts.Timeout), list_only: flag(opts.ListOnly),
		offset_bytes: C.uint64_t(opts.OffsetBytes)}
	for to, s := range map[**C.char]string{&o.entry: opts.Entry, &o.kernel: opts.Kernel, &o.ramdisk: opts.Ramdisk, &o.user: opts.User,
		&o.format: opts.Format} {
		*to = optional(s)
		defer freeText(*to)
	}
	var b *C.struct_pvctl_boot
	r := C.struct_pvctl_boot_info{size: C.sizeof_struct_pvctl_boot_info}
	if err := call("boot", func(e *C.struct_pvctl_error) C.int { return open(&o, &b, e) }); err != nil {
		return nil, err
	}
	defer C.pvctl_boot_free(b)
	if err := call("boot", func(e *C.struct_pvctl_error) C.int { return C.pvctl_boot_get(b, &r, e) }); err != nil {
		return nil, err
	}
	result := &Boot{Default: uint32(r.default_entry), Chosen: int32(r.chosen), Partition: uint32(r.partition), ConfigFile: C.GoString(r.config),
		Wait: time.Duration(r.wait_s) * time.Second}
	for i := C.size_t(0); i < C.pvctl_boot_entry_count(b); i++ {
		t := C.pvctl_boot_entry_at(b, i)
		result.Entries = append(result.Entries, BootEntry{C.GoString(t.title), C.GoString(t.id), C.GoString(t.kernel), C.GoString(t.ramdisk),
			C.GoString(t.cmdline)})
	}
	for fd, to := range map[C.int]**os.File{r.kernel_fd: &result.Kernel, r.ramdisk_fd: &result.Ramdisk} {
		if fd < 0 {
			continue
		}
		copied, err := dup(uintptr(fd))
		if err != nil {
			result.Close()
			return nil, err
		}
		*to = os.NewFile(uintptr(copied), "boot")
	}
	return result, nil
}

// Close closes the files.
func (b *Boot) Close() error {
	for _, file := range []**os.File{&b.Kernel, &b.Ramdisk} {
		if *file != nil {
			(*file).Close()
			*file = nil
		}
	}
	return nil
}
