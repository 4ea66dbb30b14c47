//! Apptainer's migration of `~/.singularity`, which Apptainer itself never makes once `~/.apptainer`
//! exists: so whoever creates that directory has to.

use crate::config::file::LIMIT;
use crate::error::{Failure, Result, ResultExt};
use crate::fsio::{self, Identity, Role, Target};
use crate::hint::CommandLine;
use crate::message::Talk;
use std::path::Path;

/// What is copied: from below `~/.singularity`, to below `~/.apptainer`, and what it is called.
const FILES: &[(&str, &str, &str)] = &[
    ("docker-config.json", "docker-config.json", "docker configuration"),
    ("sypgp/pgp-public", "keys/pgp-public", "public keyring"),
    ("sypgp/pgp-secret", "keys/pgp-secret", "private keyring"),
];

/// Copies what Apptainer would copy from `legacy` to `fresh`; what is already there stays. `remote.yaml`
/// has to arrive; of the rest a failure is a warning with what to type, since the command is not about it.
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
    // What may not be believed there must not become believable by being copied; and root must not make a
    // user's file of whatever a link of that user leads to.
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
