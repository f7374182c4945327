//! WSGI applications (PEP 3333): what stands between the engine's requests and a callable with two arguments.
//!
//! `Gateway` is what `sennit.web.wsgi.WSGIResource` is built on. An application runs in the thread of the loop, or in
//! one of a pool; `environ` says what it is told, `head` what it may say, `exchange` and `deliver` are the way of what it
//! gives, `pool` and `aside` what threads need besides.

mod aside;
mod deliver;
mod environ;
mod exchange;
mod head;
mod launch;
mod names;
mod pool;
mod streams;

use std::sync::{Arc, OnceLock, Weak};

use pyo3::exceptions::PyRuntimeError;
use pyo3::ffi;
use pyo3::gc::{PyTraverseError, PyVisit};
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::{PyBytes, PyDict, PyTuple, PyType};

use crate::batch::{Batch, Call};
use crate::conn::{Conn, Sink};
use crate::engine::Shared;
use crate::kinds::call_with;
use crate::lock::Lock;
use crate::request::{content_of, Request};
use aside::Aside;
use deliver::{Pieces, Rest};
use environ::Environs;
use exchange::StartResponse;
use pool::{Job, Queue, Session};
use streams::{EmptyInput, ErrorStream};

pub use environ::{cgi_variables, Told};
pub use launch::Launch;

/// The value of `NOT_DONE_YET`.
const NOT_DONE_YET: u8 = 1;
/// `start_response` objects that are kept for later calls.
const SPARES: usize = 16;
/// A body up to this size is given to a thread as a file that has all of it.
const SMALL_BODY: usize = 64 << 10;

/// The native part of `WSGIResource`.
#[pyclass(frozen, subclass, module = "sennit._engine", name = "WSGIGateway")]
pub struct Gateway {
    setup: OnceLock<Setup>,
}

struct Setup {
    application: Py<PyAny>,
    environs: Environs,
    errors: Py<ErrorStream>,
    spares: Lock<Vec<Py<StartResponse>>>,
    threads: Option<Threads>,
}

struct Threads {
    /// The pool, if it is one of ours.
    host: Option<Py<PyAny>>,
    queue: Queue,
    /// The ways back to the loops of engines.
    asides: Lock<Vec<(Weak<Shared>, Arc<Aside>)>>,
}

#[pymethods]
impl Gateway {
    #[new]
    #[pyo3(signature = (*_args, **_kwargs))]
    fn new(_args: &Bound<'_, PyTuple>, _kwargs: Option<&Bound<'_, PyDict>>) -> Self {
        Self {
            setup: OnceLock::new(),
        }
    }

    #[pyo3(signature = (application, constant, log, *, in_threads, host=None))]
    fn set_up(
        &self,
        application: Py<PyAny>,
        constant: &Bound<'_, PyDict>,
        log: Py<PyAny>,
        in_threads: bool,
        host: Option<Py<PyAny>>,
    ) -> PyResult<()> {
        let py = constant.py();
        let errors = Py::new(py, ErrorStream::new(log))?;
        constant.set_item("wsgi.errors", &errors)?;
        constant.set_item("wsgi.input", Py::new(py, EmptyInput)?)?;
        let setup = Setup {
            application,
            environs: Environs::new(py, constant)?,
            errors,
            spares: Lock::new(Vec::new()),
            threads: in_threads.then(|| Threads {
                host,
                queue: Queue::default(),
                asides: Lock::new(Vec::new()),
            }),
        };
        self.setup
            .set(setup)
            .map_err(|_| PyRuntimeError::new_err("a resource is set up once"))
    }

    /// Call the application: what a program gets that asks for it itself.
    fn render<'py>(
        slf: &Bound<'py, Self>,
        request: &Bound<'py, Request>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let py = slf.py();
        if let Some(conn) = request.get().conn(py) {
            match &slf.get().setup()?.threads {
                Some(threads) => Self::submit(slf, threads, request, &conn)?,
                None => {
                    if let Some(pieces) = slf.get().call_here(request, &conn)? {
                        return Ok(pieces.into_bound(py).into_any());
                    }
                }
            }
        }
        Ok(NOT_DONE_YET.into_pyobject(py)?.into_any())
    }

    fn __traverse__(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        let Some(setup) = self.setup.get() else {
            return Ok(());
        };
        visit.call(&setup.application)?;
        match &setup.threads {
            Some(threads) => visit.call(&threads.host),
            None => Ok(()),
        }
    }
}

impl Gateway {
    fn setup(&self) -> PyResult<&Setup> {
        self.setup
            .get()
            .ok_or_else(|| PyRuntimeError::new_err("WSGIResource.__init__ was not called"))
    }

