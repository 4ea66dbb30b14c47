//! The identity of the process, the role of a file, and who else is trusted.

/// The effective user. It is passed in and never looked up here, so that tests can choose it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Identity {
    pub uid: u32,
}

impl Identity {
    pub fn is_root(self) -> bool {
        self.uid == 0
    }
}

/// The role of a file, which decides which owners and modes are trusted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// A user's private file, owned by that user or root. The first write removes group and other bits and the ACL.
    User,
    /// The administrator's file. Root must own it and every symlink on its path.
    Global {
        /// Users and groups that are trusted like root.
        trusted: Trusted,
    },
}

/// The users and groups that can replace this program. They are also trusted with its global file.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Trusted {
    /// The uid that owns the executable.
    pub owner: Option<u32>,
    /// The gid that can write to the directory of the executable.
    pub group: Option<u32>,
}

impl Role {
    pub(super) fn is_private(self) -> bool {
        matches!(self, Self::User)
    }

    /// The bits of an old file's mode that are kept.
    pub(super) fn allowed(self, mode: u32) -> u32 {
        if self.is_private() { mode & 0o700 } else { mode }
    }
}
