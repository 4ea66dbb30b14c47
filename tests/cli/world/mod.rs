//! The environment of one test: its own relocated tree (`bin`, `etc`, `home`), and functions to run the program
//! in it, in process through `run(args, &mut Context)` or as a process of root or of an ordinary user.

mod patience;
mod shown;
mod streams;
mod words;

use patience::limits;
pub use patience::{SHORT, Wrong};
pub use shown::{Shown, finish, finish_reading};
pub use streams::Terminals;
use streams::{Answers, Sink};
use words::{SHIPPED, back, there};
pub use words::{apptainer_alone, ending_in, in_singularity};

use apptainer_remote::commands::session::Session;
use apptainer_remote::commands::session::layers::Layers;
use apptainer_remote::context::{Colours, Context, Stream, User};
use apptainer_remote::environment::Env;
use apptainer_remote::message::Talk;
use apptainer_remote::persona::Persona;
use apptainer_remote::services::Limits;
use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::ffi::OsString;
use std::fs;
use std::io::{self, Cursor};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, UNIX_EPOCH};

use crate::peers::wire::PATIENT;

pub use crate::machine::{Tree, can_be_root, is_root, only_root, skipped};

/// The ordinary user of worlds that root creates.
pub const USER: u32 = 54_321;

/// The clock of in-process runs: 2027-01-15T08:00:00Z.
pub const NOW: u64 = 1_800_000_000;

/// Who runs a command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum As {
    Root,
    User,
}

/// The relocated tree, and the environment of runs in it.
pub struct World {
    dir: Tree,
    /// Whether the test is written for Apptainer and runs in persona singularity.
    translates: bool,
    pub persona: Persona,
    pub env: Env,
    /// Standard input of in-process runs; the next run takes it.
    pub stdin: RefCell<Vec<u8>>,
    /// Answers to prompts of in-process runs; `None` is Ctrl-D.
    pub answers: RefCell<VecDeque<Option<String>>>,
    pub terminals: Terminals,
    /// How long in-process runs wait for a response.
    pub patience: Cell<Duration>,
    /// The interval over which in-process runs measure the speed of a transfer.
    pub pace: Cell<Duration>,
    pub width: Cell<usize>,
}

impl World {
    /// A world without a global file: the built-in remote is used.
    pub fn bare(persona: Persona) -> Self {
        Self::bare_in(&std::env::temp_dir(), persona)
    }

    /// The same below this directory, for example in memory for a test of thousands of worlds.
    pub fn bare_in(directory: &Path, persona: Persona) -> Self {
        // Files of worlds have the usual modes, whatever the umask of the user who runs the tests.
        rustix::process::umask(rustix::fs::Mode::from_raw_mode(0o022));
        let dir = tempfile::Builder::new().prefix("apptainer-remote-test-").tempdir_in(directory).unwrap();
        let dir = Tree(dir);
        let world = Self {
            dir,
            translates: false,
            persona,
            env: Env::default(),
            stdin: RefCell::default(),
            answers: RefCell::default(),
            terminals: Terminals::default(),
            patience: Cell::new(PATIENT),
            pace: Cell::new(PATIENT),
            width: Cell::new(100),
        };
        fs::set_permissions(world.path(""), fs::Permissions::from_mode(0o755)).unwrap();
        fs::create_dir_all(world.path("bin")).unwrap();
        fs::create_dir_all(world.global_file().parent().unwrap()).unwrap();
        fs::create_dir(world.home()).unwrap();
        fs::set_permissions(world.home(), fs::Permissions::from_mode(0o700)).unwrap();
        fs::write(world.exe(), "").unwrap();
        let home = world.home();
        world.with_env("HOME", home)
    }

    /// A world as an installation creates it: the global file has the remote that the real program ships.
    pub fn new() -> Self {
        if in_singularity() {
            return Self { translates: true, ..Self::singularity() };
        }
        let world = Self::bare(Persona::Apptainer);
        world.write_global(SHIPPED);
        world
    }

    /// The same in persona singularity.
    pub fn singularity() -> Self {
        let world = Self::bare(Persona::Singularity);
        world.write_global(there(SHIPPED));
        world
    }

    pub fn with_env(mut self, name: &str, value: impl Into<OsString>) -> Self {
        self.set_env(name, value);
        self
    }

    pub fn set_env(&mut self, name: &str, value: impl Into<OsString>) {
        self.env.set(&self.in_words(name), value);
    }

    /// Replaces Apptainer's names in `text` with those of this world's persona.
    pub fn in_words(&self, text: &str) -> String {
        if self.translates { there(text) } else { text.to_string() }
    }

    /// The reverse of `in_words`.
    fn out_of_words(&self, text: String) -> String {
        if self.translates { back(&text) } else { text }
    }

    fn bytes_in_words(&self, bytes: &[u8]) -> Vec<u8> {
        match std::str::from_utf8(bytes) {
            Ok(text) => self.in_words(text).into_bytes(),
            Err(_) => bytes.to_vec(),
        }
    }

