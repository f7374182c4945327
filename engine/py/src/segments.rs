//! Path segments as Python objects, kept: the same few are asked for again and again, and making one, hashing it and
//! letting it go costs more than finding it.

use pyo3::prelude::*;
use pyo3::types::PyBytes;

use crate::lock::Lock;

/// Segments kept at a time.
const PLACES: usize = 64;
/// Longer ones are made anew each time.
const LONGEST: usize = 32;

/// A small memory of segments. What a client makes up only takes the places of others.
pub struct Segments {
    places: Lock<Vec<Option<Py<PyBytes>>>>,
}

impl Segments {
    /// None yet.
    pub fn new() -> Self {
        Self {
            places: Lock::new((0..PLACES).map(|_| None).collect()),
        }
    }

    /// The object for `segment`.
    pub fn get<'py>(&self, py: Python<'py>, segment: &[u8]) -> Bound<'py, PyBytes> {
        if segment.len() > LONGEST {
            return PyBytes::new(py, segment);
        }
        // FNV-1a: short and good enough to choose a place.
        let mix = |hash: u32, byte: &u8| (hash ^ u32::from(*byte)).wrapping_mul(0x0100_0193);
        let place = segment.iter().fold(0x811c_9dc5, mix) as usize % PLACES;
        if let Some(Some(known)) = self.places.lock(py).get(place) {
            let known = known.bind(py);
            if known.as_bytes() == segment {
                return known.clone();
            }
        }
        let made = PyBytes::new(py, segment);
        let old = self
            .places
            .lock(py)
            .get_mut(place)
            .and_then(|slot| slot.replace(made.clone().unbind()));
        drop(old);
        made
    }
}
