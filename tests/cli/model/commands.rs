//! The effect of each command on the layers, according to the specification.

use super::keyservers;
use super::layers::{Entry, Layer, Seen, built_in_remote, default, exclusive, seen, server, typed};
use super::net::{Net, Sent, Site, authorization, out_of_bounds};
use super::notes::{notes, released, unusable};
use super::step::{Add, Command, Login, ROOT, Secret, Step};
use apptainer_remote::persona::Persona;
use std::collections::BTreeSet;

/// Everything that commands change. `None` is a layer without a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Model {
    pub persona: Persona,
    pub global: Option<Layer>,
    pub users: [Option<Layer>; 3],
}

/// The result of a step, other than the changed layers.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Outcome {
    pub code: i32,
    /// The logins that reach servers, exactly.
    pub sent: BTreeSet<Sent>,
    /// The servers that may get requests.
    pub asks: BTreeSet<usize>,
    /// The messages about the layers, as far as `notes::known` covers them.
    pub lines: Vec<String>,
    /// `token.status` of `status --json`.
    pub status: Option<&'static str>,
    /// The output of `keyserver list --json`.
    pub keyservers: Vec<keyservers::Row>,
    /// Whether the user's secret is printed.
    pub password: bool,
}

pub const DONE: i32 = 0;
pub const USAGE: i32 = 1;
pub const FAILED: i32 = 255;

impl From<i32> for Outcome {
    fn from(code: i32) -> Self {
        Self { code, ..Self::default() }
    }
}

impl Model {
    /// The effective global layer: the file, or the built-in one.
    pub fn global(&self) -> Layer {
        self.global.clone().unwrap_or_else(|| Layer::built_in(self.persona))
    }

    pub fn user(&self, who: usize) -> Layer {
        self.users[who].clone().unwrap_or_default()
    }

    fn seen(&self, who: usize, name: &str) -> Option<Seen> {
        seen(&self.global(), &self.user(who), name)
    }

    /// The named remote, or else the default.
    pub fn named(&self, who: usize, name: Option<&String>) -> Option<(String, Seen)> {
        let name = name.cloned().or_else(|| default(&self.global(), &self.user(who)))?;
        self.seen(who, &name).map(|seen| (name, seen))
    }

    /// Every write of a user's layer drops the copies of global remotes without a token. Nothing is
    /// written without a change.
    pub fn write_user(&mut self, who: usize, change: impl FnOnce(&mut Layer)) {
        let mut layer = self.user(who);
        change(&mut layer);
        if layer != self.user(who) {
            let global = self.global();
            layer.remotes.retain(|name, entry| {
                !entry.system || entry.token.is_some() || !global.remotes.contains_key(name)
            });
            self.users[who] = Some(layer);
        }
    }

    /// Without a file, a write of the global layer starts with the built-in one.
    pub fn write_global(&mut self, change: impl FnOnce(&mut Layer)) {
        let mut layer = self.global();
        change(&mut layer);
        if layer != self.global() {
            self.global = Some(layer);
        }
    }

    /// Applies a step; `None` if it would send a request to a server that tests must not use.
    pub fn step(&mut self, step: &Step, net: &Net) -> Option<Outcome> {
        let who = step.who;
        match &step.command {
            Command::Add(add) => self.add(who, add, net),
            Command::Remove { global, name } => Some(self.remove(who, *global, name).into()),
            Command::Rename { global, old, new } => Some(self.rename(who, *global, old, new).into()),
            Command::Use { global, exclusive, name } => {
                Some(self.set_default(who, *global, *exclusive, name))
            }
            Command::Login { name, secret } => self.login(who, name.as_ref(), secret, net),
            Command::Logout { name } => Some(self.logout(who, name.as_ref()).into()),
            Command::LogoutAll => {
                self.logout_all(who);
                Some(DONE.into())
            }
            Command::AddKeyserver { .. } | Command::RemoveKeyserver { .. } => {
                self.keyserver(who, &step.command, net)
            }
            Command::ServiceLogin { uri, named, secret } => {
                Some(self.service_login(who, uri, *named, secret, net))
            }
            Command::ServiceLogout { uri } => {
                self.service_logout(who, uri);
                Some(DONE.into())
            }
            Command::List => {
                let lines = notes(&self.global(), &self.user(who), self.persona);
                Some(Outcome { lines, ..Outcome::default() })
            }
            Command::Keyservers { name } => self.list_keyservers(who, name.as_ref(), net),
            Command::Status { name, strict } => self.status(who, name.as_ref(), *strict, net),
            Command::Password => self.password(who, net),
            Command::Check { global } => Some(self.check(who, *global).into()),
        }
    }

