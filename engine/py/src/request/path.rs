//! The path of a request, and the walk along it.

use std::ops::Range;

use pyo3::prelude::*;
use pyo3::types::PyList;
use sennit_wire::Head;
use smallvec::SmallVec;

use super::{Request, RequestState};

/// A target up to its query, still quoted; of an absolute-form target only the path (RFC 9112 section 3.2.2).
pub fn raw_path_of(target: &[u8]) -> &[u8] {
    match place_of_path(target) {
        Some(place) => target.get(place).unwrap_or_default(),
        None => b"/",
    }
}

/// Where the path stands in a target. `None` for an absolute-form target without one: it is that of the root.
fn place_of_path(target: &[u8]) -> Option<Range<usize>> {
    let end = memchr::memchr(b'?', target).unwrap_or(target.len());
    let path = target.get(..end).unwrap_or_default();
    if path.starts_with(b"/") || path == b"*" {
        return Some(0..end);
    }
    let Some(scheme_end) = path.windows(3).position(|w| w == b"://") else {
        return Some(0..end);
    };
    let start = scheme_end + 3;
    let slash = path.iter().skip(start).position(|b| *b == b'/')?;
    Some(start + slash..end)
}

impl RequestState {
    fn target(&self) -> &[u8] {
        self.head.as_ref().map_or(b"/", Head::target)
    }

    /// The target up to its query, still quoted; of an absolute-form target only the path (RFC 9112 section 3.2.2).
    pub(super) fn raw_path(&self) -> &[u8] {
        raw_path_of(self.target())
    }

    /// What follows the first `depth` segments of the path, from its slash on.
    pub(super) fn raw_rest(&self, depth: usize) -> &[u8] {
        let path = self.raw_path();
        let mut slashes = memchr::memchr_iter(b'/', path);
        slashes
            .nth(depth)
            .and_then(|at| path.get(at..))
            .unwrap_or_default()
    }

    /// The segments of the path, still quoted.
    pub(super) fn raw_segments(&self) -> impl Iterator<Item = &[u8]> {
        let path = self.raw_path();
        let segments = path
            .strip_prefix(b"/")
            .map(|rest| rest.split(|b| *b == b'/'));
        segments.into_iter().flatten()
    }
}

impl Request {
    /// All segments of the path, decoded.
    pub fn decoded_segments(&self, py: Python<'_>) -> Vec<Vec<u8>> {
        let state = self.lock(py);
        state
            .raw_segments()
            .map(|raw| crate::text::percent_decoded(raw).into_owned())
            .collect()
    }

    /// The path as far as it is still to be walked by the engine itself; `None` once the program has the lists.
    pub fn walk(&self, py: Python<'_>) -> Option<Walk> {
        let state = self.lock(py);
        if state.postpath.is_some() {
            return None;
        }
        let target = state.target();
        let place = place_of_path(target);
        let has_segments = |place: &Range<usize>| target.get(place.start) == Some(&b'/');
        let over = !place.as_ref().is_none_or(has_segments);
        let Range { start, end } = place.unwrap_or_default();
        let mut walk = Walk {
            at: start + 1,
            end,
            depth: 0,
            over,
        };
        for _ in 0..state.depth {
            walk.next_raw(target);
        }
        Some(walk)
    }

    /// Take the next segment of the path, decoded, and give it to `use_it` under the lock.
    pub fn next_segment<R>(
        &self,
        py: Python<'_>,
        walk: &mut Walk,
        use_it: impl FnOnce(&[u8]) -> R,
    ) -> Option<R> {
        let state = self.lock(py);
        let raw = walk.next_raw(state.head.as_ref()?.target())?;
        Some(use_it(&crate::text::percent_decoded(raw)))
    }

    /// The path from a place of a walk on, still quoted, without the slash before it.
    pub fn path_since(&self, py: Python<'_>, walk: &Walk, mark: usize) -> SmallVec<[u8; 128]> {
        let state = self.lock(py);
        SmallVec::from_slice(state.target().get(mark..walk.end).unwrap_or_default())
    }

    /// The engine goes to the end of the path at once.
    pub fn walk_to_end(&self, py: Python<'_>, walk: &mut Walk) {
        let mut state = self.lock(py);
        while walk.next_raw(state.target()).is_some() {}
        state.depth = walk.depth;
    }

    /// The engine has walked to `depth` without the program.
    pub fn walked(&self, py: Python<'_>, depth: usize) {
        self.lock(py).depth = depth;
    }

    /// The engine has walked to `depth`, where the rest of the path is passed on.
    pub fn passes_rest_from(&self, py: Python<'_>, depth: usize) {
        let mut state = self.lock(py);
        state.depth = depth;
        state.passes_rest = true;
    }

    /// The lists, once the program has them: what is left and what has been walked.
    pub fn path_lists(&self, py: Python<'_>) -> Option<(Py<PyList>, Py<PyList>)> {
        let state = self.lock(py);
        match (&state.prepath, &state.postpath) {
            (Some(pre), Some(post)) => Some((pre.clone_ref(py), post.clone_ref(py))),
            _ => None,
        }
    }
}

/// A walk along the segments of a request's path: how far it has come.
pub struct Walk {
    /// Where in the target the next segment begins, and the path ends.
    at: usize,
    end: usize,
    /// Segments taken so far.
    pub depth: usize,
    over: bool,
}

impl Walk {
    fn next_raw<'a>(&mut self, target: &'a [u8]) -> Option<&'a [u8]> {
        if self.over {
            return None;
        }
        let rest = target.get(self.at..self.end).unwrap_or_default();
        let segment = match memchr::memchr(b'/', rest) {
            Some(slash) => {
                self.at += slash + 1;
                rest.get(..slash).unwrap_or_default()
            }
            None => {
                self.over = true;
                rest
            }
        };
        self.depth += 1;
        Some(segment)
    }

    /// The place in the target.
    pub fn mark(&self) -> usize {
        self.at
    }

    /// Whether a segment is left.
    pub fn is_over(&self) -> bool {
        self.over
    }
}
