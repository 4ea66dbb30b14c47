//! One layer as a file: read it, or lock → re-read → apply → replace.

use super::{Config, yaml};
use crate::error::{Failure, Result};
use crate::fsio::{self, Distrust, Identity, Role, Target};
use crate::hint::Hint;
use crate::message::Talk;
use std::path::{Path, PathBuf};

/// More than this is no configuration: 100,000 remotes take a third of it.
pub(crate) const LIMIT: u64 = 64 * 1024 * 1024;

/// A layer's file.
#[derive(Clone, Debug)]
pub struct ConfigFile {
    /// Where it is, links not yet resolved.
    pub path: PathBuf,
    /// The user's or the global layer: whom to trust, and the modes.
    pub role: Role,
    /// Stands in for a file that does not exist: nothing, or the built-in remote.
    pub absent: Config,
    /// What to type where the file's directory cannot be used.
    pub elsewhere: Option<Hint>,
}

/// A layer as read.
#[derive(Clone, Debug, Default)]
pub struct Loaded {
    /// What it says.
    pub config: Config,
    /// Why nothing of it may be believed that matters; a command that would mend it.
    pub distrust: Option<Distrust>,
    /// Keys that no program knows, for a warning.
    pub unknown: Vec<yaml::UnknownKey>,
    /// How many more of them there are.
    pub more_unknown: usize,
    /// It holds a secret, and others can read it.
    pub readable: Option<Distrust>,
    /// There is no such file.
    pub absent: bool,
    /// Why nobody could look whether the file is there; it counts as empty then.
    pub unreachable: Option<String>,
}

impl ConfigFile {
    /// Reads the layer. Never writes, creates or locks.
    ///
    /// # Errors
    /// The file cannot be read, or is no layer: with file, line, column and key.
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

    /// Fails where a write would, as far as that can be seen without one: before anybody is asked for what
    /// could not be kept.
    ///
    /// # Errors
    /// The file, or the directory that it would be made in, cannot be written.
    pub fn require_writable(&self, identity: Identity) -> Result<()> {
        fsio::require_writable(&self.target(), identity)
    }

    /// Applies `change` to the content as it is under the lock, then `tidy` if that changed something, and
    /// replaces the file. Returns whether anything was written.
    ///
    /// # Errors
    /// Those of `change`, of reading, and of every step of the write: the file is then as it was.
    pub fn edit(
        &self,
        identity: Identity,
        talk: &Talk,
        change: &mut dyn FnMut(&mut Config) -> Result<()>,
        tidy: &dyn Fn(&mut Config),
    ) -> Result<bool> {
        fsio::update(&self.target(), identity, talk, &mut |bytes| {
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
        })
    }

    fn target(&self) -> Target<'_> {
        let target = match self.role {
            Role::User => Target::user(&self.path, LIMIT),
            Role::Global { trusted } => Target::global(&self.path, trusted, LIMIT),
        };
        Target { elsewhere: self.elsewhere.clone(), ..target }
    }

    /// The content as a write would find it, without the lock.
    ///
    /// # Errors
    /// As `load`, and a key that the write would lose.
    pub fn load_to_write(&self, identity: Identity) -> Result<Config> {
        match fsio::read(&self.path, self.role, identity, LIMIT)?.bytes {
            Some(bytes) => self.parse_to_write(&bytes),
            None => Ok(self.absent.clone()),
        }
    }

    /// An unknown key would be lost by the write, so it stops it.
    fn parse_to_write(&self, bytes: &[u8]) -> Result<Config> {
        let parsed = parse(&self.path, bytes)?;
        match parsed.unknown.first() {
            None => Ok(parsed.config),
            Some(unknown) => {
                let what = unknown.at(&self.path);
                Err(Failure::new(format!("{what}: nothing was written, since that would lose it")).hint(
                    format!("correct or remove the key in {}, then repeat the command", self.path.display()),
                ))
            }
        }
    }
}

/// Parses with the file's name in the error.
///
/// # Errors
/// `FILE:LINE:COLUMN: KEY: what is wrong`.
pub(crate) fn parse(path: &Path, bytes: &[u8]) -> Result<yaml::Parsed> {
    yaml::read(bytes).map_err(|error| {
        Failure::new(format!("while parsing remote config data: {}", error.at(path)))
            .hint(format!("correct {}; nothing in it was changed", path.display()))
    })
}
