//! Bodies that are files: `http.response.pathsend` and `http.response.zerocopysend`.

use std::fs::File;
use std::os::fd::BorrowedFd;
use std::os::unix::fs::FileExt;

use pyo3::exceptions::{PyRuntimeError, PyValueError};
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::PyDict;
use rustix::fs::{seek, SeekFrom};

use super::awaitable::{sent, waiting, Awaited};
use super::exchange::{says, Exchange, Phase, Polled};
use super::response::put;

/// Bytes read at a time.
const PIECE: u64 = 64 << 10;

/// A file on its way into a response.
pub struct Transfer {
    file: File,
    at: u64,
    left: u64,
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
    let metadata = file.metadata()?;
    if !metadata.is_file() {
        return Err(PyValueError::new_err(format!(
            "{} can't be sent: it is not a file",
            path.repr()?
        )));
    }
    send(exchange, file, 0, metadata.len(), true)
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
    let rest = file.metadata()?.len().saturating_sub(at);
    let count = count.map_or(rest, |count| count.min(rest));
    if offset.is_none() {
        // What is read from the current position moves it on; the duplicate shares it.
        seek(&file, SeekFrom::Start(at + count)).map_err(std::io::Error::from)?;
    }
    let last = !says(message, intern!(py, "more_body"))?;
    send(exchange, file, at, count, last)
}

fn send(
    exchange: &Bound<'_, Exchange>,
    file: File,
    at: u64,
    count: u64,
    last: bool,
) -> PyResult<Py<PyAny>> {
    let py = exchange.py();
    let is_all = last && matches!(exchange.get().lock(py).phase, Phase::Head(_));
    let asked_by_head = exchange
        .get()
        .request(py)
        .get()
        .with_head(py, |head| head.is_head_method());
    let mut transfer = Transfer {
        file,
        at,
        left: if asked_by_head { 0 } else { count },
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
        let mut buffer = Vec::new();
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
            if self.begun && self.left == 0 {
                return Ok(Polled::Ready(None));
            }
            let size = self.left.min(PIECE);
            buffer.resize(usize::try_from(size).unwrap_or(0), 0);
            self.file.read_exact_at(&mut buffer, self.at)?;
            self.begun = true;
            self.at += size;
            self.left -= size;
            let last = self.last && self.left == 0;
            let sent = put(exchange, None, &buffer, last, self.total)?;
            if last {
                return Ok(Polled::Ready(None));
            }
            if exchange.get().has_had_its_turn(py, sent) {
                return Ok(Polled::Turn);
            }
        }
    }
}
