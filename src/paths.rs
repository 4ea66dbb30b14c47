//! The paths of both layers, from the persona's directories, the home and the installation prefix.

use crate::fsio::Trusted;
use crate::persona::Persona;
use std::cell::OnceCell;
use std::fmt;
use std::fs::Metadata;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

/// The file name of both layers.
const FILE: &str = "remote.yaml";
/// The auth file of the real programs, in the same directory.
const DOCKER_FILE: &str = "docker-config.json";

/// Why there is no user directory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NoHome {
    /// No home is known for this uid. A command that needs it cannot continue.
    Unknown(u32),
    /// The home is known, but cannot hold files. The layer counts as empty.
    Unusable(String),
}

impl fmt::Display for NoHome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unknown(uid) => write!(f, "uid {uid} has no home directory: set HOME"),
            Self::Unusable(why) => f.write_str(why),
        }
    }
}

/// The values that determine the paths.
pub struct Surroundings<'a> {
    /// The path of this program; empty if it is unknown.
    pub exe: &'a Path,
    /// The program whose directories are used.
    pub persona: Persona,
    /// The uid whose home is looked up.
    pub uid: u32,
    /// The value of the persona's variable CONFIGDIR.
    pub config_dir: Option<PathBuf>,
    /// The value of HOME.
    pub home: Option<PathBuf>,
    /// Looks up a uid's home in the password database. Called only if needed.
    pub passwd_home: &'a dyn Fn(u32) -> Option<PathBuf>,
}

/// The resolved paths.
#[derive(Clone, Debug)]
pub struct Paths {
    /// The user's directory, or why there is none.
    pub user_dir: Result<PathBuf, NoHome>,
    /// The group's `--config FILE`: another user layer.
    pub chosen_file: Option<PathBuf>,
    /// The file of the global layer.
    pub global_file: PathBuf,
    exe: PathBuf,
    persona: Persona,
    /// The auth file if the user's directory has none: `config.json` in CONFIGDIR, or else Docker's.
    shared_auth_file: Result<PathBuf, NoHome>,
    /// A `~/.singularity` that may be used in place of the user's directory.
    legacy: Option<PathBuf>,
    stands_in: OnceCell<bool>,
}

impl Paths {
    /// Computes all paths. Opens no files.
    pub fn resolve(at: &Surroundings, chosen_file: Option<PathBuf>) -> Self {
        let (user_dir, shared_auth_file, legacy) = match &at.config_dir {
            Some(directory) => (Ok(directory.clone()), Ok(directory.join("config.json")), None),
            None => {
                let home = home(at);
                let below = |path: &str| home.clone().map(|home| home.join(path));
                let legacy = below(Persona::Singularity.dot_directory()).ok();
                let legacy = legacy.filter(|_| at.persona == Persona::Apptainer);
                (below(at.persona.dot_directory()), below(".docker/config.json"), legacy)
            }
        };
        Self {
            user_dir,
            chosen_file,
            global_file: global_file(at.exe, at.persona),
            exe: at.exe.into(),
            persona: at.persona,
            shared_auth_file,
            legacy,
            stands_in: OnceCell::new(),
        }
    }

    /// The `~/.singularity` that is used until the first write migrates it to `~/.apptainer`. Checked only once.
    pub fn legacy_dir(&self) -> Option<&Path> {
        let (Some(legacy), Ok(own)) = (&self.legacy, &self.user_dir) else { return None };
        let is_missing =
            || own.symlink_metadata().is_err_and(|error| error.kind() == std::io::ErrorKind::NotFound);
        let stands_in = *self.stands_in.get_or_init(|| is_missing() && legacy.is_dir());
        stands_in.then_some(legacy.as_path())
    }

    /// Who is trusted with the global layer in addition to root: the owner of this program's file, and the group that
    /// can write to its directory, for installations that a group maintains.
    pub fn who_can_replace_exe(&self) -> Trusted {
        who_can_replace(&self.exe)
    }

    /// The file that changes to the user layer are written to.
    ///
    /// # Errors
    /// There is no usable home.
    pub fn user_file(&self) -> Result<PathBuf, NoHome> {
        match &self.chosen_file {
            Some(file) => Ok(file.clone()),
            None => self.user_dir.clone().map(|directory| directory.join(FILE)),
        }
    }

    /// The file that the user layer is read from: the one in `~/.singularity` until it is migrated.
    ///
    /// # Errors
    /// There is no usable home.
    pub fn user_file_to_read(&self) -> Result<PathBuf, NoHome> {
        if self.chosen_file.is_some() {
            return self.user_file();
        }
        self.legacy_dir().map_or_else(|| self.user_file(), |legacy| Ok(legacy.join(FILE)))
    }
}

/// The auth file for registry logins: one that was chosen explicitly, or the one that the real program uses by
/// default.
#[derive(Clone, Debug)]
pub struct AuthPath {
    /// The file, or why there is no directory for it.
    pub file: Result<PathBuf, NoHome>,
    /// The file to copy there before the first write: the one in a `~/.singularity` that is to be migrated.
    pub copy_of: Option<PathBuf>,
    /// Explicitly chosen by an option or a variable, so its logins are not listed in `remote.yaml`.
    pub chosen: bool,
}

