//! Calls that a signal may interrupt.

use rustix::io::{Errno, Result};

/// Repeats `call` for as long as it answers `EINTR`, which says nothing about the socket.
#[inline]
pub(crate) fn retry_interrupted<T>(mut call: impl FnMut() -> Result<T>) -> Result<T> {
    loop {
        match call() {
            Err(Errno::INTR) => continue,
            outcome => return outcome,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn call_interrupted_twice_is_made_three_times() {
        let mut calls = 0;
        let outcome = retry_interrupted(|| {
            calls += 1;
            if calls < 3 {
                Err(Errno::INTR)
            } else {
                Ok("sent")
            }
        });
        assert_eq!((outcome, calls), (Ok("sent"), 3));
    }

    #[test]
    fn other_errors_are_passed_on_at_once() {
        let mut calls = 0;
        let outcome: Result<()> = retry_interrupted(|| {
            calls += 1;
            Err(Errno::CONNRESET)
        });
        assert_eq!((outcome, calls), (Err(Errno::CONNRESET), 1));
    }
}