    fn add(&mut self, who: usize, add: &Add, net: &Net) -> Option<Outcome> {
        let named = matches!(&add.login, Login::With(secret) if !secret.piped);
        let absent = add.name.is_empty() || add.uri.is_empty();
        if absent || named && add.global || add.if_absent && add.replace || add.name.starts_with('-') {
            return Some(USAGE.into());
        }
        let name = &add.name;
        if name.trim().is_empty() || name.contains("://") || name.chars().any(char::is_control) {
            return Some(FAILED.into());
        }
        let Some((uri, insecure)) = typed(&add.uri, add.insecure) else { return Some(FAILED.into()) };
        // Invalid tokens are found before anything is added.
        let read = !add.global && (named || !add.if_absent);
        if read && matches!(&add.login, Login::With(secret) if secret.text.contains(' ')) {
            return Some(FAILED.into());
        }
        let in_global = self.global().remotes.contains_key(name);
        if if add.global { who != ROOT } else { in_global && self.persona == Persona::Singularity } {
            return Some(FAILED.into());
        }
        let layer = if add.global { self.global() } else { self.user(who) };
        // A copy of a global remote does not count as the user's own.
        let there = layer.remotes.get(name).filter(|entry| add.global || !(entry.system && in_global));
        let new = Entry { uri, insecure, system: add.global, ..Entry::default() };
        let same = there.map(|old| old.same_server(&new));
        match same {
            Some(false) if add.if_absent => return Some(FAILED.into()),
            Some(true) if add.if_absent => {}
            Some(_) if !add.replace => return Some(FAILED.into()),
            _ => {
                let new = there.map_or(new.clone(), |old| replaced(old, new));
                let change = |layer: &mut Layer| {
                    layer.remotes.insert(name.clone(), new);
                    if !add.no_default {
                        layer.active = name.clone();
                    }
                };
                if add.global {
                    self.write_global(change);
                } else {
                    self.write_user(who, change);
                }
            }
        }
        let kept = add.if_absent && same == Some(true);
        let mut outcome = match &add.login {
            // If the remote already exists, standard input is not read.
            Login::With(secret) if !add.global && (named || !kept) => {
                self.login_after_add(who, name, secret, net)?
            }
            _ => DONE.into(),
        };
        let only_itself = add.global && exclusive(&self.global()) == Some(name);
        outcome.lines = if only_itself { vec![] } else { unusable(&self.global(), name) };
        Some(outcome)
    }

    fn login_after_add(&mut self, who: usize, name: &String, secret: &Secret, net: &Net) -> Option<Outcome> {
        if self.seen(who, name).is_some_and(|seen| seen.global) {
            // It is hidden by the exclusive remote of its name, to which no login was requested.
            return Some(FAILED.into());
        }
        self.login(who, Some(name), secret, net)
    }

    fn set_default(&mut self, who: usize, global: bool, only: bool, name: &str) -> Outcome {
        if global || only {
            let before = self.global();
            if who != ROOT || !before.remotes.contains_key(name) {
                return FAILED.into();
            }
            self.write_global(|layer| {
                layer.active = name.to_string();
                for (each, entry) in &mut layer.remotes {
                    entry.exclusive = only && each == name;
                }
            });
            return Outcome { lines: released(&before, &self.global()), ..Outcome::default() };
        }
        let refused = exclusive(&self.global()).is_some_and(|only| only != name);
        if refused || self.seen(who, name).is_none() {
            return FAILED.into();
        }
        self.write_user(who, |layer| layer.active = name.to_string());
        DONE.into()
    }

    fn login(&mut self, who: usize, name: Option<&String>, secret: &Secret, net: &Net) -> Option<Outcome> {
        let token = &secret.text;
        let Some((name, seen)) = self.named(who, name) else { return Some(FAILED.into()) };
        let place = self.user(who).remotes.get(&name).cloned();
        if seen.global && place.is_some_and(|place| !place.system) {
            // The user's own remote, hidden by the exclusive one, blocks the token.
            return Some(FAILED.into());
        }
        if !self.may_ask(&seen.entry) {
            return None;
        }
        let Some(site) = self.site(&seen.entry, net) else { return Some(FAILED.into()) };
        if !secret.piped && token.contains(' ') {
            // A named token file is read before any request.
            return Some(FAILED.into());
        }
        let mut outcome = Outcome { asks: [site.endpoint].into(), code: FAILED, ..Outcome::default() };
        if site.token && !token.contains(' ') {
            outcome.sent.insert(sent(&site, token));
            if net.takes(&site, token) {
                outcome.code = DONE;
                self.write_user(who, |layer| {
                    let token = Some(token.to_string());
                    if seen.global {
                        let Entry { uri, insecure, .. } = seen.entry;
                        let copy = Entry { uri, insecure, token, system: true, ..Entry::default() };
                        layer.remotes.insert(name, copy);
                    } else if let Some(own) = layer.remotes.get_mut(&name) {
                        own.token = token;
                    }
                });
            }
        }
        Some(outcome)
    }

