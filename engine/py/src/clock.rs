//! The time: coarse, and cheap enough to be asked for by every response.

use std::time::Instant;
use std::sync::OnceLock;

use parking_lot::Mutex;
use rustix::time::{clock_gettime, ClockId};

use crate::settings::Ticks;

/// Whole seconds since the epoch. The kernel's coarse clock is at most a tick of its own behind.
pub fn seconds() -> u64 {
    #[cfg(target_os = "linux")]
    let clock = ClockId::RealtimeCoarse;
    #[cfg(not(target_os = "linux"))]
    let clock = ClockId::Realtime;
    u64::try_from(clock_gettime(clock).tv_sec).unwrap_or(0)
}

/// The value of `Date` for now (RFC 9110 section 6.6.1), made anew once a second.
pub fn http_date() -> [u8; 29] {
    static DATE: Mutex<(u64, [u8; 29])> = Mutex::new((0, [b' '; 29]));
    let now = seconds();
    let mut date = DATE.lock();
    if date.0 != now {
        *date = (now, sennit_wire::http_date(now));
    }
    date.1
}

/// When the engines' time began: their timer wheels and all deadlines count from here.
pub fn origin() -> Instant {
    static ORIGIN: OnceLock<Instant> = OnceLock::new();
    *ORIGIN.get_or_init(Instant::now)
}

/// Tenths of a second since `origin`.
pub fn ticks() -> Ticks {
    #[cfg(target_os = "linux")]
    let clock = ClockId::MonotonicCoarse;
    #[cfg(not(target_os = "linux"))]
    let clock = ClockId::Monotonic;
    let now = clock_gettime(clock);
    let tenths = now.tv_sec.wrapping_mul(10).wrapping_add(now.tv_nsec / 100_000_000);
    // Deadlines are compared modulo 2^32, so only differences matter.
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "ticks wrap")]
    let ticks = tenths as Ticks;
    ticks.wrapping_sub(origin_ticks())
}

fn origin_ticks() -> Ticks {
    static BASE: OnceLock<Ticks> = OnceLock::new();
    *BASE.get_or_init(|| {
        origin();
        let now = clock_gettime(ClockId::Monotonic);
        let tenths = now.tv_sec.wrapping_mul(10).wrapping_add(now.tv_nsec / 100_000_000);
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "ticks wrap")]
        let ticks = tenths as Ticks;
        ticks
    })
}
