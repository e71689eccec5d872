// SPDX-License-Identifier: MIT

use crate::util::text;
use pvctl_sys as sys;
use std::ffi::CString;
use std::{error, fmt, io};

/// What the library's functions return.
pub type Result<T> = std::result::Result<T, Error>;

/// The closed set of what can go wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ErrorKind {
    Invalid,
    TooBig,
    /// A file, a store path, a node.
    NotFound,
    NoDomain,
    Exists,
    Busy,
    Permission,
    NoMemory,
    NoSpace,
    Io,
    Protocol,
    TimedOut,
    Canceled,
    NotSupported,
    /// Of a newer library: its errno.
    Other(i32),
}

impl ErrorKind {
    fn of(errno: i32) -> ErrorKind {
        match errno {
            22 => ErrorKind::Invalid,
            7 => ErrorKind::TooBig,
            2 => ErrorKind::NotFound,
            3 => ErrorKind::NoDomain,
            17 => ErrorKind::Exists,
            16 => ErrorKind::Busy,
            1 => ErrorKind::Permission,
            12 => ErrorKind::NoMemory,
            28 => ErrorKind::NoSpace,
            5 => ErrorKind::Io,
            71 => ErrorKind::Protocol,
            110 => ErrorKind::TimedOut,
            125 => ErrorKind::Canceled,
            38 | 95 => ErrorKind::NotSupported,
            other => ErrorKind::Other(other),
        }
    }
}

/// Who found the fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Origin {
    Library,
    Os,
    Hypervisor,
    Store,
    Image,
    Daemon,
}

/// How grave a [`Message`] is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MessageLevel {
    Error,
    Warning,
    Note,
}

/// What is said of a configuration's text.
#[derive(Clone, Debug)]
pub struct Message {
    pub level: MessageLevel,
    pub file: String,
    /// From 1.
    pub line: u32,
    /// From 1, in characters.
    pub column: u32,
    pub text: String,
    pub source_line: String,
    pub hint: Option<String>,
}

impl fmt::Display for Message {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}:{}: {}", self.file, self.line, self.column, self.text)
    }
}

/// A failed call.
#[derive(Debug)]
#[non_exhaustive]
pub enum Error {
    /// The library's own.
    Library {
        op: &'static str,
        kind: ErrorKind,
        origin: Origin,
        /// The hypervisor's own result, or 0.
        hv_rc: i64,
        /// A sentence for a person.
        message: String,
        /// As [`Error::domain`] has it.
        domain: Option<String>,
        /// As [`Error::key`] has it.
        key: Option<String>,
    },
    /// A text is no configuration: its errors, warnings and notes.
    Parse { messages: Vec<Message>, source: Box<Error> },
    /// Of the system, on this side.
    Os { op: &'static str, source: io::Error },
    /// A NUL in what is to be a text of C's.
    Nul { op: &'static str },
    /// A callback used the connection that calls it.
    InUse,
}

impl Error {
    pub fn kind(&self) -> ErrorKind {
        match self {
            Error::Library { kind, .. } => *kind,
            Error::Parse { source, .. } => source.kind(),
            Error::Os { source, .. } => source.raw_os_error().map_or(ErrorKind::Io, ErrorKind::of),
            Error::Nul { .. } => ErrorKind::Invalid,
            Error::InUse => ErrorKind::Busy,
        }
    }

    /// The name or number of the domain that it is about.
    pub fn domain(&self) -> Option<&str> {
        match self {
            Error::Library { domain, .. } => domain.as_deref(),
            Error::Parse { source, .. } => source.domain(),
            _ => None,
        }
    }

    /// The configuration's key, the store's path, the device, the image, the template, the snapshot that it is about:
    ///
    /// ```
    /// let e = pvctl::Config::builder().set("memory", 0).unwrap_err();
    /// assert_eq!((e.kind(), e.key()), (pvctl::ErrorKind::Invalid, Some("memory")));
    /// ```
    pub fn key(&self) -> Option<&str> {
        match self {
            Error::Library { key, .. } => key.as_deref(),
            Error::Parse { source, .. } => source.key(),
            _ => None,
        }
    }

    pub(crate) fn of(op: &'static str, rc: i32, e: &sys::pvctl_error) -> Error {
        let origin = match e.origin {
            sys::PVCTL_ORIGIN_OS => Origin::Os,
            sys::PVCTL_ORIGIN_HV => Origin::Hypervisor,
            sys::PVCTL_ORIGIN_STORE => Origin::Store,
            sys::PVCTL_ORIGIN_IMAGE => Origin::Image,
            sys::PVCTL_ORIGIN_DAEMON => Origin::Daemon,
            _ => Origin::Library,
        };
        Error::Library { op, kind: ErrorKind::of(-rc), origin, hv_rc: e.hv_rc, message: text(&e.msg), domain: None, key: None }
    }
}

/// The name of something.
pub(crate) trait Name {
    fn name(self) -> String;
}

impl Name for &str {
    fn name(self) -> String {
        self.to_owned()
    }
}

impl Name for &CString {
    fn name(self) -> String {
        self.to_string_lossy().into_owned()
    }
}

impl Name for u32 {
    fn name(self) -> String {
        self.to_string()
    }
}

/// Says what a failure is about, where that is not known yet: the library's own error has it in its sentence alone.
pub(crate) trait About: Sized {
    fn named(self, domain: impl Name) -> Self;
    fn keyed(self, key: impl Name) -> Self;
}

impl<T> About for Result<T> {
    fn named(mut self, name: impl Name) -> Self {
        if let Err(Error::Library { domain, .. }) = &mut self {
            domain.get_or_insert_with(|| name.name());
        }
        self
    }

    fn keyed(mut self, what: impl Name) -> Self {
        if let Err(Error::Library { key, .. }) = &mut self {
            key.get_or_insert_with(|| what.name());
        }
        self
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Error::Library { op, message, kind, .. } if message.is_empty() => write!(f, "{op}: {kind:?}"),
            Error::Library { op, message, .. } => write!(f, "{op}: {message}"),
            Error::Parse { source, .. } => source.fmt(f),
            Error::Os { op, source } => write!(f, "{op}: {source}"),
            Error::Nul { op } => write!(f, "{op}: a text with a NUL"),
            Error::InUse => write!(f, "the connection is in use by who called this callback"),
        }
    }
}

impl error::Error for Error {
    fn source(&self) -> Option<&(dyn error::Error + 'static)> {
        match self {
            Error::Parse { source, .. } => Some(source),
            Error::Os { source, .. } => Some(source),
            _ => None,
        }
    }
}
