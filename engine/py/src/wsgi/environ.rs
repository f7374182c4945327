//! What an application is told of a request (PEP 3333, "environ Variables").

use std::borrow::Cow;
use std::sync::atomic::{AtomicU64, Ordering};

use pyo3::exceptions::PyAttributeError;
use pyo3::ffi;
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::{PyBytes, PyDict, PyList, PyString, PyTuple, PyType};
use sennit_net::PeerAddr;
use sennit_wire::{Head, Version};
use smallvec::SmallVec;

use super::names::{Names, Place};
use crate::conn::Conn;
use crate::headers::HeaderMap;
use crate::kinds::{class_version, has_no_attributes};
use crate::lock::Lock;
use crate::request::{raw_path_of, Request};
use crate::resources::attribute;
use crate::text::{latin1, percent_decoded};
use crate::trust::is_told;

/// A dict made with as many entries as this has room for twice as many, and a copy of it has the same room: the fields
/// of a request, and what the application adds, then fit without the dict having to grow.
const ROOMY: usize = 22;
/// Longer field lines are not kept.
const LONGEST: usize = 4096;

/// What a connection has told an application.
pub struct Told {
    /// The number of the `Environs`.
    by: u64,
    /// The field lines of the request before.
    lines: SmallVec<[u8; 64]>,
    /// An environ that says what these lines and the connection's addresses do; made when they come a second time.
    environ: Option<Py<PyDict>>,
}

/// What the environs of one resource are made from.
pub struct Environs {
    number: u64,
    template: Py<PyDict>,
    names: Names,
    /// The state of the request class that was seen last, and whether it leaves addresses to the engine.
    plain_class: Lock<(u32, bool)>,
}

/// What of a request goes into its environ.
struct Facts<'a> {
    method: &'a [u8],
    target: &'a [u8],
    protocol: &'a [u8],
    script: Cow<'a, [u8]>,
    path: Cow<'a, [u8]>,
}

/// Whether a client has sent the same fields before.
enum Repeated {
    No,
    /// In the request before.
    Again,
    /// In those before, so that an environ was kept.
    Known(Py<PyDict>),
}

type Environ<'py> = Bound<'py, PyDict>;

impl Environs {
    /// Environs with the entries of `constant` in each.
    pub fn new(py: Python<'_>, constant: &Bound<'_, PyDict>) -> PyResult<Self> {
        let template = PyDict::new(py);
        // What nearly every request has; the rest is put over it.
        for (key, value) in [
            ("REQUEST_METHOD", "GET"),
            ("SCRIPT_NAME", ""),
            ("PATH_INFO", "/"),
            ("QUERY_STRING", ""),
            ("CONTENT_TYPE", ""),
            ("CONTENT_LENGTH", ""),
            ("SERVER_NAME", ""),
            ("SERVER_PORT", ""),
            ("SERVER_PROTOCOL", "HTTP/1.1"),
            ("REMOTE_ADDR", ""),
            ("REMOTE_PORT", ""),
            ("wsgi.url_scheme", "http"),
        ] {
            template.set_item(PyString::intern(py, key), PyString::intern(py, value))?;
        }
        template.update(constant.as_mapping())?;
        let used = template.len();
        for number in used..ROOMY {
            template.set_item(number, number)?;
        }
        for number in used..ROOMY {
            template.del_item(number)?;
        }
        static COUNT: AtomicU64 = AtomicU64::new(0);
        Ok(Self {
            number: COUNT.fetch_add(1, Ordering::Relaxed),
            template: template.unbind(),
            names: Names::new(),
            plain_class: Lock::new((0, false)),
        })
    }

