//! The lock around state that belongs to the thread that is attached to Python.
//!
//! With the GIL only one thread at a time can be attached, so a flag that nobody else can see in between is lock enough,
//! and a request takes its state's lock some dozen times: an atomic operation each would cost more than parsing does.
//! Without the GIL it is a mutex. Either way the rule of `conn` holds: no Python call while a guard lives.
//!
//! Free-threaded, the same code runs in several threads at once, each with an event loop and an `Engine` of its own:
//!
//! - What belongs to one connection (its state, its request, its link) is worked on by its loop's thread, and by a thread
//!   of a WSGI pool; what belongs to a site (`Service` and what it keeps, files, upstreams' addresses) by all loops. All
//!   of it is behind a `Lock`, or atomic, or never changes.
//! - Who finds a lock taken waits detached from Python. So the interpreter can stop all threads, as its collector does,
//!   whoever holds a lock: also one that lets go a reference under it, for which the interpreter itself may have to wait.
//! - Where two locks are needed the order is link, connection, request, headers; those of an engine, a site and of what
//!   they keep are taken last, and none after them.

#[cfg(Py_GIL_DISABLED)]
mod kind {
    use parking_lot::{Mutex, MutexGuard};
    use pyo3::prelude::*;
    use pyo3::sync::MutexExt;

    /// Looks at a lock that is taken before its end is waited for: most are held for less time than detaching takes.
    const LOOKS: u32 = 64;

    /// A lock that is taken with proof of being attached.
    pub struct Lock<T>(Mutex<T>);

    /// Access to what a `Lock` holds.
    pub type Guard<'a, T> = MutexGuard<'a, T>;

    impl<T> Lock<T> {
        pub const fn new(value: T) -> Self {
            Self(Mutex::new(value))
        }

        #[inline]
        pub fn lock(&self, py: Python<'_>) -> Guard<'_, T> {
            match self.0.try_lock() {
                Some(guard) => guard,
                None => self.wait(py),
            }
        }

        #[cold]
        fn wait(&self, py: Python<'_>) -> Guard<'_, T> {
            for _ in 0..LOOKS {
                std::hint::spin_loop();
                if let Some(guard) = self.0.try_lock() {
                    return guard;
                }
            }
            self.0.lock_py_attached(py)
        }

        /// Access by its only owner.
        pub fn get_mut(&mut self) -> &mut T {
            self.0.get_mut()
        }

        /// For the garbage collector's visits, which come without a token, while all other threads stand still: what one
        /// of them has locked is not visited, and so is taken to be in use.
        pub fn visit<R>(&self, visitor: impl FnOnce(&T) -> R) -> Option<R> {
            self.0.try_lock().map(|value| visitor(&value))
        }
    }
}

#[cfg(not(Py_GIL_DISABLED))]
mod kind {
    use std::cell::{Cell, UnsafeCell};
    use std::marker::PhantomData;
    use std::ops::{Deref, DerefMut};

    use pyo3::prelude::*;

    /// A lock that is taken with proof of being attached.
    pub struct Lock<T> {
        held: Cell<bool>,
        value: UnsafeCell<T>,
    }

    // SAFETY: `held` and `value` are touched only by a thread that holds the GIL (`lock` asks for a token, a `Guard` can't
    // leave its thread, `visit` is called by the collector, which holds it), and one thread at a time does. A thread that
    // detaches while it has a guard leaves `held` set, so that no other can get at `value`.
    unsafe impl<T: Send> Sync for Lock<T> {}

    /// Access to what a `Lock` holds.
    pub struct Guard<'a, T> {
        lock: &'a Lock<T>,
        in_one_thread: PhantomData<*const ()>,
    }

    impl<T> Lock<T> {
        pub const fn new(value: T) -> Self {
            Self {
                held: Cell::new(false),
                value: UnsafeCell::new(value),
            }
        }

        /// Panics if it is held already: that would be a breach of the rule, and a mutex would hang.
        #[inline]
        pub fn lock(&self, _py: Python<'_>) -> Guard<'_, T> {
            assert!(
                !self.held.replace(true),
                "state is in use further up the stack"
            );
            Guard {
                lock: self,
                in_one_thread: PhantomData,
            }
        }

        /// Access by its only owner.
        pub fn get_mut(&mut self) -> &mut T {
            self.value.get_mut()
        }

        /// For the garbage collector's visits, which come without a token.
        pub fn visit<R>(&self, visitor: impl FnOnce(&T) -> R) -> Option<R> {
            if self.held.get() {
                return None;
            }
            // SAFETY: the collector holds the GIL, no guard lives, and `visitor` can't make one while it looks.
            Some(visitor(unsafe { &*self.value.get() }))
        }
    }

    impl<T> Deref for Guard<'_, T> {
        type Target = T;

        #[inline]
        fn deref(&self) -> &T {
            // SAFETY: this guard is the only one, since `held` was clear when it was made and is set until it is dropped.
            unsafe { &*self.lock.value.get() }
        }
    }

    impl<T> DerefMut for Guard<'_, T> {
        #[inline]
        fn deref_mut(&mut self) -> &mut T {
            // SAFETY: as for `deref`; `&mut self` keeps other borrows through this guard away.
            unsafe { &mut *self.lock.value.get() }
        }
    }

    impl<T> Drop for Guard<'_, T> {
        #[inline]
        fn drop(&mut self) {
            self.lock.held.set(false);
        }
    }
}

pub use kind::{Guard, Lock};
