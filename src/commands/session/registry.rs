//! The store of registry logins: the auth file, the credential helpers it names, and the environment.

use super::Session;
use super::migrate::migrate;
use crate::auth_file::{AuthFile, Document, Helper, Helpers, Loaded};
use crate::error::{Failure, Result};
use crate::hint::Hint;
use crate::paths::AuthPath;
use crate::uri::ServiceUri;
use std::path::PathBuf;

/// A variable that holds the text of an auth file and takes precedence over all files.
pub(crate) const ENVIRONMENT: &str = "DOCKER_AUTH_CONFIG";

/// The auth file that a command works on.
pub struct Store {
    pub file: AuthFile,
    /// The file to write. It differs from `file` if that is to be migrated first.
    pub target: AuthFile,
    /// Set by an option or a variable, so its logins are not listed in `remote.yaml`.
    pub chosen: bool,
    /// Runs the credential helpers that the file names.
    helpers: Helpers,
    /// Hint for when the file's directory is unusable.
    pub elsewhere: Hint,
}

/// Where a login is stored.
pub enum Keeper {
    File,
    Helper(Helper),
}

impl Session<'_> {
    /// Finds the auth file for registry logins.
    ///
    /// # Errors
    /// There is no usable home for it.
    pub fn auth_store(&self, authfile: Option<PathBuf>) -> Result<Store> {
        let AuthPath { file, copy_of, chosen } = {
            let variable = |name| self.ctx.variable(name).map(|found| PathBuf::from(found.value));
            self.paths.auth_file(authfile.or_else(|| variable("AUTH_FILE")).or_else(|| variable("AUTHFILE")))
        };
        let prefix = self.ctx.persona.prefixes()[0];
        let elsewhere = Hint::from(format!(
            "to keep logins in another file: --authfile FILE, or export {prefix}AUTH_FILE=FILE"
        ));
        let path =
            file.map_err(|why| Failure::new(format!("cannot store logins: {why}")).hint(elsewhere.clone()))?;
        let at = |path| AuthFile { path, identity: self.identity() };
        let helpers = Helpers {
            env: self.ctx.env.iter().map(|(name, value)| (name.clone(), value.clone())).collect(),
            uid: self.ctx.user.uid,
            // A user at the terminal may need time to type a passphrase.
            patience: self.ctx.limits.helper * if self.ctx.terminals.stdin() { 6 } else { 1 },
        };
        let target = at(path);
        Ok(Store { file: copy_of.map_or_else(|| target.clone(), at), target, chosen, helpers, elsewhere })
    }
}

impl Store {
    /// Reads the file and prints its warnings.
    ///
    /// # Errors
    /// It cannot be read, or is not a valid auth file.
    pub fn load(&self, session: &Session) -> Result<Loaded> {
        let loaded = self.file.load()?;
        session.say_read(&self.file.path, false);
        session.warn_readable(loaded.readable.as_ref());
        if let Some(why) = &loaded.unreachable {
            session.ctx.talk.warning(format!("ignoring the registry logins: {why}"));
        }
        Ok(loaded)
    }

    /// Reads the file. Fails if it is untrusted or cannot be written.
    pub fn load_to_write(&self, session: &Session) -> Result<Document> {
        let loaded = self.file.load()?;
        session.warn_readable(loaded.readable.as_ref());
        if let Some(distrust) = loaded.distrust {
            return Err(distrust.into_failure());
        }
        match loaded.unreachable {
            Some(why) => Err(Failure::new(why).hint(self.elsewhere.clone())),
            None => Ok(loaded.document),
        }
    }

    /// Finds a credential helper that the file names.
    ///
    /// # Errors
    /// It cannot be found or must not be run.
    pub fn find_helper(&self, suffix: &str) -> Result<Helper> {
        self.file.find_helper(suffix, &self.helpers)
    }

    /// Before the first write: migrates a `~/.singularity` that is still used in place of `~/.apptainer`.
    pub fn prepare(&self, session: &Session) -> Result<()> {
        match (session.paths.legacy_dir(), &session.paths.user_dir) {
            (Some(legacy), Ok(fresh)) if !self.chosen => {
                migrate(legacy, fresh, session.identity(), &session.ctx.talk)
            }
            _ => Ok(()),
        }
    }

    pub fn keeper(&self, document: &Document, uri: &ServiceUri) -> Result<Keeper> {
        match document.helper_for(uri) {
            Some(suffix) => self.find_helper(suffix).map(Keeper::Helper),
            None => Ok(Keeper::File),
        }
    }
}

/// The logins in the environment, which take precedence over those in files.
pub(crate) fn environment(session: &Session) -> Option<Document> {
    let text = session.ctx.env.get(ENVIRONMENT)?;
    match Document::parse(Some(text.as_encoded_bytes())) {
        Ok(document) => Some(document),
        Err(problem) => {
            session.ctx.talk.warning(format!("ignoring {ENVIRONMENT}: {problem}"));
            None
        }
    }
}
