//! Where logins to registries are kept: the auth file, the helpers that it names, and the environment.

use super::Session;
use super::migrate::migrate;
use crate::auth_file::{AuthFile, Document, Helper, Helpers, Loaded};
use crate::error::{Failure, Result};
use crate::hint::Hint;
use crate::paths::AuthPath;
use crate::uri::ServiceUri;
use std::path::PathBuf;

/// A variable that holds an auth file's text and comes before every file.
pub(crate) const ENVIRONMENT: &str = "DOCKER_AUTH_CONFIG";

/// Where the logins of this command are.
pub struct Store {
    /// The file to read.
    pub file: AuthFile,
    /// The file to write, where that is another one.
    pub target: AuthFile,
    /// It was named by an option or a variable: `remote.yaml` is not about it.
    pub chosen: bool,
    /// Runs the helpers that the file names.
    helpers: Helpers,
    /// What to type where there is no place for the file.
    pub elsewhere: Hint,
}

/// Who keeps a login.
pub enum Keeper {
    File,
    Helper(Helper),
}

impl Session<'_> {
    /// The auth file that holds the logins to registries.
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
            // Somebody at a terminal may be typing a passphrase.
            patience: self.ctx.limits.helper * if self.ctx.terminals.stdin() { 6 } else { 1 },
        };
        let target = at(path);
        Ok(Store { file: copy_of.map_or_else(|| target.clone(), at), target, chosen, helpers, elsewhere })
    }
}

impl Store {
    /// The file's content; what is odd about it is said.
    ///
    /// # Errors
    /// It cannot be read, or is no auth file.
    pub fn load(&self, session: &Session) -> Result<Loaded> {
        let loaded = self.file.load()?;
        session.say_read(&self.file.path, false);
        session.warn_readable(loaded.readable.as_ref());
        if let Some(why) = &loaded.unreachable {
            session.ctx.talk.warning(format!("ignoring the registry logins: {why}"));
        }
        Ok(loaded)
    }

    /// The file's content, if it may be believed and written.
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

    /// Finds a helper that the file names.
    ///
    /// # Errors
    /// It cannot be found or must not be run.
    pub fn find_helper(&self, suffix: &str) -> Result<Helper> {
        self.file.find_helper(suffix, &self.helpers)
    }

    /// Copies a `~/.singularity` that stands in, before the first write.
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

/// The logins that the environment holds, which come before those of every file.
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
