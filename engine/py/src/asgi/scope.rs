//! The scope of a request: a dict, made from what all scopes have in common and what the head says.

use std::borrow::Cow;
use std::sync::Arc;

use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyDict, PyList, PyString, PyTuple};
use sennit_net::PeerAddr;
use sennit_wire::{Head, Version};
use smallvec::SmallVec;

use super::ASGIApplication;
use crate::conn::Conn;
use crate::kinds::has_no_attributes;
use crate::lock::Lock;
use crate::request::{raw_path_of, Request};
use crate::text::percent_decoded;
use crate::trust::is_told;

/// The version of the HTTP part of the specification. From 2.4 on, frameworks leave it to `send` alone to tell them that
/// a client has left; `receive` tells it at once, also to one that has nothing to send.
const SPEC_VERSION: &str = "2.3";

const EXTENSIONS: [&str; 4] = [
    "http.response.early_hint",
    "http.response.pathsend",
    "http.response.trailers",
    "http.response.zerocopysend",
];

/// What all scopes have in common, with a place for everything else, and the extensions.
pub fn template(py: Python<'_>) -> PyResult<(Bound<'_, PyDict>, Bound<'_, PyDict>)> {
    let asgi = PyDict::new(py);
    asgi.set_item("version", "3.0")?;
    asgi.set_item("spec_version", SPEC_VERSION)?;
    let extensions = PyDict::new(py);
    for name in EXTENSIONS {
        extensions.set_item(name, PyDict::new(py))?;
    }
    let scope = PyDict::new(py);
    scope.set_item(intern!(py, "type"), "http")?;
    scope.set_item(intern!(py, "asgi"), asgi)?;
    scope.set_item(intern!(py, "http_version"), "1.1")?;
    scope.set_item(intern!(py, "scheme"), "http")?;
    // What most requests have is not set again.
    scope.set_item(intern!(py, "method"), "GET")?;
    scope.set_item(intern!(py, "query_string"), PyBytes::new(py, b""))?;
    scope.set_item(intern!(py, "root_path"), "")?;
    for name in [
        intern!(py, "path"),
        intern!(py, "raw_path"),
        intern!(py, "headers"),
        intern!(py, "client"),
        intern!(py, "server"),
        intern!(py, "state"),
        intern!(py, "extensions"),
    ] {
        scope.set_item(name, py.None())?;
    }
    Ok((scope, extensions))
}

/// The scope of `request`.
pub fn make<'py>(
    app: &ASGIApplication,
    request: &Bound<'py, Request>,
    conn: &Arc<Conn>,
) -> PyResult<Bound<'py, PyDict>> {
    let py = request.py();
    let scope = app.template.bind(py).copy()?;
    let lists = request.get().path_lists(py);
    let depth = request.get().depth(py);
    let of_head = request.get().with_head_out(py, |head| {
        let (path, query) = (raw_path_of(head.target()), query_of(head.target()));
        put_paths(app, &scope, path, depth, lists.as_ref())?;
        if !query.is_empty() {
            scope.set_item(intern!(py, "query_string"), PyBytes::new(py, query))?;
        }
        if head.version() == Version::Http10 {
            scope.set_item(intern!(py, "http_version"), intern!(py, "1.0"))?;
        }
        headers_of(py, head)
    });
    let mut headers = of_head.unwrap_or_else(|| Ok(PyList::empty(py)))?;
    if let Some(changed) = request.get().changed_headers(py) {
        headers = PyList::new(
            py,
            changed
                .iter()
                .map(|(n, v)| (PyBytes::new(py, n), PyBytes::new(py, v))),
        )?;
    }
    scope.set_item(intern!(py, "headers"), headers)?;
    if let Some(method) = other_method_of(request) {
        scope.set_item(intern!(py, "method"), method)?;
    }
    let state = app.state.bind(py);
    let state = if state.is_empty() {
        PyDict::new(py)
    } else {
        state.copy()?
    };
    scope.set_item(intern!(py, "state"), state)?;
    scope.set_item(intern!(py, "extensions"), app.extensions.bind(py).copy()?)?;
    scope.set_item(
        intern!(py, "server"),
        app.addresses.server(py, conn.host())?,
    )?;
    // Where the tree, or a trusted proxy, may have said something else of the client, the request knows.
    let told = !has_no_attributes(request.as_any())
        || request.get().with_head(py, |head| is_told(conn, head));
    let secure = if told {
        request.call_method0(intern!(py, "isSecure"))?.is_truthy()?
    } else {
        conn.is_secure()
    };
    if secure {
        scope.set_item(intern!(py, "scheme"), intern!(py, "https"))?;
    }
    let client = if told {
        told_client(request)?
    } else {
        app.addresses.client(py, conn.peer())?
    };
    scope.set_item(intern!(py, "client"), client)?;
    Ok(scope)
}

