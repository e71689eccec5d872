// SPDX-License-Identifier: MIT

package pvctl

// #include "callbacks.h"
import "C"

import (
	"context"
	"errors"
)

// StoreQuota is how much of something a domain may have in the store.
type StoreQuota struct {
	Name           string
	Limit, Default uint32
	Used           int64 // -1: that is not counted
}

// StoreQuotas lists them.
func (d Domain) StoreQuotas(ctx context.Context) (all []StoreQuota, err error) {
	for {
		r := C.struct_pvctl_store_quota{size: C.sizeof_struct_pvctl_store_quota}
		err = d.do(ctx, "store quota", func(n *C.struct_pvctl, id C.uint32_t, e *C.struct_pvctl_error) C.int {
			return C.pvctl_store_quota_get(n, id, C.uint32_t(len(all)), &r, e)
		})
		if errors.Is(err, ErrNotFound) {
			return all, nil
		}
		if err != nil {
			return nil, err
		}
		all = append(all, StoreQuota{C.GoString(&r.name[0]), uint32(r.limit), uint32(r.own), int64(r.used)})
	}
}

// SetStoreQuota lasts until the domain goes; what it has already stays. Value 0: the default.
func (d Domain) SetStoreQuota(ctx context.Context, name string, value uint32) error {
	k := C.CString(name)
	defer freeText(k)
	return keyed(name, d.do(ctx, "store quota", func(n *C.struct_pvctl, id C.uint32_t, e *C.struct_pvctl_error) C.int {
		return C.pvctl_store_quota_set(n, id, k, C.uint32_t(value), e)
	}))
}
