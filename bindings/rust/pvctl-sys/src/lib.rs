// SPDX-License-Identifier: MIT
//! libpvctl.h as it is: names, units, ownership and errors are described there.
//! `tests/layout.rs` compares each struct and constant with the installed header.
#![no_std]
#![allow(non_camel_case_types)]

extern crate std;

mod functions;
mod types;

pub use functions::*;
pub use types::*;
