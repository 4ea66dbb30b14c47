//! What can be completed, and the form of an answer.

/// Offer only these candidates, no file names.
pub(super) const NO_FILES: u32 = 4;
/// Offer file names if there are no candidates.
pub(super) const FILES: u32 = 0;

/// Candidates with their descriptions, and the sum of the directives.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Answer {
    pub candidates: Vec<(String, String)>,
    pub directive: u32,
}

/// What an argument may be, for candidates from the user's files. Each command declares this for each of its
/// arguments. With `--global` or `--exclusive`, a remote means a global one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Completes {
    /// A value that cannot be completed.
    Nothing,
    File,
    /// Any remote.
    Remote,
    /// One of the user's own remotes.
    OwnRemote,
    /// A remote of the global layer.
    GlobalRemote,
    /// A remote, registry or keyserver to log in to.
    Login,
    /// A remote, registry or keyserver that has a login.
    Logout,
    /// A registry from `remote.yaml` or the auth file.
    Registry,
    /// A keyserver that was added to a remote.
    Keyserver,
    /// A keyserver that has a login.
    KeyserverLogin,
    /// A global remote, or a keyserver of the default remote.
    RemoteOrKeyserver,
    /// A keyserver of the global remote in the previous argument.
    KeyserverOf,
}
