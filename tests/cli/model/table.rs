//! The world of a case: three homes with the same global file, and their contents.

use super::generate::Case;
use super::layers::{Credential, Entry, Keyserver, Layer, Row};
use super::net::{NOBODY, TOKENS};
use super::step::{PEOPLE, ROOT, Step};
use crate::peers::ca::Ca;
use crate::world::{As, Shown, World};
use apptainer_remote::config::layers::{Origin, Remote};
use apptainer_remote::config::{self, yaml};
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

/// The content of a file; `None` if there is no file.
pub type Bytes = Option<Vec<u8>>;

/// Files given to commands: one for each token, and the trusted certificates.
pub struct Secrets(tempfile::TempDir);

impl Secrets {
    pub fn new() -> Self {
        let own = Self(tempfile::tempdir().unwrap());
        for (token, _) in TOKENS {
            fs::write(own.file(token), format!("{token}\n")).unwrap();
        }
        fs::create_dir(own.no_certificates()).unwrap();
        Ca::generate().write(&own.certificates());
        own
    }

    /// The name does not reveal the content, because messages may contain file names but never secrets.
    fn file(&self, token: &str) -> PathBuf {
        let number = TOKENS.iter().position(|(own, _)| *own == token).unwrap();
        self.0.path().join(format!("secret-{number}"))
    }

    fn certificates(&self) -> PathBuf {
        self.0.path().join("roots.pem")
    }

    fn no_certificates(&self) -> PathBuf {
        self.0.path().join("none")
    }
}

/// The world of a case with its three homes.
pub struct Table {
    world: World,
    homes: [PathBuf; 3],
}

impl Table {
    pub fn new(case: &Case, secrets: &Secrets) -> Self {
        let memory = Path::new("/dev/shm");
        let temp = std::env::temp_dir();
        let directory = if tempfile::tempfile_in(memory).is_ok() { memory } else { &temp };
        let world = World::bare_in(directory, case.start.persona)
            .with_env("http_proxy", format!("http://{NOBODY}"))
            .with_env("https_proxy", format!("http://{NOBODY}"))
            // One certificate is read faster than the hundred of the machine.
            .with_env("SSL_CERT_FILE", secrets.certificates())
            .with_env("SSL_CERT_DIR", secrets.no_certificates());
        let homes = PEOPLE.map(|name| world.path(name));
        if let Some(layer) = &case.start.global {
            world.write_global(layer.text());
        }
        for (home, layer) in homes.iter().zip(&case.start.users) {
            fs::create_dir(home).unwrap();
            if let Some(layer) = layer {
                // `write_user` sets the modes; then the directory is moved to its home.
                world.write_user(layer.text());
                let name = world.user_dir().file_name().unwrap().to_owned();
                fs::rename(world.user_dir(), home.join(name)).unwrap();
            }
        }
        Self { world, homes }
    }

    pub fn run(&self, step: &Step, secrets: &Secrets) -> Shown {
        let args = step.args(|token| secrets.file(token).to_str().unwrap().to_string());
        self.world.pipe(step.input().unwrap_or_default());
        self.world.run_at(&self.homes[step.who], self.uid(step.who), &args)
    }

    fn uid(&self, who: usize) -> As {
        if who == ROOT { As::Root } else { As::User }
    }

    /// The merged view that a user's commands use. `list --json` shows the same, and is one of the steps.
    pub fn sees(&self, who: usize) -> Vec<Row> {
        let Ok(layers) = self.world.layers_at(&self.homes[who], self.uid(who)) else { return vec![] };
        let effective = layers.effective;
        let row = |(name, remote): (&String, &Remote)| Row {
            name: name.clone(),
            uri: apptainer_remote::uri::shown(&remote.uri),
            default: effective.default.as_ref() == Some(name),
            global: remote.origin == Origin::Global,
            exclusive: remote.exclusive,
            insecure: remote.insecure,
            token: remote.token.is_some(),
        };
        effective.remotes.iter().map(row).collect()
    }

    fn user_dir(&self, who: usize) -> PathBuf {
        self.homes[who].join(self.world.user_dir().file_name().unwrap())
    }

    /// The global file and the files of all users.
    pub fn files(&self) -> [Bytes; 4] {
        let user = |who| fs::read(self.user_dir(who).join("remote.yaml")).ok();
        [fs::read(self.world.global_file()).ok(), user(0), user(1), user(2)]
    }

    /// Checks that the homes and the directory of the global file contain only layers, their locks and the
    /// cache, and that the layers have the correct modes.
    pub fn in_order(&self) -> Result<(), String> {
        let names = |directory: &Path| -> Vec<String> {
            let entries = fs::read_dir(directory).into_iter().flatten();
            entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
        };
        let check = |directory: &Path, allowed: &dyn Fn(&str) -> bool| match names(directory)
            .into_iter()
            .find(|name| !allowed(name))
        {
            Some(name) => Err(format!("there is a file {name} in {}", directory.display())),
            None => Ok(()),
        };
        let is = |path: &Path, expected: u32| match fs::metadata(path) {
            Ok(meta) if meta.permissions().mode() & 0o7777 != expected => {
                Err(format!("{} has the mode {:o}", path.display(), meta.permissions().mode()))
            }
            _ => Ok(()),
        };
        is(&self.world.global_file(), 0o644)?;
        let layer = |name: &str| ["remote.yaml", ".remote.yaml.lock"].contains(&name);
        check(self.world.global_file().parent().unwrap(), &layer)?;
        check(&self.world.home(), &|_| false)?;
        for who in 0..PEOPLE.len() {
            let directory = self.user_dir(who);
            is(&directory, 0o700)?;
            is(&directory.join("remote.yaml"), 0o600)?;
            check(&self.homes[who], &|name| directory.ends_with(name))?;
            check(&directory, &|name| layer(name) || name == "remote-cache")?;
            check(&directory.join("remote-cache"), &|name| name.ends_with(".services.json"))?;
        }
        Ok(())
    }
}

/// The content of a file.
pub fn read(bytes: &[u8]) -> Result<Layer, String> {
    let config = yaml::read(bytes).map_err(|error| format!("a broken file: {error:?}"))?.config;
    let text = |secret: &apptainer_remote::secret::Secret| secret.expose().to_string();
    let keyserver = |own: config::Keyserver| {
        let config::Keyserver { uri, skip, external, insecure } = own;
        Keyserver { uri, skip, external, insecure }
    };
    let entry = |endpoint: config::Endpoint| {
        let mut keyservers: Vec<_> = endpoint.keyservers.into_iter().map(keyserver).collect();
        keyservers.sort_by_key(|keyserver| keyserver.skip);
        Entry {
            uri: endpoint.uri,
            token: endpoint.token.as_ref().map(text),
            system: endpoint.system,
            exclusive: endpoint.exclusive,
            insecure: endpoint.insecure,
            keyservers,
        }
    };
    let credential = |own: config::Credential| Credential {
        uri: own.uri,
        auth: own.auth.as_ref().map(text).unwrap_or_default(),
        insecure: own.insecure,
    };
    Ok(Layer {
        active: config.active,
        remotes: config.remotes.into_iter().map(|(name, endpoint)| (name, entry(endpoint))).collect(),
        credentials: config.credentials.into_iter().map(credential).collect(),
    })
}
