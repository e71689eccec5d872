// SPDX-License-Identifier: MIT

package pvctl

// #include "callbacks.h"
import "C"

import (
	"context"
	"errors"
	"os"
	"regexp"
	"runtime"
	"sort"
	"sync"
	"unsafe"
)

// Config is what a domain should be, by the keys of pvctl.cfg(5). Any goroutine may use it.
type Config struct {
	mu sync.Mutex
	p  *C.struct_pvctl_config // nil: closed
}

func ownConfig(p *C.struct_pvctl_config) *Config {
	c := &Config{p: p}
	runtime.SetFinalizer(c, func(c *Config) { c.Close() })
	return c
}

// NewConfig is an empty one.
func NewConfig() (*Config, error) {
	var p *C.struct_pvctl_config
	if err := call("config", func(e *C.struct_pvctl_error) C.int { return C.pvctl_config_new(&p, e) }); err != nil {
		return nil, err
	}
	return ownConfig(p), nil
}

// ConfigFromMap sets each key as Set does.
func ConfigFromMap(values map[string]any) (*Config, error) {
	c, err := NewConfig()
	if err != nil {
		return nil, err
	}
	keys := make([]string, 0, len(values))
	for key := range values {
		keys = append(keys, key)
	}
	sort.Strings(keys)
	for _, key := range keys {
		if err := c.Set(key, values[key]); err != nil {
			c.Close()
			return nil, err
		}
	}
	return c, nil
}

// ParseOptions of a text. Strict: unknown and ignored keys are errors. Messages is given warnings and notes where all is well.
type ParseOptions struct {
	File     string // its name in messages
	Strict   bool
	Messages *[]Message
}

// parser is what reads a text.
type parser func(s *C.char, n C.size_t, o *C.struct_pvctl_parse_opts, p **C.struct_pvctl_config, e *C.struct_pvctl_error) C.int

// ParseConfig reads the text of a file as xl has it. A mistake is a *ParseError with line and column. opts may be nil.
func ParseConfig(text string, opts *ParseOptions) (*Config, error) {
	return parse(text, opts, func(s *C.char, n C.size_t, o *C.struct_pvctl_parse_opts, p **C.struct_pvctl_config, e *C.struct_pvctl_error) C.int {
		return C.pvctl_config_parse(s, n, o, p, e)
	})
}

// ConfigFromXML reads libvirt's domain format, as it is for Xen's PV guests. What is not known there is left out, with a warning.
func ConfigFromXML(text string, opts *ParseOptions) (*Config, error) {
	return parse(text, opts, func(s *C.char, n C.size_t, o *C.struct_pvctl_parse_opts, p **C.struct_pvctl_config, e *C.struct_pvctl_error) C.int {
		return C.pvctl_config_from_xml(s, n, o, p, e)
	})
}

func parse(text string, opts *ParseOptions, f parser) (*Config, error) {
	s := C.CString(text)
	defer freeText(s)
	var p *C.struct_pvctl_config
	err := opts.with(func(o *C.struct_pvctl_parse_opts, e *C.struct_pvctl_error) C.int {
		return f(s, C.size_t(len(text)), o, &p, e)
	})
	if err != nil {
		return nil, err
	}
	return ownConfig(p), nil
}

// with calls what says things of a text.
func (opts *ParseOptions) with(f func(o *C.struct_pvctl_parse_opts, e *C.struct_pvctl_error) C.int) error {
	if opts == nil {
		opts = &ParseOptions{}
	}
	var said []Message
	cell := newCell(&said)
	defer cell.free()
	file := optional(opts.File)
	defer freeText(file)
	o := C.struct_pvctl_parse_opts{size: C.sizeof_struct_pvctl_parse_opts, file: file, strict: flag(opts.Strict), data: cell.data()}
	o.message = (*[0]byte)(C.pvctl_go_parse)
	err := call("config", func(e *C.struct_pvctl_error) C.int { return f(&o, e) })
	if opts.Messages != nil {
		*opts.Messages = said
	}
	if err != nil {
		wrong := &ParseError{said, err}
		keyed(keyIn(wrong.First().SourceLine), err)
		return wrong
	}
	return nil
}

var keyAtStart = regexp.MustCompile(`^\s*(\w+)\s*\+?=`)

