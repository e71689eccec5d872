// SPDX-License-Identifier: MIT

package pvctl

// #include "callbacks.h"
import "C"

import (
	"runtime/cgo"
	"syscall"
	"unsafe"
)

// cell is memory of C's with a handle in it: C may keep its address, and it is no pointer of Go's.
type cell struct{ p *C.uintptr_t }

func newCell(v any) cell {
	c := cell{(*C.uintptr_t)(C.malloc(C.size_t(unsafe.Sizeof(C.uintptr_t(0)))))}
	*c.p = C.uintptr_t(cgo.NewHandle(v))
	return c
}

func (c cell) data() unsafe.Pointer { return unsafe.Pointer(c.p) }

func (c cell) free() {
	if c.p != nil {
		cgo.Handle(*c.p).Delete()
		C.free(unsafe.Pointer(c.p))
	}
}

func valueOf[T any](data unsafe.Pointer) T { return cgo.Handle(*(*C.uintptr_t)(data)).Value().(T) }

// fillError says to C why a function of Go's failed.
func fillError(to *C.struct_pvctl_error, err error) C.int {
	msg := err.Error()
	if len(msg) >= len(to.msg) {
		msg = msg[:len(to.msg)-1]
	}
	for i := 0; i < len(msg); i++ {
		to.msg[i] = C.char(msg[i])
	}
	to.msg[len(msg)] = 0
	to.code = -C.int32_t(syscall.EIO)
	return C.int(to.code)
}

//export pvctl_go_log
func pvctl_go_log(data unsafe.Pointer, level C.int, msg *C.pvctl_go_char) {
	if log := valueOf[*state](data).log; log != nil {
		log(LogLevel(level), C.GoString((*C.char)(msg)))
	}
}

//export pvctl_go_progress
func pvctl_go_progress(data unsafe.Pointer, what *C.pvctl_go_char, done, total C.uint64_t) C.int {
	s := valueOf[*state](data)
	if s.ctx == nil {
		return 0
	}
	if f, ok := s.ctx.Value(progressKey{}).(func(Progress)); ok {
		f(Progress{C.GoString((*C.char)(what)), uint64(done), uint64(total)})
	}
	if s.ctx.Err() != nil {
		return 1
	}
	return 0
}

//export pvctl_go_parse
func pvctl_go_parse(data unsafe.Pointer, m *C.pvctl_go_message) {
	to := valueOf[*[]Message](data)
	*to = append(*to, Message{MessageLevel(m.level), C.GoString(m.file), int(m.line), int(m.column), C.GoString(m.text),
		C.GoString(m.source_line), C.GoString(m.hint)})
}

//export pvctl_go_say
func pvctl_go_say(data unsafe.Pointer, line *C.pvctl_go_char) {
	if f := valueOf[*MigrateOptions](data).Say; f != nil {
		f(C.GoString((*C.char)(line)))
	}
}

//export pvctl_go_step
func pvctl_go_step(data unsafe.Pointer, name *C.pvctl_go_char) {
	if f := valueOf[*MigrateOptions](data).Step; f != nil {
		f(C.GoString((*C.char)(name)))
	}
}

//export pvctl_go_written
func pvctl_go_written(data unsafe.Pointer, err *C.struct_pvctl_error) C.int {
	if e := valueOf[func() error](data)(); e != nil {
		return fillError(err, e)
	}
	return 0
}

//export pvctl_go_ready
func pvctl_go_ready(data unsafe.Pointer, domid C.uint32_t, err *C.struct_pvctl_error) C.int {
	if e := valueOf[func(uint32) error](data)(uint32(domid)); e != nil {
		return fillError(err, e)
	}
	return 0
}
