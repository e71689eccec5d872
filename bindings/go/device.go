// SPDX-License-Identifier: MIT

package pvctl

// #include "callbacks.h"
import "C"

import (
	"context"
	"net"
	"time"
)

// Disk of a domain.
type Disk struct {
	VDev                                      uint32
	State                                     uint32 // of the handshake with the guest; 4: connected
	ReadOnly, CDROM, Failed                   bool
	EventChannel, RingRef                     int32 // -1: not connected
	SizeBytes                                 uint64
	Name, BackendPath, Target, Format         string
	SectorSizeBytes                           uint32
	Reads, Writes, Flushes, Discards, Errors  uint64 // requests since it was attached
	ReadSectors, WriteSectors, DiscardSectors uint64 // of 512 bytes
}

// DiskSpec is what a text of the key disk says.
type DiskSpec struct {
	VDev                                                uint32
	SectorSizeBytes                                     uint32 // 0: the target's own
	ReadOnly, CDROM, NoDiscard, DirectIOSafe, Untrusted bool
	Name, Format, Backend, Script, Target               string
}

// ParseDisk reads one; nothing is looked up.
func ParseDisk(text string) (spec DiskSpec, err error) {
	k := C.CString(text)
	defer freeText(k)
	s := C.struct_pvctl_disk_spec{size: C.sizeof_struct_pvctl_disk_spec}
	if err = call("disk", func(e *C.struct_pvctl_error) C.int { return C.pvctl_disk_parse(k, &s, e) }); err == nil {
		spec = DiskSpec{uint32(s.vdev), uint32(s.sector_size), s.readonly != 0, s.cdrom != 0, s.no_discard != 0, s.direct_io_safe != 0,
			s.untrusted != 0, C.GoString(&s.name[0]), C.GoString(&s.format[0]), C.GoString(&s.backend[0]), C.GoString(&s.script[0]),
			C.GoString(&s.target[0])}
	}
	return spec, keyed("disk", err)
}

// DetachOptions. Force: the guest is not asked. Timeout 0: 10 s.
type DetachOptions struct {
	Force   bool
	Timeout time.Duration
}

func diskDetach(o *DetachOptions) C.struct_pvctl_disk_detach_opts {
	r := C.struct_pvctl_disk_detach_opts{size: C.sizeof_struct_pvctl_disk_detach_opts}
	if o != nil {
		r.force, r.timeout_ms = flag(o.Force), millis(o.Timeout)
	}
	return r
}

// AttachDisk by a text of the key disk.
func (d Domain) AttachDisk(ctx context.Context, spec string) error {
	k := C.CString(spec)
	defer freeText(k)
	return keyed(spec, d.do(ctx, "attach disk", func(n *C.struct_pvctl, id C.uint32_t, e *C.struct_pvctl_error) C.int {
		return C.pvctl_disk_attach(n, id, k, e)
	}))
}

// ChangeDisk puts another medium into a drive; target "": none. opts may be nil.
func (d Domain) ChangeDisk(ctx context.Context, vdev, target string, opts *DetachOptions) error {
	k, t := C.CString(vdev), optional(target)
	defer freeText(k)
	defer freeText(t)
	o := diskDetach(opts)
	return keyed(vdev, d.do(ctx, "change disk", func(n *C.struct_pvctl, id C.uint32_t, e *C.struct_pvctl_error) C.int {
		return C.pvctl_disk_change(n, id, k, t, &o, e)
	}))
}

// DetachDisk waits until the guest has let go. opts may be nil.
func (d Domain) DetachDisk(ctx context.Context, vdev string, opts *DetachOptions) error {
	k := C.CString(vdev)
	defer freeText(k)
	o := diskDetach(opts)
	return keyed(vdev, d.do(ctx, "detach disk", func(n *C.struct_pvctl, id C.uint32_t, e *C.struct_pvctl_error) C.int {
		return C.pvctl_disk_detach(n, id, k, &o, e)
	}))
}

// Disks lists them.
func (d Domain) Disks(ctx context.Context) ([]Disk, error) {
	var list *C.struct_pvctl_disk_list
	err := d.do(ctx, "disks", func(n *C.struct_pvctl, id C.uint32_t, e *C.struct_pvctl_error) C.int {
		return C.pvctl_disk_list(n, id, &list, e)
	})
	if err != nil {
		return nil, err
	}
	defer C.pvctl_disk_list_free(list)
	all := make([]Disk, 0, int(C.pvctl_disk_list_count(list)))
	for i := 0; i < cap(all); i++ {
		k := C.pvctl_disk_list_at(list, C.size_t(i))
		all = append(all, Disk{uint32(k.vdev), uint32(k.state), k.readonly != 0, k.cdrom != 0, k.failed != 0, int32(k.event_channel),
			int32(k.ring_ref), uint64(k.bytes), C.GoString(&k.name[0]), C.GoString(&k.backend_path[0]), C.GoString(&k.target[0]),
			C.GoString(&k.format[0]), uint32(k.sector_size), uint64(k.reads), uint64(k.writes), uint64(k.flushes), uint64(k.discards),
			uint64(k.errors), uint64(k.read_sectors), uint64(k.write_sectors), uint64(k.discard_sectors)})
	}
	return all, nil
}

// Channel is a named stream of bytes of a domain.
type Channel struct {
	DevID, State          uint32
	EventChannel, RingRef int32  // -1: not connected
	Connection            string // "pty" or "socket"
	Name, Path            string
}

