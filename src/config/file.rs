//! The file of one layer: reading it, and changing it under a lock.

use super::{Config, yaml};
use crate::error::{Failure, Result};
use crate::fsio::{self, Distrust, Identity, Role, Target};
use crate::hint::Hint;
use crate::message::Talk;
use std::path::{Path, PathBuf};

/// Maximum size of a file, in bytes. 100,000 remotes need a third of it.
pub(crate) const LIMIT: u64 = 64 * 1024 * 1024;

/// A layer's file.
#[derive(Clone, Debug)]
pub struct ConfigFile {
    /// The path, with symlinks not yet resolved.
    pub path: PathBuf,
    /// The user's or the global layer. Decides which owners are trusted, and the modes.
    pub role: Role,
    /// The content if the file does not exist: empty, or the built-in remote.
    pub absent: Config,
    /// Shown if the file's directory is unusable: how to use another one.
    pub elsewhere: Option<Hint>,
}

/// A layer that was read from its file.
#[derive(Clone, Debug, Default)]
pub struct Loaded {
    pub config: Config,
    /// Why the file is untrusted, and how to fix it.
    pub distrust: Option<Distrust>,
    /// Unknown keys, for warnings.
    pub unknown: Vec<yaml::UnknownKey>,
    /// The number of unknown keys that are not in `unknown`.
    pub more_unknown: usize,
    /// Set if the file contains a secret and others can read it.
    pub readable: Option<Distrust>,
    /// The file does not exist.
    pub absent: bool,
    /// Set if a directory on the path is inaccessible: path and cause. The layer counts as empty.
    pub unreachable: Option<String>,
}

impl ConfigFile {
    /// Reads the layer. Never writes, creates or locks.
    ///
    /// # Errors
    /// The file cannot be read, or its content is invalid. The message then has file, line, column and key.
    pub fn load(&self, identity: Identity) -> Result<Loaded> {
        let state = fsio::read(&self.path, self.role, identity, LIMIT)?;
        let yaml::Parsed { config, unknown, more_unknown, .. } = match &state.bytes {
            Some(bytes) => parse(&self.path, bytes)?,
            None => yaml::Parsed { config: self.absent.clone(), ..yaml::Parsed::default() },
        };
        let absent = state.bytes.is_none() && state.unreachable.is_none();
        let (distrust, unreachable) = (state.distrust, state.unreachable);
        let readable = state.readable.filter(|_| config.holds_secret());
        Ok(Loaded { config, distrust, readable, unknown, more_unknown, absent, unreachable })
    }

    /// Fails if a write would fail, as far as that can be determined without writing. Called before a prompt, so that
    /// nobody types a secret that cannot be stored.
    ///
    /// # Errors
    /// The file, or the directory in which it would be created, is not writable.
    pub fn require_writable(&self, identity: Identity) -> Result<()> {
        fsio::require_writable(&self.target(), identity)
    }

    /// Locks the file, reads it, applies `change`, then `tidy` if `change` changed anything, and replaces the file.
    /// Returns whether anything was written.
    ///
    /// # Errors
    /// Those of `change`, of reading and of writing. The file then keeps its old content.
    pub fn edit(
        &self,
        identity: Identity,
        talk: &Talk,
        change: &mut dyn FnMut(&mut Config) -> Result<()>,
        tidy: &dyn Fn(&mut Config),
    ) -> Result<bool> {
        let changed = fsio::update(&self.target(), identity, talk, &mut |bytes| {
            let before = match bytes {
                Some(bytes) => self.parse_to_write(bytes)?,
                None => self.absent.clone(),
            };
            let mut config = before.clone();
            change(&mut config)?;
            if config == before {
                return Ok(None);
            }
            tidy(&mut config);
            Ok(Some(yaml::write(&config)))
        })?;
        if changed {
            talk.verbose(format!("wrote {}", self.path.display()));
        }
        Ok(changed)
    }

    fn target(&self) -> Target<'_> {
        let target = match self.role {
            Role::User => Target::user(&self.path, LIMIT),
            Role::Global { trusted } => Target::global(&self.path, trusted, LIMIT),
        };
        Target { elsewhere: self.elsewhere.clone(), ..target }
    }

    /// Reads the content as `edit` does, but without the lock.
    ///
    /// # Errors
    /// Those of `load`, and an unknown key, which a write would drop.
    pub fn load_to_write(&self, identity: Identity) -> Result<Config> {
        match fsio::read(&self.path, self.role, identity, LIMIT)?.bytes {
            Some(bytes) => self.parse_to_write(&bytes),
            None => Ok(self.absent.clone()),
        }
    }

    /// Parses the content for a change. Fails at an unknown key, because the write would drop it.
    fn parse_to_write(&self, bytes: &[u8]) -> Result<Config> {
        let parsed = parse(&self.path, bytes)?;
        match parsed.unknown.first() {
            None => Ok(parsed.config),
            Some(unknown) => {
                let what = unknown.at(&self.path);
                Err(Failure::new(format!("{what}: not saved, because saving would drop that key")).hint(
                    format!("fix or remove the key in {}, then run the command again", self.path.display()),
                ))
            }
        }
    }
}

/// Parses the content of the file `path`.
///
/// # Errors
/// `FILE:LINE:COLUMN: KEY: what is wrong`.
pub(crate) fn parse(path: &Path, bytes: &[u8]) -> Result<yaml::Parsed> {
    yaml::read(bytes).map_err(|error| {
        Failure::new(format!("while parsing remote config data: {}", error.at(path)))
            .hint(format!("fix {}; it was not changed", path.display()))
    })
}
