//! Whether a response is coded, and how: decided when its head is to go out, since code, type and size count.

use std::borrow::Cow;

use bytes::Bytes;
use pyo3::exceptions::PyValueError;
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::pybacked::PyBackedStr;
use pyo3::types::{PyBytes, PyTuple};
use sennit_coding::{
    encode_whole, is_compressible, matches_pattern, negotiate, Coding, Encoder, Failed, Negotiated,
};
use sennit_net::FileSpan;

use crate::conn::DefaultType;
use crate::errors;
use crate::headers::HeaderMap;
use crate::lock::Lock;
use crate::request::{Request, RequestState};
use crate::text::{body_bytes, bytes_of, Encoding};

/// Whole bodies up to this size are coded in one go, for a Content-Length and for the speed of it: a few milliseconds at
/// the default levels. Larger ones are coded in slices, between which other connections have their turn.
pub const AT_ONCE: usize = 256 << 10;

/// What is known of the body that the program gives.
pub enum Extent<'a> {
    /// It is all there.
    Whole(&'a [u8]),
    /// The same, of an `Answer` that keeps its coded forms.
    Kept(&'a [u8], &'a Forms),
    /// As many bytes as an `Answer` has in a file.
    KeptFile(&'a FileSpan, &'a Forms),
    /// So many bytes are to come.
    Length(u64),
    /// Some are.
    Unknown,
}

/// How the body of a response goes out.
pub enum Body {
    /// As the program gives it.
    Plain,
    /// Coded piece by piece.
    Coded(Box<Encoder>),
    /// Whole, and coded already.
    Whole(Bytes),
    /// Not at all, the request being HEAD; nobody knows how long it would have been.
    Unsaid,
}

/// What of a response decides whether it is coded.
struct Facts {
    code: u16,
    head_method: bool,
    /// Something in its head stands against it.
    fixed: bool,
    content_type: Option<Cow<'static, [u8]>>,
    declared: Option<u64>,
}

impl Facts {
    fn of(state: &RequestState, map: Option<&HeaderMap>) -> Self {
        let Some(map) = map else {
            return Self {
                code: state.code,
                head_method: state.is_head_method(),
                fixed: false,
                content_type: None,
                declared: None,
            };
        };
        let number = |value: &[u8]| std::str::from_utf8(value).ok()?.parse().ok();
        Self {
            code: state.code,
            head_method: state.is_head_method(),
            fixed: is_fixed(map),
            content_type: map.last(b"content-type").map(|v| Cow::Owned(v.to_vec())),
            declared: map.last(b"content-length").and_then(number),
        }
    }
}

/// Fields of a response whose body must stay as it is: it is coded already, it is a part of something, or its digest
/// has been told.
const FIXING: [&[u8]; 6] = [
    b"content-encoding",
    b"content-range",
    b"content-digest",
    b"repr-digest",
    b"digest",
    b"content-md5",
];

fn is_fixed(map: &HeaderMap) -> bool {
    // RFC 9111 section 5.2.2.6: whoever says no-transform means it.
    let no_transform = |values: &[Cow<'static, [u8]>]| {
        members(values).any(|member| member.eq_ignore_ascii_case(b"no-transform"))
    };
    FIXING.iter().any(|name| map.contains(name))
        || map.get(b"cache-control").is_some_and(no_transform)
}

