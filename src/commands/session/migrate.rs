//! Apptainer's migration of `~/.singularity`. Apptainer skips it if `~/.apptainer` exists, so whoever creates
//! that directory has to do it.

use crate::config::file::LIMIT;
use crate::error::{Failure, Result, ResultExt};
use crate::fsio::{self, Identity, Role, Target};
use crate::hint::CommandLine;
use crate::message::Talk;
use std::path::Path;

/// The files to copy: path below `~/.singularity`, path below `~/.apptainer`, description.
const FILES: &[(&str, &str, &str)] = &[
    ("docker-config.json", "docker-config.json", "docker configuration"),
    ("sypgp/pgp-public", "keys/pgp-public", "public keyring"),
    ("sypgp/pgp-secret", "keys/pgp-secret", "private keyring"),
];

/// Copies the files that Apptainer would copy from `legacy` to `fresh`. Existing files are kept. A failure to
/// copy any file but `remote.yaml` is only a warning with hints, because the command does not need it.
///
/// # Errors
/// `remote.yaml` could not be copied.
pub(crate) fn migrate(legacy: &Path, fresh: &Path, identity: Identity, talk: &Talk) -> Result<()> {
    copy(legacy, fresh, ("remote.yaml", "remote.yaml", "remote configuration"), identity, talk)?;
    for file in FILES {
        if let Err(failure) = copy(legacy, fresh, *file, identity, talk) {
            talk.warning(failure.message());
            failure.hints.iter().for_each(|hint| hint.show(talk));
        }
    }
    Ok(())
}

fn copy(
    legacy: &Path,
    fresh: &Path,
    (from, to, what): (&str, &str, &str),
    identity: Identity,
    talk: &Talk,
) -> Result<()> {
    let (source, target) = (legacy.join(from), fresh.join(to));
    let failed = || format!("while migrating the {what} {} to {}", source.display(), target.display());
    let remedy = || CommandLine::new("cp -a").arg(source.display()).arg(target.display());
    let state = fsio::read(&source, Role::User, identity, LIMIT).fail_context(failed).fail_hint(remedy)?;
    // An untrusted file must not become trusted by being copied. And root must not copy the target of a user's
    // symlink into a file of that user.
    if let Some(distrust) = state.distrust {
        return Err(distrust.into_failure().context(failed()));
    }
    if let Some(why) = state.unreachable {
        return Err(Failure::new(why).context(failed()).hint(remedy()));
    }
    let Some(bytes) = state.bytes else { return Ok(()) };
    let mut fill = |there: Option<&[u8]>| Ok(there.is_none().then(|| bytes.to_vec()));
    if fsio::update(&Target::user(&target, LIMIT), identity, talk, &mut fill)
        .fail_context(failed)
        .fail_hint(remedy)?
    {
        talk.info(format!("Detected Singularity {what}, migrated to {}", target.display()));
    }
    Ok(())
}