    /// The output with the names that tests use.
    pub fn shown(&self, shown: Shown) -> Shown {
        Shown { stdout: self.out_of_words(shown.stdout), stderr: self.out_of_words(shown.stderr), ..shown }
    }

    pub fn on_terminal(mut self) -> Self {
        self.terminals = Terminals { stdin: true, stdout: true, stderr: false };
        self
    }

    pub fn path(&self, below: &str) -> PathBuf {
        self.dir.0.path().join(below)
    }

    pub fn home(&self) -> PathBuf {
        self.path("home")
    }

    pub fn exe(&self) -> PathBuf {
        self.path("bin").join(self.persona.name())
    }

    /// The start of a hint that needs root: sudo does not find this world's program by its name.
    pub fn sudo(&self) -> String {
        self.out_of_words(format!("sudo {} ", self.exe().display()))
    }

    pub fn user_dir(&self) -> PathBuf {
        self.home().join(self.persona.dot_directory())
    }

    pub fn user_file(&self) -> PathBuf {
        self.user_dir().join("remote.yaml")
    }

    /// The default auth file for registry logins.
    pub fn auth_file(&self) -> PathBuf {
        match self.persona {
            Persona::Apptainer => self.home().join(".docker/config.json"),
            Persona::Singularity => self.user_dir().join("docker-config.json"),
        }
    }

    pub fn global_file(&self) -> PathBuf {
        self.path("etc").join(self.persona.name()).join("remote.yaml")
    }

    pub fn write_user(&self, text: impl AsRef<[u8]>) {
        let _ = fs::create_dir(self.user_dir());
        fs::set_permissions(self.user_dir(), fs::Permissions::from_mode(0o700)).unwrap();
        fs::write(self.user_file(), self.bytes_in_words(text.as_ref())).unwrap();
        fs::set_permissions(self.user_file(), fs::Permissions::from_mode(0o600)).unwrap();
    }

    pub fn write_global(&self, text: impl AsRef<[u8]>) {
        fs::write(self.global_file(), self.bytes_in_words(text.as_ref())).unwrap();
        fs::set_permissions(self.global_file(), fs::Permissions::from_mode(0o644)).unwrap();
    }

    /// The user's file; empty if there is none.
    pub fn user(&self) -> String {
        self.out_of_words(fs::read_to_string(self.user_file()).unwrap_or_default())
    }

    pub fn global(&self) -> String {
        self.out_of_words(fs::read_to_string(self.global_file()).unwrap_or_default())
    }

    pub fn pipe(&self, text: impl Into<Vec<u8>>) -> &Self {
        *self.stdin.borrow_mut() = text.into();
        self
    }

    pub fn answer(&self, text: &str) -> &Self {
        self.answers.borrow_mut().push_back(Some(text.to_string()));
        self
    }

    /// Sets a short timeout if a response never comes, and a long one if it is only late.
    pub fn waits_for(&self, wrong: &impl Wrong) {
        self.patience.set(if wrong.is_silence() { SHORT } else { PATIENT });
    }

    /// Runs `remote LINE` as the user, in process. Words are separated by spaces.
    pub fn remote(&self, line: &str) -> Shown {
        self.run(As::User, &words(&format!("remote {line}")))
    }

    /// Runs `remote LINE` as root, in process.
    pub fn root_remote(&self, line: &str) -> Shown {
        self.run(As::Root, &words(&format!("remote {line}")))
    }

    /// Runs a command line (without the program's name) in process.
    pub fn run<S: AsRef<std::ffi::OsStr>>(&self, who: As, args: &[S]) -> Shown {
        self.run_with(self.env.clone(), self.home(), who, args)
    }

    /// The same with another home and the same global file.
    pub fn run_at<S: AsRef<std::ffi::OsStr>>(&self, home: &Path, who: As, args: &[S]) -> Shown {
        let mut env = self.env.clone();
        env.set("HOME", home);
        self.run_with(env, home.to_owned(), who, args)
    }

    fn run_with<S: AsRef<std::ffi::OsStr>>(&self, env: Env, home: PathBuf, who: As, args: &[S]) -> Shown {
        let (out, err) = (Sink::default(), Sink::default());
        let argv: Vec<OsString> = std::iter::once(OsString::from(self.persona.name()))
            .chain(args.iter().map(|arg| match arg.as_ref().to_str() {
                Some(text) => self.in_words(text).into(),
                None => arg.as_ref().to_owned(),
            }))
            .collect();
        let mut ctx = self.context(env, home, who, &out, &err);
        let code = apptainer_remote::run(&argv, &mut ctx);
        drop(ctx);
        self.shown(Shown { code: code.into(), stdout: out.text(), stderr: err.text() })
    }

