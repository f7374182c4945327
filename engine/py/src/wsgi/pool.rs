//! Calls on their way from the loop to the threads of a pool.
//!
//! Under the interpreter's lock a thread that is woken for each call costs more than the call: the loop and the threads
//! take the lock out of each other's hands. So the loop leaves the calls of a turn here and wakes one thread, which makes
//! them one after the other while the loop waits for its sockets, and sends the answers itself. Threads that have nothing
//! to do stay for a while, as part of the pool; one of them keeps watch, and takes part when a call waits behind one that
//! takes long. When calls use to take long, there is a thread for each at once. Without that lock, as many threads make
//! calls as there are processors.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::Arc;
use std::time::{Duration, Instant};

use parking_lot::{Condvar, Mutex, MutexGuard};
use pyo3::ffi;
use pyo3::intern;
use pyo3::prelude::*;

use super::aside::Aside;
use super::Gateway;
use crate::errors;
use crate::request::Request;

/// How long a call may hold up others before another thread takes part.
const HOLD_UP: Duration = Duration::from_millis(1);
/// Calls that take longer than this, on the average, get a thread each at once.
const LONG: u32 = 500;
/// How long a thread that has nothing to do stays.
const STAY: Duration = Duration::from_secs(2);
/// Looks without anything to be seen before the one that watches waits to be told.
const QUIET: u32 = 50;

/// Threads that can make calls at the same time.
#[cfg(not(Py_GIL_DISABLED))]
fn at_once() -> usize {
    1
}

/// Threads that can make calls at the same time: one for each processor.
#[cfg(Py_GIL_DISABLED)]
fn at_once() -> usize {
    static PROCESSORS: std::sync::OnceLock<usize> = std::sync::OnceLock::new();
    *PROCESSORS.get_or_init(|| std::thread::available_parallelism().map_or(1, usize::from))
}

/// A call to be made.
pub struct Job {
    pub request: Py<Request>,
    pub aside: Arc<Aside>,
    /// The context variables of whoever has rendered the resource.
    pub context: Py<PyAny>,
}

/// Whether one of the idle threads looks if calls are held up.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
enum Watch {
    /// None does.
    #[default]
    Nobody,
    /// One does.
    Awake,
    /// One does, but there was nothing to be seen for a while: it has to be told when there is.
    Asleep,
}

#[derive(Default)]
struct State {
    jobs: VecDeque<Job>,
    /// All threads, those that the pool has still to give included.
    threads: usize,
    /// Of those: how many have still to come.
    coming: usize,
    /// Of those: how many wait for work.
    idle: usize,
    /// Of those: how many have been called and have not woken up yet.
    called: usize,
    watch: Watch,
    /// Jobs taken so far, to see whether it goes on.
    taken: u64,
    /// How often the pool has wanted threads that have nothing to do back.
    dismissals: u64,
}

impl State {
    fn take(&mut self) -> Option<Job> {
        let job = self.jobs.pop_front();
        self.taken += u64::from(job.is_some());
        job
    }

    fn working(&self) -> usize {
        self.threads + self.called - self.idle
    }
}

/// What the threads of one resource share.
#[derive(Default)]
pub struct Queue {
    state: Mutex<State>,
    /// Where idle threads wait, but for the one that watches.
    work: Condvar,
    /// Where that one waits.
    watch: Condvar,
    /// Microseconds that calls take, on the average.
    usual: AtomicU32,
}

type Locked<'a> = MutexGuard<'a, State>;

impl Queue {
    /// Whether there are fewer threads than there ought to be for the jobs that wait. One to spare, to keep watch, is
    /// enough while calls are short.
    pub fn is_short(&self) -> bool {
        let state = self.state.lock();
        let jobs = state.jobs.len();
        let wanted = if self.is_slow() {
            jobs
        } else {
            jobs.min(at_once())
        };
        state.idle + state.coming < wanted
    }

