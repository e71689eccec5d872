// SPDX-License-Identifier: MIT

//go:build !pvctl_static

package pvctl

// #cgo pkg-config: libpvctl
import "C"
