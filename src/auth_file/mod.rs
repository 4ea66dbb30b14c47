//! Storage of logins to OCI registries: the auth file that Docker, Podman, Skopeo and Apptainer share, and the
//! credential helpers configured in it.

mod document;
mod duplicates;
pub mod helper;
mod key;

pub use document::{Document, Entry, Keeper};
pub use helper::{Helper, Helpers};
pub use key::{HUB_KEY, is_same_login, key_of};

use crate::error::{Failure, Result};
use crate::fsio::{self, Distrust, Identity, Role, Target, Trusted};
use crate::message::Talk;
use std::path::PathBuf;

/// Maximum size of an auth file, in bytes.
const LIMIT: u64 = 16 * 1024 * 1024;

/// An auth file, which need not exist.
#[derive(Clone, Debug)]
pub struct AuthFile {
    /// The path, with symlinks not yet resolved.
    pub path: PathBuf,
    /// The user who reads and writes it.
    pub identity: Identity,
}

/// An auth file that was read.
#[derive(Clone, Debug, Default)]
pub struct Loaded {
    /// The content. Empty if the file does not exist.
    pub document: Document,
    /// Why the file is untrusted, so that writing to it is refused.
    pub distrust: Option<Distrust>,
    /// Set if the file contains a secret and others can read it.
    pub readable: Option<Distrust>,
    /// Set if a directory on the path is inaccessible: path and cause. The file counts as empty.
    pub unreachable: Option<String>,
}

impl AuthFile {
    /// Reads the file. Never writes, creates or locks.
    ///
    /// # Errors
    /// The file cannot be read, or its content is invalid. The message then has the file and the position or key.
    pub fn load(&self) -> Result<Loaded> {
        let state = fsio::read(&self.path, Role::User, self.identity, LIMIT)?;
        let document = self.parse(state.bytes.as_ref().map(|bytes| bytes.as_slice()))?;
        let readable = state.readable.filter(|_| document.holds_secret());
        Ok(Loaded { document, distrust: state.distrust, readable, unreachable: state.unreachable })
    }

    /// Fails if a write would fail, as far as that can be determined without writing.
    ///
    /// # Errors
    /// The file, or the directory in which it would be created, is not writable.
    pub fn require_writable(&self) -> Result<()> {
        fsio::require_writable(&Target::user(&self.path, LIMIT), self.identity)
    }

    /// Locks the file, reads it, applies `change` and replaces the file. Returns whether anything was written.
    ///
    /// # Errors
    /// Those of `change`, of reading and of writing. The file then keeps its old content.
    pub fn edit(&self, talk: &Talk, change: &mut dyn FnMut(&mut Document) -> Result<()>) -> Result<bool> {
        let changed = fsio::update(&Target::user(&self.path, LIMIT), self.identity, talk, &mut |bytes| {
            let before = self.parse(bytes)?;
            let mut document = before.clone();
            change(&mut document)?;
            Ok((document != before).then(|| document.to_bytes()))
        })?;
        if changed {
            talk.verbose(format!("wrote {}", self.path.display()));
        }
        Ok(changed)
    }

    /// Finds the credential helper `docker-credential-SUFFIX` that this file names. Root does not run a helper that
    /// another user's file names.
    ///
    /// # Errors
    /// The helper cannot be found or must not be run.
    pub fn find_helper(&self, suffix: &str, helpers: &Helpers) -> Result<Helper> {
        let named = |failure: Failure| {
            failure.hint(format!("fix credsStore or credHelpers in {}", self.path.display()))
        };
        if self.identity.is_root() {
            let roots =
                fsio::read(&self.path, Role::Global { trusted: Trusted::default() }, self.identity, LIMIT)?;
            if let Some(distrust) = roots.distrust {
                // The usual remedy would change the owner, so the user could no longer use the file.
                let why = distrust.sentence();
                return Err(named(
                    Failure::new(format!("refusing to run the credential helper {suffix:?} as root: {why}"))
                        .hint("run the command as that user, or with root's home directory: sudo -H"),
                ));
            }
        }
        helpers.find(suffix).map_err(named)
    }

    fn parse(&self, bytes: Option<&[u8]>) -> Result<Document> {
        Document::parse(bytes).map_err(|problem| {
            let between = if problem.starts_with(|c: char| c.is_ascii_digit()) { ":" } else { ": " };
            Failure::new(format!("{}{between}{problem}", self.path.display()))
                .hint(format!("fix {}; it was not changed", self.path.display()))
        })
    }
}
