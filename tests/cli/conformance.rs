//! Replays what the real programs did: recorded command sequences of both personas, and the files they wrote.

use crate::world::{As, World};
use apptainer_remote::config::yaml;
use apptainer_remote::config::{Config, Endpoint};
use apptainer_remote::persona::Persona;
use serde::Deserialize;

#[derive(Deserialize)]
struct Sequence {
    name: String,
    before: Before,
    steps: Vec<Step>,
}

#[derive(Deserialize)]
struct Before {
    global: Option<String>,
    user: Option<String>,
}

#[derive(Deserialize)]
struct Step {
    #[serde(rename = "as")]
    who: String,
    args: Vec<String>,
    exit: i32,
    stdout: String,
    /// The file after the step, if it changed.
    user: Option<String>,
    global: Option<String>,
}

/// Steps that differ on purpose: (a part of the arguments, the reason). Also listed in docs/compatibility.md.
const DEPARTURES: &[(&str, &str)] = &[];

fn sequences(name: &str) -> Vec<Sequence> {
    let path = format!("{}/tests/fixtures/conformance/{name}-sequences.json", env!("CARGO_MANIFEST_DIR"));
    serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
}

/// The settings in a user's file, without the copies of global remotes that the real programs make.
fn said(text: &str) -> Config {
    let mut config = yaml::read(text.as_bytes()).unwrap().config;
    config.remotes.retain(|_, entry| !entry.system || entry.token.is_some());
    config
}

/// Whether both texts have the same global content, in our format: the real programs re-indent even a file that
/// they do not change.
fn same_global(ours: &str, theirs: &str) -> bool {
    ours == theirs
        || yaml::read(ours.as_bytes()).unwrap().config == yaml::read(theirs.as_bytes()).unwrap().config
}

struct Figures {
    replayed: usize,
    departures: usize,
}

fn replay(name: &str, persona: Persona) -> Figures {
    let mut figures = Figures { replayed: 0, departures: 0 };
    for sequence in sequences(name) {
        let world = World::bare(persona);
        if let Some(text) = &sequence.before.global {
            world.write_global(text);
        }
        if let Some(text) = &sequence.before.user {
            world.write_user(text);
        }
        for (at, step) in sequence.steps.iter().enumerate() {
            figures.replayed += 1;
            if DEPARTURES.iter().any(|(what, _)| step.args.join(" ").contains(what)) {
                figures.departures += 1;
                world.run(if step.who == "root" { As::Root } else { As::User }, &step.args);
                continue;
            }
            check(&world, step, &format!("{} step {at}: {:?}", sequence.name, step.args));
        }
    }
    figures
}

fn check(world: &World, step: &Step, at: &str) {
    let before = world.global();
    let who = if step.who == "root" { As::Root } else { As::User };
    let shown = world.run(who, &step.args);
    assert_eq!(shown.code, step.exit, "{at}: {shown:#?}");
    if step.exit == 0 {
        assert_eq!(shown.stdout, step.stdout, "{at}");
    }
    if let Some(theirs) = &step.user {
        assert_eq!(said(&world.user()), said(theirs), "{at}");
    }
    match &step.global {
        Some(theirs) if world.global() == before => assert!(same_global(&before, theirs), "{at}"),
        Some(theirs) => assert_eq!(&world.global(), theirs, "{at}"),
        None => assert_eq!(world.global(), before, "{at}"),
    }
}

#[test]
fn sequences_recorded_from_apptainer_match() {
    let figures = replay("apptainer", Persona::Apptainer);
    println!("apptainer: {} steps replayed, {} departures", figures.replayed, figures.departures);
    assert_eq!((figures.replayed, figures.departures), (1020, 0));
}

#[test]
fn sequences_recorded_from_singularity_match() {
    let figures = replay("singularity", Persona::Singularity);
    println!("singularity: {} steps replayed, {} departures", figures.replayed, figures.departures);
    assert_eq!((figures.replayed, figures.departures), (475, 0));
}

#[derive(Deserialize)]
struct Written {
    steps: Vec<Vec<String>>,
    file: String,
}

#[test]
fn adding_remotes_writes_the_same_bytes_as_the_real_program() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/conformance/writing.json");
    let sets: Vec<Written> = serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
    for set in sets {
        let world = World::bare(Persona::Apptainer);
        let mut refused = false;
        for step in &set.steps {
            // Names that only this program refuses (spaces, control characters, "://", a leading dash).
            refused |= world.run(As::User, step).code != 0;
        }
        if !refused {
            let (ours, theirs) = (world.user(), &set.file);
            let plain = set.steps.iter().all(|step| {
                step[4].len() <= 128
                    && step[4].chars().all(|c| c.is_ascii_alphanumeric() || "._-".contains(c))
            });
            if plain {
                assert_eq!(&ours, theirs);
            } else {
                assert_eq!(said(&ours), said(theirs));
            }
        }
    }
}

#[test]
fn a_global_remotes_token_is_stored_in_the_form_both_programs_use() {
    let config = Config {
        remotes: [(
            "g".to_string(),
            Endpoint { uri: "//h:8080".into(), system: true, insecure: true, ..Endpoint::default() },
        )]
        .into(),
        ..Config::default()
    };
    let text = String::from_utf8(yaml::write(&config)).unwrap();
    assert_eq!(
        text,
        "\
Active: \"\"
Remotes:
    g:
        URI: //h:8080
        System: true
        Exclusive: false
        Insecure: true
"
    );
}
