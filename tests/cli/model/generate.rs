//! Generates initial layers and steps from a number.

use super::commands::Model;
use super::layers::{Credential, Entry, Keyserver, Layer, built_in_remote, exclusive, shown};
use super::net::{Net, TOKENS, authorization};
use super::random::Random;
use super::step::{Add, Command, Login, Secret, Step};
use apptainer_remote::persona::Persona;

/// A whole case: the initial layers and the commands.
#[derive(Clone)]
pub struct Case {
    pub start: Model,
    pub steps: Vec<Step>,
}

/// Only a few names, so that layers overlap. The name of the built-in remote is added.
const NAMES: [&str; 6] = ["a", "b", "lab", "r2", "r10", "company"];
const BAD_NAMES: [&str; 5] = ["", "  ", "x://y", "a\tb", "-x"];

/// Addresses for `add`. Those with http need `--insecure`.
const TYPED: [&str; 18] = [
    "https://a.example",
    "a.example/",
    "A.Example",
    "https://a.example//p/./q/../%7Er/",
    "a.example/p/%7Er",
    "https://user:word@a.example?q#f",
    "https://c.example:8443",
    "c.example:8443/",
    "a.example:443",
    "https://[::1]:8443/x",
    "E0",
    "https://E0",
    "NOBODY",
    "cloud.apptainer.org",
    "cloud.sylabs.io",
    "http://a.example",
    "http://a.example:80/",
    "http://NOBODY",
];
/// The endpoints as they are typed; these occur more often than the others.
const TYPED_LIVE: [&str; 7] =
    ["http://E0", "http://E0/", "http://E0//sub/.", "http://E1", "http://E2", "http://E3", "E0/sub"];
const BAD_TYPED: [&str; 6] =
    ["ftp://a.example", "https://a.example:0", "a.example:99999", "a b.example", "", "https://"];

/// Addresses as they are stored, and whether they are insecure. An empty one is what the real programs' `add`
/// stores for `host:port`.
const STORED: [(&str, bool); 15] = [
    ("a.example", false),
    ("a.example", true),
    ("https://a.example", false),
    ("//a.example:443", false),
    ("a.example/p/%7Er", false),
    ("//c.example:8443", false),
    ("", false),
    ("//NOBODY", true),
    ("//E0", false),
    ("//E0", true),
    ("E0", true),
    ("//E0/sub", true),
    ("//E1", true),
    ("//E2", true),
    ("//E3", true),
];

const KEYSERVERS: [&str; 12] = [
    "https://keys.openpgp.org",
    "hkps://keys.openpgp.org",
    "https://k.example",
    "https://K.example:443",
    "hkp://k.example",
    "http://k.example:11371",
    "https://l.example",
    "http://E1/keystore",
    "http://E4",
    "http://E4/",
    "http://E4/pks",
    "http://E4",
];

/// The case for this seed.
pub fn case(seed: u64, persona: Persona, net: &Net) -> Case {
    let mut source = Source::new(seed, persona, net);
    let global = (!source.random.once_in(6)).then(|| source.global());
    let users = [0, 1, 2].map(|_| {
        let shared = global.clone().unwrap_or_else(|| Layer::built_in(persona));
        (!source.random.once_in(3)).then(|| source.user(&shared))
    });
    // At most 28 steps, and mostly few.
    let length = 8 + (0..4).map(|_| source.random.below(21)).min().unwrap_or_default();
    let start = Model { persona, global, users };
    let mut model = start.clone();
    let steps = (0..length).map(|_| source.likely_step(&mut model)).collect();
    Case { start, steps }
}

struct Source<'a> {
    random: Random,
    /// The existing names, which most commands use.
    names: Vec<String>,
    /// The names of global remotes.
    global_names: Vec<String>,
    /// The name of the exclusive remote.
    exclusive: Option<String>,
    /// The configured keyservers.
    keyservers: Vec<String>,
    /// The existing names and addresses, and whether they are insecure.
    addresses: Vec<(String, String, bool)>,
    persona: Persona,
    net: &'a Net,
}

impl<'a> Source<'a> {
    fn new(seed: u64, persona: Persona, net: &'a Net) -> Self {
        Self {
            random: Random::new(seed),
            names: vec![],
            global_names: vec![],
            exclusive: None,
            keyservers: vec![],
            addresses: vec![],
            persona,
            net,
        }
    }

    fn name(&mut self) -> String {
        match self.random.below(9) {
            0 | 1 => built_in_remote(self.persona).0.to_string(),
            _ => self.random.of(&NAMES).to_string(),
        }
    }

