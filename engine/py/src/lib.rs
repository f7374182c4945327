//! `sennit._engine`: the Python extension. All of PyO3 is in this crate; what it offers is described in
//! `src/sennit/_engine.pyi`.

mod accesslog;
mod answer;
mod asgi;
mod batch;
mod channel;
mod clock;
mod coding;
mod conn;
mod connection;
mod context;
mod dispatch;
mod engine;
mod errors;
mod file_body;
mod headers;
mod kept_file;
mod kinds;
mod lock;
mod loops;
mod memory;
mod metrics;
mod request;
mod resources;
mod segments;
mod service;
mod settings;
mod source;
mod task;
mod text;
mod trust;
mod turn;
mod upstream;
mod wsgi;

use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyList};

/// The value of the `Server` header.
pub const SERVER: &str = concat!("Sennit/", env!("CARGO_PKG_VERSION"));

#[pyfunction]
#[pyo3(signature = (seconds=None))]
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a float-to-int cast saturates"
)]
fn http_date(py: Python<'_>, seconds: Option<f64>) -> Bound<'_, PyBytes> {
    let seconds = seconds.map_or_else(clock::seconds, |s| s.floor() as u64);
    PyBytes::new(py, &sennit_wire::http_date(seconds))
}

#[pyfunction]
fn reason_phrase(py: Python<'_>, code: u16) -> Bound<'_, PyBytes> {
    PyBytes::new(py, sennit_wire::reason_phrase(code))
}

#[pyfunction]
fn is_token(value: &[u8]) -> bool {
    sennit_wire::is_token(value)
}

#[pyfunction]
fn split_path<'py>(py: Python<'py>, path: &[u8]) -> PyResult<Bound<'py, PyList>> {
    let rest = path.strip_prefix(b"/").unwrap_or(path);
    let segments = rest
        .split(|b| *b == b'/')
        .map(|s| PyBytes::new(py, &text::percent_decoded(s)));
    PyList::new(py, segments.collect::<Vec<_>>())
}

// Without the GIL all is behind locks of our own; see `lock`.
#[pymodule(gil_used = false)]
fn _engine(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_class::<headers::Headers>()?;
    module.add_class::<service::Service>()?;
    module.add_class::<accesslog::AccessLog>()?;
    module.add_class::<metrics::Metrics>()?;
    module.add_class::<answer::Answer>()?;
    module.add_class::<coding::PyEncoder>()?;
    module.add_class::<file_body::FileBody>()?;
    module.add_class::<kept_file::FileAnswer>()?;
    module.add_class::<kept_file::FileCache>()?;
    module.add_class::<asgi::ASGIApplication>()?;
    module.add_class::<connection::Connection>()?;
    module.add_class::<request::Request>()?;
    module.add_class::<channel::Channel>()?;
    module.add_class::<engine::Engine>()?;
    module.add_class::<loops::EventLoopBase>()?;
    module.add_class::<loops::Handle>()?;
    module.add_class::<loops::TimerHandle>()?;
    module.add_class::<loops::ReadyHandles>()?;
    module.add_class::<loops::ScheduledHandles>()?;
    module.add_function(wrap_pyfunction!(coding::negotiate_coding, module)?)?;
    module.add_function(wrap_pyfunction!(task::adapt_coroutines, module)?)?;
    module.add_class::<upstream::Upstream>()?;
    module.add_class::<upstream::Forward>()?;
    module.add_class::<wsgi::Gateway>()?;
    module.add_function(wrap_pyfunction!(wsgi::cgi_variables, module)?)?;
    module.add_function(wrap_pyfunction!(memory::gather_memory, module)?)?;
    module.add_function(wrap_pyfunction!(http_date, module)?)?;
    module.add_function(wrap_pyfunction!(reason_phrase, module)?)?;
    module.add_function(wrap_pyfunction!(is_token, module)?)?;
    module.add_function(wrap_pyfunction!(split_path, module)?)?;
    Ok(())
}