    /// The environ of a request, with its body, if it has one.
    pub fn make<'py>(
        &self,
        request: &Bound<'py, Request>,
        conn: &Conn,
        input: Option<&Bound<'py, PyAny>>,
    ) -> PyResult<Environ<'py>> {
        let py = request.py();
        let told = request.get().with_head(py, |head| is_told(conn, head));
        let plain = !told && self.leaves_addresses(request)?;
        let lent = if plain {
            request.get().lend_head(py)
        } else {
            None
        };
        let environ = match lent {
            Some((head, depth)) => {
                let made = self.make_from_head(py, &head, depth, conn);
                request.get().return_head(py, head);
                made?
            }
            None => self.make_from_program(request, conn, plain)?,
        };
        if let Some(input) = input {
            set(&environ, intern!(py, "wsgi.input"), input)?;
        }
        Ok(environ)
    }

    /// The program has left the request as it came in.
    fn make_from_head<'py>(
        &self,
        py: Python<'py>,
        head: &Head,
        depth: usize,
        conn: &Conn,
    ) -> PyResult<Environ<'py>> {
        let environ = match self.told_before(py, head, conn) {
            Repeated::Known(environ) => copied(environ.bind(py))?,
            repeated => {
                let environ = copied(self.template.bind(py))?;
                let named = self.set_fields(&environ, head.fields())?;
                set_addresses(&environ, conn, named)?;
                if matches!(repeated, Repeated::Again) {
                    let known = copied(&environ)?.unbind();
                    let mut told = conn.told.lock(py);
                    let old = told.as_mut().and_then(|told| told.environ.replace(known));
                    drop(told);
                    drop(old);
                }
                environ
            }
        };
        let (script, path) = split_path(raw_path_of(head.target()), depth);
        let facts = Facts {
            method: head.method(),
            target: head.target(),
            protocol: match head.version() {
                Version::Http10 => b"HTTP/1.0",
                Version::Http11 => b"HTTP/1.1",
            },
            script,
            path,
        };
        fill(&environ, &facts)?;
        Ok(environ)
    }

    /// Whether the client has sent these fields before.
    fn told_before(&self, py: Python<'_>, head: &Head, conn: &Conn) -> Repeated {
        let lines = head.field_lines();
        let mut told = conn.told.lock(py);
        if let Some(told) = told.as_ref() {
            if told.by == self.number && told.lines.as_slice() == lines {
                return match &told.environ {
                    Some(environ) => Repeated::Known(environ.clone_ref(py)),
                    None => Repeated::Again,
                };
            }
        }
        let fresh = Told {
            by: self.number,
            lines: SmallVec::from_slice(if lines.len() <= LONGEST { lines } else { b"" }),
            environ: None,
        };
        let old = told.replace(Box::new(fresh));
        drop(told);
        drop(old);
        Repeated::No
    }

    /// The program has, or may have, changed what it was asked: everything is what it says.
    fn make_from_program<'py>(
        &self,
        request: &Bound<'py, Request>,
        conn: &Conn,
        plain: bool,
    ) -> PyResult<Environ<'py>> {
        let py = request.py();
        let environ = copied(self.template.bind(py))?;
        let told = |name: &Bound<'_, PyString>| -> PyResult<Vec<u8>> {
            request.getattr(name)?.extract::<Vec<u8>>()
        };
        let method = told(intern!(py, "method"))?;
        let target = told(intern!(py, "uri"))?;
        let protocol = told(intern!(py, "clientproto"))?;
        let script = joined(&request.getattr(intern!(py, "prepath"))?)?;
        let path = joined(&request.getattr(intern!(py, "postpath"))?)?;
        let (script, path) = slash_of_its_own(Cow::Owned(script), Cow::Owned(path));
        let facts = Facts {
            method: &method,
            target: &target,
            protocol: &protocol,
            script,
            path,
        };
        fill(&environ, &facts)?;
        let headers: HeaderMap = {
            let headers = crate::request::headers_of(request.get(), py)?;
            let copy = headers.get().lock(py).clone();
            copy
        };
        let named = self.set_fields(&environ, headers.iter())?;
        if plain {
            set_addresses(&environ, conn, named)?;
        } else {
            ask_for_addresses(&environ, request)?;
        }
        Ok(environ)
    }

    fn set_fields<'a>(
        &self,
        environ: &Environ<'_>,
        fields: impl Iterator<Item = (&'a [u8], &'a [u8])>,
    ) -> PyResult<bool> {
        let py = environ.py();
        let mut named = false;
        // Places of names that have come before: a second field of a name is joined to the first.
        let mut seen: u128 = 0;
        for (name, value) in fields {
            let (place, number) = self.names.find(py, name)?;
            let bit = 1u128 << number;
            let again = seen & bit != 0;
            match place {
                Place::Nowhere => continue,
                Place::ContentType => {
                    set(environ, intern!(py, "CONTENT_TYPE"), &latin1(py, value)?)?;
                    continue;
                }
                Place::ContentLength => {
                    set(environ, intern!(py, "CONTENT_LENGTH"), &latin1(py, value)?)?;
                    continue;
                }
                Place::Host => {
                    set(environ, intern!(py, "HTTP_HOST"), &latin1(py, value)?)?;
                    let name = latin1(py, without_port(value))?;
                    set(environ, intern!(py, "SERVER_NAME"), &name)?;
                    named = !value.is_empty();
                    continue;
                }
                // RFC 6265 section 5.4, for the one field that has no commas; the others: RFC 9110 section 5.3.
                Place::Cookie => join_if(again, environ, intern!(py, "HTTP_COOKIE"), value, b"; ")?,
                Place::Key(key) => join_if(again, environ, &key, value, b",")?,
            }
            seen |= bit;
        }
        Ok(named)
    }

    /// Whether the addresses of this request are just those of its connection: nothing was set on it, and its class
    /// doesn't find them in a way of its own.
    fn leaves_addresses(&self, request: &Bound<'_, Request>) -> PyResult<bool> {
        let py = request.py();
        if !has_no_attributes(request.as_any()) {
            return Ok(false);
        }
        let version = class_version(request.as_any());
        let known = *self.plain_class.lock(py);
        if version != 0 && known.0 == version {
            return Ok(known.1);
        }
        let plain = has_stock_addresses(&request.get_type())?;
        // Found for the state that the class was in before: it may have changed since.
        *self.plain_class.lock(py) = (version, plain);
        Ok(plain)
    }
}

