//! Golden texts in separate files: `UPDATE=1` writes them, all other runs compare.

use std::path::Path;

/// Compares `text` with `tests/cli/golden/NAME.txt`.
pub fn golden(name: &str, text: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cli/golden").join(format!("{name}.txt"));
    if std::env::var_os("UPDATE").is_some() {
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, text).unwrap();
    }
    let expected = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(
        expected == text,
        "{name}: the text differs from {}; if that is intended, run the test with UPDATE=1\n--- expected\n{expected}\n--- found\n{text}",
        path.display()
    );
}
