//! `remote check [FILE]`

use crate::commands::completion::candidates::Completes;
use crate::commands::session::Session;
use crate::config::Config;
use crate::config::file::{LIMIT, parse};
use crate::config::layers::{Note, merge};
use crate::config::yaml::Parsed;
use crate::error::{Failure, Result};
use crate::fsio::{self, Role};
use crate::persona::Persona;
use crate::uri::may_hold_password;
use clap::Args;
use std::path::{Path, PathBuf};

pub(super) const POSITIONALS: &[Completes] = &[Completes::File];

/// Validate a remote.yaml
///
/// Checks FILE, or your own remote.yaml, or with --global the global one. Changes nothing, so it suits
/// Ansible's `validate:`.
#[derive(Args)]
#[command(after_long_help = "\
Examples:
  $ {prog} remote check
  $ {prog} remote check --global
  $ {prog} remote check --global /tmp/new-remote.yaml")]
pub(crate) struct Options {
    /// File to check [default: your remote.yaml]
    #[arg(value_name = "FILE")]
    file: Option<PathBuf>,
    /// Check it as a global remote.yaml
    #[arg(short, long)]
    global: bool,
}

pub(super) fn run(options: &Options, session: &mut Session) -> Result<()> {
    let path = path(options, session)?;
    let own = options.file.is_none();
    let role = if options.global { session.global_file().role } else { Role::User };
    let state = fsio::read(&path, role, session.identity(), LIMIT)?;
    // The owner of a file that is not installed yet does not matter.
    if let (true, Some(distrust)) = (own, &state.distrust) {
        return Err(distrust.clone().into_failure());
    }
    let Some(bytes) = state.bytes else {
        if own {
            session.ctx.talk.info(format!("{} does not exist (nothing to check)", path.display()));
            return Ok(());
        }
        if path.to_str().is_some_and(may_hold_password) {
            return Err(Failure::new("expected a file, not an address"));
        }
        return Err(Failure::new(format!("{}: no such file", path.display())));
    };
    let parsed = parse(&path, &bytes)?;
    session.warn_readable(state.readable.as_ref().filter(|_| parsed.config.holds_secret()));
    real_programs_read(&path, &parsed, session)?;
    if options.global {
        warn_global(&path, &parsed.config, session);
    }
    for note in notes(&parsed.config, options.global, session)? {
        let text = note.text(session.ctx.program());
        if session.ctx.persona == Persona::Singularity && matches!(note, Note::BreaksSingularity(_)) {
            return Err(Failure::new(text));
        }
        session.ctx.talk.warning(text);
    }
    session.ctx.talk.info(format!(
        "{} is valid ({} remote{})",
        path.display(),
        parsed.config.remotes.len(),
        if parsed.config.remotes.len() == 1 { "" } else { "s" }
    ));
    Ok(())
}

fn path(options: &Options, session: &Session) -> Result<PathBuf> {
    match &options.file {
        Some(file) => Ok(file.clone()),
        None if options.global => Ok(session.paths.global_file.clone()),
        None => session.paths.user_file_to_read().map_err(Failure::new),
    }
}

/// Fails for problems that this program tolerates but the real programs do not.
fn real_programs_read(path: &Path, parsed: &Parsed, session: &Session) -> Result<()> {
    let unknown =
        parsed.unknown.iter().map(|unknown| (Some(unknown.place), format!("unknown key {:?}", unknown.key)));
    let concerns = parsed.concerns.iter().map(|concern| {
        let key = concern.key.as_ref().map_or_else(String::new, |key| format!("{key}: "));
        (concern.place, format!("{key}{}", concern.message))
    });
    let all: Vec<String> = unknown
        .chain(concerns)
        .map(|(place, what)| {
            let place =
                place.map_or_else(|| " ".to_string(), |place| format!("{}:{}: ", place.line, place.column));
            format!("{}:{place}{what}", path.display())
        })
        .collect();
    let Some((first, rest)) = all.split_first() else { return Ok(()) };
    for other in rest {
        session.ctx.talk.error(other);
    }
    let more = parsed.more_unknown + parsed.more_concerns;
    if more > 0 {
        session.ctx.talk.error(format!("{}: {more} more are not listed", path.display()));
    }
    Err(Failure::new(format!("{first} ({} rejects this file)", session.ctx.persona.title())))
}

/// Warns about what has no effect in a global file.
fn warn_global(path: &Path, config: &Config, session: &Session) {
    let warn = |what: String| session.ctx.talk.warning(format!("{}: {what}", path.display()));
    if config.holds_secret() {
        warn("tokens and logins in a global file are not used, and every user can read them".into());
    }
    let exclusive = config.remotes.values().filter(|endpoint| endpoint.exclusive).count();
    if let (true, Some(first)) = (exclusive > 1, config.exclusive()) {
        warn(format!("more than one remote is exclusive; only {first:?} counts"));
    }
}

/// The notes about this layer that merging it with the other layer produces.
fn notes(config: &Config, global: bool, session: &Session) -> Result<Vec<Note>> {
    let persona = session.ctx.persona;
    let effective = if global {
        merge(Config::default(), config.clone(), persona)
    } else {
        merge(config.clone(), session.load_global()?.config, persona)
    };
    // SingularityCE rejects a name that is in both layers, no matter which one takes precedence.
    let theirs = |note| match note {
        Note::OwnBehindExclusive(name) if persona == Persona::Singularity => Note::BreaksSingularity(name),
        note => note,
    };
    let mine = |note: &Note| {
        matches!(note, Note::DanglingActive(_, about_global) if *about_global == global)
            || !matches!(note, Note::DanglingActive(..) | Note::Leftover(_) | Note::OwnFirst(_))
    };
    Ok(effective.notes.into_iter().filter(mine).map(theirs).collect())
}