/// What follows the first question mark.
fn query_of(target: &[u8]) -> &[u8] {
    match memchr::memchr(b'?', target) {
        Some(mark) => target.get(mark + 1..).unwrap_or_default(),
        None => b"",
    }
}

/// `path`, `raw_path` and `root_path`: the whole path, and what of it leads to the application.
fn put_paths(
    app: &ASGIApplication,
    scope: &Bound<'_, PyDict>,
    raw: &[u8],
    depth: usize,
    lists: Option<&(Py<PyList>, Py<PyList>)>,
) -> PyResult<()> {
    let py = scope.py();
    let (root, path) = match lists {
        Some((before, after)) => {
            let root = joined(before.bind(py))?;
            let mut path = root.clone();
            path.extend(joined(after.bind(py))?);
            if path.is_empty() {
                path.push(b'/');
            }
            (Cow::Owned(root), Cow::Owned(path))
        }
        None => (
            percent_decoded(leading_segments(raw, depth)),
            percent_decoded(raw),
        ),
    };
    // A resource of its own for a trailing slash: the slash belongs to the path below it.
    let root = root.strip_suffix(b"/").unwrap_or(&root);
    let name = intern!(py, "raw_path");
    if app.raw_root_path.is_empty() {
        scope.set_item(name, PyBytes::new(py, raw))?;
    } else {
        let whole = [&app.raw_root_path, raw].concat();
        scope.set_item(name, PyBytes::new(py, &whole))?;
    }
    scope.set_item(intern!(py, "path"), text(py, &app.root_path, &path))?;
    if !root.is_empty() || !app.root_path.is_empty() {
        scope.set_item(intern!(py, "root_path"), text(py, &app.root_path, root))?;
    }
    Ok(())
}

/// UTF-8; what isn't is shown as U+FFFD, as all ASGI servers do.
fn text<'py>(py: Python<'py>, prefix: &str, bytes: &[u8]) -> Bound<'py, PyString> {
    if prefix.is_empty() && bytes.is_ascii() {
        return PyString::new(py, std::str::from_utf8(bytes).unwrap_or_default());
    }
    let decoded = String::from_utf8_lossy(bytes);
    if prefix.is_empty() {
        PyString::new(py, &decoded)
    } else {
        PyString::new(py, &[prefix, &decoded].concat())
    }
}

/// As much of a path as its first `count` segments.
fn leading_segments(path: &[u8], count: usize) -> &[u8] {
    let mut slashes = memchr::memchr_iter(b'/', path);
    match slashes.nth(count) {
        Some(end) => path.get(..end).unwrap_or(path),
        None if count == 0 => b"",
        None => path,
    }
}

/// Segments, each with a slash before it.
fn joined(segments: &Bound<'_, PyList>) -> PyResult<Vec<u8>> {
    let mut path = Vec::new();
    for segment in segments {
        path.push(b'/');
        path.extend_from_slice(segment.cast::<PyBytes>()?.as_bytes());
    }
    Ok(path)
}

/// The method, unless it is GET.
fn other_method_of<'py>(request: &Bound<'py, Request>) -> Option<Bound<'py, PyString>> {
    let py = request.py();
    let other = request.get().with_method(py, |method| match method {
        b"GET" => Err(String::new()),
        b"POST" => Ok(intern!(py, "POST")),
        b"HEAD" => Ok(intern!(py, "HEAD")),
        b"PUT" => Ok(intern!(py, "PUT")),
        b"PATCH" => Ok(intern!(py, "PATCH")),
        b"DELETE" => Ok(intern!(py, "DELETE")),
        b"OPTIONS" => Ok(intern!(py, "OPTIONS")),
        other => Err(String::from_utf8_lossy(&other.to_ascii_uppercase()).into_owned()),
    });
    match other {
        Ok(known) => Some(known.clone()),
        Err(other) if other.is_empty() => None,
        Err(other) => Some(PyString::new(py, &other)),
    }
}

/// The fields as a list of pairs, names in lower case.
fn headers_of<'py>(py: Python<'py>, head: &Head) -> PyResult<Bound<'py, PyList>> {
    let pairs: SmallVec<[Bound<'py, PyTuple>; 16]> = head
        .fields()
        .map(|(name, value)| PyTuple::new(py, [NAMES.get(py, name), PyBytes::new(py, value)]))
        .collect::<PyResult<_>>()?;
    PyList::new(py, pairs)
}

/// Names of fields in lower case as Python objects, kept: the same few come with every request.
struct Names {
    places: Lock<[Option<KnownName>; PLACES]>,
}

type KnownName = (SmallName, Py<PyBytes>);
type KnownAddress = (PeerAddr, Py<PyAny>);

