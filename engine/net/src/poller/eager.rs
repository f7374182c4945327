//! Looking again for a moment before sleeping, where that has been worth it.
//!
//! Who answers one client that sends its next request as soon as it has its answer sleeps for a few microseconds at a time,
//! and going to sleep and being woken takes longer than that, most of all on a virtual machine. There it's quicker, and costs
//! no more, to go on looking. Everywhere else it would only burn time, so it has to be earned: by many short sleeps in a
//! row, and by twice as many after each time that looking was in vain.

use std::io;
use std::time::{Duration, Instant};

use super::{Events, Poller, Woken};

/// How long to go on looking; a sleep that is shorter speaks for it. A client on the same machine answers within this time,
/// one beyond a network seldom does.
const PATIENCE: Duration = Duration::from_micros(50);
/// With more events at a time than this, each bears little of a sleep's cost.
const FEW: usize = 2;
/// Short sleeps in a row that are needed at first, and at most.
const LEAST_STREAK: u32 = 16;
const MOST_STREAK: u32 = 1 << 16;

/// Knows from the last waits whether it's worth looking again before sleeping.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Eagerness {
    /// Short sleeps in a row.
    streak: u32,
    /// So many make eager.
    needed: u32,
}

impl Eagerness {
    /// Not eager at first.
    #[must_use]
    pub fn new() -> Self {
        Self {
            streak: 0,
            needed: LEAST_STREAK,
        }
    }

    fn is_eager(&self) -> bool {
        self.streak >= self.needed
    }

    /// Looking has found something, or not.
    fn looked(&mut self, found: bool) {
        if found {
            self.needed = (self.needed / 2).max(LEAST_STREAK);
            self.streak = self.needed;
        } else {
            self.needed = (self.needed * 2).min(MOST_STREAK);
            self.streak = 0;
        }
    }

    /// A sleep has come to its end.
    fn slept(&mut self, woken: Woken, time: Duration) {
        let short = matches!(woken, Woken::Ready(count) if count <= FEW) && time < PATIENCE;
        self.streak = if short { self.streak + 1 } else { 0 };
    }
}

impl Default for Eagerness {
    fn default() -> Self {
        Self::new()
    }
}

impl Poller {
    /// As [`Poller::wait`], but where `eagerness` has learned that the wait is going to be short it looks again and again
    /// for 50 microseconds before it sleeps.
    ///
    /// # Errors
    /// Those of [`Poller::wait`].
    pub fn wait_eagerly(
        &self,
        events: &mut Events,
        timeout: Option<Duration>,
        eagerness: &mut Eagerness,
    ) -> io::Result<Woken> {
        if timeout.is_some_and(|timeout| timeout < PATIENCE) {
            return self.wait(events, timeout);
        }
        let began = Instant::now();
        if eagerness.is_eager() {
            loop {
                let woken = self.wait(events, Some(Duration::ZERO))?;
                if woken != Woken::TimedOut {
                    eagerness.looked(true);
                    return Ok(woken);
                }
                if began.elapsed() >= PATIENCE {
                    break;
                }
            }
            eagerness.looked(false);
            return self.wait(events, timeout);
        }
        let woken = self.wait(events, timeout)?;
        eagerness.slept(woken, began.elapsed());
        Ok(woken)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SHORT: Duration = Duration::from_micros(10);
    const LONG: Duration = Duration::from_millis(1);

    fn after_sleeps(eagerness: &mut Eagerness, count: u32) {
        for _ in 0..count {
            eagerness.slept(Woken::Ready(1), SHORT);
        }
    }

    #[test]
    fn short_sleeps_in_a_row_make_eager() {
        let mut eagerness = Eagerness::new();
        after_sleeps(&mut eagerness, LEAST_STREAK - 1);
        assert!(!eagerness.is_eager());
        eagerness.slept(Woken::Ready(2), SHORT);
        assert!(eagerness.is_eager());
    }

    #[test]
    fn long_sleep_or_many_events_or_nothing_end_the_streak() {
        for (woken, time) in [
            (Woken::Ready(1), LONG),
            (Woken::Ready(FEW + 1), SHORT),
            (Woken::TimedOut, SHORT),
            (Woken::Interrupted, SHORT),
        ] {
            let mut eagerness = Eagerness::new();
            after_sleeps(&mut eagerness, LEAST_STREAK - 1);
            eagerness.slept(woken, time);
            after_sleeps(&mut eagerness, 1);
            assert!(!eagerness.is_eager(), "{woken:?} after {time:?}");
        }
    }

    #[test]
    fn looking_in_vain_doubles_what_is_needed() {
        let mut eagerness = Eagerness::new();
        let mut needed = LEAST_STREAK;
        for _ in 0..20 {
            after_sleeps(&mut eagerness, needed);
            assert!(eagerness.is_eager());
            eagerness.looked(false);
            needed = (needed * 2).min(MOST_STREAK);
            after_sleeps(&mut eagerness, needed - 1);
            assert!(!eagerness.is_eager());
            eagerness.slept(Woken::Ready(1), LONG);
        }
    }

    #[test]
    fn finding_something_stays_eager_and_forgives() {
        let mut eagerness = Eagerness::new();
        after_sleeps(&mut eagerness, LEAST_STREAK);
        eagerness.looked(false);
        after_sleeps(&mut eagerness, LEAST_STREAK * 2);
        eagerness.looked(true);
        assert!(eagerness.is_eager());
        eagerness.looked(false);
        after_sleeps(&mut eagerness, LEAST_STREAK * 2);
        assert!(eagerness.is_eager());
    }

    #[test]
    fn eager_wait_keeps_its_time_and_sees_what_is_ready() {
        use crate::testing::unix_pair;
        use crate::Interest;
        use std::io::Write;
        let (ours, mut theirs) = unix_pair();
        let poller = Poller::new().unwrap();
        poller.add(&ours, 3, Interest::READ).unwrap();
        let mut events = Events::new();
        let mut eagerness = Eagerness::new();
        after_sleeps(&mut eagerness, LEAST_STREAK);
        let began = Instant::now();
        let pause = Duration::from_millis(5);
        let woken = poller.wait_eagerly(&mut events, Some(pause), &mut eagerness);
        assert_eq!(woken.unwrap(), Woken::TimedOut);
        assert!(began.elapsed() >= pause);
        assert!(!eagerness.is_eager());
        theirs.write_all(b"x").unwrap();
        after_sleeps(&mut eagerness, LEAST_STREAK * 2);
        let woken = poller.wait_eagerly(&mut events, None, &mut eagerness);
        assert_eq!(woken.unwrap(), Woken::Ready(1));
        assert!(eagerness.is_eager());
    }
}
