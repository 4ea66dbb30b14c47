//! A token, password or other secret.
//!
//! The type has no `Display` and no `Serialize`, its `Debug` is redacted, and its memory is wiped on
//! drop. The one way to the text is [`Secret::expose`]: searching for that word finds every place where a
//! secret leaves the program.

use rustix::process::{DumpableBehavior, set_dumpable_behavior};
use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use zeroize::Zeroize;

/// Whether this process is the program itself, and not one that uses its library.
static ARMED: AtomicBool = AtomicBool::new(false);

/// Lets the first secret make this process's memory private: for `main`, since it is about the whole process.
pub fn guard_memory() {
    ARMED.store(true, Ordering::Relaxed);
}

/// Keeps this process's memory from core files and from other processes of the same user. Called before a
/// secret is read; only the first time counts, and only after [`guard_memory`].
pub fn keep_memory_private() {
    if ARMED.swap(false, Ordering::Relaxed) {
        // Where the kernel does not know it there is nothing to be done about it.
        let _ = set_dumpable_behavior(DumpableBehavior::NotDumpable);
    }
}

/// Text that must never be shown. Compare, clone, [`expose`](Secret::expose): nothing else.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// Takes ownership of `text`, so that no copy stays behind in the caller.
    pub fn new(text: String) -> Self {
        keep_memory_private();
        Self(text)
    }

    /// The text itself, for a header, a child's standard input or the file that stores it.
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// An empty secret counts as none: Apptainer writes no key for it and it sends no header.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// `Some` unless the text is empty.
    pub fn non_empty(text: String) -> Option<Self> {
        (!text.is_empty()).then(|| Self::new(text))
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}

impl Drop for Secret {
    fn drop(&mut self) {
        self.0.zeroize();
    }
}

#[cfg(test)]
mod tests {
    use super::Secret;

    #[test]
    fn debug_shows_nothing() {
        let secret = Secret::new("canary".to_string());
        assert!(!format!("{secret:?}{:?}", Some(&secret)).contains("canary"));
    }

    #[test]
    fn empty_is_none() {
        assert!(Secret::non_empty(String::new()).is_none());
        assert_eq!(Secret::non_empty("x".into()).unwrap().expose(), "x");
    }
}
