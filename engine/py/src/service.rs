//! `Service`: what the engine must know of one site.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::Arc;

use parking_lot::RwLock;
use pyo3::exceptions::{PyKeyError, PyTypeError};
use pyo3::gc::{PyTraverseError, PyVisit};
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::{PyString, PyTuple, PyType};

use crate::accesslog::AccessLog;
use crate::batch;
use crate::kinds::{class_version, is_bare, is_only_reference};
use crate::lock::Lock;
use crate::metrics::Metrics;
use crate::request::Request;
use crate::resources::{Profiles, Stock};
use crate::segments::Segments;
use crate::settings::Settings;
use crate::trust::Trust;

/// What is told of finished requests.
#[derive(Default)]
pub struct LogTargets {
    /// Writes a line.
    pub native: Option<Py<AccessLog>>,
    /// Is called.
    pub hook: Option<Py<PyAny>>,
    /// Counts.
    pub metrics: Option<Py<Metrics>>,
}

/// One site's face towards the engine; see `_engine.pyi`.
#[pyclass(frozen, module = "sennit._engine")]
pub struct Service {
    site: Py<PyAny>,
    factory: Py<PyAny>,
    default_child: Py<PyAny>,
    default_miss: Py<PyAny>,
    default_render: Py<PyAny>,
    /// What the stock `getChild` gives.
    missing: Py<PyAny>,
    /// `factory` is a `Request` subclass whose instances can be made without calling it.
    pub plain_factory: bool,
    /// The request class has a `process` of its own.
    pub custom_process: bool,
    /// The site has a `getResourceFor` of its own.
    pub custom_traversal: bool,
    /// The request class has a `write` or `finish` of its own.
    pub custom_output: bool,
    /// The site has a `getContentFile`.
    pub gives_files: bool,
    /// Path segments that were asked for.
    pub segments: Segments,
    /// What is known of the resources' classes.
    pub profiles: Profiles,
    settings: RwLock<Arc<Settings>>,
    /// The resource at the root, if the site tells when it changes.
    root: Lock<Option<Py<PyAny>>>,
    /// Request objects to be used again.
    spares: Lock<Vec<Py<Request>>>,
    /// The state of the request class, and whether `defaultContentType` was `text/html` in it.
    html_by_default: Lock<(u32, bool)>,
    logging: RwLock<LogTargets>,
    logs: AtomicBool,
    /// Factories of encoders for all responses.
    codings: RwLock<Option<Py<PyTuple>>>,
    codes: AtomicBool,
    draining: AtomicBool,
    connections: AtomicUsize,
    /// Requests that have begun, and that have ended; what is between them is at work.
    began: AtomicUsize,
    ended: AtomicUsize,
}

/// Count one more. With the GIL nobody else counts meanwhile, and an atomic addition takes as long as 20 others.
fn count(_py: Python<'_>, counter: &AtomicUsize) {
    if cfg!(Py_GIL_DISABLED) {
        counter.fetch_add(1, Ordering::Relaxed);
    } else {
        let before = counter.load(Ordering::Relaxed);
        counter.store(before.wrapping_add(1), Ordering::Relaxed);
    }
}

fn overrides(class: &Bound<'_, PyType>, name: &str) -> PyResult<bool> {
    let stock = class.py().get_type::<Request>();
    Ok(!class.getattr(name)?.is(stock.getattr(name)?))
}