    fn logout(&mut self, who: usize, name: Option<&String>) -> i32 {
        let Some((name, seen)) = self.named(who, name) else { return FAILED };
        self.write_user(who, |layer| {
            let Some(entry) = layer.remotes.get_mut(&name) else { return };
            if !seen.global {
                entry.token = None;
            } else if entry.system && entry.token.is_some() {
                layer.remotes.remove(&name);
            }
        });
        DONE
    }

    fn logout_all(&mut self, who: usize) {
        let global = self.global();
        self.write_user(who, |layer| {
            layer.remotes.retain(|name, entry| {
                entry.token.is_none() || !(entry.system && global.remotes.contains_key(name))
            });
            layer.remotes.values_mut().for_each(|entry| entry.token = None);
            layer.credentials.clear();
        });
    }

    /// Whether a test may let a command send requests to this remote. Never to Apptainer's built-in one.
    fn may_ask(&self, entry: &Entry) -> bool {
        self.fixed(entry) || !out_of_bounds(self.persona, &entry.uri)
    }

    fn fixed(&self, entry: &Entry) -> bool {
        let host = server(&entry.uri, false).map(|(_, host, ..)| host);
        self.persona == Persona::Apptainer && host.is_some_and(|host| host == built_in_remote(self.persona).1)
    }

    fn site(&self, entry: &Entry, net: &Net) -> Option<Site> {
        net.site(&entry.uri, entry.insecure)
    }

    fn status(&mut self, who: usize, name: Option<&String>, strict: bool, net: &Net) -> Option<Outcome> {
        let Some((_, seen)) = self.named(who, name) else { return Some(FAILED.into()) };
        if out_of_bounds(self.persona, &seen.entry.uri) {
            return None;
        }
        let Some(site) = self.site(&seen.entry, net) else { return Some(FAILED.into()) };
        let mut outcome = Outcome { asks: [site.endpoint].into(), ..Outcome::default() };
        let token = seen.entry.token;
        let status = match &token {
            None => "none",
            // Without a token service, the token cannot be verified.
            Some(_) if !site.token => "unchecked",
            Some(token) if net.takes(&site, token) => "valid",
            Some(_) => "invalid",
        };
        let good = status == "valid" || status == "none" && !(strict && site.token);
        outcome.code = if good { DONE } else { FAILED };
        outcome.status = Some(status);
        outcome.sent.extend(token.map(|token| sent(&site, &token)));
        Some(outcome)
    }

    fn password(&mut self, who: usize, net: &Net) -> Option<Outcome> {
        let Some((_, seen)) = self.named(who, None) else { return Some(FAILED.into()) };
        if !self.may_ask(&seen.entry) {
            return None;
        }
        let Some(site) = self.site(&seen.entry, net) else { return Some(FAILED.into()) };
        let asks = [site.endpoint].into();
        let Some(token) = seen.entry.token else {
            return Some(Outcome { code: FAILED, asks, ..Outcome::default() });
        };
        let password = net.takes(&site, &token);
        let code = if password { DONE } else { FAILED };
        Some(Outcome { code, sent: [sent(&site, &token)].into(), asks, password, ..Outcome::default() })
    }

    /// SingularityCE fails if both layers have a name; everything else here is a valid file.
    fn check(&self, who: usize, global: bool) -> i32 {
        let shared = self.global();
        let both = |(name, entry): (&String, &Entry)| !entry.system && shared.remotes.contains_key(name);
        let refused = self.persona == Persona::Singularity && self.user(who).remotes.iter().any(both);
        if refused && !global { FAILED } else { DONE }
    }
}

/// The result of `add --replace`. With an equivalent address nothing changes, and everything else about the remote is
/// kept. Exclusivity is kept if an administrator set it.
fn replaced(old: &Entry, new: Entry) -> Entry {
    let exclusive = new.system && old.exclusive;
    if old.same_server(&new) {
        let Entry { token, uri, keyservers, .. } = old.clone();
        return Entry { token, uri, keyservers, exclusive, ..new };
    }
    Entry { exclusive, ..new }
}

fn sent(site: &Site, token: &str) -> Sent {
    (site.endpoint, site.sub, authorization(None, token))
}
