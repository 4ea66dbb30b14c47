//! `remote add NAME URI`

use super::login;
use super::mistaken::{not_an_endpoint, swapped, warn_swapped};
use crate::commands::JsonOption;
use crate::commands::completion::candidates::Completes;
use crate::commands::session::Session;
use crate::commands::session::access::{Access, Keep};
use crate::commands::session::layers::Layers;
use crate::config::file::Loaded;
use crate::config::layers::{Remote, other_place};
use crate::config::{Config, Endpoint};
use crate::error::{Failure, Result};
use crate::hint::CommandLine;
use crate::persona::Persona;
use crate::secret_source::SecretOptions;
use crate::services::endpoint::policy::Freshness;
use crate::uri::{EndpointUri, RemoteName, Scheme, shown};
use clap::Args;
use std::path::PathBuf;

pub(super) const POSITIONALS: &[Completes] = &[Completes::Nothing, Completes::Nothing];

/// Add a remote endpoint, and log in to it
///
/// The new remote becomes the default unless --no-default is given. Then, unless --no-login is given, you are
/// prompted for an access token, which is verified and stored. With --global the remote is added for all
/// users (root only), without a login.
#[derive(Args)]
#[command(after_long_help = "\
Examples:
  $ {prog} remote add mycloud cloud.example.com
  $ {prog} remote add --no-login lab https://lab.example.com:8443/apps
  $ {prog} remote add --tokenfile ~/token mycloud cloud.example.com
  $ sudo {prog} remote add --global company cloud.company.example")]
pub(crate) struct Options {
    /// Name for the remote
    #[arg(value_name = "NAME")]
    name: String,
    /// Address: https://HOST[:PORT][/PATH]; the scheme may be omitted
    #[arg(value_name = "URI")]
    uri: String,
    /// Add it for all users (root only)
    #[arg(short, long)]
    global: bool,
    /// Allow plain http and unverified https for this remote
    #[arg(short, long)]
    insecure: Option<bool>,
    /// Do not make it the default
    #[arg(short, long)]
    no_default: bool,
    /// Do not log in
    #[arg(long)]
    no_login: bool,
    /// Read the token from the first line of FILE (- for standard input)
    #[arg(long, value_name = "FILE")]
    tokenfile: Option<PathBuf>,
    /// Succeed without changes if this remote already exists with this URI
    #[arg(long)]
    if_absent: bool,
    /// Replace an existing remote; its token is kept only if the URI is the same
    #[arg(long)]
    replace: bool,
    #[command(flatten)]
    json: JsonOption,
}

/// What the layer contained before.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Before {
    Absent,
    Same,
    Other,
}

pub(super) fn run(options: &Options, session: &mut Session) -> Result<()> {
    require_compatible(options, session)?;
    let name = RemoteName::parse(&options.name).map_err(|error| {
        swapped(&options.name, &options.uri, session).into_iter().fold(Failure::from(error), Failure::hint)
    })?;
    warn_swapped(&options.name, &options.uri, session);
    let (uri, insecure) = address(options, session)?;
    let endpoint = Endpoint { uri: uri.stored(), system: options.global, insecure, ..Endpoint::default() };
    let secret = SecretOptions { tokenfile: options.tokenfile.clone(), ..SecretOptions::default() };
    // Whatever can fail without the new remote is done before anything is written.
    let login_follows = !options.global && !options.no_login;
    let token = if login_follows && (secret.is_given() || !options.if_absent) {
        login::read_token(&secret, session)?
    } else {
        None
    };
    // An interactive user is asked before the write. A script gets the remote first, and then the failure.
    let asks = login_follows && token.is_none() && session.ctx.terminals.stdin();
    let found = if asks && will_be_added(name.as_str(), options, session)? {
        discover(&name, &uri, &endpoint, session)?
    } else {
        Found::NotAsked
    };
    let mut layers = None;
    let changed = if options.global {
        add_global(&name, &uri, &endpoint, options, session)?
    } else {
        let (changed, seen) = add_own(&name, &endpoint, options, session)?;
        layers = Some(seen);
        changed
    };
    session.ctx.talk.info(if changed {
        format!("Remote \"{name}\" added.")
    } else {
        format!("Remote \"{name}\" already exists; nothing changed.")
    });
    if options.global {
        session.ctx.talk.info("Global option detected. Will not automatically log into remote.");
    }
    let Some(layers) = layers.filter(|_| !options.no_login) else {
        return options.json.changed(session, changed);
    };
    // Nothing changed and no token was given, so there is nothing to do.
    if options.if_absent && !changed && options.tokenfile.is_none() {
        return options.json.changed(session, changed);
    }
    let access = match found {
        Found::Endpoint(access) => Some(*access),
        Found::NotAsked => None,
        Found::Nothing => {
            let later = session.remote("login").arg(&name);
            session.ctx.talk.info(format!("Not logged in. To log in later: {later}"));
            return options.json.changed(session, changed);
        }
    };
    let stored = login::after_add(name.as_str(), &layers, &secret, token, access, session)?;
    options.json.changed(session, changed || stored)
}