impl Service {
    /// The site.
    pub fn site<'py>(&self, py: Python<'py>) -> &Bound<'py, PyAny> {
        self.site.bind(py)
    }

    /// The functions whose work the engine does itself.
    pub fn stock<'a, 'py>(&'a self, py: Python<'py>) -> Stock<'a, 'py> {
        Stock {
            child: self.default_child.bind(py),
            miss: self.default_miss.bind(py),
            render: self.default_render.bind(py),
        }
    }

    /// The page for what is not there.
    pub fn missing<'py>(&self, py: Python<'py>) -> Bound<'py, PyAny> {
        self.missing.bind(py).clone()
    }

    /// The resource at the root, as it is now.
    pub fn root<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        if let Some(root) = self.root.lock(py).as_ref() {
            return Ok(root.bind(py).clone());
        }
        self.site(py).getattr(intern!(py, "resource"))
    }

    /// The limits as they are now.
    pub fn settings(&self) -> Arc<Settings> {
        self.settings.read().clone()
    }

    /// Whether responses are the last of their connections.
    pub fn is_draining(&self) -> bool {
        self.draining.load(Ordering::Relaxed)
    }

    /// Whether finished requests are logged, natively or by a hook.
    pub fn logs(&self) -> bool {
        self.logs.load(Ordering::Relaxed)
    }

    /// A new, unbound request object.
    pub fn make_request<'py>(
        &self,
        py: Python<'py>,
        channel: impl FnOnce() -> PyResult<Bound<'py, PyAny>>,
    ) -> PyResult<Bound<'py, Request>> {
        if self.plain_factory {
            if let Some(spare) = self.spares.lock(py).pop() {
                return Ok(spare.into_bound(py));
            }
            // SAFETY: `plain_factory` says that `factory` is a type derived from `Request` that inherits
            // its `__new__`; that slot is filled in every ready type, takes any arguments, and returns a new reference
            // to an object of that type.
            return unsafe {
                let class = self.factory.as_ptr().cast::<pyo3::ffi::PyTypeObject>();
                let arguments = PyTuple::empty(py);
                match (*class).tp_new {
                    Some(new) => Bound::from_owned_ptr_or_err(
                        py,
                        new(class, arguments.as_ptr(), std::ptr::null_mut()),
                    )
                    .map(|object| object.cast_into_unchecked::<Request>()),
                    None => Err(PyTypeError::new_err(
                        "the request class cannot be instantiated",
                    )),
                }
            };
        }
        let object = self.factory.bind(py).call1((channel()?, false))?;
        object.cast_into::<Request>().map_err(|_| {
            PyTypeError::new_err("requestFactory must return a sennit.web.http.Request")
        })
    }

    /// Take a request object back that nobody else knows any more: making one anew and letting it go costs as much as
    /// reading its head. One with attributes of its own, or with weak references to it, is let go.
    pub fn take_back(&self, request: Bound<'_, Request>) {
        let py = request.py();
        if !self.plain_factory || !is_only_reference(&request) || !is_bare(&request) {
            return;
        }
        if request.get().forget(py) {
            let mut spares = self.spares.lock(py);
            if spares.len() < batch::SIZE {
                spares.push(request.unbind());
            }
        }
    }

    /// Whether `defaultContentType` of a request without attributes of its own is `text/html`. Found anew only when the
    /// request class has changed; `ask` finds it.
    pub fn is_html_by_default(
        &self,
        request: &Bound<'_, Request>,
        ask: impl FnOnce() -> PyResult<bool>,
    ) -> PyResult<bool> {
        let py = request.py();
        let version = class_version(request.as_any());
        let known = *self.html_by_default.lock(py);
        if version != 0 && known.0 == version {
            return Ok(known.1);
        }
        let html = ask()?;
        *self.html_by_default.lock(py) = (version, html);
        Ok(html)
    }

    /// Count a connection in; false when there are as many as allowed.
    pub fn admit(&self) -> bool {
        let now = self.connections.fetch_add(1, Ordering::Relaxed);
        let limit = self.settings.read().max_connections;
        if limit.is_some_and(|limit| now >= limit) {
            self.connections.fetch_sub(1, Ordering::Relaxed);
            return false;
        }
        true
    }

    /// Count a connection out.
    pub fn release(&self) {
        self.connections.fetch_sub(1, Ordering::Relaxed);
    }

    /// Count a request in.
    pub fn request_began(&self, py: Python<'_>) {
        count(py, &self.began);
    }

    /// Count a request out.
    pub fn request_ended(&self, py: Python<'_>) {
        count(py, &self.ended);
    }

    /// What is to be told of a finished request, as it is now.
    pub fn log_targets(&self, py: Python<'_>) -> LogTargets {
        let logging = self.logging.read();
        LogTargets {
            native: logging.native.as_ref().map(|l| l.clone_ref(py)),
            hook: logging.hook.as_ref().map(|h| h.clone_ref(py)),
            metrics: logging.metrics.as_ref().map(|m| m.clone_ref(py)),
        }
    }

    /// Whether responses may be coded.
    pub fn codes(&self) -> bool {
        self.codes.load(Ordering::Relaxed)
    }

    /// What responses may be coded with.
    pub fn codings(&self, py: Python<'_>) -> Option<Py<PyTuple>> {
        if !self.codes() {
            return None;
        }
        self.codings.read().as_ref().map(|c| c.clone_ref(py))
    }

    /// Put another target in a place, and let the old one go when nothing is locked any more.
    fn change_logging<T>(&self, target: Option<T>, place: fn(&mut LogTargets) -> &mut Option<T>) {
        let old = {
            let mut logging = self.logging.write();
            let old = std::mem::replace(place(&mut logging), target);
            let any =
                logging.native.is_some() || logging.hook.is_some() || logging.metrics.is_some();
            self.logs.store(any, Ordering::Relaxed);
            old
        };
        drop(old);
    }
}