    /// Take the job for a request out again, if it is still here.
    pub fn take_back(&self, request: &Bound<'_, Request>) -> Option<Job> {
        let mut state = self.state.lock();
        let is_its = |job: &Job| job.request.as_ptr() == request.as_ptr();
        let place = state.jobs.iter().position(is_its)?;
        state.jobs.remove(place)
    }

    /// Count a thread that the pool, which has `most`, is about to be asked for; false if it has no more.
    pub fn add_thread(&self, most: usize) -> bool {
        let mut state = self.state.lock();
        let added = state.threads < most;
        state.threads += usize::from(added);
        state.coming += usize::from(added);
        added
    }

    /// The pool has not given the thread that it was asked for.
    pub fn not_given(&self) {
        let mut state = self.state.lock();
        state.threads -= 1;
        state.coming -= 1;
    }

    fn is_slow(&self) -> bool {
        self.usual.load(Ordering::Relaxed) > LONG
    }

    /// Leave a job.
    pub fn push(&self, job: Job) {
        let mut state = self.state.lock();
        state.jobs.push_back(job);
        if state.watch == Watch::Asleep {
            state.watch = Watch::Awake;
            self.watch.notify_one();
        }
        self.call(state);
    }

    /// Call idle threads if there is work for them: as many as can run at once while calls are short.
    fn call(&self, mut state: Locked<'_>) {
        let slow = self.is_slow();
        while state.idle > state.called {
            let wanted = if slow {
                state.jobs.len() > state.called
            } else {
                state.jobs.len() > state.called && state.working() < at_once()
            };
            if !wanted {
                return;
            }
            state.called += 1;
            let watching = usize::from(state.watch != Watch::Nobody);
            if state.idle - watching < state.called {
                self.watch.notify_one();
            } else {
                self.work.notify_one();
            }
        }
    }

    fn arrive(&self) {
        let mut state = self.state.lock();
        state.coming -= 1;
    }

    fn pop(&self) -> Option<Job> {
        self.state.lock().take()
    }

    /// A thread goes without having waited.
    fn leave(&self) -> Option<Job> {
        let mut state = self.state.lock();
        let job = state.take();
        state.threads -= usize::from(job.is_none());
        job
    }

    /// Threads that have nothing to do shall go back to the pool.
    pub fn dismiss(&self) {
        self.state.lock().dismissals += 1;
        self.work.notify_all();
        self.watch.notify_all();
    }

    fn dismissals(&self) -> u64 {
        self.state.lock().dismissals
    }

    /// Wait for a job; None when the thread shall go: after a while, or once there are more than `dismissals`.
    fn wait(&self, dismissals: u64) -> Option<Job> {
        let mut state = self.state.lock();
        let mut until = Instant::now() + STAY;
        let mut watching = false;
        // What the one that watches has seen, and how often it was the same.
        let (mut seen, mut quiet) = (state.taken, 0u32);
        state.idle += 1;
        let mut stuck = false;
        let job = loop {
            if state.called > 0 || stuck {
                state.called = state.called.saturating_sub(usize::from(!stuck));
                if let Some(job) = state.take() {
                    break Some(job);
                }
            }
            if state.dismissals != dismissals || Instant::now() >= until {
                break state.take();
            }
            if !watching && state.watch == Watch::Nobody {
                state.watch = Watch::Awake;
                watching = true;
                (seen, quiet) = (state.taken, 0);
            }
            if !watching {
                self.work.wait_until(&mut state, until);
                continue;
            }
            if quiet < QUIET {
                self.watch.wait_for(&mut state, HOLD_UP);
            } else {
                state.watch = Watch::Asleep;
                self.watch.wait_until(&mut state, until);
                state.watch = Watch::Awake;
                quiet = 0;
            }
            if state.taken != seen {
                (seen, quiet) = (state.taken, 0);
                until = Instant::now() + STAY;
            } else if state.jobs.is_empty() {
                quiet += 1;
            } else if state.called == 0 {
                stuck = true;
                self.usual.fetch_max(2 * LONG, Ordering::Relaxed);
            }
        };
        state.idle -= 1;
        if watching {
            state.watch = Watch::Nobody;
            // Somebody else has to watch.
            self.work.notify_one();
        }
        state.threads -= usize::from(job.is_none());
        state.called = state.called.min(state.idle);
        if stuck {
            self.call(state);
        }
        job
    }

