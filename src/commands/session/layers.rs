//! Reads, merges and changes the two layers: the user's remote.yaml and the global one.

use super::Session;
use super::migrate::migrate;
use crate::config::Config;
use crate::config::file::{ConfigFile, Loaded};
use crate::config::layers::{Effective, merge};
use crate::error::{Failure, Result};
use crate::fsio::{Distrust, Role, Trusted};
use crate::hint::{CommandLine, Hint};
use crate::message::Level;
use crate::paths::NoHome;
use std::path::{Path, PathBuf};

/// Both layers, merged.
pub struct Layers {
    /// The merged configuration that commands use.
    pub effective: Effective,
    /// Set if the user's file is untrusted.
    pub user_distrust: Option<Distrust>,
    /// Set if the global file is untrusted.
    pub global_distrust: Option<Distrust>,
}

impl Session<'_> {
    /// The file of the global layer. If it does not exist, the built-in remote is used.
    pub fn global_file(&self) -> ConfigFile {
        self.global_file_of(self.paths.who_can_replace_exe())
    }

    fn global_file_of(&self, trusted: Trusted) -> ConfigFile {
        ConfigFile {
            path: self.paths.global_file.clone(),
            role: Role::Global { trusted },
            absent: Config::built_in(self.ctx.persona),
            elsewhere: None,
        }
    }

    /// Reads the global layer. Looks up who else can replace this program only if the file is untrusted otherwise.
    fn read_global(&self) -> Result<Loaded> {
        let loaded = self.global_file_of(Trusted::default()).load(self.identity())?;
        match loaded.distrust {
            Some(_) => self.global_file().load(self.identity()),
            None => Ok(loaded),
        }
    }

    /// The user layer's file, for writing.
    ///
    /// # Errors
    /// There is no usable home.
    pub fn user_file(&self) -> Result<ConfigFile> {
        let export = |variable: &str| CommandLine::new(&format!("export {variable}=DIRECTORY"));
        let elsewhere = Hint::from(export(&format!("{}CONFIGDIR", self.ctx.persona.prefixes()[0])));
        match self.paths.user_file() {
            // That variable has no effect on a file that was given explicitly.
            Ok(path) => Ok(self.layer_of_user(path, self.paths.chosen_file.is_none().then_some(elsewhere))),
            Err(NoHome::Unusable(why)) => {
                Err(Failure::new(format!("cannot store settings: {why}")).hint(elsewhere))
            }
            Err(unknown) => Err(Failure::new(unknown).hint(export("HOME")).hint(elsewhere)),
        }
    }

    fn layer_of_user(&self, path: PathBuf, elsewhere: Option<Hint>) -> ConfigFile {
        ConfigFile { path, role: Role::User, absent: Config::default(), elsewhere }
    }

    /// Reads the global layer and prints its warnings.
    ///
    /// # Errors
    /// The file is unreadable or invalid, or it is untrusted and the user is root.
    pub fn load_global(&self) -> Result<Loaded> {
        let loaded = self.read_global()?;
        self.say_read(&self.paths.global_file, loaded.absent);
        if self.ctx.exe.as_os_str().is_empty() {
            self.ctx.talk.warning(format!(
                "/proc is not mounted, so this program does not know where it is installed: it acts as {} and reads {}",
                self.ctx.persona.title(),
                self.paths.global_file.display()
            ));
        }
        if let Some(distrust) = &loaded.distrust {
            if self.ctx.is_root() {
                return Err(distrust.clone().into_failure());
            }
            self.warn_distrust(distrust, "its remotes will not be sent tokens");
        }
        self.warn_unknown(&self.paths.global_file, &loaded);
        Ok(loaded)
    }

    /// Reads the global layer again for a comparison, without repeating its warnings.
    ///
    /// # Errors
    /// The file cannot be read.
    pub fn reload_global(&self) -> Result<Config> {
        self.read_global().map(|loaded| loaded.config)
    }

    /// Reads the user layer and prints its warnings. A layer in an unreadable home counts as empty.
    ///
    /// # Errors
    /// The file itself is unreadable or invalid.
    pub fn load_user(&self) -> Result<Loaded> {
        let loaded = match self.paths.user_file() {
            Ok(mut path) => {
                let read = |path: &Path| self.layer_of_user(path.into(), None).load(self.identity());
                let mut loaded = read(&path)?;
                // Checked only now, because usually there is no `~/.singularity` to fall back to.
                if loaded.absent
                    && let Ok(other) = self.paths.user_file_to_read()
                    && other != path
                {
                    path = other;
                    loaded = read(&path)?;
                }
                self.say_read(&path, loaded.absent);
                if loaded.absent && self.paths.chosen_file.is_some() {
                    self.ctx
                        .talk
                        .info(format!("{} does not exist: using no remotes of your own", path.display()));
                }
                self.warn_unknown(&path, &loaded);
                self.warn_readable(loaded.readable.as_ref());
                loaded
            }
            Err(NoHome::Unusable(why)) => Loaded { unreachable: Some(why), ..Loaded::default() },
            Err(NoHome::Unknown(_)) => return self.user_file().map(|_| Loaded::default()),
        };
        if let Some(why) = &loaded.unreachable {
            self.ctx.talk.warning(format!("ignoring your remote.yaml: {why}"));
        }
        if let Some(distrust) = &loaded.distrust {
            self.warn_distrust(distrust, "it will not be written, and its tokens will not be sent");
        }
        Ok(loaded)
    }

    /// Reads and merges both layers.
    ///
    /// # Errors
    /// Either layer cannot be read.
    pub fn load(&self) -> Result<Layers> {
        let global = self.load_global()?;
        let user = self.load_user()?;
        Ok(Layers {
            effective: merge(user.config, global.config, self.ctx.persona),
            user_distrust: user.distrust,
            global_distrust: global.distrust,
        })
    }

    /// Reads and merges both layers without messages, for hints. `None` if they cannot be read.
    pub fn read_quietly(&self) -> Option<Effective> {
        let global = self.read_global().ok()?.config;
        let path = self.paths.user_file_to_read().ok()?;
        let user = self.layer_of_user(path, None).load(self.identity()).ok()?.config;
        Some(merge(user, global, self.ctx.persona))
    }

    /// Like `load`, for a command that will change the user layer: problems with the file stop the command before
    /// it prompts for anything. The returned global layer is for [`Session::edit_user`].
    ///
    /// # Errors
    /// Either layer cannot be read, or the user's is untrusted or contains keys that saving would drop.
    pub fn load_to_write(&self) -> Result<(Layers, Config)> {
        let global = self.load_global()?;
        let user = self.load_user()?;
        if let Some(distrust) = user.distrust {
            return Err(distrust.into_failure());
        }
        if let Some(why) = user.unreachable {
            let failure = Failure::new(why);
            return Err(self.user_file()?.elsewhere.into_iter().fold(failure, Failure::hint));
        }
        if let (false, Ok(path)) = (user.unknown.is_empty(), self.paths.user_file_to_read()) {
            self.layer_of_user(path, None).load_to_write(self.identity())?;
        }
        let layers = Layers {
            effective: merge(user.config, global.config.clone(), self.ctx.persona),
            user_distrust: None,
            global_distrust: global.distrust,
        };
        Ok((layers, global.config))
    }

    /// The user layer as it is after a write, merged with `global`.
    ///
    /// # Errors
    /// The file cannot be read.
    pub fn merged_with(&self, global: Config) -> Result<Effective> {
        let user = self.user_file()?.load(self.identity())?;
        self.warn_readable(user.readable.as_ref());
        Ok(merge(user.config, global, self.ctx.persona))
    }

    /// Changes the user layer. `change` gets the content under the lock. Every write also drops entries that only
    /// copy a global remote. Returns whether anything changed.
    ///
    /// # Errors
    /// `change` or the write failed.
    pub fn edit_user(
        &self,
        global: &Config,
        change: &mut dyn FnMut(&mut Config) -> Result<()>,
    ) -> Result<bool> {
        let file = self.user_file()?;
        let tidy = |config: &mut Config| config.drop_copies(|name| global.remotes.contains_key(name));
        if !self.migrate_if_needed(change)? {
            return Ok(false);
        }
        file.edit(self.identity(), &self.ctx.talk, change, &tidy)
    }

    /// Creates `~/.apptainer` from a `~/.singularity` that is still used in its place, if `change` changes
    /// anything. Returns whether there is anything to write.
    fn migrate_if_needed(&self, change: &mut dyn FnMut(&mut Config) -> Result<()>) -> Result<bool> {
        let (None, Some(legacy), Ok(fresh)) =
            (&self.paths.chosen_file, self.paths.legacy_dir(), &self.paths.user_dir)
        else {
            return Ok(true);
        };
        let path = legacy.join("remote.yaml");
        let before = self.layer_of_user(path, None).load_to_write(self.identity())?;
        let mut config = before.clone();
        change(&mut config)?;
        if config == before {
            return Ok(false);
        }
        migrate(legacy, fresh, self.identity(), &self.ctx.talk)?;
        Ok(true)
    }

    /// Changes the global layer; root only. `again` is the command to suggest to other users.
    ///
    /// # Errors
    /// `change` or the write failed, or the user is not root.
    pub fn edit_global(
        &self,
        again: CommandLine,
        change: &mut dyn FnMut(&mut Config) -> Result<()>,
    ) -> Result<bool> {
        self.require_root("global endpoint configuration file", again)?;
        self.global_file().edit(self.identity(), &self.ctx.talk, change, &|_| {})
    }

    /// Tells which file was read, to a user who asked for details.
    pub fn say_read(&self, path: &Path, absent: bool) {
        if self.ctx.talk.shows(Level::Debug) {
            let how = if absent { "does not exist" } else { "was read" };
            self.ctx.talk.debug(format!("{} {how}", path.display()));
        }
    }

    fn warn_distrust(&self, distrust: &Distrust, consequence: &str) {
        let (why, advice) = (distrust.sentence(), distrust.remedy.advice());
        self.ctx.talk.warning(format!("{why}: {consequence}; {advice}"));
    }

    /// Warns if other users can read a file that contains a secret. The real programs fix its mode immediately,
    /// this program at the next write.
    pub fn warn_readable(&self, readable: Option<&Distrust>) {
        if let Some(readable) = readable {
            let (why, advice) = (readable.sentence(), readable.remedy.advice());
            self.ctx.talk.warning(format!("{why} and contains a token or password; {advice}"));
        }
    }

    fn warn_unknown(&self, path: &Path, loaded: &Loaded) {
        for unknown in &loaded.unknown {
            let program = self.ctx.persona.title();
            self.ctx.talk.warning(format!("{} ({program} rejects this file)", unknown.at(path)));
        }
        if loaded.more_unknown > 0 {
            let (path, count) = (path.display(), loaded.more_unknown);
            self.ctx.talk.warning(format!("{path}: {count} more unknown keys are not listed"));
        }
    }
}
