//! The Python face of `Request`: attributes and methods, each a line or two over `input`, `output` and `dispatch`.

use std::sync::Arc;

use pyo3::exceptions::PyAttributeError;
use pyo3::gc::{PyTraverseError, PyVisit};
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyDict, PyList, PyTuple};

use super::input::{self, Side};
use super::output;
use super::{Rare, Request, RequestState};
use crate::batch::Batch;
use crate::dispatch;
use crate::headers::{in_type_of, Headers};
use crate::task;
use crate::text::{bytes_of, Encoding};
use crate::trust::origin_of;
use crate::upstream::Forward;

use crate::lock::Lock;
use sennit_wire::{Head, Version};

type Slot = Option<Py<PyAny>>;
/// As `_engine.pyi` has it.
type Origin = (
    Option<(String, u16)>,
    Option<bool>,
    Option<Py<PyBytes>>,
    Option<u16>,
);

impl Request {
    /// The value that the program has put over one that came from the wire.
    fn replaced(&self, py: Python<'_>, pick: fn(&Rare) -> &Slot) -> Slot {
        let state = self.lock(py);
        state
            .rare
            .as_ref()
            .and_then(|rare| pick(rare).as_ref())
            .map(|v| v.clone_ref(py))
    }

    fn replace(&self, py: Python<'_>, value: Slot, pick: fn(&mut Rare) -> &mut Slot) {
        let old = std::mem::replace(pick(self.lock(py).rare()), value);
        drop(old);
    }

    /// A bytes attribute: what the program has put there, else what `from_wire` finds.
    fn wire_bytes(
        &self,
        py: Python<'_>,
        pick: fn(&Rare) -> &Slot,
        from_wire: fn(&RequestState) -> &[u8],
    ) -> Py<PyAny> {
        if let Some(value) = self.replaced(py, pick) {
            return value;
        }
        let bytes = from_wire(&self.lock(py)).to_vec();
        PyBytes::new(py, &bytes).into_any().unbind()
    }

    /// A change of an attribute that can't be deleted.
    fn change(&self, py: Python<'_>, change: impl FnOnce(&mut RequestState)) {
        change(&mut self.lock(py));
    }
}

#[pymethods]
impl Request {
    #[new]
    #[pyo3(signature = (*args, **kwargs))]
    fn new(args: &Bound<'_, PyTuple>, kwargs: Option<&Bound<'_, PyDict>>) -> PyResult<Self> {
        let request = Self {
            state: Lock::new(RequestState::new()),
        };
        let channel = match kwargs {
            Some(kwargs) => kwargs.get_item(intern!(args.py(), "channel"))?,
            None => None,
        };
        if channel.is_some() || !args.is_empty() {
            let channel = channel.map_or_else(|| args.get_item(0), Ok)?.unbind();
            request.lock(args.py()).rare().channel = Some(channel);
        }
        Ok(request)
    }

    #[getter]
    fn method(&self, py: Python<'_>) -> Py<PyAny> {
        self.wire_bytes(
            py,
            |r| &r.method,
            |s| s.head.as_ref().map_or(b"(no method yet)", Head::method),
        )
    }
    #[setter]
    fn set_method(&self, py: Python<'_>, value: Py<PyAny>) {
        self.replace(py, Some(value), |r| &mut r.method);
    }
    #[getter]
    fn uri(&self, py: Python<'_>) -> Py<PyAny> {
        self.wire_bytes(
            py,
            |r| &r.uri,
            |s| s.head.as_ref().map_or(b"(no uri yet)", Head::target),
        )
    }
    #[setter]
    fn set_uri(&self, py: Python<'_>, value: Py<PyAny>) {
        self.replace(py, Some(value), |r| &mut r.uri);
    }
    #[getter]
    fn path(&self, py: Python<'_>) -> Py<PyAny> {
        self.wire_bytes(py, |r| &r.path, RequestState::raw_path)
    }
    #[setter]
    fn set_path(&self, py: Python<'_>, value: Py<PyAny>) {
        self.replace(py, Some(value), |r| &mut r.path);
    }
    #[getter]
    fn clientproto(&self, py: Python<'_>) -> Py<PyAny> {
        self.wire_bytes(
            py,
            |r| &r.clientproto,
            |s| match s.head.as_ref().map(Head::version) {
                Some(Version::Http10) => b"HTTP/1.0",
                Some(Version::Http11) => b"HTTP/1.1",
                None => b"(no clientproto yet)",
            },
        )
    }
    #[setter]
    fn set_clientproto(&self, py: Python<'_>, value: Py<PyAny>) {
        self.replace(py, Some(value), |r| &mut r.clientproto);
    }