    /// Have the application called for a request: in a thread of the pool, or in this one, with others of the batch.
    pub fn serve(
        slf: &Bound<'_, Self>,
        conn: &Arc<Conn>,
        request: &Bound<'_, Request>,
        batch: &mut Batch,
    ) -> PyResult<()> {
        match &slf.get().setup()?.threads {
            Some(threads) => Self::submit(slf, threads, request, conn)?,
            None => {
                let launch = Launch::new(slf, Arc::clone(conn), request);
                batch.launch(slf.py(), Call::Wsgi(launch));
            }
        }
        Ok(())
    }

    /// Call the application in this thread; gives what is left of a stream.
    fn call_here(
        &self,
        request: &Bound<'_, Request>,
        conn: &Arc<Conn>,
    ) -> PyResult<Option<Py<Pieces>>> {
        let input = whole_input(request, conn)?;
        self.setup()?.call(request, conn, None, input)
    }

    /// The calls that wait for a thread.
    pub fn queue(&self) -> Option<&Queue> {
        let threads = self.setup.get()?.threads.as_ref()?;
        Some(&threads.queue)
    }

    /// Leave a request to the pool.
    fn submit(
        slf: &Bound<'_, Self>,
        threads: &Threads,
        request: &Bound<'_, Request>,
        conn: &Arc<Conn>,
    ) -> PyResult<()> {
        let py = slf.py();
        let aside = Self::aside(slf, threads, conn)?;
        let context = copied_context(py)?;
        threads.queue.push(Job {
            request: request.clone().unbind(),
            aside,
            context,
        });
        // A pool of another kind gets each call: there is no telling how many threads it has.
        if threads.host.is_none() || threads.queue.is_short() {
            if let Err(error) = Self::ask_for_thread(slf, threads) {
                // Unless a thread that was there already has taken it.
                if let Some(job) = threads.queue.take_back(request) {
                    drop(job);
                    return Err(error);
                }
            }
        }
        Ok(())
    }

    /// For calls that wait, ask for more threads if there ought to be.
    fn call_threads(&self, slf: &Bound<'_, Self>) -> PyResult<()> {
        if let Some(threads) = self.setup()?.threads.as_ref().filter(|t| t.host.is_some()) {
            while threads.queue.is_short() && Self::ask_for_thread(slf, threads)? {}
        }
        Ok(())
    }

    /// Ask the pool for a thread; false if it has no more.
    fn ask_for_thread(slf: &Bound<'_, Self>, threads: &Threads) -> PyResult<bool> {
        let py = slf.py();
        let most = match &threads.host {
            Some(host) => host.bind(py).getattr(intern!(py, "max"))?.extract()?,
            None => usize::MAX,
        };
        if !threads.queue.add_thread(most) {
            return Ok(false);
        }
        let host = threads.host.as_ref().map(|host| host.clone_ref(py));
        let session = Session::new(slf.clone().unbind(), host);
        let given = Bound::new(py, session)
            .and_then(|session| slf.call_method1(intern!(py, "_lendThread"), (session,)));
        if let Err(error) = given {
            threads.queue.not_given();
            return Err(error);
        }
        Ok(true)
    }

    /// The way back to the loop that serves a connection.
    fn aside(slf: &Bound<'_, Self>, threads: &Threads, conn: &Conn) -> PyResult<Arc<Aside>> {
        let py = slf.py();
        let in_engine = conn.engine.strong_count() > 0;
        if in_engine {
            let asides = threads.asides.lock(py);
            let mut known = asides.iter();
            if let Some((_, aside)) = known.find(|(engine, _)| engine.ptr_eq(&conn.engine)) {
                return Ok(Arc::clone(aside));
            }
        }
        let way = slf.call_method0(intern!(py, "_wayBack"))?.unbind();
        let aside = Arc::new(Aside::new(py, way)?);
        if in_engine {
            let (alive, gone): (Vec<_>, Vec<_>) = std::mem::take(&mut *threads.asides.lock(py))
                .into_iter()
                .partition(|(engine, _)| engine.strong_count() > 0);
            drop(gone);
            let mut asides = threads.asides.lock(py);
            asides.extend(alive);
            asides.push((conn.engine.clone(), Arc::clone(&aside)));
        }
        Ok(aside)
    }