// Channels lists them.
func (d Domain) Channels(ctx context.Context) ([]Channel, error) {
	var list *C.struct_pvctl_channel_list
	err := d.do(ctx, "channels", func(n *C.struct_pvctl, id C.uint32_t, e *C.struct_pvctl_error) C.int {
		return C.pvctl_channel_list(n, id, &list, e)
	})
	if err != nil {
		return nil, err
	}
	defer C.pvctl_channel_list_free(list)
	all := make([]Channel, 0, int(C.pvctl_channel_list_count(list)))
	for i := 0; i < cap(all); i++ {
		k := C.pvctl_channel_list_at(list, C.size_t(i))
		all = append(all, Channel{uint32(k.devid), uint32(k.state), int32(k.event_channel), int32(k.ring_ref),
			C.GoString(&k.connection[0]), C.GoString(&k.name[0]), C.GoString(&k.path[0])})
	}
	return all, nil
}

// VIF is a network interface of a domain. Tx is what the guest sent.
type VIF struct {
	DevID, State, Queues, MTUBytes            uint32
	TxEventChannel, RxEventChannel            int32 // of the first queue; -1: not connected
	TxRingRef, RxRingRef                      int32
	MAC                                       net.HardwareAddr
	Link, Bridge, BackendPath                 string
	TxBytes, TxPackets, TxDrops, TxGSOPackets uint64
	RxBytes, RxPackets, RxDrops, RxGSOPackets uint64
}

// VIFSpec is what a text of the key vif says.
type VIFSpec struct {
	DevID                                         int32 // -1: the text has none
	MTUBytes                                      uint32
	RateBytes                                     uint64 // in each RateInterval; 0: no limit
	RateInterval                                  time.Duration
	Trusted                                       bool
	MAC                                           net.HardwareAddr // nil: none
	Link, Bridge, VIFName, GatewayDev, Script, IP string
}

func hardwareAddr(mac [6]C.uint8_t) net.HardwareAddr {
	a := make(net.HardwareAddr, len(mac))
	for i, b := range mac {
		a[i] = byte(b)
	}
	return a
}

// ParseVIF reads one; nothing is looked up.
func ParseVIF(text string) (spec VIFSpec, err error) {
	k := C.CString(text)
	defer freeText(k)
	s := C.struct_pvctl_vif_spec{size: C.sizeof_struct_pvctl_vif_spec}
	if err = call("vif", func(e *C.struct_pvctl_error) C.int { return C.pvctl_vif_parse(k, &s, e) }); err != nil {
		return spec, keyed("vif", err)
	}
	spec = VIFSpec{int32(s.devid), uint32(s.mtu), uint64(s.rate_bytes), time.Duration(s.rate_us) * time.Microsecond, s.trusted != 0, nil,
		C.GoString(&s.link[0]), C.GoString(&s.bridge[0]), C.GoString(&s.vifname[0]), C.GoString(&s.gatewaydev[0]), C.GoString(&s.script[0]),
		C.GoString(&s.ip[0])}
	if s.has_mac != 0 {
		spec.MAC = hardwareAddr(s.mac)
	}
	return
}

// AttachVIF by a text of the key vif.
func (d Domain) AttachVIF(ctx context.Context, spec string) error {
	k := C.CString(spec)
	defer freeText(k)
	return keyed(spec, d.do(ctx, "attach vif", func(n *C.struct_pvctl, id C.uint32_t, e *C.struct_pvctl_error) C.int {
		return C.pvctl_vif_attach(n, id, k, e)
	}))
}

// DetachVIF by a number or a MAC; waits until the guest has let go. opts may be nil.
func (d Domain) DetachVIF(ctx context.Context, which string, opts *DetachOptions) error {
	k := C.CString(which)
	defer freeText(k)
	o := C.struct_pvctl_vif_detach_opts{size: C.sizeof_struct_pvctl_vif_detach_opts}
	if opts != nil {
		o.force, o.timeout_ms = flag(opts.Force), millis(opts.Timeout)
	}
	return keyed(which, d.do(ctx, "detach vif", func(n *C.struct_pvctl, id C.uint32_t, e *C.struct_pvctl_error) C.int {
		return C.pvctl_vif_detach(n, id, k, &o, e)
	}))
}

// VIFs lists them.
func (d Domain) VIFs(ctx context.Context) ([]VIF, error) {
	var list *C.struct_pvctl_vif_list
	err := d.do(ctx, "vifs", func(n *C.struct_pvctl, id C.uint32_t, e *C.struct_pvctl_error) C.int {
		return C.pvctl_vif_list(n, id, &list, e)
	})
	if err != nil {
		return nil, err
	}
	defer C.pvctl_vif_list_free(list)
	all := make([]VIF, 0, int(C.pvctl_vif_list_count(list)))
	for i := 0; i < cap(all); i++ {
		v := C.pvctl_vif_list_at(list, C.size_t(i))
		all = append(all, VIF{uint32(v.devid), uint32(v.state), uint32(v.queues), uint32(v.mtu), int32(v.tx_event_channel),
			int32(v.rx_event_channel), int32(v.tx_ring_ref), int32(v.rx_ring_ref), hardwareAddr(v.mac), C.GoString(&v.link[0]),
			C.GoString(&v.bridge[0]), C.GoString(&v.backend_path[0]), uint64(v.tx_bytes), uint64(v.tx_packets), uint64(v.tx_drops),
			uint64(v.tx_gso_packets), uint64(v.rx_bytes), uint64(v.rx_packets), uint64(v.rx_drops), uint64(v.rx_gso_packets)})
	}
	return all, nil
}