/// Refuses options that exclude each other.
fn require_compatible(options: &Options, session: &Session) -> Result<()> {
    let tokenfile = ("--tokenfile <FILE>", options.tokenfile.is_some());
    let pairs = [
        [tokenfile, ("--global", options.global)],
        [tokenfile, ("--no-login", options.no_login)],
        [("--if-absent", options.if_absent), ("--replace", options.replace)],
    ];
    pairs.iter().try_for_each(|pair| session.exclusive(pair))
}

/// What was found at the new remote's address.
enum Found {
    Endpoint(Box<Access>),
    /// No endpoint, but the user wants the remote anyway.
    Nothing,
    NotAsked,
}

/// Whether nothing that is known without the network prevents the new remote. The write itself says what does.
///
/// # Errors
/// The user's file cannot be written.
fn will_be_added(name: &str, options: &Options, session: &Session) -> Result<bool> {
    session.user_file()?.require_writable(session.identity())?;
    let layers = session.read_quietly();
    Ok(layers.is_some_and(|layers| options.replace || !layers.remotes.contains_key(name)))
}

/// Discovers the endpoint before the write. If it does not respond, asks the user whether to add it anyway.
///
/// # Errors
/// It does not respond, and the user declines to add it.
fn discover(
    name: &RemoteName,
    uri: &EndpointUri,
    endpoint: &Endpoint,
    session: &mut Session,
) -> Result<Found> {
    let remote = Remote::of_global_layer(name.to_string(), endpoint.clone(), session.ctx.persona);
    if remote.is_cloud_apptainer() {
        return Ok(Found::NotAsked);
    }
    let keep = Keep::MakingDirectory;
    match session.open_at(uri.clone(), endpoint.insecure, None, Freshness::Ask, keep) {
        Ok(access) => Ok(Found::Endpoint(Box::new(access))),
        Err(failure) => {
            session.ctx.talk.warning(failure.message());
            failure.hints.iter().for_each(|hint| hint.show(&session.ctx.talk));
            if session.confirm("Add it anyway?")? {
                return Ok(Found::Nothing);
            }
            Err(Failure::new(format!("{name} was not added")))
        }
    }
}

/// The parsed address, and whether the remote is insecure. An http:// URI requires --insecure.
fn address(options: &Options, session: &Session) -> Result<(EndpointUri, bool)> {
    let talk = &session.ctx.talk;
    let typed = EndpointUri::parse_typed(&options.uri).map_err(|error| {
        not_an_endpoint(&options.uri, session).into_iter().fold(error.into(), Failure::hint)
    })?;
    for what in &typed.dropped {
        talk.warning(format!("ignoring the {what} in the URI"));
    }
    let insecure = session.ctx.switch(options.insecure, &["ADD_INSECURE"])?;
    match typed.scheme {
        Some(Scheme::Https) if insecure => {
            talk.info("--insecure ignored for https remote");
            Ok((typed.uri, false))
        }
        Some(Scheme::Http) if !insecure => {
            let variable = format!("{}ADD_INSECURE", session.ctx.persona.prefixes()[0]);
            let again = again(options, session)
                .words("--insecure")
                .switch(options.if_absent, "--if-absent")
                .switch(options.replace, "--replace");
            Err(Failure::new(format!("http URI requires --insecure or {variable}=true"))
                .hint(again.arg(&options.name).arg(format!("http://{}", typed.uri))))
        }
        _ => Ok((typed.uri, insecure)),
    }
}

/// The command as typed, without its arguments and without --if-absent and --replace.
fn again(options: &Options, session: &Session) -> CommandLine {
    let command = if options.global { session.as_root("remote add --global") } else { session.remote("add") };
    let command = command.switch(options.no_default, "--no-default").switch(options.no_login, "--no-login");
    match &options.tokenfile {
        Some(file) => command.words("--tokenfile").arg(file.display()),
        None => command,
    }
}

/// Adds the remote to the global layer, without reading the user layer. Returns whether anything changed.
fn add_global(
    name: &RemoteName,
    uri: &EndpointUri,
    endpoint: &Endpoint,
    options: &Options,
    session: &Session,
) -> Result<bool> {
    let again = again(options, session)
        .switch(endpoint.insecure, "--insecure")
        .switch(options.if_absent, "--if-absent")
        .switch(options.replace, "--replace")
        .arg(name)
        .arg(uri);
    let mut exclusive = None;
    let changed = session.edit_global(again, &mut |config| {
        put(config, name, endpoint.clone(), options, session)?;
        exclusive = config.exclusive().filter(|exclusive| *exclusive != name.as_str()).map(String::from);
        Ok(())
    })?;
    if let Some(exclusive) = exclusive {
        warn_unusable(name, &exclusive, session);
    }
    Ok(changed)
}