    /// Reads the existing names and addresses.
    fn look(&mut self, model: &Model) {
        let global = model.global();
        self.global_names = global.remotes.keys().cloned().collect();
        let own = model.users.iter().flatten().flat_map(|layer| layer.remotes.keys().cloned());
        self.exclusive = exclusive(&global).cloned();
        let layers = std::iter::once(&global).chain(model.users.iter().flatten());
        let entries = layers.flat_map(|layer| &layer.remotes);
        let address =
            |(name, entry): (&String, &Entry)| (name.clone(), shown(&entry.uri).to_string(), entry.insecure);
        self.addresses = entries.map(address).collect();
        self.names = self.global_names.iter().cloned().chain(own).collect();
        let keyservers = global.remotes.values().flat_map(|entry| &entry.keyservers);
        self.keyservers = keyservers.map(|keyserver| keyserver.uri.clone()).collect();
    }

    /// Mostly an existing name.
    fn old_name(&mut self) -> String {
        if self.names.is_empty() || self.random.once_in(6) {
            return self.name();
        }
        if let Some(exclusive) = self.exclusive.clone().filter(|_| self.random.once_in(4)) {
            return exclusive;
        }
        let at = self.random.below(self.names.len());
        self.names[at].clone()
    }

    fn maybe_name(&mut self) -> Option<String> {
        (!self.random.once_in(3)).then(|| self.old_name())
    }

    fn token(&mut self) -> String {
        match self.random.below(3) {
            0 | 1 => "tok-all".to_string(),
            _ => TOKENS[self.random.below(TOKENS.len())].0.to_string(),
        }
    }

    fn secret(&mut self) -> Secret {
        Secret { text: self.token(), piped: self.random.once_in(3) }
    }

    fn stored(&mut self) -> Entry {
        let (uri, insecure) = match self.random.below(7) {
            4.. => STORED[STORED.len() - 1 - self.random.below(6)],
            0 => (built_in_remote(self.persona).1, false),
            _ => STORED[self.random.below(STORED.len())],
        };
        Entry { uri: self.net.addresses(uri), insecure, ..Entry::default() }
    }

    fn active(&mut self) -> String {
        match self.random.below(4) {
            0 => String::new(),
            1 => "gone".to_string(),
            _ => self.name(),
        }
    }

    fn global(&mut self) -> Layer {
        let mut layer = Layer { active: self.active(), ..Layer::default() };
        if !self.random.once_in(4) {
            layer.remotes = Layer::built_in(self.persona).remotes;
        }
        for _ in 0..self.random.below(4) {
            let mut entry = Entry { system: true, ..self.stored() };
            entry.exclusive = self.random.once_in(8);
            if self.random.once_in(3) {
                entry.keyservers = self.some_keyservers();
            }
            layer.remotes.insert(self.name(), entry);
        }
        layer
    }

    /// The endpoint's own keyserver and another one; a disabled one comes last.
    fn some_keyservers(&mut self) -> Vec<Keyserver> {
        let skip = self.random.once_in(3);
        let own = Keyserver { uri: KEYSERVERS[0].into(), skip, external: false, insecure: false };
        let uri =
            self.net.addresses(self.random.of(&["https://k.example", "http://E4", "http://E1/keystore"]));
        let other = Keyserver { uri, skip: false, external: true, insecure: self.random.once_in(4) };
        if skip { vec![other, own] } else { vec![own, other] }
    }

    /// The user's own remotes, copies of global ones as the real programs make them, tokens for this address or
    /// another, and copies of removed global remotes.
    fn user(&mut self, global: &Layer) -> Layer {
        let mut layer = Layer { active: self.active(), ..Layer::default() };
        for (name, shared) in &global.remotes {
            let copy = Entry { system: true, ..shared.clone() };
            let entry = match self.random.below(8) {
                0 => copy,
                1 => Entry { exclusive: false, token: self.kept_token(), ..copy },
                2 => {
                    let moved = self.stored();
                    Entry { uri: moved.uri, insecure: moved.insecure, token: self.kept_token(), ..copy }
                }
                3 => Entry { token: self.kept_token(), ..self.stored() },
                _ => continue,
            };
            layer.remotes.insert(name.clone(), entry);
        }
        for _ in 0..self.random.below(3) {
            let token = if self.random.once_in(2) { self.kept_token() } else { None };
            let system = self.random.once_in(4);
            let exclusive = system && self.random.once_in(3);
            let keyservers = if self.random.once_in(6) { self.some_keyservers() } else { vec![] };
            let entry = Entry { token, system, exclusive, keyservers, ..self.stored() };
            layer.remotes.entry(self.name()).or_insert(entry);
        }
        if self.random.once_in(5) {
            let uri = self.keyserver(2);
            let auth = authorization(None, "tok-old");
            layer.credentials.push(Credential { uri, auth, insecure: false });
        }
        layer
    }

    /// A token in a file: one that can be sent in a request.
    fn kept_token(&mut self) -> Option<String> {
        Some(self.token()).filter(|token| !token.contains(' '))
    }

