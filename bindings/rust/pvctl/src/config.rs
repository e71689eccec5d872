// SPDX-License-Identifier: MIT

use crate::connection::{on_log, Hooks, LogFn};
use crate::error::About;
use crate::util::{borrowed, c_text, call, sized, Optional};
use crate::{Connection, Error, ErrorKind, LogLevel, Message, MessageLevel, Result};
use pvctl_sys as sys;
use std::collections::BTreeMap;
use std::ffi::CString;
use std::os::raw::{c_char, c_int, c_void};
use std::panic::resume_unwind;
use std::path::Path;
use std::{fmt, fs, ptr};

/// A value of a configuration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Value {
    Text(String),
    Int(i64),
    List(Vec<String>),
}

macro_rules! from {
    ($($t:ty => $v:ident, $e:expr;)*) => {$(
        impl From<$t> for Value {
            fn from(v: $t) -> Value {
                #[allow(clippy::redundant_closure_call)]
                Value::$v(($e)(v))
            }
        }
    )*};
}
from! {
    &str => Text, |v: &str| v.to_owned();
    String => Text, |v| v;
    &String => Text, |v: &String| v.clone();
    i32 => Int, i64::from;
    u32 => Int, i64::from;
    i64 => Int, |v| v;
    bool => Int, i64::from;
    Vec<String> => List, |v| v;
    &[&str] => List, |v: &[&str]| v.iter().map(|s| (*s).to_owned()).collect();
}
impl<const N: usize> From<[&str; N]> for Value {
    fn from(v: [&str; N]) -> Value {
        v.as_slice().into()
    }
}

/// How a text is read.
#[derive(Clone, Debug, Default)]
pub struct ParseOptions<'a> {
    /// Its name, for messages alone.
    pub file: Option<&'a str>,
    /// Unknown and ignored keys are errors.
    pub strict: bool,
}

type Parser = unsafe extern "C" fn(
    *const c_char,
    usize,
    *const sys::pvctl_parse_opts,
    *mut *mut sys::pvctl_config,
    *mut sys::pvctl_error,
) -> c_int;

impl ParseOptions<'_> {
    /// What is said of a text.
    fn with(&self, f: impl FnOnce(&sys::pvctl_parse_opts, *mut sys::pvctl_error) -> c_int) -> Result<Vec<Message>> {
        let file = Optional::new("config", self.file)?;
        let mut messages: Vec<Message> = Vec::new();
        let mut o = sized!(sys::pvctl_parse_opts);
        o.file = file.ptr();
        o.strict = self.strict.into();
        o.message = Some(on_message);
        o.data = (&mut messages as *mut Vec<Message>).cast();
        match call("config", |e| f(&o, e)) {
            Ok(_) => Ok(messages),
            Err(source) => {
                let first = messages.iter().find(|m| m.level == MessageLevel::Error);
                let source = match first.and_then(|m| key_in(&m.source_line)) {
                    Some(key) => Err::<(), _>(source).keyed(key).unwrap_err(),
                    None => source,
                };
                Err(Error::Parse { messages, source: Box::new(source) })
            }
        }
    }
}

/// The key that a line of a configuration's text sets.
fn key_in(line: &str) -> Option<&str> {
    let line = line.trim_start();
    let end = line.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(line.len());
    let sets = line[end..].trim_start();
    (end > 0 && (sets.starts_with('=') || sets.starts_with("+="))).then(|| &line[..end])
}

/// What a domain should be, by the keys of pvctl.cfg(5).
pub struct Config {
    pub(crate) raw: *mut sys::pvctl_config,
}

// SAFETY: it is of no thread; the library only reads where we have a shared reference.
unsafe impl Send for Config {}

/// What the key cpuid changes of one register.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct CpuidEdit {
    pub leaf: u32,
    pub subleaf: u32,
    /// 0 eax, 1 ebx, 2 ecx, 3 edx.
    pub reg: u32,
    /// Bits that are to be 1.
    pub set: u32,
    /// Bits that are to be 0.
    pub clear: u32,
}

/// Sets one key after the other.
#[derive(Debug)]
pub struct Builder(Config);

impl Builder {
    /// As [`Config::set`].
    pub fn set(mut self, key: &str, value: impl Into<Value>) -> Result<Builder> {
        self.0.set(key, value)?;
        Ok(self)
    }
    pub fn build(self) -> Config {
        self.0
    }
}

impl Config {
    pub(crate) fn own(f: impl FnOnce(*mut *mut sys::pvctl_config) -> Result<i32>) -> Result<Config> {
        let mut raw = ptr::null_mut();
        f(&mut raw)?;
        Ok(Config { raw })
    }

