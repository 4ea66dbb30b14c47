//! What can be completed, and what an answer is.

/// Nothing but these candidates: no file names.
pub(super) const NO_FILES: u32 = 4;
/// File names, where there is no candidate.
pub(super) const FILES: u32 = 0;

/// Candidates with their descriptions, and the sum of the directives.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Answer {
    pub candidates: Vec<(String, String)>,
    pub directive: u32,
}

/// What an argument may be, for candidates from the user's files. Each command says so of each of its arguments. Where
/// `--global` or `--exclusive` was given, a remote is one of the global layer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Completes {
    /// Something that only the user knows.
    Nothing,
    File,
    /// Any remote.
    Remote,
    /// One of the user's own.
    OwnRemote,
    /// One of the global layer.
    GlobalRemote,
    /// A remote, registry or keyserver to log in to.
    Login,
    /// One that is logged in to.
    Logout,
    /// A registry that a file knows.
    Registry,
    /// A keyserver that can be logged in to.
    Keyserver,
    /// One that is logged in to.
    KeyserverLogin,
    /// A global remote, or a keyserver of the default one.
    RemoteOrKeyserver,
    /// A keyserver of the global remote that was just named.
    KeyserverOf,
}
