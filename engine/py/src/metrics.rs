//! `Metrics`: counters of finished requests, in memory that is given: other processes may read it.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use pyo3::buffer::PyBuffer;
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;

/// The upper ends of the buckets of durations, in microseconds; one more is for what is longer.
const BOUNDS: [u64; 13] = [
    1_000, 2_500, 5_000, 10_000, 25_000, 50_000, 100_000, 250_000, 500_000, 1_000_000, 2_500_000,
    5_000_000, 10_000_000,
];
/// The methods that are told apart; one more place is for the others.
const METHODS: [&[u8]; 7] = [
    b"GET", b"HEAD", b"POST", b"PUT", b"DELETE", b"OPTIONS", b"PATCH",
];

// The places of the counters; see `_engine.pyi`.
const DURATION_SUM: usize = 0;
const BYTES_SENT: usize = 1;
const BUCKETS: usize = 2;
const RESPONSES: usize = 32;
const CODES: usize = 1000;
const CELLS: usize = RESPONSES + (METHODS.len() + 1) * CODES;

/// See `_engine.pyi`.
#[pyclass(frozen, module = "sennit._engine")]
pub struct Metrics {
    cells: PyBuffer<u64>,
}

#[pymethods]
impl Metrics {
    /// How many counters there are.
    #[classattr]
    const CELLS: usize = CELLS;

    #[new]
    fn new(cells: PyBuffer<u64>) -> PyResult<Self> {
        if cells.item_count() < CELLS || cells.readonly() || !cells.is_c_contiguous() {
            return Err(PyValueError::new_err(format!(
                "the counters need a writable buffer of {CELLS} times 64 bits"
            )));
        }
        Ok(Self { cells })
    }
}

impl Metrics {
    /// Count a finished request.
    pub fn count(&self, method: &[u8], code: u16, bytes: u64, duration: Duration) {
        let micros = u64::try_from(duration.as_micros()).unwrap_or(u64::MAX);
        let bucket = BOUNDS.partition_point(|bound| *bound < micros);
        let known = METHODS.iter().position(|known| *known == method);
        let row = known.unwrap_or(METHODS.len());
        self.add(DURATION_SUM, micros);
        self.add(BYTES_SENT, bytes);
        self.add(BUCKETS + bucket, 1);
        if usize::from(code) < CODES {
            self.add(RESPONSES + row * CODES + usize::from(code), 1);
        }
    }

    fn add(&self, place: usize, amount: u64) {
        if place >= CELLS {
            return;
        }
        // SAFETY: the buffer is writable, contiguous and has at least `CELLS` aligned integers of 64 bits (`new` has
        // looked, and `PyBuffer<u64>` at the alignment), `place` is below that, and holding the buffer keeps the memory
        // there. Whoever reads it meanwhile, here or in another process, reads whole integers.
        let cell = unsafe { AtomicU64::from_ptr(self.cells.buf_ptr().cast::<u64>().add(place)) };
        cell.fetch_add(amount, Ordering::Relaxed);
    }
}