    fn took(&self, time: Duration) {
        let took = u32::try_from(time.as_micros())
            .unwrap_or(u32::MAX)
            .min(1 << 20);
        let usual = self.usual.load(Ordering::Relaxed);
        // An average over the last eight or so; threads that overwrite each other's do no harm.
        self.usual
            .store(usual - usual / 8 + took / 8, Ordering::Relaxed);
    }
}

/// What a thread of the pool is called with.
#[pyclass(frozen, module = "sennit._engine")]
pub struct Session {
    gateway: Py<Gateway>,
    /// A pool that can ask for its threads back: a thread stays when there is nothing to do, if `canWait()`.
    host: Option<Py<PyAny>>,
}

impl Session {
    /// One for a thread of `host`, or of a pool that knows nothing of sessions.
    pub fn new(gateway: Py<Gateway>, host: Option<Py<PyAny>>) -> Self {
        Self { gateway, host }
    }

    fn stays(&self, py: Python<'_>) -> bool {
        let Some(host) = &self.host else {
            return false;
        };
        let asked = host.bind(py).call_method0(intern!(py, "canWait"));
        asked.is_ok_and(|can| can.is_truthy().unwrap_or(false))
    }
}

#[pymethods]
impl Session {
    fn __call__(&self, py: Python<'_>) -> PyResult<()> {
        let Some(queue) = self.gateway.get().queue() else {
            return Ok(());
        };
        queue.arrive();
        loop {
            let next = queue.pop().or_else(|| {
                // Asked for before the pool is: whatever it wants from then on, it tells.
                let dismissals = queue.dismissals();
                if self.stays(py) {
                    py.detach(|| queue.wait(dismissals))
                } else {
                    queue.leave()
                }
            });
            let Some(job) = next else {
                return Ok(());
            };
            // A pool that is about to stop gives no more: those that there are make the calls.
            if let Err(error) = self.gateway.get().call_threads(self.gateway.bind(py)) {
                drop(error);
            }
            let begun = Instant::now();
            self.run(py, job);
            queue.took(begun.elapsed());
        }
    }

    /// Go, if there is nothing to do.
    fn dismiss(&self) {
        if let Some(queue) = self.gateway.get().queue() {
            queue.dismiss();
        }
    }
}

impl Session {
    fn run(&self, py: Python<'_>, job: Job) {
        let gateway = self.gateway.bind(py);
        let context = job.context.as_ptr();
        // SAFETY: the context is alive, was made for this job, and is left again before anything else happens here.
        let entered = unsafe { ffi::PyContext_Enter(context) } == 0;
        let done = if entered {
            gateway.get().run_job(gateway, &job)
        } else {
            Err(PyErr::fetch(py))
        };
        // SAFETY: it was entered in this thread just above.
        if entered && unsafe { ffi::PyContext_Exit(context) } != 0 {
            errors::log(py, "leaving a call's context", PyErr::fetch(py));
        }
        if let Err(error) = done {
            let fail = gateway.getattr(intern!(py, "_failInLoop"));
            let told = fail.and_then(|fail| {
                let way = job.aside.way.bind(py);
                way.call1((fail, job.request.bind(py), errors::raised(py, &error)))
            });
            errors::log_if_failed(py, "telling the loop of an error", told);
        }
        let request = job.request.bind(py);
        let conn = request.get().last_conn(py);
        if let Some(conn) = conn {
            conn.service.get().take_back(job.request.into_bound(py));
        }
    }
}
