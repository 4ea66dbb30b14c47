//! Finds remotes by name, with hints for names that do not exist.

use super::Session;
use super::layers::Layers;
use crate::config::layers::{Note, Origin, Remote};
use crate::error::{Failure, Result};
use crate::hint::Hint;
use crate::uri::{EndpointUri, LibraryRef, ServiceUri, may_be_repeated, may_hold_password};

impl Layers {
    /// The remote called `name`, or else the default remote.
    ///
    /// # Errors
    /// There is no such remote. The error has hints.
    pub fn find(&self, session: &Session, name: Option<&str>) -> Result<&Remote> {
        let Some(name) = name.or(self.effective.default.as_deref()) else {
            return Err(Failure::new("no default remote is set").hint(session.remote("use NAME")));
        };
        self.effective.remotes.get(name).ok_or_else(|| no_remote(session, name))
    }
}

impl Remote {
    /// The address for requests to this remote.
    ///
    /// # Errors
    /// The remote has no address, or its address is invalid. The error has hints.
    pub fn endpoint(&self, session: &Session) -> Result<EndpointUri> {
        if self.uri.is_empty() {
            let text = Note::NoUri(self.name.clone(), self.origin).text(session.ctx.program());
            return Err(Failure::new(text));
        }
        EndpointUri::parse_typed(&self.uri).map(|typed| typed.uri).map_err(|error| {
            let global = if self.origin == Origin::Global { "--global" } else { "" };
            Failure::from(error)
                .context(format!("the address of {} cannot be used", self.name))
                .hint(session.remote("add").words(global).words("--replace").arg(&self.name).words("URI"))
        })
    }
}

/// The error `NAME is not a remote`, with hints.
pub(crate) fn no_remote(session: &Session, name: &str) -> Failure {
    missing(session, name, "")
}

/// Like [`no_remote`], for the global layer.
pub(crate) fn no_global_remote(session: &Session, name: &str) -> Failure {
    missing(session, name, "--global")
}

fn missing(session: &Session, name: &str, global: &str) -> Failure {
    match name.char_indices().nth(8) {
        // An image reference instead of a name.
        _ if LibraryRef::is_one(name) && may_be_repeated(name) => {
            Failure::new("expected the name of a remote, not of an image")
                .hint(session.command("pull").arg(name).because("to download the image"))
        }
        _ if may_hold_password(name) => Failure::new("expected the name of a remote, not an address")
            .hint(session.remote("list"))
            .hint(session.remote("add").words(global).words("NAME URI")),
        // A very long word may be a misplaced token, so only its beginning is shown.
        Some((end, _)) if name.chars().count() > 64 => {
            Failure::new(format!("{}… is not a remote", &name[..end])).hint(session.remote("list"))
        }
        _ => {
            let is_own = !global.is_empty()
                && session.read_quietly().is_some_and(|layers| layers.remotes.contains_key(name));
            let kind = if is_own { "a global remote" } else { "a remote" };
            let failure = Failure::new(format!("{name} is not {kind}"));
            let hints = [near(session, name, global), registry(session, name)];
            let failure = hints.into_iter().flatten().fold(failure, Failure::hint);
            failure
                .hint(session.remote("list"))
                .hint(session.remote("add").words(global).arg(name).words("URI"))
        }
    }
}

/// Suggests the typed command with the name of a remote that is similar to `name`.
fn near(session: &Session, name: &str, global: &str) -> Option<Hint> {
    const SIMILAR: f64 = 0.85;
    // With a second argument, the suggestion would be another command.
    let layers = session.read_quietly().filter(|_| session.typed != "remote rename")?;
    let wanted = |remote: &&Remote| global.is_empty() || remote.origin == Origin::Global;
    let similarity =
        |remote: &Remote| strsim::jaro_winkler(&remote.name.to_lowercase(), &name.to_lowercase());
    let (likeness, near) = layers
        .remotes
        .values()
        .filter(wanted)
        .map(|remote| (similarity(remote), &remote.name))
        .max_by(|a, b| a.0.total_cmp(&b.0))?;
    (likeness >= SIMILAR).then(|| {
        let again = match session.typed.strip_prefix("remote ") {
            Some(verb) => session.remote(verb),
            None => session.command(session.typed),
        };
        let again = again.words(global).arg(near);
        again.because("did you mean")
    })
}

/// Suggests `registry login` or `registry logout` for a name with a dot or a port, which may be a registry's
/// host.
fn registry(session: &Session, name: &str) -> Option<Hint> {
    let verb = session.typed.strip_prefix("remote ").filter(|verb| matches!(*verb, "login" | "logout"))?;
    let uri = ServiceUri::parse(&format!("docker://{name}")).ok()?.uri;
    let is_host = name.contains(['.', ':']) && uri.path().is_empty();
    is_host.then(|| session.command("registry").words(verb).arg(uri).because("for a registry"))
}
