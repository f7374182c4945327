//! Files whose answers are kept, and where a directory's are found: the plain GET of a file that was asked for before
//! is answered without a step of Python, and so is the question whether it has changed.
//!
//! An answer holds for a file in one state, which is looked at anew for each request (one `lstat(2)`): device, inode,
//! size, and the times of the last change of content and of status. A link, a directory or another file in its place
//! is another state. What else the answer depended on is for `sennit.web.static` to say, by `trust`, `forget` and
//! `clear`.

use std::collections::HashMap;
use std::ffi::CString;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};

use pyo3::exceptions::PyTypeError;
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyDict};

use crate::answer::{Answer, AnswerBody};
use crate::clock;
use crate::file_body::FileBody;
use crate::kinds::{class_version, own_attributes};
use crate::lock::Lock;
use crate::request::Wish;

/// What must be the same of a file for an answer to hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Seen {
    device: u64,
    inode: u64,
    size: i128,
    modified: i128,
    changed: i128,
}

const NANOSECONDS: i128 = 1_000_000_000;

impl Seen {
    /// As `os.stat_result` has it.
    fn from_python(info: &Bound<'_, PyAny>) -> PyResult<Self> {
        let py = info.py();
        Ok(Self {
            device: info.getattr(intern!(py, "st_dev"))?.extract()?,
            inode: info.getattr(intern!(py, "st_ino"))?.extract()?,
            size: info.getattr(intern!(py, "st_size"))?.extract()?,
            modified: info.getattr(intern!(py, "st_mtime_ns"))?.extract()?,
            changed: info.getattr(intern!(py, "st_ctime_ns"))?.extract()?,
        })
    }

    /// What is at `path` now; nothing is followed there.
    #[allow(
        clippy::unnecessary_cast,
        clippy::cast_lossless,
        clippy::cast_sign_loss,
        reason = "these types differ between systems"
    )]
    fn at(path: &CString) -> Option<Self> {
        let info = rustix::fs::lstat(path.as_c_str()).ok()?;
        Some(Self {
            device: info.st_dev as u64,
            inode: info.st_ino as u64,
            size: info.st_size as i128,
            modified: info.st_mtime as i128 * NANOSECONDS + info.st_mtime_nsec as i128,
            changed: info.st_ctime as i128 * NANOSECONDS + info.st_ctime_nsec as i128,
        })
    }
}

struct Kept {
    answer: Option<Py<Answer>>,
    /// The answer to a client that has it already.
    unchanged: Option<Py<Answer>>,
    /// Until when it may be given without asking Python; `None`: as long as the file is as it was.
    until: Option<i64>,
}

/// See `_engine.pyi`.
#[pyclass(frozen, module = "sennit._engine")]
pub struct FileAnswer {
    path: CString,
    seen: Seen,
    kept: Lock<Kept>,
}

impl FileAnswer {
    /// The answer, whatever has become of the file.
    pub fn answer(&self, py: Python<'_>) -> Option<Py<Answer>> {
        let kept = self.kept.lock(py);
        kept.answer.as_ref().map(|answer| answer.clone_ref(py))
    }

    /// The answer to what is wished, if it holds now.
    fn valid_answer(&self, py: Python<'_>, wish: &Wish) -> Option<Py<Answer>> {
        let answer = {
            let kept = self.kept.lock(py);
            if kept.until.is_some_and(|until| clock::moment() >= until) {
                return None;
            }
            let answer = kept.answer.as_ref()?;
            match wish {
                Wish::Whole => answer.clone_ref(py),
                Wish::Unless(tag) if is_tag(tag, answer.get().fields.last(b"etag")?) => {
                    kept.unchanged.as_ref()?.clone_ref(py)
                }
                Wish::Unless(_) | Wish::Other => return None,
            }
        };
        (Seen::at(&self.path) == Some(self.seen)).then_some(answer)
    }
}

#[pymethods]
impl FileAnswer {
    #[new]
    fn new(
        path: PathBuf,
        seen: &Bound<'_, PyAny>,
        fields: &Bound<'_, PyAny>,
        body: &Bound<'_, PyAny>,
    ) -> PyResult<Self> {
        let py = body.py();
        let body = if let Ok(bytes) = body.cast::<PyBytes>() {
            AnswerBody::Bytes(bytes.clone().unbind())
        } else if let Ok(file) = body.cast::<FileBody>() {
            AnswerBody::File(file.get().whole(py)?)
        } else {
            return Err(PyTypeError::new_err("a body is bytes or a FileBody"));
        };
        let answer = Answer::made(200, fields, body)?;
        let unchanged = Py::new(py, answer.unchanged(py))?;
        let answer = Py::new(py, answer)?;
        Ok(Self {
            path: CString::new(path.into_os_string().into_vec())?,
            seen: Seen::from_python(seen)?,
            kept: Lock::new(Kept {
                answer: Some(answer),
                unchanged: Some(unchanged),
                until: None,
            }),
        })
    }

    #[expect(
        clippy::cast_possible_truncation,
        reason = "a float-to-int cast saturates"
    )]
    fn trust(&self, py: Python<'_>, seconds: Option<f64>) {
        let until = seconds.map(|s| clock::moment().saturating_add((s * 1000.0) as i64));
        self.kept.lock(py).until = until;
    }

    fn forget(&self, py: Python<'_>) {
        let answers = {
            let mut kept = self.kept.lock(py);
            (kept.answer.take(), kept.unchanged.take())
        };
        drop(answers);
    }
}

