//! Modules import only from lower layers: those of the diagram in docs/architecture.md. And no file imports one
//! that imports it.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

const ROOT: &str = env!("CARGO_MANIFEST_DIR");

/// A module, such as `fsio::directory`; the crate root is the empty name.
type Module = String;

/// The files of `src` by module, without those of tests.
fn files() -> BTreeMap<Module, PathBuf> {
    fn walk(directory: &Path, found: &mut Vec<PathBuf>) {
        for entry in std::fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path()) {
            match entry.file_name().unwrap().to_str().unwrap() {
                "tests" | "tests.rs" => {}
                _ if entry.is_dir() => walk(&entry, found),
                name if name.ends_with(".rs") => found.push(entry),
                _ => {}
            }
        }
    }
    let src = Path::new(ROOT).join("src");
    let mut found = Vec::new();
    walk(&src, &mut found);
    let module = |path: &Path| {
        let path = path.strip_prefix(&src).unwrap().with_extension("");
        let parts: Vec<_> = path.iter().map(|part| part.to_str().unwrap()).collect();
        match parts.as_slice() {
            ["lib"] => String::new(),
            [above @ .., "mod"] => above.join("::"),
            parts => parts.join("::"),
        }
    };
    found.into_iter().map(|path| (module(&path), path)).collect()
}

/// The code of a file without comments and without its own tests, which are at its end.
fn code(path: &Path) -> String {
    let text = std::fs::read_to_string(path).unwrap();
    let code = text.split("#[cfg(test)]\nmod tests {").next().unwrap();
    code.lines().map(|line| line.split("//").next().unwrap()).collect::<Vec<_>>().join("\n")
}

/// `a::{b, c::{d, e}}` → `a::b`, `a::c::d`, `a::c::e`.
fn expand(import: &str) -> Vec<String> {
    let Some((before, group)) = import.split_once('{') else { return vec![import.trim().to_string()] };
    let group = group.rsplit_once('}').map_or(group, |(group, _)| group);
    let (mut depth, mut parts) = (0, vec![String::new()]);
    for letter in group.chars() {
        match letter {
            '{' => depth += 1,
            '}' => depth -= 1,
            _ => {}
        }
        if letter == ',' && depth == 0 {
            parts.push(String::new());
        } else {
            parts.last_mut().unwrap().push(letter);
        }
    }
    let parts = parts.iter().map(|part| part.trim()).filter(|part| !part.is_empty());
    parts.flat_map(expand).map(|part| format!("{}{part}", before.trim())).collect()
}

/// Every path in the code of a module: those of `use`, and those that begin with `crate`, `super` or `self`.
fn paths(code: &str) -> Vec<String> {
    let mut all = Vec::new();
    let mut rest = String::new();
    for statement in code.split_inclusive(';') {
        let start = statement.rfind("\nuse ").or_else(|| statement.rfind("\npub use "));
        let start =
            start.or_else(|| statement.rfind("\npub(crate) use ")).or_else(|| statement.rfind("    use "));
        match start {
            Some(at) => {
                rest.push_str(&statement[..at]);
                let import = statement[at..].split_once("use ").unwrap().1;
                all.extend(expand(import.trim_end_matches(';')));
            }
            None => rest.push_str(statement),
        }
    }
    let is_path = |c: char| c.is_alphanumeric() || c == '_' || c == ':';
    let words = rest.split(|c| !is_path(c));
    all.extend(
        words
            .filter(|word| ["crate::", "super::", "self::"].iter().any(|start| word.starts_with(start)))
            .map(ToString::to_string),
    );
    all
}

/// The module that `path`, used in `here`, is or is in.
fn resolve(path: &str, here: &str, modules: &BTreeMap<Module, PathBuf>) -> Option<Module> {
    let mut parts: Vec<&str> = path.split("::").map(|part| part.split(' ').next().unwrap()).collect();
    let mut base: Vec<&str> = here.split("::").filter(|part| !part.is_empty()).collect();
    let own = match parts[0] {
        "crate" => {
            base.clear();
            true
        }
        "super" | "self" => true,
        _ => false,
    };
    while parts.first().is_some_and(|part| ["crate", "super", "self"].contains(part)) {
        if parts.remove(0) == "super" {
            base.pop();
        }
    }
    let depth = base.len();
    base.extend(parts);
    let module = (1..=base.len())
        .rev()
        .map(|end| (end, base[..end].join("::")))
        .find(|(_, name)| modules.contains_key(name));
    // Paths that begin with the name of another crate do not count.
    module.filter(|(end, _)| own || *end > depth).map(|(_, module)| module)
}