#[pymethods]
impl Service {
    #[new]
    #[pyo3(signature = (site, request_factory, stock, *, custom_process=false, custom_traversal=false))]
    fn new(
        site: Py<PyAny>,
        request_factory: Bound<'_, PyAny>,
        stock: (Py<PyAny>, Py<PyAny>, Py<PyAny>, Py<PyAny>),
        custom_process: bool,
        custom_traversal: bool,
    ) -> PyResult<Self> {
        let (default_child, default_miss, default_render, missing) = stock;
        let py = request_factory.py();
        let stock = py.get_type::<Request>();
        let class = request_factory
            .cast::<PyType>()
            .ok()
            .filter(|class| class.is_subclass(&stock).unwrap_or(false));
        let object_init = py.get_type::<PyAny>().getattr("__init__")?;
        let plain_factory = match class {
            Some(class) => {
                class.getattr("__init__")?.is(&object_init) && !overrides(class, "__new__")?
            }
            None => false,
        };
        let custom_output = match class {
            Some(class) => overrides(class, "write")? || overrides(class, "finish")?,
            None => true,
        };
        let gives_files = site.bind(py).hasattr(intern!(py, "getContentFile"))?;
        Ok(Self {
            gives_files,
            site,
            plain_factory,
            custom_process: custom_process || class.is_none(),
            custom_traversal,
            custom_output,
            factory: request_factory.unbind(),
            default_child,
            default_miss,
            default_render,
            missing,
            segments: Segments::new(),
            profiles: Profiles::new(),
            root: Lock::new(None),
            settings: RwLock::new(Arc::new(Settings::default())),
            spares: Lock::new(Vec::new()),
            html_by_default: Lock::new((0, false)),
            logging: RwLock::new(LogTargets::default()),
            logs: AtomicBool::new(false),
            codings: RwLock::new(None),
            codes: AtomicBool::new(false),
            draining: AtomicBool::new(false),
            connections: AtomicUsize::new(0),
            began: AtomicUsize::new(0),
            ended: AtomicUsize::new(0),
        })
    }

    fn configure(&self, name: &Bound<'_, PyString>, value: Option<f64>) -> PyResult<()> {
        let name = name.to_str()?;
        if Arc::make_mut(&mut self.settings.write()).set(name, value) {
            return Ok(());
        }
        Err(PyKeyError::new_err(name.to_owned()))
    }

    fn set_trust(
        &self,
        peers: Vec<String>,
        headers: Vec<String>,
        proxy_protocol: bool,
    ) -> PyResult<()> {
        let trust = Trust::new(&peers, &headers, proxy_protocol)?;
        Arc::make_mut(&mut self.settings.write()).trust =
            (!peers.is_empty()).then(|| Arc::new(trust));
        Ok(())
    }

    fn set_root(&self, py: Python<'_>, root: Option<Py<PyAny>>) {
        let old = std::mem::replace(&mut *self.root.lock(py), root);
        drop(old);
    }

    fn set_access_log(&self, log: Option<Py<AccessLog>>) {
        self.change_logging(log, |logging| &mut logging.native);
    }

    fn set_metrics(&self, metrics: Option<Py<Metrics>>) {
        self.change_logging(metrics, |logging| &mut logging.metrics);
    }

    fn set_log_hook(&self, hook: Option<Py<PyAny>>) {
        self.change_logging(hook, |logging| &mut logging.hook);
    }

    fn set_encoders(&self, encoders: Option<Py<PyTuple>>) {
        self.codes.store(encoders.is_some(), Ordering::Relaxed);
        let old = std::mem::replace(&mut *self.codings.write(), encoders);
        drop(old);
    }

    fn start_draining(&self) {
        self.draining.store(true, Ordering::Relaxed);
    }

    #[getter]
    fn draining(&self) -> bool {
        self.is_draining()
    }

    #[getter(connections)]
    fn connection_count(&self) -> usize {
        self.connections.load(Ordering::Relaxed)
    }

    #[getter]
    fn active_requests(&self) -> usize {
        let ended = self.ended.load(Ordering::Relaxed);
        self.began.load(Ordering::Relaxed).wrapping_sub(ended)
    }

    #[getter]
    fn requests(&self) -> usize {
        self.ended.load(Ordering::Relaxed)
    }

    fn request_of(slf: &Bound<'_, Self>, coroutine: &Bound<'_, PyAny>) -> Option<Py<Request>> {
        crate::task::request_of(slf, coroutine)
    }

    fn __traverse__(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        visit.call(&self.site)?;
        visit.call(&self.factory)?;
        self.root.visit(|root| visit.call(root)).unwrap_or(Ok(()))?;
        if let Some(logging) = self.logging.try_read() {
            visit.call(&logging.hook)?;
            visit.call(&logging.native)?;
            visit.call(&logging.metrics)?;
        }
        if let Some(codings) = self.codings.try_read() {
            visit.call(&*codings)?;
        }
        Ok(())
    }
}
