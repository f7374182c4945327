//! The names that header fields have in an environ, kept: the same few dozen are sent again and again.

use pyo3::prelude::*;
use pyo3::types::PyString;
use smallvec::SmallVec;

use crate::lock::Lock;

/// Names kept at a time; each has one place that it can be in.
pub const PLACES: usize = 128;
/// Longer ones are made anew each time.
const LONGEST: usize = 48;

/// Where a field goes.
pub enum Place<'py> {
    /// It isn't passed on.
    Nowhere,
    /// `CONTENT_TYPE`.
    ContentType,
    /// `CONTENT_LENGTH`.
    ContentLength,
    /// `HTTP_HOST`.
    Host,
    /// `HTTP_COOKIE`.
    Cookie,
    /// Any other.
    Key(Bound<'py, PyString>),
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Nowhere,
    ContentType,
    ContentLength,
    Host,
    Cookie,
    Other,
}

struct Known {
    /// As the client wrote it.
    name: SmallVec<[u8; 24]>,
    key: Py<PyString>,
}

/// A small memory of names. What a client makes up only takes the places of others.
pub struct Names {
    places: Lock<Vec<Option<Known>>>,
}

impl Names {
    /// None yet.
    pub fn new() -> Self {
        Self {
            places: Lock::new((0..PLACES).map(|_| None).collect()),
        }
    }

    /// Where the field `name` goes, and which of the places its name has here: names that differ only in case have the
    /// same one.
    pub fn find<'py>(&self, py: Python<'py>, name: &[u8]) -> PyResult<(Place<'py>, usize)> {
        let place = place_of(name);
        Ok((
            match kind_of(name) {
                Kind::Nowhere => Place::Nowhere,
                Kind::ContentType => Place::ContentType,
                Kind::ContentLength => Place::ContentLength,
                Kind::Host => Place::Host,
                Kind::Cookie => Place::Cookie,
                Kind::Other => Place::Key(self.key(py, name, place)?),
            },
            place,
        ))
    }

    fn key<'py>(
        &self,
        py: Python<'py>,
        name: &[u8],
        place: usize,
    ) -> PyResult<Bound<'py, PyString>> {
        if let Some(Some(known)) = self.places.lock(py).get(place) {
            if known.name.as_slice() == name {
                return Ok(known.key.bind(py).clone());
            }
        }
        let key = PyString::intern(py, &key_of(name));
        if name.len() <= LONGEST {
            let known = Known {
                name: SmallVec::from_slice(name),
                key: key.clone().unbind(),
            };
            let mut places = self.places.lock(py);
            let old = places.get_mut(place).and_then(|slot| slot.replace(known));
            drop(places);
            drop(old);
        }
        Ok(key)
    }
}

/// What kind of name it is.
///
/// A name with an underscore would be taken for one with a hyphen, which somebody in front of this server may have set
/// or removed. `Proxy` would become HTTP_PROXY, which programs take for a setting of their own. The other two have keys
/// without HTTP_, and may have no others (PEP 3333, "environ Variables").
fn kind_of(name: &[u8]) -> Kind {
    match name.len() {
        4 if name.eq_ignore_ascii_case(b"host") => Kind::Host,
        5 if name.eq_ignore_ascii_case(b"proxy") => Kind::Nowhere,
        6 if name.eq_ignore_ascii_case(b"cookie") => Kind::Cookie,
        12 if name.eq_ignore_ascii_case(b"content-type") => Kind::ContentType,
        14 if name.eq_ignore_ascii_case(b"content-length") => Kind::ContentLength,
        _ if memchr::memchr(b'_', name).is_some() => Kind::Nowhere,
        _ => Kind::Other,
    }
}

fn place_of(name: &[u8]) -> usize {
    // Length, ends and middle tell most names apart; without the bit of the case, which must not matter.
    let at = |index: usize| usize::from(name.get(index).copied().unwrap_or_default() & 0x5f);
    let length = name.len();
    let mix = at(0)
        .wrapping_mul(31)
        .wrapping_add(at(length / 2).wrapping_mul(7))
        .wrapping_add(at(length.saturating_sub(1)).wrapping_mul(17))
        .wrapping_add(at(length.saturating_sub(3)).wrapping_mul(3));
    (mix ^ (length << 2)) % PLACES
}

/// The key of a field in the environ. A name is a token, so it is ASCII.
fn key_of(name: &[u8]) -> String {
    let upper = name.iter().map(|byte| match byte {
        b'-' => '_',
        byte => char::from(byte.to_ascii_uppercase()),
    });
    "HTTP_".chars().chain(upper).collect()
}
