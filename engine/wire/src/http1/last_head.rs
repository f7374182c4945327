//! The head that was parsed last. Who asks again and again, a program that polls, a proxy's health check, sends the same
//! bytes each time, and what they say has been found out. Any other head is parsed in the same memory.

use super::head::Head;
use crate::Limits;

/// A head, and the limits that it was parsed under. It may be one of another connection's: the same bytes say the same
/// thing, whoever sends them.
#[derive(Debug, Default)]
pub struct LastHead {
    head: Option<Head>,
    limits: Limits,
}

impl LastHead {
    /// The head that `input` begins with and its length, if it is the last one again.
    ///
    /// One with credentials or cookies never is: how long the answer takes tells nobody that a guess at them was right.
    #[inline]
    pub(super) fn again(&self, input: &[u8], limits: &Limits) -> Option<(Head, usize)> {
        let head = self.head.as_ref()?;
        let is_it =
            input.starts_with(head.bytes()) && !head.has_secrets() && self.limits == *limits;
        is_it.then(|| (head.clone(), head.bytes().len()))
    }

    /// Gives the head away, for its memory to be used.
    pub(super) fn take(&mut self) -> Option<Head> {
        self.head.take()
    }

    /// `head` was parsed under `limits`.
    pub(super) fn keep(&mut self, head: &Head, limits: &Limits) {
        self.head = Some(head.clone());
        self.limits.clone_from(limits);
    }
}