    #[getter]
    fn prepath(&self, py: Python<'_>) -> PyResult<Py<PyList>> {
        input::path_list(self, py, Side::Before)
    }
    #[setter]
    fn set_prepath(&self, py: Python<'_>, value: Py<PyList>) -> PyResult<()> {
        input::path_list(self, py, Side::Before)?;
        let old = self.lock(py).prepath.replace(value);
        drop(old);
        Ok(())
    }
    #[getter]
    fn postpath(&self, py: Python<'_>) -> PyResult<Py<PyList>> {
        input::path_list(self, py, Side::After)
    }
    #[setter]
    fn set_postpath(&self, py: Python<'_>, value: Py<PyList>) -> PyResult<()> {
        input::path_list(self, py, Side::After)?;
        let old = self.lock(py).postpath.replace(value);
        drop(old);
        Ok(())
    }
    #[getter]
    fn sitepath(&self, py: Python<'_>) -> Py<PyList> {
        let fresh = PyList::empty(py).unbind();
        self.lock(py)
            .rare()
            .sitepath
            .get_or_insert(fresh)
            .clone_ref(py)
    }
    #[setter]
    fn set_sitepath(&self, py: Python<'_>, value: Py<PyList>) {
        let old = self.lock(py).rare().sitepath.replace(value);
        drop(old);
    }
    #[getter]
    fn site(&self, py: Python<'_>) -> PyResult<Py<PyAny>> {
        if let Some(site) = self.replaced(py, |r| &r.site) {
            return Ok(site);
        }
        let conn = self.lock(py).conn.clone();
        conn.map(|conn| conn.service.get().site(py).clone().unbind())
            .ok_or_else(|| PyAttributeError::new_err("this request belongs to no site"))
    }
    #[setter]
    fn set_site(&self, py: Python<'_>, value: Py<PyAny>) {
        self.replace(py, Some(value), |r| &mut r.site);
    }

