//! Bodies that are files: `http.response.pathsend` and `http.response.zerocopysend`.
//!
//! The kernel sends them from the file, unless their bytes have to pass through an encoder or a program's own `write`:
//! then they are read piece by piece.

use std::fs::File;
use std::os::fd::{BorrowedFd, OwnedFd};
use std::sync::Arc;

use pyo3::exceptions::{PyRuntimeError, PyValueError};
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::PyDict;
use rustix::fs::{seek, SeekFrom};
use sennit_net::FileSpan;

use super::awaitable::{sent, waiting, Awaited};
use super::exchange::{says, Exchange, Phase, Polled};
use super::response::{put, put_file};

/// Bytes read at a time.
const PIECE: usize = 64 << 10;

/// A file that is read into a response.
pub struct Transfer {
    span: FileSpan,
    /// The number of bytes of the whole body, if this is all of it.
    total: Option<u64>,
    /// The body ends with it.
    last: bool,
    begun: bool,
}

/// `http.response.pathsend`: the rest of the body is the file at a path.
pub fn path_send(
    exchange: &Bound<'_, Exchange>,
    message: &Bound<'_, PyDict>,
) -> PyResult<Py<PyAny>> {
    let py = exchange.py();
    let Some(path) = message.get_item(intern!(py, "path"))? else {
        return Err(PyRuntimeError::new_err(
            "\"http.response.pathsend\" has a \"path\"",
        ));
    };
    let file = File::open(path.extract::<std::path::PathBuf>()?)?;
    let length = length_of(&file, &path)?;
    send(exchange, file, 0, length, true)
}

/// `http.response.zerocopysend`: a part of an open file is a part of the body.
pub fn zero_copy_send(
    exchange: &Bound<'_, Exchange>,
    message: &Bound<'_, PyDict>,
) -> PyResult<Py<PyAny>> {
    let py = exchange.py();
    let number = |key| -> PyResult<Option<u64>> {
        match message.get_item(key)? {
            Some(value) if !value.is_none() => value.extract().map(Some),
            _ => Ok(None),
        }
    };
    let Some(object) = message.get_item(intern!(py, "file"))? else {
        return Err(PyRuntimeError::new_err(
            "\"http.response.zerocopysend\" has a \"file\"",
        ));
    };
    let fd: i32 = match object.extract() {
        Ok(fd) => fd,
        Err(_) => object.call_method0(intern!(py, "fileno"))?.extract()?,
    };
    if fd < 0 {
        return Err(PyValueError::new_err("the file is closed"));
    }
    // SAFETY: the descriptor is the application's, which keeps it open during the call; it is only duplicated.
    let borrowed = unsafe { BorrowedFd::borrow_raw(fd) };
    let file = File::from(borrowed.try_clone_to_owned()?);
    let (offset, count) = (
        number(intern!(py, "offset"))?,
        number(intern!(py, "count"))?,
    );
    let at = match offset {
        Some(offset) => offset,
        None => seek(&file, SeekFrom::Current(0)).map_err(std::io::Error::from)?,
    };
    let rest = length_of(&file, &object)?.saturating_sub(at);
    let count = count.map_or(rest, |count| count.min(rest));
    if offset.is_none() {
        // What is read from the current position moves it on; the duplicate shares it.
        seek(&file, SeekFrom::Start(at + count)).map_err(std::io::Error::from)?;
    }
    let last = !says(message, intern!(py, "more_body"))?;
    send(exchange, file, at, count, last)
}

/// The length of a file, which `name` stands for. ValueError for what has none.
fn length_of(file: &File, name: &Bound<'_, PyAny>) -> PyResult<u64> {
    let metadata = file.metadata()?;
    if metadata.is_file() {
        return Ok(metadata.len());
    }
    Err(PyValueError::new_err(format!(
        "{} can't be sent: it is not a file",
        name.repr()?
    )))
}

fn send(
    exchange: &Bound<'_, Exchange>,
    file: File,
    at: u64,
    count: u64,
    last: bool,
) -> PyResult<Py<PyAny>> {
    let py = exchange.py();
    let span = FileSpan::new(Arc::new(OwnedFd::from(file)), at, count);
    let has_body = exchange.get().has_body(py);
    let span = if has_body {
        match put_file(exchange, span, last)? {
            Some(span) => span,
            None if matches!(exchange.get().lock(py).phase, Phase::Over) => return sent(py),
            None => return Exchange::after_sending(exchange, count),
        }
    } else {
        span
    };
    let is_all = last && matches!(exchange.get().lock(py).phase, Phase::Head(_));
    let mut transfer = Transfer {
        span: if has_body { span } else { span.range(at, 0) },
        total: is_all.then_some(count),
        last,
        begun: false,
    };
    match transfer.go_on(exchange)? {
        Polled::Ready(_) => sent(py),
        Polled::Turn | Polled::Pending => waiting(exchange, Awaited::File(transfer)),
    }
}

impl Transfer {
    /// Send as much as there is room for.
    pub fn go_on(&mut self, exchange: &Bound<'_, Exchange>) -> PyResult<Polled> {
        let py = exchange.py();
        loop {
            if self.begun {
                if exchange.get().is_gone(py) && self.last {
                    // There is nothing left for the application to do about it.
                    return Ok(Polled::Ready(None));
                }
                if matches!(exchange.get().poll_room(py)?, Polled::Pending) {
                    return Ok(Polled::Pending);
                }
            }
            if self.begun && self.span.is_empty() {
                return Ok(Polled::Ready(None));
            }
            let bytes = self.span.read(PIECE)?;
            self.begun = true;
            let last = self.last && self.span.is_empty();
            let sent = put(exchange, None, &bytes, last, self.total)?;
            if last {
                return Ok(Polled::Ready(None));
            }
            if exchange.get().has_had_its_turn(py, sent) {
                return Ok(Polled::Turn);
            }
        }
    }
}