    /// An empty one.
    pub fn new() -> Result<Config> {
        // SAFETY: both are ours.
        Config::own(|ret| call("config", |e| unsafe { sys::pvctl_config_new(ret, e) }))
    }

    /// # Panics
    /// Without memory.
    pub fn builder() -> Builder {
        Builder(Config::new().expect("memory"))
    }

    pub fn from_map(values: &BTreeMap<String, Value>) -> Result<Config> {
        let mut c = Config::new()?;
        for (key, value) in values {
            c.set(key, value.clone())?;
        }
        Ok(c)
    }

    /// The text of a file as xl has it. A mistake is [`Error::Parse`], with line and column:
    ///
    /// ```
    /// use pvctl::{Config, Error, ParseOptions};
    /// let r = Config::parse("name = 'web'\nmemory = 0\n", &ParseOptions::default());
    /// match r {
    ///     Err(Error::Parse { messages, .. }) => assert_eq!(messages[0].line, 2),
    ///     other => panic!("{other:?}"),
    /// }
    /// ```
    pub fn parse(text: &str, opts: &ParseOptions<'_>) -> Result<Config> {
        Config::parse_with_messages(text, opts).map(|(config, _)| config)
    }

    /// The same, with the warnings and notes where all is well.
    pub fn parse_with_messages(text: &str, opts: &ParseOptions<'_>) -> Result<(Config, Vec<Message>)> {
        Config::read(text, opts, sys::pvctl_config_parse)
    }

    /// libvirt's domain format, as it is for Xen's PV guests. What is not known there is left out, with a warning.
    pub fn from_xml(text: &str, opts: &ParseOptions<'_>) -> Result<(Config, Vec<Message>)> {
        Config::read(text, opts, sys::pvctl_config_from_xml)
    }

    fn read(text: &str, opts: &ParseOptions<'_>, f: Parser) -> Result<(Config, Vec<Message>)> {
        let mut raw = ptr::null_mut();
        // SAFETY: the text has a length; the configuration is ours then.
        let messages = opts.with(|o, e| unsafe { f(text.as_ptr().cast(), text.len(), o, &mut raw, e) })?;
        Ok((Config { raw }, messages))
    }

    /// A file as xl has it.
    pub fn load(path: impl AsRef<Path>) -> Result<Config> {
        let path = path.as_ref();
        let text = fs::read_to_string(path).map_err(|source| Error::Os { op: "config", source })?;
        Config::parse(&text, &ParseOptions { file: Some(&path.to_string_lossy()), strict: false })
    }

    pub fn from_json(text: &str) -> Result<Config> {
        let text = c_text("config", text)?;
        // SAFETY: the text lives long enough.
        Config::own(|ret| call("config", |e| unsafe { sys::pvctl_config_from_json(text.as_ptr(), ret, e) }))
    }

    pub fn to_json(&self) -> Result<String> {
        let mut s: *mut c_char = ptr::null_mut();
        // SAFETY: the text is ours then.
        unsafe {
            call("config", |e| sys::pvctl_config_to_json(self.raw, &mut s, e))?;
            let text = borrowed(s).unwrap_or_default();
            sys::pvctl_free(s.cast());
            Ok(text)
        }
    }

    /// All that libvirt's domain format has a word for; what is left out is in the messages, or, where opts are strict, an error.
    pub fn to_xml(&self, opts: &ParseOptions<'_>) -> Result<(String, Vec<Message>)> {
        let mut s: *mut c_char = ptr::null_mut();
        // SAFETY: the text is ours then.
        unsafe {
            let messages = opts.with(|o, e| sys::pvctl_config_to_xml(self.raw, o, &mut s, e))?;
            let text = borrowed(s).unwrap_or_default();
            sys::pvctl_free(s.cast());
            Ok((text, messages))
        }
    }

    /// Says which domain a failure is about.
    pub(crate) fn of_this<T>(&self, r: Result<T>) -> Result<T> {
        match self.text("name") {
            Some(name) if r.is_err() => r.named(name.as_str()),
            _ => r,
        }
    }

    /// The value is checked at once.
    pub fn set(&mut self, key: &str, value: impl Into<Value>) -> Result<()> {
        self.set_value(key, value.into()).keyed(key)
    }

