//! The inputs of each target, in `corpus/TARGET/`. Files with a name were written by hand, or reproduce a fixed
//! bug. Files named by 16 hexadecimal digits were found by a long run and reach new code.

use std::collections::BTreeMap;
use std::fs;
use std::hash::{DefaultHasher, Hasher};
use std::path::{Path, PathBuf};

/// Contents by file name.
pub type Inputs = BTreeMap<String, Vec<u8>>;

pub fn directory(target: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fuzz/corpus").join(target)
}

/// The files of a directory in the order of their names, so that all runs are the same.
pub fn load(directory: &Path) -> Inputs {
    let Ok(entries) = fs::read_dir(directory) else { return Inputs::new() };
    entries
        .map(|entry| entry.unwrap().path())
        .map(|path| (path.file_name().unwrap().to_str().unwrap().to_string(), fs::read(&path).unwrap()))
        .collect()
}

/// The file name of an input that was found.
pub fn name_of(input: &[u8]) -> String {
    let mut hasher = DefaultHasher::new();
    hasher.write(input);
    format!("{:016x}", hasher.finish())
}

pub fn was_found(name: &str) -> bool {
    name.len() == 16 && name.bytes().all(|byte| byte.is_ascii_hexdigit())
}

/// Checks that every target has seeds, that every directory has a target, and that the corpus stays small.
pub fn check(targets: &[&str]) {
    let root = directory("");
    let mut names: Vec<_> =
        fs::read_dir(&root).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    let mut expected = targets.to_vec();
    expected.sort_unstable();
    assert_eq!(names, expected);
    for name in names {
        let inputs = load(&root.join(&name));
        assert!((3..=64).contains(&inputs.len()), "{name} has {} inputs", inputs.len());
        let bytes: usize = inputs.values().map(Vec::len).sum();
        assert!(bytes <= 64 << 10, "the inputs of {name} are {bytes} bytes");
    }
}