/// Adds the remote to the user layer, whatever the global layer contains. Returns whether anything changed, and
/// both layers as they are afterwards.
fn add_own(
    name: &RemoteName,
    endpoint: &Endpoint,
    options: &Options,
    session: &Session,
) -> Result<(bool, Layers)> {
    let Loaded { config: global, distrust: global_distrust, .. } = session.load_global()?;
    if session.ctx.persona == Persona::Singularity && global.remotes.contains_key(name.as_str()) {
        return Err(Failure::new(format!(
            "{name} is already a global remote, and your own of that name would make every SingularityCE command fail"
        ))
        .hint(session.remote("use").arg(name.as_str())));
    }
    let mut dropped = None;
    let changed = session.edit_user(&global, &mut |config| {
        let is_global = global.remotes.contains_key(name.as_str());
        let copy = |entry: &Endpoint| entry.system && is_global;
        if config.remotes.get(name.as_str()).is_some_and(copy) {
            config.remotes.remove(name.as_str());
        }
        let before = config.remotes.get(name.as_str()).filter(|entry| entry.token.is_some()).cloned();
        put(config, name, endpoint.clone(), options, session)?;
        let kept = config.remotes.get(name.as_str()).is_some_and(|entry| entry.token.is_some());
        dropped = before.filter(|_| !kept);
        Ok(())
    })?;
    if let Some(old) = dropped {
        let old = other_place(&old, &endpoint.uri);
        session.ctx.talk.warning(format!(
            "the token for {name} was issued for {old} and was removed. Log in again: {}",
            session.remote("login").arg(name)
        ));
    }
    let effective = session.merged_with(global)?;
    session.say_notes(&effective, Some(name.as_str()));
    if let Some(exclusive) = &effective.exclusive {
        warn_unusable(name, exclusive, session);
    }
    Ok((changed, Layers { effective, user_distrust: None, global_distrust }))
}

fn warn_unusable(name: &RemoteName, exclusive: &str, session: &Session) {
    session.ctx.talk.warning(format!(
        "{name} cannot be used: remote {exclusive} has been set exclusive by the system administrator"
    ));
}

/// Adds, keeps or replaces the entry in its layer.
fn put(
    config: &mut Config,
    name: &RemoteName,
    mut endpoint: Endpoint,
    options: &Options,
    session: &Session,
) -> Result<()> {
    let existing = config.remotes.get(name.as_str());
    match compare(existing, &endpoint) {
        Before::Absent => {}
        Before::Same if options.if_absent => return Ok(()),
        before if options.replace => {
            let existing = existing.expect("it is not absent");
            // Only an administrator's remote can be exclusive. A leftover copy of one becomes the user's own
            // remote.
            endpoint.exclusive = existing.exclusive && options.global;
            if before == Before::Same {
                endpoint.token.clone_from(&existing.token);
                endpoint.keyservers.clone_from(&existing.keyservers);
                endpoint.uri.clone_from(&existing.uri);
            }
        }
        before => return Err(already(name, before, &endpoint, options, session)),
    }
    config.remotes.insert(name.as_str().to_string(), endpoint);
    if !options.no_default {
        config.active = name.as_str().to_string();
    }
    Ok(())
}

fn compare(existing: Option<&Endpoint>, wanted: &Endpoint) -> Before {
    let Some(existing) = existing else { return Before::Absent };
    let read = |endpoint: &Endpoint| EndpointUri::from_stored(&endpoint.uri);
    match (read(existing), read(wanted)) {
        (Some(a), Some(b)) if a.same_place(existing.insecure, &b, wanted.insecure) => Before::Same,
        _ => Before::Other,
    }
}

fn already(
    name: &RemoteName,
    before: Before,
    wanted: &Endpoint,
    options: &Options,
    session: &Session,
) -> Failure {
    let failure = Failure::new(format!("{name} is already a remote"));
    let global = if options.global { "--global" } else { "" };
    let replace = || {
        let replace = again(options, session).switch(wanted.insecure, "--insecure").words("--replace");
        replace.arg(name).arg(shown(&wanted.uri)).because("to replace its address")
    };
    match before {
        Before::Same => {
            let absent = again(options, session).switch(wanted.insecure, "--insecure").words("--if-absent");
            let log_in = session.remote("login").arg(name).because("to log in to it");
            let failure = if options.global { failure } else { failure.hint(log_in) };
            failure
                .hint(session.remote("use").words(global).arg(name).because("to make it the default"))
                .hint(absent.arg(name).arg(shown(&wanted.uri)).because("to succeed if it already exists"))
        }
        _ if options.if_absent => {
            Failure::new(format!("{name} is already a remote, with another address")).hint(replace())
        }
        _ => failure.hint(replace()).hint(session.remote("remove").words(global).arg(name)),
    }
}
