//! A small `remote.yaml` that describes much data: aliases that repeat a long text, and millions of nodes.
//! Reading it takes bounded memory in all cases. The figures are printed.

use crate::hostile::MEASURE;
use crate::real::daemon::installed;
use crate::world::{Shown, World, finish};
use std::process::Command;
use std::time::{Duration, Instant};

const REFUSED: &str = "aliases expand the file by more than 8 times its size plus 1 MiB";
const TOO_MUCH: &str = "more values than 100,000 remotes need";
/// For any file of up to 1.45 MB, in KiB. A file of 5.8 MB, with the largest number of nodes, then takes less
/// than 100 MiB.
const MEMORY: u64 = 36 << 10;

/// Runs `remote list` with the user layer `text`. Returns the output, the peak size in KiB, and the time.
fn list(text: &str) -> (Shown, u64, Duration) {
    let world = World::new();
    world.install();
    world.write_user(text);
    let mut command = Command::new("/usr/bin/python3");
    command.args(["-c", MEASURE]).arg(world.exe()).args(["remote", "list"]);
    command.env_clear().envs(world.environment().iter()).current_dir(world.home());
    let begun = Instant::now();
    let mut shown = finish(&mut command);
    let time = begun.elapsed();
    let (said, kib) = shown.stderr.rsplit_once("peak ").expect("it was measured");
    let kib = kib.trim().parse().unwrap();
    shown.stderr = said.to_string();
    (shown, kib, time)
}

/// Lists a file for each row: its name, its text, the exit status, and a part of standard error.
fn play(rows: &[(&str, String, i32, &str)]) {
    let mut failures = Vec::new();
    for (name, text, code, says) in rows {
        let (shown, kib, time) = list(text);
        println!("{name:<40} {:>9} bytes {:>7.1} MiB {time:>8.2?}", text.len(), kib as f64 / 1024.0);
        let mut expect = |holds: bool, what: &str| {
            if !holds {
                let end = shown.stderr.char_indices().nth(300).map_or(shown.stderr.len(), |(at, _)| at);
                failures.push(format!("{name}: {what}: {} {}", shown.code, &shown.stderr[..end]));
            }
        };
        expect(shown.code == *code, "exit status");
        expect(shown.stderr.contains(says), says);
        expect(kib < MEMORY, "memory");
        expect(shown.stderr.len() < 2 << 20, "a message of bounded length");
    }
    assert!(failures.is_empty(), "{failures:#?}");
}

/// `item` for each number below `count`.
fn each(count: usize, item: impl Fn(usize) -> String) -> String {
    (0..count).map(item).collect()
}

#[test]
fn aliases_of_long_texts_are_refused_before_expansion() {
    if !installed(&["python3"]) {
        return;
    }
    let long = "x".repeat(300_000);
    let remotes =
        |count, item: &str| each(count, |n| format!("  r{n}: {}\n", item.replace('#', &n.to_string())));
    let anchored = |item: &str| format!("b: &a {long}\nRemotes:\n{}", remotes(4000, item));
    let few = |count| format!("b: &a {long}\nRemotes:\n{}", remotes(count, "{URI: *a}"));
    let nested = each(20, |n| format!("a{0}: &a{0}\n  <<: *a{n}\n", n + 1));
    let nested = format!("t: &t {long}\na0: &a0 {{Keyservers: [{{URI: *t}}]}}\n{nested}");
    play(&[
        ("8 times the file", few(8), 0, "unknown key \"b\""),
        ("beyond 8 times and 1 MiB", few(14), 255, ":1:7: Remotes.r"),
        ("values", anchored("{URI: *a}"), 255, REFUSED),
        ("tokens", anchored("{URI: h, Token: *a}"), 255, REFUSED),
        ("keys", anchored("{*a : h}"), 255, REFUSED),
        ("keys in lists", anchored("{Keyservers: [{*a : h}]}"), 255, REFUSED),
        (
            "merged values",
            format!("b: &b {{URI: {long}}}\nRemotes:\n{}", remotes(4000, "{<<: *b}")),
            255,
            REFUSED,
        ),
        (
            "merged keys",
            format!("b: &b\n  ? {long}\n  : h\nRemotes:\n{}", remotes(4000, "{<<: [*b]}")),
            255,
            REFUSED,
        ),
        ("mappings", format!("Remotes:\n  a: &a {{URI: {long}}}\n{}", remotes(4000, "*a")), 255, REFUSED),
        (
            "lists",
            format!(
                "Remotes:\n  a: {{Keyservers: &k [{{URI: {long}}}]}}\n{}",
                remotes(4000, "{Keyservers: *k}")
            ),
            255,
            REFUSED,
        ),
        ("logins", format!("Credentials: [&c {{URI: {long}}}, {}]\n", "*c, ".repeat(4000)), 255, REFUSED),
        ("aliases in aliases", format!("{nested}Remotes:\n{}", remotes(4000, "*a20")), 255, REFUSED),
    ]);
}

