// SPDX-License-Identifier: MIT

package pvctl

/*
#include <libpvctl.h>
*/
import "C"

import (
	"context"
	"errors"
	"fmt"
	"syscall"
)

// ErrClosed is what every method of a closed handle returns.
var ErrClosed = errors.New("pvctl: the handle is closed")

// The closed set of what libpvctl returns, for errors.Is. They are errno values: errors.Is(err, fs.ErrNotExist) holds for ErrNotFound, too.
const (
	ErrInvalid      = syscall.EINVAL
	ErrTooBig       = syscall.E2BIG
	ErrNotFound     = syscall.ENOENT // a file, a store path, a node
	ErrNoDomain     = syscall.ESRCH
	ErrExists       = syscall.EEXIST
	ErrBusy         = syscall.EBUSY
	ErrPermission   = syscall.EPERM
	ErrNoMemory     = syscall.ENOMEM
	ErrNoSpace      = syscall.ENOSPC
	ErrIO           = syscall.EIO
	ErrProtocol     = syscall.EPROTO
	ErrTimeout      = syscall.ETIMEDOUT
	ErrCanceled     = syscall.ECANCELED
	ErrNotSupported = syscall.ENOSYS
)

// Origin says who found the fault.
type Origin uint32

const (
	OriginLibrary    Origin = C.PVCTL_ORIGIN_LIB
	OriginOS         Origin = C.PVCTL_ORIGIN_OS
	OriginHypervisor Origin = C.PVCTL_ORIGIN_HV
	OriginStore      Origin = C.PVCTL_ORIGIN_STORE
	OriginImage      Origin = C.PVCTL_ORIGIN_IMAGE
	OriginDaemon     Origin = C.PVCTL_ORIGIN_DAEMON
)

// Error is a failed call of the library.
type Error struct {
	Op      string // "create", say
	Errno   syscall.Errno
	Origin  Origin
	HVRC    int64  // the hypervisor's own result, or 0
	Message string // a sentence for a person
	Domain  string // the name or number of the domain that it is about, or ""
	Key     string // the configuration's key, the store's path, the device, the image, the template, the snapshot that it is about, or ""
	cause   error  // what cancelled it
}

func (e *Error) Error() string { return "pvctl: " + e.Op + ": " + e.Message }

// Unwrap gives the errno.
func (e *Error) Unwrap() error { return e.Errno }

// Is holds for context.Canceled and context.DeadlineExceeded as well, where that ended the call.
func (e *Error) Is(target error) bool { return e.cause != nil && errors.Is(e.cause, target) }

// Timeout is as of net.Error.
func (e *Error) Timeout() bool {
	return e.Errno == syscall.ETIMEDOUT || errors.Is(e.cause, context.DeadlineExceeded)
}

func failure(op string, rc C.int, e *C.struct_pvctl_error) *Error {
	return &Error{Op: op, Errno: syscall.Errno(-rc), Origin: Origin(e.origin), HVRC: int64(e.hv_rc), Message: C.GoString(&e.msg[0])}
}

// keyed says what a failure is about. The library's error has it in its sentence alone.
func keyed(key string, err error) error {
	var e *Error
	if errors.As(err, &e) && e.Key == "" {
		e.Key = key
	}
	return err
}

// named says which domain it is about.
func named(domain string, err error) error {
	var e *Error
	if errors.As(err, &e) && e.Domain == "" {
		e.Domain = domain
	}
	return err
}

// call runs what needs no connection.
func call(op string, f func(e *C.struct_pvctl_error) C.int) error {
	var e C.struct_pvctl_error
	if rc := f(&e); rc < 0 {
		return failure(op, rc, &e)
	}
	return nil
}

// wrong is a mistake found on this side.
func wrong(op, format string, args ...any) error {
	return &Error{Op: op, Errno: syscall.EINVAL, Message: fmt.Sprintf(format, args...)}
}

// MessageLevel is how grave a Message is.
type MessageLevel int

const (
	LevelError MessageLevel = iota
	LevelWarning
	LevelNote
)

// Message is what is said of a configuration's text.
type Message struct {
	Level        MessageLevel
	File         string
	Line, Column int // from 1; Column counts characters
	Text         string
	SourceLine   string
	Hint         string // "": none
}

func (m Message) String() string {
	return fmt.Sprintf("%s:%d:%d: %s", m.File, m.Line, m.Column, m.Text)
}

// ParseError is a text that is no configuration. errors.As finds the *Error in it.
type ParseError struct {
	Messages []Message // errors, warnings and notes, as they stand in the text
	Err      error
}

func (e *ParseError) Error() string { return e.Err.Error() }
func (e *ParseError) Unwrap() error { return e.Err }

// First is the first error of the text.
func (e *ParseError) First() Message {
	for _, m := range e.Messages {
		if m.Level == LevelError {
			return m
		}
	}
	return Message{Text: e.Err.Error()}
}
