//! Tokens, passwords and other secrets.
//!
//! The type has no `Display` and no `Serialize`, its `Debug` output is redacted, and its memory is wiped on drop.
//! [`Secret::expose`] is the only access to the text, so searching for that name finds every place where a secret
//! leaves the program.

use rustix::process::{DumpableBehavior, set_dumpable_behavior};
use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use zeroize::Zeroize;

/// Whether this process is the program itself, and not another one that uses the library.
static ARMED: AtomicBool = AtomicBool::new(false);

/// Allows the first secret to make this process's memory private. Called only by `main`, because it affects the
/// whole process.
pub fn guard_memory() {
    ARMED.store(true, Ordering::Relaxed);
}

/// Protects this process's memory from core dumps and from other processes of the same user. Called before a
/// secret is read. Only the first call has an effect, and only after [`guard_memory`].
pub fn keep_memory_private() {
    if ARMED.swap(false, Ordering::Relaxed) {
        // Best effort: nothing can be done if the kernel does not support it.
        let _ = set_dumpable_behavior(DumpableBehavior::NotDumpable);
    }
}

/// A text that must never be shown. It can only be compared, cloned and [exposed](Secret::expose).
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// Takes ownership of `text`, so that the caller keeps no copy.
    pub fn new(text: String) -> Self {
        keep_memory_private();
        Self(text)
    }

    /// The text itself, for a header, a child's standard input, or the file that stores it.
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// An empty secret counts as none: Apptainer writes no key and sends no header for it.
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
    fn debug_output_is_redacted() {
        let secret = Secret::new("canary".to_string());
        assert!(!format!("{secret:?}{:?}", Some(&secret)).contains("canary"));
    }

    #[test]
    fn empty_is_none() {
        assert!(Secret::non_empty(String::new()).is_none());
        assert_eq!(Secret::non_empty("x".into()).unwrap().expose(), "x");
    }
}