/// The addresses as the request tells them.
fn ask_for_addresses(environ: &Environ<'_>, request: &Bound<'_, Request>) -> PyResult<()> {
    static FUNCTION: PyOnceLock<Py<PyAny>> = PyOnceLock::new();
    let function = FUNCTION.import(request.py(), "sennit.web._wsgienviron", "addressesOf")?;
    let told = function.call1((request,))?;
    environ.update(told.cast::<PyDict>()?.as_mapping())
}

/// What a request says in the terms of CGI (RFC 3875 section 4.1), and `wsgi.url_scheme`: the keys of an environ, each
/// with its `str`.
#[pyfunction]
pub fn cgi_variables<'py>(request: &Bound<'py, Request>) -> PyResult<Environ<'py>> {
    static ENVIRONS: PyOnceLock<Environs> = PyOnceLock::new();
    let py = request.py();
    let environs = ENVIRONS.get_or_try_init(py, || Environs::new(py, &PyDict::new(py)))?;
    match request.get().last_conn(py) {
        Some(conn) => environs.make(request, &conn, None),
        None => Err(PyAttributeError::new_err(
            "this request belongs to no connection",
        )),
    }
}

/// Whether a request class finds its addresses as `sennit.web.http.Request` does.
fn has_stock_addresses(class: &Bound<'_, PyType>) -> PyResult<bool> {
    static STOCK: PyOnceLock<Py<PyType>> = PyOnceLock::new();
    let py = class.py();
    let stock = STOCK.import(py, "sennit.web.http", "Request")?;
    let (own, base): (Bound<'_, PyTuple>, Bound<'_, PyTuple>) = (class.mro(), stock.mro());
    for name in [
        "getHost",
        "getClientAddress",
        "isSecure",
        "getRequestHostname",
        "host",
        "client",
    ] {
        let name = PyString::intern(py, name);
        let (own, base) = (attribute(&own, &name)?, attribute(&base, &name)?);
        let same = own.zip(base).is_some_and(|(own, base)| own.is(&base));
        if !same {
            return Ok(false);
        }
    }
    Ok(true)
}

fn copied<'py>(template: &Environ<'py>) -> PyResult<Environ<'py>> {
    // SAFETY: the template is alive; the call gives a new reference to a dict, or an exception.
    unsafe {
        let copy = ffi::PyDict_Copy(template.as_ptr());
        Ok(Bound::from_owned_ptr_or_err(template.py(), copy)?.cast_into_unchecked())
    }
}

fn set<T>(environ: &Environ<'_>, key: &Bound<'_, PyString>, value: &Bound<'_, T>) -> PyResult<()> {
    // SAFETY: all three are alive; the dict takes references of its own.
    let failed = unsafe { ffi::PyDict_SetItem(environ.as_ptr(), key.as_ptr(), value.as_ptr()) };
    if failed == 0 {
        Ok(())
    } else {
        Err(PyErr::fetch(environ.py()))
    }
}

fn fill(environ: &Environ<'_>, facts: &Facts<'_>) -> PyResult<()> {
    let py = environ.py();
    let method = match facts.method {
        b"GET" => None,
        b"POST" => Some(intern!(py, "POST").clone()),
        b"HEAD" => Some(intern!(py, "HEAD").clone()),
        other => Some(latin1(py, other)?),
    };
    if let Some(method) = method {
        set(environ, intern!(py, "REQUEST_METHOD"), &method)?;
    }
    if !facts.script.is_empty() {
        set(
            environ,
            intern!(py, "SCRIPT_NAME"),
            &latin1(py, &facts.script)?,
        )?;
    }
    if *facts.path != b"/"[..] {
        set(environ, intern!(py, "PATH_INFO"), &latin1(py, &facts.path)?)?;
    }
    if let Some(mark) = memchr::memchr(b'?', facts.target) {
        let query = facts.target.get(mark + 1..).unwrap_or_default();
        set(environ, intern!(py, "QUERY_STRING"), &latin1(py, query)?)?;
    }
    if facts.protocol != b"HTTP/1.1" {
        let protocol = latin1(py, facts.protocol)?;
        set(environ, intern!(py, "SERVER_PROTOCOL"), &protocol)?;
    }
    Ok(())
}