    fn set_value(&mut self, key: &str, value: Value) -> Result<()> {
        let key = c_text("config", key)?;
        // SAFETY: all texts live long enough.
        match value {
            Value::Text(v) => {
                let v = c_text("config", &v)?;
                call("config", |e| unsafe { sys::pvctl_config_set_str(self.raw, key.as_ptr(), v.as_ptr(), e) })?;
            }
            Value::Int(v) => {
                call("config", |e| unsafe { sys::pvctl_config_set_int(self.raw, key.as_ptr(), v, e) })?;
            }
            Value::List(v) => {
                let texts = v.iter().map(|s| c_text("config", s)).collect::<Result<Vec<CString>>>()?;
                let list: Vec<*const c_char> = texts.iter().map(|s| s.as_ptr()).collect();
                call("config", |e| unsafe { sys::pvctl_config_set_list(self.raw, key.as_ptr(), list.as_ptr(), list.len(), e) })?;
            }
        }
        Ok(())
    }

    /// None: it is not set.
    pub fn text(&self, key: &str) -> Option<String> {
        let key = CString::new(key).ok()?;
        // SAFETY: copied at once.
        unsafe { borrowed(sys::pvctl_config_get_str(self.raw, key.as_ptr())) }
    }

    /// None: it is not set, or no number.
    pub fn int(&self, key: &str) -> Option<i64> {
        let key = CString::new(key).ok()?;
        let mut n = 0;
        // SAFETY: n is ours.
        (unsafe { sys::pvctl_config_get_int(self.raw, key.as_ptr(), &mut n) } == 0).then_some(n)
    }

    /// Empty: it is not set.
    pub fn list(&self, key: &str) -> Vec<String> {
        let key = match CString::new(key) {
            Ok(key) => key,
            Err(_) => return Vec::new(),
        };
        // SAFETY: copied at once.
        (0..).map_while(|i| unsafe { borrowed(sys::pvctl_config_get_item(self.raw, key.as_ptr(), i)) }).collect()
    }

    /// What the key cpuid changes of what the node gives to a new domain.
    ///
    /// ```
    /// let c = pvctl::Config::builder().set("cpuid", "host,aes=0")?.build();
    /// assert_eq!(c.cpuid()?[0].clear, 1 << 25);
    /// # Ok::<(), pvctl::Error>(())
    /// ```
    pub fn cpuid(&self) -> Result<Vec<CpuidEdit>> {
        let mut edits = Vec::new();
        let mut s = sized!(sys::pvctl_cpuid_edit);
        loop {
            // SAFETY: s is ours.
            match call("config", |e| unsafe { sys::pvctl_config_get_cpuid(self.raw, edits.len(), &mut s, e) }) {
                Ok(_) => edits.push(CpuidEdit { leaf: s.leaf, subleaf: s.subleaf, reg: s.reg, set: s.set, clear: s.clear }),
                Err(e) if e.kind() == ErrorKind::NotFound => return Ok(edits),
                Err(e) => return Err(e).keyed("cpuid"),
            }
        }
    }

    /// All that can be checked without a node and without side effects; `log` is told of what create would warn of.
    pub fn check(&self, log: impl FnMut(LogLevel, &str) + Send + 'static) -> Result<()> {
        let mut hooks = Hooks { log: Some(Box::new(log) as LogFn), ..Hooks::default() };
        let data: *mut c_void = (&mut hooks as *mut Hooks).cast();
        // SAFETY: hooks outlive the call.
        let r = call("check", |e| unsafe { sys::pvctl_config_check_log(self.raw, Some(on_log), data, e) });
        if let Some(panic) = hooks.panic.take() {
            resume_unwind(panic);
        }
        self.of_this(r.map(drop))
    }
}

impl Connection {
    /// [`Config::check`] for this node.
    pub fn check(&self, config: &Config) -> Result<()> {
        // SAFETY: both are there.
        config.of_this(self.do_("check", |n, e| unsafe { sys::pvctl_config_check(n, config.raw, e) }).map(drop))
    }
}

impl Drop for Config {
    fn drop(&mut self) {
        // SAFETY: ours.
        unsafe { sys::pvctl_config_free(self.raw) }
    }
}

impl fmt::Debug for Config {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Config").field(&self.to_json().unwrap_or_default()).finish()
    }
}

unsafe extern "C" fn on_message(data: *mut c_void, m: *const sys::pvctl_parse_message) {
    let m = &*m;
    (*data.cast::<Vec<Message>>()).push(Message {
        level: match m.level {
            0 => MessageLevel::Error,
            1 => MessageLevel::Warning,
            _ => MessageLevel::Note,
        },
        file: borrowed(m.file).unwrap_or_default(),
        line: m.line,
        column: m.column,
        text: borrowed(m.text).unwrap_or_default(),
        source_line: borrowed(m.source_line).unwrap_or_default(),
        hint: borrowed(m.hint),
    });
}
