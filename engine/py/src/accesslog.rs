//! `AccessLog`: lines are formatted as requests finish and written by a thread of their own, so that a slow disk or
//! terminal does not keep a client waiting.

use std::fs::File;
use std::io::Write;
use std::os::fd::{BorrowedFd, RawFd};
use std::sync::Arc;
use std::time::Duration;

use parking_lot::{Condvar, Mutex};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use sennit_net::PeerAddr;
use sennit_wire::{AccessRecord, Head, Version};

use crate::clock;
use crate::conn::Conn;
use crate::errors;
use crate::request::Request;
use crate::trust::origin_of;

/// Lines kept for a writer that does not keep up; what comes beyond is dropped and counted.
const MOST_PENDING: usize = 16 << 20;

#[derive(Clone, Copy)]
enum Format {
    Combined,
    Json,
}

#[derive(Default)]
struct Queue {
    pending: Vec<u8>,
    dropped: u64,
    writing: bool,
    closed: bool,
}

#[derive(Default)]
struct Exchange {
    queue: Mutex<Queue>,
    news: Condvar,
    written: Condvar,
}

/// See `_engine.pyi`.
#[pyclass(frozen, module = "sennit._engine")]
pub struct AccessLog {
    format: Format,
    exchange: Arc<Exchange>,
}

#[pymethods]
impl AccessLog {
    #[new]
    fn new(fd: RawFd, format: &str) -> PyResult<Self> {
        let format = match format {
            "combined" => Format::Combined,
            "json" => Format::Json,
            other => {
                return Err(PyValueError::new_err(format!(
                    "the access log's format is \"combined\" or \"json\", not {other:?}"
                )))
            }
        };
        if fd < 0 {
            return Err(PyValueError::new_err("not a file descriptor"));
        }
        // SAFETY: the caller's descriptor is borrowed for this call only, in which it is duplicated.
        let file = File::from(unsafe { BorrowedFd::borrow_raw(fd) }.try_clone_to_owned()?);
        let exchange = Arc::new(Exchange::default());
        let shared = Arc::clone(&exchange);
        std::thread::Builder::new()
            .name("sennit-access-log".to_owned())
            .spawn(move || write_lines(&shared, file))?;
        Ok(Self { format, exchange })
    }

    fn flush(&self, py: Python<'_>) {
        py.detach(|| {
            let mut queue = self.exchange.queue.lock();
            while !queue.closed && (queue.writing || !queue.pending.is_empty()) {
                self.exchange
                    .written
                    .wait_for(&mut queue, Duration::from_millis(100));
            }
        });
    }

    fn close(&self, py: Python<'_>) {
        self.flush(py);
        self.exchange.queue.lock().closed = true;
        self.exchange.news.notify_one();
    }
}

impl Drop for AccessLog {
    fn drop(&mut self) {
        self.exchange.queue.lock().closed = true;
        self.exchange.news.notify_one();
    }
}

impl AccessLog {
    fn add(&self, record: &AccessRecord<'_>) {
        let mut queue = self.exchange.queue.lock();
        if queue.pending.len() > MOST_PENDING {
            queue.dropped += 1;
            return;
        }
        let was_empty = queue.pending.is_empty();
        match self.format {
            Format::Combined => record.combined(&mut queue.pending),
            Format::Json => record.json(&mut queue.pending),
        }
        if was_empty && !queue.writing {
            self.exchange.news.notify_one();
        }
    }
}

/// The writer's thread: takes all that is pending at a time.
fn write_lines(exchange: &Exchange, mut file: File) {
    let mut batch = Vec::new();
    loop {
        let dropped = {
            let mut queue = exchange.queue.lock();
            queue.writing = false;
            exchange.written.notify_all();
            while queue.pending.is_empty() && !queue.closed {
                exchange.news.wait(&mut queue);
            }
            if queue.pending.is_empty() {
                return;
            }
            batch.clear();
            std::mem::swap(&mut batch, &mut queue.pending);
            queue.writing = true;
            std::mem::take(&mut queue.dropped)
        };
        if file.write_all(&batch).is_err() || dropped > 0 {
            // A full disk must not stop the service; that lines are missing is said where errors are.
            eprintln!("sennit: access log lines could not be written");
        }
    }
}

/// The client's IP address, as trusted proxies tell it.
fn client_of(conn: &Conn, head: &Head) -> Option<String> {
    if let Some(client) = origin_of(conn, head).and_then(|origin| origin.client) {
        return Some(client.ip().to_string());
    }
    match conn.peer() {
        PeerAddr::V4(addr) => Some(addr.ip().to_string()),
        PeerAddr::V6(addr) => Some(addr.ip().to_string()),
        PeerAddr::Unix(_) | PeerAddr::Unnamed => None,
    }
}

/// Count and log a finished request as its site wants it.
pub fn log(request: &Bound<'_, Request>, conn: &Conn) {
    let py = request.py();
    let targets = conn.service.get().log_targets(py);
    if let Some(metrics) = targets.metrics {
        request.get().with_record(py, |head, state, duration| {
            let method = head.map_or(&b""[..], Head::method);
            let bytes = state.sent_length;
            metrics.get().count(method, state.code, bytes, duration);
        });
    }
    if let Some(native) = targets.native {
        write_line(request, conn, native.get());
    }
    if let Some(hook) = targets.hook {
        errors::log_if_failed(py, "logging a request", hook.call1(py, (request,)));
    }
}

fn write_line(request: &Bound<'_, Request>, conn: &Conn, log: &AccessLog) {
    request
        .get()
        .with_record(request.py(), |head, state, duration| {
            let Some(head) = head else { return };
            let client = client_of(conn, head);
            log.add(&AccessRecord {
                time: clock::seconds(),
                client: client.as_deref().map(str::as_bytes),
                method: head.method(),
                target: head.target(),
                protocol: match head.version() {
                    Version::Http10 => b"HTTP/1.0",
                    Version::Http11 => b"HTTP/1.1",
                },
                status: state.code,
                bytes: state.sent_length,
                duration,
                referer: head.field(b"referer"),
                user_agent: head.field(b"user-agent"),
            });
        });
}