fn join_if(
    again: bool,
    environ: &Environ<'_>,
    key: &Bound<'_, PyString>,
    value: &[u8],
    separator: &[u8],
) -> PyResult<()> {
    if again {
        join(environ, key, value, separator)
    } else {
        set(environ, key, &latin1(environ.py(), value)?)
    }
}

/// Add a value to the one that is there, if one is: another name may only have had the same place.
fn join(
    environ: &Environ<'_>,
    key: &Bound<'_, PyString>,
    value: &[u8],
    separator: &[u8],
) -> PyResult<()> {
    let py = environ.py();
    let value = latin1(py, value)?.into_any();
    let value = match environ.get_item(key)? {
        Some(before) => before.add(latin1(py, separator)?)?.add(value)?,
        None => value,
    };
    set(environ, key, &value)
}

/// SCRIPT_NAME and PATH_INFO: the path is split after `depth` segments.
fn split_path(path: &[u8], depth: usize) -> (Cow<'_, [u8]>, Cow<'_, [u8]>) {
    if !path.starts_with(b"/") {
        return (Cow::Borrowed(b""), Cow::Borrowed(b""));
    }
    if depth == 0 {
        return (Cow::Borrowed(b""), percent_decoded(path));
    }
    let end = memchr::memchr_iter(b'/', path).nth(depth);
    let (script, rest) = path.split_at(end.unwrap_or(path.len()));
    slash_of_its_own(percent_decoded(script), percent_decoded(rest))
}

/// Where the resource itself stands for a trailing slash, that belongs to the path.
fn slash_of_its_own<'a>(
    mut script: Cow<'a, [u8]>,
    path: Cow<'a, [u8]>,
) -> (Cow<'a, [u8]>, Cow<'a, [u8]>) {
    if path.is_empty() && script.ends_with(b"/") {
        script.to_mut().pop();
        return (script, Cow::Borrowed(b"/"));
    }
    (script, path)
}

/// The segments of a list, with a slash before each.
fn joined(list: &Bound<'_, PyAny>) -> PyResult<Vec<u8>> {
    let mut path = Vec::new();
    for segment in list.cast::<PyList>()?.iter() {
        path.push(b'/');
        path.extend_from_slice(segment.cast::<PyBytes>()?.as_bytes());
    }
    Ok(path)
}

/// The host of a Host field: no port, and no brackets around an IPv6 address.
fn without_port(host: &[u8]) -> &[u8] {
    let (rest, end) = match host.strip_prefix(b"[") {
        Some(rest) => (rest, b']'),
        None => (host, b':'),
    };
    let length = memchr::memchr(end, rest).unwrap_or(rest.len());
    rest.get(..length).unwrap_or_default()
}

/// The addresses of the connection itself.
fn set_addresses(environ: &Environ<'_>, conn: &Conn, named: bool) -> PyResult<()> {
    let py = environ.py();
    let (host, port) = host_and_port(conn.peer());
    let (server, server_port) = host_and_port(conn.host());
    let server_port = match (server_port.is_empty(), conn.is_secure()) {
        (false, _) => server_port,
        (true, true) => "443".to_owned(),
        (true, false) => "80".to_owned(),
    };
    set(
        environ,
        intern!(py, "REMOTE_ADDR"),
        &PyString::new(py, &host),
    )?;
    set(
        environ,
        intern!(py, "REMOTE_PORT"),
        &PyString::new(py, &port),
    )?;
    let port = PyString::intern(py, &server_port);
    set(environ, intern!(py, "SERVER_PORT"), &port)?;
    if conn.is_secure() {
        let https = intern!(py, "https");
        set(environ, intern!(py, "wsgi.url_scheme"), https)?;
    }
    if !named {
        // Nobody has said which host was meant (RFC 3875 section 4.1.14 wants one all the same).
        let name = if server.is_empty() {
            "localhost"
        } else {
            &server
        };
        let name = PyString::new(py, name);
        set(environ, intern!(py, "SERVER_NAME"), &name)?;
    }
    Ok(())
}

/// Both empty for what has neither.
fn host_and_port(address: &PeerAddr) -> (String, String) {
    match address {
        PeerAddr::V4(v4) => (v4.ip().to_string(), v4.port().to_string()),
        PeerAddr::V6(v6) => (v6.ip().to_string(), v6.port().to_string()),
        PeerAddr::Unix(_) | PeerAddr::Unnamed => Default::default(),
    }
}
