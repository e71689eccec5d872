// SPDX-License-Identifier: MIT

use crate::error::About;
use crate::util::{c_text, call, sized, text, Optional};
use crate::{CancelToken, Progress, Result};
use pvctl_sys as sys;
use std::any::Any;
use std::ffi::CStr;
use std::fmt;
use std::os::raw::{c_char, c_int, c_void};
use std::panic::{catch_unwind, resume_unwind, AssertUnwindSafe};

/// A disk as a file of the host, or a device.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Image {
    /// As a guest sees it.
    pub size_bytes: u64,
    /// Of the file.
    pub allocated_bytes: u64,
    pub is_device: bool,
    pub format: String,
    /// What it is based on; "": nothing.
    pub base: String,
}

/// Also of one that is in use. No format: raw.
pub fn image(path: &str, format: Option<&str>) -> Result<Image> {
    let (path, format) = (c_text("image", path)?, Optional::new("image", format)?);
    let mut r = sized!(sys::pvctl_disk_image_info);
    // SAFETY: what is passed here and below lives until the call returns.
    call("image", |e| unsafe { sys::pvctl_disk_image_get(path.as_ptr(), format.ptr(), &mut r, e) }).keyed(&path)?;
    Ok(Image {
        size_bytes: r.bytes,
        allocated_bytes: r.allocated_bytes,
        is_device: r.is_device != 0,
        format: text(&r.format),
        base: text(&r.base),
    })
}

/// Of one that nobody uses. What a smaller one has no room for is lost; that needs `shrink`.
pub fn resize_image(path: &str, format: Option<&str>, bytes: u64, shrink: bool) -> Result<()> {
    let (path, format) = (c_text("image", path)?, Optional::new("image", format)?);
    let mut o = sized!(sys::pvctl_disk_image_resize_opts);
    o.format = format.ptr();
    o.bytes = bytes;
    o.shrink = shrink.into();
    call("image", |e| unsafe { sys::pvctl_disk_image_resize(path.as_ptr(), &o, e) }).map(drop).keyed(&path)
}

/// Of an image's copy.
#[derive(Default)]
pub struct CopyOptions<'a> {
    pub format: Option<&'a str>,
    pub to_format: Option<&'a str>,
    /// Nothing is copied, and the original must not be written any more.
    pub overlay: bool,
    pub compress: bool,
    pub progress: Option<&'a mut dyn FnMut(Progress<'_>)>,
    pub cancel: Option<CancelToken>,
}

impl fmt::Debug for CopyOptions<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CopyOptions").field("overlay", &self.overlay).finish_non_exhaustive()
    }
}

/// Of a long operation that has no connection.
#[derive(Default)]
pub struct LongOptions<'a> {
    pub progress: Option<&'a mut dyn FnMut(Progress<'_>)>,
    pub cancel: Option<CancelToken>,
}

impl fmt::Debug for LongOptions<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LongOptions").field("cancel", &self.cancel).finish_non_exhaustive()
    }
}

struct Hook<'a> {
    opts: LongOptions<'a>,
    panic: Option<Box<dyn Any + Send>>,
}

type ProgressHook = unsafe extern "C" fn(*mut c_void, *const c_char, u64, u64) -> c_int;

/// Gives C a progress function, and its data.
pub(crate) fn alone<T>(opts: LongOptions<'_>, f: impl FnOnce(Option<ProgressHook>, *mut c_void) -> T) -> T {
    let mut hook = Hook { opts, panic: None };
    let r = f(Some(on_progress), (&mut hook as *mut Hook<'_>).cast());
    if let Some(panic) = hook.panic.take() {
        resume_unwind(panic);
    }
    r
}

unsafe extern "C" fn on_progress(data: *mut c_void, what: *const c_char, done: u64, total: u64) -> c_int {
    let h = &mut *data.cast::<Hook<'_>>();
    if let Some(f) = &mut h.opts.progress {
        let what = CStr::from_ptr(what).to_string_lossy();
        if let Err(p) = catch_unwind(AssertUnwindSafe(|| f(Progress { what: &what, done, total }))) {
            h.panic.get_or_insert(p);
        }
    }
    (h.panic.is_some() || h.opts.cancel.as_ref().map_or(false, CancelToken::is_cancelled)).into()
}

/// A new image, of which nothing is left after a failure.
pub fn copy_image(from: &str, to: &str, opts: CopyOptions<'_>) -> Result<()> {
    let (from, to) = (c_text("image", from)?, c_text("image", to)?);
    let (format, to_format) = (Optional::new("image", opts.format)?, Optional::new("image", opts.to_format)?);
    let mut o = sized!(sys::pvctl_disk_copy_opts);
    o.format = format.ptr();
    o.to_format = to_format.ptr();
    o.overlay = opts.overlay.into();
    o.compress = opts.compress.into();
    let r = alone(LongOptions { progress: opts.progress, cancel: opts.cancel }, |progress, data| {
        o.progress = progress;
        o.progress_data = data;
        call("image", |e| unsafe { sys::pvctl_disk_image_copy(from.as_ptr(), to.as_ptr(), &o, e) })
    });
    r.map(drop).keyed(&from)
}

/// What a qcow2 image has of its bases is copied into it, in place: it is based on nothing then. Nothing is lost when that is cancelled.
/// [`crate::ErrorKind::Busy`]: somebody uses it.
pub fn flatten_image(path: &str, opts: LongOptions<'_>) -> Result<()> {
    let path = c_text("image", path)?;
    let mut o = sized!(sys::pvctl_disk_flatten_opts);
    let r = alone(opts, |progress, data| {
        o.progress = progress;
        o.progress_data = data;
        call("image", |e| unsafe { sys::pvctl_disk_image_flatten(path.as_ptr(), &o, e) })
    });
    r.map(drop).keyed(&path)
}