    #[getter]
    fn code(&self, py: Python<'_>) -> u16 {
        self.lock(py).code
    }
    #[setter]
    fn set_code(&self, code: &Bound<'_, PyAny>) -> PyResult<()> {
        let py = code.py();
        let message = output::code_message(self, code.py());
        let stock = self.lock(py).message.is_none();
        output::set_response_code(
            self,
            code,
            if stock { None } else { Some(message.as_any()) },
        )
    }
    #[getter]
    fn code_message<'py>(&self, py: Python<'py>) -> Bound<'py, PyBytes> {
        output::code_message(self, py)
    }
    #[setter]
    fn set_code_message(&self, message: &Bound<'_, PyAny>) -> PyResult<()> {
        let py = message.py();
        let code = self.lock(py).code.into_pyobject(message.py())?;
        output::set_response_code(self, code.as_any(), Some(message))
    }
    #[getter]
    fn etag(&self, py: Python<'_>) -> Slot {
        self.replaced(py, |r| &r.etag)
    }
    #[setter]
    fn set_etag(&self, py: Python<'_>, value: Slot) {
        self.replace(py, value, |r| &mut r.etag);
    }
    #[getter(lastModified)]
    fn last_modified(&self, py: Python<'_>) -> Slot {
        self.replaced(py, |r| &r.last_modified)
    }
    #[setter(lastModified)]
    fn set_last_modified(&self, py: Python<'_>, value: Slot) {
        self.replace(py, value, |r| &mut r.last_modified);
    }
    #[getter]
    fn cookies(&self, py: Python<'_>) -> Py<PyList> {
        let fresh = PyList::empty(py).unbind();
        self.lock(py)
            .rare()
            .cookies
            .get_or_insert(fresh)
            .clone_ref(py)
    }
    #[setter]
    fn set_cookies(&self, py: Python<'_>, value: Py<PyList>) {
        let old = self.lock(py).rare().cookies.replace(value);
        drop(old);
    }
    #[getter]
    fn content(&self, py: Python<'_>) -> PyResult<Slot> {
        input::content(self, py)
    }
    #[setter]
    fn set_content(&self, py: Python<'_>, value: Slot) {
        let old = std::mem::replace(&mut self.lock(py).content, value);
        drop(old);
    }
    #[getter]
    fn channel(&self, py: Python<'_>) -> PyResult<Slot> {
        input::channel(self, py)
    }
    #[setter]
    fn set_channel(&self, py: Python<'_>, value: Slot) {
        self.replace(py, value, |r| &mut r.channel);
    }
    #[getter]
    fn connection<'py>(&self, py: Python<'py>) -> PyResult<Option<Bound<'py, PyAny>>> {
        let conn = self.lock(py).conn.clone();
        conn.map(|conn| crate::connection::Connection::wrap(py, conn))
            .transpose()
    }
    /// What trusted proxies say: client, port, whether TLS, host, port asked at.
    fn _origin(&self, py: Python<'_>) -> Option<Origin> {
        let origin = {
            let state = self.lock(py);
            origin_of(state.conn.as_ref()?, state.head.as_ref()?)?
        };
        Some((
            origin
                .client
                .map(|client| (client.ip().to_string(), client.port())),
            origin.secure,
            origin.host.map(|host| PyBytes::new(py, &host).unbind()),
            origin.port,
        ))
    }

    #[getter(_gated)]
    fn gated(&self, py: Python<'_>) -> bool {
        self.lock(py).gated
    }
    #[setter(_gated)]
    fn set_gated(&self, py: Python<'_>, value: bool) {
        self.change(py, |s| s.gated = value);
    }
    #[getter(_watched)]
    fn watched(&self, py: Python<'_>) -> bool {
        self.lock(py).watched
    }
    #[setter(_watched)]
    fn set_watched(&self, py: Python<'_>, value: bool) {
        self.change(py, |s| s.watched = value);
    }
    #[getter(_context)]
    fn own_context<'py>(&self, py: Python<'py>) -> Option<Bound<'py, PyAny>> {
        self.context(py)
    }
    #[setter(_context)]
    fn set_own_context(&self, py: Python<'_>, value: Option<Py<PyAny>>) {
        let old = std::mem::replace(&mut self.lock(py).context, value);
        drop(old);
    }
    #[getter(requestHeaders)]
    fn request_headers(&self, py: Python<'_>) -> PyResult<Py<Headers>> {
        input::headers(self, py)
    }
    #[setter(requestHeaders)]
    fn set_request_headers(&self, py: Python<'_>, value: Py<Headers>) {
        let old = self.lock(py).request_headers.replace(value);
        drop(old);
    }
    #[getter(responseHeaders)]
    fn response_headers(&self, py: Python<'_>) -> PyResult<Py<Headers>> {
        output::headers(self, py)
    }
    #[setter(responseHeaders)]
    fn set_response_headers(&self, py: Python<'_>, value: Py<Headers>) {
        let old = self.lock(py).response_headers.replace(value);
        drop(old);
    }

    #[pyo3(name = "getHeader")]
    fn get_header<'py>(&self, key: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyAny>> {
        let py = key.py();
        let name = bytes_of(key, Encoding::Latin1, "a header name")?;
        let value = {
            let state = self.lock(py);
            match (&state.request_headers, &state.head) {
                (Some(headers), _) => headers.get().lock(py).last(&name).map(<[u8]>::to_vec),
                (None, Some(head)) => head.field(&name).map(<[u8]>::to_vec),
                (None, None) => None,
            }
        };
        match value {
            Some(value) => in_type_of(key, &value),
            None => Ok(py.None().into_bound(py)),
        }
    }
    fn header_values<'py>(&self, py: Python<'py>, name: &[u8]) -> Vec<Bound<'py, PyBytes>> {
        let mut values: Vec<Vec<u8>> = Vec::new();
        self.with_request_values(py, name, |found| values.extend(found.map(<[u8]>::to_vec)));
        values.iter().map(|value| PyBytes::new(py, value)).collect()
    }
    #[getter]
    fn body_length(&self, py: Python<'_>) -> Option<u64> {
        let conn = self.conn(py)?;
        let received = conn.lock(py).body_received;
        Some(received)
    }
    #[getter]
    fn body_complete(&self, py: Python<'_>) -> bool {
        self.conn(py)
            .is_none_or(|conn| conn.lock(py).facts.body_complete)
    }
    #[getter]
    fn duration(&self, py: Python<'_>) -> Option<f64> {
        let began = self.lock(py).began;
        began.map(|began| began.elapsed().as_secs_f64())
    }
    #[getter]
    fn disconnected_early(&self, py: Python<'_>) -> bool {
        self.lock(py).lost
    }
    fn read_body(slf: &Bound<'_, Self>) -> PyResult<Option<Py<PyBytes>>> {
        input::read_body(slf)
    }
    fn on_body(slf: &Bound<'_, Self>, callback: Slot) -> PyResult<()> {
        input::on_body(slf, callback)
    }

    #[getter(startedWriting)]
    fn started_writing(&self, py: Python<'_>) -> bool {
        self.lock(py).started
    }
    #[setter(startedWriting)]
    fn set_started_writing(&self, py: Python<'_>, value: bool) {
        self.change(py, |s| s.started = value);
    }
    #[getter]
    fn finished(&self, py: Python<'_>) -> bool {
        self.lock(py).finished
    }
    #[setter]
    fn set_finished(&self, py: Python<'_>, value: bool) {
        self.change(py, |s| s.finished = value);
    }
    #[getter(sentLength)]
    fn sent_length(&self, py: Python<'_>) -> u64 {
        self.lock(py).sent_length
    }
    #[setter(sentLength)]
    fn set_sent_length(&self, py: Python<'_>, value: u64) {
        self.change(py, |s| s.sent_length = value);
    }
    #[getter]
    fn chunked(&self, py: Python<'_>) -> bool {
        self.conn(py).is_some_and(|conn| {
            conn.lock(py)
                .responder
                .as_ref()
                .is_some_and(|r| r.is_chunked())
        })
    }
    #[pyo3(name = "setResponseCode", signature = (code, message=None))]
    fn set_response_code(
        &self,
        code: &Bound<'_, PyAny>,
        message: Option<&Bound<'_, PyAny>>,
    ) -> PyResult<()> {
        output::set_response_code(self, code, message)
    }
    #[pyo3(name = "setHeader")]
    fn set_header(&self, name: &Bound<'_, PyAny>, value: &Bound<'_, PyAny>) -> PyResult<()> {
        output::set_header(self, name, value)
    }
    fn write(slf: &Bound<'_, Self>, data: &Bound<'_, PyAny>) -> PyResult<()> {
        output::write(slf, data)
    }
    fn finish(slf: &Bound<'_, Self>) -> PyResult<()> {
        output::finish(slf)
    }
    #[pyo3(name = "writeInterim", signature = (code, headers=None))]
    fn write_interim(
        slf: &Bound<'_, Self>,
        code: u16,
        headers: Option<&Bound<'_, PyAny>>,
    ) -> PyResult<()> {
        output::write_interim(slf, code, headers)
    }
    #[pyo3(name = "setTrailer")]
    fn set_trailer(&self, name: &Bound<'_, PyAny>, value: &Bound<'_, PyAny>) -> PyResult<()> {
        output::set_trailer(self, name, value)
    }
    #[pyo3(name = "registerProducer")]
    fn register_producer(
        slf: &Bound<'_, Self>,
        producer: Py<PyAny>,
        streaming: bool,
    ) -> PyResult<()> {
        output::register_producer(slf, producer, streaming)
    }
    #[pyo3(name = "unregisterProducer")]
    fn unregister_producer(slf: &Bound<'_, Self>) {
        output::unregister_producer(slf);
    }
    fn set_encoder(&self, py: Python<'_>, encoder: Py<PyAny>) {
        self.replace(py, Some(encoder), |r| &mut r.encoder);
        // Its result is not coded once more.
        self.offer_codings(py, PyTuple::empty(py).unbind());
    }
    fn offer_codings(&self, py: Python<'_>, factories: Py<PyTuple>) {
        let old = self.lock(py).rare().codings.replace(factories);
        drop(old);
    }
    #[getter]
    fn write_blocked(&self, py: Python<'_>) -> bool {
        self.conn(py)
            .is_some_and(|conn| conn.lock(py).facts.blocked)
    }
    fn on_drain(slf: &Bound<'_, Self>, callback: Slot) -> PyResult<()> {
        output::on_drain(slf, callback)
    }
    fn lose_connection(&self, py: Python<'_>) {
        if let Some(conn) = self.conn(py) {
            conn.end_after_output(py);
        }
    }
    fn abort_connection(&self, py: Python<'_>) {
        if let Some(conn) = self.conn(py) {
            conn.lose(py, "lost", true);
        }
    }

    #[pyo3(signature = (result, resource=None))]
    fn respond(
        slf: &Bound<'_, Self>,
        result: &Bound<'_, PyAny>,
        resource: Option<&Bound<'_, PyAny>>,
    ) {
        dispatch::respond(slf, result, resource);
    }
    fn traverse<'py>(
        slf: &Bound<'py, Self>,
        resource: &Bound<'py, PyAny>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let Some(conn) = slf.get().lock(slf.py()).conn.clone() else {
            return Err(PyAttributeError::new_err("this request belongs to no site"));
        };
        dispatch::traverse(conn.service.get(), slf, resource.clone())
    }
    fn process_stock(slf: &Bound<'_, Self>) {
        if let Some(conn) = slf.get().conn(slf.py()) {
            dispatch::process_stock(&conn, slf, &mut Batch::default());
        }
    }
    fn render_stock(slf: &Bound<'_, Self>, resource: &Bound<'_, PyAny>) {
        if let Some(conn) = slf.get().conn(slf.py()) {
            dispatch::render(&conn, slf, resource);
        }
    }
    #[getter]
    fn unwalked_path<'py>(&self, py: Python<'py>) -> Bound<'py, PyBytes> {
        let rest = self.with_outgoing(py, |outgoing| outgoing.rest.to_vec());
        PyBytes::new(py, &rest.unwrap_or_default())
    }
    fn forward(slf: &Bound<'_, Self>, forward: &Bound<'_, Forward>) -> PyResult<bool> {
        match slf.get().conn(slf.py()) {
            Some(conn) => crate::upstream::start(&conn, slf, forward.get()),
            None => Ok(true),
        }
    }
    #[pyo3(signature = (coroutine, resource=None, cancel_on_disconnect=true))]
    fn start_task(
        slf: &Bound<'_, Self>,
        coroutine: &Bound<'_, PyAny>,
        resource: Option<&Bound<'_, PyAny>>,
        cancel_on_disconnect: bool,
    ) -> PyResult<()> {
        task::start(slf, coroutine, resource, cancel_on_disconnect)
    }

    fn __repr__(slf: &Bound<'_, Self>) -> PyResult<String> {
        let py = slf.py();
        let text = |name| -> PyResult<String> {
            let bytes = slf.getattr(name)?;
            let text = bytes.call_method1(intern!(py, "decode"), ("ascii", "backslashreplace"))?;
            text.extract()
        };
        Ok(format!(
            "<{} at {:p} method={} uri={} clientproto={}>",
            slf.get_type().name()?,
            slf.as_ptr(),
            text("method")?,
            text("uri")?,
            text("clientproto")?
        ))
    }

    fn __traverse__(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        let visited = self.state.visit(|state| {
            visit.call(&state.content)?;
            visit.call(&state.prepath)?;
            visit.call(&state.postpath)?;
            visit.call(&state.context)?;
            let Some(rare) = &state.rare else {
                return Ok(());
            };
            visit.call(&rare.channel)?;
            visit.call(&rare.site)?;
            visit.call(&rare.encoder)?;
            visit.call(&rare.codings)?;
            visit.call(&rare.cookies)
        });
        visited.unwrap_or(Ok(()))
    }

    fn __clear__(&self, py: Python<'_>) {
        let old = {
            let mut state = self.lock(py);
            (
                state.content.take(),
                state.prepath.take(),
                state.postpath.take(),
                state.context.take(),
                state.rare.take(),
            )
        };
        drop(old);
    }
}

impl Request {
    /// The method as the program sees it, for the name of the render method.
    pub fn with_method<R>(&self, py: Python<'_>, use_it: impl FnOnce(&[u8]) -> R) -> R {
        if let Some(method) = self.replaced(py, |r| &r.method) {
            if let Ok(bytes) = bytes_of(method.bind(py), Encoding::Latin1, "the method") {
                return use_it(&bytes);
            }
        }
        let state = self.lock(py);
        use_it(state.head.as_ref().map_or(b"GET", Head::method))
    }

    /// Run `change` on the connection's state while this request is current there.
    pub fn with_current<R>(
        object: &Bound<'_, Self>,
        change: impl FnOnce(&mut crate::conn::State) -> R,
    ) -> Option<R> {
        let py = object.py();
        let conn: Arc<crate::conn::Conn> = object.get().conn(py)?;
        let mut state = conn.lock(py);
        state.is_current(object).then(|| change(&mut state))
    }
}