fn members<'a>(values: &'a [Cow<'static, [u8]>]) -> impl Iterator<Item = &'a [u8]> {
    values
        .iter()
        .flat_map(|value| value.split(|b| *b == b','))
        .map(<[u8]>::trim_ascii)
}

/// What one of the program's factories offers for this response.
struct Offer {
    coding: Coding,
    level: u8,
    /// Type and size are such as it is meant for.
    fits: bool,
}

/// Decide how the body goes out, and bring into the head what follows from that. With a factory that can't be understood,
/// nothing is coded, and it is logged.
pub fn decide(
    request: &Bound<'_, Request>,
    extent: &Extent<'_>,
    default_type: &DefaultType,
) -> Body {
    let py = request.py();
    let Some(factories) = request.get().codings(py) else {
        return Body::Plain;
    };
    decide_among(request, factories.bind(py), extent, default_type).unwrap_or_else(|error| {
        errors::log(py, "coding a response", error);
        Body::Plain
    })
}

fn decide_among(
    request: &Bound<'_, Request>,
    factories: &Bound<'_, PyTuple>,
    extent: &Extent<'_>,
    default_type: &DefaultType,
) -> PyResult<Body> {
    let py = request.py();
    let mut facts = request.get().with_response(py, Facts::of);
    if facts.fixed && facts.code != 206 || factories.is_empty() {
        return Ok(Body::Plain);
    }
    if facts.content_type.is_none() {
        facts.content_type = match default_type {
            DefaultType::Nothing => None,
            DefaultType::Html => Some(Cow::Borrowed(b"text/html")),
            DefaultType::Other(name) => Some(name.clone()),
        };
    }
    // The answer to HEAD may come without the body that it describes.
    let length = match extent {
        Extent::Whole([]) if facts.head_method => facts.declared,
        Extent::Whole(body) | Extent::Kept(body, _) => Some(body.len() as u64),
        Extent::KeptFile(span, _) => Some(span.len()),
        Extent::Length(length) => Some(*length),
        Extent::Unknown => facts.declared,
    };
    match facts.code {
        100..=199 | 204 | 205 => return Ok(Body::Plain),
        304 => {
            request.get().change_response(py, |map| {
                add_vary(map);
            });
            follow_validator(request.get(), py);
            return Ok(Body::Plain);
        }
        _ if length == Some(0) => return Ok(Body::Plain),
        _ => {}
    }
    let offers = factories
        .iter()
        .map(|factory| offer_of(&factory, &facts, length))
        .collect::<PyResult<Vec<_>>>()?;
    let wanted = choose(request.get(), py, &offers);
    if wanted.varies {
        request.get().change_response(py, add_vary);
    }
    let Some(offer) = wanted.offer.filter(|_| facts.code != 206) else {
        // RFC 9110 section 14.2: ranges are of the representation that was selected, here the one without a coding.
        return Ok(Body::Plain);
    };
    let body = begin(py, offer, &facts, extent, length, wanted.forced)?;
    if !matches!(body, Body::Plain) {
        request
            .get()
            .change_response(py, |map| describe(map, offer.coding));
    }
    Ok(body)
}

/// What came of the client's wishes and the server's offers.
struct Wanted<'a> {
    offer: Option<&'a Offer>,
    /// Another client might get another answer.
    varies: bool,
    /// The client takes nothing that is not coded.
    forced: bool,
}

fn choose<'a>(request: &Request, py: Python<'_>, offers: &'a [Offer]) -> Wanted<'a> {
    let ask = |offers: &[&Offer]| -> Negotiated {
        let names: Vec<&str> = offers.iter().map(|offer| offer.coding.name()).collect();
        request.with_request_values(py, b"accept-encoding", |values| negotiate(values, &names))
    };
    let fitting: Vec<&Offer> = offers.iter().filter(|offer| offer.fits).collect();
    let found = ask(&fitting);
    let offered = if found.identity_refused && fitting.len() < offers.len() {
        // RFC 9110 section 12.5.3: without a coding, this client could not use it at all.
        offers.iter().collect()
    } else {
        fitting
    };
    let found = if found.identity_refused {
        ask(&offered)
    } else {
        found
    };
    Wanted {
        offer: found.coding.and_then(|place| offered.get(place).copied()),
        varies: !offered.is_empty(),
        forced: found.identity_refused,
    }
}

fn begin(
    py: Python<'_>,
    offer: &Offer,
    facts: &Facts,
    extent: &Extent<'_>,
    length: Option<u64>,
    forced: bool,
) -> PyResult<Body> {
    let small = length.is_some_and(|length| length <= AT_ONCE as u64);
    let coded = match extent {
        Extent::Whole(body) if small && !body.is_empty() => Some(offer.encode(body)?),
        Extent::Kept(body, forms) if small => {
            Some(forms.get_or_make(py, offer, || offer.encode(body))?)
        }
        Extent::KeptFile(span, forms) if small => Some(forms.get_or_make(py, offer, || {
            offer.encode(&FileSpan::clone(span).read(AT_ONCE)?)
        })?),
        _ => None,
    };
    match coded {
        Some(coded) if forced || length.is_none_or(|length| (coded.len() as u64) < length) => {
            Ok(Body::Whole(coded))
        }
        Some(_) => Ok(Body::Plain),
        None if facts.head_method => Ok(Body::Unsaid),
        None => Encoder::new(offer.coding, offer.level, length)
            .map(|encoder| Body::Coded(Box::new(encoder)))
            .map_err(value_error),
    }
}