/// Whether `tags`, as a client sent them, are the one tag `own` by weak comparison (RFC 9110 section 8.8.3.2). Of lists
/// nothing is said here.
fn is_tag(tags: &[u8], own: &[u8]) -> bool {
    tags.strip_prefix(b"W/").unwrap_or(tags) == own.strip_prefix(b"W/").unwrap_or(own)
}

/// Names longer than this are not kept, and no more than so many: what a client can make up is bounded.
const LONGEST_NAME: usize = 256;
const MOST_NAMES: usize = 4096;

#[derive(Default)]
struct Names {
    /// The state of the class that they hold for.
    version: u32,
    by_rest: HashMap<Box<[u8]>, Py<FileAnswer>>,
    own: Option<Py<FileAnswer>>,
}

/// See `_engine.pyi`.
#[pyclass(frozen, module = "sennit._engine")]
pub struct FileCache {
    names: Lock<Names>,
}

impl FileCache {
    fn find(&self, py: Python<'_>, version: u32, rest: Option<&[u8]>) -> Option<Py<FileAnswer>> {
        let names = self.names.lock(py);
        if names.version != version {
            return None;
        }
        let found = match rest {
            Some(rest) => names.by_rest.get(rest),
            None => names.own.as_ref(),
        };
        found.map(|found| found.clone_ref(py))
    }

    fn keep(&self, py: Python<'_>, version: u32, rest: Option<&[u8]>, answer: Py<FileAnswer>) {
        let old = {
            let mut names = self.names.lock(py);
            let stale = names.version != version || names.by_rest.len() >= MOST_NAMES;
            let old = stale.then(|| std::mem::take(&mut *names));
            names.version = version;
            let replaced = match rest {
                Some(rest) => names.by_rest.insert(rest.into(), answer),
                None => names.own.replace(answer),
            };
            (old, replaced)
        };
        drop(old);
    }
}

#[pymethods]
impl FileCache {
    #[new]
    fn new() -> Self {
        Self {
            names: Lock::new(Names::default()),
        }
    }

    fn clear(&self, py: Python<'_>) {
        let old = std::mem::take(&mut *self.names.lock(py));
        drop(old);
    }

    fn __len__(&self, py: Python<'_>) -> usize {
        let names = self.names.lock(py);
        names.by_rest.len() + usize::from(names.own.is_some())
    }
}

/// Where the answer for a request belongs, if it turns out to be a file's.
pub struct Place<'py> {
    cache: Bound<'py, FileCache>,
    version: u32,
    own: Bound<'py, PyDict>,
    /// The rest of the path, still quoted; `None` for the file of the resource itself.
    rest: Option<Box<[u8]>>,
}

/// What a look for a kept answer comes to.
pub enum Look<'py> {
    /// This is to be sent.
    Answer(Py<Answer>),
    /// Nothing is kept that holds, but this is where it would be.
    Missing(Place<'py>),
    /// This resource, as it is now, keeps nothing.
    Nowhere,
}

/// Look for the answer to a GET of what `rest` (raw, without a slash before it) leads to below `resource`, or of
/// `resource` itself; its class is one whose `_kept` is in force.
pub fn look<'py>(
    resource: &Bound<'py, PyAny>,
    rest: Option<&[u8]>,
    wish: &Wish,
) -> PyResult<Look<'py>> {
    let py = resource.py();
    let version = class_version(resource);
    if version == 0 || rest.is_some_and(|rest| rest.len() > LONGEST_NAME) {
        return Ok(Look::Nowhere);
    }
    let own = own_attributes(resource)?;
    let Some(cache) = own.get_item(intern!(py, "_ready"))? else {
        return Ok(Look::Nowhere);
    };
    let Ok(cache) = cache.cast_into_exact::<FileCache>() else {
        return Ok(Look::Nowhere);
    };
    // A processor may make something else of any file.
    match own.get_item(intern!(py, "processors"))? {
        Some(processors)
            if processors
                .cast_exact::<PyDict>()
                .is_ok_and(|p| p.is_empty()) => {}
        _ => return Ok(Look::Nowhere),
    }
    let kept = cache.get().find(py, version, rest);
    if let Some(answer) = kept.and_then(|kept| kept.get().valid_answer(py, wish)) {
        return Ok(Look::Answer(answer));
    }
    Ok(Look::Missing(Place {
        cache,
        version,
        own,
        rest: rest.map(Box::from),
    }))
}

impl Place<'_> {
    /// Keep `answer` here, if it is that of the very file that the path names: not of an index, nor of what a name
    /// without its extension stands for.
    pub fn keep(&self, answer: &Bound<'_, FileAnswer>) -> PyResult<()> {
        let py = answer.py();
        let Some(path) = self.own.get_item(intern!(py, "path"))? else {
            return Ok(());
        };
        let path: PathBuf = path.extract()?;
        if self.names(&path, answer.get().path.as_bytes()) {
            let answer = answer.clone().unbind();
            self.cache
                .get()
                .keep(py, self.version, self.rest.as_deref(), answer);
        }
        Ok(())
    }

    /// Whether the rest of the path leads from `base` to `found`.
    fn names(&self, base: &Path, found: &[u8]) -> bool {
        let base = base.as_os_str().as_bytes();
        let Some(rest) = &self.rest else {
            return base == found;
        };
        let base = base.strip_suffix(b"/").unwrap_or(base);
        let mut left = found.strip_prefix(base);
        for segment in rest.split(|b| *b == b'/') {
            let name = crate::text::percent_decoded(segment);
            left = left
                .and_then(|left| left.strip_prefix(b"/"))
                .and_then(|left| left.strip_prefix(&name[..]));
        }
        left.is_some_and(<[u8]>::is_empty)
    }
}
