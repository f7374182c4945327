//! How a link gets its connection.

use std::sync::Arc;

use pyo3::prelude::*;
use sennit_net::{Connecting, Interest, Socket};

use super::exchange::Fault;
use super::link::{Link, Phase};

impl Link {
    /// Connect to the first of the upstream's addresses that has not been tried.
    pub fn connect(self: &Arc<Self>, py: Python<'_>) {
        self.lock(py).counted = true;
        let server = &self.pool.server;
        let Some(addresses) = server.addresses(py) else {
            return;
        };
        let Some(engine) = self.pool.engine.upgrade() else {
            return self.fail(py, Fault::Stopping);
        };
        let mut failure = std::io::Error::from(std::io::ErrorKind::AddrNotAvailable);
        loop {
            let at = {
                let mut state = self.lock(py);
                if !matches!(state.phase, Phase::Held | Phase::Connecting) {
                    return;
                }
                state.next_address += 1;
                state.next_address - 1
            };
            let Some(address) = addresses.get(at) else {
                return self.fail(py, Fault::Unreachable(failure));
            };
            let begun = Socket::connect(address).and_then(|(socket, connecting)| {
                let interest = match connecting {
                    Connecting::Done => Interest::READ,
                    Connecting::Pending => Interest::WRITE,
                };
                engine.poller.add(&socket, self.token, interest)?;
                Ok((socket, connecting, interest))
            });
            match begun {
                Ok((socket, connecting, interest)) => {
                    {
                        let mut state = self.lock(py);
                        state.socket = Some(socket);
                        state.watched = true;
                        state.interest = interest;
                        state.phase = Phase::Connecting;
                    }
                    if connecting == Connecting::Done {
                        self.connected(py);
                    }
                    return;
                }
                Err(error) => failure = error,
            }
        }
    }

    /// The upstream's addresses have been asked for.
    pub fn resolved(self: &Arc<Self>, py: Python<'_>, reason: &str) {
        let (waits, may_connect) = {
            let state = self.lock(py);
            (state.phase == Phase::Held, state.counted)
        };
        if !waits {
            return;
        }
        if self.pool.server.has_addresses(py) {
            if may_connect {
                self.connect(py);
            }
        } else {
            self.fail(py, Fault::Unresolved(reason.to_owned()));
        }
    }

    fn connected(self: &Arc<Self>, py: Python<'_>) {
        let exchange = self.lock(py).exchange.take();
        match exchange {
            Some(exchange) => self.take_on(py, exchange),
            None => self.close(py),
        }
    }

    /// The attempt to connect has come to its end.
    pub(super) fn try_connected(self: &Arc<Self>, py: Python<'_>) {
        let outcome = match &self.lock(py).socket {
            Some(socket) => socket.connected(),
            None => return,
        };
        match outcome {
            Ok(()) => self.connected(py),
            Err(error) => {
                let socket = self.lock(py).socket.take();
                drop(socket);
                let more = {
                    let next = self.lock(py).next_address;
                    let addresses = self.pool.server.addresses(py);
                    addresses.is_some_and(|addresses| next < addresses.len())
                };
                if more {
                    self.connect(py);
                } else {
                    self.fail(py, Fault::Unreachable(error));
                }
            }
        }
    }
}