#[test]
fn unused_aliases_are_accepted() {
    if !installed(&["python3"]) {
        return;
    }
    let laughs = each(29, |n| format!("a{}: &a{} [*a{n}, *a{n}, *a{n}]\n", n + 1, n + 1));
    play(&[("laughs", format!("a0: &a0 [x, x, x]\n{laughs}"), 0, "unknown key \"a29\"")]);
}

/// `before`, then `item` repeated up to `size` bytes, then `after`.
fn filled(size: usize, before: &str, item: impl Fn(usize) -> String, after: &str) -> String {
    let mut text = before.to_string();
    for number in 0.. {
        if text.len() + 32 > size {
            break;
        }
        text += &item(number);
    }
    text + after
}

#[test]
fn minimal_nodes_take_little_memory() {
    if !installed(&["python3"]) {
        return;
    }
    let many = filled(1_450_000, "x: [", |_| "a,".into(), "]\n");
    play(&[("scalars", many, 0, "unknown key \"x\"")]);
}

#[test]
fn the_limit_counts_nodes_of_every_kind() {
    if !installed(&["python3"]) {
        return;
    }
    let same = |before: &str, item: &str, after: &str| filled(900_000, before, |_| item.into(), after);
    let numbered =
        |before: &str, item: fn(usize) -> String, after: &str| filled(900_000, before, item, after);
    let below_a_long_name =
        format!("Remotes:\n  ? {}\n  : {{{}}}\n", "n".repeat(100_000), each(5000, |n| format!("{n:x},")));
    let merges_of_nothing = format!(
        "a: &a {{}}\nb: &b {{<<: [{}]}}\nc: &c {{<<: [{}]}}\nRemotes: {{d: *c}}\n",
        "*a,".repeat(150_000),
        "*b,".repeat(150_000)
    );
    let merges = each(20_000, |n| format!("a{0}: &a{0} {{<<: *a{n}}}\n", n + 1));
    play(&[
        ("null logins", same("Credentials: [", "~,", "]\n"), 255, TOO_MUCH),
        ("empty logins", same("Credentials: [", "{},", "]\n"), 255, TOO_MUCH),
        ("keyservers", same("Remotes: {a: {Keyservers: [", "{},", "]}}\n"), 255, TOO_MUCH),
        (
            "unknown keys",
            numbered("Remotes: {a: {", |n| format!("{n:x},"), "}}\n"),
            255,
            "more than 100,000 keys",
        ),
        (
            "concerns",
            format!("Credentials: [{}]\nx: 1\n{}", "~,".repeat(199_000), each(150, |n| format!("y{n}:\n"))),
            0,
            "51 more unknown keys are not listed",
        ),
        ("unknown keys below a long name", below_a_long_name, 0, "4900 more unknown keys are not listed"),
        ("anchors", numbered("x: [", |n| format!("&{n:x} ,"), "]\n"), 255, TOO_MUCH),
        ("merges of nothing", merges_of_nothing, 255, TOO_MUCH),
        (
            "merges of merges of merges",
            format!("a0: &a0 {{}}\n{merges}Remotes: *a19000\n"),
            255,
            "nested more than 32 levels deep",
        ),
    ]);
}