    /// A step, which is applied to the model. If it fails or would be left out, up to two others are tried,
    /// because most steps of a sequence should have an effect.
    fn likely_step(&mut self, model: &mut Model) -> Step {
        self.look(model);
        for last in [false, false, true] {
            let step = self.step();
            let mut after = model.clone();
            match after.step(&step, self.net) {
                Some(outcome) if last || outcome.code == 0 || self.random.once_in(3) => {
                    *model = after;
                    return step;
                }
                None if last => return step,
                _ => {}
            }
        }
        unreachable!("the last one is taken")
    }

    fn step(&mut self) -> Step {
        let who = self.random.below(3);
        // Root mostly runs the commands for root; users try them occasionally.
        let global = if who == 0 { !self.random.once_in(3) } else { self.random.once_in(16) };
        let command = match self.random.below(50) {
            0..=11 => Command::Add(self.add(global)),
            12..=14 => Command::Remove { global, name: self.old_name() },
            15 => {
                let (old, new) = (self.old_name(), self.name());
                let new = if new == old { format!("{old}2") } else { new };
                Command::Rename { global, old, new }
            }
            16..=22 => {
                let exclusive = global && self.random.once_in(3);
                Command::Use {
                    global: global && (!exclusive || self.random.once_in(2)),
                    exclusive,
                    name: self.old_name(),
                }
            }
            23..=26 => Command::Login { name: self.maybe_name(), secret: self.secret() },
            27..=29 => Command::Logout { name: self.maybe_name() },
            30 => Command::LogoutAll,
            31..=34 => {
                let order = self.random.once_in(3).then(|| self.random.below(4) as u32);
                let uri = self.keyserver(6);
                let insecure = self.random.once_in(4);
                Command::AddKeyserver { name: self.maybe_global_name(), uri, order, insecure }
            }
            35 | 36 => {
                let uri = self.keyserver(1);
                Command::RemoveKeyserver { name: self.maybe_global_name(), uri }
            }
            37..=40 => Command::List,
            41 => Command::Password,
            42 | 43 => Command::Status { name: self.maybe_name(), strict: self.random.once_in(3) },
            44 => Command::Check { global },
            45 | 46 => Command::Keyservers { name: self.maybe_name() },
            47 | 48 => {
                let uri = self.keyserver(1);
                Command::ServiceLogin { uri, named: self.random.once_in(2), secret: self.secret() }
            }
            _ => Command::ServiceLogout { uri: self.keyserver(1) },
        };
        // Only root may configure keyservers, but occasionally another user tries.
        let keyserver = matches!(command, Command::AddKeyserver { .. } | Command::RemoveKeyserver { .. });
        let who = if keyserver && !self.random.once_in(6) { 0 } else { who };
        let mut step = Step { who, json: false, odd: self.random.once_in(2), command };
        step.json = !step.reads() && self.random.once_in(2);
        step
    }

    /// Mostly the name of a global remote; occasionally none.
    fn maybe_global_name(&mut self) -> Option<String> {
        if self.global_names.is_empty() || self.random.once_in(8) {
            return self.maybe_name();
        }
        let at = self.random.below(self.global_names.len());
        (!self.random.once_in(4)).then(|| self.global_names[at].clone())
    }

    /// A keyserver: once in this many times one of a global remote, if there is any; otherwise any.
    fn keyserver(&mut self, times: usize) -> String {
        if !self.keyservers.is_empty() && self.random.once_in(times) {
            let at = self.random.below(self.keyservers.len());
            return self.keyservers[at].clone();
        }
        let uri = self.random.of(&KEYSERVERS);
        self.net.addresses(uri)
    }

    fn add(&mut self, global: bool) -> Add {
        let uri = match self.random.below(20) {
            0 => self.random.of(&BAD_TYPED),
            1..=9 => self.random.of(&TYPED_LIVE),
            _ => self.random.of(&TYPED),
        };
        let name = match self.random.below(25) {
            0 => self.random.of(&BAD_NAMES).to_string(),
            _ => self.name(),
        };
        let login = match self.random.below(12) {
            0 | 1 if !global => Login::With(self.secret()),
            0 if self.random.once_in(3) => Login::With(self.secret()),
            2 => Login::Unasked,
            _ if global => Login::Unasked,
            _ => Login::No,
        };
        // Mostly as the address needs it.
        let insecure = uri.starts_with("http://") != self.random.once_in(8);
        let (if_absent, replace) = match self.random.below(10) {
            0 | 1 => (true, false),
            2..=4 => (false, true),
            5 => (true, self.random.once_in(4)),
            _ => (false, false),
        };
        let no_default = self.random.once_in(3);
        let uri = self.net.addresses(uri);
        if (if_absent || replace) && !self.addresses.is_empty() && self.random.once_in(2) {
            // Often an existing remote with the same address.
            let at = self.random.below(self.addresses.len());
            let (name, uri, insecure) = self.addresses[at].clone();
            return Add { global, insecure, no_default, if_absent, replace, login, name, uri };
        }
        Add { global, insecure, no_default, if_absent, replace, login, name, uri }
    }
}
