//! Which files the two layers are: the persona's directories, the home, the prefix.

use crate::fsio::Trusted;
use crate::persona::Persona;
use std::cell::OnceCell;
use std::fmt;
use std::fs::Metadata;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

/// The name of both layers' file.
const FILE: &str = "remote.yaml";
/// The real programs' own auth file, beside it.
const DOCKER_FILE: &str = "docker-config.json";

/// Why there is no directory of the user.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NoHome {
    /// Nothing tells where the home of this uid is: a command that needs it cannot go on.
    Unknown(u32),
    /// It is known and no place for files: the layer is empty.
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

/// What decides where things are.
pub struct Surroundings<'a> {
    /// The file of this program; empty where nothing tells it.
    pub exe: &'a Path,
    /// Whose directories they are.
    pub persona: Persona,
    /// Whose home is looked up.
    pub uid: u32,
    /// The persona's variable CONFIGDIR.
    pub config_dir: Option<PathBuf>,
    /// The variable HOME.
    pub home: Option<PathBuf>,
    /// The home in the password database, asked for only when it is needed.
    pub passwd_home: &'a dyn Fn(u32) -> Option<PathBuf>,
}

/// Where things are.
#[derive(Clone, Debug)]
pub struct Paths {
    /// The user's directory, or why there is none that could be used.
    pub user_dir: Result<PathBuf, NoHome>,
    /// `--config FILE` of a group: another user layer.
    pub chosen_file: Option<PathBuf>,
    /// The global layer.
    pub global_file: PathBuf,
    exe: PathBuf,
    persona: Persona,
    /// The auth file of the real programs' own directory or, where no variable names it, of docker.
    shared_auth_file: Result<PathBuf, NoHome>,
    /// The directory that may stand in for the user's, and whether it does.
    legacy: Option<PathBuf>,
    stands_in: OnceCell<bool>,
}

impl Paths {
    /// Works out all paths; opens nothing.
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

    /// A `~/.singularity` that stands in until the first write makes `~/.apptainer` of it. Looked at once.
    pub fn legacy_dir(&self) -> Option<&Path> {
        let (Some(legacy), Ok(own)) = (&self.legacy, &self.user_dir) else { return None };
        let is_missing =
            || own.symlink_metadata().is_err_and(|error| error.kind() == std::io::ErrorKind::NotFound);
        let stands_in = *self.stands_in.get_or_init(|| is_missing() && legacy.is_dir());
        stands_in.then_some(legacy.as_path())
    }

    /// Who is trusted with the global layer as root is: the owner of this program's file, and a group that can
    /// write its directory, as in installations that a group maintains.
    pub fn who_can_replace_exe(&self) -> Trusted {
        who_can_replace(&self.exe)
    }

    /// The file that a user's write changes.
    ///
    /// # Errors
    /// There is no usable home.
    pub fn user_file(&self) -> Result<PathBuf, NoHome> {
        match &self.chosen_file {
            Some(file) => Ok(file.clone()),
            None => self.user_dir.clone().map(|directory| directory.join(FILE)),
        }
    }

    /// The file that a user's layer is read from: the one of `~/.singularity` until it is migrated.
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

/// The auth file of registries: the one that is named, or the one that the real program uses by itself.
#[derive(Clone, Debug)]
pub struct AuthPath {
    /// The file, or why there is no place for one.
    pub file: Result<PathBuf, NoHome>,
    /// What will be copied there before anything is written: that of a `~/.singularity` which stands in.
    pub copy_of: Option<PathBuf>,
    /// An option or a variable names it, so that it stands for itself: `remote.yaml` is not about it.
    pub chosen: bool,
}

impl Paths {
    /// The auth file: the one that is `named` by `--authfile` or the environment, `docker-config.json` in the user's
    /// directory where it exists (SingularityCE: in any case), `config.json` in CONFIGDIR, `~/.docker/config.json`.
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
    // In a sticky directory the members of a group cannot replace each other's files.
    let writes = |found: &Metadata| found.mode() & 0o1020 == 0o020;
    Trusted {
        owner: std::fs::metadata(exe).ok().map(|found| found.uid()),
        group: directory.filter(writes).map(|found| found.gid()),
    }
}

/// HOME, then the password database; the other way round for SingularityCE, which looks at HOME only
/// where that has no entry. `/` is no place for a user's files, and a relative path is none at all.
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
    fn a_group_that_writes_the_directory_of_the_program_can_replace_it() {
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
