//! Arguments of `remote add` that are in the wrong order, or that belong to another command.

use crate::commands::session::Session;
use crate::hint::Hint;
use crate::uri::{EndpointUri, RemoteName, may_be_repeated, may_hold_password};

/// Warns if name and address seem to be swapped: `add cloud.example.com mycloud`.
pub(super) fn warn_swapped(name: &str, uri: &str, session: &Session) {
    let plain = |text: &str| !text.contains(['.', ':', '/']) && text != "localhost";
    if name.contains('.') && plain(uri) && EndpointUri::parse_typed(name).is_ok() {
        let swapped = session.remote("add").arg(uri).arg(name);
        session.ctx.talk.warning(format!(
            "{name:?} looks like an address and {uri:?} like a name. If they are the wrong way round: {swapped}"
        ));
    }
}

/// The command with name and address swapped, for a name that reads as an address. Nothing that may be a password is
/// repeated: no user info, and no path.
pub(super) fn swapped(name: &str, uri: &str, session: &Session) -> Option<Hint> {
    let [name, address] = [uri, name];
    let fits = RemoteName::parse(name).is_ok()
        && EndpointUri::parse_typed(address).is_ok()
        && address.contains("://")
        && may_be_repeated(address)
        && address.splitn(4, '/').nth(3).is_none_or(str::is_empty)
        && !may_hold_password(name);
    let command = session.remote("add").arg(name).arg(address);
    fits.then(|| command.because("the name comes before the address"))
}

/// Suggests a command for an address that is not an endpoint. A password in it is not repeated.
pub(super) fn not_an_endpoint(uri: &str, session: &Session) -> Option<Hint> {
    let (scheme, _) = uri.split_once("://")?;
    let is_safe = may_be_repeated(uri);
    match scheme {
        "docker" | "oras" => {
            let login = session.command("registry login");
            let login = if is_safe { login.arg(uri) } else { login.words("docker://HOST") };
            Some(login.because("to log in to a registry"))
        }
        "library" => {
            let pull = session.command("pull");
            let pull = if is_safe { pull.arg(uri) } else { pull.words("URI") };
            Some(pull.because("to download an image"))
        }
        "hkp" | "hkps" => {
            let add = session.as_root("keyserver add");
            let add = if is_safe { add.arg(uri) } else { add.words("URI") };
            Some(add.because("to add a keyserver to a global remote"))
        }
        _ => None,
    }
}
