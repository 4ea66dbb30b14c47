//! `keyserver remove [NAME] URI`, also called `remote remove-keyserver`

use super::add::Wanted;
use crate::commands::JsonOption;
use crate::commands::completion::candidates::Completes;
use crate::commands::session::Session;
use crate::error::Result;
use clap::Args;

pub(crate) const POSITIONALS: &[Completes] = &[Completes::RemoteOrKeyserver, Completes::KeyserverOf];

/// Remove a keyserver from a global remote (root only)
///
/// The endpoint's own keyserver is only disabled. The last keyserver cannot be removed.
#[derive(Args)]
#[command(after_long_help = "\
Examples:
  $ sudo {prog} keyserver remove https://keys.example.com
  $ sudo {prog} keyserver remove company hkps://keys.company.example")]
pub(crate) struct Options {
    /// Global remote [default: the global default]
    #[arg(value_name = "NAME|URI")]
    first: String,
    /// Keyserver to remove (any equivalent URI)
    #[arg(value_name = "URI")]
    second: Option<String>,
    #[command(flatten)]
    json: JsonOption,
}

pub(crate) fn run(options: &Options, session: &mut Session) -> Result<()> {
    let wanted =
        Wanted::parse(session.as_root(session.typed), &options.first, options.second.as_deref(), session)?;
    let (name, changed) = wanted.edit(session, |endpoint| endpoint.remove_keyserver(&wanted.uri))?;
    session.ctx.talk.info(format!("Keyserver {} removed from {name}.", wanted.uri));
    options.json.changed(session, changed)
}