    /// In a thread of the pool: call the application for a request.
    fn run_job(&self, slf: &Bound<'_, Self>, job: &Job) -> PyResult<()> {
        let py = slf.py();
        let setup = self.setup()?;
        let request = job.request.bind(py);
        let Some(conn) = request.get().conn(py) else {
            return Ok(());
        };
        job.aside.enter(py)?;
        let input = match small_input(request, &conn)? {
            None if has_body(request, &conn) => {
                Some(slf.call_method1(intern!(py, "_inputOf"), (request, &job.aside.way))?)
            }
            small => small,
        };
        let aside = Some(Arc::clone(&job.aside));
        setup.call(request, &conn, aside, input).map(drop)
    }
}

impl Setup {
    /// Call the application, and send what it gives; the rest of a stream, in the loop's thread, is left to the caller.
    fn call(
        &self,
        request: &Bound<'_, Request>,
        conn: &Arc<Conn>,
        aside: Option<Arc<Aside>>,
        input: Option<Bound<'_, PyAny>>,
    ) -> PyResult<Option<Py<Pieces>>> {
        let py = request.py();
        let called = self.call_application(request, conn, aside, input);
        self.errors.get().end_line(py)?;
        called
    }

    fn call_application(
        &self,
        request: &Bound<'_, Request>,
        conn: &Arc<Conn>,
        aside: Option<Arc<Aside>>,
        input: Option<Bound<'_, PyAny>>,
    ) -> PyResult<Option<Py<Pieces>>> {
        let py = request.py();
        let here = aside.is_none();
        let environ = self.environs.make(request, conn, input.as_ref())?;
        let spare = self.spares.lock(py).pop();
        let start = match spare {
            Some(start) => start,
            None => StartResponse::new(py)?,
        };
        let exchange = Arc::clone(start.get().exchange());
        exchange.begin(py, request.clone().unbind(), aside);
        let application = self.application.bind(py);
        let result = call_with(application, [environ.as_any(), start.bind(py).as_any()]);
        drop(environ);
        let rest = result.and_then(|result| match deliver::deliver(&exchange, &result, here) {
            Ok(Rest::Close) => {
                deliver::close(&result);
                Ok(None)
            }
            Ok(Rest::Pieces(iterator, first)) => Ok(Some((result, iterator, first))),
            Err(error) => {
                deliver::close(&result);
                Err(error)
            }
        });
        match rest {
            Ok(Some((result, iterator, first))) => {
                let errors = self.errors.clone_ref(py);
                let pieces = Pieces::new(exchange, result, iterator, first, errors);
                Py::new(py, pieces).map(Some)
            }
            rest => {
                drop(exchange);
                self.keep(py, start);
                rest.map(|_| None)
            }
        }
    }

    /// Keep what was used for one call for another.
    fn keep(&self, py: Python<'_>, start: Py<StartResponse>) {
        if StartResponse::renew(py, &start) {
            let mut spares = self.spares.lock(py);
            if spares.len() < SPARES {
                spares.push(start);
                return;
            }
        }
        drop(start);
    }
}

/// `wsgi.input` where the body is all there; `None` without one.
fn whole_input<'py>(
    request: &Bound<'py, Request>,
    conn: &Conn,
) -> PyResult<Option<Bound<'py, PyAny>>> {
    let py = request.py();
    if !has_body(request, conn) {
        return Ok(None);
    }
    Ok(content_of(request.get(), py)?.map(|content| content.into_bound(py)))
}

/// Whether a request has, or may have, a body.
fn has_body(request: &Bound<'_, Request>, conn: &Conn) -> bool {
    let py = request.py();
    if request.get().has_content(py) {
        return true;
    }
    let state = conn.lock(py);
    state.body_received > 0 || !state.facts.body_complete
}

/// The body of a request that was dispatched before it, if all of it has come since and it is small.
fn small_input<'py>(
    request: &Bound<'py, Request>,
    conn: &Conn,
) -> PyResult<Option<Bound<'py, PyAny>>> {
    static BYTES_IO: PyOnceLock<Py<PyType>> = PyOnceLock::new();
    let py = request.py();
    let body = {
        let mut state = conn.lock(py);
        if !state.is_current(request) || !state.facts.body_complete {
            return Ok(None);
        }
        match &mut state.sink {
            Sink::Stream(buffer) if buffer.len() <= SMALL_BODY => std::mem::take(buffer),
            _ => return Ok(None),
        }
    };
    let class = BYTES_IO.import(py, "io", "BytesIO")?;
    class.call1((PyBytes::new(py, &body),)).map(Some)
}

/// A copy of the context variables as they are here.
fn copied_context(py: Python<'_>) -> PyResult<Py<PyAny>> {
    // SAFETY: the call gives a new reference to a context, or an exception.
    unsafe {
        let context = ffi::PyContext_CopyCurrent();
        Ok(Bound::from_owned_ptr_or_err(py, context)?.unbind())
    }
}
