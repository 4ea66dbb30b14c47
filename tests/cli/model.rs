//! Runs random sequences of commands by root and two users on generated layers, and compares the program with
//! a small model of the two layers. The model is based on the program's specification, not on its code.
//!
//! `MODEL_SEQUENCES=20000 MODEL_SEED=1001 cargo test --test cli model::` runs more, or other, sequences. Each
//! sequence has its own seed; seeds are consecutive. A failure is shown with its seed and as the shortest list
//! of commands that still fails.

mod check;
mod commands;
mod generate;
mod keyservers;
mod layers;
mod names;
mod net;
mod notes;
mod random;
mod step;
mod table;

use apptainer_remote::persona::Persona;
use check::Rig;
use generate::Case;
use std::time::Instant;

/// The number of sequences for each persona.
const SEQUENCES: u64 = 200;

fn number(name: &str, usual: u64) -> u64 {
    std::env::var(name).map_or(usual, |value| value.parse().expect("a number"))
}

fn play(persona: Persona) {
    let start = Instant::now();
    let (first, count) = (number("MODEL_SEED", 1), number("MODEL_SEQUENCES", SEQUENCES));
    let mut rig = Rig::new();
    for seed in first..first + count {
        let case = generate::case(seed, persona, &rig.net);
        if let Err(error) = rig.run(&case) {
            let (case, error) = shortest(case, error, &mut rig);
            panic!("{}", report(&case, &error, seed, &rig));
        }
    }
    let seconds = start.elapsed().as_secs_f64();
    let (steps, changes) = (rig.codes.values().sum::<usize>(), rig.changes);
    println!(
        "{persona:?}: {count} sequences, {steps} steps, {changes} of them changes, {} left out, {seconds:.1} s",
        rig.left_out
    );
    let codes = rig.codes.iter().map(|((verb, code), times)| format!("{verb} {code}: {times}"));
    println!("{}", codes.collect::<Vec<_>>().join(", "));
}

/// Removes steps and parts of the initial layers as long as the case still fails.
fn shortest(mut case: Case, mut error: String, rig: &mut Rig) -> (Case, String) {
    loop {
        let Some((smaller, its)) = smaller(&case).into_iter().find_map(|smaller| {
            let error = rig.run(&smaller).err()?;
            Some((smaller, error))
        }) else {
            return (case, error);
        };
        (case, error) = (smaller, its);
    }
}

/// Smaller cases: each lacks one part of a layer, or one or more steps.
fn smaller(case: &Case) -> Vec<Case> {
    let mut all = Vec::new();
    let mut size = case.steps.len();
    while size > 0 {
        for at in (0..case.steps.len()).step_by(size) {
            let mut smaller = case.clone();
            smaller.steps.drain(at..(at + size).min(case.steps.len()));
            all.push(smaller);
        }
        size /= 2;
    }
    let start = &case.start;
    let layers = || std::iter::once(&start.global).chain(&start.users);
    for (at, layer) in layers().enumerate().filter_map(|(at, layer)| Some((at, layer.as_ref()?))) {
        let mut with = |layer: Option<layers::Layer>| {
            let mut smaller = case.clone();
            match at {
                0 => smaller.start.global = layer,
                _ => smaller.start.users[at - 1] = layer,
            }
            all.push(smaller);
        };
        with(None);
        for name in layer.remotes.keys() {
            let mut layer = layer.clone();
            layer.remotes.remove(name);
            with(Some(layer));
        }
        if !layer.credentials.is_empty() {
            with(Some(layers::Layer { credentials: vec![], ..layer.clone() }));
        }
        if !layer.active.is_empty() {
            with(Some(layers::Layer { active: String::new(), ..layer.clone() }));
        }
    }
    all
}

fn report(case: &Case, error: &str, seed: u64, rig: &Rig) -> String {
    use std::fmt::Write;
    let mut text = format!(
        "MODEL_SEED={seed} MODEL_SEQUENCES=1, persona {:?}; E0 to E4 are servers of tests/cli/model/net.rs\n",
        case.start.persona
    );
    let layers = std::iter::once(&case.start.global).chain(&case.start.users);
    for (name, layer) in ["everybody"].into_iter().chain(step::PEOPLE).zip(layers) {
        if let Some(layer) = layer {
            write!(text, "--- file of {name}\n{}", rig.net.names(&layer.text())).unwrap();
        }
    }
    text.push_str("--- steps\n");
    for step in &case.steps {
        writeln!(text, "{}", rig.net.names(&step.to_string())).unwrap();
    }
    write!(text, "--- {}", rig.net.names(error)).unwrap();
    text
}

#[test]
fn the_program_matches_the_model_in_persona_apptainer() {
    play(Persona::Apptainer);
}

#[test]
fn the_program_matches_the_model_in_persona_singularity() {
    play(Persona::Singularity);
}
