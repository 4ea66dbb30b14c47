//! What every command works on: the process, the two layers, and the way to change one of them.

pub mod access;
pub mod library;
pub mod migrate;

use crate::config::Config;
use crate::config::file::{ConfigFile, Loaded};
use crate::config::layers::{Effective, Note, Origin, Remote, merge};
use crate::context::Context;
use crate::error::{Failure, Result};
use crate::executable::{only_roots_path, sudo_finds};
use crate::fsio::{Distrust, Identity, Role, Trusted};
use crate::message::quoted;
use crate::paths::{NoHome, Paths, Surroundings};
use crate::uri::{EndpointUri, may_hold_password};
use migrate::migrate;
use std::path::{Path, PathBuf};

/// The keyserver of Apptainer's default remote, which no discovery tells.
pub const CLOUD_APPTAINER_KEYSERVER: &str = "https://keys.openpgp.org";

/// One command's view of the world.
pub struct Session<'a> {
    /// The process.
    pub ctx: &'a mut Context,
    /// Where the layers are.
    pub paths: Paths,
}

/// Both layers as read, and together.
pub struct Layers {
    /// What commands see.
    pub effective: Effective,
    /// Why the user's file is not to be trusted.
    pub user_distrust: Option<Distrust>,
    /// Why the global file is not to be trusted.
    pub global_distrust: Option<Distrust>,
}

impl<'a> Session<'a> {
    /// Resolves the paths; `config` is `--config FILE` of the group.
    pub fn new(ctx: &'a mut Context, config: Option<PathBuf>) -> Self {
        let surroundings = Surroundings {
            exe: &ctx.exe,
            persona: ctx.persona,
            uid: ctx.user.uid,
            config_dir: ctx.variable("CONFIGDIR").map(|found| found.value.into()),
            home: ctx.env.get("HOME").map(PathBuf::from),
            passwd_home: &*ctx.passwd_home,
        };
        let paths = Paths::resolve(&surroundings, config);
        Self { ctx, paths }
    }

    /// Who acts, for the rules of trust.
    pub fn identity(&self) -> Identity {
        Identity { uid: self.ctx.user.uid }
    }

    /// A command line of this program, for hints: `apptainer GROUP COMMAND`.
    pub fn line(&self, rest: &str) -> String {
        format!("{} {rest}", self.ctx.program())
    }

    /// The words `apptainer remote COMMAND`, for hints.
    pub fn command(&self, rest: &str) -> String {
        self.line(&format!("remote {rest}"))
    }

    /// The global layer's file. Where it does not exist the built-in remote stands in.
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

    /// Reads the global layer. Whose the program is matters only where not everything is root's.
    fn read_global(&self) -> Result<Loaded> {
        let loaded = self.global_file_of(Trusted::default()).load(self.identity())?;
        match loaded.distrust {
            Some(_) => self.global_file().load(self.identity()),
            None => Ok(loaded),
        }
    }

    /// The user layer's file for writing.
    ///
    /// # Errors
    /// There is no usable home.
    pub fn user_file(&self) -> Result<ConfigFile> {
        let elsewhere = format!("export {}CONFIGDIR=DIRECTORY", self.ctx.persona.prefixes()[0]);
        match self.paths.user_file() {
            // A file that was named is not moved by that variable.
            Ok(path) => Ok(self.layer_of_user(path, self.paths.chosen_file.is_none().then_some(elsewhere))),
            Err(NoHome::Unusable(why)) => {
                Err(Failure::new(format!("there is no place for your settings: {why}")).hint(elsewhere))
            }
            Err(unknown) => Err(Failure::new(unknown).hint("export HOME=DIRECTORY").hint(elsewhere)),
        }
    }

    fn layer_of_user(&self, path: PathBuf, elsewhere: Option<String>) -> ConfigFile {
        ConfigFile { path, role: Role::User, absent: Config::default(), elsewhere }
    }