// keyIn is the key that a line of a configuration's text sets; "": it is none.
func keyIn(line string) string {
	if found := keyAtStart.FindStringSubmatch(line); found != nil {
		return found[1]
	}
	return ""
}

// LoadConfig reads a file as xl has it.
func LoadConfig(path string) (*Config, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	return ParseConfig(string(text), &ParseOptions{File: path})
}

// ConfigFromJSON reads what JSON writes.
func ConfigFromJSON(text string) (*Config, error) {
	s := C.CString(text)
	defer freeText(s)
	var p *C.struct_pvctl_config
	if err := call("config", func(e *C.struct_pvctl_error) C.int { return C.pvctl_config_from_json(s, &p, e) }); err != nil {
		return nil, err
	}
	return ownConfig(p), nil
}

// Close frees it early; the garbage collector does so otherwise.
func (c *Config) Close() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	C.pvctl_config_free(c.p)
	c.p = nil
	runtime.SetFinalizer(c, nil)
	return nil
}

// use holds it while C has it.
func (c *Config) use(f func(p *C.struct_pvctl_config) error) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.p == nil {
		return ErrClosed
	}
	return f(c.p)
}

// maybe is use for nil, too.
func (c *Config) maybe(f func(p *C.struct_pvctl_config) error) error {
	if c == nil {
		return f(nil)
	}
	return c.use(f)
}

// ofConfig says which domain a failure is about.
func ofConfig(p *C.struct_pvctl_config, err error) error {
	if err == nil {
		return nil
	}
	k := C.CString("name")
	defer freeText(k)
	if s := C.pvctl_config_get_str(p, k); s != nil {
		named(C.GoString(s), err)
	}
	return err
}

// Set takes a string, an integer, a bool (0 or 1) or a []string. The value is checked at once, and the key is in the error.
func (c *Config) Set(key string, value any) error {
	k := C.CString(key)
	defer freeText(k)
	return keyed(key, c.use(func(p *C.struct_pvctl_config) error {
		return call("config", func(e *C.struct_pvctl_error) C.int { return set(p, k, value, e) })
	}))
}

func set(p *C.struct_pvctl_config, key *C.char, value any, e *C.struct_pvctl_error) C.int {
	number := func(n int64) C.int { return C.pvctl_config_set_int(p, key, C.int64_t(n), e) }
	switch v := value.(type) {
	case string:
		s := C.CString(v)
		defer freeText(s)
		return C.pvctl_config_set_str(p, key, s, e)
	case []string:
		return setList(p, key, v, e)
	case bool:
		return number(int64(flag(v)))
	case int:
		return number(int64(v))
	case int32:
		return number(int64(v))
	case int64:
		return number(v)
	case uint32:
		return number(int64(v))
	case uint:
		if v <= 1<<63-1 {
			return number(int64(v))
		}
	case uint64:
		if v <= 1<<63-1 {
			return number(int64(v))
		}
	}
	fillError(e, wrong("config", "%s: no value of a configuration: %T", C.GoString(key), value))
	return -C.int(ErrInvalid)
}

func setList(p *C.struct_pvctl_config, key *C.char, values []string, e *C.struct_pvctl_error) C.int {
	size := C.size_t(unsafe.Sizeof((*C.char)(nil)))
	array := (**C.char)(C.calloc(C.size_t(len(values)+1), size))
	defer C.free(unsafe.Pointer(array))
	list := unsafe.Slice(array, len(values)+1)
	for i, v := range values {
		list[i] = C.CString(v)
		defer freeText(list[i])
	}
	return C.pvctl_config_set_list(p, key, array, C.size_t(len(values)), e)
}

// Text is a value as text; false: it is not set.
func (c *Config) Text(key string) (value string, ok bool, err error) {
	k := C.CString(key)
	defer freeText(k)
	err = c.use(func(p *C.struct_pvctl_config) error {
		if s := C.pvctl_config_get_str(p, k); s != nil {
			value, ok = C.GoString(s), true
		}
		return nil
	})
	return
}

