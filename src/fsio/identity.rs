//! Who acts, whose a file is, and who else is trusted with it.

/// Who the process is. Passed in and never asked here, so that a test can be somebody else.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Identity {
    /// The effective uid; 0 is root.
    pub uid: u32,
}

impl Identity {
    /// Whether this is root, to whom every file is open.
    pub fn is_root(self) -> bool {
        self.uid == 0
    }
}

/// Whose file it is, which decides whom to trust with it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// A user's own: theirs or root's, and private. Group and other bits, and an ACL, go at the first write.
    User,
    /// The administrator's: root's, and every link on the way too.
    Global {
        /// Who is trusted like root.
        trusted: Trusted,
    },
}

/// Who can replace this program, and so may also change what it believes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Trusted {
    /// The uid that owns the executable.
    pub owner: Option<u32>,
    /// The gid that can write the directory of the executable.
    pub group: Option<u32>,
}

impl Role {
    pub(super) fn is_private(self) -> bool {
        matches!(self, Self::User)
    }

    /// What is kept of an old file's mode.
    pub(super) fn allowed(self, mode: u32) -> u32 {
        if self.is_private() { mode & 0o700 } else { mode }
    }
}
