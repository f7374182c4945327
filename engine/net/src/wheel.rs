//! Coarse deadlines for very many connections.
//!
//! A hashed wheel: a deadline lies in the slot of its number modulo the number of slots, and one that is more
//! than a turn away is simply passed over until its turn comes. There is no cancelling. A connection has one
//! entry; when it fires, the owner compares its true deadline, which may have moved meanwhile, and inserts
//! again if that lies ahead. So a request costs the wheel nothing, however often it puts its deadline off.
//! Tokens carry whatever tells a reused connection from its predecessor.

use std::time::{Duration, Instant};

/// A point in time: units of [`TICK`] since the wheel was made, wrapping after 13 years. Points further than
/// half of that from now can't be told from the past.
pub type Tick = u32;

/// The length of a [`Tick`].
pub const TICK: Duration = Duration::from_millis(TICK_MILLIS);

/// [`TICK`] in milliseconds.
const TICK_MILLIS: u64 = 100;

/// The default width of a slot: a second, so that an idle server wakes once a second at most.
const TICKS_PER_SLOT: u32 = 10;

/// Slots in a turn: as many as a `u128` has bits, which says which of them are in use.
const SLOTS: u64 = 128;

/// The memory of an emptied slot is kept up to so many entries.
const KEPT_CAPACITY: usize = 64;

/// A deadline.
#[derive(Clone, Copy, Debug)]
struct Entry {
    token: u64,
    /// The number, counted from the start and not wrapped, of the slot at whose beginning it is due.
    slot: u64,
}

/// Tells which tokens are due. An entry fires once, never before its time, and at most one slot's width late
/// if the wheel is advanced when [`Wheel::next_wakeup`] says.
#[derive(Debug)]
pub struct Wheel {
    start: Instant,
    ticks_per_slot: u64,
    /// The newest time told to the wheel, in ticks since `start`, not wrapped.
    now: u64,
    /// The last slot whose entries have been looked at.
    passed: u64,
    slots: Box<[Vec<Entry>]>,
    /// Bit `n`: `slots[n]` has entries.
    used: u128,
}

impl Wheel {
    /// A wheel whose time begins at `now`, with slots of a second.
    pub fn new(now: Instant) -> Self {
        Self::with_slot(now, TICKS_PER_SLOT)
    }

    /// A wheel with slots of `ticks` [`TICK`]s, one at least: finer slots are more punctual and wake more often.
    pub fn with_slot(now: Instant, ticks: u32) -> Self {
        Self {
            start: now,
            ticks_per_slot: u64::from(ticks.max(1)),
            now: 0,
            passed: 0,
            slots: (0..SLOTS).map(|_| Vec::new()).collect(),
            used: 0,
        }
    }

    /// The tick of the newest time told to the wheel (by [`Self::advance`]; 0 before). It is rounded down, so
    /// a deadline of `now_tick() + n` may be up to one tick less than `n` ticks away.
    #[inline]
    pub fn now_tick(&self) -> Tick {
        // Wraps, as ticks do.
        self.now as Tick
    }

    /// Makes `token` fire once `at` has come. A point that the wheel has passed fires at the beginning of the
    /// next slot. An owner that reckons from [`Self::now_tick`] advances the wheel after a wait and before this.
    pub fn insert(&mut self, token: u64, at: Tick) {
        // Ticks wrap: the nearer way round says whether `at` lies ahead or behind.
        let ahead = at.wrapping_sub(self.now_tick()) as i32;
        let due = self.now.saturating_add_signed(i64::from(ahead));
        let slot = due.div_ceil(self.ticks_per_slot).max(self.passed + 1);
        let index = (slot % SLOTS) as usize;
        self.slots[index].push(Entry { token, slot });
        self.used |= 1 << index;
    }

    /// Appends to `due` the tokens whose time has come at `now`, in no particular order, and forgets them.
    /// A `now` before the newest one told changes nothing.
    pub fn advance(&mut self, now: Instant, due: &mut Vec<u64>) {
        self.now = self.now.max(self.ticks_until(now));
        let reached = self.now / self.ticks_per_slot;
        // After a pause of more than a turn each slot still needs only one look.
        let last = reached.min(self.passed + SLOTS);
        for slot in self.passed + 1..=last {
            self.fire_slot((slot % SLOTS) as usize, reached, due);
        }
        self.passed = reached;
    }

    /// How long after `now` the next slot with entries begins: zero if it has begun, `None` without entries.
    /// Its entries may belong to a later turn, so nothing need be due then.
    #[inline]
    pub fn next_wakeup(&self, now: Instant) -> Option<Duration> {
        if self.used == 0 {
            return None;
        }
        let next = self.passed + 1;
        let distance = self
            .used
            .rotate_right((next % SLOTS) as u32)
            .trailing_zeros();
        let begins = (next + u64::from(distance)) * self.ticks_per_slot;
        let begins = Duration::from_millis(begins.saturating_mul(TICK_MILLIS));
        Some(begins.saturating_sub(now.saturating_duration_since(self.start)))
    }

    /// Whether there are no entries.
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.used == 0
    }

    /// Moves the entries of one slot that are due to `due`; those of later turns stay.
    fn fire_slot(&mut self, index: usize, reached: u64, due: &mut Vec<u64>) {
        let entries = &mut self.slots[index];
        entries.retain(|entry| {
            let keep = entry.slot > reached;
            if !keep {
                due.push(entry.token);
            }
            keep
        });
        if entries.is_empty() {
            self.used &= !(1 << index);
            // A slot that once held thousands must not keep their memory.
            if entries.capacity() > KEPT_CAPACITY {
                *entries = Vec::new();
            }
        }
    }

    /// Whole ticks from the start to `now`.
    fn ticks_until(&self, now: Instant) -> u64 {
        let elapsed = now.saturating_duration_since(self.start);
        // In u64: the u128 of `as_millis` would make every turn of the loop pay for a long division.
        let millis = elapsed.as_secs() * 1000 + u64::from(elapsed.subsec_millis());
        millis / TICK_MILLIS
    }
}

#[cfg(test)]
mod tests;