impl Offer {
    fn encode(&self, body: &[u8]) -> PyResult<Bytes> {
        encode_whole(self.coding, self.level, body)
            .map(Bytes::from)
            .map_err(value_error)
    }
}

/// The coded forms of a body that is sent again and again.
pub struct Forms(Lock<Vec<(Coding, u8, Bytes)>>);

impl Default for Forms {
    fn default() -> Self {
        Self(Lock::new(Vec::new()))
    }
}

impl Forms {
    /// As many as there are codings; a program that changes levels all the time has them made all the time.
    const MOST: usize = 3;

    fn get_or_make(
        &self,
        py: Python<'_>,
        offer: &Offer,
        make: impl FnOnce() -> PyResult<Bytes>,
    ) -> PyResult<Bytes> {
        let is_it = |form: &&(Coding, u8, Bytes)| form.0 == offer.coding && form.1 == offer.level;
        let kept = self
            .0
            .lock(py)
            .iter()
            .find(is_it)
            .map(|form| form.2.clone());
        if let Some(kept) = kept {
            return Ok(kept);
        }
        let made = make()?;
        let mut forms = self.0.lock(py);
        if forms.len() == Self::MOST {
            forms.remove(0);
        }
        forms.push((offer.coding, offer.level, made.clone()));
        Ok(made)
    }
}

fn offer_of(factory: &Bound<'_, PyAny>, facts: &Facts, length: Option<u64>) -> PyResult<Offer> {
    let py = factory.py();
    let coding = coding_of(&factory.getattr(intern!(py, "coding"))?)?;
    let level = level_of(coding, &factory.getattr(intern!(py, "compressLevel"))?)?;
    let least: u64 = factory.getattr(intern!(py, "minimumSize"))?.extract()?;
    let fits = length.is_none_or(|length| length >= least) && fits_type(factory, facts)?;
    Ok(Offer {
        coding,
        level,
        fits,
    })
}

fn fits_type(factory: &Bound<'_, PyAny>, facts: &Facts) -> PyResult<bool> {
    let Some(content_type) = &facts.content_type else {
        return Ok(false);
    };
    let types = factory.getattr(intern!(factory.py(), "contentTypes"))?;
    if types.is_none() {
        return Ok(is_compressible(content_type));
    }
    for pattern in types.try_iter()? {
        let pattern = pattern?;
        if matches_pattern(
            content_type,
            &bytes_of(&pattern, Encoding::Latin1, "a media type")?,
        ) {
            return Ok(true);
        }
    }
    Ok(false)
}

fn coding_of(name: &Bound<'_, PyAny>) -> PyResult<Coding> {
    let name: PyBackedStr = name.extract()?;
    Coding::of_name(&name)
        .ok_or_else(|| PyValueError::new_err(format!("the engine has no coding {:?}", &*name)))
}

fn level_of(coding: Coding, level: &Bound<'_, PyAny>) -> PyResult<u8> {
    let levels = coding.levels();
    let level = level.extract::<u8>().ok().filter(|l| levels.contains(l));
    level.ok_or_else(|| {
        PyValueError::new_err(format!(
            "the level of {} is a number from {} to {}",
            coding.name(),
            levels.start(),
            levels.end()
        ))
    })
}

/// A cache must not give one client's form to another (RFC 9110 section 12.5.5).
fn add_vary(map: &mut HeaderMap) {
    const NAME: &[u8] = b"Accept-Encoding";
    let before = map.get(b"vary").unwrap_or_default();
    if members(before).any(|m| m == b"*" || m.eq_ignore_ascii_case(NAME)) {
        return;
    }
    let all = match before {
        [] => Cow::Borrowed(NAME),
        values => Cow::Owned([&values.join(&b", "[..])[..], b", ", NAME].concat()),
    };
    map.set_one(b"Vary", all);
}

/// Make the head that of a coded body.
fn describe(map: &mut HeaderMap, coding: Coding) {
    map.set_one(b"Content-Encoding", Cow::Borrowed(coding.name().as_bytes()));
    map.remove(b"content-length");
    // Parts would be parts of the body without a coding: a client must not put one to what it has of this.
    map.remove(b"accept-ranges");
    if let Some(weak) = map.last(b"etag").and_then(weakened) {
        map.set_one(b"ETag", weak);
    }
}

/// RFC 9110 section 8.8.3.3: two forms of one representation have not the same strong tag.
fn weakened(tag: &[u8]) -> Option<Cow<'static, [u8]>> {
    tag.starts_with(b"\"")
        .then(|| Cow::Owned([b"W/", tag].concat()))
}

