//! Which files the two layers are: the persona's directories, the home, the prefix.

use crate::context::Context;
use crate::error::{Failure, Result};
use crate::persona::Persona;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

/// The name of both layers' file.
const FILE: &str = "remote.yaml";

/// Where things are.
#[derive(Clone, Debug)]
pub struct Paths {
    /// The user's directory, or why there is none that could be used.
    pub user_dir: std::result::Result<PathBuf, String>,
    /// `--config FILE` of a group: another user layer.
    pub chosen_file: Option<PathBuf>,
    /// A `~/.singularity` that stands in until the first write makes `~/.apptainer` of it.
    pub legacy_dir: Option<PathBuf>,
    /// The global layer.
    pub global_file: PathBuf,
    /// Who may own the global layer besides root: the owner of this program's file.
    pub exe_owner: Option<u32>,
}

impl Paths {
    /// Works out all paths; opens nothing.
    ///
    /// # Errors
    /// There is no home at all: neither HOME nor an entry of the password database.
    pub fn resolve(ctx: &Context, chosen_file: Option<PathBuf>) -> Result<Self> {
        let (user_dir, legacy_dir) = user_dir(ctx)?;
        Ok(Self {
            user_dir,
            chosen_file,
            legacy_dir,
            global_file: global_file(&ctx.exe, ctx.persona),
            exe_owner: std::fs::metadata(&ctx.exe).ok().map(|meta| meta.uid()),
        })
    }

    /// The file that a user's write changes.
    pub fn user_file(&self) -> std::result::Result<PathBuf, String> {
        match &self.chosen_file {
            Some(file) => Ok(file.clone()),
            None => self.user_dir.clone().map(|directory| directory.join(FILE)),
        }
    }

    /// The file that a user's layer is read from: the one of `~/.singularity` until it is migrated.
    pub fn user_file_to_read(&self) -> std::result::Result<PathBuf, String> {
        match (&self.chosen_file, &self.legacy_dir) {
            (None, Some(legacy)) => Ok(legacy.join(FILE)),
            _ => self.user_file(),
        }
    }
}

/// The user's directory and, where it is not there yet, the one of Singularity that stands in.
type UserDir = (std::result::Result<PathBuf, String>, Option<PathBuf>);

fn user_dir(ctx: &Context) -> Result<UserDir> {
    if let Some(found) = ctx.variable("CONFIGDIR") {
        return Ok((Ok(PathBuf::from(found.value)), None));
    }
    let Some(home) = home(ctx)? else {
        return Ok((Err("the home directory is /".into()), None));
    };
    let directory = home.join(ctx.persona.dot_directory());
    let legacy = home.join(Persona::Singularity.dot_directory());
    let stands_in = ctx.persona == Persona::Apptainer
        && directory.symlink_metadata().is_err_and(|error| error.kind() == std::io::ErrorKind::NotFound)
        && legacy.is_dir();
    Ok((Ok(directory), stands_in.then_some(legacy)))
}

/// The home; `None` where it is `/`, which is no place for a user's files.
fn home(ctx: &Context) -> Result<Option<PathBuf>> {
    let from_env = match ctx.persona {
        Persona::Apptainer => ctx.env.get("HOME").map(PathBuf::from),
        // SingularityCE does not look at HOME.
        Persona::Singularity => None,
    };
    let usable = |home: &PathBuf| home.is_absolute() && home != Path::new("/");
    if let Some(home) = from_env.clone().filter(usable) {
        return Ok(Some(home));
    }
    match (ctx.passwd_home)(ctx.user.uid) {
        Some(home) if usable(&home) => Ok(Some(home)),
        Some(_) => Ok(None),
        None if from_env.is_some() => Ok(None),
        None => {
            let failure = Failure::new(format!("uid {} has no home directory: set HOME", ctx.user.uid));
            Err(failure
                .hint(format!("export HOME=DIRECTORY, or {}CONFIGDIR=DIRECTORY", ctx.persona.prefixes()[0])))
        }
    }
}

/// `<prefix>/etc/<persona>/remote.yaml` where that directory exists, `<prefix>` being the parent of the
/// directory that holds `exe`; else the one of `/etc`. No variable has a say in it: an environment must
/// not put a user's file in the administrator's place.
pub fn global_file(exe: &Path, persona: Persona) -> PathBuf {
    let relocated = exe.parent().and_then(Path::parent).map(|prefix| prefix.join("etc").join(persona.name()));
    let directory = relocated
        .filter(|directory| directory.is_dir())
        .unwrap_or_else(|| Path::new("/etc").join(persona.name()));
    directory.join(FILE)
}

/// The home of `uid` by `/etc/passwd`, or by `getent`, which asks LDAP and its like.
pub fn passwd_home(uid: u32) -> Option<PathBuf> {
    let local = std::fs::read_to_string("/etc/passwd").ok().and_then(|text| home_in(&text, uid));
    local.or_else(|| {
        let getent = ["/usr/bin/getent", "/bin/getent"].iter().find(|path| Path::new(path).exists())?;
        let output = std::process::Command::new(getent).args(["passwd", &uid.to_string()]).output().ok()?;
        home_in(&String::from_utf8_lossy(&output.stdout), uid)
    })
}

/// The sixth field of the line whose third is `uid`.
fn home_in(passwd: &str, uid: u32) -> Option<PathBuf> {
    let uid = uid.to_string();
    passwd.lines().find_map(|line| {
        let fields: Vec<&str> = line.split(':').collect();
        (fields.get(2) == Some(&uid.as_str())).then(|| fields.get(5).map(PathBuf::from)).flatten()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn homes_of_the_password_database() {
        let passwd = "root:x:0:0:root:/root:/bin/sh\nbroken\nada:x:1000:1000::/home/ada:/bin/sh\n";
        assert_eq!(home_in(passwd, 1000), Some("/home/ada".into()));
        assert_eq!(home_in(passwd, 100), None);
    }

    #[test]
    fn a_relocated_tree_has_its_own_global_layer() {
        let tree = tempfile::tempdir().unwrap();
        let exe = tree.path().join("bin/apptainer");
        assert_eq!(global_file(&exe, Persona::Apptainer), Path::new("/etc/apptainer/remote.yaml"));
        std::fs::create_dir_all(tree.path().join("etc/apptainer")).unwrap();
        assert_eq!(global_file(&exe, Persona::Apptainer), tree.path().join("etc/apptainer/remote.yaml"));
        assert_eq!(global_file(&exe, Persona::Singularity), Path::new("/etc/singularity/remote.yaml"));
    }
}
