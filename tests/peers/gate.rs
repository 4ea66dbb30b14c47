//! A gate at which responses wait until a test opens it. This fixes the order of events, even on a busy
//! machine.

use super::wire::TICK;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

/// All clones are the same gate.
#[derive(Clone, Debug)]
pub struct Gate(Arc<State>);

#[derive(Debug)]
struct State {
    open: AtomicBool,
    waiting: AtomicUsize,
    enough: usize,
}

impl Gate {
    /// A gate that [`Gate::open`] opens.
    pub fn closed() -> Self {
        Self::for_all(usize::MAX)
    }

    /// A gate that opens when this many threads wait at it.
    pub fn for_all(enough: usize) -> Self {
        Self(Arc::new(State { open: AtomicBool::new(false), waiting: AtomicUsize::new(0), enough }))
    }

    /// Lets all waiting and later threads pass.
    pub fn open(&self) {
        self.0.open.store(true, Ordering::SeqCst);
    }

    /// Waits until the gate is open or `stop` is set.
    pub(super) fn pass(&self, stop: &AtomicBool) {
        if self.0.waiting.fetch_add(1, Ordering::SeqCst) + 1 >= self.0.enough {
            self.open();
        }
        while !self.0.open.load(Ordering::SeqCst) && !stop.load(Ordering::Relaxed) {
            std::thread::sleep(TICK);
        }
    }
}
