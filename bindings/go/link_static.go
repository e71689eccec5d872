// SPDX-License-Identifier: MIT

//go:build pvctl_static

package pvctl

// What pkg-config names finds the library resolved already, and its shared one is not needed.

// #cgo pkg-config: --static libpvctl
// #cgo LDFLAGS: -Wl,--as-needed -l:libpvctl.a
import "C"
