//! `keyserver remove [NAME] URI`, also called `remote remove-keyserver`

use super::add::Wanted;
use crate::commands::JsonOption;
use crate::commands::session::Session;
use crate::error::Result;
use clap::Args;

/// Remove a keyserver from a global remote (root only)
///
/// The endpoint's own keyserver is only taken out of use, and the last one cannot be removed.
#[derive(Args)]
#[command(allow_missing_positional = true)]
#[command(after_long_help = "\
Examples:
  $ sudo {prog} keyserver remove https://keys.example.com
  $ sudo {prog} keyserver remove company hkps://keys.company.example")]
pub struct Options {
    /// The global remote, if not the default one
    #[arg(value_name = "NAME")]
    name: Option<String>,
    /// The keyserver's address
    #[arg(value_name = "URI")]
    uri: String,
    #[command(flatten)]
    json: JsonOption,
}

pub fn run(options: &Options, session: &mut Session, spelling: &str) -> Result<()> {
    let wanted = Wanted::parse(options.name.as_deref(), &options.uri, session, spelling)?;
    let changed = wanted.edit(session, |endpoint| endpoint.remove_keyserver(&wanted.uri))?;
    let name = wanted.shown_name(session)?;
    session.ctx.talk.info(format!("Keyserver {} removed from {name}.", wanted.uri));
    options.json.changed(session, changed)
}