/// The imports of each module.
fn imports() -> BTreeMap<Module, BTreeSet<Module>> {
    let modules = files();
    let of = |(module, path): (&Module, &PathBuf)| {
        let imported = paths(&code(path)).into_iter().filter_map(|path| resolve(&path, module, &modules));
        (module.clone(), imported.filter(|imported| imported != module).collect())
    };
    modules.iter().map(of).collect()
}

/// The layers of the diagram, from the top: the first block of docs/architecture.md, with module names before
/// two spaces, separated by commas.
fn layers() -> BTreeMap<String, usize> {
    let text = std::fs::read_to_string(Path::new(ROOT).join("docs/architecture.md")).unwrap();
    let picture = text.split("```").nth(1).unwrap();
    let lines = picture.lines().filter(|line| !line.is_empty() && !line.starts_with(' '));
    let names = |line: &str| {
        line.split("  ").next().unwrap().split(", ").map(|name| name.trim().to_string()).collect::<Vec<_>>()
    };
    lines.enumerate().flat_map(|(at, line)| names(line).into_iter().map(move |name| (name, at))).collect()
}

fn top(module: &str) -> &str {
    match module.split("::").next().unwrap() {
        "" => "lib",
        top => top,
    }
}

#[test]
fn modules_import_only_from_lower_layers() {
    let layers = layers();
    let mut wrong = Vec::new();
    let imports = imports();
    assert!(imports.len() > 100 && imports.values().any(|all| all.len() > 5), "{imports:?}");
    for (module, imported) in imports {
        let Some(layer) = layers.get(top(&module)) else {
            wrong
                .push(format!("{module} is not in the picture of docs/architecture.md: add it to its layer"));
            continue;
        };
        for other in imported.iter().filter(|other| top(other) != top(&module)) {
            if layers.get(top(other)).is_none_or(|below| below <= layer) {
                wrong.push(format!(
                    "{module} imports {other}, which is not below it in docs/architecture.md: move what it needs down, or take it as a value"
                ));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn there_are_no_import_cycles() {
    let mut left = imports();
    // A module that imports none of the remaining ones is not in a cycle.
    while let Some(free) =
        left.iter().find(|(_, imported)| imported.iter().all(|one| !left.contains_key(one)))
    {
        let free = free.0.clone();
        left.remove(&free);
    }
    let rest: BTreeSet<&Module> = left.keys().collect();
    let line = |(module, imported): (&Module, &BTreeSet<Module>)| {
        let imported: Vec<_> = imported.iter().filter(|one| rest.contains(one)).map(String::as_str).collect();
        format!("{module} imports {}", imported.join(", "))
    };
    assert!(
        left.is_empty(),
        "these import each other in a cycle:\n{}",
        left.iter().map(line).collect::<Vec<_>>().join("\n")
    );
}

#[test]
fn imports_are_parsed() {
    let code = "
use super::{a, b::{C, d}};
use std::fmt;
pub(crate) use x::Y;
fn f() { crate::g::h(); let z: super::super::E; }
";
    assert_eq!(
        paths(code),
        ["super::a", "super::b::C", "super::b::d", "std::fmt", "x::Y", "crate::g::h", "super::super::E"]
    );
    let modules = ["fsio", "fsio::a", "fsio::b", "g"].map(|name| (name.to_string(), PathBuf::new())).into();
    for (path, here, expected) in [
        ("super::b::C", "fsio::a", Some("fsio::b")),
        ("crate::g::h", "fsio::a", Some("g")),
        ("a::X", "fsio", Some("fsio::a")),
        ("std::fmt", "fsio", None),
        ("super::X", "fsio::a", Some("fsio")),
    ] {
        assert_eq!(resolve(path, here, &modules).as_deref(), expected, "{path} in {here}");
    }
}