    /// Reads the global layer, with its warnings.
    ///
    /// # Errors
    /// It is unreadable or broken, or cannot be trusted and root asks.
    pub fn load_global(&self) -> Result<Loaded> {
        let loaded = self.read_global()?;
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
            self.warn_distrust(distrust, "no token is sent to a remote that it defines");
        }
        self.warn_unknown(&self.paths.global_file, &loaded);
        Ok(loaded)
    }

    /// The global layer once more, to be compared with: its warnings were said when it was loaded.
    ///
    /// # Errors
    /// Those of reading.
    pub fn reload_global(&self) -> Result<Config> {
        self.read_global().map(|loaded| loaded.config)
    }

    /// Reads the user layer, with its warnings. One in a home that cannot be read is empty.
    ///
    /// # Errors
    /// The file itself is unreadable or broken.
    pub fn load_user(&self) -> Result<Loaded> {
        let loaded = match self.paths.user_file() {
            Ok(mut path) => {
                let read = |path: &Path| self.layer_of_user(path.into(), None).load(self.identity());
                let mut loaded = read(&path)?;
                // Only now: the usual case has nothing that stands in.
                if loaded.absent
                    && let Ok(other) = self.paths.user_file_to_read()
                    && other != path
                {
                    path = other;
                    loaded = read(&path)?;
                }
                self.warn_unknown(&path, &loaded);
                self.warn_readable(loaded.readable.as_ref());
                loaded
            }
            Err(NoHome::Unusable(why)) => Loaded { unreachable: Some(why), ..Loaded::default() },
            Err(NoHome::Unknown(_)) => return self.user_file().map(|_| Loaded::default()),
        };
        if let Some(why) = &loaded.unreachable {
            self.ctx.talk.warning(format!("your own settings are left out: {why}"));
        }
        if let Some(distrust) = &loaded.distrust {
            self.warn_distrust(distrust, "nothing is written to it and no token is sent from it");
        }
        Ok(loaded)
    }

    /// Reads both layers and merges them.
    ///
    /// # Errors
    /// Those of either layer.
    pub fn load(&self) -> Result<Layers> {
        let global = self.load_global()?;
        let user = self.load_user()?;
        Ok(Layers {
            effective: merge(user.config, global.config, self.ctx.persona),
            user_distrust: user.distrust,
            global_distrust: global.distrust,
        })
    }

    /// As `load`, for a command that will change the user's layer: what is wrong with it stops the command
    /// before it asks anybody for anything. The global layer is for [`Session::edit_user`].
    ///
    /// # Errors
    /// Those of either layer; the user's is not to be trusted, or holds what a write would lose.
    pub fn load_to_write(&self) -> Result<(Layers, Config)> {
        let global = self.load_global()?;
        let user = self.load_user()?;
        if let Some(distrust) = user.distrust {
            return Err(distrust.into_failure());
        }
        if let Some(why) = user.unreachable {
            let failure = Failure::new(why);
            return Err(self.user_file()?.elsewhere.iter().fold(failure, Failure::hint));
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

    /// The user's file as it is now, after a write, together with `global`.
    ///
    /// # Errors
    /// Those of reading.
    pub fn merged_with(&self, global: Config) -> Result<Effective> {
        let user = self.user_file()?.load(self.identity())?;
        self.warn_readable(user.readable.as_ref());
        Ok(merge(user.config, global, self.ctx.persona))
    }

    /// Says what the merge noticed: all of it, or only what is about `name`.
    pub fn say_notes(&self, effective: &Effective, name: Option<&str>) {
        for note in &effective.notes {
            if name.is_none_or(|name| note.remote() == name) {
                let text = note.text(self.ctx.program());
                if note.is_warning() { self.ctx.talk.warning(text) } else { self.ctx.talk.info(text) }
            }
        }
    }

    /// Changes the user's layer: `change` sees the content under the lock. Copies of global remotes that
    /// say nothing go with any write.
    ///
    /// # Errors
    /// Those of `change` and of the write.
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

    /// Where `~/.singularity` still stands in for `~/.apptainer`: makes the latter, if `change` changes
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

    /// Refuses everybody but root. `what` is not theirs to modify, `again` is what to type with sudo.
    ///
    /// # Errors
    /// Somebody else than root asks.
    pub fn require_root(&self, what: &str, again: &str) -> Result<()> {
        if self.ctx.is_root() {
            return Ok(());
        }
        let failure = Failure::new(format!("Unable to modify {what}: not root user"));
        Err(self.hint_as_root(failure, again))
    }

    /// Adds a command line that takes root as a hint, and says so where root would run a file that others can
    /// change.
    pub fn hint_as_root(&self, failure: Failure, rest: &str) -> Failure {
        let failure = failure.hint(self.as_root(rest));
        let exe = &self.ctx.exe;
        if self.ctx.is_root() || exe.as_os_str().is_empty() || only_roots_path(exe) {
            return failure;
        }
        let install = format!("sudo install {} /usr/local/bin/", quoted(&exe.to_string_lossy()));
        failure.hint(format!(
            "others than root can change {}: check it first, or give root a copy of its own: {install}",
            exe.display()
        ))
    }

    /// A command line that takes root, for hints: with the path of this program where sudo would not find it.
    pub fn as_root(&self, rest: &str) -> String {
        if self.ctx.is_root() {
            return self.line(rest);
        }
        let exe = &self.ctx.exe;
        if exe.as_os_str().is_empty() || sudo_finds(exe, self.ctx.program()) {
            return format!("sudo {}", self.line(rest));
        }
        format!("sudo {} {rest}", quoted(&exe.to_string_lossy()))
    }

    /// Changes the global layer; root only. `again` is what to type with sudo.
    ///
    /// # Errors
    /// Those of `change` and of the write; somebody else than root asks.
    pub fn edit_global(
        &self,
        again: &str,
        change: &mut dyn FnMut(&mut Config) -> Result<()>,
    ) -> Result<bool> {
        self.require_root("global endpoint configuration file", again)?;
        self.global_file().edit(self.identity(), &self.ctx.talk, change, &|_| {})
    }

    fn warn_distrust(&self, distrust: &Distrust, consequence: &str) {
        let (why, advice) = (distrust.sentence(), distrust.remedy.advice());
        self.ctx.talk.warning(format!("{why}: {consequence}; {advice}"));
    }

    /// Warns of a file that holds a secret and that others can read: the real programs change its mode at once, this
    /// one at the next write.
    pub fn warn_readable(&self, readable: Option<&Distrust>) {
        if let Some(readable) = readable {
            let (why, advice) = (readable.sentence(), readable.remedy.advice());
            self.ctx.talk.warning(format!("{why}, and holds a token or password; {advice}"));
        }
    }

    fn warn_unknown(&self, path: &Path, loaded: &Loaded) {
        for unknown in &loaded.unknown {
            let program = self.ctx.persona.title();
            self.ctx.talk.warning(format!("{}; {program} refuses this file", unknown.at(path)));
        }
        if loaded.more_unknown > 0 {
            let (path, count) = (path.display(), loaded.more_unknown);
            self.ctx.talk.warning(format!("{path}: {count} more unknown keys are not listed"));
        }
    }
}

impl Layers {
    /// The remote called `name`, else the default.
    ///
    /// # Errors
    /// There is none, with what to type instead.
    pub fn find(&self, session: &Session, name: Option<&str>) -> Result<(String, &Remote)> {
        let Some(name) = name.or(self.effective.default.as_deref()) else {
            return Err(Failure::new("no default remote is set").hint(session.command("use NAME")));
        };
        match self.effective.remotes.get(name) {
            Some(remote) => Ok((name.to_string(), remote)),
            None => Err(no_remote(session, name)),
        }
    }

    /// Why no token may be sent from, or to, what these files say of `remote`.
    pub fn token_bar(&self, remote: &Remote) -> Option<Distrust> {
        let global = self.global_distrust.clone().filter(|_| remote.origin == Origin::Global);
        match self.user_distrust.clone() {
            Some(user) => Some(user.and(global)),
            None => global,
        }
    }

    /// Why the token for `remote` is held back, and the one command that mends all of it; `None` if it is not, or
    /// if there is none.
    pub fn held_back(&self, session: &Session, name: &str, remote: &Remote) -> Option<Failure> {
        let bar = self.token_bar(remote)?;
        let has_token = remote.token.is_some() || session.environment_has_token(&remote.uri);
        has_token.then(|| {
            Failure::new(format!("the token for {name} is not sent: {}", bar.sentence()))
                .hint(bar.remedy.to_string())
        })
    }
}

impl Remote {
    /// The address for requests.
    ///
    /// # Errors
    /// There is none, or none that a request could be sent to; with what to type.
    pub fn address(&self, name: &str, session: &Session) -> Result<EndpointUri> {
        if self.uri.is_empty() {
            let text = Note::NoUri(name.into(), self.origin).text(session.ctx.program());
            return Err(Failure::new(text));
        }
        EndpointUri::parse_typed(&self.uri).map(|typed| typed.uri).map_err(|error| {
            let global = if self.origin == Origin::Global { "--global " } else { "" };
            Failure::from(error)
                .context(format!("the address of {name} cannot be used"))
                .hint(session.command(&format!("add {global}--replace {} URI", quoted(name))))
        })
    }
}

/// `NAME is not a remote`, with where to look.
pub fn no_remote(session: &Session, name: &str) -> Failure {
    missing(session, name, "")
}

/// As [`no_remote`], of the global layer.
pub fn no_global_remote(session: &Session, name: &str) -> Failure {
    missing(session, name, "--global ")
}

fn missing(session: &Session, name: &str, global: &str) -> Failure {
    match name.char_indices().nth(8) {
        // Name and address were swapped.
        _ if may_hold_password(name) => Failure::new("an address is not the name of a remote")
            .hint(session.command("list"))
            .hint(session.command(&format!("add {global}NAME URI"))),
        // What is longer than names are may be a token out of place.
        Some((end, _)) if name.chars().count() > 64 => {
            Failure::new(format!("{}… is not a remote", &name[..end])).hint(session.command("list"))
        }
        _ => Failure::new(format!("{name} is not a remote"))
            .hint(session.command("list"))
            .hint(session.command(&format!("add {global}{} URI", quoted(name)))),
    }
}
