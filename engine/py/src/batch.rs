//! What connections have in common that are answered one after the other.

use pyo3::prelude::*;
use sennit_wire::LastHead;

use crate::{asgi, wsgi};

/// Connections that are answered together at most.
pub const SIZE: usize = 64;

/// An application that is to be called.
pub enum Call {
    Asgi(asgi::Launch),
    Wsgi(wsgi::Launch),
}

impl Call {
    /// Call it, and do with what it gives what is to be done.
    pub fn go(self, py: Python<'_>) {
        match self {
            Self::Asgi(launch) => launch.go(py),
            Self::Wsgi(launch) => launch.go(py),
        }
    }
}

/// A batch of connections, or one that is answered alone.
#[derive(Default)]
pub struct Batch {
    /// The head that was parsed last.
    pub last_head: LastHead,
    gathers: bool,
    place: usize,
    launches: Vec<(usize, Call)>,
}

impl Batch {
    /// One that keeps the calls of applications until all of its connections have been looked at.
    pub fn gathering() -> Self {
        Self {
            gathers: true,
            ..Self::default()
        }
    }

    /// The connection at `place` comes next.
    pub fn turn_to(&mut self, place: usize) {
        self.place = place;
    }

    /// Have an application called: soon, if others may join, else now.
    pub fn launch(&mut self, py: Python<'_>, launch: Call) {
        if self.gathers {
            self.launches.push((self.place, launch));
        } else {
            launch.go(py);
        }
    }

    /// The calls that were kept, and the places of their connections.
    pub fn launches(&mut self) -> impl Iterator<Item = (usize, Call)> + '_ {
        self.launches.drain(..)
    }
}