const PLACES: usize = 128;
/// Longer names are made anew each time.
const LONGEST: usize = 30;

/// A name as it was received.
#[derive(Clone, Copy, PartialEq, Eq)]
struct SmallName {
    length: u8,
    bytes: [u8; LONGEST],
}

impl SmallName {
    fn of(name: &[u8]) -> Option<Self> {
        let mut bytes = [0; LONGEST];
        bytes.get_mut(..name.len())?.copy_from_slice(name);
        let length = u8::try_from(name.len()).ok()?;
        Some(Self { length, bytes })
    }
}

static NAMES: Names = Names {
    places: Lock::new([const { None }; PLACES]),
};

impl Names {
    fn get<'py>(&self, py: Python<'py>, name: &[u8]) -> Bound<'py, PyBytes> {
        let Some(small) = SmallName::of(name) else {
            return PyBytes::new(py, &name.to_ascii_lowercase());
        };
        // FNV-1a, as for path segments.
        let mix = |hash: u32, byte: &u8| (hash ^ u32::from(*byte)).wrapping_mul(0x0100_0193);
        let place = name.iter().fold(0x811c_9dc5, mix) as usize % PLACES;
        if let Some(Some((known, object))) = self.places.lock(py).get(place) {
            if *known == small {
                return object.bind(py).clone();
            }
        }
        let made = PyBytes::new(py, &name.to_ascii_lowercase());
        let old = self
            .places
            .lock(py)
            .get_mut(place)
            .and_then(|slot| slot.replace((small, made.clone().unbind())));
        drop(old);
        made
    }
}

/// The ends of connections as pairs of host and port, kept for the next request of the same client.
pub struct Addresses {
    clients: Lock<Vec<Option<KnownAddress>>>,
    server: Lock<Option<KnownAddress>>,
}

/// Clients remembered at a time.
const CLIENTS: usize = 512;

impl Addresses {
    /// None yet.
    pub fn new() -> Self {
        Self {
            clients: Lock::new((0..CLIENTS).map(|_| None).collect()),
            server: Lock::new(None),
        }
    }

    fn client<'py>(&self, py: Python<'py>, peer: &PeerAddr) -> PyResult<Bound<'py, PyAny>> {
        let port = match peer {
            PeerAddr::V4(address) => address.port(),
            PeerAddr::V6(address) => address.port(),
            PeerAddr::Unix(_) | PeerAddr::Unnamed => return Ok(py.None().into_bound(py)),
        };
        let place = usize::from(port) % CLIENTS;
        if let Some(Some((known, pair))) = self.clients.lock(py).get(place) {
            if known == peer {
                return Ok(pair.bind(py).clone());
            }
        }
        let pair = pair_of(py, peer)?;
        let kept = Some((peer.clone(), pair.clone().unbind()));
        let old = match self.clients.lock(py).get_mut(place) {
            Some(slot) => std::mem::replace(slot, kept),
            None => kept,
        };
        drop(old);
        Ok(pair)
    }

    fn server<'py>(&self, py: Python<'py>, host: &PeerAddr) -> PyResult<Bound<'py, PyAny>> {
        if let Some((known, pair)) = &*self.server.lock(py) {
            if known == host {
                return Ok(pair.bind(py).clone());
            }
        }
        let pair = pair_of(py, host)?;
        let old = self
            .server
            .lock(py)
            .replace((host.clone(), pair.clone().unbind()));
        drop(old);
        Ok(pair)
    }
}

/// `(host, port)`; of a UNIX socket `(path, None)`.
fn pair_of<'py>(py: Python<'py>, address: &PeerAddr) -> PyResult<Bound<'py, PyAny>> {
    Ok(match address {
        PeerAddr::V4(v4) => (v4.ip().to_string(), v4.port())
            .into_pyobject(py)?
            .into_any(),
        PeerAddr::V6(v6) => (v6.ip().to_string(), v6.port())
            .into_pyobject(py)?
            .into_any(),
        PeerAddr::Unix(Some(path)) => (String::from_utf8_lossy(path), py.None())
            .into_pyobject(py)?
            .into_any(),
        PeerAddr::Unix(None) | PeerAddr::Unnamed => py.None().into_bound(py),
    })
}

/// The client as the program sees it, which may have been told better by a proxy.
fn told_client<'py>(request: &Bound<'py, Request>) -> PyResult<Bound<'py, PyAny>> {
    let py = request.py();
    let client = request.getattr(intern!(py, "client"))?;
    let Some(host) = client.getattr_opt(intern!(py, "host"))? else {
        return Ok(py.None().into_bound(py));
    };
    let port = client.getattr(intern!(py, "port"))?;
    Ok(PyTuple::new(py, [host, port])?.into_any())
}
