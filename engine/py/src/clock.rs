//! The time: coarse, and cheap enough to be asked for by every response.

#[cfg(Py_GIL_DISABLED)]
use std::cell::RefCell;
use std::sync::OnceLock;
use std::time::Instant;

use pyo3::prelude::*;
use rustix::time::{clock_gettime, ClockId};

#[cfg(not(Py_GIL_DISABLED))]
use crate::lock::Lock;
use crate::settings::Ticks;

/// Whole seconds since the epoch. The kernel's coarse clock is at most a tick of its own behind.
pub fn seconds() -> u64 {
    #[cfg(target_os = "linux")]
    let clock = ClockId::RealtimeCoarse;
    #[cfg(not(target_os = "linux"))]
    let clock = ClockId::Realtime;
    u64::try_from(clock_gettime(clock).tv_sec).unwrap_or(0)
}

const CONTENT_TYPE: &[u8] = b"Content-Type: text/html\r\n";

/// The header lines that every response has, encoded; made anew once a second.
struct Stock {
    second: u64,
    /// `Server`, `Date`, and then `Content-Type: text/html`.
    lines: Vec<u8>,
    /// Status lines with stock phrases and these lines behind them, for codes that were sent in this second.
    heads: Vec<Ready>,
}

/// The beginning of a response's head, for a code, with or without the stock Content-Type.
struct Ready {
    code: u16,
    html: bool,
    head: Vec<u8>,
}

/// So many are kept: a program sends few codes often.
const READY: usize = 8;

impl Stock {
    const NONE: Self = Self {
        second: 0,
        lines: Vec::new(),
        heads: Vec::new(),
    };

    /// Make them anew if those that are here are of another second.
    fn renew(&mut self, now: u64) {
        if self.second == now && !self.lines.is_empty() {
            return;
        }
        self.second = now;
        self.heads.clear();
        self.lines.clear();
        let date = sennit_wire::http_date(now);
        for piece in [
            b"Server: ",
            crate::SERVER.as_bytes(),
            b"\r\nDate: ",
            &date,
            b"\r\n",
            CONTENT_TYPE,
        ] {
            self.lines.extend_from_slice(piece);
        }
    }

    fn lines(&self, html: bool) -> &[u8] {
        let end = self.lines.len() - if html { 0 } else { CONTENT_TYPE.len() };
        self.lines.get(..end).unwrap_or_default()
    }

    /// The lines with the status line of `code` before them, made if need be.
    fn head(&mut self, code: u16, html: bool) -> &[u8] {
        let is_it = |ready: &Ready| ready.code == code && ready.html == html;
        let place = self.heads.iter().position(is_it).unwrap_or_else(|| {
            if self.heads.len() == READY {
                self.heads.clear();
            }
            let mut head = Vec::new();
            let reason = crate::request::stock_reason(code);
            sennit_wire::push_http11_status_line(&mut head, code, reason);
            head.extend_from_slice(self.lines(html));
            self.heads.push(Ready { code, html, head });
            self.heads.len() - 1
        });
        self.heads.get(place).map_or(b"", |ready| &ready.head)
    }
}

/// Give `use_it` the stock header lines: `Server`, `Date` (RFC 9110 section 6.6.1) and, if `html`, the stock Content-Type.
/// With a `code`, its status line of HTTP/1.1 with the stock phrase comes before them.
pub fn with_stock_lines<R>(
    py: Python<'_>,
    code: Option<u16>,
    html: bool,
    use_it: impl FnOnce(&[u8]) -> R,
) -> R {
    let now = seconds();
    with_stock(py, |stock| {
        stock.renew(now);
        use_it(match code {
            Some(code) => stock.head(code, html),
            None => stock.lines(html),
        })
    })
}

/// One for all threads.
#[cfg(not(Py_GIL_DISABLED))]
fn with_stock<R>(py: Python<'_>, use_it: impl FnOnce(&mut Stock) -> R) -> R {
    static STOCK: Lock<Stock> = Lock::new(Stock::NONE);
    use_it(&mut STOCK.lock(py))
}

/// One for each thread, since all loops write heads at once.
#[cfg(Py_GIL_DISABLED)]
fn with_stock<R>(_py: Python<'_>, use_it: impl FnOnce(&mut Stock) -> R) -> R {
    thread_local! {
        static STOCK: RefCell<Stock> = const { RefCell::new(Stock::NONE) };
    }
    STOCK.with_borrow_mut(use_it)
}

/// The value of `Date` for now.
pub fn http_date() -> [u8; 29] {
    sennit_wire::http_date(seconds())
}

/// A number that changes every few milliseconds, for next to nothing.
pub fn moment() -> i64 {
    let now = clock_gettime(COARSE);
    now.tv_sec
        .wrapping_mul(1000)
        .wrapping_add(now.tv_nsec / 1_000_000)
}

/// What Python's `time.monotonic` says, in seconds: the time of event loops.
#[expect(
    clippy::cast_precision_loss,
    reason = "a double has room for 104 days of nanoseconds, and then for fewer digits"
)]
pub fn monotonic() -> f64 {
    let now = clock_gettime(ClockId::Monotonic);
    let nanoseconds = now
        .tv_sec
        .wrapping_mul(1_000_000_000)
        .wrapping_add(now.tv_nsec);
    nanoseconds as f64 / 1e9
}

/// When the engines' time began: their timer wheels and all deadlines count from here.
pub fn origin() -> Instant {
    static ORIGIN: OnceLock<Instant> = OnceLock::new();
    *ORIGIN.get_or_init(Instant::now)
}

#[cfg(target_os = "linux")]
const COARSE: ClockId = ClockId::MonotonicCoarse;
#[cfg(not(target_os = "linux"))]
const COARSE: ClockId = ClockId::Monotonic;

/// Tenths of a second since `origin`.
pub fn ticks() -> Ticks {
    tenths(COARSE).wrapping_sub(origin_ticks())
}

/// Whether `at` has come at `now`, both wrapping.
pub fn has_come(at: Ticks, now: Ticks) -> bool {
    now.wrapping_sub(at) < Ticks::MAX / 2
}

fn origin_ticks() -> Ticks {
    static BASE: OnceLock<Ticks> = OnceLock::new();
    *BASE.get_or_init(|| {
        origin();
        tenths(ClockId::Monotonic)
    })
}

/// A clock's time in tenths of a second. Deadlines are compared modulo 2^32, so only differences matter.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "ticks wrap"
)]
fn tenths(clock: ClockId) -> Ticks {
    let now = clock_gettime(clock);
    now.tv_sec
        .wrapping_mul(10)
        .wrapping_add(now.tv_nsec / 100_000_000) as Ticks
}
