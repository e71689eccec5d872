// SPDX-License-Identifier: MIT

use crate::{Error, Result};
use pvctl_sys as sys;
use std::ffi::{CStr, CString};
use std::os::raw::{c_char, c_int};
use std::ptr;
use std::time::{Duration, SystemTime};

/// One of C's structs, zeroed, with its size set.
macro_rules! sized {
    ($t:ty) => {{
        // SAFETY: numbers, pointers and Option<fn>, for all of which zeroes are a value.
        let mut s: $t = unsafe { std::mem::zeroed() };
        s.size = std::mem::size_of::<$t>();
        s
    }};
}
pub(crate) use sized;

/// All of a list of C's, which is freed.
macro_rules! collect {
    ($list:expr, $count:path, $at:path, $free:path, $of:expr) => {{
        let list = $list;
        // SAFETY: the list is ours, and each of its members is there until it is freed.
        unsafe {
            let all = (0..$count(list)).map(|i| $of(&*$at(list, i))).collect::<Vec<_>>();
            $free(list);
            all
        }
    }};
}
pub(crate) use collect;

pub(crate) fn text(chars: &[c_char]) -> String {
    // SAFETY: a c_char is a byte.
    let bytes = unsafe { std::slice::from_raw_parts(chars.as_ptr().cast::<u8>(), chars.len()) };
    if bytes.last() != Some(&0) {
        return String::from_utf8_lossy(&bytes[..bytes.iter().position(|b| *b == 0).unwrap_or(bytes.len())]).into_owned();
    }
    // SAFETY: there is a NUL, at the latest at its end. C looks for it by words, and a list has many names.
    let bytes = unsafe { CStr::from_ptr(chars.as_ptr()) }.to_bytes();
    match std::str::from_utf8(bytes) {
        Ok(text) => text.to_owned(),
        Err(_) => String::from_utf8_lossy(bytes).into_owned(),
    }
}

/// A text of C's, or None for NULL.
///
/// # Safety
/// It ends with a NUL.
pub(crate) unsafe fn borrowed(s: *const c_char) -> Option<String> {
    if s.is_null() {
        None
    } else {
        Some(CStr::from_ptr(s).to_string_lossy().into_owned())
    }
}

pub(crate) fn c_text(op: &'static str, s: &str) -> Result<CString> {
    CString::new(s).map_err(|_| Error::Nul { op })
}

/// NULL for None.
pub(crate) struct Optional(Option<CString>);

impl Optional {
    pub(crate) fn new(op: &'static str, s: Option<&str>) -> Result<Optional> {
        s.map(|s| c_text(op, s)).transpose().map(Optional)
    }
    pub(crate) fn ptr(&self) -> *const c_char {
        self.0.as_ref().map_or(ptr::null(), |s| s.as_ptr())
    }
}

/// What needs no connection.
pub(crate) fn call(op: &'static str, f: impl FnOnce(*mut sys::pvctl_error) -> c_int) -> Result<c_int> {
    // SAFETY: numbers.
    let mut e: sys::pvctl_error = unsafe { std::mem::zeroed() };
    let rc = f(&mut e);
    if rc < 0 {
        Err(Error::of(op, rc, &e))
    } else {
        Ok(rc)
    }
}

/// None is the library's default; a time that is not 0 never becomes that.
pub(crate) fn millis(d: Option<Duration>) -> u32 {
    d.map_or(0, |d| (d.as_nanos() + 999_999).div_euclid(1_000_000).clamp(1, 1 << 31) as u32)
}

pub(crate) fn unix(ns: u64) -> Option<SystemTime> {
    (ns != 0).then(|| SystemTime::UNIX_EPOCH + Duration::from_nanos(ns))
}

/// C puts what went wrong in a callback of ours into its own error.
pub(crate) fn fill(to: *mut sys::pvctl_error, why: &str) -> c_int {
    if !to.is_null() {
        // SAFETY: the library gave us its error to fill.
        let to = unsafe { &mut *to };
        let n = why.len().min(to.msg.len() - 1);
        for (c, b) in to.msg.iter_mut().zip(&why.as_bytes()[..n]) {
            *c = *b as c_char;
        }
        to.msg[n] = 0;
        to.code = -5;
    }
    -5
}
