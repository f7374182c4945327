//! Path segments as Python objects, kept: the same few are asked for again and again, and making one, hashing it and
//! letting it go costs more than finding it.

use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyDict};

use crate::lock::Lock;

/// Segments kept at a time.
const PLACES: usize = 64;
/// Longer ones are made anew each time.
const LONGEST: usize = 32;

/// Keys that are looked through for the object of a new segment: the first ones of a large dictionary.
const KEYS: usize = 16;

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

    /// The object for `segment`: if it is new and a key of `children`, that one, since a dictionary finds the very object
    /// of a key sooner than its like.
    pub fn get<'py>(
        &self,
        py: Python<'py>,
        segment: &[u8],
        children: Option<&Bound<'py, PyAny>>,
    ) -> Bound<'py, PyBytes> {
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
        let made = key_of(children, segment).unwrap_or_else(|| PyBytes::new(py, segment));
        let old = self
            .places
            .lock(py)
            .get_mut(place)
            .and_then(|slot| slot.replace(made.clone().unbind()));
        drop(old);
        made
    }
}

fn key_of<'py>(
    children: Option<&Bound<'py, PyAny>>,
    segment: &[u8],
) -> Option<Bound<'py, PyBytes>> {
    if cfg!(Py_GIL_DISABLED) {
        // Another thread may add children meanwhile, so there is no walking through them.
        return None;
    }
    let children = children?.cast_exact::<PyDict>().ok()?;
    children
        .iter()
        .take(KEYS)
        .filter_map(|(key, _)| key.cast_into_exact::<PyBytes>().ok())
        .find(|key| key.as_bytes() == segment)
}
