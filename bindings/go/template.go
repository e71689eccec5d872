// SPDX-License-Identifier: MIT

package pvctl

// #include "callbacks.h"
import "C"

import (
	"context"
	"time"
)

// Template is what new domains are made of.
type Template struct {
	Name, Description, Dir string
	Created                time.Time
	SizeBytes              uint64
	Disks                  uint32
	Warm                   bool // it has the memory of a domain that has booted
}

func template(t *C.struct_pvctl_template_info) Template {
	return Template{C.GoString(&t.name[0]), C.GoString(&t.description[0]), C.GoString(&t.dir[0]), unixTime(t.created_unix_ns), uint64(t.bytes),
		uint32(t.disks), t.warm != 0}
}

// TemplateOptions: Domain not 0 is the one that has the disks.
type TemplateOptions struct {
	Description string
	DomainID    uint32
	Warm        bool
}

// MakeTemplate makes one from a configuration. opts may be nil.
func (c *Conn) MakeTemplate(ctx context.Context, name string, from *Config, opts *TemplateOptions) error {
	if opts == nil {
		opts = &TemplateOptions{}
	}
	k, text := C.CString(name), optional(opts.Description)
	defer freeText(k)
	defer freeText(text)
	o := C.struct_pvctl_template_make_opts{size: C.sizeof_struct_pvctl_template_make_opts, description: text, domid: C.uint32_t(opts.DomainID),
		warm: flag(opts.Warm)}
	return keyed(name, from.use(func(p *C.struct_pvctl_config) error {
		return c.do(ctx, "template", func(n *C.struct_pvctl, e *C.struct_pvctl_error) C.int { return C.pvctl_template_make(n, k, p, &o, e) })
	}))
}

// GetTemplate tells of one. ErrNotFound: there is none.
func GetTemplate(name string) (t Template, err error) {
	k := C.CString(name)
	defer freeText(k)
	r := C.struct_pvctl_template_info{size: C.sizeof_struct_pvctl_template_info}
	if err = call("template", func(e *C.struct_pvctl_error) C.int { return C.pvctl_template_get(k, &r, e) }); err == nil {
		t = template(&r)
	}
	return t, keyed(name, err)
}

// TemplateConfig is what its domains are.
func TemplateConfig(name string) (*Config, error) {
	k := C.CString(name)
	defer freeText(k)
	var p *C.struct_pvctl_config
	if err := call("template", func(e *C.struct_pvctl_error) C.int { return C.pvctl_template_config(k, &p, e) }); err != nil {
		return nil, keyed(name, err)
	}
	return ownConfig(p), nil
}

// Templates lists them by name.
func Templates() ([]Template, error) {
	var list *C.struct_pvctl_template_list
	if err := call("templates", func(e *C.struct_pvctl_error) C.int { return C.pvctl_template_list(&list, e) }); err != nil {
		return nil, err
	}
	defer C.pvctl_template_list_free(list)
	all := make([]Template, 0, int(C.pvctl_template_list_count(list)))
	for i := 0; i < cap(all); i++ {
		all = append(all, template(C.pvctl_template_list_at(list, C.size_t(i))))
	}
	return all, nil
}

// VerifyTemplate compares its files with their checksums.
func (c *Conn) VerifyTemplate(ctx context.Context, name string) error {
	k := C.CString(name)
	defer freeText(k)
	return keyed(name, c.do(ctx, "template", func(n *C.struct_pvctl, e *C.struct_pvctl_error) C.int { return C.pvctl_template_verify(n, k, e) }))
}

// DeleteTemplate: ErrBusy where a domain's disks are based on it.
func DeleteTemplate(name string) error {
	k := C.CString(name)
	defer freeText(k)
	return keyed(name, call("template", func(e *C.struct_pvctl_error) C.int { return C.pvctl_template_delete(k, e) }))
}

// ExportTemplate copies it to dir/NAME.
func (c *Conn) ExportTemplate(ctx context.Context, name, dir string) error {
	k, to := C.CString(name), C.CString(dir)
	defer freeText(k)
	defer freeText(to)
	return keyed(name, c.do(ctx, "template", func(n *C.struct_pvctl, e *C.struct_pvctl_error) C.int { return C.pvctl_template_export(n, k, to, e) }))
}

// ImportTemplate copies one from dir, which is called name then.
func (c *Conn) ImportTemplate(ctx context.Context, dir, name string) error {
	k, from := C.CString(name), C.CString(dir)
	defer freeText(k)
	defer freeText(from)
	return keyed(name, c.do(ctx, "template", func(n *C.struct_pvctl, e *C.struct_pvctl_error) C.int { return C.pvctl_template_import(n, from, k, e) }))
}

// FromTemplateOptions of a domain of a template. Cold: it boots, also where the template is warm.
type FromTemplateOptions struct{ Paused, Cold bool }

// CreateFromTemplate: over has the domain's name, and what is to be other than in the template. opts may be nil.
func (c *Conn) CreateFromTemplate(ctx context.Context, name string, over *Config, opts *FromTemplateOptions) (d Domain, err error) {
	if opts == nil {
		opts = &FromTemplateOptions{}
	}
	k := C.CString(name)
	defer freeText(k)
	o := C.struct_pvctl_template_create_opts{size: C.sizeof_struct_pvctl_template_create_opts, paused: flag(opts.Paused), cold: flag(opts.Cold)}
	err = over.use(func(p *C.struct_pvctl_config) error {
		d, err = c.domainOf(ctx, "create", func(n *C.struct_pvctl, id *C.uint32_t, e *C.struct_pvctl_error) C.int {
			return C.pvctl_template_create(n, k, p, &o, id, e)
		})
		return ofConfig(p, err)
	})
	return d, keyed(name, err)
}

// Reinstall gives a domain, running or defined, the template's first disk anew; "": of the one it was made of. Domain.ID is 0 where it does not run.
func (c *Conn) Reinstall(ctx context.Context, domain, template string) (Domain, error) {
	k, t := C.CString(domain), optional(template)
	defer freeText(k)
	defer freeText(t)
	d, err := c.domainOf(ctx, "reinstall", func(n *C.struct_pvctl, id *C.uint32_t, e *C.struct_pvctl_error) C.int {
		return C.pvctl_domain_reinstall(n, k, t, id, e)
	})
	return d, named(domain, err)
}

// RemoveTemplateDisks of a domain that was made of a template and is gone.
func RemoveTemplateDisks(domain string) error {
	k := C.CString(domain)
	defer freeText(k)
	return named(domain, call("template", func(e *C.struct_pvctl_error) C.int { return C.pvctl_template_disks_remove(k, e) }))
}