impl Paths {
    /// Finds the auth file, in this order: `named`, from `--authfile` or the environment; `docker-config.json` in
    /// the user's directory, if it exists (for SingularityCE always); `config.json` in CONFIGDIR;
    /// `~/.docker/config.json`.
    pub fn auth_file(&self, named: Option<PathBuf>) -> AuthPath {
        if let Some(file) = named {
            return AuthPath { file: Ok(file), copy_of: None, chosen: true };
        }
        let legacy = self.legacy_dir().map(|legacy| legacy.join(DOCKER_FILE));
        let copy_of = legacy.filter(|legacy| legacy.exists());
        let own = self.user_dir.clone().map(|directory| directory.join(DOCKER_FILE));
        let exists = own.as_ref().is_ok_and(|own| own.symlink_metadata().is_ok());
        if self.persona == Persona::Singularity || exists || copy_of.is_some() {
            return AuthPath { file: own, copy_of, chosen: false };
        }
        AuthPath { file: self.shared_auth_file.clone(), copy_of: None, chosen: false }
    }
}

fn who_can_replace(exe: &Path) -> Trusted {
    let directory = exe.parent().and_then(|directory| std::fs::metadata(directory).ok());
    // In a sticky directory, group members cannot replace each other's files.
    let writes = |found: &Metadata| found.mode() & 0o1020 == 0o020;
    Trusted {
        owner: std::fs::metadata(exe).ok().map(|found| found.uid()),
        group: directory.filter(writes).map(|found| found.gid()),
    }
}

/// The home from HOME, else from the password database. SingularityCE uses HOME only if the password database has
/// no entry. Relative paths and `/` are skipped, because they cannot hold a user's files.
fn home(at: &Surroundings) -> Result<PathBuf, NoHome> {
    let variable = || at.home.clone();
    let database = || (at.passwd_home)(at.uid);
    let sources: [&dyn Fn() -> Option<PathBuf>; 2] = match at.persona {
        Persona::Apptainer => [&variable, &database],
        Persona::Singularity => [&database, &variable],
    };
    let mut unusable = None;
    for home in sources.iter().filter_map(|source| source()) {
        if home.is_absolute() && home != Path::new("/") {
            return Ok(home);
        }
        unusable.get_or_insert(home);
    }
    Err(match unusable {
        Some(home) => {
            NoHome::Unusable(format!("the home directory is {:?}, which cannot hold files", home.display()))
        }
        None => NoHome::Unknown(at.uid),
    })
}

/// `<prefix>/etc/<persona>/remote.yaml` if that directory exists, or else the file in `/etc`. `<prefix>` is the
/// parent of the directory that contains `exe`. Environment variables have no effect, because they must not
/// replace the administrator's file with a user's.
pub fn global_file(exe: &Path, persona: Persona) -> PathBuf {
    let relocated = exe.parent().and_then(Path::parent).map(|prefix| prefix.join("etc").join(persona.name()));
    let directory = relocated
        .filter(|directory| directory.is_dir())
        .unwrap_or_else(|| Path::new("/etc").join(persona.name()));
    directory.join(FILE)
}

/// The home of `uid` from `/etc/passwd`, or else from `getent`, which also queries LDAP and similar databases.
pub fn passwd_home(uid: u32) -> Option<PathBuf> {
    let local = std::fs::read_to_string("/etc/passwd").ok().and_then(|text| home_in(&text, uid));
    local.or_else(|| {
        let getent = ["/usr/bin/getent", "/bin/getent"].iter().find(|path| Path::new(path).exists())?;
        let output = std::process::Command::new(getent).args(["passwd", &uid.to_string()]).output().ok()?;
        home_in(&String::from_utf8_lossy(&output.stdout), uid)
    })
}

/// Field 6 of the line whose field 3 is `uid`.
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
    fn homes_are_read_from_the_password_database() {
        let passwd = "root:x:0:0:root:/root:/bin/sh\nbroken\nada:x:1000:1000::/home/ada:/bin/sh\n";
        assert_eq!(home_in(passwd, 1000), Some("/home/ada".into()));
        assert_eq!(home_in(passwd, 100), None);
    }

    #[test]
    fn a_group_that_can_write_to_the_directory_of_the_program_can_replace_it() {
        use std::os::unix::fs::PermissionsExt;
        let tree = tempfile::tempdir().unwrap();
        let exe = tree.path().join("apptainer");
        std::fs::write(&exe, "").unwrap();
        let mine = std::fs::metadata(tree.path()).unwrap();
        for (mode, group) in [
            (0o755, None),
            (0o775, Some(mine.gid())),
            (0o2775, Some(mine.gid())),
            (0o1775, None),
            (0o757, None),
        ] {
            std::fs::set_permissions(tree.path(), PermissionsExt::from_mode(mode)).unwrap();
            assert_eq!(who_can_replace(&exe), Trusted { owner: Some(mine.uid()), group }, "{mode:o}");
        }
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
