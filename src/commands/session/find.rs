//! Remotes by name: the one that is meant, its address, and what to say where there is none.

use super::Session;
use super::layers::Layers;
use crate::config::layers::{Note, Origin, Remote};
use crate::error::{Failure, Result};
use crate::uri::{EndpointUri, may_hold_password};

impl Layers {
    /// The remote called `name`, else the default.
    ///
    /// # Errors
    /// There is none, with what to type instead.
    pub fn find(&self, session: &Session, name: Option<&str>) -> Result<&Remote> {
        let Some(name) = name.or(self.effective.default.as_deref()) else {
            return Err(Failure::new("no default remote is set").hint(session.remote("use NAME")));
        };
        self.effective.remotes.get(name).ok_or_else(|| no_remote(session, name))
    }
}

impl Remote {
    /// The address for requests.
    ///
    /// # Errors
    /// There is none, or none that a request could be sent to; with what to type.
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

/// `NAME is not a remote`, with where to look.
pub(crate) fn no_remote(session: &Session, name: &str) -> Failure {
    missing(session, name, "")
}

/// As [`no_remote`], of the global layer.
pub(crate) fn no_global_remote(session: &Session, name: &str) -> Failure {
    missing(session, name, "--global")
}

fn missing(session: &Session, name: &str, global: &str) -> Failure {
    match name.char_indices().nth(8) {
        // Name and address were swapped.
        _ if may_hold_password(name) => Failure::new("expected the name of a remote, not an address")
            .hint(session.remote("list"))
            .hint(session.remote("add").words(global).words("NAME URI")),
        // What is longer than names are may be a token out of place.
        Some((end, _)) if name.chars().count() > 64 => {
            Failure::new(format!("{}… is not a remote", &name[..end])).hint(session.remote("list"))
        }
        _ => Failure::new(format!("{name} is not a remote"))
            .hint(session.remote("list"))
            .hint(session.remote("add").words(global).arg(name).words("URI")),
    }
}