/// RFC 9110 section 15.4.5: a 304 has the tag that a 200 would have had: the weak one, if that is what the client has.
fn follow_validator(request: &Request, py: Python<'_>) {
    let tag = request.with_response(py, |_, map| {
        map.and_then(|map| map.last(b"etag")).and_then(weakened)
    });
    if let Some(weak) = tag {
        let is_there = |value: &[u8]| memchr::memmem::find(value, &weak).is_some();
        let client_has_it = request.with_request_values(py, b"if-none-match", |mut values| {
            Iterator::any(&mut values, is_there)
        });
        if client_has_it {
            request.change_response(py, |map| map.set_one(b"ETag", weak));
        }
    }
}

/// Which of `offered` codings (names, the favourite first) a client wants whose Accept-Encoding has `values`.
#[pyfunction]
pub fn negotiate_coding(values: Vec<Vec<u8>>, offered: Vec<PyBackedStr>) -> Option<PyBackedStr> {
    let names: Vec<&str> = offered.iter().map(|name| &**name).collect();
    let place = negotiate(values.iter().map(Vec::as_slice), &names).coding?;
    offered.into_iter().nth(place)
}

/// An encoder to be used by hand; see `_engine.pyi`.
#[pyclass(frozen, module = "sennit._engine", name = "Encoder")]
pub struct PyEncoder {
    encoder: Lock<Option<Encoder>>,
}

impl PyEncoder {
    fn run<'py>(
        &self,
        py: Python<'py>,
        work: impl FnOnce(&mut Encoder, &mut Vec<u8>) -> Result<(), Failed>,
    ) -> PyResult<Bound<'py, PyBytes>> {
        let mut out = Vec::new();
        let mut encoder = self.encoder.lock(py);
        let worked = encoder.as_mut().map(|encoder| work(encoder, &mut out));
        drop(encoder);
        given(py, worked, &out)
    }
}

/// What an encoder gave, if it still was one.
fn given<'py>(
    py: Python<'py>,
    worked: Option<Result<(), Failed>>,
    out: &[u8],
) -> PyResult<Bound<'py, PyBytes>> {
    match worked {
        Some(Ok(())) => Ok(PyBytes::new(py, out)),
        Some(Err(failed)) => Err(value_error(failed)),
        None => Err(PyValueError::new_err("the encoder has been finished")),
    }
}

fn value_error(failed: Failed) -> PyErr {
    PyValueError::new_err(failed.to_string())
}

#[pymethods]
impl PyEncoder {
    #[new]
    fn new(coding: &Bound<'_, PyAny>, level: &Bound<'_, PyAny>) -> PyResult<Self> {
        let coding = coding_of(coding)?;
        let encoder = Encoder::new(coding, level_of(coding, level)?, None).map_err(value_error)?;
        Ok(Self {
            encoder: Lock::new(Some(encoder)),
        })
    }

    fn encode<'py>(&self, data: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyBytes>> {
        let bytes = body_bytes(data)?;
        self.run(data.py(), |encoder, out| encoder.encode(&bytes, out))
    }

    fn flush<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyBytes>> {
        self.run(py, Encoder::flush)
    }

    fn finish<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyBytes>> {
        let encoder = self.encoder.lock(py).take();
        let mut out = Vec::new();
        let worked = encoder.map(|encoder| encoder.finish(&mut out));
        given(py, worked, &out)
    }
}

/// A large body in slices, for `source`: each is coded in a turn of its own.
#[pyclass(frozen, module = "sennit._engine")]
pub struct Slices {
    body: Py<PyBytes>,
    at: Lock<usize>,
}

/// What is coded at a time.
const SLICE: usize = 64 << 10;

impl Slices {
    /// The slices of `body`.
    pub fn new(body: Py<PyBytes>) -> Self {
        Self {
            body,
            at: Lock::new(0),
        }
    }
}

#[pymethods]
impl Slices {
    fn __iter__(slf: Py<Self>) -> Py<Self> {
        slf
    }

    fn __next__<'py>(&self, py: Python<'py>) -> Option<Bound<'py, PyBytes>> {
        let body = self.body.bind(py).as_bytes();
        let mut at = self.at.lock(py);
        let rest = body.get(*at..).filter(|rest| !rest.is_empty())?;
        let slice = rest.get(..SLICE).unwrap_or(rest);
        *at += slice.len();
        drop(at);
        Some(PyBytes::new(py, slice))
    }
}