// Int is a value as a number; ErrNotFound: it is not set.
func (c *Config) Int(key string) (value int64, err error) {
	k := C.CString(key)
	defer freeText(k)
	err = c.use(func(p *C.struct_pvctl_config) error {
		var n C.int64_t
		if rc := C.pvctl_config_get_int(p, k, &n); rc < 0 {
			return failure("config", rc, &C.struct_pvctl_error{})
		}
		value = int64(n)
		return nil
	})
	if e, ok := err.(*Error); ok {
		e.Message = key + ": " + e.Errno.Error()
	}
	return value, keyed(key, err)
}

// List is the texts of a list; nil: it is not set.
func (c *Config) List(key string) (values []string, err error) {
	k := C.CString(key)
	defer freeText(k)
	err = c.use(func(p *C.struct_pvctl_config) error {
		for {
			s := C.pvctl_config_get_item(p, k, C.size_t(len(values)))
			if s == nil {
				return nil
			}
			values = append(values, C.GoString(s))
		}
	})
	return
}

// CPUIDEdit is what the key cpuid changes of one register: bits that are to be 1, and to be 0.
type CPUIDEdit struct {
	Leaf, Subleaf uint32
	Register      uint32 // 0 eax, 1 ebx, 2 ecx, 3 edx
	Set, Clear    uint32
}

// CPUID is what the key cpuid changes of what the node gives to a new domain.
func (c *Config) CPUID() (edits []CPUIDEdit, err error) {
	err = c.use(func(p *C.struct_pvctl_config) error {
		for {
			s := C.struct_pvctl_cpuid_edit{size: C.sizeof_struct_pvctl_cpuid_edit}
			err := call("config", func(e *C.struct_pvctl_error) C.int {
				return C.pvctl_config_get_cpuid(p, C.size_t(len(edits)), &s, e)
			})
			if errors.Is(err, ErrNotFound) {
				return nil
			}
			if err != nil {
				return keyed("cpuid", err)
			}
			edits = append(edits, CPUIDEdit{uint32(s.leaf), uint32(s.subleaf), uint32(s.reg), uint32(s.set), uint32(s.clear)})
		}
	})
	return
}

// JSON is all of it.
func (c *Config) JSON() (text string, err error) {
	err = c.use(func(p *C.struct_pvctl_config) error {
		var s *C.char
		err := call("config", func(e *C.struct_pvctl_error) C.int { return C.pvctl_config_to_json(p, &s, e) })
		if err == nil {
			text = taken(s)
		}
		return err
	})
	return
}

// XML is all of it that libvirt's domain format has a word for; what is left out is in opts.Messages, or, with opts.Strict, an error.
// opts may be nil.
func (c *Config) XML(opts *ParseOptions) (text string, err error) {
	err = c.use(func(p *C.struct_pvctl_config) error {
		var s *C.char
		err := opts.with(func(o *C.struct_pvctl_parse_opts, e *C.struct_pvctl_error) C.int {
			return C.pvctl_config_to_xml(p, o, &s, e)
		})
		if err == nil {
			text = taken(s)
		}
		return err
	})
	return
}

// Check looks at all that can be checked without a node and without side effects; log, which may be nil, is told of what create would warn of.
func (c *Config) Check(log func(level LogLevel, message string)) error {
	cell := newCell(&state{log: log})
	defer cell.free()
	return c.use(func(p *C.struct_pvctl_config) error {
		return ofConfig(p, call("check", func(e *C.struct_pvctl_error) C.int {
			return C.pvctl_config_check_log(p, (*[0]byte)(C.pvctl_go_log), cell.data(), e)
		}))
	})
}

// CheckConfig is Config.Check for this node.
func (c *Conn) CheckConfig(ctx context.Context, config *Config) error {
	return config.use(func(p *C.struct_pvctl_config) error {
		return ofConfig(p, c.do(ctx, "check", func(n *C.struct_pvctl, e *C.struct_pvctl_error) C.int {
			return C.pvctl_config_check(n, p, e)
		}))
	})
}

// configOf owns what f fills.
func (c *Conn) configOf(ctx context.Context, op string, f func(n *C.struct_pvctl, ret **C.struct_pvctl_config, e *C.struct_pvctl_error) C.int) (*Config, error) {
	var p *C.struct_pvctl_config
	if err := c.do(ctx, op, func(n *C.struct_pvctl, e *C.struct_pvctl_error) C.int { return f(n, &p, e) }); err != nil {
		return nil, err
	}
	return ownConfig(p), nil
}
