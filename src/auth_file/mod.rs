//! Where logins to OCI registries are kept: the auth file that docker, podman, skopeo and Apptainer share,
//! and the credential helpers that it names.

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

/// More than this is no file of logins.
const LIMIT: u64 = 16 * 1024 * 1024;

/// An auth file, there or not.
#[derive(Clone, Debug)]
pub struct AuthFile {
    /// Where it is, links not yet resolved.
    pub path: PathBuf,
    /// Who reads and writes it.
    pub identity: Identity,
}

/// An auth file as read.
#[derive(Clone, Debug, Default)]
pub struct Loaded {
    /// What it says; empty where there is none.
    pub document: Document,
    /// Why nothing may be written to it.
    pub distrust: Option<Distrust>,
    /// It holds a secret, and others can read it.
    pub readable: Option<Distrust>,
    /// Why nobody could look whether it is there; it counts as empty then.
    pub unreachable: Option<String>,
}

impl AuthFile {
    /// Reads the file. Never writes, creates or locks.
    ///
    /// # Errors
    /// It cannot be read, or is no auth file: with the file and the place in it.
    pub fn load(&self) -> Result<Loaded> {
        let state = fsio::read(&self.path, Role::User, self.identity, LIMIT)?;
        let document = self.parse(state.bytes.as_ref().map(|bytes| bytes.as_slice()))?;
        let readable = state.readable.filter(|_| document.holds_secret());
        Ok(Loaded { document, distrust: state.distrust, readable, unreachable: state.unreachable })
    }

    /// Fails where a write would, as far as that can be seen without one.
    ///
    /// # Errors
    /// The file, or the directory that it would be made in, cannot be written.
    pub fn require_writable(&self) -> Result<()> {
        fsio::require_writable(&Target::user(&self.path, LIMIT), self.identity)
    }

    /// Applies `change` to the content as it is under the lock and replaces the file. Returns whether
    /// anything was written.
    ///
    /// # Errors
    /// Those of `change`, of reading, and of every step of the write: the file is then as it was.
    pub fn edit(&self, talk: &Talk, change: &mut dyn FnMut(&mut Document) -> Result<()>) -> Result<bool> {
        fsio::update(&Target::user(&self.path, LIMIT), self.identity, talk, &mut |bytes| {
            let before = self.parse(bytes)?;
            let mut document = before.clone();
            change(&mut document)?;
            Ok((document != before).then(|| document.to_bytes()))
        })
    }

    /// The helper that this file names for something, found. Root runs none that somebody else's file names.
    ///
    /// # Errors
    /// It cannot be found or must not be run.
    pub fn find_helper(&self, suffix: &str, helpers: &Helpers) -> Result<Helper> {
        let named = |failure: Failure| {
            failure.hint(format!("correct credsStore or credHelpers in {}", self.path.display()))
        };
        if self.identity.is_root() {
            let roots =
                fsio::read(&self.path, Role::Global { trusted: Trusted::default() }, self.identity, LIMIT)?;
            if let Some(distrust) = roots.distrust {
                // The remedy of a distrust would take the file away from its user.
                let why = distrust.sentence();
                return Err(named(
                    Failure::new(format!("the credential helper {suffix:?} is not run as root: {why}"))
                        .hint("run the command as that user, or with root's own home: sudo -H"),
                ));
            }
        }
        helpers.find(suffix).map_err(named)
    }

    fn parse(&self, bytes: Option<&[u8]>) -> Result<Document> {
        Document::parse(bytes).map_err(|problem| {
            Failure::new(format!("{}:{problem}", self.path.display()))
                .hint(format!("correct {}; nothing in it was changed", self.path.display()))
        })
    }
}
