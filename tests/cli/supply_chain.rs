//! The dependencies of the program: allowed licences, a single source, no duplicates, and a reason for each
//! direct dependency. `cargo deny check`, if installed, also checks advisories.

use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::process::Command;

/// The allowed licences in `.deny.toml`.
const LICENCES: [&str; 7] =
    ["Apache-2.0", "Apache-2.0 WITH LLVM-exception", "BSD-3-Clause", "ISC", "MIT", "Unicode-3.0", "Zlib"];
const ARCHITECTURE: &str = include_str!("../../docs/architecture.md");
const DENY: &str = include_str!("../../.deny.toml");

/// All crates of this machine's build by id, and the ids of those in the program itself.
fn crates() -> (BTreeMap<String, Value>, BTreeSet<String>) {
    let host = Command::new("rustc").arg("-vV").output().expect("rustc runs");
    let host = String::from_utf8(host.stdout).unwrap();
    let host =
        host.lines().find_map(|line| line.strip_prefix("host: ")).expect("rustc prints its host").to_string();
    let output = Command::new(env!("CARGO"))
        .args(["metadata", "--locked", "--offline", "--format-version=1", "--filter-platform", &host])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .expect("cargo runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let document: Value = serde_json::from_slice(&output.stdout).unwrap();
    let text = |value: &Value| value.as_str().expect("text").to_string();
    let list = |value: &Value| value.as_array().expect("a list").clone();
    let packages =
        list(&document["packages"]).into_iter().map(|package| (text(&package["id"]), package)).collect();
    let nodes: BTreeMap<String, Value> =
        list(&document["resolve"]["nodes"]).into_iter().map(|node| (text(&node["id"]), node)).collect();
    let mut inside = BTreeSet::new();
    let mut pending = vec![text(&document["resolve"]["root"])];
    while let Some(id) = pending.pop() {
        for dependency in list(&nodes[&id]["deps"]) {
            let normal = list(&dependency["dep_kinds"]).iter().any(|kind| kind["kind"].is_null());
            let id = text(&dependency["pkg"]);
            if normal && inside.insert(id.clone()) {
                pending.push(id);
            }
        }
    }
    (packages, inside)
}

/// Whether the allowed licences satisfy a licence expression. AND binds more tightly than OR.
fn allowed(expression: &str) -> bool {
    let plain = expression.replace(['(', ')'], "").replace('/', " OR ");
    let either = |part: &str| part.split(" OR ").any(|one| LICENCES.contains(&one.trim()));
    match expression.contains(") AND ") {
        true => plain.split(" AND ").all(either),
        false => {
            plain.split(" OR ").any(|one| one.split(" AND ").all(|part| LICENCES.contains(&part.trim())))
        }
    }
}

#[test]
fn licences_and_sources_are_allowed_and_no_crate_is_duplicated() {
    let (packages, inside) = crates();
    assert!(inside.len() > 50, "the crates were found");
    let mut versions: BTreeMap<&str, usize> = BTreeMap::new();
    for (id, package) in &packages {
        if package["source"].is_null() {
            continue;
        }
        assert!(package["source"].as_str().unwrap().starts_with("registry+"), "{id} is from another source");
        let licence = package["license"].as_str().unwrap_or_default();
        assert!(allowed(licence), "{id} has the licence {licence:?}");
        if inside.contains(id) {
            *versions.entry(package["name"].as_str().unwrap()).or_default() += 1;
        }
    }
    let twice: Vec<_> = versions.iter().filter(|(_, count)| **count > 1).collect();
    assert!(twice.is_empty(), "in more than one version: {twice:?}");
    println!("{} crates in the program, {} with those for tests", inside.len(), packages.len() - 1);
}

#[test]
fn the_check_can_fail() {
    for good in
        ["MIT", "MIT OR GPL-3.0", "MIT/Apache-2.0", "(GPL-3.0 OR MIT) AND Unicode-3.0", "Apache-2.0 AND ISC"]
    {
        assert!(allowed(good), "{good}");
    }
    for bad in ["", "GPL-3.0", "MIT AND GPL-3.0", "(MIT OR ISC) AND GPL-3.0", "GPL-3.0 OR LGPL-3.0"] {
        assert!(!allowed(bad), "{bad}");
    }
    for licence in LICENCES {
        assert!(DENY.contains(&format!("\"{licence}\"")), "{licence} is not in .deny.toml");
    }
}

#[test]
fn every_direct_dependency_has_a_reason() {
    let (packages, _) = crates();
    let own = packages.values().find(|package| package["source"].is_null()).expect("this one");
    for dependency in own["dependencies"].as_array().unwrap() {
        let name = dependency["name"].as_str().unwrap();
        let reasons = ARCHITECTURE.split("## Dependencies").nth(1).expect("the chapter is there");
        let named = reasons.lines().any(|line| {
            line.split(['|', ',', ' ', ':', '(']).any(|word| word == name) && line.contains(['|', '('])
        });
        assert!(named, "docs/architecture.md gives no reason for {name}");
    }
}
