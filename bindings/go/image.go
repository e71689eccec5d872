// SPDX-License-Identifier: MIT

package pvctl

// #include "callbacks.h"
import "C"

import (
	"context"
	"unsafe"
)

// Image is a disk as a file of the host, or a device.
type Image struct {
	SizeBytes, AllocatedBytes uint64 // as a guest sees it; of the file
	IsDevice                  bool
	Format                    string
	Base                      string // what it is based on; "": nothing
}

// GetImage tells of one, also where it is in use. Format "": raw.
func GetImage(path, format string) (image Image, err error) {
	p, f := C.CString(path), optional(format)
	defer freeText(p)
	defer freeText(f)
	r := C.struct_pvctl_disk_image_info{size: C.sizeof_struct_pvctl_disk_image_info}
	if err = call("image", func(e *C.struct_pvctl_error) C.int { return C.pvctl_disk_image_get(p, f, &r, e) }); err == nil {
		image = Image{uint64(r.bytes), uint64(r.allocated_bytes), r.is_device != 0, C.GoString(&r.format[0]), C.GoString(&r.base[0])}
	}
	return image, keyed(path, err)
}

// ResizeImage changes one that nobody uses. What a smaller one has no room for is lost; that needs shrink.
func ResizeImage(path, format string, bytes uint64, shrink bool) error {
	p, f := C.CString(path), optional(format)
	defer freeText(p)
	defer freeText(f)
	o := C.struct_pvctl_disk_image_resize_opts{size: C.sizeof_struct_pvctl_disk_image_resize_opts, format: f, bytes: C.uint64_t(bytes),
		shrink: flag(shrink)}
	return keyed(path, call("image", func(e *C.struct_pvctl_error) C.int { return C.pvctl_disk_image_resize(p, &o, e) }))
}

// CopyOptions of an image's copy. Overlay: nothing is copied, and the original must not be written any more.
type CopyOptions struct {
	Format, ToFormat  string
	Overlay, Compress bool
}

// alone gives what has no connection the context, for progress and to be cancelled by.
func alone(ctx context.Context, f func(progress *[0]byte, data unsafe.Pointer) error) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	cell := newCell(&state{ctx: ctx})
	defer cell.free()
	err := f((*[0]byte)(C.pvctl_go_progress), cell.data())
	if e, ok := err.(*Error); ok && e.Errno == ErrCanceled {
		e.cause = ctx.Err()
	}
	return err
}

// CopyImage makes a new image, of which nothing is left after a failure. ctx cancels it, and has progress. opts may be nil.
func CopyImage(ctx context.Context, from, to string, opts *CopyOptions) error {
	if opts == nil {
		opts = &CopyOptions{}
	}
	a, b, f, g := C.CString(from), C.CString(to), optional(opts.Format), optional(opts.ToFormat)
	defer freeText(a)
	defer freeText(b)
	defer freeText(f)
	defer freeText(g)
	return keyed(from, alone(ctx, func(progress *[0]byte, data unsafe.Pointer) error {
		o := C.struct_pvctl_disk_copy_opts{size: C.sizeof_struct_pvctl_disk_copy_opts, format: f, to_format: g, overlay: flag(opts.Overlay),
			compress: flag(opts.Compress), progress: progress, progress_data: data}
		return call("image", func(e *C.struct_pvctl_error) C.int { return C.pvctl_disk_image_copy(a, b, &o, e) })
	}))
}

// FlattenImage copies into a qcow2 image, in place, what it has of its bases: it is based on nothing then. ErrBusy: somebody uses it. ctx
// cancels it, and has progress; nothing is lost.
func FlattenImage(ctx context.Context, path string) error {
	p := C.CString(path)
	defer freeText(p)
	return keyed(path, alone(ctx, func(progress *[0]byte, data unsafe.Pointer) error {
		o := C.struct_pvctl_disk_flatten_opts{size: C.sizeof_struct_pvctl_disk_flatten_opts, progress: progress, progress_data: data}
		return call("image", func(e *C.struct_pvctl_error) C.int { return C.pvctl_disk_image_flatten(p, &o, e) })
	}))
}

// ResizeDisk lets the disk of a running domain grow; 0: it is as large as what it is of has become.
func (d Domain) ResizeDisk(ctx context.Context, vdev string, bytes uint64) (uint64, error) {
	k := C.CString(vdev)
	defer freeText(k)
	var got C.uint64_t
	err := d.do(ctx, "resize disk", func(n *C.struct_pvctl, id C.uint32_t, e *C.struct_pvctl_error) C.int {
		return C.pvctl_disk_resize(n, id, k, C.uint64_t(bytes), &got, e)
	})
	return uint64(got), keyed(vdev, err)
}