    fn context(&self, env: Env, home: PathBuf, who: As, out: &Sink, err: &Sink) -> Context {
        Context {
            exe: self.exe(),
            persona: self.persona,
            env,
            user: User { uid: if who == As::Root { 0 } else { user_uid() }, elevated: false },
            passwd_home: Box::new(move |_| Some(home.clone())),
            stdin: Box::new(Cursor::new(self.stdin.take())),
            stdout: Box::new(out.clone()),
            talk: Talk::new(Box::new(err.clone()), 1, false),
            prompt: Box::new(Answers(self.answers.take())),
            terminals: self.terminals.asked(),
            width: {
                let width = self.width.get();
                let terminals = self.terminals.asked();
                Box::new(move |stream| {
                    let terminal = match stream {
                        Stream::Stdin => terminals.stdin(),
                        Stream::Stdout => terminals.stdout(),
                        Stream::Stderr => terminals.stderr(),
                    };
                    terminal.then_some(width)
                })
            },
            colours: Colours::Auto,
            now: || UNIX_EPOCH + Duration::from_secs(NOW),
            limits: Limits { pace: self.pace.get(), ..limits(self.patience.get()) },
            exec: Box::new(|program, args| {
                io::Error::other(format!("would run {} {args:?}", program.display()))
            }),
        }
    }

    /// The layers as a user with this home sees them, without a command line. For tests that check them after
    /// each of thousands of commands, where parsing would take most of the time.
    pub fn layers_at(&self, home: &Path, who: As) -> apptainer_remote::error::Result<Layers> {
        let mut env = self.env.clone();
        env.set("HOME", home);
        let mut ctx = self.context(env, home.to_owned(), who, &Sink::default(), &Sink::default());
        Session::new(&mut ctx, "", None).load()
    }

    /// The program in the world's `bin`, as a process of `who`. `None`, with a message, if this user cannot start it.
    pub fn command(&self, who: As) -> Option<Command> {
        self.install();
        let mut command = match (who, is_root()) {
            (As::Root, true) | (As::User, false) => Command::new(self.exe()),
            (As::User, true) => {
                self.give_home_to_user();
                let mut command = Command::new("/usr/bin/setpriv");
                command.args([format!("--reuid={USER}"), format!("--regid={USER}")]).arg("--clear-groups");
                command.arg(self.exe());
                command
            }
            (As::Root, false) => {
                if !can_be_root() {
                    return None;
                }
                let mut command = Command::new("/usr/bin/unshare");
                command.arg("-r").arg(self.exe());
                command
            }
        };
        command
            .env_clear()
            .envs(self.environment().iter())
            .env("PATH", "/usr/bin:/bin")
            .current_dir(self.path(""));
        Some(command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).to_owned_command())
    }

    /// The environment variables of a process of this world.
    pub fn environment(&self) -> Env {
        let mut env = self.env.clone();
        if self.translates && env.get("SINGULARITY_CONFIGDIR").is_none() {
            // SingularityCE uses the password database, which has the real home.
            env.set("SINGULARITY_CONFIGDIR", self.user_dir());
        }
        env
    }

    /// Runs `remote LINE` as a process; `None` if it was skipped.
    pub fn spawn(&self, who: As, line: &str) -> Option<Shown> {
        let mut command = self.command(who)?;
        let line = self.in_words(&format!("remote {line}"));
        Some(self.shown(finish(command.args(words(&line)))))
    }

    /// Copies the built program into the world's `bin`.
    pub fn install(&self) {
        if fs::metadata(self.exe()).is_ok_and(|meta| meta.len() == 0) {
            // Another process copies it: a file that this process has open for writing cannot be executed by a
            // child that another thread forks meanwhile (ETXTBSY).
            let copied = Command::new("cp").arg(env!("CARGO_BIN_EXE_apptainer")).arg(self.exe()).status();
            assert!(copied.unwrap().success());
            fs::set_permissions(self.exe(), fs::Permissions::from_mode(0o755)).unwrap();
        }
    }

    /// Gives the files that root created in the home to the ordinary user.
    pub fn give_home_to_user(&self) {
        if is_root() {
            let mut stack = vec![self.home()];
            while let Some(path) = stack.pop() {
                if path.is_dir() && !path.is_symlink() {
                    stack.extend(fs::read_dir(&path).unwrap().map(|entry| entry.unwrap().path()));
                }
                std::os::unix::fs::lchown(&path, Some(USER), Some(USER)).unwrap();
            }
        }
    }
}

/// `Command` builders return references, but a function needs to return the command.
trait ToOwnedCommand {
    fn to_owned_command(&mut self) -> Command;
}

impl ToOwnedCommand for Command {
    fn to_owned_command(&mut self) -> Command {
        std::mem::replace(self, Command::new("false"))
    }
}

pub fn words(line: &str) -> Vec<String> {
    line.split_whitespace().map(String::from).collect()
}

pub fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o7777
}

fn user_uid() -> u32 {
    if is_root() { USER } else { rustix::process::geteuid().as_raw() }
}
